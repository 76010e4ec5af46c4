# SPDX-License-Identifier: Apache-2.0
"""Random policies on the machine: under an accepted policy the sweep finds nothing that is not explained.

RANDOM_POLICIES=160 in the environment tries more of them: forty on each CPU model.
"""
from __future__ import annotations

import os
from pathlib import Path

import pytest

import random_policy
from many import Image
from policygen.meaning.load import load_policy
from policygen.target import verify_run

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
# Conditions on each kind of entry: on the value written, over the value held, on arguments, level and PC.
CONDITIONS = """\
policy: 1
name: conditions
platform: qemu-virt
extends: default
sysregs:
  SCTLR_EL1: { write: { do: allow, where: { M: sticky, WXN: sticky, EE: 0 }, else: deny, log: always } }
  MAIR_EL1: { write: { do: allow, where: { value: same }, else: { mask: 0xff, log: once } } }
  AFSR0_EL1: { write: { do: ignore, where: { value: [0..7, 0x100000000..0x1ffffffff] }, else: deny } }
  CONTEXTIDR_EL1: { do: raz-wi, where: { pc: 0..0xffff }, else: { do: allow, where: { pc: ram }, else: deny } }
  CTR_EL0: { do: allow, where: { from: el1 }, else: { value: 0x8444c004 } }
mmio:
  rtc: { do: raz-wi, where: { from: el1 }, else: deny }
  gpio: { default: deny, regs: { 0x3fc: { write: { do: ignore, where: { value: 0..0xf }, else: { do: deny, log: always } } },
                                 0x400-0x410: { do: raz-wi, where: { from: el0 }, else: deny } } }
hvc:
  0x86000041: { value: 0, where: { x1: [1, 2, 4], x2: 0 }, log: always, else: { do: deny, where: { x1: 9 }, else: { value: 3 } } }
smc:
  0xc6000042: { value: 0x500000000, where: { x2: [1, 0x100000000] }, else: { do: deny, as: INVALID_PARAMETERS } }
  0x86000043: { do: deny, where: { pc: ram }, else: { value: 5 } }
exceptions:
  WFX: { do: allow, where: { from: el1 }, log: once, else: deny }
"""
CPUS = ("cortex-a57", "cortex-a72", "neoverse-n1", "max")
COUNT = int(os.environ.get("RANDOM_POLICIES", "40"))


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


@pytest.mark.parametrize("cpu", ["cortex-a57", "max"])
def test_conditions_hold_on_each_kind_of_entry(tmp_path: Path, image: Image, cpu: str) -> None:
    path = tmp_path / "conditions.yaml"
    path.write_text(CONDITIONS, encoding="utf-8")
    policy, diags = load_policy(str(path))
    assert policy is not None, diags.render()
    assert image.differs(policy, cpu, tmp_path) == []
    seen = [item for item in verify_run.parse(verify_run.console((tmp_path / "conditions.log").read_text(encoding="latin-1")))
            if (item.section, item.first) == ("hvc", 0x86000041)]
    answers = {(item.args[0], item.args[1] == 0): (item.letter, item.value) for item in seen}
    assert answers[1, True] == answers[4, True] == ("o", 0) and answers[3, True] == ("o", 3) and answers[9, True] != ("o", 3)
