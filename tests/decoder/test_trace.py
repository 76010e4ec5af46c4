# SPDX-License-Identifier: Apache-2.0
"""trace: the rules of its readers (trace_rules.py), the time that it shows, and Chrome's own viewer."""
from __future__ import annotations

import copy
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chrome
import trace_rules
from damage import KINDS, tagged
from encoder import Encoder
from test_cli import DEBIAN, run, session

Event = Dict[str, Any]


def trace(wire: bytes, *more: str) -> List[Event]:
    done = run("trace", *more, stdin=wire)
    assert done.returncode == 0, done
    return trace_rules.load(done.stdout)


def stopped(cpus: int = 2) -> Encoder:
    """Two vCPUs, decisions each millisecond; the monitor is open for 40 s between them, opened on vCPU 1."""
    encoder = Encoder()
    encoder.header()
    for cpu in range(cpus):
        encoder.record("E", "guest+ entry=0x40000000 el=1", cpu=cpu)
    for turn in range(20):
        for cpu in range(cpus):
            encoder.now += 1_000_000
            encoder.decision(5, "mmio.w uart0+0x0/4=0x41", "EMUL", 90, cpu=cpu)
        if turn == 9:
            encoder.now += 1000
            encoder.record("E", "mon+ why=key", cpu=cpus - 1)
            encoder.now += 40_000_000_000
            encoder.record("E", "mon- paused=40.000001000", cpu=cpus - 1)
    for cpu in range(cpus):
        encoder.record("S", f"dec=20 emul=20 waiting=0 r5=20/{90 * 20}", cpu=cpu)
    encoder.trailer()
    return encoder


def late() -> Encoder:
    """`notable`: refusals at once, the others when all is over, between them."""
    encoder = Encoder(mode="notable")
    encoder.header()
    encoder.record("E", "guest+ entry=0x40000000 el=1")
    held = []
    for turn in range(30):
        encoder.now += 2000
        if turn % 10 == 9:
            encoder.decision(31, "msr.r PMCR_EL0")
        else:
            held.append((encoder.seq[0], encoder.now))
            encoder.seq[0] += 1
    now, encoder.now = encoder.now, 0
    for at, (seq, t) in enumerate(held):
        encoder.record("D", f"EMUL r5 mmio.w uart0+0x0/4=0x41 pc=0x1 el=1 cost={(70, 100, 0)[at % 3]} esr=0x93400046",
                       seq=seq, t=t)
    encoder.now = now
    encoder.trailer()
    return encoder


LOGS: Dict[str, Callable[[], bytes]] = {
    "one": lambda: session().bytes(), "stops": lambda: stopped().bytes(), "late": lambda: late().bytes(),
    "two sessions": lambda: session().bytes() + session(trailer=False).bytes(), "cut": lambda: stopped().bytes()[3000:],
}


@pytest.mark.parametrize("name", LOGS)
def test_the_rules_are_kept(name: str) -> None:
    events = trace(LOGS[name]())
    assert not trace_rules.broken(events) and sum(event["ph"] == "X" for event in events) > 3


@settings(max_examples=25)
@given(st.integers(0, 1 << 32), st.sampled_from(sorted(LOGS)), st.lists(st.sampled_from(sorted(KINDS)), max_size=2))
def test_the_rules_are_kept_whatever_happened_to_the_log(seed: int, name: str, kinds: List[str]) -> None:
    r = Random(seed)
    data = tagged(LOGS[name]())
    for kind in kinds:
        data = KINDS[kind](data, r)
    done = run("trace", stdin=bytes(value for value, _ in data))
    assert not trace_rules.broken(trace_rules.load(done.stdout))


def test_numbers_that_are_none_break_no_rule() -> None:
    """A sum that is right does not make a time right."""
    r = Random(3)
    for _ in range(20):
        encoder = Encoder(cntfrq=r.choice((1, 62_500_000)))
        encoder.header()
        for _ in range(40):
            encoder.now = r.choice((encoder.now, r.randrange(10**9), r.randrange(10**14)))
            encoder.record("DDDAELSX"[r.randrange(8)], r.choice((
                f"DENY r1 msr.r X pc=0x1 cost={r.randrange(10**20)} n={r.choice((1, 3, 10**15))}", "mon+ why=key",
                "mon- paused=3.0", "mon- paused=x", "dec=5 waiting=1", f"dec={10**30}", "guest+ entry=0x1", "lost=1")),
                cpu=r.randrange(3))
        assert not trace_rules.broken(trace(encoder.bytes()))


