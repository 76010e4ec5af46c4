# SPDX-License-Identifier: Apache-2.0
"""The host's side of the monitor: commands to be typed when it asks, history, completion."""
from __future__ import annotations

import re
from collections import deque
from typing import Deque, List, Optional, Set

from .state import State

ESCAPE, BREAK = b"\x1d", b"\x01b"       # EL2's key; a BREAK, by QEMU's own
_HISTORY = 500
_COMMANDS = re.compile(r"  [a-z]+ {2,}([a-z0-9/]+(?: [a-z0-9/]+)*)\Z")
_WORD = re.compile(r"[^\s]*\Z")


class Typist:
    """Types commands at the monitor, each when it asks; opens it before, and leaves it to the person afterwards."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._waiting: Deque[str] = deque()
        self._opening = False
        self._typed: Optional[int] = None   # lines that there were when a command was typed

    def want(self, *commands: str) -> None:
        self._waiting.extend(commands)

    @property
    def busy(self) -> bool:
        return bool(self._waiting) or self._typed is not None

    def clear(self) -> None:
        self._waiting.clear()
        self._typed, self._opening = None, False

    def next(self) -> bytes:
        """The bytes to be typed now."""
        state = self._state
        if state.ended is not None:
            self.clear()
        if self._typed is not None and (state.monitor.total > self._typed or not state.asking):
            self._typed = None
        if not self._waiting or self._typed is not None:
            return b""
        if not state.asking:
            if self._opening:
                return b""
            self._opening = True
            return open_monitor(state)
        if not state.prompt():
            return b""
        self._opening = False
        self._typed = state.monitor.total
        return self._waiting.popleft().encode("ascii", "replace") + b"\r"


def open_monitor(state: State) -> bytes:
    """The keys that open it."""
    return BREAK if state.session.header.get("esc") == "none" else ESCAPE + b"m"


class History:
    def __init__(self) -> None:
        self._lines: List[str] = []
        self._at = 0
        self._draft = ""

    def add(self, line: str) -> None:
        if line.strip() and self._lines[-1:] != [line]:
            self._lines = [*self._lines[-_HISTORY:], line]
        self._at = len(self._lines)

    def up(self, now: str) -> str:
        if self._at == len(self._lines):
            self._draft = now
        self._at = max(0, self._at - 1)
        return self._lines[self._at] if self._lines else now

    def down(self, now: str) -> str:
        if self._at >= len(self._lines):
            return now
        self._at += 1
        return self._lines[self._at] if self._at < len(self._lines) else self._draft


def commands(lines: List[str]) -> Set[str]:
    """Commands that the monitor's own `help` lists: no image's list is kept here."""
    return {word for line in lines for found in [_COMMANDS.match(line)] if found for word in found.group(1).split()}


def complete(line: str, known: Set[str], more: Set[str]) -> "tuple[str, List[str]]":
    """The line with its last word made longer, and what it may become. The first word is a command of `known`; behind
    `help` too; elsewhere one of `more`."""
    match = _WORD.search(line)
    word = match.group() if match else ""
    before = line[:len(line) - len(word)]
    from_what = known if before.strip() in ("", "help") else more
    fits = sorted(each for each in from_what if each.startswith(word))
    if not fits:
        return line, []
    if len(fits) == 1:
        return before + fits[0] + " ", fits
    low, high = fits[0], fits[-1]
    common = next((low[:at] for at, char in enumerate(low) if high[at:at + 1] != char), low)
    return before + common, fits
