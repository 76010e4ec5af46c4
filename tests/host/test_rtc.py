# SPDX-License-Identifier: Apache-2.0
"""The guest's PL031 and its alarm, against a second telling of both."""
from __future__ import annotations

import subprocess
from pathlib import Path

from hvl_host import FLAGS, ROOT, run, src


def test_as_the_manual_has_it(tmp_path: Path) -> None:
    program = tmp_path / "rtc_host"
    subprocess.run(["gcc", *FLAGS, "tests/host/rtc_host.c", src("vrtc"), src("locks"), "-o", str(program)], cwd=ROOT, check=True)
    said, _ = run(program, b"", ["1", "30"])
    assert said == b"seeds=30\n"
