# SPDX-License-Identifier: Apache-2.0
"""Puts the clone on the path and gives tests a way to write small policies."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

HEAD = "policy: 1\nname: t\nplatform: qemu-virt\n"
SECTIONS = {"sysregs": "{ default: deny }", "mmio": "{ default: deny }", "hvc": "{ default: deny }",
            "smc": "{ default: deny }", "exceptions": "{ default: forward }"}


@pytest.fixture
def policy_file(tmp_path: Path) -> Callable[[str], str]:
    """Writes a policy whose missing sections are a `default`; returns its path."""
    def write(text: str) -> str:
        said = {line.split(":")[0] for line in text.splitlines()}
        rest = "".join(f"{name}: {body}\n" for name, body in SECTIONS.items() if name not in said)
        path = tmp_path / "t.yaml"
        path.write_text(HEAD + text + rest, encoding="utf-8")
        return str(path)
    return write
