# SPDX-License-Identifier: Apache-2.0
"""The decoder's speed and memory: records a second and peak memory at 10^4, 10^5, 10^6 records.

python3 tests/decoder/bench_decode.py [COMMAND [RECORDS...]]
"""
from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, Tuple

from encoder import Encoder

TOOL = Path(__file__).resolve().parents[2] / "tools" / "log_decode.py"
WHATS = ("mmio.w uart0+0x0/4=0x41", "msr.w TTBR0_EL1=0x42000000", "msr.r PMCR_EL0", "hvc 0x4 x1=0x40001000 x2=0x20")


def write(path: Path, records: int) -> None:
    """A log of so many records with a line of console every eight, written a piece at a time."""
    encoder = Encoder()
    with path.open("wb") as file:
        encoder.header()
        for i in range(records):
            if i % 8 == 0:
                encoder.guest(b"[    0.000000] a line of the guest's console, as long as they are\r\n")
            encoder.decision(i % 40, WHATS[i % len(WHATS)], "DENY" if i % 100 == 2 else "ALLOW", cost=50 + i % 977)
            if len(encoder.wire) > 1 << 16:
                file.write(encoder.wire)
                encoder.wire.clear()
                encoder.owner.clear()
                encoder.made.clear()
                encoder.guest_out.clear()
        encoder.trailer()
        file.write(encoder.wire)


def measure(path: Path, command: str) -> Tuple[float, int]:
    """Wall seconds and peak memory in KiB of one run. A small process in between, since a forked child's peak
    starts at its parent's."""
    code = ("import resource, subprocess, sys, time\n"
            "t = time.monotonic()\n"
            "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n"
            "print(time.monotonic() - t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", code, sys.executable, str(TOOL), command, str(path)],
                          stdout=subprocess.PIPE, check=True, text=True)
    wall, peak = done.stdout.split()
    return float(wall), int(peak)


def main(argv: List[str]) -> None:
    command = argv[0] if argv else "summary"
    sizes = [int(word) for word in argv[1:]] or [10**4, 10**5, 10**6]
    print(f"{'records':>9} {'MB':>7} {'seconds':>8} {'records/s':>10} {'peak MiB':>9}   ({command})")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "uart.log"
        for records in sizes:
            write(path, records)
            wall, peak = measure(path, command)
            print(f"{records:>9} {path.stat().st_size / 1e6:>7.1f} {wall:>8.2f} {records / wall:>10.0f} "
                  f"{peak / 1024:>9.1f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
