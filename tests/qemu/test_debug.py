# SPDX-License-Identifier: Apache-2.0
"""Stops, steps and changes: small programs are written into the paused guest and watched from the monitor."""
import re
import time
from pathlib import Path
from typing import Any, List, Tuple


from vm import PROMPT, bootargs, build, machine

CODE = 0x40200000
DATA = 0x40300000
SPIN = 0x14000000                # b .
NOP = 0xD503201F
READ_CNTVCT = 0xD53BE041         # mrs x1, CNTVCT_EL0
READ_PMCCNTR = 0xD53B9D01        # mrs x1, PMCCNTR_EL0: denied by policy/default.yaml
MOV_X2_7 = 0xD28000E2
ADD_X2_1 = 0x91000442
STR_X2_X3 = 0xF9000062
LOOP = 0x14000000
HVC = 0xD4000002


def back(words: int) -> int:
    return 0x14000000 | (-words & 0x3FFFFFF)


def program(c: Any, *words: int) -> None:
    """Writes these instructions to CODE and points the PC there."""
    for i, word in enumerate(words):
        assert "icache cleaned" in c.command(f"w4 {CODE + 4 * i:#x} {word:#x}")
    assert "->" in c.command(f"set $pc = {CODE:#x}")


def paused(console: Any, *words: int, profile: str = "default", extra: List[str] = [], smp: int = 1) -> Any:
    c = console(machine(build(profile), *extra, smp=smp))
    c.expect(PROMPT)
    if words:
        program(c, *words)
    return c


def pc(c: Any) -> int:
    found = re.search(r"pc  (0x\w+)", c.command("regs"))
    assert found
    return int(found.group(1), 16)


def off(c: Any) -> str:
    c.send("poweroff\r")
    assert c.end() == 0
    return str(c.child.before)


def test_steps_go_one_instruction_at_a_time(console: Any) -> None:
    c = paused(console, MOV_X2_7, ADD_X2_1, NOP, SPIN)
    said = c.command("step")
    assert f" > {CODE + 4:#x}  91000442  add x2, x2, #0x1" in said
    assert said.count("@") == 2, "of a step the log says that the guest went on and that it stopped"
    assert f" > {CODE + 12:#x}  14000000  b {CODE + 12:#x}" in c.command("step 2")
    assert re.search(r"x2 .*0x0000000000000008", c.command("regs"))
    assert f" > {CODE + 12:#x}" in c.command("step -i 3")  # a branch to itself is a step too
    off(c)


def test_a_trapped_instruction_is_one_step(console: Any) -> None:
    c = paused(console, 0xD53800C0, NOP, SPIN)  # mrs x0, REVIDR_EL1: a constant of the policy
    assert f" > {CODE + 4:#x}" in c.command("step")
    assert "0x0000000043484152" in c.command("regs -c")
    off(c)


def test_steps_cross_an_exclusive_pair(console: Any) -> None:
    """ldxr, add, stxr, cbnz to the ldxr: stepped one by one the store would never succeed."""
    c = paused(console, 0xC85F7C62, ADD_X2_1, 0xC8047C62, 0x35FFFFA4, SPIN)
    c.command(f"set $x3 = {DATA:#x}")
    c.command(f"w8 {DATA:#x} 41")
    assert f" > {CODE + 12:#x}" in c.command("step")
    assert f" > {CODE + 16:#x}" in c.command("step")
    assert "0x000000000000002a" in c.command(f"x {DATA:#x}")

    # A branch out of the pair, taken or not; no store-exclusive at all; no breakpoint left to bridge it.
    program(c, 0xC85F7C62, 0xB5000082, ADD_X2_1, 0xC8047C62, NOP, SPIN)
    for value, end in ((0, 16), (41, 20)):
        c.command(f"w8 {DATA:#x} {value}")
        c.command(f"set $pc = {CODE:#x}")
        assert f" > {CODE + end:#x}" in c.command("step"), value
    for n in range(5):
        c.command(f"bp {CODE + 0x40 + 4 * n:#x}")
    c.command(f"set $pc = {CODE:#x}")
    assert f" > {CODE + 4:#x}" in c.command("step") and "5 of 6" in c.command("bp -l")
    program(c, 0xC85F7C62, *[NOP] * 32, SPIN)
    assert f" > {CODE + 4:#x}" in c.command("step")
    off(c)


