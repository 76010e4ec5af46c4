# SPDX-License-Identifier: Apache-2.0
"""CPUs at the same time: one is at the monitor while others stand still; one that goes off can be turned on."""
import re
from pathlib import Path
from typing import Any

import pexpect

from vm import PROMPT, bootargs, build, decode, machine, run

CODE, DATA = 0x40200000, 0x40300000
ON_AND_PAUSE = (0xAA0703E0, 0xD4000002, 0xD2800060, 0xD4000002, 0x14000000)  # hvc #0 (x7: CPU_ON); PAUSE; b .
COUNT = (0xD2A80606, 0x910004A5, 0xF90000C5, 0x17FFFFFE)                     # [DATA] = 1, 2, 3, ...


def edit(tree: Path, name: str, old: str, new: str) -> None:
    path = tree / "hv" / name
    text = path.read_text()
    assert old in text, (name, old)
    path.write_text(text.replace(old, new))


def test_two_want_the_monitor(tree: Path, console: Any) -> None:
    """Two CPUs pause at once: each has the monitor in turn and for as long as it likes, a third stands still
    throughout."""
    wait = "\tfor (u64 end = counter() + sysreg_read(cntfrq_el0) / 5; counter() < end;)\n\t\trelax();\n"
    edit(tree, "operator/monitor.c", "\tsmp_stop_others(c);\n\t/*", f"{wait}\tsmp_stop_others(c);\n\t/*")
    c = console(machine(build("default", tree=tree), smp=4))
    c.expect(PROMPT)
    for i, word in enumerate((*ON_AND_PAUSE, *COUNT)):
        c.command(f"w4 {CODE + 4 * i:#x} {word:#x}")
    counts = [0]
    for cpu, entry in ((3, CODE + 20), (1, CODE + 8), (0, 0)):
        if cpu:
            for register, value in (("x7", 0xC4000003), ("x1", cpu), ("x2", entry), ("pc", CODE)):
                c.command(f"set ${register} = {value:#x}")
        c.send("cont\r")
        c.expect(r"mon\+ why=pause")
        c.expect(PROMPT)
        for _ in range(3):
            counts += [int(re.findall(r" (0x[0-9a-f]{16})\b", c.command(f"x/1g {DATA:#x}"))[-1], 16)]
    assert 0 < counts[1] == counts[2] == counts[3] <= counts[4] == counts[5] == counts[6], counts
    assert counts[6] <= counts[7] == counts[8] == counts[9], f"it runs while the second has the monitor: {counts}"
    assert c.child.expect([pexpect.TIMEOUT, "panic"], timeout=6) == 0, "a person at the monitor is no loop"
    c.send("poweroff\r")
    assert c.end() == 0


def test_a_cpu_that_is_off_can_be_turned_on(tree: Path, tmp_path: Path) -> None:
    """A CPU may take long to go off after it said so: the hostile guest counts each refused CPU_ON as wrong."""
    edit(tree, "boot/smp.c", "\tsmc(PSCI_CPU_OFF",
         "\tfor (u64 end = counter() + 20000; counter() < end;)\n\t\trelax();\n"
         "\tsmc(PSCI_CPU_OFF")
    elf = build("permissive", "GUEST=fuzz", "SEED=3", "COUNT=60000", tree=tree)
    done = run(machine(elf, "-no-reboot", *bootargs(tmp_path, "unattended=1 log=quiet"), smp=4))
    assert done.returncode == 0 and b"panic" not in done.stdout, done.stdout[-3000:]
    log = tmp_path / "fuzz.log"
    log.write_bytes(done.stdout)
    assert re.search(r"tallies kept, 0 wrong, CPUs: 4", decode(log, "console").stdout), done.stdout[-3000:]
