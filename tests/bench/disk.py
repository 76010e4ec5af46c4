# SPDX-License-Identifier: Apache-2.0
"""The cost of a virtio disk under Charter and at EL1 without a hypervisor, in instructions for each request.

The same kernel, initramfs and disk: QEMU's null-co, which completes at once, so that only driver and hypervisor are
counted. All of QEMU runs on one CPU of the host, so that the disk completes while the guest waits, not while it still
goes to sleep. Runs differ by about one hundredth nevertheless.
"""
from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

import linux
from linux import ROOT, Failed, artifacts, initramfs

SIZE = 32 << 20
MODULES = ("virtio_mmio.ko", "virtio_blk.ko")
DISK = ("-global", "virtio-mmio.force-legacy=off",
        "-blockdev", f"driver=null-co,size={SIZE},read-zeroes=on,node-name=disk",
        "-device", "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.31")


@dataclass(frozen=True)
class Load:
    key: str
    title: str
    goal: float
    command: str                # dd
    count: int

    @property
    def block(self) -> int:
        return 4096 if "bs=4k" in self.command else 1 << 20


LOADS = (
    Load("disk_read", "read of 4 KiB, one at a time", 1.06, "if=/dev/vda of=/dev/null bs=4k iflag=direct", 2000),
    Load("disk_write", "write of 4 KiB, one at a time", 1.06, "if=/dev/zero of=/dev/vda bs=4k oflag=direct", 2000),
    Load("disk_large", "read of 1 MiB, 256 descriptors", 1.15, "if=/dev/vda of=/dev/null bs=1M iflag=direct", 32),
    Load("disk_cached", "1 MiB of a file, through the page cache", 1.01, "if=/dev/vda of=/dev/null bs=1M", 32),
)
INIT = "".join(("mark() { echo bench-$1 > /dev/kmsg; }\nset -- $(cat /sys/block/vda/stat)\nr=$3 w=$7\nmark begin\n",
                *(f"dd {load.command} count={load.count} 2>/dev/null\nmark {load.key}\n" for load in LOADS),
                "mark end\ndmesg | grep bench-\n"
                "set -- $(cat /sys/block/vda/stat)\necho \"SECTORS=$(($3-r)),$(($7-w))\"\n"))


def prepare(out: Path, windows: Path, cache: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    image = artifacts.fetch(artifacts.INSTALLER, cache).files["linux"]
    busybox = artifacts.fetch(artifacts.BUSYBOX, cache, foreign=True).files["busybox"]
    modules = artifacts.fetch(artifacts.KERNEL, cache, foreign=True).files
    initrd, disk = out / "initrd.gz", out / "disk.img"
    initrd.write_bytes(initramfs.build(busybox.read_bytes(), INIT, [modules[name] for name in MODULES]))
    disk.write_bytes(bytes(512))        # for the DTB; the guest's disk is DISK
    command = [sys.executable, str(ROOT / "tools" / "linux_prep.py"), "--image", str(image), "--initrd", str(initrd),
               "--cmdline", "console=ttyAMA0 quiet", "--unattended", "--no-seeds", "--quiet", "--log", "quiet",
               "--policy-windows", str(windows), "--qemu-args", linux.BARE, "--disk", str(disk), "--out", str(out)]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise Failed("linux_prep refused")
    linux.stub(out)


def loaded(qemu: str, out: Path, elf: Optional[Path]) -> Dict[str, float]:
    """Instructions for a request of each load; the disk must have seen them all."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        at = linux.boot(qemu, out, elf, DISK)
    finally:
        os.sched_setaffinity(0, cpus)
    log = out / f"{elf.parent.name if elf else 'bare'}.log"
    moved = [sum(load.count * load.block // 512 for load in LOADS if ("of=/dev/vda" in load.command) == writes)
             for writes in (False, True)]
    if f"SECTORS={moved[0]},{moved[1]}" not in log.read_text("utf-8", "replace"):
        raise Failed(f"{log}: the disk has not moved {moved} sectors")
    marks = ["bench-begin"] + [f"bench-{load.key}" for load in LOADS]
    return {load.key: (at[end] - at[begin]) * 1e9 / load.count for load, begin, end in zip(LOADS, marks, marks[1:])}


def measure(qemu: str, out: Path, elf: Path) -> Tuple[Dict[str, float], Dict[str, float]]:
    """Instructions by load: under Charter, and bare."""
    prepare(out, elf.parent / "gen" / "windows.json", ROOT / "build" / "linux")
    return loaded(qemu, out, elf), loaded(qemu, out, None)


def report(ours: Dict[str, float], bare: Dict[str, float]) -> int:
    """Prints the table; returns how many rows miss their goal."""
    missed = 0
    print(f"\n{'instructions for a request of a virtio disk':52} {'charter':>10} {'bare':>10} {'ratio':>8} {'goal':>8}")
    for load in LOADS:
        ratio = ours[load.key] / bare[load.key]
        missed += ratio > load.goal
        print(f"{load.title:52} {ours[load.key]:>10.0f} {bare[load.key]:>10.0f} {ratio:>8.3f} {load.goal:>8}"
              f"{' !' if ratio > load.goal else ''}")
    return missed


def main(argv: Sequence[str]) -> int:
    """disk.py ELF: under a policy that gives the disk"""
    try:
        ours, bare = measure("qemu-system-aarch64", ROOT / "build" / "bench" / "disk", Path(argv[0]))
    except (Failed, artifacts.Unavailable) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 1 if report(ours, bare) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
