# SPDX-License-Identifier: Apache-2.0
"""The parts of the machine that a guest gets at under a policy, and the way to each: a reviewer has to trust them."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Tuple

from policygen.facts import ranges
from policygen.facts.arch import Register, load_arch
from policygen.language import schema
from policygen.language.model import Access, Policy
from policygen.meaning.compare import SIDES, Change, both_ways
from policygen.meaning.layout_map import LayoutMap, Outcome, layout_map, leaves
from policygen.target import traps
from policygen.target.tables import passthrough
from policygen.text import paths

# From the one that nobody watches to the one that reaches nothing.
WAYS = {"native": "the machine itself, EL2 sees nothing", "through": "the real thing, EL2 stands in between",
        "handler": "code of EL2 that takes what the guest gives", "answered": "a constant, or nothing",
        "refused": "as if it were not there"}
ENDS = ("deny", "kill")


@dataclass(frozen=True)
class Reached:
    """Accesses that end alike. `by`: the handler, or the control that takes a register's access; of what runs natively,
    `not enforced` where the policy says something else."""
    way: str
    by: str
    accesses: Change                # a set with a sample; old and new are the same


def reached(policy: Policy, cpu: str) -> List[Reached]:
    """Registers that this CPU model has, all windows, all calls; each access under one way."""
    with paths.facts_from(policy.facts):
        return _Reach(policy, cpu).all()


class _Reach:
    def __init__(self, policy: Policy, cpu: str) -> None:
        self.policy, self.cpu, self.arch = policy, cpu, load_arch()
        self.layout: LayoutMap = layout_map(policy)
        self.plan = traps.plan(policy, cpu)
        self.active = {bit.name for bit in self.plan.bits}
        self.found: Dict[Tuple[str, str], Dict[Tuple[str, str, int], List[Tuple[Outcome, Tuple[int, int]]]]] = {}

    def all(self) -> List[Reached]:
        self.registers()
        self.windows()
        self.memory()
        self.calls()
        out: List[Reached] = []
        for (way, by), groups in sorted(self.found.items(), key=lambda item: (list(WAYS).index(item[0][0]), item[0][1])):
            sets = [self.as_set(section, direction, members)
                    for (section, direction, _), members in groups.items()]
            out += [Reached(way, by, accesses) for accesses in both_ways(sets)]
        return out

    @staticmethod
    def as_set(section: str, direction: str, members: List[Tuple[Outcome, Tuple[int, int]]]) -> Change:
        outcome, keys = members[0][0], ranges.merge(part for _, part in members)
        return Change("", section, direction, keys, outcome, outcome, Access(section, keys[0][0], direction))

    def add(self, way: str, by: str, section: str, direction: str, outcome: Outcome, low: int, high: int) -> None:
        self.found.setdefault((way, by), {}).setdefault((section, direction, outcome.rule), []).append((outcome, (low, high)))

    # --- by section ---------------------------------------------------------------------------------------------

    def registers(self) -> None:
        for key, register in sorted(self.arch.by_key.items()):
            for direction in SIDES:
                if not self.arch.exists(register, direction, self.cpu):
                    continue
                outcome = self.layout.sysregs[direction][key]
                control = self.taken(key, direction)
                virtual = {"MIDR_EL1": "VPIDR_EL2", "MPIDR_EL1": "VMPIDR_EL2"}.get(register.name, "")
                if direction == "read" and self.plan.controls.get(virtual):
                    self.add("answered", virtual, "sysregs", direction, outcome, key, key)
                elif not control:
                    by = "" if outcome.do == "allow" and not outcome.where else "not enforced"
                    self.add("native", by, "sysregs", direction, outcome, key, key)
                else:
                    for part in leaves(outcome):
                        self.add(*self.caught(register, direction, part, control), "sysregs", direction, part, key, key)

    @staticmethod
    def caught(register: Register, direction: str, outcome: Outcome, control: str) -> Tuple[str, str]:
        """The way of a register's access that the control takes, and by what."""
        if outcome.do in ENDS or outcome.do in traps.GIVEN and not register.gives(outcome.do, direction):
            return "refused", control
        if outcome.do in ("value", "ignore"):
            return "answered", control
        if outcome.do == "emulate" or register.replay != "plain":
            return "handler", outcome.model or register.replay
        return "through", control

    def taken(self, key: int, direction: str) -> str:
        """The control that takes the access to EL2 on this CPU; empty if it runs, by the plan or by a gap of the machine."""
        register = self.arch.by_key[key]
        return next((name for name in register.controls(direction) + register.fgt(direction)
                     if name in self.active and self.arch.has_control(self.arch.controls[name], self.cpu) and
                     traps.gap_of(self.policy.platform, name, register, self.cpu) is None), "")

    def windows(self) -> None:
        free = passthrough(self.layout)
        for cell in self.layout.mmio:
            for side, direction in enumerate(SIDES):
                outcome = cell.rows[side]
                at = cell.base
                for page in free:
                    if page.base <= cell.last and cell.base <= page.last and (page.read, page.write)[side]:
                        low, high = max(page.base, cell.base), min(page.last, cell.last)
                        if at < low:
                            self.window(outcome, direction, at, low - 1)
                        self.add("native", "stage 2", "mmio", direction, outcome, low, high)
                        at = high + 1
                if at <= cell.last:
                    self.window(outcome, direction, at, cell.last)

    def window(self, outcome: Outcome, direction: str, low: int, high: int) -> None:
        for part in leaves(outcome):
            way = "refused" if part.do in ENDS else "handler" if part.do == "emulate" else \
                "through" if part.do in traps.GIVEN and part.real else "answered"
            self.add(way, part.model or "stage 2", "mmio", direction, part, low, high)

    def memory(self) -> None:
        for part in self.layout.memory:
            for outcome, direction in zip(part.rows, schema.SIDES["memory"]):
                for each in leaves(outcome):
                    way = "native" if outcome.plain else "refused" if each.do in ENDS else "through"
                    self.add(way, "stage 2", "memory", direction, each, part.base, part.last)

    def calls(self) -> None:
        for section in ("hvc", "smc"):
            for low, high, outcome in self.layout.calls[section]:
                for part in leaves(outcome):
                    served = part.do == "emulate" or part.do == "allow" and part.model is not None
                    way = "handler" if served or part.do == "pause" else "refused" if part.do in ENDS else "answered"
                    by = (part.model or "monitor") if way == "handler" else section.upper()
                    self.add(way, by, section, "", part, low, high)
