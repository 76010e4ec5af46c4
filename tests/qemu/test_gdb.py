# SPDX-License-Identifier: Apache-2.0
"""gdb-multiarch through tools/hvmux.py: attach, registers, memory, breakpoints, steps, interrupt, detach."""
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import pexpect

from vm import PROMPT, QEMU, ROOT, TIMEOUT, build, decode, machine, make

CODE = 0x40200000


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as s:
        return int(s.getsockname()[1])


def gdb(port: int, *commands: str) -> str:
    assert shutil.which("gdb-multiarch"), "gdb-multiarch is missing: run make setup"
    words: List[str] = ["gdb-multiarch", "-nx", "-batch"]
    for c in ("set confirm off", "set pagination off", f"target remote 127.0.0.1:{port}", *commands):
        words += ["-ex", c]
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT,
                          check=False)
    return done.stdout


def test_gdb_attaches_through_the_mux(tmp_path: Path, console: Any) -> None:
    port, log = free_port(), tmp_path / "uart.log"
    c = console([sys.executable, str(ROOT / "tools" / "hvmux.py"), "--port", str(port), "--log", str(log), "--",
                 *machine(build("default"))])
    c.expect("0 failed")
    c.expect(PROMPT)
    program = [f"set {{int}}{CODE + 4 * i:#x} = {word:#x}" for i, word in
               enumerate((0xD28000E2, 0x91000442, 0xD503201F, 0x14000000))]
    said = gdb(port, *program, f"set $pc = {CODE:#x}", "set $x9 = 0x1122334455667788", "stepi", "info registers pc x2",
               f"break *{CODE + 8:#x}", "continue", "info registers pc x2 x9", "x/2i $pc", "monitor policy hash",
               "maintenance packet Qqemu.PhyMemMode:1", f"x/wx {CODE:#x}", "delete", "detach")
    assert re.search(r"pc +0x40200004 .*\nx2 +0x7 ", said), said
    assert re.search(r"Breakpoint 1, 0x0*40200008", said), said
    assert re.search(r"pc +0x40200008 .*\nx2 +0x8 .*\nx9 +0x1122334455667788", said), said
    assert "nop" in said and "default#" in said and "0xd28000e2" in said
    assert "detached" in said
    c.expect("guest resumes")
    # Now the guest spins: the mux asks for gdb mode with ^] g, and gdb's Ctrl-C stops it again.
    said = gdb(port, "info registers pc", "watch *(long *)0x40300000", "hbreak *0x40200040", "detach")
    assert re.search(r"pc +0x4020000c", said), said
    c.expect("guest resumes")
    c.send("\x1dm")
    c.expect(PROMPT)
    assert "0 of 6" in c.command("bp")
    assert "0x000000004020000c" in c.command("regs")
    c.send("poweroff\r")
    c.child.expect(pexpect.EOF)
    check = decode(log, "check", "--max-lost", "0")
    assert check.returncode == 0, check.stdout


def test_a_thread_for_each_cpu(tmp_path: Path, console: Any) -> None:
    """gdb's own view of two CPUs that spin at different places: registers, steps and breakpoints of each."""
    port = free_port()
    c = console([sys.executable, str(ROOT / "tools" / "hvmux.py"), "--port", str(port), "--", *machine(build("default"), smp=2)])
    c.expect("0 failed")
    c.expect(PROMPT)
    spin = CODE + 0x100
    for at, word in ((CODE, 0xD4000002), (CODE + 4, 0x14000000), (spin, 0x91000463), (spin + 4, 0x17FFFFFF)):
        c.command(f"w4 {at:#x} {word:#x}")          # hvc #0; b .    add x3, x3, #1; b .-4
    for name, value in (("x0", 0xC4000003), ("x1", 1), ("x2", spin), ("x3", 0), ("pc", CODE)):
        c.command(f"set ${name} = {value:#x}")
    c.send("cont\r")
    c.expect("guest resumes")
    said = gdb(port, "info threads", "thread 1", "info registers pc", "thread 2", "info registers pc x0", f"set $pc = {spin:#x}",
               "stepi", "info registers pc", "stepi", "info registers pc", "set $x3 = 0x5000000000", "thread 1",
               "info registers pc", f"hbreak *{spin + 4:#x}", "continue", "info registers pc x3", "maintenance packet vCont;X",
               "maintenance packet T9", "detach")
    assert re.search(r"^\* 1 +Thread 1 .*0x0*40200004 in .*\n +2 +Thread 2 .*0x0*4020010[04] in ", said, re.M), said
    pcs = re.findall(r"^pc +0x402(\w+)", said, re.M)
    assert pcs[0] == "00004" and pcs[1] in ("00100", "00104") and pcs[2:5] == ["00104", "00100", "00004"], said
    assert pcs[5] == "00104" and re.search(r"Thread 2 hit Breakpoint 1", said), said
    assert re.search(r"^x3 +0x500000\w{4}\b", said, re.M), said
    assert said.count('received: "E01"') == 2, said
    c.expect("guest resumes")
    c.send("\x1dm")
    c.expect(PROMPT)
    c.send("poweroff\r")
    c.child.expect(pexpect.EOF)


