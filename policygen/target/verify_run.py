# SPDX-License-Identifier: Apache-2.0
"""Compares the sweep guest's log with the reference evaluator.

It sees EL2 only by its effects: whether an access ran, whether a trap or a denial was counted, which value was read.
"""
from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Dict, Iterator, List, Optional, Tuple

from policygen.facts import controls
from policygen.facts.arch import ExceptionClass, Register, encoding, load_arch
from policygen.facts.board import MMIO_SIZE, Gap, load_board
from policygen.facts.names import SYSREGS
from policygen.language.model import Access, Decision, Policy, branches
from policygen.language.overlap import spoken
from policygen.meaning.evaluate import Evaluator, evaluator
from policygen.target import sweep
from policygen.target.traps import GIVEN, Plan, gap_of, plan
from policygen.target.verify import given
from policygen.text.nodes import alternatives

NUMBER = "([0-9a-f]{1,16})"
LINE = re.compile(rf"sw ([smhc]) ([rw-]) ([1248]) {NUMBER} {NUMBER} {NUMBER} {NUMBER} :(.*)\Z")
TOKEN = re.compile(r"([ouasxczp])([-+*]?)([0-9a-f]{0,16})(?:=([0-9a-f]{1,16}))?\Z")
SECTIONS = {"s": "sysregs", "m": "mmio", "h": "hvc", "c": "smc"}
DIRECTIONS = {"r": "read", "w": "write", "-": ""}
RETURNS = {"NOT_SUPPORTED": -1, "INVALID_PARAMETERS": -2, "DENIED": -3, "SEA": -1, "SERROR": -1}
ALL = (1 << 64) - 1
EXTENTS = ("", " (a sample of the pages)", " (a sample of the pages, and of the encodings without a name)")
OF_VGIC = ("ICH_HCR_EL2.TALL0", "ICH_HCR_EL2.TALL1")
EC_UNKNOWN, EC_SYSREG, EC_DABT = 0x00, 0x18, 0x25
FSC_ADDRESS_SIZE, FSC_PERMISSION, FSC_ALIGNMENT = 0x00, 0x0f, 0x21
ORDER = ("not on this CPU", "ran as allowed", "ran after a collateral trap", "denied", "answered by the policy",
         "passed over: would stop the guest, or the next within a limit")


@dataclass(frozen=True)
class Seen:
    """One outcome of guest/sweep (report.h) for `count` accesses."""
    section: str
    direction: str
    width: int
    first: int
    step: int
    count: int
    args: Tuple[int, int]
    letter: str
    flag: str                   # "": no trap; -: counted as denied; +: counted as another verdict; *: several
    value: Optional[int]


@dataclass(frozen=True)
class Difference:
    seen: Seen
    key: int
    expected: Decision
    why: str


@dataclass
class Verdict:
    counts: Dict[str, int] = field(default_factory=dict)
    by_section: Dict[str, int] = field(default_factory=dict)
    covered: Dict[str, int] = field(default_factory=dict)          # gap -> accesses
    differences: List[Difference] = field(default_factory=list)
    broken: str = ""                                               # why the log is no sweep, or an incomplete one
    extent: str = ""                                               # the part that was tried

    def add(self, what: str, count: int) -> None:
        self.counts[what] = self.counts.get(what, 0) + count


def console(text: str) -> str:
    """The guest's bytes: records are taken out (from RS to the end of the line, with the line break before a record
    marked `+`, which EL2 put into the guest's line); escapes and NULs are undone."""
    text = re.sub("(?<!\r)\r*\n\x1e@.\\+[^\n]*\n", "", text)
    text = re.sub("\x1e[^\n]*\n", "", text)
    return text.replace("\0", "").replace("\x1fe", "\x1e").replace("\x1ff", "\x1f").replace("\r", "")


