# SPDX-License-Identifier: Apache-2.0
"""Controls whose traps name no register: rules on their registers, and the exceptions that then arrive."""
from __future__ import annotations

import csv
from pathlib import Path
from typing import Callable, List, Tuple

import pytest

from policygen.__main__ import main
from policygen.facts.arch import load_arch
from policygen.meaning.load import load_policy
from policygen.target import traps
from policygen.target.review import review
from policygen.target.verify_run import Judge, Seen

ROOT = Path(__file__).resolve().parents[2]
PolicyFile = Callable[[str], str]
GIVEN = "features: {{ fp: expose, pmu: hide, sve: {sve}, sme: expose, mte: hide, pauth: hide, ras: hide, lor: hide }}\n" \
    "sysregs: {{ default: deny, core: allow, mmu: allow, id: allow, cache: allow, {more} }}\n" \
    "exceptions: {{ default: forward, {classes} }}\n"


def given(more: str, classes: str = "WFX: allow", sve: str = "expose") -> str:
    return GIVEN.format(more=more, classes=classes, sve=sve)


def complaints(path: str, cpu: str) -> List[Tuple[str, str]]:
    return [(item.code, item.message) for item in review(path, cpu=cpu).diags.sorted() if item.severity == "error"]


def test_the_tables_agree_on_who_reports_what() -> None:
    """A control that traps registers reports either the register, or a class that arch.yaml assigns to it."""
    arch = load_arch()
    lines = (ROOT / "policy" / "arch" / "controls.csv").read_text(encoding="utf-8").splitlines()
    said = {row["name"]: row["ec"] for row in csv.DictReader(line for line in lines if not line.startswith("#"))}
    trapping = {name for register in arch.by_key.values() for side in ("read", "write")
                for name in register.controls(side)}
    for name in trapping:
        assert said[name] == "0x18" or arch.reports[name].number == int(said[name], 16), name
    assert {name for name in trapping if name in arch.reports} == {"CPTR_EL2.TFP", "CPTR_EL2.TZ", "CPTR_EL2.TSM"}
    assert said["CPTR_EL2.TTA"] == "0x18"


@pytest.mark.parametrize("entry, says", [
    ("FPCR: { read: allow, write: ignore }", 1), ("FPSR: raz-wi", 2), ("fp: raz-wi", 4), ("sve: { value: 0 }", 1),
    ("ZCR_EL1: { mask: 0xf }", 2), ("SMCR_EL1: { do: allow, log: always }", 2), ("SVCR: { do: allow, limit: 5/s }", 2),
    ("ZCR_EL1: { write: deny }", 1), ("S3_0_C1_C2_0: { do: kill, why: x }", 2)])
def test_what_needs_the_register_is_an_error(policy_file: PolicyFile, entry: str, says: int) -> None:
    entry = entry.replace("{ value: 0 }", "{ read: { value: 0 } }")
    found = complaints(policy_file(given(entry)), "max")
    found = [item for item in found if item[0] != "PG402"]
    plural = "1 access reaches" if says == 1 else f"{says} accesses reach"
    assert found == [("PG501", f"this rule cannot be enforced on max: {plural} the register")]
    policy, _ = load_policy(policy_file(given(entry)))
    assert policy is not None and not {"CPTR_EL2.TFP", "CPTR_EL2.TZ", "CPTR_EL2.TSM"} & \
        {bit.name for bit in traps.plan(policy, "max").bits}


