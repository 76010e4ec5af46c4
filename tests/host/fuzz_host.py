# SPDX-License-Identifier: Apache-2.0
"""`make fuzz-host`: libFuzzer under ASan and UBSan on each target in turn. argv: folder, generated tables, seconds.

Targets: the trap path with the emulated devices and the console; what is typed at the monitor, gdb's packets among it;
boot arguments with an Image's and a DTB's header. test_fuzz.py plays seeds to the last two without clang.
"""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Sequence

from hvl_host import FLAGS, MONITOR, ROOT
from trap_host import DEVICES, TRAP


def sources(tables: Path) -> Dict[str, List[str]]:
    fakes = ["tests/host/fake/fake.c", "tests/host/fake/tables.c"]
    loader = ["guestload", "guestmem", "crc32", "bootargs"]
    return {"trap": ["-DREAL_DEVICES", "-DLIBFUZZER", "tests/host/trap_host.c", str(tables / "policy_tables.c"),
                     *(f"hv/{part}.c" for part in TRAP + DEVICES)],
            "monitor": ["-DFUZZED", "tests/host/monitor_host.c", *fakes, *(f"hv/{part}.c" for part in MONITOR)],
            "loader": ["-DFUZZED", "tests/host/bounds_host.c", *(f"hv/{part}.c" for part in loader)]}


def build(words: Sequence[str], compiler: Sequence[str], out: Path) -> Path:
    subprocess.run([*compiler, *FLAGS, *words, "-o", str(out)], cwd=ROOT, check=True)
    return out


def main(out: Path, tables: Path, seconds: int) -> int:
    out.mkdir(parents=True, exist_ok=True)
    for name, words in sources(tables).items():
        program = build(words, ["clang", "-Wno-unknown-attributes", "-fsanitize=fuzzer"], out / f"{name}_fuzz")
        (out / name).mkdir(exist_ok=True)
        print(f"fuzz-host: {name}, {seconds} s", flush=True)
        done = subprocess.run([str(program.resolve()), f"-max_total_time={seconds}", "-max_len=8192", "-handle_segv=0",
                               "-close_fd_mask=1", name], cwd=out, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
