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
