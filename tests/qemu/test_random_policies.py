# SPDX-License-Identifier: Apache-2.0
"""Random policies on the machine: under an accepted policy the sweep finds nothing that is not explained.

RANDOM_POLICIES=40 in the environment tries more of them; each takes a build and a boot.
"""
from __future__ import annotations

import os
from pathlib import Path

import pytest

import random_policy
from test_sweep import verify
from vm import bootargs, build, machine, run

CPUS = ("cortex-a57", "cortex-a72", "neoverse-n1", "max")
COUNT = int(os.environ.get("RANDOM_POLICIES", "4"))


@pytest.mark.parametrize("seed", range(COUNT))
def test_accepted_means_that_the_sweep_agrees(tmp_path: Path, seed: int) -> None:
    cpu = CPUS[seed % len(CPUS)]
    path, start = None, 1000 * seed
    while path is None:                 # seeds without an accepted policy are skipped
        path, start = random_policy.make(start, cpu, tmp_path), start + 1
        assert start < 1000 * seed + 20, "twenty policies in a row are refused: the generator writes nothing legal"
    elf = build("random", f"POLICY={path}", "GUEST=sweep", "BRIEF=1", f"CPU={cpu}", tag=f"-{seed}")
    done = run(machine(elf, *bootargs(tmp_path, "unattended=1 log=quiet"), cpu=cpu))
    log = tmp_path / "sweep.log"
    log.write_bytes(done.stdout)
    assert done.returncode == 0, done.stdout[-2000:]
    judged = verify(str(path), log, cpu)
    assert judged.returncode == 0, f"{path.read_text(encoding='utf-8')}\n{judged.stdout}"
    assert "98304 sysregs" in judged.stdout
