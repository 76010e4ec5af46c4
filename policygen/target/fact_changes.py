# SPDX-License-Identifier: Apache-2.0
"""Effects of an edit of facts that no decision of a policy shows: an access that EL2 no longer sees, a register that it
stands in for in another way, another device, call or memory."""
from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Dict, Iterator, List, Mapping, Tuple

from policygen.facts.arch import Arch, Register, load_arch
from policygen.facts.board import Board, Model, load_board
from policygen.facts.controls import MEMBERS
from policygen.language.model import Policy
from policygen.meaning.compare import SIDES
from policygen.meaning.layout_map import layout_map
from policygen.target import traps
from policygen.text import paths

# Fields of a platform that change nothing for a guest, such as prose and the machine to start, or that are compared apart.
SILENT = ("name", "file", "machine", "drivers", "cpus", "groups", "models", "gaps")


@dataclass(frozen=True)
class FactChange:
    opens: bool                     # the guest may get more by it, as far as facts can tell
    text: str


def fact_changes(old: Policy, new: Policy) -> List[FactChange]:
    """The changes between two policies' facts; none if the facts are the same."""
    if old.facts == new.facts:
        return []
    (before, ground), (after, now) = _facts(old), _facts(new)
    return [*_seen(old, new, before, after), *_controls(old, new, before, after), *_registers(new, before, after),
            *_classes(before, after), *_board(ground, now)]


def _facts(policy: Policy) -> Tuple[Arch, Board]:
    with paths.facts_from(policy.facts):
        return load_arch(), load_board(policy.platform)


def _listed(names: Mapping[str, None]) -> str:
    return traps.listing(sorted(names, key=traps.natural))


def _seen(old: Policy, new: Policy, before: Arch, after: Arch) -> Iterator[FactChange]:
    """Accesses that are not simply allowed, and that some CPU model's control took to EL2 on one side only."""
    was, now = _Takers(old, before), _Takers(new, after)
    lost: Dict[str, Dict[str, None]] = {}
    won: Dict[str, Dict[str, None]] = {}
    for cpu in sorted({*was.cpus} & {*now.cpus}):
        for out, side, other in ((lost, was, now), (won, now, was)):
            for key, direction in side.plan.traps:
                if not layout_map(new).sysregs[direction][key].plain and (takers := side.of(key, direction, cpu)) and \
                        not other.of(key, direction, cpu):
                    out.setdefault(takers[0], {})[f"{direction} {side.arch.name(key)}"] = None
    yield from (FactChange(True, f"{_listed(names)}: {control} takes them to EL2 no longer, and no decision holds")
                for control, names in sorted(lost.items()))
    yield from (FactChange(False, f"{_listed(names)}: {control} takes them to EL2") for control, names in sorted(won.items()))


class _Takers:
    """Controls that are set, and the accesses that they take to EL2."""

    def __init__(self, policy: Policy, arch: Arch) -> None:
        self.arch, self.plan = arch, traps.plan(policy)
        self.active = {bit.name for bit in self.plan.bits}
        with paths.facts_from(policy.facts):
            self.cpus = load_board(policy.platform).cpus

    def of(self, key: int, direction: str, cpu: str) -> List[str]:
        register = self.arch.by_key.get(key)
        names = register.controls(direction) + register.fgt(direction) if register is not None else \
            tuple(name for name in (self.plan.traps.get((key, direction)),) if name is not None)
        return [name for name in names if name in self.active and self.arch.has_control(self.arch.controls[name], cpu)]


def _controls(old: Policy, new: Policy, before: Arch, after: Arch) -> Iterator[FactChange]:
    """Controls that both sides set, and whose bit or polarity differs."""
    was, now = ({bit.name for bit in traps.plan(policy).bits} for policy in (old, new))
    for name in sorted(was & now):
        a, b = before.controls[name], after.controls[name]
        if (a.register, a.mask, a.traps_when) != (b.register, b.mask, b.traps_when) and a.register in MEMBERS:
            yield FactChange(True, f"{name} was {a.register} {a.mask:#x} and is {b.register} {b.mask:#x}, "
                             f"trapping when {b.traps_when}")
        elif a.feature != b.feature:
            yield FactChange(True, f"{name} was of {a.feature or 'every CPU'} and is of {b.feature or 'every CPU'}")


def _registers(new: Policy, before: Arch, after: Arch) -> Iterator[FactChange]:
    """Registers that EL2 replays in another way, or that have other directions."""
    for name, register in sorted(after.registers.items()):
        was = before.registers.get(name)
        if was is None:
            continue
        if was.key != register.key:
            yield FactChange(True, f"{name} was another encoding: {before.name(was.key)} is now {after.name(register.key)}")
        elif _stand_in(was) != _stand_in(register):
            given = [side for side in SIDES if layout_map(new).sysregs[side][register.key].do in ("allow", "mask")]
            wider = register.write_mask & ~was.write_mask != 0 or register.replay != was.replay
            yield FactChange(bool(given) and wider, f"{name}: EL2 stands in for it as {_stand_in(register)}, "
                             f"was {_stand_in(was)}")
        elif (was.access, was.undefined, was.el0) != (register.access, register.undefined, register.el0):
            yield FactChange(False, f"{name} was {was.access} {was.undefined} and is {register.access} {register.undefined}")


def _stand_in(register: Register) -> str:
    return register.replay if register.write_mask == (1 << 64) - 1 else f"{register.replay}, bits {register.write_mask:#x}"


def _classes(before: Arch, after: Arch) -> Iterator[FactChange]:
    for number, info in after.class_info.items():
        was = before.class_info.get(number)
        if was is not None and was != info:
            yield FactChange(True, f"class {info.name} comes to EL2 by {info.origin}, was {was.origin}")


def _board(before: Board, after: Board) -> Iterator[FactChange]:
    for field in fields(Board):
        was, now = getattr(before, field.name), getattr(after, field.name)
        if was == now or field.name in SILENT:
            continue
        if isinstance(now, Mapping):
            for name in sorted({*was, *now}):
                if was.get(name) != now.get(name):
                    what = "is gone" if name not in now else "is new" if name not in was else "is another"
                    yield FactChange(True, f"{field.name[:-1]} {name} of the platform {what}")
        else:
            yield FactChange(True, f"{field.name} of the platform was {_told(was)} and is {_told(now)}")
    for name, model in sorted(after.models.items()):
        earlier = before.models.get(name)
        if earlier is not None and _served(earlier) != _served(model):
            yield FactChange(True, f"model {name} is served by {_served(model)}, was by {_served(earlier)}")
    for gap in after.gaps:
        if gap not in before.gaps:
            yield FactChange(True, f"a gap of {gap.control} is accepted: {gap.effect}")


def _served(model: Model) -> str:
    calls = (f"{part} {call}" for part, call in sorted(model.serves.items()))
    return ", ".join([*model.registers, *calls]) + f" of {model.header}"


def _told(value: object) -> str:
    return "..".join(f"{part:#x}" for part in value) if isinstance(value, tuple) else \
        f"{value:#x}" if isinstance(value, int) else str(value)
