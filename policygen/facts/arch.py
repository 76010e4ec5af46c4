# SPDX-License-Identifier: Apache-2.0
"""The architecture: registers, trap controls, features, exception classes, CPU models.

Read from policy/arch/. HCR_EL2.E2H = 0, TGE = 0 and an AArch64 EL1 are assumed throughout.
"""
from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set, Tuple

import yaml  # type: ignore[import]

from policygen.facts.cpus import Cpu, Known, load_cpus
from policygen.text import paths
from policygen.text.diag import BrokenFacts

DIRECTIONS = (("read", "r"), ("write", "w"))
N_KEYS = 1 << 16
SYSREG_CLASS = 0x18
ALL_BITS = (1 << 64) - 1
DEFAULT_CPU = "cortex-a57"      # for platforms and commands that name none
WHOLE = "*"                     # as a field name: the whole register


def make_key(op0: int, op1: int, crn: int, crm: int, op2: int) -> int:
    """The 16 bits that name a register; sysreg_key() in hv/policy/policy.h."""
    return op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2


def split_key(key: int) -> Tuple[int, int, int, int, int]:
    """(op0, op1, CRn, CRm, op2)"""
    return key >> 14, key >> 11 & 7, key >> 7 & 15, key >> 3 & 15, key & 7


def encoding(key: int) -> str:
    """The assembler's spelling of a register without a name."""
    return "S%d_%d_C%d_C%d_%d" % split_key(key)


@dataclass(frozen=True)
class Register:
    """A register, or a SYS operation (`kind` is sys) written as MNEMONIC_OPERATION."""
    name: str
    key: int
    kind: str                       # reg sys
    access: str                     # ro wo rw: directions of the architecture, at any exception level
    el0: str                        # directions EL0 may use: "", r, w, rw
    undefined: str                  # directions that are UNDEFINED at EL1 with any controls
    feature: str                    # FEAT_*, GICv3, or "" for Armv8.0
    version: str
    group: str
    read: Tuple[str, ...]           # controls, each of which takes the access to EL2
    write: Tuple[str, ...]
    read_fgt: Tuple[str, ...]       # fine-grained bits, each of which does
    write_fgt: Tuple[str, ...]
    replay: str                     # plain, none, vgic, or the model that stands in for the access at EL2
    write_mask: int                 # bits that a replayed write may change
    probes: Mapping[str, str]       # probe column -> directions that executed at EL1 with no control set

    def has(self, direction: str) -> bool:
        """Whether the architecture has this direction."""
        return self.access in ("rw", "ro" if direction == "read" else "wo")

    def reaches(self, direction: str) -> bool:
        """Whether EL1 can use this direction on some CPU."""
        return self.has(direction) and direction[0] not in self.undefined

    def controls(self, direction: str) -> Tuple[str, ...]:
        return self.read if direction == "read" else self.write

    def fgt(self, direction: str) -> Tuple[str, ...]:
        return self.read_fgt if direction == "read" else self.write_fgt

    @property
    def model(self) -> Optional[str]:
        return None if self.replay in ("plain", "none", "vgic") else self.replay

    def gives(self, do: str, direction: str) -> bool:
        """Whether EL2 can do in the guest's place what lets a trapped access through: allow, mask, or pause."""
        if do == "allow":
            return self.replay != "none"
        return self.replay == "plain" and (do != "mask" or direction == "read" or self.access == "rw")


@dataclass(frozen=True)
class Control:
    """One trap control of EL2."""
    name: str                       # HCR_EL2.TID3
    register: str
    bit: int
    width: int
    traps_when: int                 # 0 or 1; fields of two bits (E2PB, E2TB, nFGDTn_EL1) trap when 0
    feature: str                    # the feature that brings the bit; "" is Armv8.0
    covers: str
    names_register: bool = True     # traps of register accesses are reported as such (EC 0x18)

    @property
    def mask(self) -> int:
        return ((1 << self.width) - 1) << self.bit


@dataclass(frozen=True)
class IdField:
    """A field of an ID register and its value for "not implemented"."""
    register: str
    field: str
    shift: int
    width: int
    hidden: int


@dataclass(frozen=True)
class Feature:
    name: str
    id_fields: Tuple[IdField, ...]
    groups: Tuple[str, ...]
    classes: Tuple[str, ...]
    needs: Tuple[str, ...] = ()     # features that it builds on


