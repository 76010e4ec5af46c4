# SPDX-License-Identifier: Apache-2.0
"""The register list against two assemblers: each name, each encoding, each direction."""
from __future__ import annotations

from typing import Dict, Set

import pytest

import assembler
from policygen.facts.arch import encoding, load_arch

# Names of the assemblers that this architecture profile lacks: AArch32's ThumbEE, the call stack recorder that was
# withdrawn before its release, and the protection unit of Armv8-R.
FOREIGN = ("TEECR32_EL1", "TEEHBR32_EL1", "CSRCR_", "CSRPTR_", "CSRPTRIDX_", "CSRIDR_", "MPUIR_", "PRENR_", "PRSELR_", "PRBAR",
           "PRLAR")
RENAMED = {"TRCEXTINSELR": "TRCEXTINSELR0"}         # ETMv4's name, ETE's name
WRITABLE = {"PMMIR_EL1"}                            # LLVM 14 writes registers that the architecture only reads


@pytest.fixture(scope="module", params=["gnu", "llvm"])
def theirs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> assembler.Named:
    return assembler.gnu(tmp_path_factory.mktemp("as")) if request.param == "gnu" else assembler.llvm(assembler.newest_llvm())


def ours() -> Dict[int, Set[str]]:
    arch, names = load_arch(), {}       # type: ignore[var-annotated]
    for name, register in arch.registers.items():
        names.setdefault(register.key, set()).add(name.upper())
    for name, key in arch.el2_names.items():
        names.setdefault(key, set()).add(name.replace(" ", "_").upper())
    return names


def test_nothing_that_an_assembler_names_is_unknown(theirs: assembler.Named) -> None:
    names = ours()
    unknown = {f"{encoding(key)} {name}" for key, (name, _) in theirs.items()
               if key not in names and not name.startswith(FOREIGN)}
    assert len(theirs) > 600 and not unknown, f"add them to policy/arch/sysregs.csv: {sorted(unknown)}"


def test_one_encoding_has_one_name(theirs: assembler.Named) -> None:
    names = ours()
    other = {f"{encoding(key)} {name} is {sorted(names[key])} here" for key, (name, _) in theirs.items()
             if key in names and RENAMED.get(name, name) not in names[key]}
    assert not other, sorted(other)


def test_directions_are_those_of_llvm() -> None:
    """GNU's disassembler names both directions of every register; LLVM names the existing ones."""
    arch = load_arch()
    wrong = {f"{name} is {arch.by_key[key].access} here, {directions} there"
             for key, (name, directions) in assembler.llvm(assembler.newest_llvm()).items()
             if key in arch.by_key and key >> 14 != 1 and name not in WRITABLE
             and set(directions) != {"ro": {"r"}, "wo": {"w"}, "rw": {"r", "w"}}[arch.by_key[key].access]}
    assert not wrong, sorted(wrong)


def test_id_registers_are_read_only() -> None:
    """Registers that identify the machine, by their names, cannot be written."""
    named = [register for register in load_arch().by_key.values()
             if register.name.startswith(("ID_", "MVFR", "TRCIDR", "ICC_IDR")) or register.name.endswith("IDR_EL1")]
    wrong = {register.name for register in named if register.access != "ro"} - {"CONTEXTIDR_EL1", "TPIDR_EL1"}
    assert not wrong, wrong


# Names that Debian's LLVM 14 does not know yet: one of each kind that LLVM 22 names, by its encoding.
NEWEST = {"S1_0_C10_C7_0": "PLBI_VMALLE1", "S1_0_C10_C15_1": "PLBI_PERME1nXS", "S1_0_C12_C1_7": "GIC_CDEOI",
          "S1_0_C12_C3_0": "GICR_CDIA", "S1_3_C7_C4_5": "DC_ZGBVA", "S1_3_C7_C7_1": "GCSPOPM", "S1_3_C7_C15_0": "DC_CIVAOC",
          "S3_0_C2_C0_6": "DPOTBR0_EL1", "S3_0_C3_C9_7": "AFGDTU15_EL1", "S3_0_C4_C3_1": "PM", "S3_0_C10_C4_6": "TLBIDIDR_EL1",
          "S3_0_C10_C5_7": "MPAMBWSM_EL1", "S3_1_C12_C0_3": "ICC_HAPR_EL1", "S3_3_C13_C0_0": "TPIDR3_EL0"}
# Bits that Arm's descriptions of these registers give, release of 2026.
BITS = {"HFGITR_EL2": {"nGCSSTR_EL1": 58, "PSBCSYNC": 63}, "HFGITR2_EL2": {"TSBCSYNC": 0, "nDCCIVAPS": 1, "DCGBVA": 14},
        "HDFGRTR2_EL2": {"nSPMSCR_EL1": 16, "nSPMDEVAFF_EL1": 18}, "HDFGWTR2_EL2": {"nSPMSCR_EL1": 16, "nPMZR_EL0": 21},
        "HFGRTR2_EL2": {"nTINDEX_EL0": 15, "nFGDTn_EL1": 18, "nTLBIDIDR_EL1": 30, "nTPIDR3_EL1": 37, "ACTLR_EL1": 39},
        "HFGWTR2_EL2": {"nSCTLR2ALIAS_EL1": 10, "nTPMIN0_EL0": 29, "GCR_EL1": 35},
        "HAFGRTR_EL2": {"AMCNTEN0": 0, "AMEVCNTR03_EL0": 4, "AMCNTEN1": 17, "AMEVTYPER115_EL0": 49},
        "ICH_HFGITR_EL2": {"GICCDEN": 0, "GICCDEOI": 7, "GICRCDNMIA": 10}}


def test_names_that_only_a_newer_assembler_has() -> None:
    arch = load_arch()
    assert {spelling: arch.name(key) for key in arch.by_key if (spelling := encoding(key)) in NEWEST} == NEWEST


def test_fine_grained_bits_are_where_the_architecture_has_them() -> None:
    """Controls whose name begins with n trap when 0; all of the GIC's do, which are named after what they allow."""
    controls = load_arch().controls
    for register, fields in BITS.items():
        for field, bit in fields.items():
            control = controls[f"{register}.{field}"]
            when = 0 if field.startswith("n") or register.startswith("ICH_") else 1
            assert (control.bit, control.traps_when) == (bit, when), control.name
    two_wide = {name for name, control in controls.items() if control.width > 1}
    assert two_wide == {"MDCR_EL2.E2PB", "MDCR_EL2.E2TB",
                        *(f"HFG{side}TR2_EL2.n{name}_EL1" for side in "RW" for name in ("FGDTn", "AFGDTn"))}


def test_every_fine_grained_bit_is_of_a_register_or_an_instruction() -> None:
    arch = load_arch()
    used = {name for register in arch.by_key.values() for side in ("read", "write")
            for name in register.fgt(side)} | {name for info in arch.class_info.values() for name in info.controls}
    idle = {name for name in arch.controls if "FG" in name.split(".")[0]} - used
    assert idle == {"HFGITR_EL2.PSBCSYNC", "HFGITR2_EL2.TSBCSYNC", "HFGITR_EL2.nGCSSTR_EL1",      # PSB, TSB, GCSSTR: no access
                    "HDFGRTR2_EL2.nSPMSCR_EL1", "HDFGWTR2_EL2.nSPMSCR_EL1"}                       # op1 of 7: Secure alone
