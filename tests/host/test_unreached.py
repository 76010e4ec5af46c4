# SPDX-License-Identifier: Apache-2.0
"""Every line in tests/unreached.txt exists (whether it is unreached, `make coverage` asks)."""
from __future__ import annotations

import importlib.util

from hvl_host import ROOT


def test_what_is_said_of_a_line_is_said_of_one_that_there_is() -> None:
    spec = importlib.util.spec_from_file_location("hv_coverage", ROOT / "tests" / "coverage.py")
    assert spec and spec.loader
    coverage = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(coverage)
    reasons = coverage.explained()
    known = {name for file in coverage.sources(ROOT) for name in coverage.names(file).values()}
    assert reasons and all(reasons.values()) and not set(reasons) - known
