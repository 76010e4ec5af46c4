# SPDX-License-Identifier: Apache-2.0
"""Inputs of one access that the conditions of its decisions tell apart: one for each way that they can turn out.

Arguments, level and PC are numbers apart from each other. The value written and the value held are taken bit by bit:
fields may overlap, and a condition may be about both.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from policygen.facts import ranges
from policygen.facts.names import SMC32, arguments
from policygen.language import schema
from policygen.language.model import Access, branches
from policygen.meaning.evaluate import Evaluator
from policygen.meaning.layout_map import Look, Outcome, leaves, looks_of

Where = Tuple[Look, ...]
APART = ("x1", "x2", "x3", "from", "pc")
BITS = 64


@dataclass(frozen=True, order=True)
class Inputs:
    """The parts of an access that conditions look at."""
    value: int = 0
    held: int = 0
    x1: int = 0
    x2: int = 0
    x3: int = 0
    level: int = 1
    pc: int = 0

    def part(self, name: str) -> int:
        """As hv/policy/policy.h has it: `changed` and `cleared` are what a write makes of the register."""
        if name == "changed":
            return self.value ^ self.held
        if name == "cleared":
            return self.held & ~self.value
        found: int = getattr(self, "level" if name == "from" else name)
        return found

    def access(self, like: Access) -> Access:
        return replace(like, args=(self.x1, self.x2, self.x3), value=self.value, held=self.held, el=self.level, pc=self.pc)


def inputs_of(access: Access) -> Inputs:
    """The parts of the access as conditions see them."""
    value = access.value & (1 << 8 * access.width) - 1 if access.section == "mmio" else access.value
    args = arguments(access.key, access.args) if access.section in schema.CALLS else access.args
    return Inputs(value, access.held, *args, access.el, access.pc)


def meets(look: Look, inputs: Inputs) -> bool:
    return ranges.contains(look.spans, inputs.part(look.part) >> look.shift & ((1 << look.width) - 1))


def leaf(outcome: Outcome, inputs: Inputs) -> Outcome:
    """The decision for these inputs, without its conditions."""
    for each in leaves(outcome):
        if each.otherwise is None or all(meets(look, inputs) for look in each.where):
            return replace(each, where=(), otherwise=None)
    raise AssertionError("the last has no `else`")


def wheres_of(*outcomes: Outcome) -> Tuple[Where, ...]:
    return tuple(dict.fromkeys(each.where for outcome in outcomes for each in leaves(outcome) if each.where))


def asked_of(evaluating: Evaluator, access: Access) -> Tuple[Where, ...]:
    """The conditions of the entry that decides, for any inputs of the access."""
    action = evaluating.entry(access.section, access.key, access.direction).actions[access.direction]
    return tuple(dict.fromkeys(looks_of(branch, access.key) for branch in branches(action) if branch.where))


def relevant(evaluating: Evaluator, access: Access) -> Access:
    """The access without inputs that nothing looks at; x1 and x2 of a call stay."""
    looks = {look.part for where in asked_of(evaluating, access) for look in where}
    against = looks & {"changed", "cleared"}
    x1, x2, x3 = access.args
    return replace(access, args=(x1, x2, x3 if "x3" in looks else 0), value=access.value if against or "value" in looks else 0,
                   held=access.held if against else 0, el=access.el if "from" in looks else 1,
                   pc=access.pc if "pc" in looks else 0)


def bits_of(access: Access) -> int:
    """How many bits a value that is written has, or an argument."""
    if access.section == "mmio":
        return 8 * access.width
    return 32 if access.section in schema.CALLS and access.key in SMC32 else BITS


def cases(wheres: Sequence[Where], bits: int = BITS) -> Tuple[Inputs, ...]:
    """One of each set of inputs that no `where` tells apart; the first has as little in it as can be. `bits`: of a value that
    is written, or of an argument."""
    return _cases(tuple(wheres), bits)


@lru_cache(maxsize=4096)
def _cases(wheres: Tuple[Where, ...], bits: int) -> Tuple[Inputs, ...]:
    found: Dict[Tuple[bool, ...], Inputs] = {(True,) * len(wheres): Inputs()}
    for part in APART:
        found = _crossed(found, [(truths, Inputs(**{"level" if part == "from" else part: number}))
                                 for truths, number in _numbers(wheres, part, bits)], part)
    found = _crossed(found, _written(wheres, bits), "value")
    return tuple(found.values())


def _crossed(found: Dict[Tuple[bool, ...], Inputs], more: Sequence[Tuple[Tuple[bool, ...], Inputs]],
             part: str) -> Dict[Tuple[bool, ...], Inputs]:
    """A `where` holds if all of its conditions do, whatever they look at."""
    out: Dict[Tuple[bool, ...], Inputs] = {}
    for truths, inputs in found.items():
        for others, with_part in more:
            both = tuple(a and b for a, b in zip(truths, others))
            if both not in out:
                out[both] = replace(inputs, value=with_part.value, held=with_part.held) if part == "value" else \
                    replace(inputs, **{"level" if part == "from" else part: with_part.part(part)})
    return out


def _numbers(wheres: Sequence[Where], part: str, bits: int) -> List[Tuple[Tuple[bool, ...], int]]:
    looks = [[look for look in where if look.part == part] for where in wheres]
    cuts = {0} | {edge for where in looks for look in where for low, high in look.spans for edge in (low, high + 1)}
    order = [1, 0] if part == "from" else sorted(cut for cut in cuts if cut >> (BITS if part == "pc" else bits) == 0)
    found: Dict[Tuple[bool, ...], int] = {}
    for number in order:
        truths = tuple(all(ranges.contains(look.spans, number) for look in where) for where in looks)
        found.setdefault(truths, number)
    return list(found.items())


# --- what is written, and over what -----------------------------------------------------------------------------

State = Tuple[Optional[Tuple[Tuple[int, ...], ...]], ...]     # of each `where`: None: does not hold; else of each look
#                                                       about the value how its bits so far lie to each border of its spans


def _written(wheres: Sequence[Where], bits: int) -> List[Tuple[Tuple[bool, ...], Inputs]]:
    """From the highest bit to the lowest, with all that a `where` can still become; the first way found is kept."""
    looks = [[look for look in where if look.part in ("value", "changed", "cleared")] for where in wheres]
    values = [[look for look in where if look.part == "value"] for where in looks]
    start: State = tuple(tuple((0,) * (2 * len(look.spans)) for look in where) for where in values)
    states: Dict[State, Tuple[int, int]] = {start: (0, 0)}
    for bit in range(BITS - 1, -1, -1):
        here = [[look for look in where if look.shift <= bit < look.shift + look.width] for where in looks]
        pairs = [(0, 0)]
        if bit < bits and any(here):
            against = any(look.part != "value" for where in here for look in where)
            pairs = [(0, 0), (1, 1), (1, 0), (0, 1)] if against else [(0, 0), (1, 0)]
        after: Dict[State, Tuple[int, int]] = {}
        for state, (value, held) in states.items():
            for new, old in pairs:
                step = tuple(_step(of, where, among, bit, new, old) for of, where, among in zip(state, here, values))
                after.setdefault(step, (value | new << bit, held | old << bit))
        states = after
    found: Dict[Tuple[bool, ...], Inputs] = {}
    for state, (value, held) in states.items():
        truths = tuple(of is not None and all(_inside(lies) for lies in of) for of in state)
        found.setdefault(truths, Inputs(value, held))
    return list(found.items())


def _step(state: Optional[Tuple[Tuple[int, ...], ...]], here: Sequence[Look], values: Sequence[Look], bit: int, new: int,
          old: int) -> Optional[Tuple[Tuple[int, ...], ...]]:
    if state is None or any(look.part == "changed" and new != old or look.part == "cleared" and old > new for look in here):
        return None
    out = []
    for lies, look in zip(state, values):
        if look.shift <= bit < look.shift + look.width:
            borders = [border >> (bit - look.shift) & 1 for span in look.spans for border in span]
            lies = tuple(was or new - border for was, border in zip(lies, borders))
            if not any(lies[at] >= 0 >= lies[at + 1] for at in range(0, len(lies), 2)):
                return None
        out.append(lies)
    return tuple(out)


def _inside(lies: Tuple[int, ...]) -> bool:
    return any(lies[at] >= 0 >= lies[at + 1] for at in range(0, len(lies), 2))


# --- borders ----------------------------------------------------------------------------------------------------

def borders(wheres: Sequence[Where], bits: int = BITS) -> Tuple[Inputs, ...]:
    """The cases, and where all of a `where` holds each of its conditions at both sides of every border, each bit that may
    not change or not be cleared both ways, and what lies above the lower half of an argument."""
    return _borders(tuple(wheres), bits)


@lru_cache(maxsize=4096)
def _borders(wheres: Tuple[Where, ...], bits: int) -> Tuple[Inputs, ...]:
    found = dict.fromkeys(cases(wheres, bits))
    for where in wheres:
        met = [inputs for inputs in cases((where,), bits) if all(meets(look, inputs) for look in where)]
        for inputs in met[:1]:
            for look in where:
                found.update(dict.fromkeys(_around(look, inputs, bits)))
    return tuple(found)


def _around(look: Look, inputs: Inputs, bits: int) -> Iterator[Inputs]:
    field = ((1 << look.width) - 1) << look.shift
    if look.part in ("changed", "cleared"):
        for bit in {look.shift, look.shift + look.width - 1, look.shift + look.width // 2}:
            if bit < bits:
                for new, old in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    yield replace(inputs, value=inputs.value & ~(1 << bit) | new << bit,
                                  held=inputs.held & ~(1 << bit) | old << bit)
        return
    edges = {edge for low, high in look.spans for edge in (low - 1, low, high, high + 1)}
    if look.part in ("x1", "x2", "x3"):
        edges |= {edge ^ 1 << 32 for low, high in look.spans for edge in (low, high)} | {look.spans[0][0] ^ 1 << 63}
    for edge in sorted(edge for edge in edges if 0 <= edge < 1 << look.width):
        if look.part == "value":
            whole = inputs.value & ~field | edge << look.shift
            if whole >> bits == 0:
                yield replace(inputs, value=whole)
        elif look.part != "from" or edge in (0, 1):
            yield replace(inputs, **{"level" if look.part == "from" else look.part: edge})
