# SPDX-License-Identifier: Apache-2.0
"""From a rule's number to its line in the policy, through build/gen/rules.json, if that is the policy that ran."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

from .sequence import Session
from .source import UsageError

DEFAULT = Path(__file__).resolve().parents[2] / "build" / "gen" / "rules.json"


class Rule:
    """One YAML entry."""

    __slots__ = ("number", "place", "text", "why", "section", "name")

    def __init__(self, row: Dict[str, Any]) -> None:
        self.number = int(row["rule"])
        self.place = str(row["place"])
        self.text = str(row.get("text") or "")
        self.why = None if row.get("why") is None else str(row["why"])
        self.section = str(row.get("section") or "")
        self.name = str(row.get("name") or "")


class Places:
    """A policy's rules, used for those sessions whose header has its hash."""

    def __init__(self, given: Optional[str] = None, default: Path = DEFAULT) -> None:
        self.given = given is not None
        self.rules: Dict[int, Rule] = {}
        self.name = ""
        self.hash = ""
        self.file = given or ""
        self._verdicts: Dict[str, bool] = {}
        path = Path(given) if given is not None else default
        if not self.given and not path.is_file():
            return
        try:
            self._load(path)
        except UsageError:
            if self.given:
                raise
            self.rules.clear()

    def _load(self, path: Path) -> None:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            self.name, self.hash = str(data["policy"]), str(data["hash"]).lower()
            for row in data["rules"]:
                rule = Rule(row)
                self.rules[rule.number] = rule
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(f"{path}: not a rules.json of policygen ({type(error).__name__}: {error})") from None

    def match(self, session: Session) -> bool:
        """Is this the policy that the session ran? The header holds the hash's first digits."""
        short = session.policy_hash().lower()
        known = self._verdicts.get(short)
        if known is None:
            known = bool(self.hash) and len(short) >= 8 and self.hash.startswith(short)
            if len(self._verdicts) < 1000:
                self._verdicts[short] = known
        return known

    def mismatch(self, session: Session) -> Optional[str]:
        if not self.given or self.match(session):
            return None
        return (f"session {session.number} ran policy {session.name('policy')}, "
                f"{self.file} is {self.name}#{self.hash[:8]}")

    def rule(self, session: Session, rule: int) -> Optional[Rule]:
        return self.rules.get(rule) if self.rules and self.match(session) else None

    def place(self, session: Session, rule: int) -> Optional[str]:
        found = self.rule(session, rule)
        return None if found is None else found.place

    def numbers(self, session: Session) -> List[int]:
        return sorted(self.rules) if self.match(session) else []