def parse(text: str) -> Iterator[Seen]:
    """Raises ValueError for a line that no sweep prints."""
    for line in text.split("\n"):
        match = LINE.match(line)
        if match is None:
            if line.startswith("sw ") and not re.match(r"sw (start( blind)?|end [0-9a-f]+)\Z", line):
                raise ValueError(f"a line that no sweep prints: {line[:80]!r}")
            continue
        kind, direction = match.group(1), match.group(2)
        width, first, step, x1, x2 = (int(match.group(number), 16) for number in range(3, 8))
        for word in match.group(8).split():
            token = TOKEN.match(word)
            if token is None:
                raise ValueError(f"an outcome that no sweep prints: {word!r}")
            letter, flag, number, value = token.groups()
            count = int(number, 16) if number else 1
            if not step or not count or kind == "s" and first + step * (count - 1) > 0xffff:
                raise ValueError(f"a series that no sweep makes: {line[:80]!r}")
            yield Seen(SECTIONS[kind], DIRECTIONS[direction], width, first, step, count, (x1, x2), letter, flag,
                       int(value, 16) if value else None)
            first += step * count


class Judge:
    def __init__(self, policy: Policy, cpu: str, version: str = "") -> None:
        self.policy, self.cpu, self.version = policy, cpu, version
        self.reference: Evaluator = evaluator(policy)
        self.plan: Plan = plan(policy, cpu)
        self.arch = load_arch()
        self.problems = {(key, side): problem.message for problem in self.plan.problems
                         for key, side in problem.accesses if problem.severity == "note" or policy.accepted}
        self.verdict = Verdict()
        self.starts = [low for low, _ in self.reference.cells("sysregs", SYSREGS)]
        self.registers: Dict[Tuple[int, str], List[Decision]] = {}      # by the start of the piece in which one decision holds

    def judge(self, text: str) -> Verdict:
        text, out = console(text), self.verdict
        planned = [sum(span.count for span in sweep.spans(self.policy, extent))
                   for extent in (sweep.WHOLE, sweep.BRIEF, sweep.SAMPLE)]
        try:
            for seen in parse(text):
                if sum(out.by_section.values()) + seen.count > max(planned):
                    raise ValueError(f"more accesses than the sweep makes, {max(planned)}")
                out.by_section[seen.section] = out.by_section.get(seen.section, 0) + seen.count
                if seen.letter == "p":
                    out.add(ORDER[5], seen.count)
                elif seen.section == "sysregs":
                    for number in range(seen.count):
                        self.note(seen, seen.first + number * seen.step, 1)
                else:
                    for first, count in self.pieces(seen):
                        self.note(seen, first, count)
        except ValueError as error:
            out.broken = str(error)
        end = re.search(r"^sw end ([0-9a-f]+)$", text, re.M)
        total = sum(out.by_section.values())
        out.extent = EXTENTS[planned.index(total)] if total in planned else ""
        if not out.broken and "sw start\n" not in text:
            out.broken = "this log holds no sweep that could count (HV_GET_STATUS is denied, or another guest ran)"
        elif not out.broken and (end is None or int(end.group(1), 16) != total or total not in planned):
            out.broken = f"the sweep is incomplete: {total} accesses, and not {alternatives([*map(str, planned)])}"
        return out

    def pieces(self, seen: Seen) -> Iterator[Tuple[int, int]]:
        """Cuts a series into parts with one decision each."""
        at, left = seen.first, seen.count
        if seen.section != "mmio" or at >= MMIO_SIZE:
            end = sweep.ram_end(self.policy)
            parts = list(self.reference.cells("memory", ((MMIO_SIZE, end - 1),)))
            cells = [(0, MMIO_SIZE - 1), *parts, (end, ALL)] if seen.section == "mmio" else \
                list(self.reference.cells(seen.section, ((0, 0xffffffff),)))
        else:
            cells = self.mmio_cells()
        for low, high in cells:
            while left and low <= at <= high:
                inside = (high - (at + seen.width - 1)) // seen.step + 1 if at + seen.width - 1 <= high else 1
                count = max(1, min(left, inside))
                yield at, count
                at, left = at + seen.step * count, left - count
        if left:
            raise ValueError(f"a series that leaves the map: {seen.first:#x}")

    def mmio_cells(self) -> List[Tuple[int, int]]:
        if not hasattr(self, "_cells"):
            self._cells = list(self.reference.cells("mmio", ((0, MMIO_SIZE - 1),)))
        return self._cells

    # --- one outcome --------------------------------------------------------------------------------------------

    def note(self, seen: Seen, key: int, count: int) -> None:
        """Counts one outcome. Inputs of conditions that the sweep does not tell make several decisions possible."""
        found: List[Tuple[Decision, str, str, str]] = []
        for expected in self.expected(seen, key):
            found.append((expected, *self.outcome(seen, key, expected)))
            if not found[-1][2]:
                break
        expected, what, why, gap = found[-1]
        if not why:
            self.verdict.add(what, count)
        elif gap:
            self.verdict.covered[gap] = self.verdict.covered.get(gap, 0) + count
        else:
            self.verdict.differences.append(Difference(seen, key, expected, why))

    def expected(self, seen: Seen, key: int) -> List[Decision]:
        if seen.section == "sysregs":
            return self.register(key, seen.direction)
        if seen.section == "mmio" and key >= MMIO_SIZE:
            if self.guarded(seen, key):
                return sweep.ways(self.reference, Access("memory", key, "write"))
            return self.outside(seen)
        return sweep.ways(self.reference, Access(seen.section, key, seen.direction, seen.width, (*seen.args, 0)))

    def outcome(self, seen: Seen, key: int, expected: Decision) -> Tuple[str, str, str]:
        """(its heading, a complaint, the gap that explains it), each may be empty."""
        ram = seen.section == "mmio" and MMIO_SIZE <= key < sweep.ram_end(self.policy)
        gap = ""
        if self.guarded(seen, key):
            what, why = self.ram(seen, key, expected)
        elif ram:
            what, why = ORDER[1], "" if (seen.letter, seen.flag) == ("o", "") else "RAM is the guest's own"
        elif seen.flag == "*" or seen.letter in "zc":
            what, why = "", "more than one trap" if seen.flag == "*" else "x1 to x3 came back changed" \
                if seen.letter == "c" else "more than one exception"
        elif seen.section == "sysregs":
            what, why, gap = self.sysreg(seen, key, expected)
        elif seen.section == "mmio":
            what, why = self.memory(seen, key, expected)
        else:
            what, why = self.call(seen, key, expected)
        return what, why, gap

    def register(self, key: int, direction: str) -> List[Decision]:
        piece = self.starts[bisect_right(self.starts, key) - 1], direction
        if piece not in self.registers:
            self.registers[piece] = sweep.ways(self.reference, Access("sysregs", *piece))
        return self.registers[piece]

    def outside(self, seen: Seen) -> List[Decision]:
        """Above the windows and RAM: `default`, or a refusal if it could only be answered by a device."""
        entry = self.reference.defaults["mmio"]
        end = sweep.ram_end(self.policy)
        return [self.reference.decision(entry, action, "mmio", end, seen.direction)
                for action in branches(entry.actions[seen.direction])]

    @staticmethod
    def answer(seen: Seen, expected: Decision) -> str:
        """A complaint about the value of a read or a call; empty if it is right."""
        if seen.value is None or seen.letter != "o":
            return ""
        bits = (1 << 8 * seen.width) - 1 if seen.section == "mmio" else ALL
        if expected.do == "value" and seen.value != expected.value & bits:
            return f"read {seen.value:#x} instead of {expected.value & bits:#x}"
        if expected.do == "mask" and seen.value & ~expected.mask & bits != expected.value & ~expected.mask & bits:
            return f"read {seen.value:#x}: bits outside the mask"
        return ""

    def sysreg(self, seen: Seen, key: int, expected: Decision) -> Tuple[str, str, str]:
        """(its heading, a complaint, the gap that explains it), each may be empty."""
        register = self.arch.by_key.get(key)
        catching = self.plan.traps.get((key, seen.direction), "")
        active = [name for name in (self.controls(register, seen.direction) if register else (catching,))
                  if name and self.arch.has_control(self.arch.controls[name], self.cpu)]
        here = register is not None and self.arch.exists(register, seen.direction, self.cpu)
        if seen.flag:
            if not catching and not self.of_vgic(register, seen, expected):
                _, wrong = self.trapped(seen, key, register, expected)
                return "", wrong or "it trapped, and no control that is set says so", "" if wrong else self.catches(key)
            if catching in self.arch.reports:
                return self.as_class(seen, key, expected, self.arch.reports[catching])
            return (*self.trapped(seen, key, register, expected), "")
        if seen.letter != "o":
            if seen.letter == "x" and not _like_absent(seen.value or 0):
                return "", f"exception {seen.value or 0:#x} that EL2 did not see", ""
            if here and active and expected.do not in ("deny",):
                return "", "UNDEFINED, and EL2 was not asked", ""
            if here and expected.do == "allow":
                return "", "the policy allows it, the facts say that this CPU has it, and it is UNDEFINED", ""
            return ORDER[0], "", ""
        plain = expected.do == "allow" and expected.log == "never" and expected.limit is None
        virtual = expected.do == "value" and self.plan.controls.get(
            {"MIDR_EL1": "VPIDR_EL2", "MPIDR_EL1": "VMPIDR_EL2"}.get(register.name if register else "", ""), 0)
        gap = self.gap(active or [catching], register, key, seen.direction)
        if virtual:
            return ORDER[4], self.answer(seen, expected), ""
        if plain and not active:
            return ORDER[1], "", ""
        if plain:
            return (ORDER[1], "", "") if gap else ("", f"it ran, and {active[0]} did not trap it", "")
        return "", f"the policy says {expected.do}, and it ran", gap

    @staticmethod
    def of_vgic(register: Optional[Register], seen: Seen, expected: Decision) -> bool:
        """The virtual GIC sets these traps itself, as its list registers need it (hv/dev/vgic.c); it lets pass what the
        policy allows."""
        return register is not None and (seen.letter, seen.flag) == ("o", "+") and expected.verdict == "ALLOW" and \
            any(name in OF_VGIC for name in register.controls(seen.direction))

    def as_class(self, seen: Seen, key: int, expected: Decision, info: ExceptionClass) -> Tuple[str, str, str]:
        """A trap that names no register: the class's entry decides. The register's entry says the same, or the planner
        has complained."""
        decided = self.reference.decide(Access("exceptions", info.number))
        if (seen.flag == "-") != (decided.verdict == "DENY"):
            return "", f"class {info.name} counted as {'a denial' if seen.flag == '-' else 'no denial'}, which it is not", ""
        injected = EC_UNKNOWN if decided.do == "deny" else info.number
        if seen.letter != ("u" if injected == EC_UNKNOWN else "x") or injected and (seen.value or 0) >> 26 != injected:
            return "", f"{_word(seen)} instead of {decided.do} of class {info.name}", ""
        if expected.do == decided.do == "deny":
            return ORDER[3], "", ""
        told = (key, seen.direction) in self.problems
        return "", f"it came as class {info.name}, which says {decided.do}", f"class {info.name}" if told else ""

    def controls(self, register: Register, direction: str) -> List[str]:
        """The register's controls that are set."""
        out = []
        for name in register.controls(direction) + register.fgt(direction):
            control = self.arch.controls[name]
            if control.register in controls.MEMBERS and \
                    bool(self.plan.controls[control.register] & control.mask) == bool(control.traps_when):
                out.append(name)
        return out

    def trapped(self, seen: Seen, key: int, register: Optional[Register], expected: Decision) -> Tuple[str, str]:
        if (seen.flag == "-") != (expected.verdict == "DENY"):
            return "", f"counted as {'a denial' if seen.flag == '-' else 'no denial'}, which it is not"
        given = register is None or expected.do not in GIVEN or register.gives(expected.do, seen.direction)
        if expected.do == "deny" or not given and seen.letter == "u":
            return (ORDER[3], "") if seen.letter == "u" else ("", f"{_word(seen)} instead of UNDEFINED")
        if expected.do in ("allow", "mask", "pause") and seen.letter == "u" and \
                not (register and register.reaches(seen.direction)):
            return ORDER[3], ""
        if seen.letter != "o":
            if expected.do == "allow" and register and register.model and seen.letter in "ax":
                return ORDER[2], ""             # maintenance by address: the address may be refused
            return "", f"{_word(seen)} instead of {expected.do}"
        plain = expected.do == "allow" and expected.verdict == "ALLOW"
        return ORDER[2] if plain else ORDER[4], self.answer(seen, expected)

    def gap(self, names: List[str], register: Optional[Register], key: int, direction: str) -> str:
        """The named gap that explains why EL2 did not see an access; empty if none does."""
        found = (gap_of(self.policy.platform, name, register, self.cpu, self.version) for name in names if name and register)
        known: Optional[Gap] = next((gap for gap in found if gap), None)
        if (key, direction) in self.problems:
            return known.control if known else f"no trap bit of {self.cpu} for {self.arch.name(key)}"
        return known.control if known else ""

    def catches(self, key: int) -> str:
        """The control, known to the platform and set, that catches what is UNDEFINED; empty if none does."""
        name = encoding(key)
        return next((gap.control for gap in load_board(self.policy.platform).gaps
                     if gap.on(self.version) and (not gap.cpus or self.cpu in gap.cpus) and
                     any(fnmatchcase(name, pattern) for pattern in gap.also) and
                     self.plan.controls[self.arch.controls[gap.control].register] & self.arch.controls[gap.control].mask), "")

    def memory(self, seen: Seen, key: int, expected: Decision) -> Tuple[str, str]:
        if not seen.flag:
            if seen.letter == "x" and (seen.value or 0) >> 26 == EC_DABT and (seen.value or 0) & 0x3f == \
                    FSC_ADDRESS_SIZE and key >> 40:
                return ORDER[0], ""             # beyond the physical addresses of this CPU
            plain = expected.do == "allow" and expected.log == "never" and expected.limit is None
            return (ORDER[1], "") if plain and seen.letter == "o" else ("", f"{_word(seen)}, and EL2 was not asked")
        if (seen.flag == "-") != (expected.verdict == "DENY"):
            return "", f"counted as {'a denial' if seen.flag == '-' else 'no denial'}, which it is not"
        if expected.do == "deny":
            letter = "s" if expected.refuse == "SERROR" else "a"
            return (ORDER[3], "") if seen.letter == letter else ("", f"{_word(seen)} instead of {expected.refuse}")
        real = expected.do in ("allow", "mask", "pause")
        if seen.letter == "a" and real:
            return ORDER[3], ""                 # the device itself refused
        if seen.letter != "o":
            return "", f"{_word(seen)} instead of {expected.do}"
        plain = expected.do == "allow" and expected.verdict == "ALLOW"
        return ORDER[2] if plain else ORDER[4], self.answer(seen, expected)

    def guarded(self, seen: Seen, key: int) -> bool:
        """A store to guest RAM that the policy speaks of."""
        return seen.section == "mmio" and seen.direction == "write" and bool(self.reference.by_section["memory"]) and \
            MMIO_SIZE <= key < sweep.ram_end(self.policy)

    @staticmethod
    def ram(seen: Seen, key: int, expected: Decision) -> Tuple[str, str]:
        if given(Access("memory", key, "write"), expected):
            return (ORDER[1], "") if (seen.letter, seen.flag) == ("o", "") else ("", f"{_word(seen)}, and stage 2 gives it")
        if expected.do == "deny":
            refused = seen.letter == "x" and (seen.value or 0) >> 26 == EC_DABT and (seen.value or 0) & 0x3f == FSC_PERMISSION
            return (ORDER[3], "") if refused and seen.flag == "-" else ("", f"{_word(seen)} instead of a permission fault")
        opened = expected.verdict == "WOULD" and not seen.flag          # by a store before
        made = seen.letter == "o" and (seen.flag == "+" or opened)
        return (ORDER[2], "") if made else ("", f"{_word(seen)} instead of a store")

    def call(self, seen: Seen, key: int, expected: Decision) -> Tuple[str, str]:
        if not seen.flag:
            return "", f"{_word(seen)}, and EL2 was not asked"
        if (seen.flag == "-") != (expected.verdict == "DENY"):
            return "", f"counted as {'a denial' if seen.flag == '-' else 'no denial'}, which it is not"
        if expected.do == "deny" and expected.refuse == "UNDEF":
            return (ORDER[3], "") if seen.letter == "u" else ("", f"{_word(seen)} instead of UNDEFINED")
        if seen.letter != "o" or seen.value is None:
            return "", f"{_word(seen)} instead of {expected.do}"
        if expected.do == "deny":
            wanted = RETURNS[expected.refuse or "NOT_SUPPORTED"] & ALL
            return (ORDER[3], "") if seen.value == wanted else ("", f"x0 is {seen.value:#x} instead of {wanted:#x}")
        if expected.do == "allow" and expected.model is None and seen.value != ALL:
            return "", f"nobody serves it, and x0 is {seen.value:#x}"
        return ORDER[1] if expected.do == "allow" else ORDER[4], self.answer(seen, expected)