def test_breakpoints_conditions_and_logpoints(console: Any) -> None:
    c = paused(console, 0xD2800002, ADD_X2_1, NOP, back(2))
    assert "breakpoint 0 of 6" in c.command(f"bp {CODE + 8:#x} if $x2 == 5")
    assert f" > {CODE + 8:#x}" in c.command("cont")
    assert "0x0000000000000005" in c.command("regs -c")
    assert "1 hits" in c.command("bp -l")
    c.command("bp -d 0")
    c.command(f"bp {CODE + 4:#x} log")
    c.command(f"bp {CODE + 8:#x} if $x2 > 9")
    assert c.command("cont").count('mark "logpoint') == 5
    assert re.search(r"x2 .*0x000000000000000a", c.command("regs"))
    assert "breakpoint" in c.command("status")
    c.command("bp -d 1")
    for test, at, seen in (("!= 11", 8, 12), ("< 2", 8, 1)):
        c.command(f"bp {CODE + at:#x} if $x2 {test}")
        if seen == 1:
            c.command(f"set $pc = {CODE:#x}")
        c.command("cont")
        assert re.search(rf"x2 .*0x{seen:016x}", c.command("regs")), test
        c.command("bp -d 1")
    c.command(f"bp {CODE + 8:#x} if $x2 > 99")
    for n in range(4):
        assert "breakpoint" in c.command(f"bp {CODE + 0x40 + 4 * n:#x}")
    assert "all 6 breakpoints" in c.command(f"bp {CODE + 0x80:#x}")
    off(c)


def test_the_guests_own_exceptions_and_watchpoints_stay_its_own(console: Any) -> None:
    """With breakpoints of the operator's in use a BRK still goes to EL1, and DBGWVR0 holds what EL1 wrote."""
    c = paused(console, 0xD51000C3, 0xD53000C1,                 # DBGWVR0_EL1 = x3, and back into x1
               0xD518C003, 0xD5033FDF, 0xD4200020, SPIN)        # VBAR_EL1 = x3, isb, brk #1
    c.command(f"set $x3 = {DATA:#x}")
    c.command(f"w4 {DATA + 0x200:#x} {NOP:#x}")
    c.command(f"bp {DATA + 0x200:#x}")
    assert f" > {DATA + 0x200:#x}" in c.command("cont")
    assert re.search(rf"x1 .*0x{DATA:016x}", c.command("regs"))
    assert "0x00000000f2000001" in c.command("sysregs esr_el1")
    for at, value in ((0xff8, 0x1122334455667788), (0x1000, 0x99aabbccddeeff00)):
        c.command(f"w8 {DATA + at:#x} {value:#x}")
    assert "0x22 0x11 0x00 0xff" in c.command(f"x/4b {DATA + 0xffe:#x}"), "from one page into the next"

    program(c, 0xB9400C61, SPIN)                        # ldr w1, [x3, #12]: the clock is always on
    c.command("set $x3 = 0x9010000")
    assert f" > {CODE + 4:#x}" in c.command("step")
    assert re.search(r"x1 +0x0000000000000001", c.command("regs"))

    # A record waits for the end of the guest's line, but half a second at most; live it comes at once.
    c.command("bp -d 0")
    c.command(f"w4 {DATA + 0x200:#x} {SPIN:#x}")
    for mode, live, refused in (("notable", "off", READ_PMCCNTR), ("notable", "on", 0xD51B9D01), ("quiet", "on", HVC)):
        c.command(f"log mode {mode}")
        program(c, 0xB9000062, refused, SPIN)           # str w2, [x3]
        for register, value in (("x0", 0x86000000), ("x2", 0x61), ("x3", 0x09000000)):
            c.command(f"set ${register} = {value:#x}")
        c.command(f"log live {live}")
        c.send("cont\r")
        c.expect("guest resumes")
        c.expect(" DENY .* (PMCCNTR|0x86)")
        c.send("\x1dm")
        c.expect(PROMPT)
    off(c)


