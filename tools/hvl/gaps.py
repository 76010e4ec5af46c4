# SPDX-License-Identifier: Apache-2.0
"""The sequence numbers of one CPU that are missing."""
from __future__ import annotations

from bisect import bisect_right
from typing import List, Optional, Tuple

MOST = 1 << 16  # open gaps, at most; beyond, the older half is closed as missing for good


class Gaps:
    """Missing sequence numbers, as sorted intervals with the times between which they belong."""

    def __init__(self) -> None:
        self._lo: List[int] = []
        self._rest: List[Tuple[int, Optional[int], Optional[int]]] = []  # hi, earliest, latest
        self._open = 0
        self._closed = 0

    def total(self) -> int:
        return self._open + self._closed

    def add(self, lo: int, hi: int, earliest: Optional[int], latest: Optional[int]) -> None:
        """Adds a gap above all others."""
        self._lo.append(lo)
        self._rest.append((hi, earliest, latest))
        self._open += hi - lo + 1
        if len(self._lo) > MOST:
            old = len(self._lo) // 2
            size = sum(rest[0] - lo + 1 for lo, rest in zip(self._lo[:old], self._rest[:old]))
            del self._lo[:old], self._rest[:old]
            self._open -= size
            self._closed += size

    def find(self, lo: int, hi: int) -> Optional[int]:
        at = bisect_right(self._lo, lo) - 1
        return at if at >= 0 and hi <= self._rest[at][0] else None

    def fits(self, lo: int, hi: int, t: Optional[int]) -> bool:
        at = self.find(lo, hi)
        if at is None:
            return False
        _, earliest, latest = self._rest[at]
        return t is None or ((earliest is None or t >= earliest) and (latest is None or t <= latest))

    def fill(self, lo: int, hi: int, t: Optional[int]) -> None:
        """Takes lo..hi, which lie in one gap, out of it."""
        at = self.find(lo, hi)
        if at is None:
            return
        first = self._lo[at]
        last, earliest, latest = self._rest[at]
        self._open -= hi - lo + 1
        los: List[int] = []
        rest: List[Tuple[int, Optional[int], Optional[int]]] = []
        if first < lo:
            los.append(first)
            rest.append((lo - 1, earliest, latest if t is None else t))
        if hi < last:
            los.append(hi + 1)
            rest.append((last, earliest if t is None else t, latest))
        self._lo[at:at + 1] = los
        self._rest[at:at + 1] = rest

    def cover(self, lo: int, hi: int) -> None:
        """lo..hi are explained (@L): removes them from every gap."""
        at = max(0, bisect_right(self._lo, lo) - 1)
        while at < len(self._lo) and self._lo[at] <= hi:
            a, b = max(lo, self._lo[at]), min(hi, self._rest[at][0])
            if a > b:
                at += 1
                continue
            before = len(self._lo)
            self.fill(a, b, None)
            at += max(0, len(self._lo) - before + 1)
