# SPDX-License-Identifier: Apache-2.0
"""The tests that take longest begin, so that both processes of `make test` end together."""
from __future__ import annotations

from typing import List

import pytest

LONG = ("tests/host/test_mutate.py", "tests/qemu/", "tests/hostile_inputs/")


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
