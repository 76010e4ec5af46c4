# SPDX-License-Identifier: Apache-2.0
"""Mutation test of EL2's core: flips comparisons, masks, offsets, PC steps and verdicts in hv/, and words of the
generated tables, one at a time, and asks whether the tests notice. `make mutate [MUTANTS=n]`: n of them, or all.

A mutation that leaves the target's machine code unchanged is no mutant. Each mutant is given to the host suites first
(tests/host: the trap path against trap_model.py, the lookup of tables, bounds of console and loader, the syndrome, the
virtual GIC, the shadow queues); if it survives, the bench guest, the diagnostic guest and the sweep are booted with it.
It is killed if it does not compile (a _Static_assert), runs away, dies, answers otherwise or takes an instruction more.
Survivors must stand in tests/mutants.txt under their reason, and no other mutants may. tests/host/test_mutate.py asks
for a few of them, without a machine.
"""
from __future__ import annotations

import argparse
import random
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Callable, Dict, FrozenSet, Iterator, List, Optional, Sequence, Set, Tuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / folder) for folder in ("host", "qemu", "bench"))]

import bench as cost  # noqa: E402
import test_bounds  # noqa: E402
import test_insn  # noqa: E402
import test_log  # noqa: E402
import test_trap  # noqa: E402
import test_virtio  # noqa: E402
import vm  # noqa: E402
from hvl_host import LOG, class_names, rendered, src  # noqa: E402
from policygen.facts.contract import load_contract  # noqa: E402
from policygen.language.model import Policy  # noqa: E402
from policygen.target import render, verify  # noqa: E402
from trap_host import TRAP  # noqa: E402
from trap_model import ANSWER, Model, Trap, answered, differences  # noqa: E402

CORE = ["trap/trap.c", "trap/trap_sysreg.c", "trap/trap_mem.c", "trap/trap_insn.c", "trap/insn_access.c",
        "trap/trap_call.c", "trap/trap_wait.c", "trap/hvcall.c", "trap/psci.c", "trap/decide.c", "trap/decide.h",
        "trap/replay.c", "policy/policy.c", "vm/inject.c", "vm/cache.c", "vm/guestmem.c", "cpu/esr.h", "cpu/cpu.h",
        "policy/policy.h", "trap/fast_path.h", "vm/el1_exception.h", "log/record.h"]
VGIC, VIRTIO = ([f"dev/{p.name}" for p in sorted((ROOT / "hv/dev").glob(form))] for form in ("vgic*.c", "virtio*.c"))
OTHERS = [*VGIC, "dev/vgic.h", *VIRTIO, "boot/guestload.c", "cpu/bootargs.c", "log/console.c", "dev/vuart.c"]
# Outside the way of a trap: functions by which the monitor and the log describe things, with tests of their own.
FOR_PEOPLE = ("guest_read_va", "policy_sysreg_name", "policy_window", "sysreg_key", "hvcall_dump_log", "virtio_describe")
TABLES = "policy_tables.c"
LIST = ROOT / "tests" / "mutants.txt"
MACHINE = "On the machine only"                     # first words of a reason where no host suite needs to notice
HOST = ["gcc", "-std=gnu11", "-fno-builtin", "-w", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error",
        "-iquote"]
FAKE = ["-iquote", "tests/host/fake", "-iquote", rendered(), "-include", "tests/host/fake/arch/arch.h"]
SEEDS = range(4)                                    # seeds of the log's histories
LIMITS = ["prlimit", "--cpu=6", "--as=8000000000", "--core=0"]  # seconds of CPU: stops a mutant that runs away
SWAPS = [(r"==", "!="), (r"!=", "=="), (r"<=", "<"), (r">=", ">"), (r"(?<![<>\-=])<(?![<=])", "<="),
         (r"(?<![<>\-=])>(?![>=])", ">="), (r"&&", "||"), (r"\|\|", "&&"), (r"<<(?!=)", ">>"), (r">>(?!=)", "<<"),
         (r"& ~", "& "), (r"(?<=\w )\+(?= \w)", "-"), (r"(?<=\w )-(?= \w)", "+"), (r"(?<=\w )\|(?= [\w(])", "&"),
         (r"\|=", "&="), (r"(?<=[\w)] )&(?= [\w(])", "|"), (r"\+=", "-="), (r"-=", "+="), (r"\+\+", "--"),
         (r"!(?=\w)", ""),
         (r"\bNEXT\b", "AGAIN"), (r"\bAGAIN\b", "NEXT"), (r"\bUNDEF\b", "NEXT"), (r"\bABORT\b", "NEXT"),
         (r"\bFORWARD\b", "NEXT"), (r"\bSTOP\b", "NEXT"), (r"\btrue\b", "false"), (r"\bfalse\b", "true")]
