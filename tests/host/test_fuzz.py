# SPDX-License-Identifier: Apache-2.0
"""The targets of `make fuzz-host`, from seeds: the monitor, gdb's packets, boot arguments, the loader."""
from __future__ import annotations

from pathlib import Path

import pytest

import fuzz_host
from hvl_host import run


@pytest.mark.parametrize("target, seeds", [("monitor", 2000), ("loader", 20000)])
def test_seeds(tmp_path: Path, target: str, seeds: int) -> None:
    words = [*fuzz_host.sources(tmp_path)[target], "tests/host/fuzz_main.c"]
    _, said = run(fuzz_host.build(words, ["gcc"], tmp_path / target), b"", ["1", str(seeds)])
    assert f"played={seeds}" in said
