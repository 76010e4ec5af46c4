# SPDX-License-Identifier: Apache-2.0
"""Addresses as names, from a System.map; KASLR's slide comes from the log (`vbar=` of @E guest-mmu-on)."""
from __future__ import annotations

from bisect import bisect_right
from typing import List, Optional, Tuple

from .source import UsageError

_FAR = 1 << 20  # behind the last symbol this is somebody else's code


class Symbols:
    def __init__(self, name: str) -> None:
        rows: List[Tuple[int, str]] = []
        vectors: Optional[int] = None
        try:
            with open(name, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    words = line.split()
                    if len(words) < 3 or words[1] not in "tTwW":
                        continue
                    try:
                        rows.append((int(words[0], 16), words[2]))
                    except ValueError:
                        continue
                    if words[2] == "vectors":
                        vectors = rows[-1][0]
        except OSError as error:
            raise UsageError(f"{name}: {error.strerror or error}") from None
        if not rows:
            raise UsageError(f"{name}: no symbol in it (a System.map or the output of nm is expected)")
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
