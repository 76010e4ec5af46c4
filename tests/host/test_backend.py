# SPDX-License-Identifier: Apache-2.0
"""policygen's back end: architecture facts against the assembler, the trap planner, and rendered files."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Set

import pytest

from policygen.facts import arch, controls
from policygen.facts.arch import load_arch
from policygen.language import store
from policygen.language.model import Policy
from policygen.meaning import canonical
from policygen.meaning.digest import meaning_hash
from policygen.meaning.load import load_policy
from policygen.meaning.layout_map import layout_map
from policygen.target import render, traps
from policygen.text import strict_json

ROOT = Path(__file__).resolve().parents[2]
BASE = """\
policy: 1
name: probe
about: one thing at a time
platform: qemu-virt
features: {{ sve: hide, sme: hide, mte: hide, pauth: hide, ras: hide, lor: hide, spe: hide, pmu: {pmu} }}
sysregs:
  default: allow
{sysregs}
mmio: {{ default: deny }}
hvc: {{ default: deny }}
smc: {{ default: deny }}
exceptions:
  default: forward
{exceptions}
"""


def policy(tmp_path: Path, sysregs: str = "", exceptions: str = "", pmu: str = "expose") -> Policy:
    path = tmp_path / "probe.yaml"
    path.write_text(BASE.format(sysregs=sysregs, exceptions=exceptions, pmu=pmu))
    found, diags = load_policy(str(path))
    assert found is not None, diags.render()
    return found


def bit(plan: traps.Plan, name: str) -> int:
    control = load_arch().controls[name]
    return plan.controls[control.register] >> control.bit & 1


# --- facts ------------------------------------------------------------------------------------------------------

def test_every_name_encodes_as_the_assembler_says(tmp_path: Path) -> None:
    """Names that this assembler lacks are left out; it knows most."""
    names = {name: register for name, register in load_arch().registers.items()}
    lines: Dict[int, str] = {}
    text = [".arch armv8.8-a+sve2+sme+memtag+tme+rng+profile+predres+ls64+pauth+ras"]
    for name, register in names.items():
        if register.kind == "sys":
            operation = name.replace("_", " ", 1).lower()
            code = f"{operation}, x0" if not re.search(r"TLBI_(R?V?MALL|ALL)|IC_IALL|BRB_", name) else operation
        else:
            code = f"msr {name}, x0" if register.access == "wo" else f"mrs x0, {name}"
        text.append(code)
        lines[len(text)] = name
    source = tmp_path / "names.s"
    refused: Set[int] = set()
    while True:
        source.write_text("\n".join("" if number in refused else line for number, line in enumerate(text, 1)) + "\n")
        out = subprocess.run(["aarch64-linux-gnu-as", str(source), "-o", str(tmp_path / "names.o")],
                             stderr=subprocess.PIPE, text=True)
        if out.returncode == 0:
            break
        errors = {int(number) for number in re.findall(r":(\d+): Error", out.stderr)}
        assert errors - refused and 1 not in errors, out.stderr[:400]
        refused |= errors
    dump = subprocess.run(["aarch64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", str(tmp_path / "names.o"),
                           str(tmp_path / "names.bin")], check=True)
    assert dump.returncode == 0
    data = (tmp_path / "names.bin").read_bytes()
    kept = [name for number, name in sorted(lines.items()) if number not in refused]
    assert len(data) == 4 * len(kept) and len(kept) > 750
    for at, name in enumerate(kept):
        word = int.from_bytes(data[4 * at:4 * at + 4], "little")
        key = arch.make_key(word >> 19 & 3, word >> 16 & 7, word >> 12 & 15, word >> 8 & 15, word >> 5 & 7)
        assert key == names[name].key, name


def test_groups_are_disjoint_and_hold_every_register() -> None:
    facts, seen = load_arch(), {}
    for group, keys in facts.groups.items():
        for key in keys:
            assert seen.setdefault(key, group) == group
    assert not [register.name for register in facts.by_key.values() if register.key not in seen]


def test_every_control_that_a_register_names_is_known() -> None:
    facts = load_arch()
    for register in facts.by_key.values():
        for direction in ("read", "write"):
            for name in register.controls(direction) + register.fgt(direction):
                assert name in facts.controls, (register.name, name)
    for info in facts.class_info.values():
        assert all(name in facts.controls for name in info.controls), info.name
    assert set(controls.FLOOR) | set(controls.UNUSED) | set(controls.INSTRUCTIONS) <= set(facts.controls)


# --- the planner ------------------------------------------------------------------------------------------------

def test_the_floor_holds_for_a_policy_that_allows_everything(tmp_path: Path) -> None:
    plan = traps.plan(policy(tmp_path))
    for name in controls.FLOOR:
        control = load_arch().controls[name]
        if control.register not in plan.controls:
            assert name == "ICC_SRE_EL2.Enable", f"{name}: who writes it?"      # hv/board/virt/gic.c does
            continue
        value = plan.controls[control.register] & control.mask
        assert value == (control.mask if control.traps_when else 0), name
    hcr = plan.controls["HCR_EL2"]
    assert all(hcr >> at & 1 for at in (0, 2, 5, 31))                  # VM, PTW, AMO, RW
    assert not any(hcr >> at & 1 for at in (27, 29, 34, 42, 43, 45))   # TGE, HCD, E2H, NV, NV1, NV2
    assert not plan.controls["MDCR_EL2"] & 0x1f                        # HPMN is vcpu.c's


@pytest.mark.parametrize("entry, control", [
    ("  CTR_EL0: { read: { value: 0 } }", "HCR_EL2.TID2"), ("  TTBR0_EL1: { write: pause }", "HCR_EL2.TVM"),
    ("  TTBR0_EL1: { read: { do: allow, log: once } }", "HCR_EL2.TRVM"), ("  tlb: deny", "HCR_EL2.TTLB"),
    ("  DC_CIVAC: { do: allow, log: always }", "HCR_EL2.TPCP"), ("  DC_ZVA: deny", "HCR_EL2.TDZ"),
    ("  CPACR_EL1: deny", "CPTR_EL2.TCPAC"),
])
def test_an_entry_sets_the_control_it_needs(tmp_path: Path, entry: str, control: str) -> None:
    plan = traps.plan(policy(tmp_path, entry))
    assert bit(plan, control) == 1 and bit(traps.plan(policy(tmp_path)), control) == 0
    assert not [problem for problem in plan.problems if problem.severity == "error"]


def test_controls_that_trap_when_zero(tmp_path: Path) -> None:
    open_, shut = traps.plan(policy(tmp_path)), traps.plan(policy(tmp_path, "  timer-phys: deny"))
    for name in ("CNTHCTL_EL2.EL1PCEN", "CNTHCTL_EL2.EL1PCTEN"):
        assert (bit(open_, name), bit(shut, name)) == (1, 0)
    assert bit(open_, "HCR_EL2.APK") == bit(open_, "HCR_EL2.API") == 0      # pauth: hide


@pytest.mark.parametrize("entry", ["  TPIDR_EL1: deny", "  VBAR_EL1: { do: allow, log: once }",
                                   "  ICC_PMR_EL1: deny", "  MPIDR_EL1: { read: { value: 0 } }"])
def test_what_no_control_covers_is_an_error(tmp_path: Path, entry: str) -> None:
    problems = traps.plan(policy(tmp_path, entry)).problems
    assert [problem.code for problem in problems if problem.severity == "error"] == ["PG501"]
    assert problems[0].place.line == 8 and problems[0].helps


@pytest.mark.parametrize("entry, severity", [("  TLBI_VAE1: { mask: 0xffff }", "error"), ("  tlb: { mask: 0xffff }", "note"),
                                             ("  DC_CIVAC: { do: pause }", "error"), ("  ICC_DIR_EL1: { mask: 0xff }", "error")])
def test_what_el2_can_not_do_in_the_guests_place_is_said(tmp_path: Path, entry: str, severity: str) -> None:
    """A mask keeps bits of what a read gives; an operation gives nothing. A model does all of the access or nothing."""
    problems = traps.plan(policy(tmp_path, entry)).problems
    assert [(problem.code, problem.severity) for problem in problems] == [("PG501", severity)], problems
    assert "cannot stand in for" in problems[0].message and ("mask" not in entry or "cannot be read" in str(problems[0].notes))


def test_the_virtual_gic_takes_every_icc_dir(tmp_path: Path) -> None:
    """Whatever is said of it: EL2 serves what is allowed, so that there is no problem, and a refusal is one."""
    key = load_arch().registers["ICC_DIR_EL1"].key
    for entry in ("", "  ICC_DIR_EL1: { do: allow, log: always }", "  ICC_DIR_EL1: deny"):
        plan = traps.plan(policy(tmp_path, entry))
        assert bit(plan, "ICH_HCR_EL2.TDIR") == 1 and plan.traps[key, "write"] == "ICH_HCR_EL2.TDIR" and not plan.problems


def test_midr_is_virtualised_without_a_trap(tmp_path: Path) -> None:
    plan = traps.plan(policy(tmp_path, "  MIDR_EL1: { read: { value: 0x410fd083 } }"))
    assert plan.controls["VPIDR_EL2"] == 0x410fd083 and not plan.problems
    assert (load_arch().registers["MIDR_EL1"].key, "read") not in plan.traps


def test_the_whole_gic_can_be_denied(tmp_path: Path) -> None:
    plan = traps.plan(policy(tmp_path, "  gic: deny"))
    assert all(bit(plan, name) for name in ("ICH_HCR_EL2.TC", "ICH_HCR_EL2.TALL0", "ICH_HCR_EL2.TALL1"))


def test_debug_exceptions_need_tde_and_only_when_asked_for(tmp_path: Path) -> None:
    assert bit(traps.plan(policy(tmp_path, "", "  BRK64: pause")), "MDCR_EL2.TDE") == 1
    assert bit(traps.plan(policy(tmp_path)), "MDCR_EL2.TDE") == 0


# --- what is written --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", store.policy_names())
def test_the_generated_files_assemble(name: str, tmp_path: Path) -> None:
    found, _ = load_policy(name)
    assert found is not None
    render.render(found, tmp_path)
    for source in ("policy_tables.c", "replay.S"):
        subprocess.run(["aarch64-linux-gnu-gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-c",
                        f"-I{ROOT / 'hv'}", f"-I{tmp_path}", str(tmp_path / source), "-o", str(tmp_path / "out.o")],
                       check=True)
    embedded, diags = load_policy(str(tmp_path / "out.o"))       # of replay.S, whose stubs in_image.py decodes
    assert embedded is not None and not diags.items, diags.render()
    assert meaning_hash(embedded) == meaning_hash(found)


def test_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from policygen.meaning.load import load_policy; " \
        "from policygen.target import render; " \
        "render.render(load_policy('default')[0], Path(sys.argv[1]))"
    for seed in ("1", "77"):
        subprocess.run([sys.executable, "-c", program, str(tmp_path / seed)], cwd=ROOT, check=True,
                       env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)})
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "77" / path.name).read_bytes(), path.name
        assert str(ROOT) not in path.read_text(), path.name


def test_files_that_did_not_change_are_left_alone(tmp_path: Path) -> None:
    found, _ = load_policy("default")
    assert found is not None
    assert "policy_tables.c" in render.render(found, tmp_path)
    assert render.render(found, tmp_path) == []


def test_the_hash_knows_decisions_and_nothing_else(tmp_path: Path) -> None:
    entries = ["  CTR_EL0: { read: { value: 4 } }", "  tlb: deny", "  debug: { do: deny, log: always }"]
    first = meaning_hash(policy(tmp_path, "\n".join(entries)))
    shuffled = "  # another order\n" + "\n".join(reversed(entries)).replace("tlb: deny", "tlb: { do: deny, why: so }")
    assert meaning_hash(policy(tmp_path, shuffled)) == first
    changed: List[str] = [entry.replace("value: 4", "value: 5") for entry in entries]
    assert meaning_hash(policy(tmp_path, "\n".join(changed))) != first


@pytest.mark.parametrize("name", store.policy_names())
def test_the_canonical_form_reads_back(name: str) -> None:
    found, _ = load_policy(name)
    assert found is not None
    text = canonical.dump(found, meaning_hash(found))
    again = canonical.load(strict_json.parse(text.encode()))
    assert canonical.dump(again, meaning_hash(again)) == text and meaning_hash(again) == meaning_hash(found)
    assert layout_map(again) == layout_map(found)


def test_what_a_policy_says_cannot_leave_its_comment_or_string(tmp_path: Path) -> None:
    found = policy(tmp_path, '  CTR_EL0: { read: { value: 1 }, why: "*/ \\"x\\" ??/ /* é" }')
    render.render(found, tmp_path / "gen")
    subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'hv'}", "-c",
                    str(tmp_path / "gen" / "policy_tables.c"), "-o", str(tmp_path / "out.o")], check=True)