NUMBER = re.compile(r"(?<![\w.])(0x[0-9a-fA-F]+|\d+)(?=[uUlL]*\b)")
STATEMENT = re.compile(r"^\t+[\w>.\[\]\-*]+(?: [|&+\-]?= [^;{]+|\+\+|--)?;$|^\t+\w+\([^;]*\);$")


@dataclass(frozen=True)
class Mutant:
    file: str
    line: int
    column: int
    old: str
    new: str
    where: str              # the function, and the line as it was

    def name(self) -> str:
        return f"{self.file} {self.where}  [{self.old} -> {self.new} @{self.column}]"


def code_of(text: str) -> str:
    """The text with comments, strings and assertions blanked out at their places."""
    blank = re.compile(r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|_Static_assert\(.*?\);|^#(?!define).*?$",
                       re.S | re.M)
    return blank.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def mutants(file: str) -> Iterator[Mutant]:
    """With unique names: mutations that a function has twice are numbered."""
    seen: Counter[str] = Counter()
    for m in changes(file):
        seen[m.name()] += 1
        yield m if seen[m.name()] == 1 else replace(m, where=f"{m.where} #{seen[m.name()]}")


def changes(file: str) -> Iterator[Mutant]:
    text, function = (ROOT / "hv" / file).read_text(encoding="utf-8"), ""
    for number, (line, code) in enumerate(zip(text.splitlines(), code_of(text).splitlines())):
        if re.match(r"#define (HV_|SEEN|LOOKUPS|ROW_|WORK_)|\s*extern|typedef|.*\bcase .*\.\.\.|\t\w+, *$", code):
            continue                                # values that name things, where any would do
        begins = re.match(r"\w.*\b(\w+)\(", code)
        if begins and not code.rstrip().endswith(";"):
            function = begins.group(1)
        elif re.match(r"[#}]|\w.*[;{]$", code):
            function = function if code.startswith("}") else ""
        declares = file in ("policy/policy.h", "dev/vgic.h") and "return" not in code and "FIELD" not in code
        if function in FOR_PEOPLE or declares:
            continue                                # declarations: the tables' own test damages their contents
        where = f"{function}: {line.strip()}"
        for pattern, new in SWAPS:
            for m in re.finditer(pattern, code):
                yield Mutant(file, number, m.start(), m.group(), new, where)
        for m in NUMBER.finditer(code):
            value = int(m.group(), 0)
            yield Mutant(file, number, m.start(), m.group(), hex(value ^ 1 if value > 9 else value + 1), where)
        if STATEMENT.match(code.rstrip()) and code.strip() in line:
            yield Mutant(file, number, 0, code.strip(), ";", where)
        if code.startswith("}"):
            function = ""


