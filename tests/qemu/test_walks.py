# SPDX-License-Identifier: Apache-2.0
"""A guest whose stage 1 tables are the registers of a device that it may use: neither the machine nor EL2 walks them."""
import re
from pathlib import Path

from vm import bootargs, build, machine, run

POLICY = """# SPDX-License-Identifier: Apache-2.0
policy: 1
name: walks
about: A real device without a trap, and cache maintenance that EL2 does for the guest.
platform: qemu-virt
extends: permissive
waive: { no-real-device: gpio is one }
sysregs: { cache: { do: allow, log: always } }
mmio: { gpio: { do: allow, log: never, why: its pages are the guest's own } }
"""
GUEST = """
#include "caught.h"
#include "cpu.h"
struct caught caught;
bool quietly;
void main(void);
static u64 l1[512] __attribute__((aligned(4096)));
static void say(u64 v)
{
    char text[17];

    for (unsigned i = 0; i < 16; i++)
        text[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
    text[16] = '\\n';
    cpu_hvc(4, (u64)text, 17, 0);
}
void main(void)
{
    l1[0] = 0x09030000UL | 3;
    l1[1] = 0x40000000UL | 1 | BIT(10) | 1 << 2;
    cpu_set_sysreg(mair_el1, 0x44UL << 8);
    cpu_set_sysreg(tcr_el1, 25UL | 1UL << 23 | 2UL << 32);
    cpu_set_sysreg(ttbr0_el1, (u64)l1);
    asm volatile("dsb sy; tlbi vmalle1; dsb sy; isb" : : : "memory");
    cpu_set_sysreg(sctlr_el1, 0x30d00801UL);
    CATCH(cpu_read(0x1000, 2));
    say(caught.esr);
    CATCH(asm volatile("dc civac, %0" : : "r"(0x1000UL) : "memory"));
    say(caught.esr);
    cpu_smc(0x84000008, 0, 0, 0);
    cpu_hvc(0x84000008, 0, 0, 0);
}
"""


def test_tables_in_a_device_are_not_walked(tree: Path, tmp_path: Path) -> None:
    (tree / "policy" / "walks.yaml").write_text(POLICY, encoding="utf-8")
    (tree / "guest" / "sweep" / "sweep.c").write_text(GUEST, encoding="utf-8")
    elf = build("walks", "GUEST=sweep", tree=tree)
    done = run(machine(elf, *bootargs(tmp_path, "unattended=1 log=quiet")))
    assert done.returncode == 0 and b"panic" not in done.stdout, done.stdout[-2000:]
    said = [int(word, 16) for word in re.findall(rb"^([0-9a-f]{16})\r?$", done.stdout, re.M)]
    assert len(said) == 2, done.stdout[-2000:]
    assert said[0] >> 26 == 0x25 and said[0] & 0x3c == 0x14, f"{said[0]:#x}: an abort on the walk"
    assert said[1] >> 26 == 0x25 and said[1] & 0x3c == 0x14, f"{said[1]:#x}: an abort on the walk"
