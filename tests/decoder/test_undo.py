# SPDX-License-Identifier: Apache-2.0
"""Changes by terminals, pipes and CI to a log on its way are undone and mentioned; those that cannot be undone are
named."""
from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Callable, Dict, List, Tuple

import pytest

from encoder import Encoder
from hvl.record import Rec
from hvl.sequence import Sequencer
from hvl.source import Notes
from hvl.undo import Undo
from hvl.wire import Scanner, Text, WeakScanner

TOOL = Path(__file__).resolve().parents[2] / "tools" / "log_decode.py"


def encoder(now: int = 0) -> Encoder:
    out = Encoder(now=now)
    out.header()
    out.record("E", "windows gicd=0x8000000/0x10000 gicr=0x80a0000/0xf60000 uart0=0x9000000/0x1000 rtc=0x901/0x1000")
    out.guest(b"[    0.000000] Booting\n")
    for i in range(30):
        out.decision(i, "msr.r ID_AA64PFR0_EL1", more=" far=0xffff800008011a44" * (i % 5))
        out.guest(b"PASS: a line of the guest's console\n")
        if i % 7 == 0:
            out.guest(b"half a line ")
    out.guest(b"\n")
    out.trailer()
    return out


def each_line(form: bytes) -> Callable[[bytes], bytes]:
    return lambda data: b"".join(form.replace(b"LINE", line.rstrip(b"\r")) + b"\r\n"
                                 for line in data.split(b"\n")[:-1])


def wrapped(width: int) -> Callable[[bytes], bytes]:
    """The log on a terminal: RS takes no column."""
    def wrap(data: bytes) -> bytes:
        out = []
        for line in data.decode("latin-1").split("\n"):
            line = line.rstrip("\r")
            pieces = re.findall(rf"\x1e?[^\x1e]{{1,{width}}}", line) or [""]
            out += pieces
        return "\n".join(out).encode("latin-1")
    return wrap


def no_sentinel(data: bytes) -> bytes:
    return data.replace(b"\x1e", b"")


# name: (the change, whether the sentinel survives, the remark)
HAPPENS: Dict[str, Tuple[Callable[[bytes], bytes], bool, str]] = {
    "nothing": (lambda data: data, True, ""),
    "blanks behind": (each_line(b"LINE   "), True, "with blanks behind them"),
    "colours": (each_line(b"\x1b[0m\x1b[32mLINE\x1b[0m"), True, "colour codes"),
    "colours at the end alone": (lambda data: each_line(b"LINE\x1b[K")(data), True, ""),
    "CI's time stamps": (each_line(b"2026-11-30T06:00:00.1234567Z LINE"), True, "time stamps"),
    "ts": (each_line(b"Nov 30 06:23:11 LINE"), True, "time stamps"),
    "a serial logger's": (each_line(b"[12.345678 0.000100] LINE"), True, "time stamps"),
    "stamps and colours": (each_line(b"\x1b[2m2026-11-30 06:00:00\x1b[0m LINE\x1b[0m"), True, "time stamps and colour"),
    "UTF-16, little": (lambda data: b"\xff\xfe" + data.decode("latin-1").encode("utf-16-le"), True, "UTF-16"),
    "UTF-16, big": (lambda data: b"\xfe\xff" + data.decode("latin-1").encode("utf-16-be"), True, "UTF-16"),
    "UTF-16 without a mark": (lambda data: data.decode("latin-1").encode("utf-16-le"), True, "UTF-16"),
    "a byte order mark": (lambda data: b"\xef\xbb\xbf" + data, True, ""),
    "wrapped at 80": (wrapped(80), True, "wrapped"),
    "wrapped at 132": (wrapped(132), True, "wrapped"),
    "wrapped, without RS": (lambda data: no_sentinel(wrapped(80)(data)), False, "wrapped"),
    "cat -v": (lambda data: data.replace(b"\x1e", b"^^").replace(b"\r", b"^M"), False, "^^"),
    "drawn control characters": (lambda data: data.replace(b"\x1e", "\u241e".encode()), False, "^^"),
    "drawn, and blanks": (lambda data: each_line(b"LINE  ")(data.replace(b"\x1e", "\u241e".encode())), False, "blanks"),
    "stripped, with stamps": (lambda data: each_line(b"06:00:00 LINE")(no_sentinel(data)), False, "time stamps"),
}