def test_watchpoints_stop_before_the_access(console: Any) -> None:
    c = paused(console, MOV_X2_7, STR_X2_X3, 0xF9400065, NOP, SPIN)  # str x2, [x3]; ldr x5, [x3]
    c.command(f"set $x3 = {DATA:#x}")
    c.command(f"w8 {DATA:#x} 1")
    assert "watchpoint 0 of 4" in c.command(f"wp w {DATA:#x} 8")
    assert f" > {CODE + 4:#x}  f9000062  str x2, [x3]" in c.command("cont")
    assert "0x0000000000000001" in c.command(f"x {DATA:#x}")
    assert f" > {CODE + 8:#x}" in c.command("step")
    assert "0x0000000000000007" in c.command(f"x {DATA:#x}")
    c.command("wp -d 0")
    c.command(f"wp r {DATA:#x} 4")
    assert f" > {CODE + 8:#x}  f9400065  ldr x5, [x3]" in c.command("cont")
    c.send("cont\r")
    c.expect("guest resumes")
    c.send("\x1dm")
    c.expect(PROMPT)
    assert pc(c) == CODE + 16
    off(c)


def test_until(console: Any) -> None:
    c = paused(console, MOV_X2_7, 0xD53800C0, NOP, 0xD53800C0, SPIN)
    assert f" > {CODE + 8:#x}" in c.command(f"until {CODE + 8:#x}")
    stopped = c.command("until trap")
    assert f" > {CODE + 16:#x}" in stopped and "REVIDR_EL1" in c.command("why"), "the trap it stopped at, logged or not"
    found = re.search(r"(\d+\.\d+) s guest", c.command("status"))
    assert found
    want = float(found.group(1)) + 0.4
    assert f" > {CODE + 16:#x}" in c.command(f"until {want:.3f}s")
    now = re.search(r"(\d+\.\d+) s guest", c.command("status"))
    assert now and want <= float(now.group(1)) < want + 0.3
    c.command(f"set $lr = {CODE + 16:#x}")
    c.command(f"set $pc = {CODE:#x}")
    assert f" > {CODE + 16:#x}" in c.command("until lr")
    off(c)


def test_a_stop_is_hidden_from_cntvct_or_not(console: Any) -> None:
    c = paused(console, READ_CNTVCT, NOP, SPIN)

    def look() -> Tuple[int, int, int]:
        """CNTVOFF, the guest's own reading, and the time that it stood still before it."""
        c.command(f"set $pc = {CODE:#x}")
        said = c.command("step")
        paused_for = re.search(r"mon- paused=(\d+)\.(\d{9})", said)
        offset = re.search(r"CNTVOFF_EL2 +0x([0-9a-f]+)", c.command("sysregs cntvoff"))
        read = re.search(r"x1  0x([0-9a-f]+)", c.command("regs"))
        assert paused_for and offset and read
        stood = int(paused_for.group(1) + paused_for.group(2)) // 16  # 62.5 MHz
        return int(offset.group(1), 16), int(read.group(1), 16), stood

    before, _, _ = look()
    hidden, _, stood = look()
    assert hidden - before >= stood > 0
    assert "goes on" in c.command("time hide off")
    same, first, _ = look()
    still, second, stood = look()
    assert same == still == hidden and second - first >= stood > 0
    off(c)


def test_a_rule_changed_at_run_time(console: Any, tmp_path: Path) -> None:
    c = paused(console, READ_PMCCNTR, NOP, SPIN)
    vector = c.command("sysregs vbar")
    assert "VBAR_EL1" in vector
    rule = re.search(r"(r\d+) .*PMCCNTR_EL0", c.command("policy find PMCCNTR"))
    assert rule
    r = rule.group(1)
    assert CODE + 4 != pc(c)
    assert f" > {CODE + 4:#x}" not in c.command("step")  # denied: the guest's vector
    assert "WOULD" in c.command(f"rule {r} would")
    assert "1 rules changed" in c.command("rule")
    c.command(f"set $pc = {CODE:#x}")
    c.command("set $x1 = 0")
    assert f" > {CODE + 4:#x}" in c.command("step")
    assert f"WOULD {r} msr.r PMCCNTR_EL0=0x" in c.command("log tail 4")
    c.command(f"rule {r} reset")
    c.command(f"set $pc = {CODE:#x}")
    assert f" > {CODE + 4:#x}" not in c.command("step")
    # The operator is asked before it takes effect.
    c.command(f"rule {r} stop")
    c.command(f"set $pc = {CODE:#x}")
    for key, there in (("e", True), ("a", True), ("d", False)):
        c.send("cont\rA\rA")      # but for the command this was typed for the guest
        c.expect("is about to DENY msr.r PMCCNTR_EL0")
        c.expect(PROMPT)
        c.send("why\r")
        c.expect("policy/default.yaml")
        c.expect("is about to DENY msr.r PMCCNTR_EL0")
        c.expect(PROMPT)
        c.send(key + "\r")
        c.expect("guest resumes")
        if there:
            c.send("\x1dm")
            c.expect(PROMPT)
            assert pc(c) == CODE + 8
            c.command(f"set $pc = {CODE:#x}")
    c.expect(PROMPT)     # the guest's vector does not expect it, and pauses
    text = "".join(c.transcript) + off(c)
    log = tmp_path / "uart.log"
    log.write_text(text)
    assert re.search(r"@P \d+ \S+ rule=" + r + " field=verdict old=built new=WOULD by=monitor", text)
    assert re.search(r" would=[3-9]", text)