@dataclass(frozen=True)
class ExceptionClass:
    name: str
    number: int
    origin: str                     # always, never, "section NAME", or the controls that bring it to EL2
    controls: Tuple[str, ...]


@dataclass(frozen=True)
class Arch:
    registers: Mapping[str, Register]           # by name; a register with two names has two entries
    by_key: Mapping[int, Register]
    el2_names: Mapping[str, int]                # op1 = 4..7: UNDEFINED at EL1
    groups: Mapping[str, Tuple[int, ...]]       # disjoint
    features: Mapping[str, Feature]
    fields: Mapping[Tuple[str, str], Tuple[int, int]]   # (register, field) -> (shift, width)
    classes: Mapping[str, int]
    class_info: Mapping[int, ExceptionClass]
    services: Mapping[str, Tuple[int, int]]     # function numbers, the narrower range before the wider
    replays: Mapping[str, Tuple[str, str]]      # Register.model -> (header of hv/, the C call that serves it)
    controls: Mapping[str, Control]             # coarse ones and, as REGISTER.FIELD, fine-grained ones
    reports: Mapping[str, ExceptionClass]       # controls whose traps name no register, by the class that they report
    cpus: Mapping[str, Cpu]

    def name(self, key: int) -> str:
        """The name of a register, or the spelling of its encoding."""
        register = self.by_key.get(key)
        return register.name if register else encoding(key)

    def exists(self, register: Register, direction: str, cpu: str) -> bool:
        """Whether EL1 of this CPU model can use the register when nothing traps."""
        model = self.cpus[cpu]
        if not register.reaches(direction) or register.name in model.lacks or register.feature in model.lacks:
            return False
        return direction[0] in register.probes.get(model.probe, "") or \
            (not model.measured and register.feature in model.features) or register.name in model.also

    def has_control(self, control: Control, cpu: str) -> bool:
        """Whether the bit exists on this CPU model. No model of QEMU 7.2 has FEAT_FGT."""
        wanted = control.feature.split(" ")[0]
        return wanted in ("", "GICv3") or all(part in self.cpus[cpu].features for part in wanted.split("+"))


def _rows(name: str) -> Iterator[Dict[str, str]]:
    path: Path = paths.facts_dir() / "arch" / name
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(line for line in stream if not line.startswith("#"))


def _key(row: Dict[str, str]) -> int:
    return make_key(int(row["op0"]), int(row["op1"]), int(row["crn"]), int(row["crm"]), int(row["op2"]))


def _register(row: Dict[str, str]) -> Register:
    def words(column: str) -> Tuple[str, ...]:
        return tuple(row[column].split())
    probes = {column: row[column] for column in row if column.startswith("qemu") and row[column]}
    return Register(
        name=row["name"], key=_key(row), kind="sys" if row["op0"] == "1" else "reg", access=row["access"],
        el0=row["el0"], undefined=row["undef"], feature=row["feature"], version=row["version"], group=row["group"],
        read=words("read"), write=words("write"), read_fgt=words("read_fgt"), write_fgt=words("write_fgt"),
        replay=row["replay"], write_mask=int(row["write_mask"], 0) if row["write_mask"] else ALL_BITS,
        probes=MappingProxyType(probes))


def _groups(by_key: Mapping[int, Register]) -> Dict[str, Tuple[int, ...]]:
    """Groups: named registers, and spaces of encodings with and without names. No key is in two groups."""
    members: Dict[str, List[int]] = {}
    for key, register in by_key.items():
        members.setdefault(register.group, []).append(key)
    spaces: Dict[str, List[int]] = {"imp-def": [], "el2": [], "id": [], "trace": []}
    for op1 in range(8):
        for crm in range(16):
            for op2 in range(8):
                # HCR_EL2.TIDCP: the IMPLEMENTATION DEFINED space.
                spaces["imp-def"] += [make_key(op0, op1, crn, crm, op2) for op0 in (1, 3) for crn in (11, 15)]
                if op1 >= 4:
                    spaces["el2"] += [make_key(op0, op1, crn, crm, op2) for op0 in (1, 2, 3) for crn in range(16)
                                      if op0 == 2 or crn not in (11, 15)]
                if op1 == 1:
                    spaces["trace"] += [make_key(2, op1, crn, crm, op2) for crn in range(8)]
                if op1 == 0 and 1 <= crm <= 7:
                    spaces["id"].append(make_key(3, op1, 0, crm, op2))      # HCR_EL2.TID3, reserved ones as well
    for group, keys in spaces.items():
        foreign = [key for key in keys if key in by_key and by_key[key].group != group]
        members[group] = sorted({*members.get(group, ()), *keys}.difference(foreign))
    return {group: tuple(sorted(keys)) for group, keys in sorted(members.items())}


