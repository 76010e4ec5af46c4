# SPDX-License-Identifier: Apache-2.0
"""The same guest on bare QEMU at EL1 and under Charter: builds it once, boots it twice, compares its observations.

A guest is one C file with tests/conform/lib.h; it prints observations, lines `= NAME VALUE`, and judges nothing.
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "qemu"))
sys.path.insert(0, str(ROOT / "tests" / "linux"))
import vm  # noqa: E402
from artifacts import newest_qemu  # noqa: E402,F401

CROSS = vm.CROSS
FLAGS = ["-std=gnu11", "-O1", "-g", "-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-fno-stack-protector",
         "-mgeneral-regs-only", "-mstrict-align", "-mno-outline-atomics", "-Wall", "-Wextra", "-Werror",
         "-Wno-unused-function", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments", "-I", str(HERE)]
DTB = '/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; };'
OBSERVED = re.compile(r"^= (.+) (0x[0-9a-f]+)\s*$", re.M)
RECORD = re.compile(rb"(\r\n)?\x1e@[^\n]*\r\n")       # marks of a record, which may break another CPU's line
DIFFERENCES = HERE / "differences.txt"
Found = List[Tuple[str, int]]


@dataclass(frozen=True)
class Guest:
    """One program in both forms."""
    elf: Path
    image: Path
    dtb: Path


def build(source: Path, out: Path, *words: str) -> Guest:
    """Compiles a one-file guest into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    guest = Guest(out / f"{source.stem}.elf", out / f"{source.stem}.image", out / "empty.dtb")
    subprocess.run([f"{CROSS}gcc", *FLAGS, *words, "-T", str(HERE / "guest.ld"), str(HERE / "start.S"), str(source),
                    "-o", str(guest.elf)], check=True)
    subprocess.run([f"{CROSS}objcopy", "-O", "binary", str(guest.elf), str(guest.image)], check=True)
    subprocess.run(["dtc", "-q", "-O", "dtb", "-o", str(guest.dtb), "-"], input=DTB.encode(), check=True)
    return guest


def loaded(path: Path, address: int) -> List[str]:
    return ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]


def bare(guest: Guest, smp: int = 1, cpu: str = "cortex-a57", extra: Sequence[str] = ()) -> List[str]:
    """The command that boots it at EL1 on QEMU's own machine."""
    return [vm.QEMU, "-M", "virt,gic-version=3", "-cpu", cpu, "-smp", str(smp), "-m", "1G", "-nographic",
            "-serial", "mon:stdio", "-nic", "none", "-no-reboot", "-kernel", str(guest.elf), *extra]


def charter(guest: Guest, hypervisor: Path, smp: int = 1, cpu: str = "cortex-a57", extra: Sequence[str] = ()
            ) -> List[str]:
    """The command that boots it under Charter, as an arm64 Image."""
    arguments = guest.image.parent / f"{guest.image.stem}.args"
    arguments.write_bytes(f"charter1 unattended=1 guest=linux log=quiet image={guest.image.stat().st_size} initrd=0 "
                          f"dtb={guest.dtb.stat().st_size}".encode() + b"\0")
    return [*vm.machine(hypervisor, "-no-reboot", *loaded(guest.image, 0x42000000), *loaded(guest.dtb, 0x71e00000),
                        *loaded(arguments, 0x4007f000), *extra, smp=smp, cpu=cpu)]


def observe(command: List[str], stdin: bytes = b"", seconds: int = 60) -> Found:
    """The guest's observations in order; a guest that has not come to its end within `seconds` of CPU time says so."""
    said = vm.run(command, seconds, stdin).stdout
    text = RECORD.sub(b"", said).decode(errors="replace").replace("\r", "")
    found = [(name, int(value, 16)) for name, value in OBSERVED.findall(text)]
    return found if found and found[-1][0] == "end" else [*found, ("no end: " + text[-200:].replace("\n", " "), 1)]


def explained() -> Dict[Tuple[str, str], str]:
    """tests/conform/differences.txt: a reason, then indented `guest: difference` lines, patterns of fnmatch."""
    found: Dict[Tuple[str, str], str] = {}
    reason = ""
    for line in DIFFERENCES.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            guest, _, name = line[2:].rstrip().partition(": ")
            found[guest, name] = reason
        elif line and not line.startswith("#"):
            reason = line
    return found


def differences(one: Found, other: Found) -> List[str]:
    """Where two runs of one program differ, by name: what bare QEMU found and what Charter did."""
    def each(found: Found) -> Dict[Tuple[str, int], str]:
        count: Dict[str, int] = {}
        out = {}
        for name, value in found:
            count[name] = count.get(name, 0) + 1
            out[name, count[name]] = f"{value:#x}"
        return out

    bare_one, charters = each(one), each(other)
    return [f"{key[0]}: bare {bare_one.get(key, 'nothing')}, Charter {charters.get(key, 'nothing')}"
            for key in [*bare_one, *(key for key in charters if key not in bare_one)]
            if bare_one.get(key) != charters.get(key)]


def hypervisor(profile: str = "tests/conform/conform.yaml", tag: str = "-conform", cpu: Optional[str] = None) -> Path:
    return vm.build(profile, *([f"CPU={cpu}"] if cpu else []), tag=tag + (f"-{cpu}" if cpu else ""))


def temporary() -> Path:
    return Path(os.environ.get("CONFORM_OUT", ROOT / "build" / "conform"))