def run(data: bytes, *args: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([sys.executable, str(TOOL), *args], input=data, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("name", sorted(HAPPENS))
def test_it_is_undone_and_said(name: str) -> None:
    happens, sentinel, said = HAPPENS[name]
    made = encoder()
    data = happens(made.bytes())
    done = run(data, "check", *([] if sentinel else ["--weak"]))
    if name == "colours at the end alone":      # the first record does not show it: named, not undone
        assert done.returncode in (3, 4)
        return
    assert done.returncode == 0, done
    lines = [line for line in done.stderr.decode().splitlines() if "undone" in line or "mended" in line]
    assert (said in "".join(lines)) and len(lines) == len(set(lines)) and bool(lines) == bool(said), lines
    weak = b", weak: without sentinels it could be forged" if not sentinel else b""
    assert done.stdout == b"ok: 0 findings, log complete" + weak + b"\n"
    if not sentinel:
        refused = run(data, "check")
        assert refused.returncode == 3 and b"--weak" in refused.stderr, refused


@pytest.mark.parametrize("name", ["CI's time stamps", "colours", "UTF-16, little", "stamps and colours", "nothing"])
@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_every_record_and_byte_comes_back(name: str, size: int) -> None:
    """The same for any split into pieces."""
    made = encoder()
    data = HAPPENS[name][0](made.bytes())
    undo, scanner, order = Undo(), Scanner(), Sequencer("x")
    got: List[Rec] = []
    text = b""
    for at in range(0, len(data) + 1, size):
        events = order.feed(scanner.feed(undo.feed(data[at:at + size])))
        got += [event for event in events if isinstance(event, Rec)]
        text += b"".join(event.data for event in events if isinstance(event, Text))
    rest = order.feed(scanner.feed(undo.feed(b"", True)))
    for events in (rest, order.feed(scanner.feed(b"", True)), order.finish()):
        got += [event for event in events if isinstance(event, Rec)]
        text += b"".join(event.data for event in events if isinstance(event, Text))
    # A record ends with a blank before its checksum, which the encoder has in the line and not in the body.
    assert [(rec.kind, rec.seq, rec.body.rstrip()) for rec in got] == [(m.kind, m.seq, m.body) for m in made.made]
    assert text.replace(b"\r\n", b"\n") == bytes(made.guest_out).replace(b"\r\n", b"\n")


def test_what_only_looks_like_it_stays() -> None:
    """A guest that prints stamps and colours of its own keeps them: the first record has none before it."""
    made = Encoder()
    made.guest(b"06:00:00 firmware\n\x1b[1mbold\x1b[0m\n")
    made.header()
    made.guest(b"06:00:01 line\n\x1b[32mgreen\x1b[0m\n^^@D 1 0.000000001 x *00000000\n")
    made.trailer()
    done = run(made.bytes(), "console")
    assert done.returncode == 0 and done.stdout == bytes(made.guest_out) and not done.stderr


def test_a_wrapped_line_without_a_fitting_sum_is_no_record() -> None:
    made = encoder()
    data = bytearray(wrapped(80)(made.bytes()))
    at = data.index(b"\n", data.index(b"windows"))
    data[at + 3] ^= 1
    done = run(bytes(data), "check")
    assert done.returncode == 4 and b"damaged 1" in done.stderr


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_made_up(seed: int) -> None:
    """With damage on top: every record that is read was sent."""
    r = Random(seed)
    made = encoder()
    sent = {(m.kind, m.seq, m.body) for m in made.made}
    for happens, sentinel, _ in HAPPENS.values():
        data = bytearray(happens(made.bytes()))
        for _ in range(r.randrange(1, 30)):
            at = r.randrange(len(data))
            data[at:at + r.choice((0, 1, 3))] = r.choice((b"", b"\n", b"\x1e", b"x", b"\r", b"@"))
        undo, scanner = Undo(), Scanner() if sentinel else WeakScanner()
        tokens = scanner.feed(undo.feed(bytes(data))) + scanner.feed(undo.feed(b"", True)) + scanner.feed(b"", True)
        for token in tokens:
            assert not isinstance(token, Rec) or (token.kind, token.seq, token.body.rstrip()) in sent


def test_two_machines_in_one_file_are_named() -> None:
    one, two = encoder(), encoder(5_000)
    lines, others = one.bytes().splitlines(True), two.bytes().splitlines(True)
    mixed = lines[:20]
    for mine, others_line in zip(lines[20:], others):
        mixed += [mine, others_line]
    done = run(b"".join(mixed), "check")
    assert done.returncode == 4 and done.stderr.count(b"two machines wrote into it") == 1, done
    after = run(one.bytes() + two.bytes(), "check")
    assert after.returncode == 0 and b"two machines" not in after.stderr


def test_why_asks_which_session(tmp_path: Path) -> None:
    log = tmp_path / "two.log"
    first, second = encoder(), encoder()
    log.write_bytes(first.bytes() + second.bytes())
    done = run(b"", "why", "5", str(log))
    assert done.returncode == 2 and b"sessions 1, 2 of this log have a decision 5: say --session N" in done.stderr
    for args in (["--session", "2", "5", str(log)], ["5", "--session", "2", str(log)], ["5", str(log), "--session=2"],
                 ["5", "--session", "2", str(log), "--policy", "default"]):
        done = run(b"", "why", *args, *([] if "--policy" in args else ["--policy", "default"]))
        assert b"say --session" not in done.stderr and b"no record" not in done.stderr and done.returncode != 2, done
    assert b"the input has 2" in run(b"", "why", "5", "--session", "9", str(log)).stderr
    alone = run(first.bytes(), "why", "5", "--policy", "default")
    assert b"say --session" not in alone.stderr, alone


def shown(*args: str, keys: bytes = b"") -> bytes:
    """Output to a terminal."""
    master, slave = pty.openpty()
    child = subprocess.Popen([sys.executable, str(TOOL), *args], stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    out = b""
    try:
        while True:
            out += os.read(master, 65536)
    except OSError:
        pass
    assert child.wait(60) == 0
    os.close(master)
    return out


def test_a_terminal_is_not_steered_unless_asked(tmp_path: Path) -> None:
    """The guest's bytes are exact in a file and in a pipe; on a terminal they are shown."""
    made = Encoder()
    made.header()
    made.guest(b"\x1b]0;owned\x07\x9bm \xe2\x80\xae\n")
    made.trailer()
    log = tmp_path / "uart.log"
    log.write_bytes(made.bytes())
    assert run(b"", "console", str(log)).stdout == bytes(made.guest_out)
    said = shown("console", str(log))
    assert b"\x1b" not in said and b"\x9b" not in said and b"\xe2\x80\xae" not in said and b"\\x1b]0;owned\\x07" in said
    assert b"\x1b]0;owned\x07" in shown("console", "--raw", str(log))


def test_bounds_have_names(tmp_path: Path) -> None:
    import gzip
    path = tmp_path / "members.gz"
    path.write_bytes(gzip.compress(b"x", mtime=0) * 200_000)
    done = run(b"", "check", str(path))
    assert b"a gzip file of more than 100000 members; what follows is not read" in done.stderr
    made = Encoder()
    made.header()
    made.trailer()
    done = run(made.bytes() * 12_000, "check")
    assert done.returncode == 4 and b"more than 10000 sessions; what follows is not read" in done.stderr
    spliced = b"\x1e@D 1 0.000000001 " + b"a.b/c-d" * 9 + b": y\n01 *01234567\n"
    assert b"20000 broken records could not be put together" in run(spliced * 21_000, "check").stderr
    notes = Notes()
    notes.cut("x")
    assert notes.truncated and notes.lines == ["x"]