def table_mutants(tables: Path, dice: random.Random, count: int) -> List[Mutant]:
    """Mutants of the rendered tables: rows, ranges, calls, exceptions, leaves."""
    found, table = [], ""
    for number, line in enumerate(code_of(tables.read_text(encoding="utf-8")).splitlines()):
        named = re.match(r"(?:static )?const .*?\b(policy_\w+|\w+_ranges|\w+_slots|\w+_disp)\b.*=", line)
        table = named.group(1) if named else table
        if re.search(r"rule_info|names?\b|text|places|windows|passthrough|policy_rules|policy_traps|hash|wording", table):
            continue                                # for people; the target's controls are the sweep's question
        if re.search(r"\.widths = \{ 15, 15 \}|\.base = (\w+), \.last = \1,", line):   # no width inside it is refused
            line = re.sub(r"\.refuse = \{[^}]*\}", lambda m: " " * len(m.group()), line)
        if table == "policy_mmio_ranges":           # found by `last`; `base` is for people
            line = re.sub(r"\.base = \w+", lambda m: " " * len(m.group()), line)
        for m in NUMBER.finditer(line):
            value = int(m.group(), 0)
            found.append(Mutant(TABLES, number, m.start(), m.group(), hex(value ^ 1), f"{table}: line {number}"))
    return dice.sample(found, min(count, len(found)))


def execute(command: Sequence[str], **kw: object) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                          **kw)  # type: ignore[call-overload, no-any-return]


def answer(program: Path, wire: bytes = b"", args: Sequence[str] = ()) -> Optional[bytes]:
    """None: it died or ran away."""
    done = execute([*LIMITS, str(program), *args], input=wire)
    return done.stdout if done.returncode == 0 else None


def compile_one(command: Sequence[str]) -> None:
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)


# --- the suites ------------------------------------------------------------------------------------------------

class Questions:
    """The traps of a profile, and the answers that the suite accepts."""

    def __init__(self, traps: List[Trap], model: Model) -> None:
        self.traps, self.model = traps, model
        self.wire = {every: b"".join(t.pack() for t in traps[::every]) for every in (1, 8)}
        self.good: Dict[int, bytes] = {}

    def holds(self, program: Path, every: int = 1) -> bool:
        answers = answer(program, self.wire[every])
        if answers is None:
            return False
        good = self.good.setdefault(every, answers)
        if answers == good:
            return True
        traps, size = self.traps[::every], ANSWER.size
        at = len(good) - len(traps) * size
        if len(answers) != len(good) or answers[:at] != good[:at]:
            return False
        rows = list(verify.ROW.iter_unpack(good[:at]))
        for n, t in enumerate(traps):
            here = slice(at + n * size, at + (n + 1) * size)
            if answers[here] == good[here]:
                continue
            try:
                seen = answered(ANSWER.unpack(answers[here]), rows, load_contract().verdicts)
                if differences(t, self.model.expect(t), seen):
                    return False
            except (AssertionError, IndexError):
                return False
        return True


def checks_hold(checks: Sequence[Callable[[test_trap.Ask], None]], program: Path) -> bool:
    """State that goes on from trap to trap."""
    try:
        for check in checks:
            check(lambda traps: answer(program, b"".join(t.pack() for t in traps)) or b"")
    except Exception:                               # noqa: BLE001 answers that cannot be read are wrong ones
        return False
    return True


def packed(cases: List[Tuple[int, ...]]) -> bytes:
    return b"".join(test_bounds.QUESTION.pack(*case, *[0] * (11 - len(case))) for case in cases)


def golden(wire: bytes) -> Callable[[Path], bool]:
    good = [b""]

    def holds(program: Path) -> bool:
        said = answer(program, wire) or b"-"
        good[0] = good[0] or said
        return said == good[0]
    return holds


class Lookups:
    """Every access of a policy, looked up in its tables; another row of the same meaning may answer."""

    def __init__(self, policy: Policy, replay: str) -> None:
        self.verifier, self.replay, self.good = verify.Verifier(policy), replay, b""

    def holds(self, program: Path) -> bool:
        try:
            said = self.verifier.ask(program)
            self.good = self.good or said
            return said == self.good or not self.verifier.examine(said, self.replay)
        except (subprocess.SubprocessError, ValueError, struct.error):
            return False


def syndrome_holds(program: Path) -> bool:
    return (answer(program) or b"").strip().isdigit()


def writes_hold(program: Path) -> bool:
    cases = test_bounds.write_cases()
    wire = b"".join(struct.pack("<3Q", *case) for case in cases)
    said = answer(program, wire) or b""
    return [*struct.iter_unpack("<2Q", said)] == [test_bounds.write_answer(case) for case in cases] \
        if len(said) == 16 * len(cases) else False


