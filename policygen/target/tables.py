# SPDX-License-Identifier: Apache-2.0
"""Lays all decisions out as the tables of hv/policy/policy.h: numbered rows, pages, hash slots. Writes no text."""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from policygen.facts import ranges
from policygen.facts.arch import ALL_BITS, Arch, Register, encoding, load_arch, make_key, split_key
from policygen.facts.board import MMIO_SIZE
from policygen.facts.names import SMC32
from policygen.facts.ranges import Ranges
from policygen.language import schema
from policygen.language.model import Policy
from policygen.meaning.layout_map import Cell, LayoutMap, Look, Outcome, Part, hidden_fields, layout_map, leaves
from policygen.target.traps import Plan
from policygen.text import escape
from policygen.text.escape import C

PAGE = 4096
BLOCK = 1 << 21
MAX_U16 = 0xffff
ISS_PAGES = 1 << 12
HEADER_EL = 52                  # as in hv/policy/policy.h
NARROW = "32-bit call"


@dataclass(frozen=True)
class Row:
    """struct decision, with the enumerators by name."""
    rule: int
    action: str
    verdict: str
    log: str
    arg: str = "0"
    limit: int = 0
    where: int = 0
    otherwise: int = 0
    before: int = 0
    tells: str = "X1_X2"
    value: int = 0
    mask: int = 0
    what: str = field(default="", compare=False)    # for the comment


@dataclass
class Stub:
    """A replay stub: the halves that read and write the real register at EL2."""
    key: int
    name: str
    read: bool = False
    write: bool = False
    number: int = 0         # of the half that reads; the next one writes

    @property
    def spelling(self) -> str:
        return encoding(self.key)

    @property
    def sys(self) -> Optional[C]:
        """The operands of SYS, for encodings that are no registers."""
        op0, op1, crn, crm, op2 = split_key(self.key)
        return escape.fill(C, "#{}, C{}, C{}, #{}", op1, crn, crm, op2) if op0 == 1 else None


@dataclass(frozen=True)
class Passing:
    """struct passing, for a register whose refusal the operator may let pass; pairs are for a read and a write."""
    key: int
    name: str
    arg: str
    action: Tuple[str, str]
    mask: Tuple[int, int]
    value: int


@dataclass(frozen=True)
class Condition:
    """struct condition."""
    word: str                                       # enum word
    test: str                                       # enum test
    shift: int
    mask: int
    more: int                                       # how many further ones of the same `where` follow
    span: int                                       # the first of its spans
    spans: int
    text: str                                       # as written
    held: int                                       # of a row's first: the stub that reads what the register holds


@dataclass(frozen=True)
class CallTable:
    disp: Tuple[int, ...]
    slots: Tuple[Optional[Tuple[int, int]], ...]    # (id, row)
    spans: Tuple[Tuple[int, int, int], ...]         # first, last, row; cover 2^32


@dataclass(frozen=True)
class Range:
    """struct mmio_range; pairs are for a read and a write."""
    base: int
    last: int
    row: Tuple[int, int]
    refuse: Tuple[int, int]
    widths: Tuple[int, int]
    more: int


@dataclass(frozen=True)
class Passthrough:
    base: int
    last: int
    read: bool
    write: bool
    rule: int


@dataclass(frozen=True)
class Image:
    """The content of policy_tables.c and replay.S."""
    rows: Tuple[Row, ...]
    limits: Tuple[Tuple[int, int], ...]             # (rate, over row); [0] is unused
    conditions: Tuple[Condition, ...]               # [0] is unused
    spans: Tuple[Tuple[int, int], ...]
    page: Tuple[int, ...]
    leaves: Tuple[Tuple[int, ...], ...]
    stubs: Tuple[Stub, ...]
    passing: Tuple[Passing, ...]                    # by key
    mmio_root: Tuple[int, ...]
    mmio_leaves: Tuple[Tuple[int, ...], ...]
    mmio_ranges: Tuple[Range, ...]
    mmio_default: Tuple[int, int]
    mmio_straddle: Tuple[int, int]
    calls: Mapping[str, CallTable]
    exceptions: Tuple[int, ...]
    passthrough: Tuple[Passthrough, ...]
    memory: Tuple["Guarded", ...] = ()


