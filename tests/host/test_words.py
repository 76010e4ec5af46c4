# SPDX-License-Identifier: Apache-2.0
"""An enumerator of the log and its word stand in one row: the compiler finds a forgotten word."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hvl_host import rendered

ROOT = Path(__file__).resolve().parents[2]
CROSS = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-")

# header, its row, the planted row, the file that reads it, the compiler's words
PLANTED = [
    ("cpu/log.h", 'X(EV_RESET, "reset", "")', 'X(EV_RESET, "reset", "") X(EV_NEW)', "log/log_text.c", "PRINT_EVENT"),
    ("cpu/log.h", 'X(EV_RESET, "reset", "")', 'X(EV_RESET, "reset", " by=%s")', "log/log_text.c", "format"),
    ("cpu/log.h", 'X(LOG_QUIET, "quiet")', 'X(LOG_QUIET, "quiet") X(LOG_NEW)', "log/log_describe.c", "AS_WORD"),
    ("policy/policy.h", 'X(V_WOULD, "WOULD")', 'X(V_WOULD, "WOULD") X(V_NEW)', "log/log_describe.c", "AS_WORD"),
    ("policy/policy.h", "\tEXC_COUNT\n", "\tEXC_NEW,\n\tEXC_COUNT\n", "", "policy/arch/arch.yaml"),
]


def compiled(folder: Path, source: Path) -> "subprocess.CompletedProcess[str]":
    """`source` with the headers of `folder` before those of hv/."""
    return subprocess.run([f"{CROSS}gcc", "-std=gnu11", "-ffreestanding", "-mgeneral-regs-only", "-fsyntax-only",
                           "-Wall", "-Wextra", "-Werror", f"-I{folder}", f"-I{ROOT / 'hv'}",
                           f"-I{rendered()}", str(source)],
                          capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})


@pytest.mark.parametrize("header, row, instead, source, says", PLANTED)
def test_a_forgotten_word_does_not_build(tmp_path: Path, header: str, row: str, instead: str, source: str,
                                         says: str) -> None:
    reader = ROOT / "hv" / source if source else ROOT / "build" / "gen" / "policy_tables.c"
    path = tmp_path / header
    path.parent.mkdir()
    text = (ROOT / "hv" / header).read_text(encoding="utf-8")
    assert text.count(row) == 1
    path.write_text(text, encoding="utf-8")
    done = compiled(tmp_path, reader)
    assert done.returncode == 0, done.stderr
    path.write_text(text.replace(row, instead), encoding="utf-8")
    done = compiled(tmp_path, reader)
    assert done.returncode != 0 and says in done.stderr, done.stderr
