# SPDX-License-Identifier: Apache-2.0
"""One run of QEMU with a Linux in it, with Charter or bare, its console driven by pexpect."""
from __future__ import annotations

import argparse
import select
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Sequence

import pexpect

ROOT = Path(__file__).resolve().parents[2]
MACHINE = "-M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -m 1G"
BARE_MACHINE = "-M virt,virtualization=off,gic-version=3 -cpu cortex-a57 -m 1G"
PIECE = 128                     # bytes: a terminal that takes any takes these
CONSOLE = ["-nographic", "-serial", "mon:stdio"]
MONITOR_KEYS, MONITOR_PROMPT = "\x1dm", "hv> "

# Without Charter: the same files at the same (guest) addresses, and a few instructions that jump to them. QEMU puts its
# own DTB at the start of RAM, so the Image is loaded above the guest's RAM and copied down.
BARE_ADDRESSES = {"Image": 0x7020_0000, "initrd": 0x4400_0000, "guest.dtb": 0x6fe0_0000}
BARE_START = 0x7000_0000
BARE_STUB = (
    0xd2ae0405, 0xd2a80006, 0xd2a88007,                 # x5 = 0x70200000, x6 = 0x40000000, x7 = 0x44000000
    0xa8c124a8, 0xa88124c8, 0xeb0700df, 0x54ffffa1,     # 1: ldp x8, x9, [x5], 16; stp x8, x9, [x6], 16; cmp; b.ne 1b
    0xd2adfc00, 0xd2800001, 0xd2800002, 0xd2800003,     # x0 = 0x6fe00000, x1 = x2 = x3 = 0
    0xd2a80004, 0xd61f0080)                             # br 0x40000000


class Failed(Exception):
    """The guest, the monitor or the log was not as required."""


@dataclass(frozen=True)
class Setup:
    """The test's options from the command line."""
    options: argparse.Namespace
    out: Path
    bare: bool                  # without Charter


class Machine:
    """One run of QEMU, with the console in OUT/NAME.log."""

    def __init__(self, setup: Setup, name: str, prepare: List[str], smp: int = 1, front: Sequence[str] = ()) -> None:
        self.setup, self.name = setup, name
        self.directory = setup.out / name
        self.log = setup.out / f"{name}.log"
        machine = BARE_MACHINE if setup.bare else setup.options.machine
        command = [sys.executable, str(ROOT / "tools" / "linux_prep.py"), *prepare, "--smp", str(smp), "--quiet",
                   "--out", str(self.directory), "--qemu", setup.options.qemu, "--qemu-args", machine,
                   "--policy-windows", setup.options.policy_windows]
        if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
            raise Failed("linux_prep refused (see above)")
        arguments = [*shlex.split(machine), "-smp", str(smp), *CONSOLE, "-nic", "none", *self._loaders()]
        self._file = self.log.open("wb")
        command = [*front, setup.options.qemu, *arguments]
        self.child = pexpect.spawn(command[0], command[1:], timeout=setup.options.timeout, logfile=None)
        self.child.logfile_read = self._file

    def _loaders(self) -> List[str]:
        if not self.setup.bare:
            return ["-kernel", self.setup.options.kernel, *(self.directory / "qemu.args").read_text().splitlines()]
        stub = self.directory / "bare.bin"
        stub.write_bytes(b"".join(word.to_bytes(4, "little") for word in BARE_STUB))
        loaders = ["-device", f"loader,file={stub},addr={BARE_START:#x},cpu-num=0,force-raw=on"]
        for name, address in BARE_ADDRESSES.items():
            loaders += ["-device", f"loader,file={self.directory / name},addr={address:#x},force-raw=on"]
        return loaders

    def expect(self, pattern: str, what: str, timeout: float = -1) -> str:
        """Waits for a regular expression; returns the match."""
        limit = self.setup.options.timeout if timeout < 0 else timeout
        found = self.child.expect([pattern, "Kernel panic - not syncing", pexpect.EOF, pexpect.TIMEOUT], limit)
        if found:
            why = ("the kernel panicked", "QEMU ended", f"{limit:.0f} s passed")[found - 1]
            raise Failed(f"waiting for {what}: {why}")
        matched = self.child.match.group(0)
        return bytes(matched).decode("utf-8", "replace")

    def type(self, text: str) -> None:
        self.child.send(text)

    def paste(self, text: bytes) -> None:
        """Types as fast as the machine takes it; the terminal must not echo, as the echo is not read meanwhile."""
        self.child.delaybeforesend, patience = None, self.child.delaybeforesend
        for at in range(0, len(text), PIECE):
            if not select.select([], [self.child], [], 120)[1]:
                raise Failed(f"the machine takes no more input after {at} bytes")
            self.child.send(text[at:at + PIECE])
        self.child.delaybeforesend = patience

    def monitor(self, *commands: str) -> None:
        """Opens the monitor and gives it commands; the last one must leave it."""
        if self.setup.bare:
            return
        self.type(MONITOR_KEYS)
        for command in commands:
            self.expect(MONITOR_PROMPT, f"the monitor's prompt before {command!r}", 60)
            self.type(command + "\r")

    def power_off(self) -> None:
        """From the monitor; without Charter from QEMU's own."""
        if self.setup.bare:
            self.type("\x01x")
        else:
            self.monitor("poweroff")
        self.end()

    def end(self) -> None:
        """The machine must end by itself, with status 0."""
        if self.child.expect([pexpect.EOF, pexpect.TIMEOUT], 60):
            raise Failed("QEMU does not end after power-off")
        self.child.close()
        if self.child.exitstatus != 0:
            raise Failed(f"QEMU ended with status {self.child.exitstatus}, signal {self.child.signalstatus}")
        self._file.close()

    def stop(self) -> None:
        """Leaves no QEMU behind, in any case."""
        self.child.close(force=True)
        self._file.close()


def judge(setup: Setup, log: Path) -> None:
    """The log must be whole, without refusals that permissive should not make."""
    if setup.bare:
        return
    command = [sys.executable, str(ROOT / "tools" / "log_decode.py"), "check", "--max-lost", "0", "--fail-on",
               setup.options.fail_on, str(log)]
    status = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    if status:
        raise Failed(f"log_decode check says {status} about {log}")


def with_machine(setup: Setup, name: str, use: Callable[[Machine], None], prepare: List[str], cpus: int = 1) -> None:
    setup.out.mkdir(parents=True, exist_ok=True)
    machine = Machine(setup, name, prepare, cpus)
    try:
        use(machine)
    finally:
        machine.stop()
    judge(setup, machine.log)
