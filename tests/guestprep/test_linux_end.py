# SPDX-License-Identifier: Apache-2.0
"""The end of an unattended run, as scripts see it."""
from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from prep_inputs import ROOT

TRAILER = b"@Z 7 5.970519152 seq=7 records=8 lost=0 guestbytes=13282 reason=%s "
PANIC = b"[    1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\r\n"


def end(reason: bytes) -> bytes:
    line = TRAILER % reason
    return b"text\r\n\x1e" + line + b"*%08x\r\n" % zlib.crc32(line)


@pytest.mark.parametrize("log, status, said", [
    (end(b"poweroff"), 0, "poweroff"), (end(b"reset"), 3, "reset"), (end(b"kill"), 4, "kill"), (b"", 5, "no end"),
    (PANIC + end(b"reset"), 3, "reset; kernel panic: Attempted to kill init! exitcode=0x00000100"),
    (PANIC, 5, "no end; kernel panic"), (end(b"poweroff").replace(b"\x1e", b""), 5, "no end"),
    (end(b"kill").replace(b"kill", b"poweroff"), 5, "no end"),
])
def test_end(tmp_path: Path, log: bytes, status: int, said: str) -> None:
    (tmp_path / "uart.log").write_bytes(log)
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "linux_end.py"), str(tmp_path / "uart.log")], text=True,
                          capture_output=True, timeout=600, check=False)
    assert done.returncode == status and said in done.stderr
