# SPDX-License-Identifier: Apache-2.0
"""Compares the generated C with hv/policy/policy.c, compiled for this machine, with the reference evaluator.

Asks every system register access, every border of the address map in every width, every call interval's borders, every
exception class. It knows the tables only through hv/policy/policy.h, and the policy only through evaluate.py.
"""
from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tempfile
import time
from array import array
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from policygen.facts import controls
from policygen.facts.arch import ALL_BITS, DEFAULT_CPU, N_KEYS, Register, load_arch, make_key, split_key
from policygen.facts.board import MMIO_SIZE
from policygen.facts.contract import Contract, load_contract
from policygen.language import schema
from policygen.language.model import Access, Decision, Policy
from policygen.language.overlap import spoken
from policygen.meaning.evaluate import Evaluator, evaluator, whole
from policygen.meaning.regions import asked_of, bits_of, borders
from policygen.target import render
from policygen.target.traps import plan
from policygen.text import paths

KINDS = {"sysregs": 0, "mmio": 1, "hvc": 2, "smc": 3, "exceptions": 4, "memory": 5}
RAM_RECORD = 3      # TELLS_RAM
NO_ROW = 0xffff     # of guest RAM: stage 2 gives it
ROW = struct.Struct("<HBBBBHHHHHQQ")
LIMIT = struct.Struct("<IHH")
COUNTS = struct.Struct("<HHH")
CONTROLS = struct.Struct(f"<{len(controls.MEMBERS)}Q")
FREE = struct.Struct("<IIBBBBHH")
QUESTION = struct.Struct("<IIQQQ")
INPUTS = struct.Struct("<7Q")                   # of conditions: follows a question whose second word is 1
STUB = re.compile(r"(mrs\s+x0, |msr\s+|sys\s+)(S\d_\d_C\d+_C\d+_\d|#\d, C\d+, C\d+, #\d)(, x0)?\Z")
PLAIN = (0, 0, 0, 0, 0, 1, 0)                   # the inputs of a question without any
PAGE = 4096
TIMEOUT = 120       # seconds; a corrupt table may make the lookup run away
CFLAGS = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


@dataclass(frozen=True)
class Row:
    """struct decision as the machine would read it."""
    rule: int
    action: str
    verdict: str
    log: str
    arg: int
    limit: int
    value: int
    mask: int
    where: int
    otherwise: int
    before: int
    tells: int


@dataclass(frozen=True)
class Difference:
    access: Access
    expected: Decision
    row: Optional[Row]
    why: str


@dataclass
class Result:
    counts: Dict[str, int]
    differences: List[Difference]
    seconds: float


class Unbuilt(Exception):
    """No program can be built; the message says why."""


@dataclass(frozen=True)
class Tables:
    """Rows, limits and stubs of the compiled tables."""
    rows: Tuple[Row, ...]
    limits: Tuple[Tuple[int, int], ...]
    stubs: Tuple[Tuple[Optional[int], Optional[int]], ...]      # register keys that a stub reads and writes

    def row(self, number: int) -> Optional[Row]:
        return self.rows[number] if number < len(self.rows) else None


@dataclass(frozen=True)
class Said:
    """All that the tables say: rows, controls and passthrough, and a row number for each question."""
    tables: Tables
    controls: Tuple[int, ...]
    free: List[Tuple[int, ...]]
    answers: "array[int]"


