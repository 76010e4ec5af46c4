# SPDX-License-Identifier: Apache-2.0
"""A guest's first state: no trace of earlier state, on its first CPU and on others, whatever is exposed."""
import re
from pathlib import Path
from typing import Dict, Tuple

import pytest

from poison import plant, registers
from policygen.facts.arch import load_arch
from policygen.facts.controls import FLOOR
from vm import attacker, bootargs, build, machine, run

GIVEN = ("AMUSERENR_EL0", "PMBIDR_EL1", "TRBIDR_EL1")    # a control of EL1, which is cleared, and constants
# All registers, for the guest to read. One that EL2 can neither replay nor give is UNDEFINED, in both boots.
OPEN = """\
policy: 1
name: open
about: everything is let through, where it can be
platform: qemu-virt
features: { fp: expose, pmu: expose, sve: expose, sme: expose, mte: expose, pauth: expose, ras: expose, lor: expose,
            spe: hide }
sysregs: { default: allow }
mmio: { default: deny, uart0: { emulate: pl011 } }
hvc: { default: deny, hv: allow }
smc: { default: deny, psci: allow }
exceptions: { default: forward, WFX: allow }
"""
GUEST = """
#include "cpu.h"
#include "guest.h"
#include "run.h"
void main(void);
void main_again(void);
extern char second[];
u64 vectors_left(u64 which);
static const u32 code[] = { %s };
static const char *const names[] = { %s };
static volatile u32 done;
static void say(const char *t) { u64 n = 0; while (t[n]) n++; cpu_hvc(4, (u64)t, n, 0); }
static void show(u64 cpu, const char *name, u64 v)
{
    static char t[64];
    u64 n = 0;

    t[n++] = (char)('0' + cpu);
    t[n++] = ' ';
    while (*name)
        t[n++] = *name++;
    t[n++] = ' ';
    for (unsigned i = 0; i < 16; i++)
        t[n++] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
    t[n++] = 10;
    cpu_hvc(4, (u64)t, n, 0);
}
static void look(u64 cpu)
{
    volatile u32 *at = (volatile u32 *)(0x50100000 + cpu * 4096);
    volatile u64 *out = (volatile u64 *)(0x50000000 + cpu * 4096);

    for (unsigned i = 0; i < sizeof(code) / sizeof(*code); i++) {
        u64 x[31] = { 0 }, end;

        x[4] = (u64)out;
        at[0] = code[i];          /* mrs x5, ... */
        at[1] = 0xf9000085;       /* str x5, [x4] */
        at[2] = 0xd4000001;       /* svc #0 */
        asm volatile("dsb sy; ic iallu; dsb sy; isb" : : : "memory");
        end = run(x, (u64)at, 0x3c5);
        if ((end >> 26 & 0x3f) == 0x15)
            show(cpu, names[i], *out);
    }
    cpu_set_sysreg(cpacr_el1, 3UL << 24 | 3UL << 20 | 3UL << 16);
    for (u64 which = 0; which < 4; which++)
        show(cpu, which == 0 ? "V" : which == 1 ? "Z" : which == 2 ? "P" : "ZA", vectors_left(which));
}
void main_again(void)
{
    look(1);
    done = 1;
    for (;;)
        ;
}
void main(void)
{
    look(0);
    cpu_smc(0xc4000003, 1, (u64)second, 0);
    while (!done)
        ;
    say("looked\\n");
    cpu_smc(0x84000008, 0, 0, 0);
    for (;;)
        ;
}
"""
# All bits of V, Z, P and FFR, or ZA, ORed; 0 if the CPU has none. ZA is read as it is, without turning it on.
LEFT = """
    .arch armv8.2-a+fp+simd+sve
    .text
    .global vectors_left
vectors_left:
    mrs x1, id_aa64pfr0_el1
    ubfx x2, x1, #32, #4                /* SVE */
    mrs x3, id_aa64pfr1_el1
    ubfx x3, x3, #24, #4                /* SME */
    cmp x0, #1
    b.eq 1f
    cmp x0, #2
    b.eq 2f
    cmp x0, #3
    b.eq 3f
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    orr v0.16b, v0.16b, v\\n\\().16b
    .endr
    mov x0, v0.d[0]
    mov x1, v0.d[1]
    orr x0, x0, x1
    ret
1:  cbz x2, 9f
    mov x1, #15
    msr S3_0_C1_C2_0, x1                /* ZCR_EL1: every length */
    isb
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    orr z0.d, z0.d, z\\n\\().d
    .endr
    mov x0, #0
    adr x3, room
    str z0, [x3]
    rdvl x4, #1
4:  subs x4, x4, #8
    ldr x5, [x3, x4]
    orr x0, x0, x5
    b.ne 4b
    ret
2:  cbz x2, 9f
    mov x0, #0
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    cntp x1, p\\n, p\\n\\().b
    add x0, x0, x1
    .endr
    rdffr p0.b
    cntp x1, p0, p0.b
    add x0, x0, x1
    ret
3:  cbz x3, 9f
    mrs x0, S3_3_C4_C2_2                /* SVCR: SM, ZA */
    ret
9:  mov x0, #0
    ret
    .bss
    .balign 16
room:
    .space 256
"""


