# SPDX-License-Identifier: Apache-2.0
"""Words and numbers as people write them, and the known word that a slip was probably meant to be."""
from __future__ import annotations

import re
from functools import lru_cache
from typing import Iterable, List, Optional, Tuple

NUMBER = re.compile(r"(0[xX][0-9a-fA-F](?:_?[0-9a-fA-F])*|0[bB][01](?:_?[01])*|[0-9](?:_?[0-9])*)\Z")
SIZE = re.compile(r"([0-9]+)([KMG])\Z")
RATE = re.compile(r"([0-9]+)/s\Z")
RANGE = re.compile(r"([^\s.]+) *\.\. *([^\s.]+)\Z")
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def number(text: str) -> Optional[int]:
    """Decimal, 0x or 0b; `_` between digits. No sign, no octal."""
    if not NUMBER.match(text) or len(text) > 80:
        return None
    return int(text.replace("_", ""), 0) if text[:1] != "0" or text[1:2] in "xXbB" else (0 if text == "0" else None)


def size(text: str) -> Optional[int]:
    match = SIZE.match(text)
    return int(match.group(1)) * UNITS[match.group(2)] if match and len(text) < 20 else number(text)


def rate(text: str) -> Optional[int]:
    match = RATE.match(text)
    return int(match.group(1)) if match and len(text) < 20 else None


def number_range(text: str) -> Optional[Tuple[int, int]]:
    """`1..3`, or one number."""
    match = RANGE.match(text)
    low, high = (number(match.group(1)), number(match.group(2))) if match else (number(text), number(text))
    return (low, high) if low is not None and high is not None and low <= high else None


def distance(a: str, b: str, limit: int) -> int:
    """Edits from a to b: insert, delete, replace, swap neighbours; more than `limit` count as `limit + 1`."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: List[int] = []
    above = list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        row = [i]
        for j, cb in enumerate(b, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (ca != cb))
            if i > 1 and j > 1 and ca == b[j - 2] and a[i - 2] == cb:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
        before, above = above, row
    return min(above[-1], limit + 1)


def nearest(word: str, known: Iterable[str], most: int = 3) -> List[str]:
    """The known words closest to `word`, all equally close; empty if none is close enough to be a slip."""
    return list(_nearest(word, tuple(known), most))


@lru_cache(maxsize=256)
def _nearest(word: str, known: Tuple[str, ...], most: int) -> Tuple[str, ...]:
    if len(word) > 64:
        return ()
    folded = word.casefold().replace("-", "_").replace(" ", "_")
    limit = best = max(1, min(3, len(word) // 3))
    found: List[Tuple[int, str]] = []
    for candidate in known:
        cost = distance(folded, candidate.casefold().replace("-", "_").replace(" ", "_"), best)
        if cost <= best:
            best = cost
            found.append((cost, candidate))
    close = sorted({candidate for cost, candidate in found if cost == best and cost <= limit})
    exact = [candidate for candidate in close if distance(word, candidate, limit) == best]
    return tuple((exact or close)[:most])
