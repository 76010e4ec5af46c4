# SPDX-License-Identifier: Apache-2.0
"""A proposal: the edit of a policy's file that would allow what was refused, found and checked by policygen in a process of
its own (ask_policygen.py)."""
from __future__ import annotations

import difflib
import json
import os
import re
import zlib
from pathlib import Path
from typing import Any, Dict, List, Optional

from hvl.escape import terminal
from hvl.record import Rec, REFUSED

from .state import Item, State

ROOT = Path(__file__).resolve().parents[2]
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_LARGEST = 4 << 20


def policy_name(state: State) -> Optional[str]:
    """The policy that ran, if the log says a plain name: a log must not name a path."""
    name = state.session.name("policy").partition("#")[0]
    return name if _NAME.fullmatch(name) else None


def evidence(state: State, item: Item) -> bytes:
    """A log of this one decision: the session's header, and the record by itself."""
    assert state.header is not None
    header = Rec("H", False, 0, 0, 0, state.header.body, 0)
    rec = item.rec
    kind = Rec("D", False, 1, 0, rec.t or 0, rec.body, 0)
    return b"".join(line_of(each) for each in (header, kind))


def line_of(rec: Rec) -> bytes:
    text = rec.text().encode("utf-8", "backslashreplace") + b" "
    return b"\x1e" + text + b"*%08x\r\n" % zlib.crc32(text)


class Proposal:
    """`after` is empty where there is none, and `why` says the reason."""

    def __init__(self, said: Dict[str, Any]) -> None:
        self.path = Path(str(said.get("path", "")))
        self.shown = str(said.get("shown", ""))
        self.before = str(said.get("before", ""))
        self.after = str(said.get("after", ""))
        self.why = [str(line) for line in said.get("why", [])]
        self.differs = [str(line) for line in said.get("differs", [])]
        self.written = False

    def diff(self) -> List[str]:
        return list(difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), self.shown, self.shown,
                                         lineterm="", n=2))

    def lines(self) -> List[str]:
        if not self.after:
            return ["There is no proposal:", *("  " + line for line in self.why)]
        return [*self.diff(), "", "Checked: the policy is without complaints, and of all decisions these become others:",
                *self.differs, *self.why]

    def write(self) -> str:
        """Writes the policy's file, if it is still the one that was read; a message for the person."""
        if self.written:
            return f"{self.shown} has it already"
        try:
            if self.path.read_text(encoding="utf-8") != self.before:
                return f"{self.shown} was changed meanwhile: propose again"
            fresh = self.path.with_name(f".{self.path.name}.new")
            fresh.write_text(self.after, encoding="utf-8")
            os.chmod(fresh, self.path.stat().st_mode & 0o777)
            os.replace(fresh, self.path)
        except (OSError, ValueError) as error:
            return f"{self.shown}: {getattr(error, 'strerror', None) or error}"
        self.written = True
        return f"{self.shown} is written; the next `make cockpit` builds it"


def read(data: bytes, errors: bytes) -> Proposal:
    """The answer of ask_policygen.py."""
    try:
        said = json.loads(data[:_LARGEST])
        if isinstance(said, dict):
            return Proposal(said)
    except (ValueError, RecursionError):
        pass
    told = errors.decode("utf-8", "replace").strip().split("\n")[-1:]
    return Proposal({"why": [terminal(line) for line in told] or ["policygen gave no answer"]})


def refused(item: Item) -> bool:
    return item.refused() or item.rec.f.verdict in REFUSED