def queues_hold(program: Path) -> bool:
    masks = {"withheld": [1 << 9 | 1 << 13], "rated": [10 << 32], "honest": [0, 500 << 32], "hostile": [0, 500 << 32]}
    return all(answer(program, b"", [scenario, version, only, "1", str(min(seeds, 100)), str(mask)]) is not None
               for scenario, seeds in test_virtio.SEEDS.items() for version in "12"
               for only in ("01" if scenario in ("honest", "hostile") else "0") for mask in masks.get(scenario, [0]))


Hold = Callable[[Path], bool]


@dataclass
class Suite:
    """A program of tests/host with its files of hv/; `make` has the runs, in order."""
    sources: List[str]
    make: Callable[[], List[Hold]]
    folder: Path
    tables: Optional[Path] = None
    like: Optional["Suite"] = None                  # its objects are the same, but for the tables
    level: str = "-O0"                              # options of the compiler; -O1 for long runs
    holds: List[Hold] = field(default_factory=list)
    objects: Dict[str, Path] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def ready(self) -> None:
        """Builds it at the first use."""
        with self.lock:
            if self.holds:
                return
            self.folder.mkdir(exist_ok=True)
            holds = self.make()
            if self.like:
                self.like.ready()
                self.objects = dict(self.like.objects)
            else:
                for source in self.sources:
                    self.objects[source] = self.folder / (Path(source).stem + ".o")
                    self.compile(source, ROOT / "hv", Path(source), self.objects[source])
            if self.tables:
                self.objects[TABLES] = self.tables
            self.link({}, self.folder / "program")
            assert all(hold(self.folder / "program") for hold in holds), "the suite fails without a mutant"
            self.holds = holds

    def compile(self, source: str, headers: Path, path: Path, out: Path) -> None:
        compile_one([*HOST, str(headers), self.level, *FAKE, "-iquote", "hv", "-c", str(path), "-o", str(out)])

    def link(self, changed: Dict[str, Path], program: Path) -> None:
        kept = [str(path) for source, path in self.objects.items() if source not in changed]
        compile_one(["gcc", "-pthread", *kept, *map(str, changed.values()), "-o", str(program)])


