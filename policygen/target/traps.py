# SPDX-License-Identifier: Apache-2.0
"""The EL2 controls that make a policy true, the accesses that they also catch, and the parts of a policy that no
control of a CPU can make true.

One image runs on every CPU model: controls are chosen for all features together, and hv/vm/vcpu.c leaves out those that
its CPU lacks. Only the search for parts that cannot be enforced is about one model.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, Iterator, List, Mapping, Optional, Set, Tuple
from weakref import WeakKeyDictionary

from policygen.facts import controls as floor
from policygen.facts.arch import (
    ALL_BITS, DEFAULT_CPU, Arch, Control, Register, encoding, load_arch, make_key, split_key)
from policygen.facts.board import Gap, load_board
from policygen.text import paths
from policygen.text.diag import BrokenFacts, Place
from policygen.language.model import Entry, Policy
from policygen.language.spelling import written_in
from policygen.meaning.layout_map import LayoutMap, Outcome, layout_map, leaves

Access = Tuple[int, str]                        # register key, direction
GIVES = {"allow", "mask"}                       # actions that reach the register
ENDS = ("deny", "kill")                         # outcomes that an exception without a register can have, too
GIVEN = ("allow", "mask", "pause")              # actions that reach the register, if the operator lets them
MPIDR_RES1 = 1 << 31
HOT_GROUPS = ("core", "mmu", "cache", "tlb", "at", "timer-virt", "gic", "fp")
HOT_REGISTERS = ("CTR_EL0", "DCZID_EL0")


@dataclass(frozen=True)
class Problem:
    """A part of a policy that the machine will not carry out. `note`: reached only by a wide entry, or measured."""
    severity: str                               # error note
    place: Place
    subject: str                                # the entry, as written
    message: str
    label: str
    notes: Tuple[str, ...] = ()
    helps: Tuple[str, ...] = ()
    accesses: Tuple[Access, ...] = ()
    code: str = "PG501"


@dataclass(frozen=True)
class Bit:
    """One control that traps, and the reason for it."""
    name: str
    reason: str                                 # the floor's, or the policy's
    wanted: Tuple[Access, ...]                  # accesses that the policy needs to see
    collateral: Tuple[Access, ...]              # other accesses that it catches
    classes: Tuple[Tuple[str, str], ...] = ()   # instruction classes that it also catches, and the policy's words for each


@dataclass(frozen=True)
class Plan:
    cpu: str
    controls: Mapping[str, int]                 # register -> value
    bits: Tuple[Bit, ...]
    traps: Mapping[Access, str]                 # -> the control that catches it
    problems: Tuple[Problem, ...]
    notes: Tuple[str, ...]


_PLANS: "WeakKeyDictionary[Policy, Dict[str, Plan]]" = WeakKeyDictionary()      # a cache; holds no policy alive


def plan(policy: Policy, cpu: str = DEFAULT_CPU) -> Plan:
    made = _PLANS.setdefault(policy, {})
    if cpu not in made:
        with paths.facts_from(policy.facts):
            made[cpu] = _Planner(policy, cpu).plan()
    return made[cpu]


def gap_of(platform: str, name: str, register: Register, cpu: str, version: str = "") -> Optional[Gap]:
    """The measured reason why a control does not catch a register on this CPU, although the architecture says that it
    does. `version`: of QEMU; empty: any."""
    for gap in load_board(platform).gaps:
        if gap.control == name and not gap.also and gap.on(version) and (not gap.cpus or cpu in gap.cpus) and \
                (not gap.registers or register.name in gap.registers or register.group in gap.registers):
            return gap
    return None


class _Planner:
    def __init__(self, policy: Policy, cpu: str) -> None:
        self.policy, self.cpu = policy, cpu
        self.arch: Arch = load_arch()
        self.layout: LayoutMap = layout_map(policy)
        self.gaps: Tuple[Gap, ...] = tuple(gap for gap in load_board(policy.platform).gaps
                                           if not gap.cpus or cpu in gap.cpus)
        self.registers: List[Register] = [*self.arch.by_key.values(), *self.unnamed()]
        self.members: Dict[str, List[Tuple[Register, str]]] = {}
        for register, direction in self.accesses():
            for name in register.controls(direction) + register.fgt(direction):
                self.members.setdefault(name, []).append((register, direction))
        if lost := sorted(floor.FLOOR.keys() - self.arch.controls.keys()):
            raise BrokenFacts(f"no row of controls.csv or fgt.csv for {', '.join(lost)}, set under every policy")
        self.active: Dict[str, Control] = {name: self.arch.controls[name] for name in floor.FLOOR}
        self.wanted: Dict[str, List[Access]] = {}
        self.conflicts: Dict[Access, str] = {}
        self.vpidr: Dict[int, int] = {}             # MIDR_EL1 and MPIDR_EL1 by key: the values of VPIDR_EL2 and VMPIDR_EL2

    def unnamed(self) -> Iterator[Register]:
        """Spaces that trap as a whole: HCR_EL2.TID3 and TIDCP catch encodings without a name too."""
        for group, control, access, how in (("id", "HCR_EL2.TID3", "ro", "plain"),
                                            ("imp-def", "HCR_EL2.TIDCP", "rw", "none")):
            for key in self.arch.groups[group]:
                if key not in self.arch.by_key:
                    write = (control,) if access == "rw" else ()
                    yield Register(encoding(key), key, "sys" if split_key(key)[0] == 1 else "reg", access, "", "", "",
                                   "", group, (control,), write, (), (), how, ALL_BITS, {})

    def accesses(self) -> Iterator[Tuple[Register, str]]:
        for register in self.registers:
            for direction in ("read", "write"):
                if register.reaches(direction):
                    yield register, direction

    def outcome(self, register: Register, direction: str) -> Outcome:
        return self.layout.sysregs[direction][register.key]

    def wants(self, register: Register, direction: str) -> bool:
        return not self.outcome(register, direction).plain and register.key not in self.vpidr

    # --- choosing -----------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        self.identity()
        for register, direction in self.accesses():
            if self.wants(register, direction):
                self.choose(register, direction)
        self.instructions()
        traps: Dict[Access, str] = {}
        for register, direction in self.accesses():
            catching = [name for name in register.controls(direction) + register.fgt(direction) if name in self.active]
            if catching:
                traps[register.key, direction] = min(catching, key=lambda name: (
                    not self.arch.has_control(self.active[name], self.cpu), name in self.arch.reports,
                    name not in floor.FLOOR, name))
        values = floor.values(self.active, self.arch.controls)
        values["VPIDR_EL2"] = self.vpidr.get(make_key(3, 0, 0, 0, 0), 0)
        values["VMPIDR_EL2"] = self.vpidr.get(make_key(3, 0, 0, 0, 5), 0)
        problems = self.unenforced() + self.unreplayed(traps) + self.exceptions()
        return Plan(self.cpu, values, self.bits(), traps, tuple(problems), tuple(self.notes()))

    def identity(self) -> None:
        """MIDR_EL1 and MPIDR_EL1 never trap before FEAT_FGT: EL1 reads VPIDR_EL2 and VMPIDR_EL2 instead."""
        for name in ("MIDR_EL1", "MPIDR_EL1"):
            register = self.arch.registers[name]
            outcome = self.outcome(register, "read")
            quiet = outcome.do == "value" and outcome.log == "never" and outcome.limit is None and not outcome.where
            if quiet and outcome.value and (name == "MIDR_EL1" or outcome.value & MPIDR_RES1):
                self.vpidr[register.key] = outcome.value

    def sufficient(self, register: Register, control: Control) -> bool:
        """Whether every CPU that has the register has the control."""
        feature = control.feature.split(" ")[0]
        # FEAT_RASv1p1 comes with FEAT_RAS. Fine-grained bits that trap when 0 came with the registers they guard.
        return feature in ("", "GICv3") or register.feature.startswith(feature) or \
            control.traps_when == 0 and feature == "FEAT_FGT"

    def choose(self, register: Register, direction: str) -> None:
        """Adds a control that shows EL2 this access: one that catches little else, or a fine-grained bit; none if it
        traps anyway."""
        usable = [name for name in register.controls(direction) + register.fgt(direction)
                  if floor.usable(self.arch.controls[name])]
        names = [name for name in usable if self.tells_enough(name, register, direction)]
        if not names:
            if usable:
                self.conflicts[register.key, direction] = self.nameless(usable[0])
            return
        good = [name for name in names if self.sufficient(register, self.arch.controls[name])]
        chosen = next((name for name in good if name in self.active), None)
        if chosen is None:
            order = sorted(good or names, key=lambda name: (len(self.members[name]), name))
            blocked = {name: self.blocker(name) or self.too_dear(name, register, direction) for name in order}
            chosen = next((name for name in order if not blocked[name]), None)
            if chosen is None:
                self.conflicts[register.key, direction] = f"{order[0]} would also catch {blocked[order[0]]}"
                return
            self.active[chosen] = self.arch.controls[chosen]
        self.wanted.setdefault(chosen, []).append((register.key, direction))

    def tells_enough(self, name: str, register: Register, direction: str) -> bool:
        """Whether the control's report is enough for the policy's answer. A report without a register is enough for a
        refusal, if the control takes nothing that features expose."""
        info = self.arch.reports.get(name)
        if info is None:
            return True
        exposed = any(info.name in self.arch.features[feature].classes
                      for feature, what in self.policy.features.items() if what == "expose")
        return does(self.outcome(register, direction)) <= set(ENDS) and not exposed

    def nameless(self, name: str) -> str:
        info = self.arch.reports[name]
        covers = self.arch.controls[name].covers.split(" (E2H=1")[0]
        return f"{name} takes {covers}, and reports class {info.name} without the register"

    def blocker(self, name: str) -> str:
        """A register of the control that the policy allows and EL2 cannot replay."""
        for register, direction in self.members[name]:
            if register.replay == "none" and does(self.outcome(register, direction)) & GIVES:
                return f"{register.name}, which the policy allows and EL2 cannot replay"
        return ""

    def too_dear(self, name: str, register: Register, direction: str) -> str:
        """A register of the control that every kernel uses all the time, if the wish is for a register of a later
        architecture without an entry of its own: an Armv8.0 guest would pay for registers that its CPU lacks."""
        entry = self.policy.entries[self.outcome(register, direction).rule]
        if register.feature in ("", "GICv3") or self.explicit(entry):
            return ""
        for other, side in self.members[name]:
            hot = other.group in HOT_GROUPS or other.name in HOT_REGISTERS
            if hot and not other.feature and self.outcome(other, side).plain:
                return f"{other.name}, on every CPU, for registers that most lack"
        return ""

    def instructions(self) -> None:
        """Sets the controls of instructions that `features` hides, and of those that `exceptions` needs to see."""
        for name, feature in floor.INSTRUCTIONS.items():
            if self.policy.features.get(feature) == "hide":
                self.active[name] = self.arch.controls[name]
        for info, entry in self.explicit_classes():
            for name in info.controls:
                if name in self.arch.controls:
                    self.active[name] = self.arch.controls[name]
        for feature in self.policy.features:
            if self.policy.features[feature] == "hide":
                for item in self.arch.features[feature].classes:
                    for name in self.arch.class_info[self.arch.classes[item]].controls:
                        self.active[name] = self.arch.controls[name]

    def explicit_classes(self) -> Iterator[Tuple["_Class", Entry]]:
        """Classes whose own entry needs EL2 to see them."""
        for number, outcome in enumerate(self.layout.exceptions):
            entry = self.policy.entries[outcome.rule]
            info = self.arch.class_info.get(number)
            quiet = outcome.do in ("allow", "forward") and outcome.log == "never" and outcome.limit is None and \
                not outcome.where
            if info and entry.section == "exceptions" and entry.size == 1 and not quiet:
                yield _Class(info.name, number, info.origin, info.controls), entry

    # --- what the machine will not do ---------------------------------------------------------------------------

    def gap_for(self, name: str, register: Register) -> Optional[Gap]:
        return gap_of(self.policy.platform, name, register, self.cpu)

    def unenforced(self) -> List[Problem]:
        """Accesses that run at EL1, or are UNDEFINED there, where the policy decides otherwise."""
        missed: Dict[Tuple[int, str], List[Tuple[Register, str, Optional[Gap]]]] = {}
        for register, direction in self.accesses():
            if not self.wants(register, direction):
                continue
            outcome = self.outcome(register, direction)
            here = self.arch.exists(register, direction, self.cpu)
            if not here and (outcome.do in ("allow", "deny") or register.name in self.arch.registers):
                continue                            # UNDEFINED anyway, or not on this CPU
            catching = [name for name in register.controls(direction) + register.fgt(direction)
                        if name in self.active and self.arch.has_control(self.active[name], self.cpu)]
            gaps = [self.gap_for(name, register) for name in catching]
            why = "gap" if catching else self.conflicts.get((register.key, direction), "")
            if catching and all(name in self.arch.reports for name in catching):
                info = self.arch.reports[catching[0]]
                decided = self.layout.exceptions[info.number]
                if does(outcome) & GIVES or outcome.do in ENDS and does(outcome) == does(decided) == {outcome.do}:
                    continue                        # unreplayed() complains of allow and mask
                why = f"{self.nameless(catching[0])}: exceptions say {_said(decided)}"
            elif catching and None in gaps:
                continue
            missed.setdefault((outcome.rule, why), []).append((register, direction, gaps[0] if gaps else None))
        problems = [self.unenforced_problem(rule, why, found) for (rule, why), found in sorted(missed.items())]
        return problems + self.never_arrive()

    def unenforced_problem(self, rule: int, why: str, found: List[Tuple[Register, str, Optional[Gap]]]) -> Problem:
        entry = self.policy.entries[rule]
        names = listing(sorted({register.name for register, _, _ in found}, key=natural))
        gap = next((gap for _, _, gap in found if gap), None)
        notes = [gap.effect + f" ({gap.control}, seen on {gap.seen})" if gap else why or
                 f"no trap bit of {self.cpu} covers {names}"]
        here = sum(self.arch.exists(register, direction, self.cpu) for register, direction, _ in found)
        nameless = {self.arch.reports[name].name for register, direction, _ in found
                    for name in register.controls(direction) if name in self.arch.reports}
        arrives = next((self.arch.reports[name].name for register, direction, _ in found
                        for name in register.controls(direction) if name in self.arch.reports and name in self.active), "")
        how = f"{here} {'access arrives' if here == 1 else 'accesses arrive'} as class {arrives}" if arrives else \
            f"{here} {'access reaches' if here == 1 else 'accesses reach'} the register" if here else \
            f"{len(found)} {'access is' if len(found) == 1 else 'accesses are'} UNDEFINED instead"
        meant = self.explicit(entry) or nameless and entry.section == "sysregs" and entry.name != "default" and \
            written_in(entry) == "sysregs"
        return Problem("error" if meant and gap is None else "note", entry.place, entry.name,
                       f"this rule cannot be enforced on {self.cpu}: {how}",
                       f"says {_said(self.layout.sysregs[found[0][1]][found[0][0].key])}", tuple(notes),
                       self.ways_out(entry), tuple((register.key, direction) for register, direction, _ in found))

    def ways_out(self, entry: Entry) -> Tuple[str, ...]:
        return ("allow it, pick a platform that traps it, or accept the gap:  # ignore PG501: <reason>",)

    def explicit(self, entry: Entry) -> bool:
        """Whether the entry names one register or encoding, not a group, a feature or everything."""
        return entry.section == "sysregs" and entry.name[:1].isupper()

    def never_arrive(self) -> List[Problem]:
        """Complains of entries for encodings that are UNDEFINED at EL1 and that no control takes to EL2."""
        problems = []
        arriving = {(register.key, direction) for register, direction in self.accesses()}
        for entry in self.policy.entries:
            if entry.section != "sysregs" or not self.explicit(entry):
                continue
            lost = [(key, side) for side in ("read", "write") if side in entry.actions for low, high in entry.ranges
                    for key in range(low, high + 1) if (key, side) not in arriving]
            lost = [(key, side) for key, side in lost if self.layout.sysregs[side][key].rule == entry.rule and
                    does(self.layout.sysregs[side][key]) - {"allow", "deny"}]
            if lost and len(lost) == sum(high - low + 1 for low, high in entry.ranges) * len(entry.actions):
                problems.append(Problem(
                    "error", entry.place, entry.name, f"this rule decides nothing: {entry.name} is UNDEFINED at EL1 "
                    "and never reaches EL2", f"says {_said(self.layout.sysregs[lost[0][1]][lost[0][0]])}",
                    helps=("remove it, or accept the gap:  # ignore PG501: <reason>",), accesses=tuple(lost)))
        return problems

    def unreplayed(self, traps: Mapping[Access, str]) -> List[Problem]:
        """Registers that a control that is on catches, that the policy lets through, and that EL2 cannot replay so."""
        told = {name for info, _ in self.explicit_classes() for name in info.controls if name in self.arch.reports} | {""}
        missed: Dict[int, List[Tuple[Register, str]]] = {}
        for register, direction in self.accesses():
            outcome = self.outcome(register, direction)
            if any(do in GIVEN and not register.gives(do, direction) for do in does(outcome)) and \
                    traps.get((register.key, direction), "") not in told and \
                    self.arch.exists(register, direction, self.cpu) and \
                    self.gap_for(traps[register.key, direction], register) is None:
                missed.setdefault(outcome.rule, []).append((register, direction))
        problems = []
        for rule, found in sorted(missed.items()):
            entry = self.policy.entries[rule]
            register, direction = found[0]
            names = listing(sorted({register.name for register, _ in found}, key=natural))
            problems.append(Problem(
                "error" if self.explicit(entry) else "note", entry.place, entry.name,
                f"{names} cannot be given to the guest: EL2 traps it and cannot stand in for the register",
                f"says {_said(self.outcome(register, direction))}",
                (f"{traps[register.key, direction]} is on: " +
                 floor.FLOOR.get(traps[register.key, direction], "the policy needs it"),) + self.keeps_nothing(found),
                ("deny it, or give a constant: { read: { value: 0 }, write: ignore }",),
                tuple((register.key, direction) for register, direction in found)))
        return problems

    def keeps_nothing(self, found: List[Tuple[Register, str]]) -> Tuple[str, ...]:
        """Why `mask` is more than `allow` asks for."""
        deaf = next((register.name for register, direction in found if "mask" in does(self.outcome(register, direction))
                     and direction == "write" and register.access != "rw"), "")
        return (f"a mask keeps the other bits of what is there, and {deaf} cannot be read",) if deaf else ()

    def exceptions(self) -> List[Problem]:
        problems = []
        for info, entry in self.explicit_classes():
            said = f"says {_said(self.layout.exceptions[info.number])}"
            if info.origin == "never":
                problems.append(Problem("error", entry.place, entry.name, f"this rule decides nothing: {info.name} "
                                        "never reaches EL2 while a guest runs at EL1", said, helps=("remove it",)))
                continue
            problems += self.taken(info, entry, said)
            gap = next((gap for gap in self.gaps if info.name in gap.exceptions), None)
            there = [name for name in info.controls if self.arch.has_control(self.arch.controls[name], self.cpu)]
            if gap is not None:
                problems.append(Problem("note", entry.place, entry.name,
                                        f"this rule holds in part on {self.cpu}", said,
                                        (f"{gap.effect} ({gap.control}, seen on {gap.seen})",)))
            elif info.controls and not there and any(self.arch.controls[name].feature == "FEAT_FGT"
                                                     for name in info.controls):
                problems.append(Problem("error", entry.place, entry.name, "this rule cannot be enforced on "
                                        f"{self.cpu}: {info.name} goes to EL1", said,
                                        (f"no trap bit of {self.cpu} covers {info.name}",), self.ways_out(entry)))
        return problems

    def taken(self, info: "_Class", entry: Entry, said: str) -> List[Problem]:
        """Complains of registers that the policy gives, while the controls of a class take all instructions of that
        class."""
        found = [(register, direction) for register, direction in self.accesses()
                 if does(self.outcome(register, direction)) & GIVES and
                 self.arch.exists(register, direction, self.cpu) and
                 any(name in info.controls and name in self.arch.reports and
                     self.arch.has_control(self.arch.controls[name], self.cpu) for name in register.controls(direction))]
        if not found:
            return []
        names = listing(sorted({register.name for register, _ in found}, key=natural))
        allowed = self.policy.entries[self.outcome(*found[0]).rule]
        return [Problem("error", entry.place, entry.name, f"this rule takes {names} from the guest, which "
                        f"{allowed.name} gives it ({allowed.place})", said,
                        (self.nameless(info.controls[0]) + "; none of these ever runs",),
                        (f"remove it, or hide what it takes: features: {{ {allowed.name}: hide }}"
                         if written_in(allowed) == "features" else "remove it, or deny what it takes",),
                        tuple((register.key, direction) for register, direction in found))]

    # --- reporting ----------------------------------------------------------------------------------------------

    def bits(self) -> Tuple[Bit, ...]:
        out = []
        for name in sorted(self.active, key=natural):
            wanted = tuple(self.wanted.get(name, ()))
            members = [(register.key, direction) for register, direction in self.members.get(name, ())]
            collateral = tuple(access for access in members
                               if self.layout.sysregs[access[1]][access[0]].do == "allow")
            reason = floor.FLOOR.get(name) or (self.arch.controls[name].covers if not wanted else "")
            classes = tuple((info.name, _said(self.layout.exceptions[info.number]))
                            for info in self.arch.class_info.values() if name in info.controls)
            out.append(Bit(name, reason, wanted, collateral, classes))
        return tuple(out)

    def notes(self) -> Iterator[str]:
        timer = self.arch.registers["CNTPCT_EL0"]
        if not self.outcome(timer, "read").plain and "CNTHCTL_EL2.EL1PCEN" not in self.active:
            yield "CNTHCTL_EL2.EL1PCTEN: QEMU 7.2 tests EL1PCEN instead for CNTPCT_EL0 at EL0, so EL0 may read it"


@dataclass(frozen=True)
class _Class:
    name: str
    number: int
    origin: str
    controls: Tuple[str, ...]


def natural(name: str) -> Tuple[str, int, str]:
    digits = "".join(character for character in name.split("_")[0] if character.isdigit())
    return name.split("_")[0].rstrip("0123456789"), int(digits or 0), name


def listing(names: List[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def does(outcome: Outcome) -> Set[str]:
    """Its action, and those that its conditions lead to."""
    return {leaf.do for leaf in leaves(outcome)}


def _said(outcome: Outcome) -> str:
    if outcome.otherwise is not None:
        return f"{_said(replace(outcome, where=(), otherwise=None))} where conditions hold, else {_said(outcome.otherwise)}"
    if outcome.do == "allow":
        return "allow, and wants to know" if not outcome.plain else "allow"
    return {"value": f"value {outcome.value:#x}", "mask": "mask", "emulate": f"emulate {outcome.model}"}.get(
        outcome.do, outcome.do)
