# SPDX-License-Identifier: Apache-2.0
"""The guest's PL011 and the line it shares with EL2, against a second telling of both (uart_model.h)."""
from __future__ import annotations

import subprocess
from pathlib import Path

from hvl_host import FLAGS, ROOT, run


def test_as_the_model_has_it(tmp_path: Path) -> None:
    program = tmp_path / "uart_host"
    sources = ["tests/host/uart_host.c", "hv/dev/vuart.c", "hv/log/console.c", "hv/log/output.c", "hv/cpu/locks.c"]
    subprocess.run(["gcc", *FLAGS, *sources, "-o", str(program)], cwd=ROOT, check=True)
    said, _ = run(program, b"", ["1", "150"])
    assert said == b"seeds=150\n"
