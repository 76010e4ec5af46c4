# SPDX-License-Identifier: Apache-2.0
"""How an unattended run ended, as scripts see it."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from prep_inputs import ROOT

END = b"text\r\n\x1e@Z 7 5.970519152 seq=7 records=8 lost=0 guestbytes=13282 reason=%s *2495c4e7\r\n"
PANIC = b"[    1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\r\n"


@pytest.mark.parametrize("log, status, said", [
    (END % b"poweroff", 0, "poweroff"), (END % b"reset", 3, "reset"), (END % b"kill", 4, "kill"), (b"", 5, "no end"),
    (PANIC + END % b"reset", 3, "reset; kernel panic: Attempted to kill init! exitcode=0x00000100"),
    (PANIC, 5, "no end; kernel panic"), (b"@Z 7 5.9 reason=poweroff *2495c4e7\r\n", 5, "no end"),
])
def test_end(tmp_path: Path, log: bytes, status: int, said: str) -> None:
    (tmp_path / "uart.log").write_bytes(log)
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "linux_end.py"), str(tmp_path / "uart.log")], text=True,
                          capture_output=True, timeout=600, check=False)
    assert done.returncode == status and said in done.stderr
