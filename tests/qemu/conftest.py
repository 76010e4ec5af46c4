# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the QEMU tests."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Iterator, List

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from vm import Console, sources  # noqa: E402


@pytest.fixture
def console() -> Iterator[Any]:
    """console(command) opens a machine that is gone when the test is."""
    opened: List[Console] = []

    def start(command: List[str]) -> Console:
        opened.append(Console(command))
        return opened[-1]

    yield start
    for c in opened:
        c.child.close(force=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources, to edit."""
    return sources(tmp_path)
