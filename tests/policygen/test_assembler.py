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
    return assembler.gnu(tmp_path_factory.mktemp("as")) if request.param == "gnu" else assembler.llvm("llvm-mc")


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
             for key, (name, directions) in assembler.llvm("llvm-mc").items()
             if key in arch.by_key and key >> 14 != 1 and name not in WRITABLE
             and set(directions) != {"ro": {"r"}, "wo": {"w"}, "rw": {"r", "w"}}[arch.by_key[key].access]}
    assert not wrong, sorted(wrong)


def test_id_registers_are_read_only() -> None:
    """Registers that identify the machine, by their names, cannot be written."""
    named = [register for register in load_arch().by_key.values()
             if register.name.startswith(("ID_", "MVFR", "TRCIDR", "ICC_IDR")) or register.name.endswith("IDR_EL1")]
    wrong = {register.name for register in named if register.access != "ro"} - {"CONTEXTIDR_EL1", "TPIDR_EL1"}
    assert not wrong, wrong
