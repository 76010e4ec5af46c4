# SPDX-License-Identifier: Apache-2.0
"""hv/vgic.c: whatever a guest writes, no physical interrupt stays active with nobody to end it."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

from hvl_host import FLAGS, ROOT, run


def test_no_timer_is_lost(tmp_path: Path) -> None:
    program = tmp_path / "vgic_host"
    sources = ["tests/host/vgic_host.c", "hv/vgic.c", "hv/vgic_regs.c"]
    subprocess.run(["gcc", *FLAGS, *sources, "-o", str(program)], cwd=ROOT, check=True)
    said, _ = run(program, b"", ["1", "1000"])
    counted = dict(re.findall(r"(\w+)=(\d+)", said.decode()))
    assert int(counted["taken"]) > 10000 and int(counted["ended"]) > 10000