@dataclass(frozen=True)
class Guarded:
    """struct memory; the pair is for a write and an instruction."""
    base: int
    last: int
    row: Tuple[int, int]
    may: int


class TooLarge(Exception):
    """A policy that does not fit the tables' fields; the message names the field."""


def lay_out(policy: Policy, plan: Plan) -> Image:
    return _Layout(policy, plan).image()


def passthrough(layout: LayoutMap) -> Tuple[Passthrough, ...]:
    """Whole pages of a real device that the guest may use without a trap."""
    out: List[Passthrough] = []
    for cell in layout.mmio:
        free = [outcome.plain and outcome.real and widths == (1, 2, 4, 8)
                for outcome, widths in zip(cell.rows, cell.widths)]
        base, after = -(-cell.base // PAGE) * PAGE, (cell.last + 1) // PAGE * PAGE
        if any(free) and base < after:
            out.append(Passthrough(base, after - 1, free[0], free[1], cell.rows[0 if free[0] else 1].rule))
    return tuple(out)


class _Layout:
    def __init__(self, policy: Policy, plan: Plan) -> None:
        self.policy, self.plan = policy, plan
        self.arch: Arch = load_arch()
        self.layout: LayoutMap = layout_map(policy)
        self.rows: Dict[Row, int] = {}
        self.chains: Dict[Tuple[Row, ...], int] = {}            # rows that lead one to the other -> the first's number
        self.limits: Dict[Tuple[int, int, int], int] = {}       # (rule, rate, over row) -> index
        self.wheres: Dict[Tuple[object, ...], int] = {}
        self.conditions: List[Condition] = [Condition("VALUE", "WORD", 0, 0, 0, 0, 0, "", 0)]
        self.spans: Dict[Ranges, int] = {}                      # the numbers of a condition -> where they begin
        self.span_list: List[Tuple[int, int]] = []
        self.stubs: Dict[int, Stub] = {}
        self.number_stubs()

    def image(self) -> Image:
        page, leaves = self.sysregs()
        root, mmio_leaves, mmio_ranges = self.mmio()
        default, straddle = self.pair(self.layout.mmio_outside), self.pair(self.layout.mmio_straddle)
        calls = {section: self.calls(section) for section in ("hvc", "smc")}
        exceptions = tuple(self.row(outcome, "exceptions", "") for outcome in self.layout.exceptions)
        memory = tuple(self.guarded(part) for part in self.layout.memory if not all(row.plain for row in part.rows))
        sizes = {"rows": len(self.rows), "rules": len(self.policy.entries), "ranges": len(mmio_ranges),
                 "conditions": len(self.conditions), "numbers in conditions": len(self.span_list)}
        for what, count in sizes.items():
            if count > MAX_U16:
                raise TooLarge(f"{count} {what}: the tables hold {MAX_U16}")
        if len(mmio_leaves) > 256:
            raise TooLarge(f"{len(mmio_leaves)} different 2 MiB blocks of windows: the tables hold 256")
        return Image(tuple(self.rows), ((0, 0), *((rate, over) for _, rate, over in self.limits)),
                     tuple(self.conditions), tuple(self.span_list), page, leaves, tuple(self.placed()),
                     tuple(self.passing()), root, mmio_leaves, mmio_ranges, default, straddle, calls, exceptions,
                     passthrough(self.layout), memory)

    def guarded(self, part: Part) -> Guarded:
        rows = [self.row(outcome, "memory", side) for outcome, side in zip(part.rows, ("write", "instruction"))]
        return Guarded(part.base, part.last, (rows[0], rows[1]), sum(1 << at for at, row in enumerate(part.rows) if row.plain))

    # --- rows ---------------------------------------------------------------------------------------------------

    def number(self, row: Row) -> int:
        return self.rows.setdefault(row, len(self.rows))

    def row(self, outcome: Outcome, section: str, what: str, register: Optional[Register] = None,
            direction: str = "", told: str = "") -> int:
        """The row number of this outcome. A system register's row depends on the way it is replayed, too. `told`: the
        arguments in the record of a call, if conditions that led here say so."""
        if outcome.otherwise is not None:
            found, held = "RAM" if section == "memory" else tells(outcome), self.held(outcome, register)
            rows = [self.alone(leaf, section, what, register, direction, found) for leaf in leaves(outcome)]
            return self.chain([replace(row, where=self.where(leaf, section, found, held, what)) if leaf.where else row
                               for row, leaf in zip(rows, leaves(outcome))])
        told = "RAM" if section == "memory" else told or tells(outcome)
        return self.number(self.alone(outcome, section, what, register, direction, told))

    def chain(self, rows: List[Row]) -> int:
        """The first of rows that lead one to the other. No other chain shares them, so each knows what led to it."""
        key = tuple(rows)
        if key not in self.chains:
            last = len(self.rows)                       # the first row gets the highest number
            for at, row in enumerate(reversed(rows)):
                self.number(replace(row, otherwise=last + at - 1 if at else 0,
                                    before=last + at + 1 if at < len(rows) - 1 else 0))
            self.chains[key] = last + len(rows) - 1
        return self.chains[key]

    def alone(self, outcome: Outcome, section: str, what: str, register: Optional[Register], direction: str,
              told: str) -> Row:
        """The row without its place among others."""
        row = Row(outcome.rule, outcome.do.upper(), outcome.verdict, outcome.log.upper().replace("-", "_"), value=outcome.value,
                  mask=outcome.mask, tells=told, what=what)
        if outcome.do == "deny":
            row = replace(row, arg=f"REFUSE_{outcome.refuse}")
        elif outcome.do == "emulate":
            row = replace(row, arg=_model(outcome.model), value=outcome.base)
        elif section == "sysregs":
            row = self.replayed(row, outcome, register, direction)
        elif outcome.do == "allow" and outcome.model:
            row = replace(row, action="EMULATE", arg=_model(outcome.model))
        elif section == "mmio" and outcome.do == "pause":
            row = replace(row, arg=str(int(outcome.real)))
        if outcome.limit is not None and outcome.over is not None:
            row = replace(row, limit=self.limit(outcome, section, told))
        return row

    def held(self, outcome: Outcome, register: Optional[Register]) -> int:
        """The stub that reads what the register holds, if any condition asks."""
        asked = any(look.part in schema.AGAINST.values() for leaf in leaves(outcome) for look in leaf.where)
        stub = self.stubs.get(register.key) if asked and register is not None else None
        return stub.number if stub is not None and stub.read else 0

    def where(self, outcome: Outcome, section: str, told: str, held: int, what: str) -> int:
        """The number of its first condition. `what` of a call: whether its arguments are W registers."""
        looks = [self.look(look, section, told, what == NARROW) for look in outcome.where]
        place = (*looks, held)
        if place not in self.wheres:
            self.wheres[place] = len(self.conditions)
            for number, (look, text) in enumerate(zip(looks, (look.text for look in outcome.where))):
                if look.spans not in self.spans:
                    self.spans[look.spans] = len(self.span_list)
                    self.span_list += look.spans
                word, test = look.part.split("/")
                self.conditions.append(Condition(word, test, look.shift, look.width, len(looks) - number - 1,
                                                 self.spans[look.spans], len(look.spans), text, 0 if number else held))
        return self.wheres[place]

    @staticmethod
    def look(look: Look, section: str, told: str, narrow: bool) -> Look:
        """As EL2 looks at it: `part` is enum word and enum test, `width` the mask."""
        mask, shift, spans = (1 << look.width) - 1, look.shift, look.spans
        if look.part in schema.ARGUMENTS:
            word = "ADDR" if told.split("_")[0].lower() == look.part else "AUX"
            mask = 0xffffffff if narrow else mask
        elif look.part == "from":
            word, shift, mask = "HEADER", HEADER_EL, 3
        elif look.part == "pc":
            word = "PC"                         # which stands behind an HVC
            spans = tuple((low + 4, high + 4) for low, high in spans) if section == "hvc" else spans
        else:
            word = "VALUE"
        test = look.part if look.part in schema.AGAINST.values() else "word"
        return replace(look, part=f"{word}/{test.upper()}", shift=shift, width=mask,
                       spans=tuple((low, min(high, ALL_BITS)) for low, high in spans if low <= ALL_BITS))

    def limit(self, outcome: Outcome, section: str, told: str) -> int:
        assert outcome.limit is not None and outcome.over is not None
        over = self.row(outcome.over, section, "beyond the limit", told=told)
        return self.limits.setdefault((outcome.rule, outcome.limit, over), len(self.limits) + 1)

    def pair(self, outcomes: Tuple[Outcome, Outcome]) -> Tuple[int, int]:
        return self.row(outcomes[0], "mmio", "read"), self.row(outcomes[1], "mmio", "write")

    # --- system registers ---------------------------------------------------------------------------------------

    def needs(self, register: Register, direction: str, outcome: Outcome) -> Tuple[str, ...]:
        """The halves of a stub that this access uses."""
        if (register.key, direction) not in self.plan.traps or register.replay != "plain":
            return ()
        if outcome.do == "mask" and direction == "write":
            return ("read", "write") if register.access == "rw" else ()
        if outcome.do in ("allow", "mask", "pause"):
            return (direction,) if direction == "read" or register.write_mask else ()
        return ()

    def asks(self, register: Register, direction: str, outcome: Outcome) -> Tuple[str, ...]:
        """The half that its conditions use, where they are about what the register holds."""
        against = any(look.part in ("changed", "cleared") for look in outcome.where)
        return ("read",) if against and (register.key, direction) in self.plan.traps else ()

    def number_stubs(self) -> None:
        known = {**self.arch.by_key, **{key: self.unnamed(key) for key in self.arch.groups["id"]
                                        if key not in self.arch.by_key}}
        for key in sorted(known):
            register = known[key]
            for direction in ("read", "write"):
                if register.reaches(direction):
                    for half in (half for leaf in leaves(self.layout.sysregs[direction][key]) for half in
                                 (*self.needs(register, direction, leaf), *self.asks(register, direction, leaf))):
                        stub = self.stubs.setdefault(key, Stub(key, register.name))
                        stub.read, stub.write = stub.read or half == "read", stub.write or half == "write"
        for register, direction in self.passable():     # stubs that no row uses stand behind the others
            if not register.model and (direction == "read" or register.write_mask):
                stub = self.stubs.setdefault(register.key, Stub(register.key, register.name))
                stub.read, stub.write = stub.read or direction == "read", stub.write or direction == "write"
        after = 2               # 0: nothing to replay
        for stub in self.placed():
            stub.number = after if stub.read else after - 1
            after += stub.read + stub.write
        self.known = known

    def placed(self) -> List[Stub]:
        """Stubs that only write come first: no two have one number."""
        return sorted(self.stubs.values(), key=lambda stub: stub.read)

    def passable(self) -> Iterator[Tuple[Register, str]]:
        """Registers that trap and that EL2 can access in the guest's place, among those that some machine was seen to
        have."""
        for key, register in sorted(self.arch.by_key.items()):
            for direction in ("read", "write"):
                if (key, direction) in self.plan.traps and register.replay not in ("none", "vgic") and register.probes:
                    yield register, direction

    def passing(self) -> Iterator[Passing]:
        """The decision that `mode: audit` would make of a refusal, for `rule rN would`."""
        hidden = hidden_fields(self.policy)
        there: Dict[int, Set[str]] = {}
        for register, direction in self.passable():
            there.setdefault(register.key, set()).add(direction)
        for key, directions in there.items():
            register = self.arch.by_key[key]
            bits, value = hidden.get(key, (0, 0))
            read = "EMULATE" if register.model else "MASK" if bits else "ALLOW"
            write = "EMULATE" if register.model else "ALLOW" if register.write_mask else "IGNORE"
            yield Passing(key, register.name, _model(register.model) if register.model else
                          str(self.stubs[key].number if key in self.stubs else 0),
                          (read if "read" in directions else "VALUE", write if "write" in directions else "IGNORE"),
                          (ALL_BITS & ~bits, register.write_mask), value)

    @staticmethod
    def unnamed(key: int) -> Register:
        """A reserved ID register: reads as zero."""
        return Register(encoding(key), key, "reg", "ro", "", "", "", "", "id", (), (), (), (), "plain", ALL_BITS, {})

    def replayed(self, row: Row, outcome: Outcome, register: Optional[Register], direction: str) -> Row:
        """ALLOW, MASK and PAUSE reach the real register through a stub. Without one (no control traps the access, or
        EL2 cannot make it for EL1) the access ends as on a CPU that lacks the register."""
        if outcome.do not in ("allow", "mask", "pause"):
            return row
        needed = self.needs(register, direction, outcome) if register else ()
        if register is not None and needed:
            mask = outcome.mask if outcome.do == "mask" else ALL_BITS
            if direction == "write":
                mask &= register.write_mask
            return replace(row, arg=str(self.stubs[register.key].number), mask=mask,
                           what=f"{direction} {register.name}")
        if outcome.do == "pause":
            return row
        if register is not None and (register.key, direction) in self.plan.traps and outcome.do == "allow":
            if register.model:
                return replace(row, action="EMULATE", arg=_model(register.model), what=f"{direction} {register.name}")
            if direction == "write" and not register.write_mask:
                return replace(row, action="IGNORE", what="write of what EL1 may not change")
        return replace(row, action="DENY", arg="REFUSE_UNDEF", value=0, mask=0, what="nothing to replay")

    def sysregs(self) -> Tuple[Tuple[int, ...], Tuple[Tuple[int, ...], ...]]:
        """Page and leaves by ISS; a direction's rows are cached by outcome where the register makes no difference."""
        cache: Dict[Tuple[int, bool], int] = {}
        numbers: Dict[str, List[int]] = {}
        for direction in ("read", "write"):
            column: List[int] = []
            numbers[direction] = column
            for key, outcome in enumerate(self.layout.sysregs[direction]):
                register = self.known.get(key)
                if register is not None and register.reaches(direction):
                    column.append(self.row(outcome, "sysregs", direction, register, direction))
                    continue
                place = id(outcome), direction == "read"
                if place not in cache:
                    cache[place] = self.row(outcome, "sysregs", direction)
                column.append(cache[place])
        leaves: Dict[Tuple[int, ...], int] = {}
        page = []
        for index in range(ISS_PAGES):
            op0, op2, op1, crn = index >> 10, index >> 7 & 7, index >> 4 & 7, index & 15
            leaf = tuple(numbers[direction][make_key(op0, op1, crn, crm, op2)]
                         for crm in range(16) for direction in ("write", "read"))
            page.append(leaves.setdefault(leaf, len(leaves)))
        return tuple(page), tuple(leaves)

    # --- windows ------------------------------------------------------------------------------------------------

    def mmio(self) -> Tuple[Tuple[int, ...], Tuple[Tuple[int, ...], ...], Tuple[Range, ...]]:
        """Cuts cells at page borders, unless they cover whole pages; then lays out pages, and blocks of pages."""
        found: List[Range] = []
        first: List[int] = [0] * (MMIO_SIZE // PAGE)
        pieces = [piece for cell in self.layout.mmio for piece in self.pieces(cell)]
        at = 0
        while at < len(pieces):
            base, last, _ = pieces[at]
            start = len(found)
            if base % PAGE == 0 and (last + 1) % PAGE == 0:
                found.append(self.range(*pieces[at], 0))
                first[base // PAGE:(last + 1) // PAGE] = [start] * ((last + 1 - base) // PAGE)
                at += 1
                continue
            end = at
            while end < len(pieces) and pieces[end][0] // PAGE == base // PAGE:
                end += 1
            found += [self.range(*piece, end - number - 1) for number, piece in enumerate(pieces[at:end], at)]
            first[base // PAGE] = start
            at = end
        leaves: Dict[Tuple[int, ...], int] = {}
        root = [leaves.setdefault(tuple(first[at:at + BLOCK // PAGE]), len(leaves))
                for at in range(0, len(first), BLOCK // PAGE)]
        return tuple(root), tuple(leaves), tuple(found)

    @staticmethod
    def pieces(cell: Cell) -> List[Tuple[int, int, Cell]]:
        """Up to three parts: the rest of a page, whole pages, the start of a page."""
        out, base = [], cell.base
        up, down = -(-base // PAGE) * PAGE, (cell.last + 1) // PAGE * PAGE
        if base < up:
            out.append((base, min(cell.last, up - 1), cell))
        if up < down:
            out.append((up, down - 1, cell))
        if down <= cell.last and down >= up:
            out.append((down, cell.last, cell))
        return out

    def range(self, base: int, last: int, cell: Cell, more: int) -> Range:
        # Bit log2(n) is set if accesses of n bytes are listed; no mask if all are.
        read, write = (sum(1 << width.bit_length() - 1 for width in widths) for widths in cell.widths)
        decided = self.pair(cell.rows)
        refused = tuple(row if listed == 15 else self.row(outcome, "mmio", what) for row, listed, outcome, what in
                        zip(decided, (read, write), cell.refuse, ("another width, read", "another width, write")))
        return Range(base, last, decided, (refused[0], refused[1]), (read, write), more)

    # --- calls --------------------------------------------------------------------------------------------------

    def calls(self, section: str) -> CallTable:
        exact: List[Tuple[int, int]] = []
        spans: List[Tuple[int, int, int]] = []
        for first, last, outcome in (part for cell in self.layout.calls[section] for part in by_width(cell)):
            row = self.row(outcome, section, NARROW if first in SMC32 else section)
            if first == last:
                exact.append((first, row))      # a slot finds it before any span is searched
            elif spans and spans[-1][2] == row:
                spans[-1] = (spans[-1][0], last, row)
            else:
                spans.append((spans[-1][1] + 1 if spans else 0, last, row))
        if not spans:
            spans = [(0, 0xffffffff, exact[-1][1])]
        spans[-1] = (spans[-1][0], 0xffffffff, spans[-1][2])
        disp, slots = perfect_hash(exact)
        return CallTable(disp, slots, tuple(spans))


def by_width(cell: Tuple[int, int, Outcome]) -> Iterator[Tuple[int, int, Outcome]]:
    """The cell, cut where the width of arguments changes if conditions look at them."""
    first, last, outcome = cell
    if any(look.part in schema.ARGUMENTS for leaf in leaves(outcome) for look in leaf.where):
        for low, high in ranges.cells(((first, last),), [((SMC32[0], SMC32[-1]),)]):
            yield low, high, outcome
    else:
        yield cell


def tells(outcome: Outcome) -> str:
    """enum tells: the arguments that the record of a call has room for. The reader of conditions lets no three be asked."""
    asked = {look.part for leaf in leaves(outcome) for look in leaf.where}
    return "X1_X2" if "x3" not in asked else "X2_X3" if "x2" in asked else "X1_X3"


def _model(name: Optional[str]) -> str:
    return "MODEL_" + (name or "none").upper().replace("-", "_")


def call_hash(number: int) -> int:
    """policy_call() of hv/policy/policy.c in Python."""
    mixed = (number ^ number >> 16) * 0x9e3779b1 & 0xffffffff    # the owner field must reach every bit
    return mixed ^ mixed >> 15


def perfect_hash(exact: Sequence[Tuple[int, int]]) -> Tuple[Tuple[int, ...], Tuple[Optional[Tuple[int, int]], ...]]:
    """Displacements and slots that give every number its own slot; both sizes are powers of two."""
    n_slots = 1
    while n_slots < 2 * len(exact):
        n_slots *= 2
    n_disp = max(1, n_slots // 4)
    while True:
        found = _place(exact, n_slots, n_disp)
        if found is not None:
            return found
        n_slots, n_disp = n_slots * 2, n_disp * 2


def _place(exact: Sequence[Tuple[int, int]], n_slots: int,
           n_disp: int) -> Optional[Tuple[Tuple[int, ...], Tuple[Optional[Tuple[int, int]], ...]]]:
    buckets: Dict[int, List[Tuple[int, int]]] = {}
    for number, row in exact:
        buckets.setdefault(call_hash(number) & (n_disp - 1), []).append((number, row))
    disp = [0] * n_disp
    slots: List[Optional[Tuple[int, int]]] = [None] * n_slots
    for bucket, members in sorted(buckets.items(), key=lambda item: (-len(item[1]), item[0])):
        for displacement in range(min(n_slots, MAX_U16 + 1)):
            places: Set[int] = {(call_hash(number) >> 16 ^ displacement) & (n_slots - 1) for number, _ in members}
            if len(places) == len(members) and all(slots[place] is None for place in places):
                break
        else:
            return None
        disp[bucket] = displacement
        for number, row in members:
            slots[(call_hash(number) >> 16 ^ displacement) & (n_slots - 1)] = (number, row)
    return tuple(disp), tuple(slots)