class Bench:
    def __init__(self, scratch: Path, tables: int, machine: bool) -> None:
        self.scratch, self.machine = scratch, machine
        for name, text in test_trap.OWN.items():
            (scratch / f"{name}.yaml").write_text(text)
        self.policies = {Path(name).stem: test_trap.load(name, "enforce") for name in (
            str(scratch / "crowded.yaml"), str(scratch / "traced.yaml"), str(scratch / "few.yaml"), "default")}
        self.policies["audit"] = test_trap.load(str(scratch / "few.yaml"), "audit")
        for name, policy in self.policies.items():
            render.render(policy, scratch / name / "gen")
            compile_one([*HOST, "hv", *FAKE, "-c", str(self.gen(name) / TABLES), "-o",
                         str(scratch / name / "tables.o")])
        FAKE.extend(class_names(scratch))
        self.suites = self.all_suites()
        self.tables = table_mutants(self.gen("crowded") / TABLES, random.Random(1), tables)
        self.target = Target(scratch / "target", machine)

    def gen(self, name: str) -> Path:
        return self.scratch / name / "gen"

    def all_suites(self) -> List[Suite]:
        """Quick suites that kill most come first."""
        trap, verifier = ["tests/host/trap_host.c", *map(src, TRAP)], "policygen/target/templates/verify.c"
        crowded = self.trap_suite("crowded", trap, None)
        named: Dict[str, Tuple[List[str], Callable[[], List[Hold]]]] = {
            "bounds": (["tests/host/bounds_host.c", *map(src, ("guestload", "guestmem", "crc32", "bootargs"))],
                       lambda: [golden(packed(cases)) for cases in (
                           test_bounds.ram_cases(), list(test_bounds.loads()), test_bounds.parse_cases())]),
            "insn": (["tests/host/insn_host.c", "hv/trap/insn_access.c"],
                     lambda: [golden(test_insn.wire(list(test_insn.encodings())))]),
            "write": (["tests/host/write_host.c", *map(src, ("hvcall", "guestmem", "locks"))], lambda: [writes_hold]),
            "log": (["tests/host/log_host.c", "tests/host/fake/fake.c", "tests/host/fake/tables.c",
                     *map(src, LOG)],
                    lambda: [golden("\n".join([*test_log.history(seed), "w 0 0", "z\n"]).encode()) for seed in SEEDS]),
            "vgic": (["tests/host/vgic_host.c", *(f"hv/{name}" for name in VGIC), "hv/cpu/locks.c"],
                     lambda: [lambda p: answer(p, b"", ["1", "120"]) is not None]),
            "uart": (["tests/host/uart_host.c", "hv/dev/vuart.c", "hv/log/console.c", "hv/log/output.c", "hv/cpu/locks.c"],
                     lambda: [lambda p: answer(p, b"", ["1", "60"]) is not None]),
            "virtio": (["tests/host/virtio_host.c", *(f"hv/{name}" for name in VIRTIO), "hv/vm/guestmem.c", "hv/cpu/locks.c"],
                       lambda: [queues_hold]),
        }
        return [Suite(["tests/host/esr_host.c"], lambda: [syndrome_holds], self.scratch / "esr", level="-O1"), crowded,
                Suite([verifier, "hv/policy/policy.c"], lambda: [self.lookups("crowded")], self.scratch / "lookups",
                      self.scratch / "crowded" / "tables.o"),
                *(Suite(sources, make, self.scratch / name) for name, (sources, make) in named.items()),
                *(self.trap_suite(name, trap, crowded) for name in ("traced", "default")),
                *(Suite(trap, lambda checks=checks: [partial(checks_hold, checks)],
                        self.scratch / f"checks-{name}-{len(checks)}", self.scratch / name / "tables.o", crowded)
                  for name, checks in (("crowded", test_trap.CHECKS), ("traced", test_trap.CHECKS_TRACED),
                                       ("few", test_trap.CHECKS_FEW), ("audit", test_trap.CHECKS_AUDIT),
                                       ("crowded", [test_trap.check_flood])))]

    def trap_suite(self, name: str, sources: List[str], like: Optional[Suite]) -> Suite:
        def make() -> List[Hold]:
            policy = self.policies[name]
            stubs = verify.stubs_of((self.gen(name) / "replay.S").read_text())
            model = Model(policy, stubs)
            questions = Questions([t for kind in test_trap.KINDS for t in kind(random.Random(6), policy)], model)
            model.learn(questions.traps)
            return [partial(questions.holds, every=8), questions.holds]
        return Suite(sources, make, self.scratch / name, self.scratch / name / "tables.o", like)

    def lookups(self, name: str) -> Hold:
        return Lookups(self.policies[name], (self.gen(name) / "replay.S").read_text()).holds

    def verdict(self, mutant: Mutant) -> str:
        """`same` code, killed by `host` or `target`, or `alive`."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            here = Path(folder)
            headers = here / "hv"                   # the mutated file, and for a header all files that may include it
            if mutant.file.endswith(".h"):
                shutil.copytree(ROOT / "hv", headers)
            else:
                (headers / mutant.file).parent.mkdir(parents=True)
                shutil.copy((self.gen("crowded") if mutant.file == TABLES else ROOT / "hv") / mutant.file,
                            headers / mutant.file)
            damage(headers / mutant.file, mutant)
            code: Optional[Dict[str, Path]] = {}
            compiled = mutant.file == TABLES
            early = mutant.file.endswith(".c")      # compiling one file takes less time than running all suites
            try:
                for holds in self.host_answers(headers, mutant, here):
                    if not holds:
                        return "host"
                    if early and not compiled:
                        code, compiled = self.target.code(headers, mutant, here), True
                        if not code:
                            break
            except subprocess.CalledProcessError:   # the compiler, or the linker
                return "host"
            if not compiled:
                code = self.target.code(headers, mutant, here)
            if not code and mutant.file != TABLES:
                return "same" if code is not None else "target"
            return "alive" if not code or not self.machine or self.target.holds(code, here) else "target"

    def host_answers(self, headers: Path, mutant: Mutant, here: Path) -> Iterator[bool]:
        compiled: Dict[Tuple[str, str], Path] = {}
        if mutant.file == TABLES:
            compiled[TABLES, "-O0"] = here / "tables.o"
            compile_one([*HOST, "hv", *FAKE, "-c", str(headers / TABLES), "-o", str(here / "tables.o")])
        for n, suite in enumerate(self.suites):
            users = [s for s in suite.sources if uses(s, mutant)]
            if mutant.file == TABLES and suite.tables == self.scratch / "crowded" / "tables.o":
                users = [TABLES]
            if not users:
                continue
            suite.ready()
            for source in users:
                if (source, suite.level) not in compiled:
                    path = here / source if source.startswith("hv/") else Path(source)
                    compiled[source, suite.level] = here / f"{Path(source).stem}{suite.level}.o"
                    suite.compile(source, headers, path, compiled[source, suite.level])
            program = here / f"program{n}"
            suite.link({source: compiled[source, suite.level] for source in users}, program)
            for hold in suite.holds:
                yield hold(program)


def damage(path: Path, mutant: Mutant) -> None:
    text = path.read_text(encoding="utf-8").splitlines()
    line = text[mutant.line]
    column = line.index(mutant.old, mutant.column)
    text[mutant.line] = line[:column] + mutant.new + line[column + len(mutant.old):]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


def uses(source: str, mutant: Mutant) -> bool:
    """Whether `source` depends on the mutation: in the file itself, or through a name of the header that it uses."""
    if mutant.file.endswith(".c"):
        return source == f"hv/{mutant.file}"
    name = re.match(r"(?:: #define )?(\w+)", mutant.where)
    return mutant.file in included(source) and (not name or bool(words(source) & callers(name.group(1))))


@lru_cache(None)
def words(source: str) -> FrozenSet[str]:
    return frozenset(re.findall(r"\w+", (ROOT / source).read_text(encoding="utf-8")))


@lru_cache(None)
def callers(name: str) -> FrozenSet[str]:
    """The mutated name, and the functions and macros of headers that use it."""
    parts = [part for header in (ROOT / "hv").rglob("*.h")
             for part in re.split(r"\n(?=#define|\w[^;{}#]*\)\n\{)", code_of(header.read_text(encoding="utf-8")))]
    found = {name}
    while True:
        more = {m.group(1) for part in parts for m in [re.match(r"(?:#define +|[^(]*\b(?=\w+\())(\w+)", part)]
                if m and found & set(re.findall(r"\w+", part))}
        if more <= found:
            return frozenset(found)
        found |= more


INCLUDED: Dict[str, Set[str]] = {}


def included(source: str) -> Set[str]:
    if source not in INCLUDED:
        found = set()
        for name in re.findall(r'#include "([\w/]+\.h)"', (ROOT / source).read_text(encoding="utf-8")):
            if (ROOT / "hv" / name).exists():       # the fakes' and the generated ones are not mutated
                found |= {name} | included(f"hv/{name}")
        INCLUDED[source] = found
    return INCLUDED[source]


class Target:
    """The image: code that differs in a mutant, and whether the machine notices."""
    GUESTS = [("default", "diag"), ("strict", "diag"), ("default", "sweep")]

    def __init__(self, out: Path, machine: bool) -> None:
        self.out = out
        self.elf: Dict[Tuple[str, str], Path] = {}
        for policy, guest in self.GUESTS if machine else self.GUESTS[:1]:
            words = (f"GUEST={guest}", "BRIEF=1") if guest == "sweep" else ()
            self.elf[policy, guest] = vm.build(policy, *words, tag=f"-mutate-{guest}")
        first = self.elf["default", "diag"].parent
        said = vm.make("-n", "-B", "V=1", "all", "POLICY=default", f"B={first.relative_to(ROOT)}").stdout
        compiled = re.finditer(r"^.*-c (hv/[\w/]+\.c) .*$", said, re.M)
        self.commands = {m.group(1): shlex.split(m.group(0)) for m in compiled}
        link = re.search(r"^.*-T \S*hv\.ld .*$", said, re.M)
        assert link and "hv/trap/trap.c" in self.commands
        self.link = shlex.split(link.group(0))
        self.first = str(first.relative_to(ROOT))
        self.code_was: Dict[str, bytes] = {}
        if machine:
            self.measured = cost.build("tests/bench/bench.yaml", "build/test/mutate-bench")
            self.costs = cost.costs(cost.measure(self.measured))

    def compiled(self, source: str, headers: Path, out: Path) -> bytes:
        command = [w for w in self.commands[source] if w[:2] not in ("-M", "-W") and w != "-g"]
        command.insert(command.index("-Ihv"), f"-I{headers}")
        command[command.index("-c") + 1] = str(headers / Path(source).relative_to("hv"))
        command[command.index("-o") + 1] = str(out)
        compile_one([*command, "-w", f"-ffile-prefix-map={headers}=hv"])
        return out.read_bytes()

    def code(self, headers: Path, mutant: Mutant, here: Path) -> Optional[Dict[str, Path]]:
        """The objects that differ; None: one does not compile."""
        changed = {}
        for source in self.commands:
            if not uses(source, mutant):
                continue
            out = here / f"{Path(source).stem}.target.o"
            try:
                if source not in self.code_was:
                    self.code_was[source] = self.compiled(source, ROOT / "hv", out)
                if self.compiled(source, headers, out) != self.code_was[source]:
                    changed[source] = out
            except subprocess.CalledProcessError:
                return None
        return changed

    def image(self, elf: Path, changed: Dict[str, Path], here: Path) -> Path:
        """The one of `elf` with these objects."""
        folder, out = str(elf.parent.relative_to(ROOT)), here / "mutant.elf"
        objects = {f"{folder}/{source[:-2]}.o": str(path) for source, path in changed.items()}
        command = [w.replace(self.first, folder) for w in self.link if not w.startswith("-Wl,-Map")]
        command = [objects.get(w, w) for w in command]
        command[command.index("-o") + 1] = str(out)
        compile_one(command)
        compile_one([sys.executable, "tools/seal.py", str(out)])
        return out

    def slower(self, changed: Dict[str, Path], here: Path) -> bool:
        try:
            now = cost.costs(cost.measure(self.image(self.measured, changed, here)))
        except (cost.Failed, KeyError, subprocess.SubprocessError):
            return True
        return any(now[row] - was >= 0.5 for row, was in self.costs.items())

    def holds(self, changed: Dict[str, Path], here: Path) -> bool:
        if self.slower(changed, here):
            return False
        for (policy, guest), elf in self.elf.items():
            image = self.image(elf, changed, here)
            log = here / "log"
            arguments = vm.bootargs(here, "unattended=1" + (" log=quiet" if guest == "sweep" else ""))
            done = execute(["timeout", "60", *vm.machine(image, "-no-reboot", *arguments)], stdin=subprocess.DEVNULL)
            log.write_bytes(done.stdout)
            if done.returncode or b"panic" in done.stdout:
                return False
            if guest == "diag":
                if b" passed, 0 failed" not in done.stdout or execute([*vm.DECODER, "check", str(log)]).returncode:
                    return False
            elif execute([sys.executable, "-m", "policygen", "verify", policy, "--run", str(log)], cwd=ROOT).returncode:
                return False
        return True


# --- the list ---------------------------------------------------------------------------------------------------

def explained() -> Dict[str, str]:
    """Reads tests/mutants.txt: a reason, then the mutants, each on an indented line."""
    found, reason = {}, ""
    for line in LIST.read_text(encoding="utf-8").splitlines() if LIST.exists() else []:
        if line.startswith("  "):
            found[line.strip()] = reason
        elif line and not line.startswith("#"):
            reason = line
    return found


def kept(path: Optional[Path]) -> Dict[str, str]:
    """Reads an earlier run's results: a verdict and a mutant a line; the last one of a mutant counts."""
    lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
    return {name: verdict for verdict, _, name in (line.partition(" ") for line in lines)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=0, help="how many, chosen by --seed; 0: all")
    parser.add_argument("--tables", type=int, default=100, help="how many words of the tables, where all are asked for")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--least", type=float, default=95.0, help="percent that must be killed")
    parser.add_argument("--files", nargs="*", default=[*CORE, *OTHERS, TABLES])
    parser.add_argument("--host-only", action="store_true", help="no machine boots")
    parser.add_argument("--results", type=Path, help="append each verdict there, and ask for none that it has")
    parser.add_argument("--again", action="store_true", help="... but for what survived")
    args = parser.parse_args()
    reasons, results = explained(), kept(args.results)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(args.jobs) as pool:
        bench = Bench(Path(scratch), args.tables if TABLES in args.files else 0, not args.host_only)
        found = [m for file in args.files if file != TABLES for m in mutants(file)] + bench.tables
        total = len(found)
        if args.mutants:
            found = sample(found, args.mutants, args.seed)
        known = {name: verdict for name, verdict in results.items() if verdict != "alive" or not args.again}
        verdicts = ask(bench, [m for m in found if m.name() not in known], pool, args.results, reasons)
        verdicts.update((m.name(), known[m.name()]) for m in found if m.name() in known)
    return tell(verdicts, total, reasons, args.least, args.host_only, not args.mutants and args.files == [
        *CORE, *OTHERS, TABLES])


