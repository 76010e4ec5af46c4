# SPDX-License-Identifier: Apache-2.0
"""Numbers, distances and sets of numbers, against their definitions."""
from __future__ import annotations

from typing import List, Optional, Set, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policygen.facts import ranges
from policygen.facts.arch import encoding, load_arch, make_key
from policygen.text import words

PARTS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6)).map(lambda p: (p[0], p[0] + p[1])), max_size=6)


@pytest.mark.parametrize("text, value", [
    ("0", 0), ("10", 10), ("0x0900_0000", 0x09000000), ("0b101", 5), ("1_000", 1000), ("010", None), ("-1", None),
    ("0x", None), ("1e3", None), ("4K", None), ("0x_1", None), ("", None), ("1__0", None), ("٣", None)])
def test_number(text: str, value: Optional[int]) -> None:
    assert words.number(text) == value


def test_sizes_rates_and_ranges() -> None:
    assert [words.size(text) for text in ("4K", "16M", "1G", "0x100", "4k", "K")] == \
        [4096, 1 << 24, 1 << 30, 256, None, None]
    assert [words.rate(text) for text in ("100/s", "100", "100/m", "/s")] == [100, None, None, None]
    assert [words.number_range(text) for text in ("1..3", "0x10", "3..1", "1..", "..")] == \
        [(1, 3), (16, 16), None, None, None]


def slow(a: str, b: str) -> int:
    """Optimal string alignment, by its definition."""
    if not a or not b:
        return len(a) + len(b)
    best = min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))
    if len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0]:
        best = min(best, slow(a[2:], b[2:]) + 1)
    return best


@given(st.text("abc", max_size=5), st.text("abc", max_size=5), st.integers(0, 5))
def test_distance(a: str, b: str, limit: int) -> None:
    assert words.distance(a, b, limit) == min(slow(a, b), limit + 1)


def spread(found: ranges.Ranges) -> Set[int]:
    return set(ranges.keys(found))


@given(PARTS, PARTS)
def test_ranges_are_sets(a_parts: List[Tuple[int, int]], b_parts: List[Tuple[int, int]]) -> None:
    a, b = ranges.merge(a_parts), ranges.merge(b_parts)
    assert spread(a) == {n for low, high in a_parts for n in range(low, high + 1)}
    assert spread(ranges.intersect(a, b)) == spread(a) & spread(b)
    assert spread(ranges.subtract(a, b)) == spread(a) - spread(b)
    assert ranges.within(a, b) == (spread(a) <= spread(b))
    assert ranges.size(a) == len(spread(a))
    assert all(ranges.contains(a, n) == (n in spread(a)) for n in range(70))
    for low, high in ranges.cells(a, [b]):
        assert spread(((low, high),)) <= spread(a)
        assert not spread(((low, high),)) & spread(b) or spread(((low, high),)) <= spread(b)


@given(st.integers(0, 0xffff))
def test_encoding_reads_back(key: int) -> None:
    parts = encoding(key)[1:].split("_")
    assert make_key(*(int(part.lstrip("C")) for part in parts)) == key


def test_a_slip_in_a_register_name_finds_it() -> None:
    names = list(load_arch().registers)
    for name in (name for name in names[::13] if len(name) > 5):
        for slip in (name[:4] + name[5:], name[:3] + name[4] + name[3] + name[5:], name.lower()):
            if slip not in names:
                assert name in words.nearest(slip, names, most=50), slip
