# SPDX-License-Identifier: Apache-2.0
"""Commands for the monitor: each when it asks; history; completion by the monitor's own help."""
from __future__ import annotations

import re
from pathlib import Path

from encoder import Encoder

from cockpit.keys import History, Typist, commands, complete
from cockpit.state import State
from hvl.rules import Places

ROOT = Path(__file__).resolve().parents[2]


def test_commands_are_typed_one_by_one_and_only_at_the_prompt() -> None:
    log, state = Encoder(), State(Places(None), None)
    typist = Typist(state)

    def come() -> None:
        state.feed(log.bytes())
        state.idle()
        log.wire.clear()
    log.header()
    log.decision(1, "msr.r PMCR_EL0")
    come()
    typist.want("rule r1 would", "cont")
    assert typist.next() == b"\x1dm" and typist.next() == b""
    log.enter_monitor("key")
    come()
    assert typist.next() == b""
    log.guest(b"hv> ")
    come()
    assert typist.next() == b"rule r1 would\r" and typist.next() == b""
    log.guest(b"rule r1 would\r\n")
    come()
    assert typist.next() == b""
    log.guest(b"r1 would\r\nhv> ")
    come()
    assert typist.next() == b"cont\r" and typist.busy
    log.guest(b"cont\r\n")
    log.leave_monitor()
    come()
    assert typist.next() == b"" and not typist.busy


def test_a_decision_that_waits_takes_commands_at_its_prompt() -> None:
    log, state = Encoder(), State(Places(None), None)
    typist = Typist(state)
    log.header()
    log.decision(1, "msr.r PMCR_EL0")
    log.enter_monitor("rule")
    log.guest(b"r1 is about to DENY\r\n[a]llow once  [d]o it  and Enter; or a command, such as why\r\n-- more --")
    state.feed(log.bytes())
    state.idle()
    typist.want("rule r1 reset")
    assert state.question() and typist.next() == b""
    log.wire.clear()
    log.guest(b"\r\nhv> ")
    state.feed(log.bytes())
    state.idle()
    assert not state.question() and typist.next() == b"rule r1 reset\r"


def test_without_the_key_the_monitor_is_opened_by_a_break() -> None:
    log, state = Encoder(), State(Places(None), None)
    log.record("H", "hvl=1 build=x policy=p#00000000 guest=g#00000000 cpu=1 cntfrq=62500000 ring=16384 esc=none log=text")
    state.feed(log.bytes())
    state.idle()
    typist = Typist(state)
    typist.want("status")
    assert typist.next() == b"\x01b"


def test_a_machine_that_has_ended_gets_nothing() -> None:
    state = State(Places(None), None)
    typist = Typist(state)
    typist.want("status")
    state.finish("ended with status 0")
    assert typist.next() == b"" and not typist.busy


def test_history() -> None:
    history = History()
    for line in ("one", "two", "two", " "):
        history.add(line)
    assert [history.up("draft"), history.up(""), history.up("")] == ["two", "one", "one"]
    assert [history.down(""), history.down(""), history.down("draft")] == ["two", "draft", "draft"]


def test_completion() -> None:
    known, more = {"status", "step", "set", "help"}, {"r21", "r2"}
    assert complete("s", known, more) == ("s", ["set", "status", "step"])
    assert complete("stat", known, more) == ("status ", ["status"])
    assert complete("st", known, more) == ("st", ["status", "step"])
    assert complete("help sta", known, more) == ("help status ", ["status"])
    assert complete("rule r", known, more) == ("rule r2", ["r2", "r21"])
    assert complete("zz", known, more) == ("zz", [])


def test_help_is_read_as_the_monitor_writes_it() -> None:
    """Its groups and commands, from the source of the monitor's own list."""
    text = (ROOT / "hv/operator/monitor_commands.c").read_text(encoding="utf-8")
    rows = re.findall(r'^\t\{ "(\w+)", "([\w/]+)"', text, re.M)
    groups = {group: [name for each, name in rows if each == group] for group, _ in rows}
    assert len(rows) > 20
    printed = [f"  {group:8} {' '.join(names)}" for group, names in groups.items()]
    assert commands(["hv monitor, build x.", *printed, "`help CMD` for one command"]) == {name for _, name in rows}
