# SPDX-License-Identifier: Apache-2.0
"""Addresses as names, from a System.map; KASLR's slide comes from the log (`vbar=` of @E guest-mmu-on)."""
from __future__ import annotations

import re
from bisect import bisect_right
from typing import List, Optional, Tuple

from .escape import terminal
from .files import UsageError, read_all

_LINE = re.compile(rb"^([0-9a-fA-F]{1,16}) [tTwW] (\S{1,512})", re.M)
_LARGEST = 64 << 20
_FAR = 1 << 20  # distance behind the last symbol from which on code is foreign


class Symbols:
    def __init__(self, name: str) -> None:
        rows: List[Tuple[int, str]] = []
        vectors: Optional[int] = None
        for address, symbol in _LINE.findall(read_all(name, _LARGEST, "a System.map")):
            rows.append((int(address, 16), symbol.decode("utf-8", "replace")))
            if symbol == b"vectors":
                vectors = rows[-1][0]
        if not rows:
            raise UsageError(f"{terminal(name)}: no symbol in it (a System.map or the output of nm is expected)")
        rows.sort()
        self._at = [row[0] for row in rows]
        self._names = [row[1] for row in rows]
        self._vectors = vectors
        self.slide = 0

    def moved(self, vbar: int) -> None:
        if self._vectors is not None:
            self.slide = vbar - self._vectors

    def name(self, address: int) -> Optional[str]:
        address -= self.slide
        at = bisect_right(self._at, address) - 1
        if at < 0 or address - self._at[at] > _FAR:
            return None
        return f"{self._names[at]}+0x{address - self._at[at]:x}"
