# SPDX-License-Identifier: Apache-2.0
"""How far a tool has come with its input, on a terminal, for what takes over a second."""
from __future__ import annotations

import os
import stat
import sys
import time
from typing import List, Optional, TextIO

_BEGINS, _EVERY = 1.0, 0.25     # seconds
_MB = 1_000_000


class Progress:
    """A line on standard error that is written over. `quiet`: standard output is on the same terminal and goes on."""

    def __init__(self, files: List[str], quiet: bool) -> None:
        self._to: Optional[TextIO] = sys.stderr if not quiet and sys.stderr is not None and sys.stderr.isatty() else None
        self._total = sum(map(_size, files)) if self._to is not None else 0
        self._done = 0
        self._next = time.monotonic() + _BEGINS
        self._shown = 0

    def add(self, size: int) -> None:
        """So many bytes more were read."""
        self._done += size
        if self._to is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        text = f"{self._done // _MB} MB" + (f" of {self._total // _MB}, {100 * self._done // self._total} %"
                                            if self._total >= self._done else "")
        self._put(text)

    def clear(self) -> None:
        """Makes room for what is said."""
        if self._shown:
            self._put("")

    def _put(self, text: str) -> None:
        assert self._to is not None
        try:
            self._to.write("\r" + text.ljust(self._shown) + ("\r" if not text else ""))
            self._to.flush()
        except (OSError, ValueError):
            self._to = None
        self._shown = len(text)


def _size(name: str) -> int:
    """Bytes of a file; 0 for what has no size."""
    try:
        found = os.stat(name) if name != "-" else os.fstat(sys.stdin.fileno())
    except (OSError, ValueError, AttributeError):
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
