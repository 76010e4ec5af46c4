# SPDX-License-Identifier: Apache-2.0
"""A line that an attacker wrote: nothing of it is obeyed by the terminal, and nothing ends the cockpit."""
from __future__ import annotations

from typing import List

from encoder import Encoder
from hypothesis import given, settings, strategies as st

from cockpit.desk import Desk
from cockpit.keys import Typist
from cockpit.state import State
from hvl.rules import Places
from hvl.symbols import Symbols

BODIES = st.sampled_from([
    "DENY r1 msr.r PMCR_EL0 pc=0x1 el=1 cost=1 esr=0x0", "DENY r99999999999 \x1b[2J pc= el= cost=-1", "WOULD", "",
    "rule=r1 new=\x9b", "mon+ why=\x1b]0;x\x07", "mon- paused=1", "gdb+", "RAZWI r1 mmio.w a/b=c",
    "dec=1 r1=1/1 r2=99999999999999999999/1 vbar=0x1", "hvl=1 policy=../../x#00000000 guest=\u202e#1 cntfrq=0",
    "hvl=1 policy=p#00000001 guest=g#00000001 cntfrq=62500000 esc=none", "lost=5 from=1 to=9 why=overrun", "reason=\x07 seq=1",
    "hvc 0x84000000 x1=0x0", "INJECT r2 exc \t pc=0xffffffffffffffffffff"])
RECORDS = st.tuples(st.just("rec"), st.sampled_from("HDAEXLSPZ"), st.one_of(st.integers(0, 40), st.just(10 ** 19)),
                    st.integers(0, 9), BODIES)
TEXTS = st.tuples(st.just("text"), st.binary(max_size=60))
KEYS = st.tuples(st.just("key"), st.sampled_from([
    "f1", "f2", "f3", "f4", "f5", "up", "down", "end", "enter", "esc", "/", "=", "a", "tab", "page up", "page down", "home", "n",
    "w", "u", "p", "t", "y", "ctrl ]", "ctrl c", "ctrl d", "backspace"]))
SIZES = st.tuples(st.just("size"), st.integers(1, 160), st.integers(1, 50))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.one_of(RECORDS, TEXTS, KEYS, SIZES), max_size=60))
def test_whatever_comes_and_whatever_is_typed(events: List[tuple]) -> None:
    state = State(Places(None), Symbols(None, ()))
    typist, sent, size = Typist(state), bytearray(), (120, 40)
    desk = Desk(state, typist, sent.extend, lambda item: None, lambda: None)
    for event in events:
        if event[0] == "rec":
            _, kind, seq, cpu, body = event
            state.feed(b"\x1e" + Encoder.line(kind, seq, seq, body.encode().decode("latin-1"), cpu) + b"\r\n")
        elif event[0] == "text":
            state.feed(event[1])
        elif event[0] == "key":
            desk.keypress(size, event[1])
        else:
            size = event[1:]
        state.idle()
        state.sample(len(sent))
        sent += typist.next()
        desk.changed()
        canvas = desk.render(size, True)
        assert (canvas.cols(), canvas.rows()) == size
        for row in canvas.text:
            assert row.decode().isprintable(), row
