# SPDX-License-Identifier: Apache-2.0
"""`make coverage`: what the tests reach of hv/, and the lines that none of them does. argv: folder [tests...].

Host tests say it by gcov: lines and branches. A line or branch counts as reached when any program reached it. Machines
say it by QEMU's `-d in_asm`, which names each block of instructions when it is first run: a line counts when one of its
instructions ran, a branch (of the machine code) when control was seen to go where it leads. That is exact for the way
on, which begins a block of its own; where it leads to may have been jumped to from elsewhere as well.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

ROOT = Path(__file__).resolve().parents[1]
OBJDUMP = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-") + "objdump"
EL2 = "0x40080000..0x400bffff"                      # EL2's text, and nothing of the guests'
# Stands in for QEMU: the same machine, which also tells what ran of which image.
WRAPPER = """#!{python}
import hashlib, os, shutil, sys
words = sys.argv[1:]
images = [path for option, path in zip(words, words[1:]) if option == "-kernel"]
if images and os.path.exists(images[0]):
    name = hashlib.sha256(open(images[0], "rb").read()).hexdigest()[:16]
    kept = os.path.join({out!r}, name + ".elf")
    if not os.path.exists(kept):
        shutil.copy(images[0], kept + str(os.getpid()))
        os.rename(kept + str(os.getpid()), kept)
    words += ["-d", "in_asm", "-dfilter", {el2!r}, "-D", os.path.join({out!r}, name + "." + str(os.getpid()) + ".log")]
