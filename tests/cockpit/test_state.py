# SPDX-License-Identifier: Apache-2.0
"""The cockpit's knowledge, against the reference encoder of the log and the decoder's own commands."""
from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List

import pytest
from encoder import Encoder

from cockpit import panes
from cockpit.card import card
from cockpit.state import State
from hvl.files import UsageError
from hvl.rules import Places
from hvl.symbols import Symbols

ROOT = Path(__file__).resolve().parents[2]
WHATS = ["msr.r PMCR_EL0", "msr.w SCTLR_EL1=0x30d0198d", "mmio.w uart0+0x18/4=0x41", "hvc 0x3 x1=0x0 x2=0x0"]


def session(seed: int, count: int = 400) -> Encoder:
    rng, log = random.Random(seed), Encoder()
    log.header()
    log.record("E", "guest+ entry=0x40000000 el=1")
    for n in range(count):
        if rng.random() < 0.2:
            log.guest(b"line %d of the guest" % n + rng.choice([b"\r\n", b" ", b"\x1e\r\n"]))
        rule = rng.randrange(4)
        log.decision(rule, WHATS[rule], rng.choice(["ALLOW", "DENY", "WOULD"]), rng.randrange(10, 999), rng.choice([1, 1, 1, 7]),
                     rng.randrange(2))
        if rng.random() < 0.02:
            log.guest(b"\r\n")
            log.enter_monitor()
            log.guest(b"hv> status\r\nguest stopped\r\nhv> ")
            log.leave_monitor()
    return log


def fed(data: bytes, seed: int = 0, most: int = 3000) -> State:
    rng, state, at = random.Random(seed), State(Places(None), Symbols(None, ())), 0
    while at < len(data):
        end = at + rng.randrange(1, most)
        state.feed(data[at:end])
        at = end
    state.idle()
    return state


@pytest.mark.parametrize("seed", range(8))
def test_counts_and_streams_are_those_that_were_sent(seed: int) -> None:
    log = session(seed)
    state = fed(log.bytes(), seed, random.Random(seed).choice([2, 50, 3000, 1 << 17]))
    decided = [made for made in log.made if made.kind in "DA"]
    hits: Dict[int, int] = {}
    ticks: Dict[int, int] = {}
    refused = 0
    for made in decided:
        verdict, rule, *_ = made.body.split(" ")
        kv = dict(word.split("=", 1) for word in made.body.split(" ") if "=" in word)
        n, number = int(kv.get("n", "1")), int(rule[1:])
        hits[number] = hits.get(number, 0) + n
        ticks[number] = ticks.get(number, 0) + int(kv["cost"])
        refused += n * (verdict != "ALLOW")
    state.sample(1.0)
    assert {row.rule: row.hits for row in state.rules()} == hits
    assert {row.rule: row.ns for row in state.rules()} == {rule: state.session.ns(t) for rule, t in ticks.items()}
    assert state.refused() == refused
    assert [(item.rec.kind, item.rec.seq, item.rec.cpu, item.rec.body) for item in state.records] == [
        (made.kind, made.seq, made.cpu, made.body) for made in log.made]
    last = {}
    for made in decided:
        if not made.body.startswith("ALLOW"):
            last[int(made.body.split(" ")[1][1:])] = (made.seq, made.cpu)
    assert {row.rule: (row.last.rec.seq, row.last.rec.cpu) for row in state.rules() if row.last is not None} == last
    shown = "\n".join(state.console.last(10_000))
    assert shown == bytes(log.guest_out).decode("latin-1").replace("\x1e", "").replace("\r\n", "\n")
    assert "\n".join(state.monitor.last(10_000)).count("guest stopped") == log.monitor_out.count(b"guest stopped")
    assert not state.health()


@pytest.mark.parametrize("words", ["verdict==DENY", "rule==2 and verdict in (DENY, WOULD)", "class==mmio or reg~PMCR", "n>1",
                                   "cost>8us", "kind==E"])
def test_the_filter_is_the_decoders(words: str, tmp_path: Path) -> None:
    data = session(3).bytes()
    (tmp_path / "uart.log").write_bytes(data)
    done = subprocess.run([sys.executable, str(ROOT / "tools/log_decode.py"), "json", "-f", words, str(tmp_path / "uart.log")],
                          check=True, stdout=subprocess.PIPE, text=True)
    wanted = [(row["cpu"], row["seq"]) for row in map(json.loads, done.stdout.splitlines())]
    before = State(Places(None), Symbols(None, ()))
    before.look_for(words)              # typed before they come, and afterwards
    before.feed(data)
    before.idle()
    after = fed(data)
    after.look_for(words)
    for state in (before, after):
        assert [(item.rec.cpu, item.rec.seq) for item in state.shown] == wanted and wanted
    with pytest.raises(UsageError):
        after.look_for("verdict=")
    assert after.filter == words
    after.look_for(" ")
    assert after.shown is after.records


