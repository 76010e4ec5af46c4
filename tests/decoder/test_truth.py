# SPDX-License-Identifier: Apache-2.0
"""Nothing that a view shows did not happen, and nothing that happened is silent."""
from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from random import Random
from typing import Any, Dict, List, Optional

import pytest

from encoder import Encoder
from hvl.acts import Stops
from hvl.record import Rec
from hvl import rules as rules_module
from test_cli import run

TEXT = ["policy: 1", "sysregs:", "  PMCR_EL0: deny", "mmio:", "  uart0: emulate"]
PLACES = {3: "PMCR_EL0: deny", 5: "uart0: emulate"}


def rules_of(path: Path, lines: List[str] = TEXT, sign: bool = True, more: Optional[Dict[str, Any]] = None) -> str:
    """A rules.json as policygen writes it, with the text of the policy; returns its wording."""
    text = "\n".join(lines)
    said: Dict[str, Any] = {
        "rules": [{"rule": n, "place": f"policy/gone.yaml:{line}", "text": what, "why": None,
                   "section": "sysregs" if line == 3 else "mmio", "name": what.partition(":")[0]}
                  for n, (line, what) in enumerate(PLACES.items())],
        "sources": [{"file": "policy/gone.yaml", "sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text}]}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:8]
    path.write_text(json.dumps({"policy": "gone", "hash": "3b1c77aa00112233", "wording": digest, **said,
                                **(more or {})}))
    return digest


def html(path: Path, *more: str) -> str:
    done = run("html", *more, str(path))
    assert done.returncode == 0, done
    return done.stdout.decode()


# --- the policy that ran ----------------------------------------------------------------------------------

def test_the_report_shows_the_text_that_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text travels with the rules, and the tree of today has no say in it."""
    encoder = Encoder(policy="gone#3b1c77aa", wording=rules_of(tmp_path / "rules.json"))
    encoder.header()
    for _ in range(7):
        encoder.decision(0, "msr.r PMCR_EL0")
    encoder.trailer()
    log = tmp_path / "uart.log"
    log.write_bytes(encoder.bytes())
    text = html(log, "--policy", str(tmp_path / "rules.json"))
    assert re.search(r"<tr class='refused'[^>]*><td class=n><a [^>]*>7</a><td class=n>3<td>  PMCR_EL0: deny</tr>", text)
    source = rules_module.Rules(tmp_path / "rules.json").sources[0]
    assert source.today() is None
    monkeypatch.setattr(rules_module, "ROOT", tmp_path)
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy/gone.yaml").write_text("\n".join(TEXT))
    assert source.today() is True
    (tmp_path / "policy/gone.yaml").write_text("sysregs:\n  PMCR_EL0: allow\n")
    assert source.today() is False


def test_rules_without_their_text_show_none(tmp_path: Path) -> None:
    """policy/strict.yaml is in the tree, and was perhaps not what ran."""
    (tmp_path / "rules.json").write_text(json.dumps({"policy": "strict", "hash": "3b1c77aa00112233", "rules": [
        {"rule": 0, "place": "policy/strict.yaml:32", "text": "x"}]}))
    encoder = Encoder(policy="strict#3b1c77aa")
    encoder.header()
    encoder.decision(0, "msr.r PMCR_EL0")
    encoder.trailer()
    (tmp_path / "uart.log").write_bytes(encoder.bytes())
    assert "class=src" not in html(tmp_path / "uart.log", "--policy", str(tmp_path / "rules.json"))


def test_rules_of_other_lines_are_not_those_that_ran(tmp_path: Path) -> None:
    """Two policies may decide alike and number their rules differently."""
    ran = rules_of(tmp_path / "ran.json", ["# a line more", *TEXT])
    other = rules_of(tmp_path / "other.json")
    assert ran != other
    encoder = Encoder(policy="gone#3b1c77aa", wording=ran)
    encoder.header()
    encoder.decision(0, "msr.r PMCR_EL0")
    encoder.trailer()
    log = tmp_path / "uart.log"
    log.write_bytes(encoder.bytes())
    assert run("summary", "--policy", str(tmp_path / "ran.json"), str(log)).returncode == 0
    done = run("summary", "--policy", str(tmp_path / "other.json"), str(log))
    assert done.returncode == 5 and f"ran policy gone#3b1c77aa with rules {ran}".encode() in done.stderr
    assert b"policy/gone.yaml" not in done.stdout


@pytest.mark.parametrize("more", [{"sources": []}, {"rules": []}, {"wording": "00000000"}, {"sources": [1]},
                                  {"sources": [{"file": "x", "sha256": "x", "text": "x"}] * 40}])
def test_rules_that_were_changed_are_refused(more: Dict[str, Any], tmp_path: Path) -> None:
    rules_of(tmp_path / "rules.json", more=more)
    done = run("summary", "--policy", str(tmp_path / "rules.json"), stdin=Encoder().bytes())
    assert done.returncode == 2 and b"were changed since" in done.stderr


# --- nothing while the guest stood ------------------------------------------------------------------------

def stood(mode: str = "notable") -> Encoder:
    """Two vCPUs with 100,000 decisions a second that are counted only; the monitor is open from 3 s to 103 s."""
    encoder = Encoder(policy="gone#3b1c77aa", mode=mode)
    encoder.header()
    for cpu in (0, 1):
        encoder.record("E", "guest+ entry=0x40000000 el=1", cpu=cpu)
    encoder.now = 1_000_000_000
    encoder.record("S", "dec=1 deny=0 emul=1 r1=1/9")
    encoder.record("S", "dec=1 deny=0 emul=1 r1=1/9", cpu=1)
    encoder.now = 3_000_000_000
    encoder.record("E", "mon+ why=key", cpu=1)
    encoder.now += 50_000_000_000
    encoder.record("S", "dec=200001 deny=0 emul=200001 r1=200001/900000", cpu=1)      # `dump`
    encoder.now += 50_000_000_000
    encoder.record("E", "mon- paused=100.000000000", cpu=1)
    encoder.now = 104_000_000_000
    for cpu in (0, 1):
        encoder.record("S", "dec=300001 deny=0 emul=300001 r1=300001/1900000", cpu=cpu)
    encoder.decision(0, "msr.r PMCR_EL0")
    encoder.record("S", "dec=300002 deny=1 emul=300001 r1=300001/1900000 r0=1/70")
    encoder.trailer()
    return encoder


def test_no_decision_is_drawn_while_the_guest_stood(tmp_path: Path) -> None:
    """Counts of @S are laid out over the time in which it happened: 1 to 3 s and 103 to 104 s."""
    rules_of(tmp_path / "rules.json")
    log = tmp_path / "uart.log"
    log.write_bytes(stood().bytes())
    text = html(log, "--policy", str(tmp_path / "rules.json"))
    chart = text[text.index(">Decisions over time</h2>"):text.index(">Rules</h2>")]
    drawn = [(int(n), at) for n, at in re.findall(r"<title>counted (\d+) at ([^<]*)</title>", chart)]
    assert sum(n for n, _ in drawn) == 2 * 300_001
    times = [float(at[:-2]) / 1000 if at.endswith("ms") else float(at[:-1]) for _, at in drawn]
    assert not [t for t in times if 3.1 < t < 102.9] and max(times) > 103 and len(times) > 25
    first = sum(n for (n, _), t in zip(drawn, times) if t < 3.05)
    assert abs(first - 2 * 200_001) < 40_000, "two thirds of it before the stop"
    assert "the guest stood here for 100.000s, from 3.000000016 on (key)" in chart
    assert "without 100.000s in which the guest stood" in chart


def test_the_guests_own_time() -> None:
    """A second telling: stops of any order of length, times in, before and behind them."""
    r = Random(5)
    for _ in range(12):
        stops, spans, t = Stops(), [], 0
        for _ in range(r.randrange(6)):
            since = t + r.randrange(1, 100)
            t = since + r.randrange(1, 100)
            spans.append((since, t))
            for kind, at, body in (("mon+", since, "why=key"), ("mon-", t, "paused=1.0")):
                stops.event(Rec("E", False, 1, 0, at, f"{kind} {body}", 0), 10**9)
        for at in range(0, 700, 7):
            own = sum(not any(since <= tick < until for since, until in spans) for tick in range(at))
            assert stops.own(at) == own, (at, spans)
            assert stops.own(stops.real(own)) == own


def test_a_table_that_was_looked_at_stops_nobody() -> None:
    """^] s and `traps -w` say something in between; a stop without an end is none yet."""
    for why, paused in (("keys", 0), ("watch", 10), ("key", 0)):
        stops = Stops()
        stops.event(Rec("E", False, 1, 0, 10, f"mon+ why={why}", 0), 0)
        stops.event(Rec("E", False, 2, 0, 20, "mon- paused=x", 0), paused)
        assert stops.own(100) == 100 and not stops.spans
    stops.event(Rec("E", False, 1, 0, 110, "mon+ why=key", 0), 0)
    assert stops.own(150) == 110


# --- what the operator changed -----------------------------------------------------------------------------

CHANGES = [("P", "rule=r0 field=verdict old=DENY new=WOULD by=monitor hash=3b1c77aa", "r0: DENY -> WOULD by monitor"),
           ("E", "overruled rule=r0 pc=0x40001000 by=monitor answer=allow", "r0 overruled once: allow at pc 0x40001000"),
           ("E", "write addr=0x1000 value=0x5", "memory 0x1000 = 0x5"), ("E", "set x0=0x1 old=0x0", "set x0=0x1 old=0x0"),
           ("E", "inject undef", "inject undef"), ("E", "set time.hide=off", "set time.hide=off")]
HARMLESS = ["set esc=none", "set live=on", "set time.hide=on", "mark \"x\"", "status pc=0x1", "log mode=text", "boot"]


def changed(acts: List[Any]) -> bytes:
    encoder = Encoder(policy="gone#3b1c77aa")
    encoder.header()
    encoder.record("E", "guest+ entry=0x40000000 el=1")
    encoder.decision(0, "msr.r PMCR_EL0")
    for kind, body in acts:
        encoder.record(kind, body)
    encoder.record("S", "dec=2 deny=1 would=1 r0=2/140")
    encoder.trailer()
    return encoder.bytes()


@pytest.mark.parametrize("kind,body,said", CHANGES)
def test_each_change_is_told_at_the_top(kind: str, body: str, said: str) -> None:
    wire = changed([(kind, body)])
    lines = run("summary", stdin=wire).stdout.decode().splitlines()
    assert said in "\n".join(lines[:6]) and "1 change by the operator" in lines[1], lines
    done = run("check", stdin=wire)
    assert done.returncode == 0 and b"log complete, 1 change by the operator" in done.stdout
    text = run("html", stdin=wire).stdout.decode()
    head = text[:text.index("Decisions over time")]
    assert "<span class='badge hand'>COMPLETE, 1 change by the operator</span>" in head
    assert said.replace(">", "&gt;") in head and "1 decisions were let through that the policy refuses" in head


def test_a_run_that_nobody_touched_is_green() -> None:
    wire = changed([("E", body) for body in HARMLESS])
    assert b"change" not in run("check", stdin=wire).stdout + run("summary", stdin=wire).stdout
    assert "<span class='badge'>COMPLETE</span>" in run("html", stdin=wire).stdout.decode()
    assert run("check", "--untouched", stdin=wire).returncode == 0


def test_all_changes_are_counted_and_can_be_forbidden() -> None:
    wire = changed([(kind, body) for kind, body, _ in CHANGES] * 40)
    assert b"log complete, 240 changes by the operator" in run("check", stdin=wire).stdout
    assert "and 140 more" in run("html", stdin=wire).stdout.decode()
    done = run("check", "--untouched", stdin=wire)
    assert done.returncode == 1 and b"r0: DENY -> WOULD by monitor" in done.stderr and b"FAIL: 240 findings" in done.stdout


def test_a_refusal_that_was_overruled_is_shown_as_such() -> None:
    """Its record has what the policy says; the answer came behind it."""
    text = run("html", stdin=changed([("E", CHANGES[1][1])])).stdout.decode()
    assert "overruled by the operator: allow</summary>" in text
    assert "overruled by the operator: allow</summary>" not in run("html", stdin=changed([])).stdout.decode()


# --- the guest's text ------------------------------------------------------------------------------------------

def chatty() -> Encoder:
    encoder = Encoder()
    encoder.guest(b"make: something else's line, which hides nothing\n")
    encoder.header()
    for n in range(30):
        encoder.guest(b"line %d of the guest\r\n" % n)
        encoder.guest(b"bare\nhalf ")
        encoder.decision(0, "msr.r PMCR_EL0")
    encoder.trailer()
    encoder.guest(b"qemu-system-aarch64: terminating on signal 15\n")
    return encoder


def test_text_of_the_guest_that_is_missing_makes_a_log_incomplete() -> None:
    wire = chatty().bytes()
    assert run("check", stdin=wire).returncode == 0
    short = wire.replace(b"line 7 of the guest\r\n", b"")
    done = run("check", stdin=short)
    assert done.returncode == 4 and b"guest text short by 21 bytes" in done.stderr
    assert run("check", "--max-text", "20", stdin=short).returncode == 4
    assert run("check", "--max-text", "21", stdin=short).returncode == 0
    assert "INCOMPLETE</span>" in run("html", stdin=short).stdout.decode()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\n"])
def test_line_ends_that_were_all_rewritten_are_no_loss_and_hide_none(end: bytes) -> None:
    def rewritten(wire: bytes) -> bytes:
        return wire.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").replace(b"\r\n", end)
    wire = chatty().bytes()
    assert run("check", stdin=rewritten(wire)).returncode == 0
    short = b"".join(line for line in rewritten(wire).splitlines(True) if not re.match(rb"line 1?[0-9] of", line))
    assert run("check", stdin=short).returncode == 4


def test_text_that_gdb_was_given_is_not_missing() -> None:
    encoder = Encoder()
    encoder.header()
    encoder.record("E", "mon+ why=gdb")
    encoder.record("E", "gdb+")
    said = b"what the guest said meanwhile\r\n" * 9
    packets = b"".join(b"$O%s#00+" % said[at:at + 20].hex().encode() for at in range(0, len(said), 20))
    encoder.guest(b"$qSupported#37+" + packets + b"$OK#9a")
    encoder.guest_bytes = len(said)
    encoder.record("E", "gdb-")
    encoder.record("E", "mon- paused=1.0")
    encoder.trailer()
    wire = encoder.bytes()
    for chunk in (wire, wire):
        assert run("check", stdin=chunk).returncode == 0
    assert b"short by 20 bytes" in run("check", stdin=wire.replace(packets[:44], b"")).stderr


def test_text_that_was_altered_on_the_way_is_said_and_not_counted() -> None:
    lines = chatty().bytes().replace(b"half ", b"half\r\n").splitlines(True)
    stamped = b"".join(b"2026-11-30T06:00:00.1Z " + line for line in lines)
    done = run("check", stdin=stamped)
    assert b"time stamps" in done.stderr
    assert b"guest text altered on the way" in run("summary", stdin=stamped).stdout


# --- counts ----------------------------------------------------------------------------------------------------

def summary(wire: bytes, *more: str) -> str:
    done = run("summary", *more, stdin=wire)
    assert done.returncode == 0, done
    return done.stdout.decode()


def test_counts_are_those_of_the_totals() -> None:
    """Of 600,003 decisions one has a record: the table is by rule, and has what EL2 counted."""
    text = summary(stood().bytes())
    assert re.search(r"^decisions   600003    EMUL 600002  DENY 1 .*totals from @S, exact$", text, re.M)
    rows = dict(re.findall(r"^(r[0-9]+) +([0-9]+) ", text, re.M))
    assert rows == {"r1": "600002", "r0": "1"} and "600002 of them have no record" in text
    one, = json.loads(summary(stood().bytes(), "--json"))["sessions"]
    assert one["rules"] == {"r0": 1, "r1": 600002} and one["decisions"]["exact"] is True
    assert re.search(r"^class +logged ", summary(stood().bytes(), "--by", "class"), re.M)


def test_what_came_behind_the_last_totals_is_added() -> None:
    """A log that was cut has totals up to some time, and records behind it; each CPU its own."""
    encoder = Encoder(mode="notable")
    encoder.header()
    encoder.record("S", "dec=1000 deny=10 emul=990 r1=990/99 r0=10/70")
    for n in range(4):
        encoder.decision(0, "msr.r PMCR_EL0")
    text = summary(encoder.bytes())
    assert re.search(r"^decisions   1004    EMUL 990  DENY 14 .*totals from @S up to 0.000 s, then counted", text, re.M)
    assert re.search(r"^r0 +14 ", text, re.M) and re.search(r"^r1 +990 ", text, re.M) and "1000 of them have no record" in text
    encoder.decision(0, "msr.r PMCR_EL0", cpu=1)
    assert "counted from the records: no @S of every CPU" in summary(encoder.bytes())


def test_what_was_asked_for_is_counted_alone() -> None:
    text = summary(stood().bytes(), "-f", "verdict==DENY")
    assert re.search(r"^decisions   1    DENY 1 .*counted from the records that were asked for$", text, re.M)
    assert "600002" not in text and "have no record" not in text


def test_refusals_without_a_record_are_counted_too() -> None:
    encoder = Encoder(mode="notable")
    encoder.header()
    encoder.decision(0, "msr.r PMCR_EL0")
    encoder.record("S", "dec=40 deny=40 r0=40/70")
    encoder.trailer()
    text = summary(encoder.bytes())
    assert "(39 more have no record)" in text and re.search(r"^denied +logged ", text, re.M)
