# SPDX-License-Identifier: Apache-2.0
"""Memory and text functions, formatting, the checksum: EL2's in place of the C library's."""
from __future__ import annotations

import subprocess
from pathlib import Path

from hvl_host import FLAGS, LOG, ROOT, build, run


def test_memory_and_text_functions_agree_with_libc(tmp_path: Path) -> None:
    program = tmp_path / "string"
    subprocess.run(["gcc", *FLAGS, "tests/host/string_host.c", "-o", str(program)], cwd=ROOT, check=True)
    run(program, b"")


def test_formats_agree_with_libc_and_the_console_is_clean(tmp_path: Path) -> None:
    out, _ = run(build("print_host", LOG, tmp_path), b"")
    assert out == b"line\r\na?@D?b\r\n|5\r\n"
