# SPDX-License-Identifier: Apache-2.0
"""Lines of a stream, against a terminal that is not ours (pyte)."""
from __future__ import annotations

from typing import List

import pyte
from hypothesis import given, settings, strategies as st

from cockpit.text import Lines

WIDTH, HEIGHT = 250, 45
PIECES = st.sampled_from(["word", "x", "\u00e9\u00df", " ", "\r", "\b", "\r\n", "\x1b[K",
                          "\x1b[0K", "\x1b[2D", "\x1b[C", "\x1b[0m",
                          "\x1b[31m", "\x1b[5G", "\x1b]0;title\x07", "\x1b(B", "\t", "\x1b[?25l", "\x07", "\n\r"])


def on_a_terminal(data: bytes) -> List[str]:
    screen = pyte.Screen(WIDTH, HEIGHT)
    screen.set_mode(pyte.modes.LNM)
    pyte.ByteStream(screen).feed(data)
    return [line.rstrip() for line in screen.display[:screen.cursor.y + 1]]


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=40), st.lists(st.integers(0, 200), max_size=4))
def test_lines_are_what_a_terminal_shows(pieces: List[str], cuts: List[int]) -> None:
    data = "".join(pieces).encode()
    lines, at = Lines(), 0
    for cut in [*sorted(cuts), len(data)]:
        lines.feed(data[at:cut])
        at = max(at, cut)
    assert [line.rstrip() for line in lines.last(HEIGHT)] == on_a_terminal(data)


def test_a_flood_keeps_the_last_lines_and_their_number() -> None:
    lines, wanted = Lines(100), [f"line {n}" for n in range(100_000)]
    data = "\r\n".join(wanted).encode()
    for at in range(0, len(data), 65_536):
        lines.feed(data[at:at + 65_536])
    assert lines.last(50) == wanted[-50:] and lines.total == len(wanted) - 1 and len(lines.rows) == 100


def test_nothing_of_the_guest_reaches_the_terminal_as_it_is() -> None:
    lines = Lines()
    lines.feed("a\x9b31mb\u202ec\x1b[".encode() + bytes(range(0x80, 0x100)) + b"\x1b" * 5000 + b"end")
    assert all(line.isprintable() for line in lines.last(100))


def test_a_line_without_end_is_cut_into_lines() -> None:
    lines = Lines()
    lines.feed(b"x" * 1_000_000)
    assert max(map(len, lines.rows)) <= 4096 and sum(map(len, lines.rows)) + len(lines.row) == 1_000_000
