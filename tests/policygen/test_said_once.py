# SPDX-License-Identifier: Apache-2.0
"""Truths that stand in one place: a change that another place has to follow, and does not, is reported before a build."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Dict

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from guestprep import windows  # noqa: E402
from hvl import record  # noqa: E402
from policygen.facts.contract import load_contract  # noqa: E402
from policygen.language import schema  # noqa: E402
from policygen.language.modifiers import ALL_WIDTHS, MODIFIERS, Modifiers  # noqa: E402
from policygen.meaning.load import load_policy  # noqa: E402

HEADER, SCHEMA, CPUS = "hv/policy/policy.h", "policygen/language/schema.py", "policy/arch/cpus.yaml"
PLATFORM = "policy/platform/qemu-virt.yaml"
# file, text, edit, complaint
OMISSIONS = {
    "an action that only C has": (HEADER, "\tACT_COUNT", "\tACT_FREEZE,\n\tACT_COUNT",
                                  f"ACTIONS of {SCHEMA} lacks freeze, which enum action of {HEADER} has"),
    "an action that only policygen has": (SCHEMA, '    "forward": ActionWord', '    "divert": ActionWord',
                                          f"ACTIONS of {SCHEMA} lacks forward"),
    "an action without a verdict": (SCHEMA, '"none", "KILL", 0,', '"none", "KILLED", 0,', "lacks KILL, which"),
    "a verdict that only C has": (HEADER, 'X(V_WOULD, "WOULD")', 'X(V_WOULD, "WOULD") X(V_HELD, "HELD")',
                                  f"the verdicts of {SCHEMA} lacks HELD"),
    "a refusal that only C has": (HEADER, "\tREFUSE_COUNT", "\tREFUSE_BUSY,\n\tREFUSE_COUNT", "lacks BUSY, which enum"),
    "when to log, renamed in C": (HEADER, "LOG_ONCE", "LOG_FIRST", "lacks first, which enum log_when"),
    "a section that only C has": (HEADER, "SEC_COUNT }", "SEC_TIMERS, SEC_COUNT }", "lacks timers, which enum section"),
    "a number in an enum": (HEADER, "ACT_DENY,", "ACT_DENY = 7,", "lacks deny = 7, which"),
    "another size of the windows' share": (HEADER, "#define MMIO_SIZE 0x40000000UL", "#define MMIO_SIZE 0x20000000UL",
                                           "MMIO_SIZE of policygen/facts/board.py is 0x40000000, and that of"),
    "one more exception class": (HEADER, "EXC_DABT_WALK = 65,", "EXC_DABT_WALK = 65,\n\tEXC_NEW = 66,",
                                 "names.py has 66 exception classes, and hv/policy/policy.h has 67"),
    "a model without a handler": (PLATFORM, "  pl031:", "  pl061: { for: mmio }\n  pl031:",
                                  "the model pl061 has no `read:`: its handler"),
    "a model of no number": (PLATFORM, "  pl031:", "  pl061: { for: mmio, in: dev/vrtc.h, read: vrtc_read(offset), "
                             "write: \"vrtc_write(offset, value)\" }\n  pl031:",
                             f"`models` of {PLATFORM} has pl061, which enum model of {HEADER} lacks"),
    "a replay model of no name": ("policy/arch/sysregs.csv", ",dc-zva,", ",dc-zvaa,", "has dc-zvaa, which enum model"),
    "a CPU model without facts": (CPUS, "  max:\n", "  maximum:\n", f"{PLATFORM}:"),
    "a CPU model with half of them": (CPUS, "qemu72_max\n", "qemu72_max\n    like: cortex-a57\n",
                                      "max has one of `probe` and `like`"),
    "a CPU model that shows nothing": (CPUS, "    shows: [fp, pmu, ras, lor, spe]\n", "",
                                       "`shows` of neoverse-n1 is missing"),
    "a column that nobody measured": (CPUS, "qemu72_max", "qemu72_mx", "did you mean qemu72_max?"),
    "a feature that nothing takes": (CPUS, "FEAT_PAN2", "FEAT_PAN3", "did you mean FEAT_PAN or FEAT_PAN2?"),
    "a register of no name": (CPUS, "L2CTLR_EL1", "L2CTLR_EL9", "did you mean L2CTLR_EL1"),
    "like one that was not measured": (CPUS, "{ probe: qemu72_a57, has: [], shows: [fp, pmu] }\n  cortex-a72",
                                       "{ like: neoverse-n1, has: [], shows: [fp, pmu] }\n  cortex-a72",
                                       "neoverse-n1 was not measured either"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of the tree that policygen needs."""
    folder = tmp_path_factory.mktemp("tree")
    for name in ("policygen", "policy", "hv/policy"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "hv/cpu").mkdir()
    shutil.copy(ROOT / "hv/cpu/log.h", folder / "hv/cpu")
    return folder


