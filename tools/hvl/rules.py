# SPDX-License-Identifier: Apache-2.0
"""From a rule's number to its line in the policy, through the rules.json of the policy that ran.

`hash` of @H names what the policy decides, `rules` the numbers and the text of its rules: both must be those of the
file. The text travels in it, so that nothing of today's tree is taken for what ran.
"""
from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .elf import MAGIC, Elf
from .escape import terminal
from .files import UsageError, inside, read_all
from .sequence import Session

TOOL = Path(__file__).resolve().parents[1]
ROOT = TOOL.parent
REFUSALS = ("DENY", "KILL", "WOULD")
# A release has them beside the decoder; the Makefile keeps one of each policy that was built: HASH.WORDING.json.
KEPT = (TOOL / "rules", ROOT / "build" / "rules")
SECTION = ".charter.rules"              # of an image
_LARGEST, _IMAGE = 16 << 20, 64 << 20
_FILES = 32                             # of a policy
_HEX = set("0123456789abcdef")


def _text(row: Dict[str, Any], key: str, needed: bool = False) -> str:
    value = row.get(key)
    if value is None and not needed:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"'{key}' is no text")
    return value


class Rule:
    """One YAML entry."""

    __slots__ = ("number", "place", "text", "why", "section", "name")

    def __init__(self, row: Any) -> None:
        if not isinstance(row, dict):
            raise ValueError("a rule is no object")
        if type(row.get("rule")) is not int or not 0 <= row["rule"] < 1 << 16:
            raise ValueError("'rule' is no number of a rule")
        self.number: int = row["rule"]
        self.place = _text(row, "place", True)
        self.text = _text(row, "text")
        self.why = _text(row, "why") or None
        self.section = _text(row, "section")
        self.name = _text(row, "name")

    def source(self) -> Optional[Tuple[str, int]]:
        """File and line."""
        file, _, line = self.place.rpartition(":")
        return (file, int(line)) if file and line.isascii() and line.isdigit() and len(line) < 7 else None


class Source:
    """A file of the policy, as it was compiled."""

    __slots__ = ("file", "sha256", "lines")

    def __init__(self, row: Any) -> None:
        if not isinstance(row, dict):
            raise ValueError("a source is no object")
        self.file = _text(row, "file", True)
        self.sha256 = _text(row, "sha256", True)
        self.lines = _text(row, "text", True).split("\n")

    def today(self) -> Optional[bool]:
        """Is the file of this name in the tree beside this decoder still the same? None: there is none."""
        data = inside(ROOT, self.file, _LARGEST) if self.file.endswith(".yaml") else None
        return None if data is None else hashlib.sha256(data).hexdigest() == self.sha256


class Rules:
    """A rules.json, or that of an image."""

    def __init__(self, path: Path) -> None:
        self.rules: Dict[int, Rule] = {}
        data = read_all(str(path), _IMAGE, "an image or a rules.json")
        try:
            if data.startswith(MAGIC):
                data = Elf(data).section(SECTION)
            if len(data) > _LARGEST:
                raise ValueError(f"more than {_LARGEST} bytes")
            said = json.loads(data)
            if not isinstance(said, dict) or not isinstance(said.get("rules"), list):
                raise ValueError("no object with a list of rules")
            self.name, self.hash = _text(said, "policy", True), _text(said, "hash", True).lower()
            self.wording = _text(said, "wording").lower()
            if self.wording and self.wording != _wording(said):
                raise ValueError("its rules or their text were changed since")
            sources = said.get("sources", [])
            if not isinstance(sources, list) or len(sources) > _FILES:
                raise ValueError(f"no list of at most {_FILES} sources")
            self.sources = [Source(row) for row in sources]
            for row in said["rules"]:
                rule = Rule(row)
                self.rules[rule.number] = rule
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{terminal(str(path))}: no rules of policygen ({error})") from None

    def are(self, session: Session) -> bool:
        """Is this the policy that ran? A header holds the first digits of its hash; older ones have no wording."""
        short, wording = session.policy_hash().lower(), session.header.get("rules", "").lower()
        return len(short) >= 8 and self.hash.startswith(short) and wording in ("", self.wording)


def _wording(said: Dict[str, Any]) -> str:
    """As _rules() of policygen/target/render.py has it."""
    text = json.dumps({"rules": said["rules"], "sources": said.get("sources", [])}, sort_keys=True,
                      separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class Places:
    """Rules for those sessions whose header has their policy: from the file given, or from those kept."""

    def __init__(self, given: Optional[str] = None, kept: Tuple[Path, ...] = KEPT) -> None:
        self._given = None if given is None else Rules(Path(given))
        self._file = given or ""
        self._kept = kept
        self._found: Dict[Tuple[str, str], Optional[Rules]] = {}

    def of(self, session: Session) -> Optional[Rules]:
        key = session.policy_hash().lower(), session.header.get("rules", "").lower()
        if key not in self._found:
            if len(self._found) > 1000:     # a log of a thousand policies is none
                return None
            self._found[key] = self._find(session)
        return self._found[key]

    def _find(self, session: Session) -> Optional[Rules]:
        if self._given is not None:
            return self._given if self._given.are(session) else None
        short = session.policy_hash().lower()
        if len(short) < 8 or not set(short) <= _HEX:
            return None
        return next((rules for rules in self._candidates(short) if rules.are(session)), None)

    def _candidates(self, short: str) -> Iterator[Rules]:
        for folder in self._kept:
            for path in sorted(folder.glob(f"{short}*.json")):
                try:
                    yield Rules(path)
                except UsageError:
                    continue

    def mismatch(self, session: Session) -> Optional[str]:
        if self._given is None or self.of(session):
            return None
        ran, given = session.name("policy"), f"{self._given.name}#{self._given.hash[:8]}"
        if self._given.hash.startswith(session.policy_hash().lower() or "-"):
            return (f"session {session.number} ran policy {ran} with rules {session.name('rules')}, {self._file} is "
                    f"{given} with rules {self._given.wording or '?'}: they decide alike, but numbers and lines differ")
        return f"session {session.number} ran policy {ran}, {self._file} is {given}"

    def rule(self, session: Session, rule: int) -> Optional[Rule]:
        found = self.of(session)
        return None if found is None else found.rules.get(rule)

    def place(self, session: Session, rule: int) -> Optional[str]:
        found = self.rule(session, rule)
        return None if found is None else found.place

    def refuses(self, session: Session, verdict: Optional[str], rule: Optional[int]) -> bool:
        """Whether the guest got less than it asked for. `default: raz-wi` refuses; an entry's own raz-wi is a model."""
        if verdict != "RAZWI" or rule is None:
            return verdict in REFUSALS
        found = self.rule(session, rule)
        return found is not None and found.text.startswith("default:")

    def numbers(self, session: Session) -> List[int]:
        found = self.of(session)
        return [] if found is None else sorted(found.rules)

    def sources(self, session: Session) -> List[Source]:
        found = self.of(session)
        return [] if found is None else found.sources