def _like_absent(esr: int) -> bool:
    """Whether the exception is one of a missing register: FEAT_IDST reports an ID register by its encoding, and
    maintenance of Device memory may be an alignment fault."""
    return esr >> 26 in (EC_UNKNOWN, EC_SYSREG) or esr >> 26 == EC_DABT and esr & 0x3f == FSC_ALIGNMENT


def _word(seen: Seen) -> str:
    return {"o": "it ran", "u": "UNDEFINED", "a": "external abort", "s": "SError"}.get(
        seen.letter, f"exception {seen.value or 0:#x}")


def report(verdict: Verdict, policy: Policy, cpu: str) -> str:
    total = sum(verdict.by_section.values())
    lines = [f"{policy.name:12} on target     {total} accesses executed at EL1 on {policy.platform} {cpu}",
             "  " + ", ".join(f"{count} {section}" for section, count in verdict.by_section.items()) + verdict.extent]
    for what in ORDER:
        if verdict.counts.get(what):
            lines.append(f"  {verdict.counts[what]:7} {what}")
    covered = sum(verdict.covered.values())
    if covered:
        lines.append(f"  {covered:7} differ, all covered by a known gap ({', '.join(sorted(verdict.covered))})")
    for item in verdict.differences[:40]:
        lines.append(f"  DIFFERS  {shown(item, policy)}")
    if verdict.differences:
        lines.append(f"  {len(verdict.differences):7} differ, and no gap explains it")
    if verdict.broken:
        lines.append(f"  {verdict.broken}")
    return "\n".join(lines)


def shown(item: Difference, policy: Policy) -> str:
    seen = item.seen
    text = spoken(seen.section, item.key, seen.direction, policy.windows)
    if seen.section == "sysregs":
        text += f" ({encoding(item.key)})"
    if seen.section == "mmio":
        text += f" ({seen.width} bytes)"
    return f"{text}: {item.why} ({item.expected.entry.place} says {item.expected.do})"
