# SPDX-License-Identifier: Apache-2.0
"""`make coverage`: the lines of hv/ that tests reach, and those that none does. argv: folder [tests...].

Host tests are measured by gcov: lines and branches. A line or branch counts as reached when any program reached it.
Machines are measured by QEMU's `-d in_asm`, which names each block of instructions when it is first run: a line counts
when one of its instructions ran (for a line without any: the one at its place), a branch (of the machine code) when its
target ran after it. That is exact for the fall-through, which begins a block of its own; a branch's target may have
been reached from elsewhere as well. Braces and the headings of functions are no lines.

Images in which a test has planted a fault count too, except for the files that it changed. Lines that nothing reaches
must stand in tests/unreached.txt under their reason, and no others may.

--again: adds runs of before that are in the folder, for files of hv/ that are unchanged since. Without tests, only the
report is made.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set, Tuple

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "unreached.txt"
SOMETIMES = "Now and then"                          # first words of a reason where chance decides
OBJDUMP = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-") + "objdump"
EL2 = 0x40080000, 0x400c0000                        # EL2's text, without the guests'
# Runs in QEMU's place: the same machine, with a log of the blocks that ran, the image, and the files that it was made
# from.
WRAPPER = """#!{python}
import hashlib, json, os, shutil, sys
sys.path.insert(0, {here!r})
from coverage import sources
words = sys.argv[1:]
images = [path for option, path in zip(words, words[1:]) if option == "-kernel"]
if images and os.path.exists(images[0]):
    name = hashlib.sha256(open(images[0], "rb").read()).hexdigest()[:16]
    kept = os.path.join({out!r}, name)
    mine = kept + "." + str(os.getpid())
    if not os.path.exists(kept + ".elf"):
        tree = os.path.dirname(os.path.abspath(images[0]))
        while tree != "/" and not os.path.exists(os.path.join(tree, "hv", "boot", "main.c")):
            tree = os.path.dirname(tree)
        with open(mine + ".json", "w") as made_from:
            json.dump(sources(tree), made_from)
        shutil.copy(images[0], mine)
        os.rename(mine, kept + ".elf")
    words += ["-d", "in_asm", "-dfilter", {el2!r}, "-D", mine + ".log"]
os.execv({qemu!r}, [sys.argv[0], *words])
"""


class Reached:
    """File -> line -> [times, {branch: times}]: by host tests, and by machines."""

    def __init__(self) -> None:
        self.found: Dict[str, Dict[int, List[Any]]] = {}

    def line(self, file: str, line: int) -> List[Any]:
        return self.found.setdefault(file, {}).setdefault(line, [0, {}])

    def drop(self, file: str, lines: Set[int]) -> None:
        for n in lines & set(self.found.get(file, {})):
            del self.found[file][n]

    def counts(self, file: str) -> Tuple[int, int, int, int]:
        lines = self.found.get(file, {}).values()
        branches = [times for _, here in lines for times in here.values()]
        return sum(1 for n, _ in lines if n), len(lines), sum(1 for n in branches if n), len(branches)


def sources(tree: Path) -> Dict[str, str]:
    """hv/'s files and the hash of each."""
    files = [path for form in ("*.c", "*.h") for path in Path(tree, "hv").rglob(form)]
    return {os.path.relpath(path, tree): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def unchanged(made_from: Path, now: Dict[str, str]) -> Set[str]:
    then = json.loads(made_from.read_text(encoding="utf-8"))
    return {name for name, digest in now.items() if then.get(name) == digest}


def run_tests(out: Path, tests: List[str], extra: Dict[str, str]) -> int:
    run = out / f"run{len(list(out.glob('run*.json')))}"
    Path(f"{run}.json").write_text(json.dumps(sources(ROOT)), encoding="utf-8")
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider",
                           f"--basetemp={run}", "-o", "tmp_path_retention_policy=all", *tests],
                          cwd=ROOT, env={**os.environ, **extra}, check=False).returncode