FAULTS: Dict[str, Callable[[List[Event]], Any]] = {
    "fields": lambda events: events[-1].pop("cat"),
    "numbers_of_tracks": lambda events: [event.update(tid=0) for event in events if event["tid"] == 1],
    "times": lambda events: events[-1].update(ts=-1),
    "nesting": lambda events: slices(events, 1)[3].update(dur=5_000_000),
    "beginnings": lambda events: slices(events, 1)[1].update(ts=slices(events, 1)[0]["ts"]),
    "instants": lambda events: [event.update(tid=1) for event in events if event["ph"] == "i"],
    "counters": lambda events: next(event for event in events if event["ph"] == "C").update(args={"x": "1"}),
    "named": lambda events: events.pop(0),
}


def slices(events: List[Event], tid: int = 0) -> List[Event]:
    return [event for event in events if event["ph"] == "X" and tid in (0, event["tid"])]


@pytest.mark.parametrize("rule", trace_rules.RULES, ids=lambda rule: rule.__name__)
def test_each_rule_sees_its_fault(rule: Callable[[List[Event]], Any]) -> None:
    events = trace(LOGS["stops"]())
    spoilt = copy.deepcopy(events)
    FAULTS[rule.__name__](spoilt)
    assert list(rule(spoilt)) and not list(rule(events))


def test_a_cut_nanosecond_is_an_overlap() -> None:
    """Slices that touch by decimals overlap where the fraction is cut: why times are eighths of a microsecond."""
    pairs = [(at, at + 7 * step) for at in range(1000, 60_000, 17) for step in (1, 3)]
    bad = [a for a, b in pairs if trace_rules.perfetto(a / 1000) + trace_rules.perfetto((b - a) / 1000)
           > trace_rules.perfetto(b / 1000)]
    assert bad, "decimal nanoseconds do"
    assert all(trace_rules.perfetto(a / 8) + trace_rules.perfetto((b - a) / 8) <= trace_rules.perfetto(b / 8)
               for a, b in pairs), "eighths do not"


def test_the_time_is_the_guests_own() -> None:
    """Stops are left out, and marked on every vCPU's track, whoever opened the monitor."""
    events = trace(LOGS["stops"]())
    assert max(event["ts"] for event in events if "ts" in event) < 1e5, "40 s are not there"
    for cpu in (0, 1):
        track = sorted(event["ts"] for event in slices(events) if event["tid"] == 2 * cpu + 1 and event["name"] == "ran")
        marks = [event for event in events if event["ph"] == "i" and event["tid"] == 2 * cpu + 2 and event["cat"] == "stop"]
        assert len(track) == 2 and len(marks) == 1 and marks[0]["ts"] == track[1], (track, marks)
        assert marks[0]["name"] == "stood for 40.000s (key)"
    rates = [event for event in events if event["name"] == "decisions/s of vcpu0"]
    assert len(rates) == 2 and 450 < rates[0]["args"]["decisions"] < 560 and not rates[1]["args"]["decisions"], rates


def test_trace_says_what_was_refused() -> None:
    events = trace(LOGS["one"]())
    refused = [event for event in events if event["ph"] == "i" and event["cat"] == "DENY"]
    assert len(refused) == 3 and refused[0]["name"] == "DENY msr.r PMCR_EL0"
    assert any(event["name"] == "hvc HV_CONSOLE_WRITE" for event in slices(events))
    assert any(event["name"] == "exc WFX x40" for event in slices(events))
    began = next(event["ts"] for event in events if event["name"] == "guest+")
    assert began == min(event["ts"] for event in slices(events)), "no guest before it was entered"


def test_what_came_late_lies_between_the_others() -> None:
    found = slices(trace(LOGS["late"]()))
    assert sum(event["cat"] == "EMUL" for event in found) == 27 and sum(event["cat"] == "DENY" for event in found) == 3


@pytest.mark.skipif(not DEBIAN, reason="only Debian has a Chromium that is a package like others")
def test_in_chromes_viewer(tmp_path: Path) -> None:
    """Chrome takes the whole trace without a warning, and slices that nest in the file nest there."""
    assert chrome.viewer(), "golang-src is missing: run make setup"
    text = run("trace", stdin=LOGS["stops"]() + LOGS["late"]()).stdout
    events = trace_rules.load(text)
    seen = chrome.look(tmp_path, text)
    assert seen["warnings"] == [] and seen["processes"] == ["session 1", "session 2"]
    for thread in ("vcpu0", "vcpu1"):
        assert seen["threads"][thread]["out"] == 0
    named = {event["args"]["name"]: event["tid"] for event in events if event["name"] == "thread_name" and event["pid"] == 1}
    assert seen["threads"]["vcpu1"] == {"slices": len(slices(events, named["vcpu1"])), "top": 2, "out": 0}
    assert not any("undefined" in name for name in seen["counters"]) and len(seen["counters"]) >= 5
    assert 0 <= seen["from"] and seen["to"] < 100, "milliseconds"
