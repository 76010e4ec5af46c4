# SPDX-License-Identifier: Apache-2.0
"""hv/dev/vgic*.c against the GICv3 of the manual (vgic_model.h), step by step, with 1 to 16 list registers."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

from hvl_host import FLAGS, ROOT, run, src


def test_as_the_model_has_it(tmp_path: Path) -> None:
    program = tmp_path / "vgic_host"
    sources = ["tests/host/vgic_host.c", *map(src, ["vgic", "vgic_regs", "vgic_icc", "locks"])]
    subprocess.run(["gcc", *FLAGS, *sources, "-o", str(program)], cwd=ROOT, check=True)
    said, _ = run(program, b"", ["1", "600"])
    counted = {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", said.decode())}
    assert counted["taken"] > 3000 and counted["ended"] > 1000 and counted["traps"] > 10000, counted
