#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Uses Linux under one QEMU as each CPU model, kernel and profile: a table of results."""
from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import List, Sequence

ROOT = Path(__file__).resolve().parents[2]
CPUS = ("cortex-a57", "cortex-a72", "neoverse-n1", "max")
KERNELS = {"tested": [], "newest": ["--newest"]}
PROFILES = {"permissive": ["smp"], "linux-strict": ["busybox", "disk-ro"]}
LIMIT = 1800                    # seconds for one cell


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qemu", default="qemu-system-aarch64", metavar="FILE")
    parser.add_argument("--out", type=Path, default=Path("build/matrix"), metavar="DIR")
    parser.add_argument("--cpu", action="append", choices=CPUS, default=[], help="only this model; may be repeated")
    options = parser.parse_args(argv)
    known = _said([options.qemu, "-M", "virt", "-cpu", "help"])
    print(_said([options.qemu, "--version"]).splitlines()[0], flush=True)
    failures = 0
    for cpu in options.cpu or CPUS:
        if cpu not in known.split():
            print(f"     {cpu}: this QEMU has no such model", flush=True)
            continue
        for profile in PROFILES:
            built = options.out / f"{cpu}-{profile}"
            _said(["make", "all", f"B={built}", f"CPU={cpu}", f"POLICY={profile}", "GUEST=diag"])
            for kernel in KERNELS:
                failures += not _cell(options.qemu, built, cpu, profile, kernel)
    return 1 if failures else 0


def _cell(qemu: str, built: Path, cpu: str, profile: str, kernel: str) -> bool:
    start = time.monotonic()
    log = built / f"{kernel}.txt"
    command = [sys.executable, str(ROOT / "tests/linux/smoke.py"), "--qemu", qemu,
               "--kernel", str(built / "hypervisor.elf"), "--policy-windows", str(built / "gen/windows.json"),
               "--machine", f"-M virt,virtualization=on,gic-version=3 -cpu {cpu} -m 1G",
               "--out", f"build/linux/matrix-{cpu}-{profile}", *KERNELS[kernel], *PROFILES[profile]]
    with log.open("wb") as file:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, timeout=LIMIT,
                                check=False).returncode
    word, took = "FAIL" if status else "ok  ", time.monotonic() - start
    print(f"{word} {cpu:12} {kernel:8} {profile:13} {took:4.0f} s", flush=True)
    if status:
        sys.stdout.write(log.read_text("utf-8", "replace")[-2000:])
    return not status


def _said(command: List[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
    if done.returncode:
        sys.exit(f"matrix: {' '.join(command[:3])}: {done.stdout[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
