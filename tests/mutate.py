# SPDX-License-Identifier: Apache-2.0
"""Mutation test of the trap path: flips comparisons, masks, offsets, PC steps and verdicts in hv/, one at a time, and
asks whether the host suite (tests/host/test_trap.py) notices. `make mutate [MUTANTS=n]`: n of them, or all.

A mutant is killed when it does not compile (a _Static_assert), runs away, dies, or answers the suite's own questions
otherwise than trap_model.py. What survives is listed, and must stand in SURVIVORS with the reason.
"""
from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "host")]

import test_trap  # noqa: E402
from policygen import render, verify  # noqa: E402
from trap_host import TRAP  # noqa: E402
from trap_model import ANSWER, Model, Trap, answered, differences  # noqa: E402

CORE = ["trap.c", "trap_sysreg.c", "trap_mem.c", "trap_call.c", "trap_wait.c", "hvcall.c", "psci.c", "decide.c",
        "policy.c", "inject.c", "cache.c", "guestmem.c", "esr.h", "cpu.h", "policy.h"]
# Not on the way of a trap: the monitor's and the log's look at things, which have tests of their own; boot.
FOR_PEOPLE = ("guest_read_va", "policy_sysreg_name", "policy_window", "sysreg_key", "may_write", "dump_log")
SURVIVORS = ROOT / "tests" / "mutate-survivors.json"
CC = ["gcc", "-std=gnu11", "-O1", "-fno-builtin", "-w", "-iquote"]
FAKE = ["-iquote", "tests/host/fake", "-include", "tests/host/fake/arch/arch.h"]
SECONDS = 20
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
    text: str               # the line, as it was

    def name(self) -> str:
        return f"hv/{self.file}: `{self.text.strip()}`: {self.old!r} -> {self.new!r} at {self.column}"


def code_of(text: str) -> str:
    """Comments, strings and assertions blanked out, places kept."""
    blank = re.compile(r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|_Static_assert\(.*?\);|^#(?!define).*?$",
                       re.S | re.M)
    return blank.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def mutants(file: str) -> Iterator[Mutant]:
    text, people = (ROOT / "hv" / file).read_text(encoding="utf-8"), False
    for number, (line, code) in enumerate(zip(text.splitlines(), code_of(text).splitlines())):
        if re.match(r"#define (HV_|SEEN|MEMOS|ROW_|WORK_)|\s*extern|typedef|.*\bcase .*\.\.\.", code):
            continue                                # names of things, of which any would do
        if re.match(r"\w.*\b(\w+)\(", code) and not code.rstrip().endswith(";"):
            people = any(name in code for name in FOR_PEOPLE)
        if people or (file == "policy.h" and "return" not in code and "FIELD" not in code):
            continue                                # declarations: the tables' own test damages what they describe
        for pattern, new in SWAPS:
            for m in re.finditer(pattern, code):
                yield Mutant(file, number, m.start(), m.group(), new, line)
        for m in NUMBER.finditer(code):
            value = int(m.group(), 0)
            yield Mutant(file, number, m.start(), m.group(), hex(value ^ 1 if value > 9 else value + 1), line)
        if STATEMENT.match(code.rstrip()) and code.strip() in line:
            yield Mutant(file, number, 0, code.strip(), ";", line)


def everything() -> List[Mutant]:
    return [mutant for file in CORE for mutant in mutants(file)]


@dataclass
class Suite:
    """The questions of a profile, and what the suite accepts as answers."""
    tables: Path
    wire: bytes
    traps: List[Trap]
    model: Model
    rows: List[Tuple[int, ...]]
    good: bytes

    def accepts(self, answers: bytes) -> bool:
        if len(answers) != len(self.good):
            return False
        at = len(self.rows) * verify.ROW.size
        if answers[:at] != self.good[:at]:
            return False
        size = ANSWER.size
        for n, t in enumerate(self.traps):
            raw = answers[at + n * size:at + (n + 1) * size]
            if raw == self.good[at + n * size:at + (n + 1) * size]:
                continue
            try:
                if differences(t, self.model.expect(t), answered(ANSWER.unpack(raw), self.rows, verify.VERDICTS)):
                    return False
            except (AssertionError, IndexError):
                return False
        return True