@pytest.mark.parametrize("action", ["allow", "{ read: allow }", "{ read: allow, write: allow }"])
def test_an_entry_for_what_a_feature_exposes_is_legal(policy_file: PolicyFile, action: str,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    path = policy_file(given(f"ZCR_EL1: {action}"))
    assert complaints(path, "max") == []
    for side in ("read", "write"):
        assert main(["explain", path, side, "ZCR_EL1", "--cpu", "max"]) == 0
        out = capsys.readouterr().out
        assert "decision  allow" in out and "runs without a trap" in out
        assert ("sve: expose" in out) == (side == "write" and action == "{ read: allow }"), out


def test_a_class_that_takes_what_is_given_is_an_error(policy_file: PolicyFile) -> None:
    for action in ("forward", "allow", "pause", "deny", "kill"):
        path = policy_file(given("gic: allow", f"FP_ASIMD: {{ do: {action}, log: always, why: x }}"))
        assert [code for code, _ in complaints(path, "cortex-a57")] == ["PG501"], action
    # Debug exceptions come by a control whose register traps name the register.
    path = policy_file(given("MDRAR_EL1: allow", "BRK64: { do: pause, why: x }"))
    assert complaints(path, "cortex-a57") == []


def test_explain_and_traps_tell_of_the_class(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "strict", "read", "ZCR_EL1", "--cpu", "max"]) == 0
    assert "CPTR_EL2.TZ=1: as class SVE, without the register: deny (UNDEF)" in capsys.readouterr().out
    assert main(["traps", "strict", "--cpu", "max"]) == 0
    out = capsys.readouterr().out
    assert "CPTR_EL2.TZ takes instructions, too: SVE: deny" in out and "CPTR_EL2.TSM takes instructions, too: SME" in out
    assert "CPTR_EL2.TFP takes" not in out


def seen(letter: str, flag: str, value: int = 0) -> Seen:
    return Seen("sysregs", "read", 1, load_arch().registers["ZCR_EL1"].key, 1, 1, (0, 0), letter, flag, value or None)


@pytest.mark.parametrize("classes, sve, outcome, differs", [
    ("WFX: allow", "hide", seen("u", "-"), ""), ("WFX: allow", "hide", seen("o", "+"), "counted as no denial"),
    ("WFX: allow", "hide", seen("x", "-", 0x19 << 26 | 1 << 25), "instead of deny of class SVE"),
    ("WFX: allow", "hide", seen("o", ""), "and it ran")])
def test_the_sweep_expects_what_the_class_says(policy_file: PolicyFile, classes: str, sve: str, outcome: Seen,
                                               differs: str) -> None:
    policy, diags = load_policy(policy_file(given("gic: allow", classes, sve)))
    assert policy is not None, diags.render()
    judge = Judge(policy, "max")
    judge.note(outcome, outcome.first, 1)
    assert [differs in item.why for item in judge.verdict.differences] == ([True] if differs else [])


def test_a_register_that_is_refused_by_its_class_arrives_as_that(policy_file: PolicyFile) -> None:
    """Neither hidden nor exposed: a denied ZCR_EL1 takes SVE, and `exceptions` decides in which form."""
    text = given("gic: allow").replace("sve: expose, ", "")
    policy, diags = load_policy(policy_file(text))
    assert policy is not None, diags.render()
    judge = Judge(policy, "max")
    judge.note(seen("x", "+", 0x19 << 26 | 1 << 25), seen("u", "").first, 1)
    assert judge.verdict.differences == [] and judge.verdict.covered == {"class SVE": 1}
    assert any("1 access arrives as class SVE" in item.message or "2 accesses arrive as class SVE" in item.message
               for item in review(policy_file(text), cpu="max").diags.items)


def test_what_the_virtual_gic_takes_itself_is_no_difference(policy_file: PolicyFile) -> None:
    policy, diags = load_policy(policy_file(given("gic: allow")))
    assert policy is not None, diags.render()
    key = load_arch().registers["ICC_DIR_EL1"].key
    for letter, flag, differs in (("o", "+", False), ("o", "-", True), ("u", "+", True)):
        judge = Judge(policy, "cortex-a57")
        judge.note(Seen("sysregs", "write", 1, key, 1, 1, (0, 0), letter, flag, None), key, 1)
        assert bool(judge.verdict.differences) == differs, (letter, flag)
