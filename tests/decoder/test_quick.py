# SPDX-License-Identifier: Apache-2.0
"""The quick way and the careful way come to the same, whatever the log is; and how much a record may cost."""
from __future__ import annotations

import sys
import time
import zlib
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, List, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_decode import write
from damage import KINDS, tagged
from encoder import Encoder
from hvl import source
from hvl.quick import Block
from hvl.record import Rec
from hvl.sequence import End
from hvl.wire import Damaged, Text
from test_cli import run
from test_wire import build

COMMANDS = (["summary", "--json"], ["summary", "--by", "rule"], ["summary", "--by", "reg", "--json"], ["show"], ["csv"],
            ["show", "-f", "verdict==DENY"], ["check", "--fail-on", "verdict==KILL"], ["console"])


def odd(seed: int) -> bytes:
    """Rows of decisions on several CPUs, among them lines that EL2 would not write so, with right sums."""
    r = Random(seed)
    encoder = Encoder(mode=r.choice(("text", "notable")))
    encoder.header()
    for n in range(400):
        cpu = r.choice((0, 0, 0, 1, 2))
        if r.random() < 0.2:
            encoder.guest(bytes(r.choice((b"a line\r\n", b"half", b"\x1f\x1e\r\n", b"\n\n"))))
        if r.random() < 0.02:
            encoder.record("S", f"dec={n} allow={n} r1={n}/{n * 9}", cpu=cpu)
        if r.random() < 0.01:
            encoder.seq[cpu] += r.choice((1, 5))
        encoder.now += r.choice((16, 16, 1000, 10**6, 10**10))
        value = r.choice(("=0x0", "=0x10", "=0x010", "=5", "=", ""))
        what = r.choice((f"msr.w TTBR0_EL1{value}", "msr.r PMCR_EL0", f"mmio.w uart0+0x0/4{value}", "mmio.r 0x5000/4=0x1",
                         "hvc 0x4 x1=0x40001000 x2=0x20", "hvc 0x0 x1=0x0 x2=0x0", "smc 0x84000050 x1=0x1 x2=0x0",
                         "exc DABT_WALK ipa=0x1000 far=0x2000", "exc WFX", "sys TLBI_VMALLE1=0x0", "wfi"))
        esr = r.choice(("0x6230e419", "0x5a000000", "0x5a000001", "0x5e000000", "0x93000046"))
        tail = r.choice([f"pc=0x4000{n % 7}000 el={n % 2} cost={r.randrange(3000)} esr={esr}"] * 12 + [
            f"pc=0x40001000 el=1 cost={n} esr={esr} n=3 last=1.0", f"pc=0x1 n=4 el=1 cost=7 esr={esr}", "pc=0x1 el=1",
            f"cost=5 pc=0x1 el=1 esr={esr}", f"pc=0x1 el=1 cost=x esr={esr}", f"pc=0x1 el=1 cost=+5 esr={esr}",
            f"pc=0x1 el=1 cost=99999999999999999999999 esr={esr}", f"el=1 cost=5 esr={esr}", "pc=0x1 el=1 cost=5",
            f"pc=0x1 el=1 cost=5 esr={esr} more=\x1b[31m", f"pc=0x1 el=1 cost=5 esr={esr}  "])
        verdict, rule = r.choice(("DENY", "ALLOW", "EMUL", "x")), r.choice((1, 2, 70000))
        encoder.record(r.choice("DDDDDDDDA"), f"{verdict} r{rule} {what} {tail}", cpu=cpu)
    encoder.trailer()
    return encoder.bytes()


def events(path: Path, quick: bool, monkeypatch: pytest.MonkeyPatch) -> Tuple[List[Any], List[Any], int]:
    monkeypatch.setattr(source.Reader, "quick", quick)
    out: List[Any] = []
    sessions, blocks = [], 0
    text, stream = b"", ""
    for event in source.Reader([str(path)]).events():
        blocks += isinstance(event, Block)
        for each in event.events() if isinstance(event, Block) else [event]:
            if isinstance(each, Text):
                if stream != each.stream and text:
                    out.append((stream, text))
                    text = b""
                stream = each.stream
                text += each.data
                continue
            if isinstance(each, Damaged):       # how many are put into one object is nobody's business
                continue
            if text:
                out.append((stream, text))
                text = b""
            if isinstance(each, Rec):
                out.append((each.kind, each.plus, each.seq, each.cpu, each.t, each.body, each.crc, each.session, each.late))
            elif isinstance(each, End):
                s = each.session
                sessions.append((s.records, s.first, s.last, s.end_time, s.missing, s.lost, s.damaged, s.suspect, s.duplicate,
                                 s.text_short, s.complete(), {n: (c.next, c.time, c.received) for n, c in s.cpus.items()}))
            else:
                out.append(type(each).__name__)
    return out, sessions, blocks


@pytest.mark.parametrize("chunk", [100, 3000, 1 << 18])
@pytest.mark.parametrize("seed", range(6))
def test_odd_lines(seed: int, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "uart.log"
    path.write_bytes(odd(seed))
    monkeypatch.setattr(source, "CHUNK", chunk)
    careful, quick = events(path, False, monkeypatch), events(path, True, monkeypatch)
    assert careful[:2] == quick[:2] and not careful[2] and (chunk < 3000 or quick[2] > 3)
    for command in COMMANDS if chunk == 1 << 18 else ():
        said = []
        for way in (False, True):
            monkeypatch.setattr(source.Reader, "quick", way)
            done = run(*command, str(path))
            said.append((done.returncode, done.stdout, done.stderr))
        assert said[0] == said[1], command


@settings(max_examples=40)
@given(st.integers(0, 1 << 32), st.lists(st.sampled_from(sorted(KINDS)), max_size=2), st.sampled_from((200, 5000)))
def test_damaged_logs(tmp_path_factory: pytest.TempPathFactory, seed: int, kinds: List[str], chunk: int) -> None:
    r = Random(seed)
    data = tagged(build(r, 150).bytes() if r.random() < 0.5 else odd(seed))
    for kind in kinds:
        data = KINDS[kind](data, r)
    path = tmp_path_factory.getbasetemp() / "damaged.log"
    path.write_bytes(bytes(value for value, _ in data))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(source, "CHUNK", chunk)
        assert events(path, False, monkeypatch)[:2] == events(path, True, monkeypatch)[:2]


# --- what a record costs ----------------------------------------------------------------------------------------

def bare(data: bytes) -> int:
    """The least that a decoder in Python must do: split the lines and check their sums."""
    good = 0
    for piece in data.split(b"\x1e"):
        line = piece.partition(b"\n")[0].rstrip(b"\r")
        good += len(line) > 10 and zlib.crc32(line[:-9]) == int(line[-8:], 16)
    return good


MOST = {"check": 4.0, "summary": 6.0, "show": 6.0}


def test_what_a_record_costs(tmp_path: Path) -> None:
    """Ratios of CPU time, the best of some tries each: the machine may be slow, and busy."""
    path = tmp_path / "uart.log"
    write(path, 150_000)
    data = path.read_bytes()
    tasks: Dict[str, Callable[[], Any]] = {"bare": lambda: bare(data)}
    tasks.update({command: lambda command=command: run(command, str(path)) for command in MOST})    # type: ignore[misc]
    best = dict.fromkeys(tasks, 1e9)
    for _ in range(12):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            best[name] = min(best[name], time.process_time() - start)
        if all(best[command] < most * best["bare"] for command, most in MOST.items()):
            return
    assert not {command: best[command] / best["bare"] for command in MOST}, f"{best} on Python {sys.version}"
