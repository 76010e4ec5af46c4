# SPDX-License-Identifier: Apache-2.0
"""A guest that attacks: EL2 stays as booted, counts right, and its monitor answers."""
import re
from pathlib import Path
from typing import Any

import pytest

from vm import FLOOD_WINDOW, PROMPT, bootargs, build, decode, machine, run

COUNT = 100000         # decisions on one CPU, half as many on several; `make fuzz-guest COUNT=10000000` by hand


@pytest.mark.parametrize("cpu, seed, smp", [("cortex-a57", 1, 1), ("max", 2, 1), ("cortex-a57", 3, 4), ("max", 4, 8)])
def test_random_attacks(tmp_path: Path, cpu: str, seed: int, smp: int) -> None:
    """Several CPUs attack each other as well; each has a tally."""
    count = COUNT if smp == 1 else COUNT // 2
    elf = build("permissive", "GUEST=fuzz", f"SEED={seed}", f"COUNT={count}", tag=f"-fuzz{seed}")
    done = run(machine(elf, "-no-reboot", *bootargs(tmp_path, "unattended=1 log=quiet"), cpu=cpu, smp=smp))
    log = tmp_path / "fuzz.log"
    log.write_bytes(done.stdout)
    assert done.returncode == 0 and b"panic" not in done.stdout, done.stdout[-3000:]
    said = re.search(r"fuzz: seed \d+: (\d+) decisions in \d+ rounds, (\d+) tallies kept, 0 wrong, CPUs: (\d)",
                     decode(log, "console").stdout)
    assert said and int(said.group(1)) >= count and int(said.group(2)) > count // 2000, done.stdout[-3000:]
    assert int(said.group(3)) == smp
    assert b"reason=poweroff" in done.stdout


def test_vectors_that_fault_do_not_lock_the_operator_out(tmp_path: Path, console: Any) -> None:
    """The guest takes an exception whose vector cannot be fetched: exception upon exception, for ever."""
    elf = build("permissive", "GUEST=fuzz", "COUNT=1000", "STORM=1", tag="-storm")
    c = console(machine(elf, *bootargs(tmp_path, "log=quiet")))
    while c.child.expect([r"fuzz: storm", re.escape(PROMPT)]) != 0:
        c.send("cont\r")                            # the guest tries HV_PAUSE, too
    c.send("\x1dm")
    c.expect(PROMPT)
    assert "paused by key" in c.command("status") or "stopped: key" in c.command("status")
    assert "0x000000000c000" in c.command("regs")
    c.el2("vectors that fault:")
    c.send("poweroff\r")
    assert c.end() == 0


def test_floods_starve_nobody_and_hide_nothing(tmp_path: Path, console: Any) -> None:
    """Calls, characters, refusals, SGIs, input without a reader: the key opens the monitor, and the log is whole."""
    elf = build("permissive", "GUEST=fuzz", "STORM=2", tag="-floods")
    log = tmp_path / "floods.log"
    c = console(machine(elf, *bootargs(tmp_path, "log=notable")))
    with open(log, "w", encoding="utf-8", newline="") as kept:
        c.child.logfile_read = kept
        c.child.searchwindowsize = FLOOD_WINDOW
        c.expect("fuzz: floods")
        for kind in "12345":
            c.send(kind)
            c.expect("fuzz: flood\r?\n")
            if kind == "3":
                c.expect("0x90000100")
            if kind == "5":
                for _ in range(100):
                    c.send("x" * 100)               # more than the guest's receiver holds
            c.send("\x1dm")
            c.expect(PROMPT)
            c.child.searchwindowsize = None
            status = c.command("status")
            assert "stopped: key" in status or "paused by key" in status, status
            c.el2(f"flood {kind}:")
            c.child.searchwindowsize = FLOOD_WINDOW
            if kind != "5":
                c.send("cont\r")
        c.send("poweroff\r")
        assert c.end() == 0
    done = decode(log, "check")
    assert done.returncode == 0, done.stdout[-2000:]
    text = log.read_text(errors="replace")
    assert re.search(r"DENY .*0x9000abcd", text) and text.count(" DENY ") > 256, text[:3000]
    assert re.search(r"@Z .* lost=0 ", text)


@pytest.mark.parametrize("cpu", ["cortex-a57", "max"])
def test_attacks_with_a_name(tmp_path: Path, console: Any, cpu: str) -> None:
    """guest/attack tries each once. Then EL2 is as booted, obeys its operator, and its log has only its own records."""
    elf = build("tests/qemu/attacked.yaml", "GUEST=attack")
    log = tmp_path / "attack.log"
    (tmp_path / "disk").write_bytes(b"isk disk" * 64)
    words = machine(elf, *bootargs(tmp_path, "log=notable"), cpu=cpu, smp=2)
    words += ["-drive", f"file={tmp_path / 'disk'},if=none,id=d,format=raw", "-device", "virtio-blk-device,drive=d"]
    at = words.index("-serial")
    words[at:at + 2] = ["-chardev", f"stdio,id=uart,signal=off,logfile={log}", "-serial", "chardev:uart",
                        "-monitor", "none"]
    c = console(words)
    c.expect("attacks: (all held|some FAILED)")
    c.expect(PROMPT)
    c.el2(f"attacks on {cpu}:")
    c.send("cont\r\x1dm")
    c.expect(PROMPT)
    c.send("poweroff\r")
    assert c.end() == 0
    said = decode(log, "console").stdout
    tried = re.findall(r"^attack: (.*): (held|FAILED.*?)\r?$", said, re.M)
    assert len(tried) > 65 and all(outcome == "held" for _, outcome in tried), tried
    assert decode(log, "check").returncode == 0, decode(log, "check").stdout
    assert said.count("FORGED_EL1") == 6, "what the guest wrote, it wrote"
    records = decode(log, "json").stdout
    assert "FORGED" not in records and re.search(r"DENY.*0x9000abcd|0x9000abcd.*DENY", records)