class Bench:
    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        sources = ["tests/host/trap_host.c", *(f"hv/{part}.c" for part in TRAP)]
        self.objects: Dict[str, Path] = {}
        for source in sources:
            self.objects[source] = scratch / (Path(source).stem + ".o")
            compile_one(source, "hv", self.objects[source])
        self.suites: List[Suite] = []
        (scratch / "crowded.yaml").write_text(test_trap.CROWDED)
        for name in (str(scratch / "crowded.yaml"), "default"):
            self.suites.append(self.suite(name, scratch / Path(name).stem))

    def suite(self, name: str, out: Path) -> Suite:
        policy = test_trap.load(name, "enforce")
        render.render(policy, out / "gen")
        tables = out / "tables.o"
        compile_one(str(out / "gen" / "policy_tables.c"), "hv", tables)
        stubs = verify.stubs_of((out / "gen" / "replay.S").read_text())
        numbers = verify.enumerators((ROOT / "hv" / "policy.h").read_text())
        model = Model(policy, stubs, {k.removeprefix("MODEL_"): v for k, v in numbers.items()})
        traps = [t for kind in (test_trap.sysregs, test_trap.accesses, test_trap.calls, test_trap.exceptions)
                 for t in kind(random.Random(6), policy)]
        suite = Suite(tables, b"".join(t.pack() for t in traps), traps, model, [], b"")
        suite.good = ask(self.link(self.objects, tables, out / "program"), suite.wire) or b""
        assert self.suites or checks_hold(out / "program"), "the suite fails without a mutant"
        suite.rows = list(verify.ROW.iter_unpack(suite.good[:len(suite.good) - len(traps) * ANSWER.size]))
        return suite

    @staticmethod
    def link(objects: Dict[str, Path], tables: Path, program: Path) -> Path:
        subprocess.run(["gcc", *map(str, objects.values()), str(tables), "-o", str(program)], check=True)
        return program

    def killed(self, mutant: Mutant) -> bool:
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            here = Path(folder)
            text = (ROOT / "hv" / mutant.file).read_text(encoding="utf-8").splitlines()
            line = text[mutant.line]
            column = line.index(mutant.old, mutant.column)
            text[mutant.line] = line[:column] + mutant.new + line[column + len(mutant.old):]
            objects = dict(self.objects)
            if mutant.file.endswith(".c"):
                source = f"hv/{mutant.file}"
                (here / mutant.file).write_text("\n".join(text) + "\n", encoding="utf-8")
                changed = [(source, str(here / mutant.file), "hv")]
            else:
                shutil.copytree(ROOT / "hv", here / "hv", ignore=shutil.ignore_patterns("*.c", "*.S"))
                (here / "hv" / mutant.file).write_text("\n".join(text) + "\n", encoding="utf-8")
                for name in self.objects:               # a file finds its own folder's headers first
                    if name.startswith("hv/"):
                        shutil.copy(ROOT / name, here / name)
                changed = [(name, str(here / name) if name.startswith("hv/") else name, str(here / "hv"))
                           for name in self.objects if not re.search(r"log_|crc32|print", name)]
            try:
                for n, (name, path, headers) in enumerate(changed):
                    objects[name] = here / f"{n}.o"
                    compile_one(path, headers, objects[name])
                for n, suite in enumerate(self.suites):
                    program = self.link(objects, suite.tables, here / f"program{n}")
                    answers = ask(program, suite.wire)
                    if answers is None or not suite.accepts(answers):
                        return True
                    if n == 0 and not checks_hold(program):
                        return True
            except subprocess.CalledProcessError:
                return True
        return False


def compile_one(source: str, headers: str, out: Path) -> None:
    subprocess.run([*CC, headers, *FAKE, "-iquote", "hv", "-c", source, "-o", str(out)], cwd=ROOT, check=True,
                   stderr=subprocess.DEVNULL)


def ask(program: Path, wire: bytes) -> Optional[bytes]:
    """None: it died or ran away."""
    try:
        done = subprocess.run([str(program)], input=wire, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def checks_hold(program: Path) -> bool:
    """What goes on from trap to trap."""
    def answer(traps: List[Trap]) -> bytes:
        return ask(program, b"".join(t.pack() for t in traps)) or b""
    try:
        for check in test_trap.CHECKS:
            check(answer)
    except (AssertionError, IndexError, struct.error):
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=0, help="how many, chosen by --seed; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--least", type=float, default=95.0, help="percent that must be killed")
    parser.add_argument("--json", type=Path, help="write the survivors there")
    args = parser.parse_args()
    found = everything()
    total = len(found)
    if args.mutants:
        found = random.Random(args.seed).sample(found, min(args.mutants, total))
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch))
        with ThreadPoolExecutor(args.jobs) as pool:
            verdicts = list(pool.map(bench.killed, found))
    alive = [mutant for mutant, killed in zip(found, verdicts) if not killed]
    explained: Dict[str, str] = json.loads(SURVIVORS.read_text()) if SURVIVORS.exists() else {}
    for mutant in alive:
        print(f"survives: {mutant.name()}\n          {explained.get(mutant.name(), 'NOT EXPLAINED')}")
    if args.json:
        args.json.write_text(json.dumps({m.name(): explained.get(m.name(), "") for m in alive}, indent=1))
    share = 100 * (1 - len(alive) / len(found))
    untold = [mutant for mutant in alive if mutant.name() not in explained]
    print(f"{len(found)} of {total} mutants: {share:.1f} % killed, {len(alive)} survive, {len(untold)} unexplained")
    return 1 if share < args.least else 0


if __name__ == "__main__":
    sys.exit(main())
