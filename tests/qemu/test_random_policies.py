# SPDX-License-Identifier: Apache-2.0
"""Random policies on the machine: under an accepted policy the sweep finds nothing that is not explained.

RANDOM_POLICIES=40 in the environment tries more of them.
"""
from __future__ import annotations

import os
from pathlib import Path

import pytest

import random_policy
from many import Image
from policygen.meaning.load import load_policy

# Limits on accesses of the sweep's own, which it has to keep to; the last is of a register that it writes.
LIMITS = """\
policy: 1
name: limits
platform: qemu-virt
extends: default
sysregs:
  ESR_EL1: { do: allow, limit: 200/s, over: kill }
  AFSR0_EL1: { do: allow, limit: 1/s, over: kill }
hvc:
  HV_GET_STATUS: { do: allow, limit: 300/s, over: kill }
  HV_CONSOLE_WRITE: { do: allow, limit: 20/s, over: kill }
"""
CPUS = ("cortex-a57", "cortex-a72", "neoverse-n1", "max")
COUNT = int(os.environ.get("RANDOM_POLICIES", "8"))


@pytest.fixture(scope="module")
def image() -> Image:
    return Image()


@pytest.mark.parametrize("seed", range(COUNT))
def test_accepted_means_that_the_sweep_agrees(tmp_path: Path, image: Image, seed: int) -> None:
    cpu = CPUS[seed % len(CPUS)]
    for attempt in range(1000 * seed, 1000 * seed + 20):    # seeds of which nothing is accepted tell nothing here
        policy = random_policy.make(attempt, cpu, tmp_path)
        if policy is not None:
            break
    else:
        pytest.fail("twenty policies in a row are refused: the generator writes nothing legal")
    differences = image.differs(policy, cpu, tmp_path)
    assert not differences, "\n".join([cpu, *differences, *(f"{file}:\n{Path(file).read_text(encoding='utf-8')}"
                                                            for file in policy.files if "random" in file)])


def test_a_limit_does_not_make_the_sweep_cry(tmp_path: Path, image: Image) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(LIMITS, encoding="utf-8")
    policy, diags = load_policy(str(path))
    assert policy is not None, diags.render()
    assert image.differs(policy, "cortex-a57", tmp_path) == []
    counted = (tmp_path / "limits.log").read_text(encoding="latin-1")
    assert "sw end" in counted and "reason=poweroff" in counted