def test_what_is_done_to_the_guest_is_logged(console: Any) -> None:
    c = paused(console, SPIN, SPIN)
    c.command("sysregs exc")
    c.command("set $sp = 0x40080000")
    assert "0x0000000040080000" in c.command("regs")
    assert "SPSR_EL2.M" in c.command("set $spsr = 0x3c9")
    assert "no RAM" in c.command("w4 ipa:0x9000000 1")
    assert "0x9000000" in c.command("inject abort 0x9000000")
    assert "FAR_EL1" in c.command("sysregs far") and "0x0000000009000000" in c.command("sysregs far_el1")
    assert "EC=37" in c.command("sysregs esr_el1")
    assert "inject undef" in c.command("inject undef")
    assert "EC=0" in c.command("sysregs esr_el1")
    assert "inject irq=40" in c.command("inject irq 40")
    assert "inject serror" in c.command("inject serror")
    text = off(c)
    assert "reason=poweroff" in text


def test_a_locked_build_changes_nothing(console: Any) -> None:
    c = console(machine(build("default", "LOCKED=1", tag="-locked")))
    c.expect("diagnostic guest: EL1")
    c.send("\x1dg")      # while it works: a guest that idles at its end opens the monitor when a key wakes it
    c.expect("refused gdb")
    c.expect("this build is locked")
    c.expect(PROMPT)
    for line in ("set $x0 = 1", "w4 0x40200000 0", "rule r1 would", "inject undef", "step", "bp 0x40200000", "gdb",
                 "log mode quiet", "log level mmio text", "time hide off"):
        said = c.command(line)
        assert "this build is locked" in said and "@E" in said and "refused" in said, said
    assert "guest" in c.command("status")
    off(c)


def test_keys_while_the_guest_runs(console: Any, tmp_path: Path) -> None:
    c = paused(console, SPIN)
    c.send("cont\r")
    c.expect("guest resumes")
    c.send("\x1dl")
    c.expect("live=")
    c.send("\x1d?")
    c.expect(r"\^\] q")
    c.send("\x1dqn")
    c.send("\x1ds")
    c.expect("status pc=")
    c.send("\x1d")       # alone: the guest's after a second, by EL2's timer; else the next byte would be its key
    time.sleep(4)
    c.send("\x1dqy")
    assert c.end() == 0
    assert "reason=poweroff" in c.child.before


def test_a_boot_script_and_what_reaches_the_guest(console: Any, tmp_path: Path) -> None:
    """Keys that are not the monitor's reach the guest as typed, after a script that ran before the guest."""
    c = console(machine(build("default"), *bootargs(tmp_path, 'hv.init="mark scripted; x ipa:0x40000000;cont"')))
    c.expect(r"why=init[^$]*guest resumes")
    assert 'mark "scripted"' in c.child.after and "hv> x ipa:" in c.child.after and "PASS" not in c.child.before
    c.expect(PROMPT)
    # UART at x0: CR = 0x301; then the guest stores each DR that is not empty at x2.
    program(c, 0xB9003003, 0xB9401801, 0x3727FFE1, 0xB9400001, 0xB8004441, back(4))
    for register, value in (("x0", 0x9000000), ("x2", DATA), ("x3", 0x301)):
        c.command(f"set ${register} = {value:#x}")
    c.send("cont\r")
    c.expect("guest resumes")
    typed = "a\x1b[A\x1bOD\x00\x80\xff\x03\x1c\x7f"
    c.send(typed + "\x1d\x1d" + "\x1dz")
    c.send("\x1db")
    c.send("\x1dd")
    c.expect("@S ")
    c.send("\x1dm")
    c.expect(PROMPT)
    expected = list(typed.encode(c.child.encoding)) + [0x1D, 0x1D, ord("z")]
    words = [int(word, 16) for line in c.command(f"x/{len(expected) + 2}w {DATA:#x}").splitlines()
             for word in re.findall(r" (0x[0-9a-f]{8})\b", line.partition(":")[2])]
    assert words.count(0x400) == 1, words
    words.remove(0x400)
    assert words == expected + [0], words
    off(c)


