# SPDX-License-Identifier: Apache-2.0
"""`make run-guest`: what runs on bare QEMU at EL1 by -kernel runs here and finds the same; U-Boot to its end."""
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import pytest

from vm import CROSS, QEMU, ROOT, build, decode, machine, make, run

UBOOT = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")

# Says x0 to x3, the exception level and mask bits, the start of RAM (a DTB or not), and memory that must be zero.
SAY = """
    .global _start
_start:    mov    x19, x0
    mov    x20, x1
    orr    x20, x20, x2
    orr    x20, x20, x3
    mov    x21, #0x9000000
    mov    w1, #0x301
    str    w1, [x21, #0x30]
    mov    x0, x19
    bl    hex
    mov    x0, x20
    bl    hex
    mrs    x0, CurrentEL
    mrs    x1, DAIF
    orr    x0, x0, x1
    bl    hex
    mov    x0, #0x40000000
    ldr    w0, [x0]
    bl    hex
    adrp    x1, zero
    ldr    x0, [x1, :lo12:zero]
    bl    hex
    adrp    x1, word
    ldr    x0, [x1, :lo12:word]
    bl    hex
    mov    w0, #0x84000000
    add    w0, w0, #8
    hvc    #0
hex:    mov    x4, #60
1:    lsr    x5, x0, x4
    and    x5, x5, #15
    cmp    x5, #10
    add    x6, x5, #'0'
    add    x7, x5, #'a' - 10
    csel    x6, x6, x7, lo
    str    w6, [x21]
    subs    x4, x4, #4
    b.ge    1b
    mov    w6, #'\\n'
    str    w6, [x21]
    ret
    .data
word:    .quad    0x1122334455667788
    .bss
zero:    .skip    0x100000
"""


def kernel(folder: Path, *words: str) -> Path:
    """SAY, linked with these words."""
    (folder / "say.S").write_text(SAY)
    subprocess.run([CROSS + "gcc", "-nostdlib", "-static", *words, "-Wl,--build-id=none", "say.S", "-o", "say.elf"],
                   cwd=folder, check=True)
    return folder / "say.elf"


def numbers(text: str) -> List[int]:
    return [int(line, 16) for line in re.findall(r"^([0-9a-f]{16})\r?$", text, re.M)]


def bare(file: Path) -> List[int]:
    """By QEMU alone, at EL1."""
    done = run([QEMU, "-M", "virt,gic-version=3", "-cpu", "cortex-a57", "-m", "768M", "-nographic", "-serial", "mon:stdio",
                "-nic", "none", "-kernel", str(file)])
    return numbers(done.stdout.decode(errors="replace"))


def ours(folder: Path, *words: str) -> List[int]:
    elf = build("guest")
    subprocess.run([sys.executable, "tools/guest_prep.py", *words, "--qemu", QEMU, "--policy-windows",
                    str(elf.parent / "gen/windows.json"), "--unattended", "--log", "quiet", "--out", str(folder / "out")],
                   cwd=ROOT, check=True)
    done = run(machine(elf, *(folder / "out/qemu.args").read_text().split()))
    return numbers(done.stdout.decode(errors="replace"))


@pytest.mark.parametrize("words, raw", [
    (["-Wl,-Ttext=0x40200000"], False), (["-Wl,-Ttext=0x40000000"], False), (["-Wl,-Ttext=0x40080000"], True)],
    ids=["ELF", "ELF at the start of RAM", "raw"])
def test_a_kernel_finds_what_bare_qemu_gives_it(tmp_path: Path, words: List[str], raw: bool) -> None:
    file, by = kernel(tmp_path, *words), "--elf"
    if raw:
        subprocess.run([CROSS + "objcopy", "-O", "binary", str(file), str(tmp_path / "say.bin")], check=True)
        file, by = tmp_path / "say.bin", "--bin"
    native, found = bare(file), ours(tmp_path, by, str(file))
    assert len(native) == len(found) == 6
    dtb = 0xedfe0dd0
    assert found[1:3] == native[1:3] == [0, 0x3c4] and found[4:] == native[4:] == [0, 0x1122334455667788]
    if raw:             # both say where the DTB is; QEMU's own start code lies at the start of RAM, where ours is
        assert native[0] > 0x40000000 and found[0] == 0x40000000 and found[3] == dtb
    else:
        assert found[0] == native[0] == 0 and found[3] == native[3] and (native[3] == dtb) == ("0x40200000" in words[0])


def test_a_pie_runs_where_it_is_put(tmp_path: Path) -> None:
    file = kernel(tmp_path, "-fPIE", "-Wl,-pie,--no-dynamic-linker,-z,max-page-size=4096")
    assert ours(tmp_path, "--elf", str(file), "--load", "0x52340000", "--x0", "0x1234")[0::4] == [0x1234, 0]


def test_u_boot(tmp_path: Path, console: Any) -> None:
    """Debian's, to its prompt and to its end, with a file from a disk. Its half a million reads of flash are one line."""
    assert UBOOT.exists(), "make setup (Debian package u-boot-qemu)"
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "note.txt").write_text("read from a disk\n")
    subprocess.run(["mke2fs", "-q", "-t", "ext2", "-d", str(tmp_path / "d"), str(tmp_path / "disk.img"), "1M"], check=True)
    log = tmp_path / "uart.log"
    c = console([shutil.which("make") or "make", "-C", str(ROOT), "--no-print-directory", "run-guest", f"GUEST_BIN={UBOOT}",
                 "GUEST_LOAD=0x40200000", f"GUEST_DISK={tmp_path}/disk.img", f"UART_LOG={log}", f"QEMU={QEMU}",
                 "B=build/test/guest", f"CC=ccache {CROSS}gcc"])
    c.expect("Hit any key")
    c.send("\r")
    c.expect("=> ")
    for command, answer in (("bdinfo", "size     = 0x0000000030000000"), ("load virtio 0 0x48000000 note.txt", "17 bytes read"),
                            ("md.b 0x48000000 11", "read from a disk")):
        c.send(command + "\r")
        c.expect(answer)
        c.expect("=> ")
    c.send("poweroff\r")
    c.expect("reason=poweroff")
    assert c.end() == 0
    assert decode(log, "check").returncode == 0
    assert decode(log, "show", "-f", "name=flash").stdout.count(" flash+") == 1
    assert log.stat().st_size < 8_000


@pytest.mark.parametrize("words, said", [
    ("", "one of GUEST_ELF=/path/kernel.elf and GUEST_BIN=/path/kernel.bin is needed"),
    ("GUEST_ELF=a GUEST_BIN=b", "one of GUEST_ELF=/path/kernel.elf and GUEST_BIN=/path/kernel.bin is needed"),
    ("GUEST_ELF=README.md", "not an ELF file (it begins with 23204368): a raw binary is GUEST_BIN= with GUEST_LOAD="),
    ("GUEST_BIN=build/test/guest/hypervisor.elf", "an ELF file, not a raw binary: GUEST_ELF="),
    ("GUEST_BIN=README.md GUEST_MACHINE=secure=on", "the rest of the machine is the platform's")])
def test_a_wrong_try_is_told_what_to_do(words: str, said: str) -> None:
    build("guest")
    done = make("run-guest", *words.split(), f"QEMU={QEMU}", "B=build/test/guest", check=False)
    assert done.returncode and said in done.stdout, done.stdout
