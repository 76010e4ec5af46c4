# SPDX-License-Identifier: Apache-2.0
"""`make fuzz-host`: libFuzzer on trap_host.c under ASan and UBSan. argv: folder, generated tables, seconds."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hvl_host import FLAGS, ROOT
from trap_host import DEVICES, TRAP


def main(out: Path, tables: Path, seconds: int) -> int:
    out.mkdir(parents=True, exist_ok=True)
    sources = ["tests/host/trap_host.c", *(f"hv/{part}.c" for part in TRAP + DEVICES), str(tables / "policy_tables.c")]
    subprocess.run(["clang", *FLAGS, "-Wno-unknown-attributes", "-fsanitize=fuzzer", "-DREAL_DEVICES", "-DLIBFUZZER",
                    *sources, "-o", str(out / "trap_fuzz")], cwd=ROOT, check=True)
    (out / "corpus").mkdir(exist_ok=True)
    return subprocess.run([str(out.resolve() / "trap_fuzz"), f"-max_total_time={seconds}", "-max_len=8192", "corpus"],
                          cwd=out, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
