# SPDX-License-Identifier: Apache-2.0
"""Device trees of real QEMU machines, dumped once for all tests."""
from __future__ import annotations

import subprocess
from typing import Callable, Dict

import pytest
from prep_inputs import MACHINES
from guestprep import fdt
from guestprep.report import Report


@pytest.fixture(scope="session")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """The DTB of a machine of MACHINES, as this QEMU makes it."""
    cache: Dict[str, bytes] = {}

    def get(name: str) -> bytes:
        if name not in cache:
            target = tmp_path_factory.mktemp("dtb") / "virt.dtb"
            subprocess.run(["qemu-system-aarch64", *MACHINES[name].split(), "-m", "1G", "-display", "none",
                            "-machine", f"dumpdtb={target}"], check=True, capture_output=True, timeout=600)
            cache[name] = target.read_bytes()
        return cache[name]

    return get


@pytest.fixture
def load(dump: Callable[[str], bytes]) -> Callable[[str], fdt.Tree]:
    def get(name: str) -> fdt.Tree:
        report = Report()
        tree = fdt.load(name, dump(name), report)
        assert tree is not None and not report.errors
        return tree

    return get
