# SPDX-License-Identifier: Apache-2.0
"""Random programs read the same of their interrupt controller on bare QEMU and under Charter (PROGRAMS=n, SEED=)."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

import conform
import programs

COUNT, SEED = int(os.environ.get("PROGRAMS") or 1200), int(os.environ.get("SEED") or 1)


def newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conform.vm, "QEMU", str(conform.newest_qemu(conform.ROOT / "build" / "linux")))


def test_random_programs_read_the_same(tmp_path: Path) -> None:
    found = programs.differences(programs.Pair(tmp_path, conform.hypervisor()), SEED, 0, COUNT)
    assert not found, "\n\n".join(found)


def test_and_on_the_newest_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest QEMU that the backports have, and the CPU with all features that it knows."""
    newest(monkeypatch)
    found = programs.differences(programs.Pair(tmp_path, conform.hypervisor(cpu="max"), "max"), SEED, COUNT, COUNT)
    assert not found, "\n\n".join(found)


def test_what_they_leave_out_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step that differences.txt forbids them is needed on Debian's QEMU, or on the newest."""
    pair, steps = programs.Pair(tmp_path, conform.hypervisor()), list(programs.AVOIDED.values())
    differ = set(pair.differing(steps, 1, how=0))
    newest(monkeypatch)
    differ |= set(pair.differing(steps, 1, how=0))
    vain = [name for n, name in enumerate(programs.AVOIDED) if n not in differ]
    assert not vain, f"explained, but no program differs by it: {vain}"
    assert not pair.differing(steps, 1)
