# SPDX-License-Identifier: Apache-2.0
"""A few of the mutants of `make mutate`, without a machine; and the tool reports a mutant that no test notices."""
from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Dict, List

import pytest

from hvl_host import ROOT

sys.path.insert(0, str(ROOT / "tests"))
import mutate  # noqa: E402

SAMPLE = 20


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> mutate.Bench:
    return mutate.Bench(tmp_path_factory.mktemp("mutate"), 3, False)


def told(bench: mutate.Bench, found: List[mutate.Mutant], reasons: Dict[str, str]) -> int:
    with ThreadPoolExecutor(1) as pool:
        return mutate.tell(mutate.ask(bench, found, pool, None, reasons), len(found), reasons, 0, True, False)


def test_no_mutant_of_a_sample_lives_unexplained(bench: mutate.Bench) -> None:
    found = mutate.sample([m for file in mutate.CORE for m in mutate.mutants(file)], SAMPLE, seed=1)
    assert told(bench, found + bench.tables, mutate.explained()) == 0


def test_what_nobody_notices_is_reported(bench: mutate.Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """A mutant that only makes EL2 slower: no host suite can see it."""
    name = "trap/trap.c trap_work: return;  [return; -> ; @0]"
    planted = next(m for m in mutate.mutants("trap/trap.c") if m.name() == name)
    assert told(bench, [planted], {}) == 1
    assert f"survives, NOT EXPLAINED: {planted.name()}" in capsys.readouterr().out
    assert told(bench, [planted], {planted.name(): "known"}) == 0


def test_a_mutant_is_noticed_or_none(bench: mutate.Bench) -> None:
    first = next(m for m in mutate.mutants("trap/psci.c") if m.old == "1")
    assert bench.verdict(replace(first, new="0x1")) == "same"
    wrong = next(m for m in mutate.mutants("trap/trap.c") if "f->elr_el2 += esr_length" in m.where and m.new == "-=")
    assert bench.verdict(wrong) == "host", "a wrong PC step"
