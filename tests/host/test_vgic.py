# SPDX-License-Identifier: Apache-2.0
"""hv/dev/vgic.c and hv/dev/vgic_regs.c against a second telling of the guest's GICv3 (vgic_model.h), step by step."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

from hvl_host import FLAGS, ROOT, run


def test_as_the_model_has_it(tmp_path: Path) -> None:
    program = tmp_path / "vgic_host"
    sources = ["tests/host/vgic_host.c", "hv/dev/vgic.c", "hv/dev/vgic_regs.c", "hv/cpu/locks.c"]
    subprocess.run(["gcc", *FLAGS, *sources, "-o", str(program)], cwd=ROOT, check=True)
    said, _ = run(program, b"", ["1", "600"])
    counted = {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", said.decode())}
    assert counted["taken"] > 3000 and counted["ended"] > 1000 and counted["shown"] > 30000, counted
