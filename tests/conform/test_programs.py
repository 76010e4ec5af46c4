# SPDX-License-Identifier: Apache-2.0
"""Random programs read the same of their interrupt controller on bare QEMU and under Charter (PROGRAMS=n, SEED=)."""
from __future__ import annotations

import os
from pathlib import Path

import conform
import programs


def test_random_programs_read_the_same(tmp_path: Path) -> None:
    count, seed = int(os.environ.get("PROGRAMS") or 1200), int(os.environ.get("SEED") or 1)
    found = programs.differences(programs.Pair(tmp_path, conform.hypervisor()), seed, 0, count)
    assert not found, "\n\n".join(found)
