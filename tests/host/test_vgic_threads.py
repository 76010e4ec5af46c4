# SPDX-License-Identifier: Apache-2.0
"""A CPU's own interrupts take no lock: hv/dev/vgic*.c with a thread for each CPU, judged by ThreadSanitizer."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hvl_host import FLAGS, ROOT, run, src

CHANGES = [                                     # file of hv/dev, text, other text; a race, or a wait without an end
    ("vgic.c", "t->vgic.stands || ", "true || "),
    ("vgic.c", "c->vgic.live = false;", ""),
    ("vgic.c", "atomic_or(&c->vgic.sent, 1u << irq)", "c->vgic.local.pending |= 1u << irq"),
    ("vgic.c", "c->vgic.lr_spis && lock_enter(&dist_lock)", "false"),
    ("vgic.c", "c->vgic.stands = false;", ""),
    ("vgic_regs.c", "\tif (other)\n\t\tspin_lock(&dist_lock);\n\tredist_write", "\tredist_write"),
]


def build(out: Path, folder: str = "hv/dev") -> Path:
    program = out / "vgic_threads"
    at = FLAGS.index("-include")
    flags = [flag for flag in (*FLAGS[:at], "-include", "tests/host/threads/lock.h", *FLAGS[at:]) if "sanitize" not in flag]
    sources = ["tests/host/vgic_threads.c", src("locks"), *(f"{folder}/{name}.c" for name in ("vgic", "vgic_regs", "vgic_icc"))]
    subprocess.run(["gcc", *flags, "-fsanitize=thread", "--param", "tsan-distinguish-volatile=1", "-pthread", *sources, "-o",
                    str(program)], cwd=ROOT, check=True)
    return program


def test_no_race_and_no_interrupt_lost(tmp_path: Path) -> None:
    program = build(tmp_path)
    for seed in range(1, 4):
        said, _ = run(program, b"", [str(seed), "3000"])
        counted = {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", said.decode())}
        assert counted["taken"] > 500 and counted["offs"] > 20, counted


@pytest.mark.parametrize("name, text, other", CHANGES)
def test_a_lock_left_out_is_told(tmp_path: Path, name: str, text: str, other: str) -> None:
    for part in ("vgic.c", "vgic_regs.c", "vgic_icc.c"):
        code = (ROOT / "hv" / "dev" / part).read_text(encoding="utf-8")
        if part == name:
            assert text in code
            code = code.replace(text, other)
        (tmp_path / part).write_text(code, encoding="utf-8")
    done = subprocess.run([str(build(tmp_path, str(tmp_path))), "1", "3000"], capture_output=True, text=True, check=False)
    assert done.returncode, done