def host(out: Path, now: Dict[str, str]) -> Reached:
    reached = Reached()
    for run in sorted(out.glob("run*.json")):
        same = unchanged(run, now)
        for data in sorted(run.with_suffix("").rglob("*.gcda")):
            text = subprocess.run(["gcov", "-b", "-t", "--json-format", str(data)], cwd=ROOT, check=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            for part in text.splitlines():
                for file in json.loads(part)["files"]:
                    name = os.path.relpath(ROOT / file["file"], ROOT)
                    for line in file["lines"] if name in same else ():
                        here = reached.line(name, line["line_number"])
                        here[0] += line["count"]
                        for n, branch in enumerate(line["branches"]):
                            here[1][n] = here[1].get(n, 0) + branch["count"]
    return reached


# --- machines ---------------------------------------------------------------------------------------------------

def dump(elf: Path, *words: str) -> str:
    return subprocess.run([OBJDUMP, *words, str(elf)], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, errors="replace").stdout


def lines_of(elf: Path, same: Set[str]) -> Dict[int, List[Tuple[str, int]]]:
    """Address -> the lines of hv/ at it, ("", 0) for a line outside `same`. The last line has the instruction; the
    compiler has left none of the earlier ones, or none there."""
    where: Dict[int, List[Tuple[str, int]]] = {}
    units = {Path(name).name: name for name in same if name.endswith(".c")}
    path = ""
    for line in dump(elf, "--dwarf=decodedline").splitlines():
        if line.endswith((":", ":[++]")):
            path = line.rpartition(":")[0].removeprefix("./")
            continue
        m = re.match(r"(\S+) +(\d+) +0x([0-9a-f]+)", line)
        if m and int(m.group(3), 16) in range(*EL2):
            name = path if Path(path).name == m.group(1) else units.get(m.group(1), "")
            name = units.get(name, name)
            where.setdefault(int(m.group(3), 16), []).append((name, int(m.group(2))) if name in same else ("", 0))
    return where


def branches_of(elf: Path) -> List[Tuple[int, int]]:
    """Conditional branches: address and target."""
    form = re.compile(r"^ *([0-9a-f]+):\t[0-9a-f]+ \t(?:b\.\w+|t?cbn?z|tbn?z)\t(?:.*, )?([0-9a-f]+)\b", re.M)
    return [(int(m.group(1), 16), int(m.group(2), 16)) for m in form.finditer(dump(elf, "-d"))]


def ran_of(elf: Path) -> Tuple[Set[int], Set[int]]:
    """The addresses of instructions that ran of an image, and the starts of blocks."""
    ran: Set[int] = set()
    starts: Set[int] = set()
    for log in elf.parent.glob(f"{elf.stem}.*.log"):
        begins = False
        for text in log.read_text(errors="replace").splitlines():
            if text.startswith("0x"):
                at = int(text[2:].partition(":")[0], 16)
                ran.add(at)
                if begins:
                    starts.add(at)
                begins = False
            elif text.startswith("IN:"):
                begins = True
    return ran, starts


def machines(out: Path, now: Dict[str, str]) -> Reached:
    reached = Reached()
    function_at = re.compile(r"^([0-9a-f]+) .* F \.text\S*\t\S+ +(\S+)$", re.M)
    for elf in sorted(out.glob("*.elf")):
        same = set.intersection(*(unchanged(made_from, now) for made_from in out.glob(f"{elf.stem}.*.json")))
        where = lines_of(elf, same)
        if not where:
            continue                                # not hv/'s: a test's own image
        ran, starts = ran_of(elf)
        symbols = {int(m.group(1), 16): m.group(2) for m in function_at.finditer(dump(elf, "-t"))}
        near: Dict[int, Tuple[str, int]] = {}
        inside: Dict[int, str] = {}
        last, function = ("", 0), 0
        for at in range(min(where), max(where) + 4, 4):
            near[at] = last = where.get(at, [last])[-1]
            function = at if at in symbols else function
            inside[at] = f"{symbols.get(function, '')}+{at - function:x}"
        own = {lines[-1] for lines in where.values()}
        for at, lines in where.items():
            for line in {lines[-1], *(set(lines) - own)}:
                if line[0]:
                    reached.line(*line)[0] += at in ran
        for at, to in branches_of(elf):
            if near.get(at, ("", 0))[0]:
                here = reached.line(*near[at])[1]
                for side, seen in (("taken", to in starts), ("on", at + 4 in starts)):
                    here[inside[at], side] = here.get((inside[at], side), 0) + seen
    return reached


# --- the report -------------------------------------------------------------------------------------------------

def names(file: str) -> Dict[int, str]:
    """A name for each line that stays when lines around it move: `file function: text [#n]`."""
    found, function = {}, ""
    seen: Counter[str] = Counter()
    for number, line in enumerate((ROOT / file).read_text(encoding="utf-8").splitlines(), 1):
        begins = re.match(r"\w.*?\b(?!__attribute__)(\w+)\(", line)
        if begins and not line.rstrip().endswith(";"):
            function = begins.group(1)
        name = f"{file.removeprefix('hv/')} {function}: {line.strip()}"
        seen[name] += 1
        found[number] = name if seen[name] == 1 else f"{name} #{seen[name]}"
        if line.startswith("}"):
            function = ""
    return found


def no_lines(file: str) -> Set[int]:
    """Braces, headings of functions, and `(void)x;`."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return {n for n, line in enumerate(text.splitlines(), 1)
            if re.fullmatch(r"\s*[{}]|\w[^;={]*\).*|(\s*\(void\)\w+[,;])+", line)}


def explained() -> Dict[str, str]:
    """Reads tests/unreached.txt: a reason, then the lines, each indented."""
    found, reason = {}, ""
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            found[line.strip()] = reason
        elif line and not line.startswith("#"):
            reason = line
    return found


def spans(lines: Set[int]) -> str:
    out: List[str] = []
    for n in sorted(lines):
        if out and int(out[-1].split("-")[-1]) == n - 1:
            out[-1] = f"{out[-1].split('-')[0]}-{n}"
        else:
            out.append(str(n))
    return " ".join(out)


def one_sided(ways: Tuple[Reached, ...], name: str) -> Set[int]:
    """Lines with a branch that neither host tests nor machines have seen."""
    found: Dict[int, bool] = {}
    for reached in ways:
        for n, (times, branches) in reached.found.get(name, {}).items():
            if times and branches:
                found[n] = found.get(n, False) or all(branches.values())
    return {n for n, both in found.items() if not both}


def problems(unreached: Set[str], known: Set[str]) -> Iterator[str]:
    """Unreached lines that tests/unreached.txt lacks, and lines of it that are reached or gone."""
    reasons = explained()
    for name in sorted(unreached - set(reasons)):
        yield f"reached by nothing, NOT EXPLAINED: {name}"
    for name, reason in reasons.items():
        if name not in known:
            yield f"explained, but there is no such line: {name}"
        elif name not in unreached and not reason.startswith(SOMETIMES):
            yield f"explained, but reached: {name}"


def report(out: Path) -> List[str]:
    """Prints the table; returns the complaints."""
    now = sources(ROOT)
    ways = host(out, now), machines(out / "machines", now)
    text = [f"{'':24}{'host: lines':>12}{'branches':>14}{'machines: lines':>17}{'branches':>14}{'either: lines':>16}"
            "  reached by nothing"]
    halves = [f"{'':24}lines of which no way of testing has seen every branch"]
    totals = [0] * 10
    unreached: Set[str] = set()
    known: Set[str] = set()
    for name in now:
        lines: Dict[int, int] = {}
        named = names(name)
        for reached in ways:
            reached.drop(name, no_lines(name))
        if name.endswith(".c") and name in ways[0].found:    # gcov's -O0 build knows best what is a line
            ways[1].drop(name, set(ways[1].found.get(name, {})) - set(ways[0].found[name]))
        for reached in ways:
            for n, (times, _) in reached.found.get(name, {}).items():
                lines[n] = lines.get(n, 0) + times
        if not lines:
            continue
        nothing = {n for n, times in lines.items() if not times}
        counts = [*ways[0].counts(name), *ways[1].counts(name), len(lines) - len(nothing), len(lines)]
        totals = [a + b for a, b in zip(totals, counts)]
        unreached |= {named[n] for n in nothing}
        known |= set(named.values())
        text.append(f"{name:24}{table(counts)}  {spans(nothing)}")
        halves.append(f"{name:24}{spans(one_sided(ways, name))}")
    text.append(f"{'all':24}{table(totals)}  {len(unreached)}")
    wrong = list(problems(unreached, known))
    (out / "branches.txt").write_text("\n".join(halves) + "\n", encoding="utf-8")
    (out / "report.txt").write_text("\n".join([*text, *wrong]) + "\n", encoding="utf-8")
    print("\n".join(text))
    return wrong


def table(counts: List[int]) -> str:
    return "".join(f"{counts[n]:{width}} /{counts[n + 1]:5}" for n, width in ((0, 5), (2, 7), (4, 10), (6, 7), (8, 9)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tests", nargs="*", help="which; none: all")
    parser.add_argument("--again", action="store_true", help="count what earlier runs left there too")
    args = parser.parse_args()
    out = args.folder.resolve()
    if not args.again:
        shutil.rmtree(out, ignore_errors=True)
    traces = out / "machines"
    traces.mkdir(parents=True, exist_ok=True)
    failed = 0
    if args.tests or not args.again:
        qemu = shutil.which(os.environ.get("QEMU", "qemu-system-aarch64"))
        wrapper = out / "qemu"
        wrapper.write_text(WRAPPER.format(python=sys.executable, here=str(ROOT / "tests"), out=str(traces),
                                          el2="{:#x}..{:#x}".format(EL2[0], EL2[1] - 1),
                                          qemu=qemu), encoding="utf-8")
        wrapper.chmod(0o755)
        failed = run_tests(out, args.tests or ["tests/host", "tests/qemu"],
                           {"HOST_CFLAGS": "--coverage -O0 -fno-sanitize=all", "QEMU": str(wrapper)})
    wrong = report(out)
    print("\n".join(wrong))
    if args.tests:
        print("of some tests only: what they do not reach is no failure")
    return failed or (1 if wrong and not args.tests else 0)


if __name__ == "__main__":
    sys.exit(main())
