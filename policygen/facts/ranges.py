# SPDX-License-Identifier: Apache-2.0
"""Sets of numbers as sorted, disjoint, inclusive ranges."""
from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import Dict, Iterable, Iterator, List, Sequence, Set, Tuple

Ranges = Tuple[Tuple[int, int], ...]


def merge(parts: Iterable[Tuple[int, int]]) -> Ranges:
    out: List[Tuple[int, int]] = []
    for low, high in sorted(parts):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def of_keys(keys: Iterable[int]) -> Ranges:
    return _of_keys(tuple(keys))


@lru_cache(maxsize=256)             # the architecture's groups are looked up again and again
def _of_keys(keys: Tuple[int, ...]) -> Ranges:
    return merge((key, key) for key in keys)


def size(ranges: Ranges) -> int:
    return sum(high - low + 1 for low, high in ranges)


def contains(ranges: Ranges, number: int) -> bool:
    at = bisect_right(ranges, number, key=lambda part: part[0]) - 1
    return at >= 0 and ranges[at][1] >= number


def intersect(a: Ranges, b: Ranges) -> Ranges:
    out: List[Tuple[int, int]] = []
    i = j = 0
    while i < len(a) and j < len(b):
        low, high = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if low <= high:
            out.append((low, high))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(out)


def subtract(a: Ranges, b: Ranges) -> Ranges:
    out: List[Tuple[int, int]] = []
    for low, high in a:
        for cut_low, cut_high in intersect(((low, high),), b):
            if cut_low > low:
                out.append((low, cut_low - 1))
            low = cut_high + 1
        if low <= high:
            out.append((low, high))
    return tuple(out)


def within(a: Ranges, b: Ranges) -> bool:
    """Whether every number of `a` is in `b`."""
    return intersect(a, b) == a


def keys(ranges: Ranges) -> Iterator[int]:
    for low, high in ranges:
        yield from range(low, high + 1)


def sweep(within: Ranges, covers: Sequence[Ranges]) -> Iterator[Tuple[int, int, Tuple[int, ...]]]:
    """The pieces of `within`, each with the covers that it lies in, by number; fast while few covers overlap."""
    starts: Dict[int, List[int]] = {}
    ends: Dict[int, List[int]] = {}
    for number, ranges in enumerate(covers):
        for low, high in ranges:
            starts.setdefault(low, []).append(number)
            ends.setdefault(high + 1, []).append(number)
    edges = {edge for low, high in within for edge in (low, high + 1)}
    active: Set[int] = set()
    here: Tuple[int, ...] = ()
    ordered = sorted(edges.union(starts, ends))
    for low, after in zip(ordered, ordered[1:]):
        if low in starts or low in ends:
            active.difference_update(ends.get(low, ()))
            active.update(starts.get(low, ()))
            here = tuple(sorted(active))
        if contains(within, low):
            yield low, after - 1, here


def cells(whole: Ranges, cutters: Sequence[Ranges]) -> Iterator[Tuple[int, int]]:
    """Cuts `whole` so that each piece lies inside or outside of every cutter."""
    starts: Set[int] = set()
    for ranges in (whole, *cutters):
        for low, high in ranges:
            starts.update((low, high + 1))
    ordered = sorted(starts)
    for low, after in zip(ordered, ordered[1:]):
        if contains(whole, low):
            yield low, after - 1
