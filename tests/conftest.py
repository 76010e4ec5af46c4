# SPDX-License-Identifier: Apache-2.0
"""The tests that take longest begin, in all processes of `make test` alike, so that these end together."""
from __future__ import annotations

import os
from typing import List

import pytest

LONG = ("tests/host/test_mutate.py", "tests/qemu/", "tests/hostile_inputs/")


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """pytest-xdist first gives each process a quarter of its share, in a row; the others come as one has time."""
    long = [item for item in items if item.nodeid.startswith(LONG)]
    short = [item for item in items if not item.nodeid.startswith(LONG)]
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = max(len(items) // processes // 4, 2)
    ordered: List[pytest.Item] = []
    for number in range(processes):
        first = long[number::processes][:share]
        ordered += first + short[:share - len(first)]
        del short[:share - len(first)]
    given = set(ordered)
    items[:] = ordered + [item for item in long if item not in given] + short