def test_no_key_but_break(console: Any, tmp_path: Path) -> None:
    c = paused(console, SPIN, extra=bootargs(tmp_path, "esc=none"))
    c.send("cont\r")
    c.expect("guest resumes")
    c.send("\x1dm")
    c.send("\x01b")      # QEMU's key for a BREAK
    c.expect("why=break")
    c.expect(PROMPT)
    c.send("\x15")      # bytes that the guest did not read are the monitor's: flushed
    c.expect(PROMPT)
    assert "esc=^]" in c.command("set esc ^]")
    off(c)


def test_breakpoints_on_every_cpu(console: Any) -> None:
    c = paused(console, NOP, SPIN, smp=2)
    assert f" > {CODE + 4:#x}" in c.command("step")
    c.command(f"bp {CODE + 4:#x}")
    assert f" > {CODE + 4:#x}" in c.command("cont")
    off(c)


def test_a_cpu_that_was_off_finds_nothing_and_is_watched(console: Any) -> None:
    """Its debug registers are empty when it comes on again; the operator's points stay."""
    here, second = CODE + 24, CODE + 32
    c = paused(console, 0xAA0703E0, 0xD4000002, 0xB5FFFFC0,  # hvc #0: CPU_ON, the turn's number in x3, until it is 0
               0xF94000C4, 0xCB030085, 0xB5FFFFC5,      # until [x6] is that number
               NOP, SPIN,
               0xD2A80603,                              # the second CPU: x3 = DATA
               0xD5300581, 0xD5300242, 0xA9010861,      # DBGBVR5_EL1 and MDSCR_EL1 to DATA + 16
               0xF9000060, 0xF9400464, 0xB4FFFFE4,      # here; until the operator says so
               0xF900047F, 0xD5100583, 0xD2820005, 0xD5100245,  # DBGBVR5_EL1 = DATA, MDSCR_EL1 = TDCC
               0xD2B08000, 0xF2800040, 0xD4000002,      # CPU_OFF
               smp=2)
    last = second + 4 * 13

    def turn(n: int) -> None:
        for register, value in (("x7", 0xC4000003), ("x1", 1), ("x2", second), ("x3", n), ("x6", DATA), ("pc", CODE)):
            c.command(f"set ${register} = {value:#x}")

    def left() -> List[int]:
        return [int(value, 16) for value in re.findall(r" (0x[0-9a-f]{16})\b", c.command(f"x/2g {DATA + 16:#x}"))]

    def away() -> None:
        c.send("cont\r")
        c.expect("guest resumes")
        c.expect("why=cpu-off")
        c.send("\x1dm")
        c.expect(PROMPT)

    for address in (DATA, DATA + 8, DATA + 16, DATA + 24):
        c.command(f"w8 {address:#x} 1")
    c.command(f"w8 {DATA + 8:#x} 0")
    turn(5)
    assert f" > {here:#x}" in c.command(f"until {here:#x}")
    assert left() == [0, 0]
    c.command(f"bp {last:#x}")
    c.command(f"w8 {DATA + 8:#x} 1")
    assert f" > {last:#x}" in c.command("cont")
    away()                                              # over the breakpoint: a step that never ends
    turn(6)
    assert f" > {here:#x}" in c.command(f"until {here:#x}")
    assert left() == [0, 0], "what it had written before it went off"
    c.command(f"w8 {DATA + 8:#x} 1")
    assert f" > {last:#x}" in c.command("cont")
    away()
    c.command(f"bp {second:#x}")
    turn(7)
    assert f" > {second:#x}" in c.command("cont"), "a breakpoint is there on a CPU that comes on after it"
    off(c)


def test_a_paste_and_a_storm_of_breaks(console: Any) -> None:
    c = paused(console, SPIN)
    c.child.delaybeforesend = None
    for _ in range(20):
        c.send("a" * 500)
    c.send("\r")
    c.expect("no command 'aaaa")
    c.expect(PROMPT)
    assert "stopped: pause" in c.command("status")
    c.send("cont\r")
    c.expect("guest resumes")
    # QEMU 7.2 lets BREAKs overflow its FIFO of 16 and then reads old bytes again: in bursts below that.
    for _ in range(20):
        c.send("\x01b" * 5)
        time.sleep(0.2)
    c.expect("why=break")
    c.expect(PROMPT)
    c.send("\x15mark storm\r")
    c.expect('@E [^"]*"storm"')
    c.expect(PROMPT)
    assert "stopped: break" in c.command("status")
    off(c)


