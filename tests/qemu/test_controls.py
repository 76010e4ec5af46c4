# SPDX-License-Identifier: Apache-2.0
"""Trap controls: at EL2 each reads back as the policy's plan has it, whatever it held before, on CPUs with and without
FEAT_FGT."""
from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import vm
from vm import ROOT, bootargs, build, machine, run

sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests" / "linux"))
from artifacts import newest_qemu  # noqa: E402
from policygen.facts import controls  # noqa: E402
from policygen.facts.arch import ALL_BITS, encoding, load_arch  # noqa: E402
from policygen.meaning.load import load_policy  # noqa: E402
from policygen.target.traps import plan  # noqa: E402

FINE = ("HFGRTR_EL2", "HFGWTR_EL2", "HFGITR_EL2", "HDFGRTR_EL2", "HDFGWTR_EL2")
EVERYWHERE = [register for register in controls.MEMBERS if register not in controls.THERE]
# One bit each where EL2 cannot live with all of them inverted: HCR_EL2 has E2H and TGE.
TURNED = {"HCR_EL2": 1 << 13, "MDCR_EL2": 1 << 6, "CPTR_EL2": 1 << 20}
# Written in addition to the plan: HPMN, HPMD, HCCD; TZ and TSM where RES1; MIDR_EL1 in place of 0; MPIDR_EL1.
ADDED = {"MDCR_EL2": 0x1f | 1 << 17 | 1 << 23, "CPTR_EL2": 1 << 12 | 1 << 8, "VPIDR_EL2": ALL_BITS, "VMPIDR_EL2": ALL_BITS}
PMU = '\tkprintf("PMUVer %lu\\n", sysreg_read(id_aa64dfr0_el1) >> 8 & 15);\n'
# FEAT_MTE2, which the machine lacks without tag memory.
TAGS = {"HCR_EL2": 1 << 58 | 1 << 56}


def planted(tree: Path) -> Path:
    """An image that inverts every control, writes them as at boot, and prints both values."""
    arch, turn, look = load_arch(), "", ""
    for register in controls.MEMBERS:
        there = " && ".join(f"(sysreg_read({encoding(arch.registers[name].key)}) >> {arch.fields[name, field][0]} & 15)"
                            f" >= {least}" for name, field, least in controls.THERE.get(register, ())) or "1"
        spelled = encoding(arch.el2_names[register])
        bits = TURNED.get(register, ALL_BITS)
        turn += f"\tif ({there})\n\t\tsysreg_write({spelled}, sysreg_read({spelled}) ^ {bits}UL);\n"
        look += f'\tif ({there})\n\t\tkprintf("%s {register} %lx\\n", when, sysreg_read({spelled}));\n'
    main = tree / "hv/boot/main.c"
    text = main.read_text()
    assert text.count("\tvcpu_controls();\n") == 1 and text.count("\nvoid main(void)\n{") == 1
    text = text.replace("\tvcpu_controls();\n", "\tvcpu_controls();\n\tturn();\n\tlook(\"before\");\n"
                        "\tvcpu_controls();\n\tlook(\"after\");\n")
    main.write_text(text.replace("\nvoid main(void)\n{", f"\nstatic void turn(void)\n{{\n{turn}}}\n"
                                 f"static void look(const char *when)\n{{\n{look}{PMU}}}\n\nvoid main(void)\n{{"))
    return build("default", tree=tree)


def lacking(register: str, cpu: str, fine: bool) -> int:
    """Bits of controls whose feature this CPU lacks: they are RES0."""
    arch = load_arch()
    return sum(control.mask for control in arch.controls.values() if control.register == register and
               not (arch.has_control(control, cpu) or fine and control.feature == "FEAT_FGT"))


@pytest.fixture(scope="session")
def newest() -> str:
    return str(newest_qemu(ROOT / "build" / "linux"))


@pytest.mark.parametrize("newest_one, cpu", [(False, "cortex-a57"), (False, "max"), (True, "max")])
def test_each_control_reads_back(tree: Path, tmp_path: Path, request: pytest.FixtureRequest, newest_one: bool, cpu: str,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    if newest_one:
        monkeypatch.setattr(vm, "QEMU", request.getfixturevalue("newest"))
    policy, _ = load_policy("default")
    assert policy is not None
    wanted, fine = plan(policy).controls, newest_one and cpu == "max"
    done = run(machine(planted(tree), *bootargs(tmp_path, "unattended=1"), "-no-reboot", cpu=cpu))
    text = done.stdout.decode(errors="replace")
    before, after = ({name: int(value, 16) for name, value in re.findall(rf"{when} (\w+) ([0-9a-f]+)", text)}
                     for when in ("before", "after"))
    assert set(after) >= {*EVERYWHERE, *(FINE if fine else ())}, text[-3000:]
    for name, value in after.items():
        kept = ALL_BITS & ~lacking(name, cpu, fine) & ~ADDED.get(name, 0) & ~TAGS.get(name, 0)
        assert (value ^ wanted[name]) & kept == 0, f"{name} reads {value:#x}, the plan is {wanted[name]:#x}"
        assert before[name] != value or name == "HCRX_EL2", f"{name} was not turned over: it proves nothing"
    assert after["MDCR_EL2"] & 0x1f and after["VPIDR_EL2"] and after["VMPIDR_EL2"]
    # HPMD is of FEAT_PMUv3p1, HCCD of FEAT_PMUv3p5: nothing counts at EL2 (Arm ARM, ID_AA64DFR0_EL1.PMUVer).
    version = int(re.findall(r"PMUVer (\d+)", text)[0])
    assert [after["MDCR_EL2"] >> bit & 1 for bit in (17, 23)] == [4 <= version < 15, 6 <= version < 15], version
    assert version >= 6 or cpu != "max"