def opcode(key: int) -> str:
    return f"{0xd5200005 | (key >> 14) << 19 | (key >> 11 & 7) << 16 | (key >> 3 & 0xff) << 8 | (key & 7) << 5:#x}"


def opened(tree: Path) -> Path:
    """An image that writes a pattern into every register before a CPU's first state, and a guest that reads them."""
    plant(tree)
    (tree / "policy/open.yaml").write_text(OPEN)
    found = registers()
    attacker(tree, GUEST % (", ".join(opcode(key) for _, key in found),
                            ", ".join(f'"{name}"' for name, _ in found)), LEFT)
    for name, call in (("main.c", "vcpu_reset(c, guest.entry"), ("smp.c", "vcpu_reset(c, c->start_entry")):
        source = tree / "hv/boot" / name
        text = source.read_text()
        assert text.count(f"\t{call}") == 1
        text = text.replace(f"\t{call}", f"\tpoison(bootargs.image * 0x1111111111111111);\n\t{call}")
        if name == "smp.c":
            text = text.replace("#include", '#include "cpu/bootargs.h"\n#include', 1)
        at = text.rindex('#include "')
        at = text.index("\n", at) + 1
        source.write_text(text[:at] + '#include "boot/poison.h"\n' + text[at:])
    return build("open", "GUEST=attack", tree=tree)


def looked(elf: Path, folder: Path, cpu: str, pattern: int) -> Dict[Tuple[str, str], str]:
    done = run(machine(elf, "-no-reboot", *bootargs(folder, f"unattended=1 log=quiet image={pattern}"), cpu=cpu, smp=2))
    text = done.stdout.decode(errors="replace").replace("\r", "")
    assert done.returncode == 0 and "looked" in text and "panic" not in text, text[-3000:]
    return {(cpu_is, name): value for cpu_is, name, value in re.findall(r"^([01]) (\w+) ([0-9a-f]{16})$", text, re.M)}


@pytest.mark.parametrize("cpu", ["cortex-a57", "neoverse-n1", "max"])
def test_a_guest_finds_nothing_of_before(tree: Path, tmp_path: Path, cpu: str) -> None:
    """Two boots with different patterns at EL2: the guest sees the same values in both, and vectors are zero."""
    elf = opened(tree)
    one, other = (looked(elf, tmp_path, cpu, pattern) for pattern in (5, 10))
    assert one.keys() == other.keys() and len(one) > 2 * 100, len(one)
    differ = [f"{where}: {one[where]} {other[where]}" for where in one if one[where] != other[where]]
    assert not differ, differ
    assert {where: value for where, value in one.items() if where[1] in ("V", "Z", "P", "ZA") and int(value, 16)} == {}


def test_no_replay_gives_what_counts_for_the_machine() -> None:
    """Activity monitors, system PMUs, error records, snapshots, profiling, trace: a control of every policy traps the
    reads, and EL2 has no way to make them, so that nothing of before needs to be cleared."""
    kept = [register for register in load_arch().by_key.values() if register.kind == "reg" and register.reaches("read") and (
        register.group in ("amu", "spmu", "spe", "trbe", "trace") or re.match(r"ERX|PM\w+SVR\d*_EL1$", register.name))
        and register.name not in GIVEN]
    assert len(kept) > 300
    for register in kept:
        assert register.replay == "none", register.name
        assert set(register.controls("read")) & FLOOR.keys(), (register.name, register.controls("read"))
