# SPDX-License-Identifier: Apache-2.0
"""The cockpit on a terminal: over recorded logs, and over a machine."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
import vm
from desk_screen import ROOT, Desk
from encoder import Encoder

# A machine that says what is in a file, then what it is told, and ends at `q`.
PLAYER = """import os, sys
data = open(sys.argv[1], 'rb').read() * int(sys.argv[2])
while data:
    data = data[os.write(1, data):]
while True:
    typed = os.read(0, 100)
    os.write(1, b'<' + typed.hex().encode() + b'>')
    if typed in (b'q', b''):
        sys.exit(7)
"""


def player(log: Path, times: int = 1) -> List[str]:
    return ["--", sys.executable, "-c", PLAYER, str(log), str(times)]


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    log = Encoder()
    log.header()
    log.guest(b"Welcome to the guest\r\n")
    for n in range(30):
        log.decision(n % 3, ["msr.r PMCR_EL0", "msr.w ACTLR_EL1=0x1", "hvc 0x3 x1=0x0 x2=0x0"][n % 3],
                     "DENY" if n % 3 else "ALLOW")
    (tmp_path / "uart.log").write_bytes(log.bytes())
    return tmp_path / "uart.log"


def test_a_recorded_log_and_every_pane(log: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.log"
    desk = Desk(["--log", str(kept), *player(log)])
    text = desk.until(lambda text: "20 refused" in text and "Welcome to the guest" in text)
    assert "diag#08c1d2ee under diag#3b1c77aa" in text and "running" in text
    desk.type("F4", "/", "reg==ACTLR_EL1")
    assert "PMCR_EL0" not in desk.until("records 10 of 31").split("records 10 of 31")[1]
    desk.type(" and")                               # not a filter yet: the old one stays
    desk.until(lambda text: "records 10 of 31" in text and "reg==ACTLR_EL1 and" in text)
    desk.type("\x15", "verdict==ALLOW", "enter", "up", "enter")
    assert "msr.r PMCR_EL0" in desk.until("decision  ALLOW by r0")
    desk.type("p")
    desk.until("this was not refused")
    desk.type("esc", "F1")
    desk.until("ask next time")
    desk.type("F2", "\x03", "\x1a", "\x13", "\x11", "\x01", "\x1d\x1d", "\x1b[A", "\u00e9")     # all the guest's
    desk.until(lambda text: "".join(piece.split(">")[0] for piece in text.split("<")[1:]) == "031a131101011d1b5b41c3a9")
    desk.type("q")
    desk.until("ended with status 7")               # a dead guest: what it said can still be looked at
    desk.type("F4", "\x1d", "p", "enter")
    desk.until("policy's lines")
    desk.type("F10")
    assert desk.end() == "0"
    assert kept.read_bytes().startswith(log.read_bytes())


def test_any_size_and_back(log: Path) -> None:
    desk = Desk(player(log))
    desk.until("20 refused")
    for rows, columns in ((24, 80), (10, 30), (3, 12), (2, 5), (1, 1), (1, 200), (60, 2), (50, 220)):
        desk.resize(rows, columns)
        for key in ("F1", "F3", "F4", "F5", "F2"):
            desk.type(key)
            desk.read(0.05)
    desk.until(lambda text: "20 refused" in text and "Welcome to the guest" in text)
    desk.type("F10")
    assert desk.end() == "0"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was_and_ends_the_machine(number: int, log: Path) -> None:
    desk = Desk(player(log))
    desk.until("20 refused")
    pid = desk.pid
    child = int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0])
    os.kill(pid, number)
    assert desk.end() == str(128 + number)
    assert not Path(f"/proc/{child}").exists()


def test_a_flood_leaves_the_keys_and_the_screen_alive(tmp_path: Path) -> None:
    """50,000 decisions and as many lines of a guest, many times; the machine waits where the cockpit is slower."""
    log = Encoder()
    log.header()
    log.decision(1, "msr.r PMCR_EL0")
    head = log.bytes()
    body = b"".join(b"line %d of a guest that talks\r\n\x1e" % n + Encoder.line(
        "D", n, n * 20_000, f"DENY r{n % 9} msr.r PMCR_EL0 pc=0x40001000 el=1 cost={n % 90} esr=0x6230e419") + b"\r\n"
        for n in range(2, 50_000))
    (tmp_path / "flood.log").write_bytes(head + body)
    desk = Desk(player(tmp_path / "flood.log", 40))
    desk.until("decisions")
    begin = len(desk.raw)
    desk.type("F4", "/", "rule==4")
    assert "decisions" in desk.until("/rule==4")
    assert len(desk.raw) > begin
    desk.type("enter", "F10")
    assert desk.end() == "0"


def test_wrong_usage_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools/cockpit"), "--", "true"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("cockpit: a terminal is needed")
    assert done.stderr.count("\n") == 1


def test_a_machine_asked_why_and_overruled(tmp_path: Path) -> None:
    """QEMU with the diagnostic guest under policy/strict.yaml, from its first line to the end of the machine."""
    elf = vm.build("strict")
    kept = tmp_path / "uart.log"
    desk = Desk(["--log", str(kept), "--policy", str(elf), "--map", str(elf.parent / "guest.elf"), "--",
                 *(["prlimit", f"--cpu={vm.CPU_SECONDS}", "--", *vm.machine(elf)])])
    assert "under strict#" in desk.until(lambda text: "stopped (pause)" in text and "hvc HV_PAUSE" in text)
    desk.type("F3", "statu\t")
    desk.until("asked what it knows")
    desk.until("poweroff")                          # its help has come
    desk.type("\t", "enter")
    desk.until("59 rules")
    desk.type("F4", "/", "verdict==DENY and rule==r21", "enter", "up", "enter")
    card = desk.until("because   policy/strict.yaml:")
    assert "make replay SEQ=" in card and "default: deny" in card
    assert "change    an entry of its own" in card and "by read_" in card
    desk.type("w")
    desk.until("[WOULD]")
    desk.type("p")
    assert "assertion no-debug" in desk.until("There is no proposal")
    desk.type("F3", "poweroff", "enter")
    desk.until("ended with status 0")
    desk.type("F10")
    assert desk.end() == "0"
    done = vm.decode(kept, "show", "-f", "kind==P")
    assert "rule=r21" in done.stdout and "by=monitor" in done.stdout
    assert "log complete, 1 change by the operator" in vm.decode(kept, "check").stdout