def test_gdb_loads_a_kernel(tmp_path: Path, console: Any) -> None:
    """`load` puts a kernel into the guest's memory and its entry into the PC; its names are gdb's."""
    make(f"B={tmp_path}/b", f"{tmp_path}/b/hello.elf")
    elf, port, hello = build("guest"), free_port(), f"{tmp_path}/b/hello.elf"
    (tmp_path / "spin").write_bytes(b"\0\0\0\x14")             # b .
    subprocess.run([sys.executable, "tools/guest_prep.py", "--bin", str(tmp_path / "spin"), "--policy-windows",
                    str(elf.parent / "gen/windows.json"), "--hv-init", "bp 0x40080000", "--qemu", QEMU, "--out",
                    str(tmp_path / "out")], cwd=ROOT, check=True)
    c = console([sys.executable, str(ROOT / "tools" / "hvmux.py"), "--port", str(port), "--log", str(tmp_path / "log"), "--",
                 *machine(elf, *(tmp_path / "out/qemu.args").read_text().split())])
    c.expect(PROMPT)
    said = gdb(port, f"file {hello}", "load", "info registers pc", "break interrupt", "continue", "info symbol $pc", "bt",
               "print ticks", "delete", "detach")
    assert re.search(r"Start address 0x0*40080000, load size \d+", said), said
    assert re.search(r"pc +0x40080000 +0x40080000 <_start>", said), said
    assert re.search(r"Breakpoint 1, 0x0*400\w+ in interrupt|Breakpoint 1, interrupt \(\)", said), said
    assert "interrupt" in said.split("Breakpoint 1,")[1] and "$1 = 0" in said and "detached" in said, said
    c.expect("goodbye")
    c.child.expect(pexpect.EOF)
    assert b"reason=poweroff" in (tmp_path / "log").read_bytes()


def test_a_gdb_that_vanishes_gives_the_prompt_back(tmp_path: Path, console: Any) -> None:
    port = free_port()
    c = console([sys.executable, str(ROOT / "tools" / "hvmux.py"), "--port", str(port), "--",
                 *machine(build("default"))])
    c.expect("0 failed")
    c.expect(PROMPT)
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"$?#3f")
        assert s.recv(100).startswith(b"+")
    c.expect("gdb mode ended")
    c.expect(PROMPT)
    c.send("poweroff\r")
    c.child.expect(pexpect.EOF)


def test_a_gdb_that_is_killed_gives_the_console_back(tmp_path: Path, console: Any) -> None:
    """Killed while the guest runs under it."""
    port = free_port()
    c = console([sys.executable, str(ROOT / "tools" / "hvmux.py"), "--port", str(port), "--", *machine(build("default"))])
    c.expect("0 failed")
    c.expect(PROMPT)
    c.command(f"w4 {CODE:#x} 0x14000000")
    c.command(f"set $pc = {CODE:#x}")
    words = ["gdb-multiarch", "-nx", "-q", "-ex", f"target remote 127.0.0.1:{port}", "-ex", "continue"]
    child = pexpect.spawn(words[0], words[1:], timeout=TIMEOUT)
    child.expect("Continuing")
    child.kill(9)
    child.wait()
    c.expect("gdb mode ended")
    c.expect(PROMPT)
    assert f"pc  {CODE:#018x}" in c.command("regs")
    c.send("poweroff\r")
    c.child.expect(pexpect.EOF)