os.execv({qemu!r}, [{qemu!r}, *words])
"""


class Reached:
    """File -> line -> [times, {branch: times}]: by host tests, and by machines."""

    def __init__(self) -> None:
        self.found: Dict[str, Dict[int, List[Any]]] = {}

    def line(self, file: str, line: int) -> List[Any]:
        return self.found.setdefault(file, {}).setdefault(line, [0, {}])

    def counts(self, file: str) -> Tuple[int, int, int, int]:
        lines = self.found.get(file, {}).values()
        branches = [times for _, here in lines for times in here.values()]
        return sum(1 for n, _ in lines if n), len(lines), sum(1 for n in branches if n), len(branches)


def run_tests(out: Path, tests: List[str], extra: Dict[str, str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider",
                           f"--basetemp={out / 'runs'}", "-o", "tmp_path_retention_policy=all", *tests],
                          cwd=ROOT, env={**os.environ, **extra}, check=False).returncode


def host(out: Path) -> Reached:
    reached = Reached()
    for data in sorted((out / "runs").rglob("*.gcda")):
        text = subprocess.run(["gcov", "-b", "-t", "--json-format", str(data)], cwd=ROOT, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        for part in text.splitlines():
            for file in json.loads(part)["files"]:
                name = os.path.relpath(ROOT / file["file"], ROOT)
                if name.startswith("hv/"):
                    for line in file["lines"]:
                        here = reached.line(name, line["line_number"])
                        here[0] += line["count"]
                        for n, branch in enumerate(line["branches"]):
                            here[1][n] = here[1].get(n, 0) + branch["count"]
    return reached


# --- machines ---------------------------------------------------------------------------------------------------

def dump(elf: Path, *words: str) -> str:
    return subprocess.run([OBJDUMP, *words, str(elf)], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, errors="replace").stdout


def lines_of(elf: Path) -> Dict[int, Set[Tuple[str, int]]]:
    """Address -> the statements of hv/ that begin there."""
    where: Dict[int, Set[Tuple[str, int]]] = {}
    known = {p.name: os.path.relpath(p, ROOT) for p in (ROOT / "hv").rglob("*.[ch]")}
    for m in re.finditer(r"^(\w+\.[ch]) +(\d+) +0x([0-9a-f]+)", dump(elf, "--dwarf=decodedline"), re.M):
        if m.group(1) in known:
            where.setdefault(int(m.group(3), 16), set()).add((known[m.group(1)], int(m.group(2))))
    return where


def branches_of(elf: Path) -> List[Tuple[int, int]]:
    """Conditional branches: where they are, and where they lead."""
    form = re.compile(r"^ *([0-9a-f]+):\t[0-9a-f]+ \t(?:b\.\w+|t?cbn?z|tbn?z)\t(?:.*, )?([0-9a-f]+)\b", re.M)
    return [(int(m.group(1), 16), int(m.group(2), 16)) for m in form.finditer(dump(elf, "-d"))]


def machines(out: Path) -> Reached:
    reached = Reached()
    for elf in sorted(out.glob("*.elf")):
        if not same_source(elf):
            continue                                # a test that planted something
        ran: Set[int] = set()
        starts: Set[int] = set()
        for log in out.glob(f"{elf.stem}.*.log"):
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
        where, last = lines_of(elf), {("", 0)}
        form = re.compile(r"^([0-9a-f]+) .* F \.text\S*\t\S+ +(\S+)$", re.M)
        symbols = {int(m.group(1), 16): m.group(2) for m in form.finditer(dump(elf, "-t"))}
        near: Dict[int, Set[Tuple[str, int]]] = {}
        function, inside = 0, {}
        for at in range(min(where), max(where) + 4, 4):
            last = where.get(at, last)
            near[at] = last
            function = at if at in symbols else function
            inside[at] = f"{symbols.get(function, '')}+{at - function:x}"
            for file, line in where.get(at, ()):
                reached.line(file, line)[0] += at in ran
        for at, to in branches_of(elf):
            for file, line in near.get(at, ()):
                if file:
                    here = reached.line(file, line)[1]
                    for side, seen in (("taken", to in starts), ("on", at + 4 in starts)):
                        here[inside[at], side] = here.get((inside[at], side), 0) + seen
    return reached


def same_source(elf: Path) -> bool:
    """Whether the image was made from this tree: its functions are those of build/hypervisor.elf, under any policy."""
    def functions(path: Path) -> Set[str]:
        return set(re.findall(r" F \.text\S*\t(\S+ +(?!policy_replay)\S+)$", dump(path, "-t"), re.M))
    return functions(elf) == functions(ROOT / "build" / "hypervisor.elf")


def spans(lines: Set[int]) -> str:
    out: List[str] = []
    for n in sorted(lines):
        if out and int(out[-1].split("-")[-1]) == n - 1:
            out[-1] = f"{out[-1].split('-')[0]}-{n}"
        else:
            out.append(str(n))
    return " ".join(out)


def main() -> int:
    out = Path(sys.argv[1]).resolve()
    shutil.rmtree(out, ignore_errors=True)
    traces = out / "machines"
    traces.mkdir(parents=True)
    qemu = shutil.which(os.environ.get("QEMU", "qemu-system-aarch64"))
    wrapper = out / "qemu"
    wrapper.write_text(WRAPPER.format(python=sys.executable, out=str(traces), el2=EL2, qemu=qemu), encoding="utf-8")
    wrapper.chmod(0o755)
    failed = run_tests(out, sys.argv[2:] or ["tests/host", "tests/qemu"],
                       {"HOST_CFLAGS": "--coverage", "QEMU": str(wrapper)})
    by_host, by_machine = host(out), machines(traces)
    report = [f"{'':24}{'host: lines':>12}{'branches':>14}{'machines: lines':>17}{'branches':>14}  reached by nothing"]
    totals = [0] * 8
    for path in sorted([*(ROOT / "hv").rglob("*.c"), *(ROOT / "hv").rglob("*.h")]):
        name = os.path.relpath(path, ROOT)
        counts = [*by_host.counts(name), *by_machine.counts(name)]
        if not any(counts):
            continue
        totals = [a + b for a, b in zip(totals, counts)]
        lines: Dict[int, int] = {}
        for reached in (by_host, by_machine):
            for n, (times, _) in reached.found.get(name, {}).items():
                lines[n] = lines.get(n, 0) + times
        report.append(f"{name:24}{table(counts)}  {spans({n for n, times in lines.items() if not times})}")
    report.append(f"{'all':24}{table(totals)}")
    (out / "report.txt").write_text("\n".join(report) + "\n", encoding="utf-8")
    print("\n".join(report))
    return failed


def table(counts: List[int]) -> str:
    return "".join(f"{counts[n]:{width}} /{counts[n + 1]:5}" for n, width in ((0, 5), (2, 7), (4, 10), (6, 7)))


if __name__ == "__main__":
    sys.exit(main())
