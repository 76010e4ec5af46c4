# SPDX-License-Identifier: Apache-2.0
"""Fixtures of make's tests."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "qemu")]
from vm import sources  # noqa: E402


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One copy for a module's tests; each test removes what it adds."""
    return sources(tmp_path_factory.mktemp("tree"))
