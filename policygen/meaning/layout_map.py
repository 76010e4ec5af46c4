# SPDX-License-Identifier: Apache-2.0
"""A map of the policy over the whole space of accesses: entries are laid out from the widest to the narrowest.

Independent of evaluate.py, which decides one access at a time: `verify` compares the two.
"""
from __future__ import annotations

from dataclasses import dataclass, field as dataclass_field, replace
from functools import lru_cache
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from policygen.facts import ranges
from policygen.facts.arch import ALL_BITS, N_KEYS, Arch, load_arch
from policygen.facts.board import MMIO_SIZE, Board, load_board
from policygen.facts.names import EXCEPTIONS
from policygen.facts.ranges import Ranges
from policygen.language import schema
from policygen.language.spelling import condition
from policygen.language.model import IN, Action, Entry, Policy, branches
from policygen.text import paths

WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True, order=True)
class Look:
    """One condition: `(part >> shift) & ((1 << width) - 1)` lies within `spans`."""
    part: str                                   # value x1 x2 x3 from pc; changed, cleared: by a write of what a register
    #                                             holds, the bits that become another, and those that become 0
    shift: int
    width: int
    spans: Ranges
    text: str = dataclass_field(default="", compare=False)    # as written


@dataclass(frozen=True)
class Outcome:
    """The decision of one rule for one kind of access: a row of the generated tables, before it has a number."""
    rule: int
    do: str                                     # enum action in lower case
    verdict: str
    log: str = "never"
    refuse: Optional[str] = None
    model: Optional[str] = None
    value: int = 0
    mask: int = 0
    limit: Optional[int] = None
    over: Optional["Outcome"] = None            # the outcome beyond the limit
    base: int = 0                               # mmio, emulate: base of the window
    real: bool = False                          # mmio: a real device may be reached
    where: Tuple[Look, ...] = ()                # all of them hold, else `otherwise` decides
    otherwise: Optional["Outcome"] = None

    @property
    def plain(self) -> bool:
        """Whether the access may run without a trap: it is allowed, and neither conditional nor logged nor limited."""
        return self.do == "allow" and self.log == "never" and self.limit is None and self.verdict == "ALLOW" and \
            not self.where


def without(bits: int, values: int) -> Callable[[Outcome], Outcome]:
    """A change of the outcome of a read: replaces `bits` of the value shown."""
    def change(outcome: Outcome) -> Outcome:
        if outcome.do not in ("allow", "mask"):
            return outcome
        mask = ALL_BITS if outcome.do == "allow" else outcome.mask
        return replace(outcome, do="mask", mask=mask & ~bits, value=outcome.value & ~bits | values,
                       verdict="EMUL" if outcome.verdict == "ALLOW" else outcome.verdict)
    return change


def looks_of(action: Action, key: int) -> Tuple[Look, ...]:
    """The conditions of an action, with fields where the register has them; `key`: of a register, if any speaks of one."""
    out = []
    for asked in action.where:
        shift, width = 0, 64
        if asked.name not in schema.PARTS:
            shift, width = load_arch().fields[load_arch().name(key), asked.name]
        part = schema.AGAINST.get(asked.test) or (asked.name if asked.name in schema.PARTS else "value")
        out.append(Look(part, shift, width, asked.spans if asked.test == IN else ((0, 0),),
                        condition(asked)))
    return tuple(sorted(out))


def leaves(outcome: Optional[Outcome]) -> Iterator[Outcome]:
    """The outcome, then the one that holds if its conditions do not, and so on."""
    while outcome is not None:
        yield outcome
        outcome = outcome.otherwise


def each(change: Callable[[Outcome], Outcome], outcome: Outcome) -> Outcome:
    """`change` made to the outcome and to all that its conditions lead to."""
    other = each(change, outcome.otherwise) if outcome.otherwise is not None else None
    return replace(change(outcome), otherwise=other)