def build(tree: Path) -> "subprocess.CompletedProcess[str]":
    environment: Dict[str, str] = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-m", "policygen", "strict", "-o", "out", "-q"], cwd=tree, text=True,
                          env=environment, capture_output=True, check=False)


def test_as_it_is_it_builds(tree: Path) -> None:
    done = build(tree)
    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.mark.parametrize("name", OMISSIONS)
def test_a_forgotten_place_is_told(tree: Path, name: str) -> None:
    file, old, new, said = OMISSIONS[name]
    path = tree / file
    text = path.read_text(encoding="utf-8")
    assert old in text, "the omission cannot be planted"
    try:
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        done = build(tree)
    finally:
        path.write_text(text, encoding="utf-8")
    assert done.returncode == 3 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_tools_without_policygen_have_its_words() -> None:
    assert record.VERDICTS == load_contract().verdicts
    assert set(windows.ACTIONS) == set(schema.ACTIONS)


# Modifier -> the text beside an action, with a value that is not the usual one.
BESIDE = {"log": "log: always", "why": "why: because", "limit": "limit: 7/s", "over": "limit: 7/s, over: kill",
          "width": "width: [4]", "as": "as: serror", "offer": "offer: 0", "requests": "requests: 9/s",
          "where": "where: { pc: 1 }", "else": "where: { pc: 1 }, else: kill"}


def test_every_modifier_has_its_field_and_every_field_its_modifier() -> None:
    assert sorted(spec.field for spec in MODIFIERS.values()) == sorted(field.name for field in fields(Modifiers))
    assert set(BESIDE) == set(MODIFIERS) and Modifiers().widths == ALL_WIDTHS


@pytest.mark.parametrize("name", MODIFIERS)
def test_every_modifier_says_something(name: str, tmp_path: Path) -> None:
    """In each section that takes it, the modifier changes the action."""
    action = {"as": "do: deny, why: not yet", "offer": "emulate: virtio-blk",
              "requests": "emulate: virtio-blk"}.get(name, "do: pause")
    rest = {part: f"{part}: {{ default: {'forward' if part == 'exceptions' else 'deny'} }}" for part in schema.EVERY}
    whole = {**rest, "memory": "memory: { default: rwx }"}
    for section in MODIFIERS[name].sections:
        if section == "features" or name == "as" and section != "mmio":
            continue
        target = {"memory": "text", "sysregs": "PMCR_EL0", "hvc": "HV_PAUSE", "smc": "PSCI_VERSION", "exceptions": "SERROR",
                  "mmio": "virtio-disk" if "virtio" in action else "rtc"}[section]
        said = []
        for beside in ("", f", {BESIDE[name]}"):
            path = tmp_path / "t.yaml"
            said_of = "at: 0x48000000, size: 4K, may: rx" if section == "memory" else action
            lines = {**rest, section: f"{whole[section][:-2]}, {target}: {{ {said_of}{beside} }} }}"}
            path.write_text("\n".join(("policy: 1\nname: t\nplatform: qemu-virt", *lines.values())) + "\n",
                            encoding="utf-8")
            policy, diags = load_policy(str(path))
            assert policy is not None, diags.render()
            entry = next(entry for entry in policy.entries if entry.name == target)
            said.append([{field.name: getattr(action, field.name) for field in fields(action) if field.name not in
                          ("place", "otherwise")} | {"else": action.otherwise and action.otherwise.do}
                         for action in entry.actions.values()])
        assert said[0] != said[1], (section, said)
