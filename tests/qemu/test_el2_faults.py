# SPDX-License-Identifier: Apache-2.0
"""Faults planted in EL2: each ends in a report with the frame and the last decisions, never in silence."""
import re
from pathlib import Path
from typing import Any

import pytest

from poison import plant
from vm import PROMPT, bootargs, build, machine, run

# The boot argument image= selects one; a bundled guest has no other use for it.
PLANT = """
static u32 data_code[] = { 0xd65f03c0 };
extern char __text_start[], __rodata_start[], __tables_start[], vectors[];
static unsigned poisoned, there;
static u64 __attribute__((noinline)) deep(volatile u64 *p)
{
    volatile u64 here[32];

    here[0] = (u64)p;
    return deep(here) + here[0];
}
static void reset_twice(void)
{
    static u64 before[N_NAMES], after[N_NAMES];
    struct cpu *c = this_cpu();

    there = poison(0x5555555555555555);
    vgic_cpu_init(c);
    vcpu_reset(c, 0, 0);
    look(before);
    poison(0xaaaaaaaaaaaaaaaa);
    look(after);
    for (unsigned i = 0; i < N_NAMES; i++)
        poisoned += before[i] != after[i];
    vgic_cpu_init(c);
    vcpu_reset(c, 0, 0);
    look(after);
    for (unsigned i = 0; i < N_NAMES; i++)
        if (before[i] != after[i])
            kprintf("left: %s %lx %lx\\n", names[i], before[i], after[i]);
    panic("reset: %u of %u registers had other values", poisoned, there);
}
static void refused_access(void)
{
    u64 v;
    bool read = guarded_read(0x0c000000, 4, &v); /* nothing answers there */

    panic("guarded %u: far 0x%lx ec 0x%lx", read, el2_fault[1], el2_fault[2] >> 26);
}
static void fault(unsigned which)
{
    switch (which) {
    case 1: *(volatile u32 *)__text_start = 0; break;
    case 2: *(volatile u32 *)__rodata_start = 0; break;
    case 3: ((void (*)(void))data_code)(); break;
    case 4: ((void (*)(void))0x42000000)(); break;
    case 5: deep(NULL); break;
    case 6: asm volatile("udf #0"); break;
    case 7: *(volatile u64 *)0x80000000 = 0; break;
    case 8: asm volatile("msr spsel, #0; udf #0"); break;
    case 9: *(volatile u64 *)(__tables_start + 0x1ff8) = 1; break;
    case 10: gic_send_sgi(0, SGI_KICK); asm volatile("msr daifclr, #2"); for (;;) wfi();
    case 11: ((void (*)(void))(vectors + 0x380))(); break;  /* no model of QEMU can be given a physical SError */
    case 12: refused_access(); break;
    case 13: spin_lock(&line_lock); asm volatile("udf #0"); break;
    case 14: panic("%s", (const char *)0x80000000); break;  /* the report itself faults */
    case 20: reset_twice(); break;
    }
}
"""

REPORTS = {
    "a write to text": (1, r"synchronous exception at EL2 \(SP_EL2\).*esr 000000009[67][0-9a-f]{4}4f"),
    "a write to constants": (2, r"synchronous exception at EL2 \(SP_EL2\).*esr 000000009[67][0-9a-f]{4}4f"),
    "a jump into data": (3, r"synchronous exception at EL2 \(SP_EL2\).*esr 000000008600000[df]"),
    "a jump into the guest's memory": (4, r"synchronous exception at EL2 \(SP_EL2\).*esr 000000008600000[def]"),
    "the stack's guard page": (5, r"stack overflow.*esr 000000009[67][0-9a-f]{4}47"),
    "an undefined instruction": (6, r"synchronous exception at EL2 \(SP_EL2\).*esr 0000000002000000"),
    "an address that is not mapped": (7, r"exception at EL2 \(SP_EL2\).*esr 000000009[67][0-9a-f]{4}4[567]"),
    "SP_EL0 selected": (8, r"synchronous exception at EL2 \(SP_EL0\).*esr 0000000002000000"),
    "an interrupt": (10, r"IRQ at EL2 \(SP_EL2\)"),
    "an SError": (11, r"SError at EL2 \(SP_EL2\)"),
    "the lock held": (13, r"synchronous exception at EL2 \(SP_EL2\).*esr 0000000002000000"),
    "a device that refuses": (12, r"guarded 0: far 0xc000000 ec 0x25"),
    "a fault in the report": (14, r"\n+charter: panic in panic\n"),
    "a table that changes": (9, r"EL2's text, constants or tables have changed since boot"),
}


def planted(tree: Path) -> Path:
    plant(tree)
    main = tree / "hv/boot/main.c"
    text = main.read_text()
    assert text.count("\tc->online = true;\n") == 1 and text.count("\nvoid main(void)\n{") == 1
    text = text.replace("\tc->online = true;\n", "\tfault(bootargs.image);\n\tc->online = true;\n")
    planting = '#include "boot/poison.h"\n#include "cpu/locks.h"\n' + PLANT
    main.write_text(text.replace("\nvoid main(void)\n{", planting + "\nvoid main(void)\n{"))
    flags = (tree / "Makefile").read_text()
    (tree / "Makefile").write_text(flags.replace("-Wstack-usage=1024", "-Wno-infinite-recursion"))
    return build("default", tree=tree)


def test_every_fault_of_el2_is_reported(tree: Path, tmp_path: Path, console: Any) -> None:
    elf = planted(tree)
    for name, (which, expected) in REPORTS.items():
        done = run(machine(elf, *bootargs(tmp_path, f"unattended=1 image={which}")))
        text = done.stdout.decode(errors="replace")
        assert done.returncode == 0, f"{name}: {text[-2000:]}"
        assert re.search(r"charter: panic: .*" + expected, text.replace("\r", ""), re.S), f"{name}: {text[-2000:]}"
        if which not in (9, 12, 14):
            assert re.search(r"\nx0 .*\nlast decisions:", text.replace("\r", ""), re.S), f"{name}: {text[-2000:]}"
            assert "diagnostic guest: EL1" not in text, name
    c = console(machine(elf, *bootargs(tmp_path, "image=13")))
    c.expect("charter: panic")
    c.expect(PROMPT)                                # attended: the monitor opens
    assert re.search(r"fault +last: elr 0x4\w+  far 0x\w+  esr 0x2000000\r?\n", c.command("el2"))
    c.send("poweroff\r")
    assert c.end() == 0


@pytest.mark.parametrize("cpu", ["cortex-a57", "max"])
def test_reset_leaves_nothing_of_what_was_there(tree: Path, tmp_path: Path, cpu: str) -> None:
    done = run(machine(planted(tree), *bootargs(tmp_path, "unattended=1 image=20"), cpu=cpu))
    text = done.stdout.decode(errors="replace")
    said = re.search(r"panic: reset: (\d+) of (\d+) registers had other values", text)
    assert done.returncode == 0 and said and "left: " not in text, text[-3000:]
    assert int(said.group(1)) > 60, "the poison was none"
