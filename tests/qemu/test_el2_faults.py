# SPDX-License-Identifier: Apache-2.0
"""EL2's own mistakes, planted: each ends in a report with the frame and the last decisions, never in silence."""
import re
from pathlib import Path
from typing import Any

from vm import PROMPT, bootargs, build, machine, run

# The boot argument image= selects one; a bundled guest has no other use for it.
PLANT = """
static u32 data_code[] = { 0xd65f03c0 };
extern char __text_start[], __text_end[], __tables_start[];
static u64 __attribute__((noinline)) deep(volatile u64 *p)
{
    volatile u64 here[32];

    here[0] = (u64)p;
    return deep(here) + here[0];
}
static void fault(unsigned which)
{
    switch (which) {
    case 1: *(volatile u32 *)__text_start = 0; break;
    case 2: *(volatile u32 *)__text_end = 0; break;
    case 3: ((void (*)(void))data_code)(); break;
    case 4: ((void (*)(void))0x42000000)(); break;
    case 5: deep(NULL); break;
    case 6: asm volatile("udf #0"); break;
    case 7: *(volatile u64 *)0x80000000 = 0; break;
    case 8: asm volatile("msr spsel, #0; udf #0"); break;
    case 9: *(volatile u64 *)(__tables_start + 0x1ff8) = 1; break;
    }
}
"""

REPORTS = {
    "a write to text": (1, r"synchronous exception at EL2 \(SP_EL2\).*esr 000000009[67][0-9a-f]{4}4f"),
    "a write to constants": (2, r"synchronous exception at EL2 \(SP_EL2\).*esr 000000009[67][0-9a-f]{4}4f"),
    "a jump into data": (3, r"synchronous exception at EL2 \(SP_EL2\).*esr 000000008600000[df]"),
    "a jump into the guest's memory": (4, r"synchronous exception at EL2 \(SP_EL2\).*esr 000000008600000[def]"),
    "the stack's guard page": (5, r"stack overflow.*esr 0000000096000047"),
    "an undefined instruction": (6, r"synchronous exception at EL2 \(SP_EL2\).*esr 0000000002000000"),
    "an address that is not mapped": (7, r"exception at EL2 \(SP_EL2\).*esr 000000009[67][0-9a-f]{4}4[567]"),
    "SP_EL0 selected": (8, r"synchronous exception at EL2 \(SP_EL0\).*esr 0000000002000000"),
    "a table that changes": (9, r"EL2's text, constants or tables have changed since boot"),
}


def planted(tree: Path) -> Path:
    main = tree / "hv" / "main.c"
    text = main.read_text()
    assert text.count("\tc->online = true;\n") == 1 and text.count("\nvoid main(void)\n{") == 1
    text = text.replace("\tc->online = true;\n", "\tfault(bootargs.image);\n\tc->online = true;\n")
    main.write_text(text.replace("\nvoid main(void)\n{", PLANT + "\nvoid main(void)\n{"))
    flags = (tree / "Makefile").read_text()
    (tree / "Makefile").write_text(flags.replace("-Wstack-usage=1024", "-Wno-infinite-recursion"))
    return build("default", tree=tree)


def test_every_fault_of_el2_is_reported(tree: Path, tmp_path: Path, console: Any) -> None:
    elf = planted(tree)
    for name, (which, expected) in REPORTS.items():
        done = run(machine(elf, *bootargs(tmp_path, f"unattended=1 image={which}")), timeout=60)
        text = done.stdout.decode(errors="replace")
        assert done.returncode == 0, f"{name}: {text[-2000:]}"
        assert re.search(r"charter: panic: .*" + expected, text, re.S), f"{name}: {text[-2000:]}"
        if which != 9:
            assert re.search(r"\nx0 .*\nlast decisions:", text.replace("\r", ""), re.S), f"{name}: {text[-2000:]}"
            assert "diagnostic guest: EL1" not in text, name
    c = console(machine(elf, *bootargs(tmp_path, "image=6")))
    c.expect("charter: panic")
    c.expect(PROMPT)                                # somebody is there: the monitor opens
    assert "elr" in c.command("el2").lower()
    c.send("poweroff\r")
    assert c.end() == 0
