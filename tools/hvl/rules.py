# SPDX-License-Identifier: Apache-2.0
"""Leads from a rule's number to its line in the policy, by the rules.json of the policy that ran."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from .escape import terminal
from .files import UsageError, read_all
from .sequence import Session

ROOT = Path(__file__).resolve().parents[2]
REFUSALS = ("DENY", "KILL", "WOULD")
KEPT = ROOT / "build" / "rules"         # the Makefile keeps HASH.json for each policy that was built
_PLACE = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_./+-]{0,200}\.yaml):([0-9]{1,6})")
_LARGEST = 16 << 20


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
        """File and line, if the place is below the folder that holds policy/."""
        found = _PLACE.fullmatch(self.place)
        if found is None or ".." in found.group(1).split("/"):
            return None
        return found.group(1), int(found.group(2))


class Rules:
    """A rules.json."""

    def __init__(self, path: Path) -> None:
        self.rules: Dict[int, Rule] = {}
        try:
            data = json.loads(read_all(str(path), _LARGEST, "a rules.json"))
            if not isinstance(data, dict) or not isinstance(data.get("rules"), list):
                raise ValueError("no object with a list of rules")
            self.name, self.hash = _text(data, "policy", True), _text(data, "hash", True).lower()
            for row in data["rules"]:
                rule = Rule(row)
                self.rules[rule.number] = rule
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{terminal(str(path))}: not a rules.json of policygen ({error})") from None

    def are(self, short: str) -> bool:
        """Whether these rules are of the policy with that hash, of which a header has the first digits."""
        return len(short) >= 8 and self.hash.startswith(short)


class Places:
    """Rules for the sessions whose header has the hash of their policy: from the given file, or from the kept ones."""

    def __init__(self, given: Optional[str] = None, kept: Path = KEPT) -> None:
        self._given = None if given is None else Rules(Path(given))
        self._file = given or ""
        self._kept = kept
        self._found: Dict[str, Optional[Rules]] = {}

    def of(self, session: Session) -> Optional[Rules]:
        short = session.policy_hash().lower()
        if short not in self._found:
            if len(self._found) > 1000:     # no real log has a thousand policies
                return None
            self._found[short] = self._find(short)
        return self._found[short]

    def _find(self, short: str) -> Optional[Rules]:
        if self._given is not None:
            return self._given if self._given.are(short) else None
        if len(short) < 8 or not set(short) <= set("0123456789abcdef"):
            return None
        for path in sorted(self._kept.glob(f"{short}*.json")):
            try:
                rules = Rules(path)
            except UsageError:
                continue
            if rules.are(short):
                return rules
        return None

    def mismatch(self, session: Session) -> Optional[str]:
        if self._given is None or self.of(session):
            return None
        return (f"session {session.number} ran policy {session.name('policy')}, "
                f"{self._file} is {self._given.name}#{self._given.hash[:8]}")

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
