# SPDX-License-Identifier: Apache-2.0
"""No byte of the line is lost, at whatever time it comes: before the first instruction, at each point of boot, to the
guest."""
from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import pytest

import vm
from vm import CROSS, ROOT, TIMEOUT, arm64_image, build, machine

sys.path.insert(0, str(ROOT / "tests" / "linux"))
from artifacts import newest_qemu  # noqa: E402

# A guest that sends back its input, up to a `q`.
ECHO = """
1:    ldr    w1, [x0, #0x18]
    tbnz    w1, #4, 1b
    ldr    w2, [x0]
    str    w2, [x0]
    cmp    w2, #'q'
    b.ne    1b
    mov    w0, #0x84000000
    add    w0, w0, #8
    hvc    #0
    b    .
"""
# In main()'s order. The first is stepped instruction by instruction.
FUNCTIONS = ("uart_init", "mmu_enable", "smp_init", "gic_init", "watchdog_start", "vgic_cpu_init", "uart_rx_interrupt",
             "console_input", "uart_clear_interrupt", "log_header", "vcpu_reset", "guest_enter")


class Stub:
    """QEMU's gdb stub: breakpoints and going on."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        until = time.monotonic() + TIMEOUT
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                assert time.monotonic() < until, "QEMU has not opened its gdb stub"
                time.sleep(0.01)
        self.socket.settimeout(TIMEOUT)

    def ask(self, packet: str, last: bool = False) -> str:
        """The answer. `last`: it is not acknowledged, since QEMU may be gone by then."""
        self.socket.sendall(f"${packet}#{sum(packet.encode()) & 0xff:02x}".encode())
        said = b""
        while said[-3:-2] != b"#":
            said += self.socket.recv(1)
        if not last:
            self.socket.sendall(b"+")
        return said[said.index(b"$") + 1:-3].decode()

    def run_to(self, address: int) -> None:
        assert self.ask(f"Z1,{address:x},4") == "OK"
        assert self.ask("c").startswith("T05")
        assert self.ask(f"z1,{address:x},4") == "OK"

    def leave(self) -> None:
        assert self.ask("D", last=True) == "OK"


def symbols(elf: Path) -> Dict[str, Tuple[int, int]]:
    listed = subprocess.run([f"{CROSS}nm", "-S", str(elf)], check=True, text=True, stdout=subprocess.PIPE).stdout
    return {words[3]: (int(words[0], 16), int(words[1], 16)) for words in map(str.split, listed.splitlines())
            if len(words) == 4}


def points(elf: Path) -> Iterator[int]:
    """0: before the first instruction."""
    known = symbols(elf)
    first, size = known[FUNCTIONS[0]]
    yield 0
    yield from range(first, first + size, 4)
    yield from (known[name][0] for name in FUNCTIONS[1:] if name in known)


def echoed(command: List[str], stub: Path, point: int) -> bytes:
    """The guest's echo of a text that was sent when EL2 had come to `point`."""
    child = subprocess.Popen(["prlimit", "--cpu=30", "--", *command, "-S", "-gdb",
                              f"unix:{stub},server=on,wait=off"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
    try:
        gdb = Stub(stub)
        if point:
            gdb.run_to(point)
        assert child.stdin is not None
        child.stdin.write(b"0123456789q")
        child.stdin.flush()
        time.sleep(0.05)                # QEMU's own thread puts it into the UART, if that has room
        gdb.leave()
        return child.communicate(timeout=TIMEOUT)[0]
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("newest", [False, True])
def test_what_is_sent_while_el2_boots_reaches_the_guest(newest: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                        ) -> None:
    if newest:
        monkeypatch.setattr(vm, "QEMU", str(newest_qemu(ROOT / "build" / "linux")))
    elf, image = build("permissive"), arm64_image(tmp_path, ECHO)
    subprocess.run([sys.executable, "tools/linux_prep.py", "--image", str(image), "--smp", "1", "--cpu", "cortex-a57",
                    "--qemu", vm.QEMU, "--policy-windows", str(elf.parent / "gen" / "windows.json"), "--unattended",
                    "--out", str(tmp_path / "linux")], cwd=ROOT, check=True)
    command = machine(elf, *shlex.split((tmp_path / "linux" / "qemu.args").read_text()))
    found = list(points(elf))
    assert len(found) > 20
    for number, point in enumerate(found):
        said = echoed(command, tmp_path / f"gdb{number}", point)
        assert b"0123456789q" in said, f"sent at {point:#x}: {said[-1500:]!r}"
