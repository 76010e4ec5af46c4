# SPDX-License-Identifier: Apache-2.0
"""The order of EL2's locks, as every host test checks it, and the CPU that the watchdog blames (hv/cpu/locks.c)."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hvl_host import FLAGS, ROOT, run, src


@pytest.fixture(scope="module", name="program")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("locks") / "locks_host"
    subprocess.run(["gcc", *FLAGS, "tests/host/locks_host.c", src("locks"), "-o", str(out)], cwd=ROOT, check=True)
    return out


def test_whom_the_watchdog_blames(program: Path) -> None:
    said, _ = run(program, b"")
    assert said == b"cases=432\n"


def test_an_inversion_ends_a_test(program: Path) -> None:
    """Every pair of locks, in both orders, and of two devices; the same lock twice; the release of one that is not held."""
    order = re.search(r"enum lock_order \{(.*?)ORDER_COUNT", (ROOT / "hv/cpu/locks.h").read_text(), re.S)
    assert order
    names = re.findall(r"\bORDER_\w+", order.group(1))
    device = names.index("ORDER_VIRTIO")
    for a in range(len(names) + 1):
        for b in range(len(names) + 1):
            right = a < b and (a, b) != (device, device + 1)
            done = subprocess.run([str(program), str(a), str(b)], capture_output=True, text=True, check=False)
            assert (done.returncode == 0) == right, (a, b, done.stderr)
            assert right or "the other way round" in done.stderr
            if right:
                run(program, b"", [str(a), str(b), f"-{b}", str(b)])
    assert "nobody has it" in run(program, b"", ["1", "-1", "-1"], expect=-6)[1]