def test_rates_are_hits_of_the_time_between() -> None:
    log = Encoder()
    log.header()
    state = State(Places(None), None)
    for half in range(20):
        for _ in range(50 if half < 10 else 10):
            log.decision(5, WHATS[0])
        state.feed(bytes(log.wire))
        log.wire.clear()
        state.sample(10.0 + half / 2)
        assert half != 9 or [round(row.rate) for row in state.rules()] == [100]
    assert [round(row.rate) for row in state.rules()] == [20] and round(state.rate) == 20


def test_totals_of_el2_stand_for_what_was_not_logged() -> None:
    log = Encoder()
    log.header()
    log.decision(1, WHATS[0])
    log.record("S", "dec=1000 allow=999 deny=1 r1=400/8000 r2=600/1200")
    log.decision(1, WHATS[0])
    assert {row.rule: row.hits for row in fed(log.bytes()).rules()} == {1: 401, 2: 600}


def test_it_says_what_the_machine_does_and_what_the_log_lacks() -> None:
    state = State(Places(None), None)
    assert state.doing() == "no record yet"
    log = Encoder()
    log.header()
    log.decision(1, WHATS[0])
    state.feed(log.bytes())
    state.idle()
    assert state.doing() == "running" and not state.asking
    log.wire.clear()
    log.enter_monitor("key")
    log.guest(b"hv> ")
    state.feed(log.bytes())
    state.idle()
    assert state.doing() == "stopped (key)" and state.prompt()
    log.wire.clear()
    log.guest(b"rule r1 would\r\n")
    log.record("P", "rule=r1 field=verdict old=DENY new=WOULD by=monitor hash=0")
    log.leave_monitor()
    log.seq[0] += 3
    log.decision(1, WHATS[0], "WOULD")
    log.decision(1, WHATS[0], "WOULD")
    state.feed(log.bytes())
    state.idle()
    row, = state.rules()
    assert row.changed == "WOULD" and "[WOULD]" in str(panes.rules([row], 5, None)) and "missing 3" in state.health()
    state.finish("ended with status 0")
    assert state.doing() == "ended with status 0" and not state.prompt()


def test_a_new_session_counts_from_nothing() -> None:
    log = session(1, 50)
    log.reboot()
    log.header()
    log.decision(9, WHATS[0])
    log.decision(9, WHATS[0])
    assert {row.rule: row.hits for row in fed(log.bytes()).rules()} == {9: 2}


def test_what_a_guest_prints_is_no_record() -> None:
    log = Encoder()
    log.header()
    log.guest(b"\x1e" + Encoder.line("D", 1, 5, "ALLOW r7 msr.r X pc=0x1 el=1 cost=1 esr=0x0") + b"\r\n")
    log.decision(1, WHATS[0])
    state = fed(log.bytes())
    assert {row.rule for row in state.rules()} == {1}


def test_a_flood_of_fifty_thousand_lines_takes_less_than_its_second() -> None:
    """CPU time, with the screen made anew for every 64 KiB."""
    log = Encoder()
    log.header()
    for n in range(50_000):
        log.decision(n % 40, WHATS[n % 4], "DENY", 10 + n % 90)
    data, state = log.bytes(), State(Places(None), None)
    begin = time.process_time()
    for at in range(0, len(data), 65_536):
        state.feed(data[at:at + 65_536])
        panes.bar(state)
        panes.records(state, 40, None)
        panes.rules(state.rules(), 40, None)
    used = time.process_time() - begin
    assert state.records.total == 50_001 and len(state.records) == 20_000
    assert used < 1.0, used


def test_a_card_says_why_and_who_and_what_would_change_it() -> None:
    log = Encoder()
    log.header()
    log.decision(3, WHATS[0])
    state = fed(log.bytes())
    lines = card(list(state.records)[-1])
    assert "DENY" in lines[0] and any("no rules" in line for line in lines)
    assert all(isinstance(row, str) or isinstance(row[1], str) for row in panes.records(state, 5, 0))


def test_lists_are_bounded_and_keep_their_numbers() -> None:
    log = Encoder()
    log.header()
    for _ in range(30_000):
        log.decision(1, WHATS[0])
    state = fed(log.bytes(), most=1 << 20)
    assert len(state.records) == 20_000 and state.records.first == 10_001
    item = state.records.at(30_000)
    assert item is not None and item.rec.seq == 30_000 and state.records.at(10_000) is None
    rows: List[panes.Markup] = panes.records(state, 10, 15_000)
    assert len(rows) == 10 and sum(isinstance(row, tuple) and row[0] == "chosen" for row in rows) == 1