def verify(policy: Policy, cpu: str = DEFAULT_CPU, generated: Optional[Path] = None,
           sanitize: bool = False) -> Result:
    """Compares every access. `generated`: a folder with tables to examine in place of fresh ones. Raises Unbuilt."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        if generated is None:
            generated = Path(scratch) / "gen"
            render.render(policy, generated, cpu)
        program = build(generated, Path(scratch) / "verify", sanitize)
        verifier = Verifier(policy, cpu)
        differences = verifier.examine(verifier.ask(program), (generated / "replay.S").read_text(encoding="utf-8"))
    return Result(verifier.counts(), differences, time.monotonic() - start)


def build(generated: Path, program: Path, sanitize: bool = False) -> Path:
    root = paths.PACKAGE.parent
    if shutil.which("gcc") is None or not (root / "hv/policy/policy.c").is_file():
        raise Unbuilt("verify takes gcc, and hv/ of a clone of the project")
    command = ["gcc", "-no-pie", *CFLAGS, *(SANITIZE if sanitize else ()), f"-I{root / 'hv'}", "-o", str(program),
               str(paths.PACKAGE / "target" / "templates" / "verify.c"), str(root / "hv/policy/policy.c"),
               str(root / "hv/policy/where.c"),
               str(generated / "policy_tables.c")]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unbuilt("the tables do not compile:\n" + done.stderr.strip())
    return program


def stubs_of(text: str) -> Tuple[Tuple[Optional[int], Optional[int]], ...]:
    """The register keys that each stub of replay.S reads and writes; a half has two instructions."""
    body = text[text.index("policy_replay:"):text.index(".size")]
    lines = [line.split("/*")[0].strip() for line in body.splitlines()[1:]]
    code = [line for line in lines if line]
    halves = [(_stub_key(instruction, then, True), _stub_key(instruction, then, False))
              for instruction, then in zip(code[::2], code[1::2])]
    return tuple((first[0], second[1]) for first, second in zip(halves, [*halves[1:], (None, None)]))


def _stub_key(instruction: str, then: str, read: bool) -> Optional[int]:
    match = STUB.match(instruction)
    if not match or then != "ret" or match.group(1).startswith("mrs") != read:
        return None
    numbers = [int(number) for number in re.findall(r"\d+", match.group(2))]
    return make_key(1, *numbers) if match.group(1).startswith("sys") else make_key(*numbers)


class Verifier:
    """The reference's answers for one policy, to be compared with any number of compiled tables."""

    def __init__(self, policy: Policy, cpu: str = DEFAULT_CPU) -> None:
        self.policy, self.plan = policy, plan(policy, cpu)
        self.reference: Evaluator = evaluator(policy)
        self.arch = load_arch()
        self.words = load_contract()
        self.conditional = {entry.section for entry in policy.entries for action in entry.actions.values() if action.where}
        self.cases = [(access, self.reference.decide(access)) for section in KINDS for each in self.accesses(section)
                      for access in self.ways(each)]
        self.inner = list(self.pages())
        kinds: Dict[Tuple[object, ...], int] = {}       # properties that decide whether an answer is right -> their number
        self.kinds = [kinds.setdefault(self.kind(access, expected), len(kinds)) for access, expected in self.cases]
        self.examples = {kind: case for kind, case in zip(reversed(self.kinds), reversed(self.cases))}
        starts = {(access.key, access.direction): at for at, (access, _) in reversed([*enumerate(self.cases)])
                  if access.section == "mmio"}
        # The pages of a piece lie together, a read and a write each: (number of pages, its first read, its first
        # write).
        self.runs = [(len(list(pages)) // 2, starts[low, "read"], starts[low, "write"])
                     for low, pages in groupby(self.inner, key=itemgetter(1))]

    @cached_property
    def questions(self) -> IO[bytes]:
        """The questions in a file, which the program reads many times faster than a pipe."""
        out = tempfile.TemporaryFile()
        out.writelines(_question(access) for access, _ in (*self.cases, *self.inner))
        out.flush()
        return out

    def counts(self) -> Dict[str, int]:
        out = {section: 0 for section in KINDS}
        for access, _ in self.cases:
            out[access.section] += 1
        out["mmio"] += len(self.inner)
        return out

    def ask(self, program: Path) -> bytes:
        """The program's output: rows, limits, and the row of each access."""
        self.questions.seek(0)
        return subprocess.run([str(program)], stdin=self.questions, stdout=subprocess.PIPE, check=True,
                              timeout=TIMEOUT).stdout

    def examine(self, output: bytes, replay: str) -> List[Difference]:
        """The wrong answers in `output`, the program's; `replay` is the text of replay.S."""
        return self.differences(self.said(output, replay))

    def said(self, output: bytes, replay: str) -> "Said":
        n_rows, n_limits, n_free = COUNTS.unpack_from(output)
        at = COUNTS.size + n_rows * ROW.size
        after = at + n_limits * LIMIT.size
        free_at = after + CONTROLS.size
        answers = array("H", output[free_at + n_free * FREE.size:])
        tables = Tables(tuple(row_at(output, COUNTS.size + index * ROW.size, self.words) for index in range(n_rows)),
                        tuple((rate, over) for rate, over, _ in LIMIT.iter_unpack(output[at:after])), stubs_of(replay))
        return Said(tables, CONTROLS.unpack_from(output, after),
                    list(FREE.iter_unpack(output[free_at:free_at + n_free * FREE.size])), answers)

    def differences(self, said: "Said") -> List[Difference]:
        """The answers that differ from the reference's decisions."""
        tables, answers = said.tables, said.answers
        if len(answers) != len(self.cases) + len(self.inner):
            raise ValueError("the program answered another number of questions")
        found: List[Difference] = [Difference(*self.cases[0], None, why)
                                   for why in self.without_questions(said.controls, said.free)]
        if tables.limits[:1] != ((0, 0),):
            found.append(Difference(*self.cases[0], None, "policy_limits[0], which means no limit, is one"))
        found += [Difference(*self.cases[0], None, why) for why in self.chains(tables)]
        wrong = {pair: why for pair in set(zip(self.kinds, answers))
                 for why in [self.mismatch(*self.examples[pair[0]], pair[1], tables)] if why}
        if wrong:
            found += [Difference(access, expected, tables.row(pair[1]), wrong[pair])
                      for (access, expected), pair in zip(self.cases, zip(self.kinds, answers)) if pair in wrong]
        first = len(self.cases)
        for pages, *starts in self.runs:
            here, alike = answers[first:first + 2 * pages], array("H", [answers[start] for start in starts]) * pages
            for at in (at for at in range(2 * pages) if here[at] != alike[at]) if here != alike else ():
                access = self.inner[first - len(self.cases) + at][0]
                expected = self.reference.decide(access)
                why = self.mismatch(access, expected, here[at], tables)
                found += [Difference(access, expected, tables.row(here[at]), why)] if why else []
            first += 2 * pages
        return found

    @staticmethod
    def chains(tables: Tables) -> Iterator[str]:
        """Rows that conditions lead to know from where, so that the monitor can say which of them did not hold."""
        led = {row.otherwise: number for number, row in enumerate(tables.rows) if row.where}
        for number, row in enumerate(tables.rows):
            if row.before != led.get(number, 0) or row.where and row.otherwise >= number:
                yield f"policy_rows[{number}] is not where conditions of policy_rows[{row.before}] lead to"

    def without_questions(self, values: Tuple[int, ...], free: List[Tuple[int, ...]]) -> Iterator[str]:
        """Differences in the controls that trap and the pages that do not, which no question asks."""
        for (register, member), value in zip(controls.MEMBERS.items(), values):
            if value != self.plan.controls[register]:
                yield f"policy_traps.{member} is {value:#x} instead of {self.plan.controls[register]:#x}"
        if free != self.free_pages():
            yield "policy_passthrough maps other pages of real devices than the policy gives without a trap"

    def free_pages(self) -> List[Tuple[int, ...]]:
        """base, last, read, write, rule: pieces that are plain `allow` on a real device, in whole pages."""
        pieces: List[Tuple[int, ...]] = []
        for low, high in self.reference.cells("mmio", whole("mmio", self.policy.platform)):
            decided = [[self.reference.decide(Access("mmio", low, side, width)) for width in (1, 2, 4, 8)
                        if width <= high - low + 1] for side in ("read", "write")]
            read, write = (self.reference.board.real(low, high) and all(
                (one.do, one.verdict, one.log, one.limit) == ("allow", "ALLOW", "never", None) for one in side)
                for side in decided)
            piece = (low, high, int(read), int(write), 0, 0, decided[0 if read else 1][0].entry.rule, 0)
            if pieces and pieces[-1][2:] == piece[2:] and pieces[-1][1] + 1 == low:
                piece = (pieces.pop()[0], *piece[1:])
            pieces.append(piece)
        whole_pages = [(-(-low // PAGE) * PAGE, (high + 1) // PAGE * PAGE - 1, *rest) for low, high, *rest in pieces
                       if rest[0] or rest[1]]
        return [piece for piece in whole_pages if piece[0] < piece[1]]

    # --- which accesses -----------------------------------------------------------------------------------------

    def accesses(self, section: str) -> Iterator[Access]:
        if section == "sysregs":
            for key in range(N_KEYS):
                yield Access(section, key, "read")
                yield Access(section, key, "write")
        elif section == "mmio":
            yield from self.addresses()
        elif section == "exceptions":
            for number in range(self.words.classes):
                yield Access(section, number)
        elif section == "memory":
            yield from self.memory()
        else:
            yield from self.calls(section)

    def ways(self, access: Access) -> Iterator[Access]:
        """The access at both sides of every border that its conditions draw."""
        wheres = asked_of(self.reference, access) if access.section in self.conditional else ()
        yield from (inputs.access(access) for inputs in borders(wheres, bits_of(access))) if wheres else (access,)

    def addresses(self) -> Iterator[Access]:
        """Both sides of every border: each byte within a double word of it, in each width."""
        points = {point for low, high in self.reference.cells("mmio", whole("mmio", self.policy.platform))
                  for point in (*range(low - 8, low + 9), *range(high - 8, high + 9)) if 0 <= point < MMIO_SIZE}
        points.update((self.reference.board.ram[1] + 1, 0xfffffff8, 1 << 32, 1 << 39))
        for point in sorted(points):
            for width in (1, 2, 4, 8):
                for direction in ("read", "write"):
                    # An access that reaches into guest RAM is in no window: every policy refuses it.
                    if point >= MMIO_SIZE or point + width <= MMIO_SIZE:
                        yield Access("mmio", point, direction, width)

    def memory(self) -> Iterator[Access]:
        """Both sides of every border of guest RAM, and a page in each MiB."""
        if not self.reference.by_section["memory"]:
            return
        (low, high), = whole("memory", self.policy.platform)
        cells = self.reference.cells("memory", ((low, high),))
        points = {point for edge in cells for at in edge for point in (at - PAGE, at - 1, at, at + 1)}
        for point in sorted({*points, *range(low, high, 1 << 20)}):
            for direction in schema.SIDES["memory"] if low <= point <= high else ():
                yield Access("memory", point, direction)

    def pages(self) -> Iterator[Tuple[Access, int]]:
        """Every page inside a piece that one decision covers, with the piece's first byte, whose answer it must have."""
        for low, high in self.reference.cells("mmio", whole("mmio", self.policy.platform)):
            for page in range((low + PAGE) & -PAGE, high - PAGE, PAGE):
                for direction in ("read", "write"):
                    yield Access("mmio", page, direction, 1), low

    def calls(self, section: str) -> Iterator[Access]:
        points: Set[int] = set()
        for low, high in self.reference.cells(section, whole(section, self.policy.platform)):
            points.update(point for edge in (low, high) for point in (edge - 1, edge, edge + 1))
        for point in sorted(points):
            if not 0 <= point <= 0xffffffff:
                continue
            yield Access(section, point)

    # --- one answer ---------------------------------------------------------------------------------------------

    def kind(self, access: Access, expected: Decision) -> Tuple[object, ...]:
        """The properties that mismatch() looks at, besides the row."""
        replays = access.section == "sysregs" and (access.key in self.arch.by_key or
                                                   expected.do in ("allow", "mask", "pause"))
        return (access.section, expected.entry.rule, expected.do, expected.verdict, expected.value, expected.mask,
                expected.model, expected.refuse, expected.log, expected.limit, expected.over, expected.beyond,
                access.key if replays else 0, access.direction, access.width if access.section == "mmio" else 0)

    def mismatch(self, access: Access, expected: Decision, number: int, tables: Tables) -> str:
        """The reason why row `number` does not mean the reference's decision; empty if it does."""
        if access.section == "memory" and (number == NO_ROW) != given(access, expected):
            return "stage 2 gives it" if number == NO_ROW else "stage 2 does not give it"
        if access.section == "memory" and number == NO_ROW:
            return ""
        row = tables.row(number)
        if row is None:
            return "no such row"
        if row.rule != expected.entry.rule:
            return f"rule r{row.rule} instead of r{expected.entry.rule}"
        if row.verdict != expected.verdict:
            return f"verdict {row.verdict} instead of {expected.verdict}"
        if row.log != expected.log:
            return f"log {row.log} instead of {expected.log}"
        return self.limit_mismatch(access, expected, row, tables) or \
            self.action_mismatch(access, expected, row, tables) or _left_over(row, access.section)

    def limit_mismatch(self, access: Access, expected: Decision, row: Row, tables: Tables) -> str:
        if expected.limit is None:
            return "a limit" if row.limit else ""
        if not 0 < row.limit < len(tables.limits):
            return "no limit"
        rate, over = tables.limits[row.limit]
        if rate != expected.limit or over >= len(tables.rows):
            return f"limit {rate}/s instead of {expected.limit}/s"
        beyond = tables.rows[over]
        if beyond.rule != expected.entry.rule or beyond.action != expected.over or beyond.limit:
            return f"{beyond.action} beyond the limit instead of {expected.over}"
        refuse = expected.beyond or schema.REFUSAL[access.section]
        if expected.over == "deny" and beyond.arg != self.words.refusals.index(refuse):
            return "another refusal beyond the limit"
        log = row.log if row.log != "never" else "once"
        if beyond.verdict != schema.ACTIONS[expected.over].verdict or beyond.log != log:
            return "another log beyond the limit"
        return "a condition beyond the limit" if beyond.where or beyond.otherwise else _left_over(beyond, access.section)

    def action_mismatch(self, access: Access, expected: Decision, row: Row, tables: Tables) -> str:
        wrong = f"{row.action} instead of {expected.do}"
        if access.section == "sysregs" and expected.do in ("allow", "mask", "pause"):
            return self.replay_mismatch(access, expected, row, tables)
        if expected.do == "allow" and access.section in ("hvc", "smc") and expected.model:
            return "" if row.action == "emulate" and row.arg == self.model(expected.model) else wrong
        if row.action != expected.do:
            return wrong
        if expected.do == "deny" and row.arg != self.words.refusals.index(expected.refuse or ""):
            return "another refusal"
        if expected.do == "value" and row.value != expected.value:
            return f"value {row.value:#x} instead of {expected.value:#x}"
        if expected.do == "mask" and (row.mask, row.value) != (expected.mask, expected.value):
            return f"mask {row.mask:#x} instead of {expected.mask:#x}"
        if expected.do == "emulate":
            base = next((window.base for window in self.policy.windows if window.base <= access.key <
                         window.base + window.size), 0) if access.section == "mmio" else 0
            if row.mask != expected.mask:
                return f"mask {row.mask:#x} instead of {expected.mask:#x}"
            return "" if row.arg == self.model(expected.model or "") and row.value == base else "another model"
        if expected.do == "pause" and access.section == "mmio":
            real = self.reference.board.real(access.key, access.key + access.width - 1)
            return "" if bool(row.arg) == real else "a pause that reaches the host"
        return ""

    def replay_mismatch(self, access: Access, expected: Decision, row: Row, tables: Tables) -> str:
        """The real register through a stub, a model in its place, or UNDEFINED as on a CPU that lacks it."""
        register = self.arch.by_key.get(access.key)
        arrives = (access.key, access.direction) in self.plan.traps
        plain = arrives and (register.replay == "plain" if register else access.key in self.arch.groups["id"])
        if not plain or register is not None and self.unwritable(access, expected, register):
            if expected.do == "pause":
                return "" if (row.action, row.arg) == ("pause", 0) else f"{row.action} instead of pause"
            if arrives and register and register.model and expected.do == "allow":
                return "" if row.action == "emulate" and row.arg == self.model(register.model) else "another model"
            if arrives and register and not register.write_mask and expected.do == "allow":
                return "" if row.action == "ignore" else f"{row.action} of what EL1 may not change"
            return "" if (row.action, row.arg) == ("deny", 0) else f"{row.action}, and nothing to replay"
        if row.action != expected.do:
            return f"{row.action} instead of {expected.do}"
        read, write = tables.stubs[row.arg] if row.arg < len(tables.stubs) else (None, None)
        if (read if access.direction == "read" else write) != access.key or \
                expected.do == "mask" and read != access.key:
            return "another register's stub"
        mask = expected.mask if expected.do == "mask" else ALL_BITS
        if register is not None and access.direction == "write":
            mask &= register.write_mask
        if row.mask != mask or expected.do == "mask" and row.value != expected.value:
            return f"mask {row.mask:#x} instead of {mask:#x}"
        return ""

    @staticmethod
    def unwritable(access: Access, expected: Decision, register: Register) -> bool:
        if access.direction == "read":
            return False
        return not register.write_mask and expected.do != "mask" or expected.do == "mask" and register.access != "rw"

    def model(self, name: str) -> int:
        return self.words.models.index(name)


def given(access: Access, expected: Decision) -> bool:
    """Whether stage 2 gives the access, so that EL2 never sees it."""
    return (expected.do, expected.verdict, expected.log, expected.limit) == ("allow", "ALLOW", "never", None) and \
        not expected.entry.actions[access.direction].where


def _left_over(row: Row, section: str) -> str:
    """Unused fields must be zero."""
    used = {"deny": ("arg",), "emulate": ("arg",), "value": ("value",), "mask": ("value", "mask")}.get(row.action, ())
    if section == "sysregs" and row.action in ("allow", "mask", "pause"):
        used += ("mask", "arg")
    if section == "mmio":
        used += {"emulate": ("value", "mask"), "pause": ("arg",)}.get(row.action, ())
    if section in ("hvc", "smc"):
        used += ("tells",)
    if section == "memory":
        used += ("tells",) if row.tells == RAM_RECORD else ()
        return "" if used else "a record that does not speak of RAM"
    used += ("before",) + (("where", "otherwise") if row.where else ())      # Verifier.chains() looks at them
    spare = [name for name in ("value", "mask", "arg", "where", "otherwise", "before", "tells")
             if getattr(row, name) and name not in used]
    return f"{spare[0]} in a row that does not use it" if spare else ""


def row_at(data: bytes, at: int, words: Contract) -> Row:
    rule, action, verdict, log, tells, arg, limit, where, otherwise, before, value, mask = ROW.unpack_from(data, at)

    def word(known: Sequence[str], number: int) -> str:
        return known[number] if number < len(known) else f"number {number}"
    return Row(rule, word(words.actions, action), word(words.verdicts, verdict), word(words.logs, log), arg, limit,
               value, mask, where, otherwise, before, tells)


def _question(access: Access) -> bytes:
    a, b, c = access.key, 0, 0
    if access.section == "sysregs":
        op0, op1, crn, crm, op2 = split_key(access.key)
        a = op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1 | (access.direction == "read")
        a |= (access.key * 7 & 31) << 5            # the row must not depend on Rt
    elif access.section == "memory":
        c = int(access.direction == "exec")
    elif access.section == "mmio":
        b, c = access.width.bit_length() - 1, int(access.direction == "write")
    given = (access.value, access.held, *access.args, access.el, access.pc)
    if given == PLAIN:
        return QUESTION.pack(KINDS[access.section], 0, a, b, c)
    return QUESTION.pack(KINDS[access.section], 1, a, b, c) + INPUTS.pack(*given)


def shown(difference: Difference, policy: Policy) -> str:
    access = difference.access
    text = spoken(access.section, access.key, access.direction, policy.windows)
    return f"{text}: {difference.why} ({difference.expected.entry.place} says {difference.expected.do})"
