# SPDX-License-Identifier: Apache-2.0
"""Shared by the QEMU tests: a build of any profile in a folder of its own, and a machine that always ends."""
from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, List, Optional

import pexpect

ROOT = Path(__file__).resolve().parents[2]
QEMU = os.environ.get("QEMU", "qemu-system-aarch64")
CROSS = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-")
# Limits for machines that hang. One that loops uses up its seconds of CPU time, over all its threads; one that sleeps,
# or gets no CPU from a busy host, its seconds of wall time.
CPU_SECONDS = int(os.environ.get("VM_CPU", "300"))
TIMEOUT = int(os.environ.get("VM_TIMEOUT", "600"))
PROMPT = "hv> "
# Each instruction takes 256 ns of the guest's clock: few of them pass while it waits for a rate limit.
FAST_CLOCK = ("-icount", "shift=8")
DECODER = [sys.executable, str(ROOT / "tools" / "log_decode.py")]


def sources(folder: Path, but: str = "build/") -> Path:
    """Copies the sources into `folder`, as a stranger's clone has them, without those whose path begins with `but`."""
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    for name in files:
        if (ROOT / name).is_file() and not name.startswith(but):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def make(*words: str, tree: Path = ROOT, check: bool = True, cache: bool = True, inner: str = "",
         **kw: Any) -> "subprocess.CompletedProcess[str]":
    """`make words...` in `tree`, without the settings of a make that we may run under.

    `cache`: what one test has compiled another may take; False where the compiler's work is what is tested. `inner`: the
    folder of a build that is not locked, since nobody else has it.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("POLICY", "MODE", "B")}
    if inner:
        env["CHARTER_MAKES"] = str(tree / inner)
    if cache:
        env["CCACHE_DIR"] = str(ROOT / "build" / "ccache")
        words = (*words, f"CC=ccache {CROSS}gcc")
    done = subprocess.run(["make", "--no-print-directory", *words], cwd=tree, env=env, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2 * TIMEOUT, **kw)
    if check:
        assert done.returncode == 0, done.stdout[-4000:]
    return done


def build(profile: str, *words: str, tree: Path = ROOT, tag: str = "", cache: bool = True) -> Path:
    """The image of a profile. If two test processes want the same one, the second waits."""
    folder = f"build/test/{profile}{tag}"
    (tree / folder).mkdir(parents=True, exist_ok=True)
    with open(tree / folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make("all", f"POLICY={profile}", f"B={folder}", *words, tree=tree, cache=cache)
    return tree / folder / "hypervisor.elf"


def attacker(tree: Path, code: str, assembly: str = "") -> None:
    """In a copy of the sources: replaces GUEST=attack by this C and assembly, which begins in main()."""
    for path in (tree / "guest/attack").iterdir():
        if path.name != "start.S":
            path.unlink()
    (tree / "guest/attack/attack.c").write_text(code)
    (tree / "guest/attack/snippets.S").write_text(assembly)


def machine(elf: Path, *extra: str, cpu: str = "cortex-a57", nic: bool = False, smp: int = 1,
            shape: str = "virt,virtualization=on,gic-version=3") -> List[str]:
    """The command line that README.md gives."""
    return [QEMU, "-M", shape, "-cpu", cpu, "-smp", str(smp), "-m", "1G", "-nographic", "-serial", "mon:stdio",
            *([] if nic else ["-nic", "none"]), "-kernel", str(elf), *extra]


def bootargs(folder: Path, text: str) -> List[str]:
    """QEMU's words that hand EL2 its boot arguments."""
    path = folder / "bootargs"
    path.write_bytes(f"charter1 {text}".encode() + b"\0")
    return ["-device", f"loader,file={path},addr=0x4007f000,force-raw=on"]


# The header of an Image, and a PL011 at x0 that sends and receives.
ARM64_IMAGE = """
    b    start
    .long    0
    .quad    0, 0x1000, 0xa, 0, 0, 0        /* text_offset, image_size, flags, reserved */
    .ascii    "ARM\\x64"
    .long    0
start:    mov    x0, #0x9000000
    mov    w1, #0x301            /* UARTCR: enabled, both ways */
    str    w1, [x0, #0x30]
"""


def arm64_image(folder: Path, body: str) -> Path:
    """An arm64 Image (Linux, Documentation/arch/arm64/booting.rst) whose code goes on with `body`, in assembly."""
    (folder / "image.S").write_text(ARM64_IMAGE + body)
    for command in (["gcc", "-c", "image.S", "-o", "image.o"], ["objcopy", "-O", "binary", "image.o", "Image"]):
        subprocess.run([CROSS + command[0], *command[1:]], cwd=folder, check=True)
    return folder / "Image"


def run(command: List[str], cpu: int = CPU_SECONDS, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Runs a machine that powers itself off; one that has used `cpu` seconds is killed: its return code is negative."""
    return subprocess.run(["prlimit", f"--cpu={cpu}", "--", *command], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False)


def decode(log: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """tools/log_decode.py with these words on this log."""
    return subprocess.run([*DECODER, *words, str(log)], text=True, errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False)


# Characters that a flood's reader searches. pexpect forgets what came before a read (2,000) that fills its window, and with
# it a word that lies across two reads.
FLOOD_WINDOW = 8000


class Console:
    """A machine with an operator at its console."""

    def __init__(self, command: List[str]) -> None:
        self.child = pexpect.spawn(command[0], command[1:], timeout=TIMEOUT, encoding="utf-8", codec_errors="replace",
                                   dimensions=(40, 200))
        self.transcript: List[str] = []

    def expect(self, pattern: str, timeout: int = TIMEOUT) -> "re.Match[str]":
        self.child.expect(pattern, timeout=timeout)
        self.transcript.append(self.child.before + self.child.after)
        match = self.child.match
        assert match is not None
        return match

    def command(self, line: str) -> str:
        """Types a monitor command; returns its output up to the next prompt."""
        self.child.send(line + "\r")
        self.child.expect_exact(PROMPT)
        text: str = self.child.before
        self.transcript.append(text)
        return text.replace("\r\n", "\n")

    def send(self, text: str) -> None:
        self.child.send(text)

    def el2(self, what: str) -> str:
        """EL2 is as booted, by the monitor's `el2`; prints how long its locks were awaited and held in the run of `what`."""
        said = self.command("el2")
        assert "text, constants and tables as at boot" in said, said
        waits = re.findall(r"lock +(\w+) +wait (\d+) us, hold (\d+) us at most", said)
        assert waits, said
        print(what, *(f"{name}: wait {wait} us, hold {hold} us;" for name, wait, hold in waits))
        return said

    def end(self) -> Optional[int]:
        """Waits for QEMU to end by itself; its exit status."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        status: Optional[int] = self.child.exitstatus
        return status