@dataclass(frozen=True)
class Cell:
    """A range of IPAs with one decision; pairs are for a read and a write."""
    base: int
    last: int
    rows: Tuple[Outcome, Outcome]
    refuse: Tuple[Outcome, Outcome]             # for an access whose width is not listed
    widths: Tuple[Tuple[int, ...], Tuple[int, ...]]


@dataclass(frozen=True)
class LayoutMap:
    """The decisions for all accesses."""
    sysregs: Mapping[str, Tuple[Outcome, ...]]  # direction -> by register key
    mmio: Tuple[Cell, ...]                      # cover 0 .. 1 GiB
    mmio_outside: Tuple[Outcome, Outcome]       # above 1 GiB: a read, a write
    mmio_straddle: Tuple[Outcome, Outcome]      # an access that touches two cells with different decisions
    calls: Mapping[str, Tuple[Tuple[int, int, Outcome], ...]]   # section -> (first, last, outcome), cover 2^32
    exceptions: Tuple[Outcome, ...]             # by class
    memory: Tuple["Part", ...] = ()             # cover guest RAM, if the policy speaks of it


@dataclass(frozen=True)
class Part:
    """A range of guest RAM with one decision; the pair is for a write and an instruction."""
    base: int
    last: int
    rows: Tuple[Outcome, Outcome]


@lru_cache(maxsize=4)
def layout_map(policy: Policy) -> LayoutMap:
    """The map of a policy, cached by its identity."""
    with paths.facts_from(policy.facts):
        return _Mapper(policy).layout_map()


def hidden_fields(policy: Policy) -> Dict[int, Tuple[int, int]]:
    """ID registers by key -> the bits of hidden features in them, and the values that these show."""
    arch = load_arch()
    hidden: Dict[int, Tuple[int, int]] = {}
    for name in (name for name, what in policy.features.items() if what == "hide"):
        for item in arch.features[name].id_fields:
            key = arch.registers[item.register].key
            bits, values = hidden.get(key, (0, 0))
            field = ((1 << item.width) - 1) << item.shift
            hidden[key] = bits | field, values & ~field | item.hidden << item.shift
    return hidden


