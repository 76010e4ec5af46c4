# SPDX-License-Identifier: Apache-2.0
"""`make fuzz-host`: libFuzzer under ASan and UBSan on each target. argv: folder, tables, seconds, seed (0: any).

Targets: the trap path with the emulated devices and the console; the monitor's input, with gdb's packets; boot
arguments with an Image's and a DTB's header; a virtio driver between EL2 and its device. test_fuzz.py plays seeds to
the monitor and the loader without clang, test_trap.py and test_virtio.py to the others. The decoder is Python:
tests/decoder/test_wire.py damages logs and gives it any bytes.
"""
from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Sequence

from hvl_host import FLAGS, MONITOR, ROOT, VIRTIO, class_names, src
from trap_host import DEVICES, TRAP

# libFuzzer's inputs follow from its seed and from addresses; containers may refuse to fix the latter.
STILL = ["sh", "-c", 'setarch -R true 2>/dev/null && exec setarch -R "$@"; exec "$@"', "sh"]


def sources(tables: Path) -> Dict[str, List[str]]:
    fakes = ["tests/host/fake/fake.c", "tests/host/fake/tables.c"]
    loader = ["guestload", "guestmem", "crc32", "bootargs"]
    return {"trap": ["-DREAL_DEVICES", "-DLIBFUZZER", "tests/host/trap_host.c", str(tables / "policy_tables.c"),
                     *(src(part) for part in TRAP + DEVICES)],
            "monitor": ["-DFUZZED", "tests/host/monitor_host.c", *fakes, *(src(part) for part in MONITOR)],
            "loader": ["-DFUZZED", "tests/host/bounds_host.c", *(src(part) for part in loader)],
            "virtio": ["-DFUZZED", "-Wno-unused-function", "-pthread",
                       "tests/host/virtio_host.c", *(src(part) for part in VIRTIO)]}


def build(words: Sequence[str], compiler: Sequence[str], out: Path) -> Path:
    subprocess.run([*compiler, *FLAGS, *class_names(out.parent), *words, "-o", str(out)], cwd=ROOT, check=True)
    return out


def dictionary(out: Path) -> Path:
    """The words of fuzz_main.c in libFuzzer's dictionary format."""
    source = (ROOT / "tests/host/fuzz_main.c").read_text(encoding="utf-8")
    words = [ast.literal_eval(f'b"{word}"') for word in re.findall(r'"((?:[^"\\]|\\.)*)"', source)]
    out.write_text("".join('"' + "".join(f"\\x{b:02x}" for b in word) + '"\n' for word in words), encoding="utf-8")
    return out


def main(out: Path, tables: Path, seconds: int, seed: int) -> int:
    out.mkdir(parents=True, exist_ok=True)
    words_known = dictionary(out / "words.dict").resolve()
    for name, words in sources(tables).items():
        program = build(words, ["clang", "-Wno-unknown-attributes", "-fsanitize=fuzzer"], out / f"{name}_fuzz")
        (out / name).mkdir(exist_ok=True)
        log = out / f"{name}.log"
        with open(log, "w", encoding="utf-8") as said:
            done = subprocess.run([*(STILL if seed else []), str(program.resolve()), f"-max_total_time={seconds}", "-timeout=20",
                                   f"-seed={seed}", "-max_len=8192", "-handle_segv=0", "-close_fd_mask=1",
                                   f"-dict={words_known}", name], cwd=out, check=False, stderr=said)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(f"fuzz-host: {name}: {lines[-1]}, {[line for line in lines if 'DONE' in line]}", flush=True)
        if done.returncode:
            print("\n".join(lines[-60:]))
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