def sample(found: List[Mutant], count: int, seed: int) -> List[Mutant]:
    """A sample that stays the same while its lines do."""
    return sorted(found, key=lambda m: zlib.crc32(f"{seed} {m.name()}".encode()))[:count]


def ask(bench: Bench, found: List[Mutant], pool: ThreadPoolExecutor, results: Optional[Path], reasons: Dict[str, str]
        ) -> Dict[str, str]:
    verdicts: Dict[str, str] = {}
    for n, (mutant, verdict) in enumerate(zip(found, pool.map(bench.verdict, found)), 1):
        verdicts[mutant.name()] = verdict
        if results:
            with results.open("a", encoding="utf-8") as out:
                out.write(f"{verdict} {mutant.name()}\n")
        if verdict == "alive" and mutant.name() not in reasons:
            print(f"survives, NOT EXPLAINED: {mutant.name()}", flush=True)
        if n % 100 == 0:
            print(f"{n} of {len(found)}: {[*verdicts.values()].count('alive')} survive", file=sys.stderr, flush=True)
    return verdicts


def tell(verdicts: Dict[str, str], total: int, reasons: Dict[str, str], least: float, host_only: bool, everything: bool
         ) -> int:
    counted = Counter(verdicts.values())
    problems = [name for name, verdict in verdicts.items() if verdict == "alive" and name not in reasons]
    for name in sorted(set(reasons) & set(verdicts)):
        if not host_only and verdicts[name] != ("target" if reasons[name].startswith(MACHINE) else "alive"):
            print(f"explained, but {verdicts[name]}: {name}")
            problems.append(name)
    if everything:
        for name in sorted(set(reasons) - set(verdicts)):
            print(f"explained, but there is no such mutant: {name}")
            problems.append(name)
    real = len(verdicts) - counted["same"]
    share = 100 * (1 - counted["alive"] / real) if real else 100.0
    print(f"{len(verdicts)} of {total} mutants: {counted['same']} change no code; of the others {share:.1f} % killed "
          f"({counted['host']} by the host suites, {counted['target']} by the machine), {counted['alive']} survive, "
          f"{len(problems)} unexplained")
    return 1 if share < least or problems else 0


if __name__ == "__main__":
    sys.exit(main())