def _features(data: Mapping[str, Any], fields: Mapping[Tuple[str, str], Tuple[int, int]]) -> Dict[str, Feature]:
    out = {}
    for name, facts in data.items():
        id_fields = []
        for register, values in facts["hidden"].items():
            for field, hidden in values.items():
                shift, width = (0, 64) if field == WHOLE else fields[register, field]
                id_fields.append(IdField(register, field, shift, width, hidden))
        out[name] = Feature(name, tuple(id_fields), tuple(facts.get("groups", ())), tuple(facts.get("classes", ())),
                            tuple(facts.get("needs", ())))
    return out


def _controls() -> Dict[str, Control]:
    out = {}
    for row in _rows("controls.csv"):
        out[row["name"]] = Control(row["name"], row["register"], int(row["bit"]), int(row["width"]),
                                   int(row["traps_when"]), row["feature"], row["covers"],
                                   row["ec"] == f"{SYSREG_CLASS:#04x}")
    for row in _rows("fgt.csv"):
        name = f"{row['register']}.{row['field']}"
        feature = "FEAT_GCIE" if row["register"].startswith("ICH_") else \
            "FEAT_FGT2" if row["register"].endswith("2_EL2") and "TR2" in row["register"] else "FEAT_FGT"
        out[name] = Control(name, row["register"], int(row["bit"]), int(row["width"] or 1), int(row["traps_when"]), feature,
                            row["field"])
    return out


def _named_features(by_key: Mapping[int, Register], controls: Mapping[str, Control]) -> Set[str]:
    """Features that some register or trap control needs."""
    texts = [register.feature for register in by_key.values()] + [control.feature for control in controls.values()]
    return {part for text in texts for part in text.replace("+", " ").split()}


def load_arch() -> Arch:
    return _load_arch(paths.facts_dir())


@lru_cache(maxsize=None)
def _load_arch(folder: Path) -> Arch:
    by_key: Dict[int, Register] = {}
    registers: Dict[str, Register] = {}
    for row in _rows("sysregs.csv"):
        register = _register(row)
        by_key[register.key] = registers[register.name] = register
        if row["alias"]:
            registers[row["alias"]] = register
    fields = {(row["register"], row["field"]): (int(row["shift"]), int(row["width"])) for row in _rows("fields.csv")}
    text = (folder / "arch" / "arch.yaml").read_text(encoding="utf-8")
    data: Dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    classes = [ExceptionClass(name, facts["number"], facts["from"],
                              tuple(word for word in facts["from"].split() if "." in word))
               for name, facts in data["classes"].items()]
    el2_names = {row["name"]: _key(row) for row in _rows("sysregs-el2.csv")}
    features, controls = _features(data["features"], fields), _controls()
    named = {name for item in classes for name in item.controls}
    named.update(*(part for register in by_key.values()
                   for part in (register.read, register.write, register.read_fgt, register.write_fgt)))
    if lost := sorted(named - controls.keys()):
        raise BrokenFacts(f"{paths.display(folder / 'arch')}: no row of controls.csv or fgt.csv for {', '.join(lost)}")
    cpus = load_cpus(Known({column for register in by_key.values() for column in register.probes},
                           _named_features(by_key, controls), registers, features))
    return Arch(registers=registers, by_key=by_key, el2_names=el2_names, groups=_groups(by_key), features=features,
                fields=fields,
                classes={item.name: item.number for item in classes},
                class_info={item.number: item for item in classes},
                reports={name: item for item in classes for name in item.controls if not controls[name].names_register},
                services={name: (low, high) for name, (low, high) in data["services"].items()},
                replays={name: (facts["in"], facts["serve"]) for name, facts in data["replays"].items()},
                controls=controls, cpus=cpus)