def test_traps_are_watched_until_a_key(console: Any) -> None:
    c = paused(console, 0xD53800C0, back(1))
    c.send("traps -w\r")
    c.expect("guest resumes")
    first, second = (c.expect(r"why=watch [^$]*?sysregs +(\d+)\D").group(1) for _ in range(2))
    assert int(second) > int(first) > 0
    c.send("x")
    c.expect(PROMPT)
    assert "stopped: key" in c.command("status")
    off(c)


def test_the_monitor_on_another_cpu(console: Any) -> None:
    """Two CPUs, each with instructions of its own: registers, memory, translation and steps are those of the CPU asked for."""
    c = console(machine(build("default"), smp=2))
    c.expect(PROMPT)
    assert "cpu1 does not stand still" in c.command("cpu 1"), "the guest has it off by now"
    spin = CODE + 0x100
    c.command(f"w4 {spin:#x} 0x91000463")              # add x3, x3, #1
    c.command(f"w4 {spin + 4:#x} {back(1):#x}")
    for name, value in (("x0", 0xC4000003), ("x1", 1), ("x2", spin), ("x3", 0)):
        c.command(f"set ${name} = {value:#x}")
    program(c, 0xD4000002, SPIN)                       # hvc #0: PSCI CPU_ON
    c.send("cont\r")
    c.expect("guest resumes")
    c.send("\x1dm")
    c.expect(PROMPT)
    status = c.command("status")
    assert re.search(r"^cpu0 +pc=0x40200004", status, re.M) and re.search(r"^cpu1 +pc=0x4020010[04]", status, re.M), status
    assert pc(c) == CODE + 4
    c.command("cpu 1")
    there = pc(c)
    assert there in (CODE + 0x100, CODE + 0x104) and "cpu1" in c.command("cpu")
    assert re.search(r"^MPIDR_EL1 +0x\w*1\b", c.command("sysregs mpidr_el1"), re.M)
    for _ in range(3):
        c.send("step\r")
        c.expect(PROMPT)
        there = spin + spin + 4 - there                 # of two instructions the other one
        assert pc(c) == there, "a step of CPU 1"
    c.command("cpu 0")
    assert pc(c) == CODE + 4 and re.search(r"^MPIDR_EL1 +0x\w*0\b", c.command("sysregs mpidr_el1"), re.M)
    c.command("cpu 1")
    c.command("set $pc = 0x40200108")
    c.command("w4 0x40200108 0xd2800545")              # mov x5, #42
    c.command("w4 0x4020010c 0x14000000")
    c.send("cont\r")
    c.expect("guest resumes")
    c.send("\x1dm")
    c.expect(PROMPT)
    c.command("cpu 1")
    assert pc(c) == 0x4020010C and re.search(r"x5 +0x0*2a\b", c.command("regs"))
    off(c)


def test_equal_points_stop_once(console: Any) -> None:
    """Breakpoints at one address and watchpoints of one access: the guest goes on behind them, once around its loop each time."""
    c = paused(console, 0x91000421, 0xF9000064, back(2))       # add x1, x1, #1; str x4, [x3]; b .-8
    c.command("set $x1 = 0")
    c.command("set $x3 = 0x40300000")
    c.command(f"bp {CODE + 4:#x} if $x0 == 0x123456789")
    c.command(f"bp {CODE + 4:#x}")
    c.command(f"bp {CODE + 4:#x}")
    for turn in (1, 2, 3):
        assert f" > {CODE + 4:#x}" in c.command("cont")
        assert re.search(rf"x1 +0x0*{turn}\b", c.command("regs")), turn
    for n in range(3):
        c.command(f"bp -d {n}")
    c.command("wp w 0x40300000 4")
    c.command("wp rw 0x40300000 8")
    assert "watchpoint: access to 0x40300000" in c.command("cont")
    for turn in (4, 5):
        assert "watchpoint: access to 0x40300000" in c.command("cont")
        assert re.search(rf"x1 +0x0*{turn}\b", c.command("regs")), turn
    off(c)
