# SPDX-License-Identifier: Apache-2.0
"""An endless loop in EL2 is reported; long work of another kind, and every guest, is left alone."""
import re
from pathlib import Path
from typing import Any

import pexpect

from vm import PROMPT, bootargs, build, machine, run

# The boot argument image= selects one; a bundled guest has no other use for it.
LOOPS = {
    "a trap": (1, "trap/trap.c", "\tswitch (v) {\n\tcase NEXT:\n", "for (;;)\n\t\tbarrier();"),
    "a wait for the lock": (2, "trap/trap.c", "\tswitch (v) {\n\tcase NEXT:\n",
                            "for (unsigned i = 0; i < 2; i++)\n\t\tspin_lock(&log_lock);"),
    "an interrupt": (3, "trap/trap.c", "\tif (park)\n", "for (;;)\n\t\tbarrier();"),
    "the work behind a trap": (4, "log/drain.c", "\tlog_drain(c, budget, notable_only);\n",
                               "while (c->log.seq > 9)\n\t\trelax();"),
    "the boot": (5, "boot/guestload.c", "\tif (bootargs.n_parts)\n", "for (;;)\n\t\tbarrier();"),
}


def edit(tree: Path, name: str, *pairs: str) -> None:
    path = tree / "hv" / name
    text = path.read_text()
    for old, new in zip(pairs[::2], pairs[1::2]):
        assert old in text, (name, old)
        text = text.replace(old, new)
    path.write_text(text)


def test_a_loop_without_an_end_is_reported(tree: Path, tmp_path: Path) -> None:
    for which, name, before, loop in LOOPS.values():
        edit(tree, name, before, f"\tif (bootargs.image == {which})\n\t\t{loop}\n{before}")
    for name in ("trap/trap.c", "log/drain.c"):
        edit(tree, name, '#include "log/drain.h"\n', '#include "log/drain.h"\n#include "cpu/bootargs.h"\n')
    elf = build("default", tree=tree)
    for name, (which, *_) in LOOPS.items():
        done = run(machine(elf, *bootargs(tmp_path, f"unattended=1 image={which}")))
        text = done.stdout.decode(errors="replace").replace("\r", "")
        assert done.returncode == 0, f"{name}: {text[-2000:]}"
        assert re.search(r"charter: panic: watchdog: no end for 4 s at EL2 \(SP_EL2\), CPU 0\nesr .*\nx0 .*\nsp .*\n"
                         r"calls( 400\w+)*\n(lock [^\n]*\n)*last decisions:\n", text, re.S), f"{name}: {text[-2000:]}"
        held = re.findall(r"^lock .*; CPU 0 has it", text, re.M)
        assert len(held) == (name in ("a wait for the lock", "the work behind a trap")), f"{name}: {text[-2000:]}"
        assert ("diagnostic guest: EL1" in text) == (name != "the boot")


def test_its_interrupt_may_come_anywhere(tree: Path, tmp_path: Path) -> None:
    """Thousands of looks (QEMU's -singlestep brings them between any two instructions): the guest does not notice."""
    edit(tree, "boot/watchdog.c", "sysreg_read(cntfrq_el0)", "331", "MISSES 3", "MISSES 1000000000")
    elf = build("default", tree=tree)
    done = run(machine(elf, "-icount", "shift=0,sleep=off", *bootargs(tmp_path, "unattended=1")))
    text = done.stdout.decode(errors="replace")
    assert done.returncode == 0 and re.search(r"diagnostic guest: \d+ passed, 0 failed", text), text[-3000:]


def test_what_lasts_for_another_reason_is_left_alone(console: Any) -> None:
    """A person at the monitor, with another CPU standing still, takes longer than all looks; so do CPUs that sleep."""
    code = 0x40200000
    c = console(machine(build("default"), smp=2))
    c.expect(PROMPT)
    for i, word in enumerate((0xD4000002, 0xD503207F, 0x17FFFFFF)):     # hvc #0: CPU_ON; wfi for ever, here and there
        c.command(f"w4 {code + 4 * i:#x} {word:#x}")
    for register, value in (("x0", 0xC4000003), ("x1", 1), ("x2", code + 4), ("pc", code)):
        c.command(f"set ${register} = {value:#x}")

    def waits() -> int:
        found = re.search(r"^exceptions +(\d+) ", c.command("traps"), re.M)
        assert found
        return int(found.group(1))

    def sleep(seconds: int) -> None:
        c.send("cont\r")
        c.expect("guest resumes")
        assert c.child.expect([pexpect.TIMEOUT, "panic"], timeout=seconds) == 0
        c.send("\x1dm")
        c.expect(PROMPT)

    sleep(1)
    before = waits()
    sleep(5)
    assert c.child.expect([pexpect.TIMEOUT, "panic"], timeout=10) == 0
    assert waits() - before < 10, "only what the keys bring: the watchdog wakes nobody"
    c.send("poweroff\r")
    assert c.end() == 0
