# SPDX-License-Identifier: Apache-2.0
"""EL2's accesses in the guest's place: exactly the decided one, and a register that it lacks is UNDEFINED."""
import json
import re
from pathlib import Path
from typing import Any

import pytest

from test_debug import CODE, program
from vm import PROMPT, attacker, bootargs, build, decode, machine, run

POLICY = """\
policy: 1
name: exchanged
platform: qemu-virt
features: { sve: hide, sme: hide, mte: hide, pauth: hide, ras: hide, lor: hide, spe: hide }
sysregs: { default: allow, ACTLR_EL1: { do: deny, log: never }, timer-phys: { do: deny, log: never } }
mmio: { default: deny, uart0: { emulate: pl011 } }
hvc: { default: deny, HV_CONSOLE_WRITE: allow, PSCI_CPU_ON: allow, PSCI_SYSTEM_OFF: allow }
smc: { default: deny }
exceptions: { default: forward, WFX: allow }
"""
# One CPU reads ACTLR_EL1, which the operator has let pass; the other replaces the instruction by a read of
# CNTP_TVAL_EL0, which is denied.
GUEST = """
#include "cpu.h"
#include "guest.h"
#include "run.h"
void main(void);
void main_again(void);
extern char second[];
#define CODE ((volatile u32 *)0x50100000UL)
#define OUT  ((volatile u64 *)0x50000000UL)
static volatile u32 go;
static void say(const char *name, u64 v)
{
    static char t[40];
    u64 n = 0;

    while (*name)
        t[n++] = *name++;
    for (unsigned i = 0; i < 8; i++)
        t[n++] = "0123456789abcdef"[v >> (28 - 4 * i) & 15];
    t[n++] = 10;
    cpu_hvc(4, (u64)t, n, 0);
}
void main_again(void)
{
    go = 1;
    for (;;) {
        for (volatile unsigned i = 0; i < 400; i++)
            ;
        *CODE = 0xd53be205; /* mrs x5, cntp_tval_el0 */
        asm volatile("dsb sy; ic ialluis; dsb sy; isb");
        for (volatile unsigned i = 0; i < 400; i++)
            ;
        *CODE = 0xd5381025; /* mrs x5, actlr_el1 */
        asm volatile("dsb sy; ic ialluis; dsb sy; isb");
    }
}
void main(void)
{
    u64 reached = 0, undef = 0, passed = 0;

    CODE[0] = 0xd5381025;
    CODE[1] = 0xf9000085; /* str x5, [x4] */
    CODE[2] = 0xd4000001;
    asm volatile("dsb sy; ic iallu; dsb sy; isb");
    cpu_hvc(0xc4000003, 1, (u64)second, 0);
    while (!go)
        ;
    for (u64 n = 0; n < 20000; n++) {
        u64 x[31] = { 0 }, end;

        x[4] = (u64)OUT;
        x[5] = 0x5555;
        *OUT = 0x7777;
        end = run(x, (u64)CODE, 0x3c5);
        undef += (end >> 26 & 0x3f) == 0;
        passed += (end >> 26 & 0x3f) != 0 && *OUT == 0;
        reached += (end >> 26 & 0x3f) != 0 && *OUT != 0;
    }
    say("undef=", undef);
    say("passed=", passed);
    say("reached=", reached);
    cpu_hvc(0x84000008, 0, 0, 0);
}
"""


@pytest.mark.parametrize("cpu", ["cortex-a57", "max"])
def test_what_is_let_pass_can_not_be_exchanged(tree: Path, tmp_path: Path, cpu: str) -> None:
    (tree / "policy/exchanged.yaml").write_text(POLICY)
    attacker(tree, GUEST)
    elf = build("exchanged", "GUEST=attack", tree=tree)
    rules = json.loads((elf.parent / "gen/rules.json").read_text())["rules"]
    rule = next(rule["rule"] for rule in rules if rule["name"] == "ACTLR_EL1")
    words = bootargs(tmp_path, f'unattended=1 log=quiet hv.init="rule r{rule} would; cont"')
    done = run(machine(elf, "-no-reboot", *words, cpu=cpu, smp=2))
    text = done.stdout.decode(errors="replace")
    count = {name: int(value, 16) for name, value in re.findall(r"(undef|passed|reached)=(\w{8})", text)}
    assert count.get("reached") == 0 and count["passed"] > 100 and sum(count.values()) == 20000, text[-3000:]


def test_a_register_that_el2_lacks_is_undefined_and_told(tree: Path, tmp_path: Path, console: Any) -> None:
    """PMXEVTYPER_EL0 may be UNDEFINED with a selector out of range. QEMU's never is, so its replay stub is made
    UNDEFINED."""
    elf = build("permissive", tree=tree)
    replay = elf.parent / "gen/replay.S"
    text = re.sub(r"\tm(rs\tx0, S3_3_C9_C13_1|sr\tS3_3_C9_C13_1, x0)\b", r"\tudf\t#0", replay.read_text())
    assert len(re.findall(r"udf\t#0\t*/\*.*PMXEVTYPER_EL0 \*/\n\tret", text)) == 2
    replay.write_text(text)
    build("permissive", tree=tree)
    log = tmp_path / "uart.log"
    c = console(machine(elf))
    with open(log, "w", encoding="utf-8", newline="") as kept:
        c.child.logfile_read = kept
        c.expect(PROMPT)
        for insn in (0xD53B9D21, 0xD51B9D21):       # mrs x1, pmxevtyper_el0; msr pmxevtyper_el0, x1
            program(c, insn)
            c.command("set $x1 = 0x1234")
            c.command("step")
            said = c.command("regs") + c.command("sysregs esr_el1") + c.command("sysregs elr_el1")
            assert re.search(r"x1 +0x0*1234\b", said) and "EC=0" in said and f"{CODE:016x}" in said, said
        assert "text, constants and tables as at boot" in c.command("el2")
        told = c.command("log tail 40")
        assert re.search(r"INJECT r\d+ msr.r PMXEVTYPER_EL0 pc=", told), told
        assert re.search(r"INJECT r\d+ msr.w PMXEVTYPER_EL0=0x1234 pc=", told), told
        c.send("poweroff\r")
        assert c.end() == 0
    assert decode(log, "check").returncode == 0, decode(log, "check").stdout