class _Mapper:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.arch: Arch = load_arch()
        self.board: Board = load_board(policy.platform)
        self.by_section: Dict[str, List[Entry]] = {}
        windowed = {entry.rule for window in policy.windows for entry in (window.entry, *window.regs)}
        for entry in policy.entries:
            if entry.section == "mmio" and entry.rule in windowed:
                continue
            self.by_section.setdefault(entry.section, []).append(entry)

    def layout_map(self) -> LayoutMap:
        sysregs = {direction: self.sysregs(direction) for direction in ("read", "write")}
        cells = self.mmio()
        outside, straddle = self.mmio_default()
        return LayoutMap(sysregs, cells, outside, straddle, {section: self.calls(section) for section in ("hvc", "smc")},
                         self.exceptions(), self.memory() if "memory" in self.by_section else ())

    def widest_first(self, section: str, key: str) -> List[Tuple[Entry, Action]]:
        """Entries with an action for direction `key`. Equal sizes that disagree cannot overlap: check.py refuses them."""
        found = [(entry, entry.actions[key]) for entry in self.by_section.get(section, ()) if key in entry.actions]
        return sorted(found, key=lambda item: (-item[0].size, item[0].rule))

    def hidden(self) -> List[Entry]:
        return [entry for entry in self.by_section.get("features", ())
                if self.policy.features.get(entry.name) == "hide"]

    # --- one action ---------------------------------------------------------------------------------------------

    def outcome(self, entry: Entry, action: Action, section: str) -> Outcome:
        """The outcome of an action. `fields` becomes a mask in with_fields(), which knows the register."""
        refuse = action.refuse or schema.REFUSAL[section]
        out = Outcome(entry.rule, "mask" if action.do == "fields" else action.do,
                      schema.ACTIONS["raz-wi" if action.razwi else action.do].verdict, action.log,
                      refuse=refuse if action.do == "deny" else None, model=action.model, value=action.value or 0,
                      mask=action.mask or 0)
        if action.otherwise is not None:
            out = replace(out, where=looks_of(action, entry.ranges[0][0]),
                          otherwise=self.outcome(entry, action.otherwise, section))
        if action.limit is not None:
            # Beyond the limit accesses are refused, even in audit mode: a limit protects the host, not the policy.
            over = Outcome(entry.rule, action.over, schema.ACTIONS[action.over].verdict,
                           action.log if action.log != "never" else "once",
                           refuse=refuse if action.over == "deny" else None)
            out = replace(out, limit=action.limit, over=over)
        return out

    @staticmethod
    def would(denied: Outcome, do: str = "allow") -> Outcome:
        """A denial that audit mode lets pass."""
        return replace(denied, do=do, verdict="WOULD", refuse=None)

    def relaxed(self, do: str) -> Callable[[Outcome], Outcome]:
        return lambda leaf: self.would(leaf, do) if leaf.do == "deny" else leaf

    def demanded(self, section: str, direction: str) -> Ranges:
        """Accesses that assertions want denied in every mode."""
        operations = ("access", direction) if direction else (section, section.rstrip("s"))
        return ranges.merge(part for claim in self.policy.asserts
                            if claim.waived is None and claim.section == section and claim.operation in operations and
                            (claim.always == "deny" or claim.never == "allow") for part in claim.ranges)

    # --- system registers ---------------------------------------------------------------------------------------

    def sysregs(self, direction: str) -> Tuple[Outcome, ...]:
        table: List[Optional[Outcome]] = [None] * N_KEYS
        for entry, action in self.widest_first("sysregs", direction):
            outcome = self.outcome(entry, action, "sysregs")
            if any(branch.do == "fields" for branch in branches(action)):
                (key, _), = entry.ranges                        # `fields` speaks of one register
                self.fill(table, entry.ranges, self.with_fields(outcome, key, action), "sysregs", direction)
            else:
                self.fill(table, entry.ranges, outcome, "sysregs", direction)
        for entry in self.hidden():
            denied = self.outcome(entry, entry.actions[direction], "features")
            keys = [key for group in self.arch.features[entry.name].groups for key in self.arch.groups[group]]
            self.fill(table, ranges.of_keys(keys), denied, "sysregs", direction)
        if direction == "read":
            self.hide_fields(table)
        return tuple(_complete(table, "sysregs"))

    def fill(self, table: List[Optional[Outcome]], covered: Ranges, outcome: Outcome, section: str,
             direction: str) -> None:
        """Lays an outcome out; in audit mode a denial passes, unless an assertion demands it."""
        if self.policy.mode != "audit" or all(leaf.do != "deny" for leaf in leaves(outcome)):
            _fill(table, covered, outcome)
            return
        _fill(table, covered, each(self.relaxed("allow"), outcome))
        _fill(table, ranges.intersect(covered, self.demanded(section, direction)), outcome)

    def with_fields(self, outcome: Outcome, key: int, action: Action) -> Outcome:
        """The masks of `fields`, in the action and in each `else`."""
        other = self.with_fields(outcome.otherwise, key, action.otherwise) \
            if outcome.otherwise is not None and action.otherwise is not None else None
        if action.do != "fields":
            return replace(outcome, otherwise=other)
        name, bits, values = self.arch.name(key), 0, 0
        for field, value in action.fields:
            shift, width = self.arch.fields[name, field]
            bits, values = bits | ((1 << width) - 1) << shift, values | value << shift
        return replace(outcome, mask=ALL_BITS & ~bits, value=values, otherwise=other)

    def hide_fields(self, table: List[Optional[Outcome]]) -> None:
        """Makes the fields of hidden features in ID registers say "not implemented", whatever the entry lets through."""
        for key, (bits, values) in hidden_fields(self.policy).items():
            outcome = table[key]
            if outcome is not None:
                table[key] = each(without(bits, values), outcome)

    # --- windows ------------------------------------------------------------------------------------------------

    def mmio(self) -> Tuple[Cell, ...]:
        plain = [entry for entry in self.by_section["mmio"] if entry.actions]
        stack: List[Tuple[Ranges, Entry, int]] = [
            (entry.ranges, entry, 0) for entry in sorted(plain, key=lambda entry: (-entry.size, entry.rule))]
        for window in self.policy.windows:
            stack.append((((window.base, window.base + window.size - 1),), window.entry, window.base))
            for entry in sorted(window.regs, key=lambda item: (-item.size, item.rule)):
                stack.append((entry.ranges, entry, window.base))
        cutters = [covered for covered, _, _ in stack]
        cutters += [((device.base, device.last),) for device in self.board.devices.values()]
        if self.policy.mode == "audit":
            cutters += [self.demanded("mmio", direction) for direction in ("read", "write")]
        cells: List[Cell] = []
        for low, high, active in ranges.sweep(((0, MMIO_SIZE - 1),), cutters):
            uppermost: Dict[str, Tuple[Entry, Action, int]] = {}
            for number in active:
                if number < len(stack):
                    _, entry, base = stack[number]
                    uppermost.update({side: (entry, action, base) for side, action in entry.actions.items()})
            cell = self.cell(low, high, uppermost)
            if cells and cells[-1] == replace(cell, base=cells[-1].base, last=cells[-1].last):
                cells[-1] = replace(cells[-1], last=high)
            else:
                cells.append(cell)
        return tuple(cells)

    def cell(self, low: int, high: int, uppermost: Mapping[str, Tuple[Entry, Action, int]]) -> Cell:
        rows, refuse = [], []
        for direction in ("read", "write"):
            entry, action, base = uppermost[direction]
            rows.append(self.placed(low, high, direction, base, self.outcome(entry, action, "mmio")))
            refuse.append(self.audited(low, high, direction, self.refusal(entry, action)))
        return Cell(low, high, (rows[0], rows[1]), (refuse[0], refuse[1]),
                    (uppermost["read"][1].widths, uppermost["write"][1].widths))

    def placed(self, low: int, high: int, direction: str, base: int, outcome: Outcome) -> Outcome:
        """The outcome with what the address adds: whether a real device may be reached, where the window starts."""
        def here(leaf: Outcome) -> Outcome:
            leaf, real = self.audited(low, high, direction, leaf), self.board.real(low, high)
            over = replace(leaf.over, real=real and leaf.over.do == "pause") if leaf.over else None
            return replace(leaf, real=real and leaf.do in ("allow", "mask", "pause"), over=over,
                           base=base if leaf.do == "emulate" else 0)
        return each(here, outcome)

    def audited(self, low: int, high: int, direction: str, outcome: Outcome) -> Outcome:
        if self.policy.mode != "audit" or outcome.do != "deny" or \
                ranges.contains(self.demanded("mmio", direction), low):
            return outcome
        if self.board.real(low, high):
            return replace(self.would(outcome), real=True)
        return self.would(outcome, "value" if direction == "read" else "ignore")

    @staticmethod
    def refusal(entry: Entry, action: Action) -> Outcome:
        """Denies an access in a form that the entry does not allow, under its rule."""
        written = action.do == "deny"
        return Outcome(entry.rule, "deny", "DENY", action.log if written or action.log != "never" else "once",
                       refuse=action.refuse if written else schema.REFUSAL["mmio"])

    def mmio_default(self) -> Tuple[Tuple[Outcome, Outcome], Tuple[Outcome, Outcome]]:
        """Outcomes beyond the map, and across cells. An access across two cells is refused in audit mode too."""
        entry = next(entry for entry in self.by_section["mmio"] if entry.name == "default")
        read, write = (entry.actions[direction] for direction in ("read", "write"))
        outside = [self.outcome(entry, action, "mmio") for action in (read, write)]
        if self.policy.mode == "audit":
            outside = [each(self.relaxed(do), outcome) for outcome, do in zip(outside, ("value", "ignore"))]
        return (outside[0], outside[1]), (self.refusal(entry, read), self.refusal(entry, write))

    # --- memory -------------------------------------------------------------------------------------------------

    def memory(self) -> Tuple[Part, ...]:
        sides = schema.SIDES["memory"]
        entries = {side: self.widest_first("memory", side) for side in sides}
        cutters = [entry.ranges for entry in self.by_section["memory"]]
        cutters += [self.demanded("memory", side) for side in sides] if self.policy.mode == "audit" else []
        out: List[Part] = []
        for low, high, _ in ranges.sweep((self.board.ram,), cutters):
            rows = []
            for side in sides:
                entry, action = [pair for pair in entries[side] if ranges.contains(pair[0].ranges, low)][-1]
                outcome = self.outcome(entry, action, "memory")
                if self.policy.mode == "audit" and not ranges.contains(self.demanded("memory", side), low):
                    outcome = each(self.relaxed("allow"), outcome)
                rows.append(outcome)
            if out and out[-1].rows == (rows[0], rows[1]):
                out[-1] = replace(out[-1], last=high)
            else:
                out.append(Part(low, high, (rows[0], rows[1])))
        return tuple(out)

    # --- calls and exceptions -----------------------------------------------------------------------------------

    def calls(self, section: str) -> Tuple[Tuple[int, int, Outcome], ...]:
        entries = self.widest_first(section, "")
        demanded = self.demanded(section, "")
        models = {number: call.model for call in self.board.calls.values() if section in call.by and call.model
                  for number in call.ids}
        cutters: List[Ranges] = [entry.ranges for entry, _ in entries]
        cutters += [demanded, tuple((number, number) for number in models)]     # each alone: neighbours differ
        out: List[Tuple[int, int, Outcome]] = []
        for low, high, active in ranges.sweep(((0, 0xffffffff),), cutters):
            matching = [number for number in active if number < len(entries)]
            found = entries[matching[-1]] if matching else None
            if found is None:
                raise ValueError(f"the policy says nothing of {section} {low:#x}")
            forced = ranges.contains(demanded, low)
            outcome = self.call(section, found[0], found[1], models.get(low), forced)
            if out and out[-1][2] == outcome:
                out[-1] = (out[-1][0], high, outcome)
            else:
                out.append((low, high, outcome))
        return tuple(out)

    def call(self, section: str, entry: Entry, action: Action, model: Optional[str], forced: bool) -> Outcome:
        def served(leaf: Outcome) -> Outcome:
            if leaf.do == "deny" and self.policy.mode == "audit" and not forced:
                leaf = self.would(leaf) if model else replace(leaf, verdict="WOULD")    # no service
            return replace(leaf, model=model) if leaf.do == "allow" else leaf   # the service; None: NOT_SUPPORTED
        return each(served, self.outcome(entry, action, section))

    def exceptions(self) -> Tuple[Outcome, ...]:
        table: List[Optional[Outcome]] = [None] * (EXCEPTIONS[0][1] + 1)
        for entry, action in self.widest_first("exceptions", ""):
            self.fill(table, entry.ranges, self.outcome(entry, action, "exceptions"), "exceptions", "")
        for entry in self.hidden():
            for name in self.arch.features[entry.name].classes:     # in audit mode too: EL2 performs no instruction
                table[self.arch.classes[name]] = self.outcome(entry, entry.actions[""], "features")
        return tuple(_complete(table, "exceptions"))


def _fill(table: List[Optional[Outcome]], covered: Ranges, outcome: Outcome) -> None:
    for low, high in covered:
        table[low:high + 1] = [outcome] * (high - low + 1)


def _complete(table: List[Optional[Outcome]], section: str) -> List[Outcome]:
    out = [outcome for outcome in table if outcome is not None]
    if len(out) != len(table):
        raise ValueError(f"the policy says nothing of {section} {table.index(None):#x}")
    return out
