# SPDX-License-Identifier: Apache-2.0
"""The cost of one operation, in instructions: by a guest that counts, by trace, and as a policy grows.

The clock is QEMU's instruction count (`-icount shift=0`): 1 ns an instruction, 16 a tick of the 62.5 MHz counter. The
numbers are therefore those of the code, the same on every machine; caches and TLBs have no part in them.
"""
from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import disk
import linux

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
QEMU = os.environ.get("QEMU", "qemu-system-aarch64")
CROSS = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-")
TICK = 16                       # instructions
SIZES = (10, 100, 1000, 10000)  # policy entries
GUEST_END = 0x40080000          # guest code below, EL2 from here
EL2_END = 0x40200000
WALL = 600                      # seconds for one machine


@dataclass(frozen=True)
class Row:
    """One operation. `others`: bare frame, Bao, a Rust peer, Xen 4.17, Peregrine, KVM (nVHE), measured on QEMU 7.2."""

    key: str
    title: str
    goal: Optional[int]
    others: Tuple[str, ...] = ("", "", "", "", "", "")
    excess: int = 0             # see CORRECTIONS
    label: bool = True          # the guest has op_KEY, so it can be traced
    why: str = ""               # of a goal that is missed


# Instructions to subtract. Stage 2 aborts: QEMU takes the faulting instruction back before it is counted. Reads trapped
# by an access check: the block was counted in full, and one branch stands behind the read (guest/bench/start.S).
ABORT, READ = -1, 1
CORRECTIONS = ("corrections: +1 for a stage 2 abort (QEMU does not count the instruction that aborts), -1 for a "
               "trapped read of a register (QEMU counts the rest of its block, one branch); the trace, which "
               "needs none, must agree")
OTHERS = ("frame", "Bao", "Rust", "Xen", "Peregrine", "KVM")
ROWS = (
    Row("hvc", "null HVC (HV_GET_ID)", 90, ("45", "150", "145", "368", "513", "1478")),
    Row("psci", "PSCI_VERSION by SMC", 100, ("48", "203", "159", "501", "527", "1541")),
    Row("id", "ID_AA64PFR0_EL1 read, constant", 95, ("51", "-", "-", "430", "347", ""), READ),
    Row("masked", "ID_AA64ISAR0_EL1 read, masked", 95, ("51", "-", "-", "430", "347", ""), READ),
    Row("denied", "denied system register: UNDEF", 120),   # I/O to QEMU ends its block
    Row("typer", "GICD_TYPER read", 120, ("57", "226", "343", "612", "3010", "2281"), ABORT),
    Row("enable_read", "GICD_ISENABLER1 read", 140, ("57", "1291", "352", "689", "3010", ""), ABORT),
    Row("enable_write", "GICD_ISENABLER1 write 0", 160, ("53", "3563", "363", "740", "3543", ""), ABORT),
    Row("sgi", "ICC_SGI1R_EL1 write, no target", 120, ("47", "229", "220", "524", "535", "2951")),
    Row("sgi_self", "ICC_SGI1R_EL1 write, to itself", None),
    Row("redist_write", "GICR_ISENABLER0 write 0, its own", None, excess=ABORT),
    Row("uart_flags", "UARTFR read", None, excess=ABORT),
    Row("uart_mask", "UARTIMSC write 0", None, excess=ABORT),
    Row("denied_mmio", "denied MMIO read: external abort", None, excess=ABORT),
    Row("unlogged", "PMUSERENR_EL0 write, ignored", None),
    Row("logged", "PMCNTENSET_EL0 write, ignored, logged", None),
)
EXTRA = (
    Row("record", "one log record more", 45, label=False),
    Row("boot", "reset to the first guest instruction", 120000, ("4148", "439234", "387836", "138 M", "11.6 M", ""),
        label=False),
    Row("scrub", "  scrubbing 768 MiB of guest RAM, apart", None, label=False),
    Row("timer", "timer deadline to the guest's vector", None, ("", "", "", "", "", "5654"), label=False),
    Row("timer_eoi", "  vector to behind the EOI, in the guest", None, label=False),
    Row("timer_entries", "  entries into EL2 for one tick", 1, label=False),
    Row("text", "loaded size: text, bytes", 65536, ("", "65 KB", "62 KB", "983 KB", "127 KB", ""), label=False,
        why="the operator's monitor and gdb's stub, which the others do not have; see the row below it"),
    Row("text_nomonitor", "  without them (MONITOR=0)", None, label=False),
    Row("data", "loaded size: data + bss, bytes", 65536, ("", "57 KB", "0.7 MB", "", "0.8 MB", ""), label=False),
    Row("stacks", "  stack, guard and struct cpu, a CPU", None, label=False),
)


class Failed(Exception):
    """A measurement is missing, or cannot be right."""


# ---- building --------------------------------------------------------------------------------------------------------

def build(policy: str, folder: str, guest: str = "bench", monitor: bool = True) -> Path:
    """The image with the bench guest under a policy file."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("MAKE") and k not in ("POLICY", "MODE", "B", "GUEST", "MONITOR")}
    words = ["make", "--no-print-directory", "-j2", f"{folder}/hypervisor.elf", f"GUEST={guest}", f"POLICY={policy}",
             f"B={folder}", f"MONITOR={monitor:d}"]
    done = subprocess.run(words, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=900, check=False)
    if done.returncode:
        raise Failed(f"make POLICY={policy}:\n{done.stdout[-3000:]}")
    return ROOT / folder / "hypervisor.elf"


def larger_policy(entries: int) -> str:
    """bench.yaml with fillers in every section, so that it has about `entries` entries."""
    text = (HERE / "bench.yaml").read_text(encoding="utf-8").replace("name: bench", f"name: bench-{entries}")
    base = len(re.findall(r"^  \S+:", text[text.index("\nfeatures:"):], re.M))
    more = max(0, entries - base)
    registers = [f"  S3_{op1}_C{crn}_C{crm}_{op2}: raz-wi"
                 for crn in (11, 15) for op1 in range(8) for crm in range(16) for op2 in range(8)][:more // 3]
    calls = [f"  0x{0xc2000000 + 2 * i:x}: {{value: {i}}}" for i in range(more // 3)]
    windows = [f"      0x{4 * i:x}: raz-wi" for i in range(more - len(registers) - len(calls))]
    if registers:
        text = text.replace("\nmmio:", "".join("\n" + line for line in registers) + "\nmmio:", 1)
    if calls:
        text = text.replace("\nsmc:", "".join("\n" + line for line in calls) + "\nsmc:", 1)
    if windows:
        window = ("\n  fillers:\n    at: 0x0b000000\n    size: 64K\n"
                  "    default: { do: deny, log: never, why: room }\n    regs:\n")
        text = text.replace("\nhvc:", window + "".join(line + "\n" for line in windows) + "\nhvc:", 1)
    return text


# ---- running ---------------------------------------------------------------------------------------------------------

def command(elf: Path, bootargs: Path, *extra: str) -> List[str]:
    return [QEMU, "-M", "virt,virtualization=on,gic-version=3", "-cpu", "cortex-a57", "-m", "1G", "-nographic",
            "-serial", "mon:stdio", "-nic", "none", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1", *extra,
            "-kernel", str(elf), "-device", f"loader,file={bootargs},addr=0x4007f000,force-raw=on"]


def measure(elf: Path) -> Dict[str, float]:
    """Instructions for every loop, a round: the guest's own report."""
    with tempfile.TemporaryDirectory() as folder:
        bootargs = Path(folder) / "bootargs"
        bootargs.write_bytes(b"charter1 unattended=1 log=quiet\0")
        done = subprocess.run(command(elf, bootargs, "-icount", "shift=0,sleep=off"), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WALL, check=False)
    out = done.stdout.decode("ascii", "replace")
    found = {m[1]: int(m[3]) * TICK / int(m[2]) for m in re.finditer(r"^bench (\w+) (\d+) (\d+)", out, re.M)}
    if "end" not in found or done.returncode:
        raise Failed(f"the bench guest did not end:\n{out[-2000:]}")
    for nops in (0, 1, 10, 100):
        got = found[f"known_{nops}"]
        if abs(got - nops - 2) > 0.05:
            raise Failed(f"a loop of {nops + 2} instructions measures {got}: this clock cannot be trusted")
    return found


def costs(found: Dict[str, float]) -> Dict[str, float]:
    """Instructions an operation, the trapping one included."""
    out = {row.key: round(found[row.key] - found[f"base_{row.key}"] - row.excess, 1) for row in ROWS}
    out["denied"] += 1          # `udf` stands for the trapping instruction in these base loops
    out["denied_mmio"] += 1
    out["record"] = round(out["logged"] - out["unlogged"], 1)
    out["timer"] = round(found["timer"] / TICK, 1)  # the sum over sixteen paddings counts instructions, not ticks
    out["timer_eoi"] = round(found["timer_eoi"], 1)
    return out


# ---- tracing ---------------------------------------------------------------------------------------------------------

@dataclass
class Symbols:
    """Functions by address, to find the function of an instruction."""

    starts: List[int] = field(default_factory=list)
    names: List[str] = field(default_factory=list)

    @classmethod
    def of(cls, elf: Path) -> "Symbols":
        out = subprocess.run([CROSS + "nm", "-n", str(elf)], check=True, text=True, stdout=subprocess.PIPE).stdout
        found = cls()
        for line in out.splitlines():
            address, kind, name = line.split(None, 2)
            if kind in "tTrR" and not name.startswith("$"):
                found.starts.append(int(address, 16))
                found.names.append(name)
        return found

    def address(self, name: str) -> int:
        return self.starts[self.names.index(name)]

    def behind(self, name: str) -> int:
        start = self.address(name)
        return min(a for a in self.starts if a > start)

    def at(self, pc: int) -> str:
        from bisect import bisect_right
        i = bisect_right(self.starts, pc) - 1
        return self.names[i] if i >= 0 else hex(pc)


def trace(elf: Path, skip: Sequence[Tuple[int, int]]) -> Iterator[int]:
    """The address of every instruction but those in the ranges `skip`, with the bench guest making few rounds."""
    with tempfile.TemporaryDirectory() as folder:
        bootargs = Path(folder) / "bootargs"
        bootargs.write_bytes(b"charter1 log=quiet\0")
        edges = [0x40000000, *itertools.chain.from_iterable(sorted(skip)), EL2_END]
        ranges = ",".join(f"{start:#x}..{end - 4:#x}" for start, end in zip(edges[::2], edges[1::2]) if start < end)
        # With measure()'s clock, so that a look of EL2's watchdog, once a second, is nowhere.
        words = command(elf, bootargs, "-icount", "shift=0,sleep=off", "-singlestep", "-d", "exec,nochain",
                        "-dfilter", ranges)
        last = 0
        # The monitor opens at the guest's first call: `cont` is typed ahead.
        with subprocess.Popen(["timeout", str(WALL), *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) as machine:
            assert machine.stdin and machine.stderr
            machine.stdin.write(b"cont\r")
            machine.stdin.flush()
            for line in machine.stderr:
                if line.startswith(b"Trace"):
                    pc = int(line.split(b"/", 2)[1], 16)
                    if pc != last:          # an access to a device begins twice under -icount
                        yield pc
                    last = pc


@dataclass
class Traced:
    """Instructions by function: of boot without the scrubbing, and of each operation's last round."""

    boot: "Counter[str]" = field(default_factory=Counter)
    operations: Dict[str, "Counter[str]"] = field(default_factory=dict)
    timer_entries: float = 0


def listing(elf: Path) -> Traced:
    el2, guest = Symbols.of(elf), Symbols.of(elf.parent / "guest.elf")
    operations = {guest.address(f"op_{row.key}"): row.key for row in ROWS}
    # The code that waits for a tick and takes it, with its vector; the handler proper begins behind the padding.
    timer, handler = (guest.address("vectors"), guest.behind("bench_timer")), guest.address("timer_pad") + 4 * 16
    found, booting, entries, ticks, waiting = Traced(), True, 0, 0, False
    names: Dict[int, str] = {}
    current: Optional["Counter[str]"] = None
    scrubbing = [(el2.address(name), el2.behind(name)) for name in ("clear", "find_set", "scrub")]
    for pc in trace(elf, scrubbing):
        if pc < GUEST_END:
            booting, current = False, None
            key = operations.get(pc)
            if key:
                found.operations[key] = current = Counter({"(the instruction)": 1})
            waiting = timer[0] <= pc < timer[1]
            ticks += pc == handler
            continue
        name = names.get(pc)
        if name is None:
            name = names[pc] = el2.at(pc)
        if booting:
            found.boot[name] += 1
        else:
            if current is not None:
                current[name] += 1
            entries += waiting
            waiting = False
    found.timer_entries = entries / ticks if ticks else 0
    return found


# ---- sizes -----------------------------------------------------------------------------------------------------------

def sizes(elf: Path) -> Dict[str, float]:
    """.text, .data + .bss and what a CPU has of .cpus, in bytes; the log's ring is not part of the file."""
    out = subprocess.run([CROSS + "readelf", "-SW", str(elf)], check=True, text=True, stdout=subprocess.PIPE).stdout
    size = {m[1]: int(m[2], 16) for m in re.finditer(r"\] (\.\w+)\s+\w+\s+[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+)", out)}
    return {"text": size[".text"], "data": size[".data"] + size[".bss"], "stacks": size.get(".cpus", 0) / 8}


# ---- output ----------------------------------------------------------------------------------------------------------

def number(value: float) -> str:
    return f"{value:.0f}" if abs(value - round(value)) < 0.05 else f"{value:.1f}"


def print_rows(rows: Iterable[Row], result: Dict[str, float]) -> int:
    """Prints the table; returns how many rows miss their goal."""
    missed = 0
    reasons: List[str] = []
    print(f"{'operation':40} {'charter':>10} {'goal':>8}  " + " ".join(f"{name:>9}" for name in OTHERS))
    for row in rows:
        value = result[row.key]
        late = row.goal is not None and value > row.goal
        missed += late
        reasons += [f"! {row.title.strip()}: missed; {row.why or 'see where they go, below'}"] * late
        print(f"{row.title:40} {number(value):>10} {'' if row.goal is None else row.goal:>8}{' !' if late else '  '}"
              + " ".join(f"{other:>9}" for other in row.others))
    for reason in reasons:
        print(reason)
    return missed


def print_growth(growth: Dict[int, Dict[str, float]]) -> None:
    print(f"\n{'instructions at this many policy entries':40} " + " ".join(f"{n:>8}" for n in growth))
    for row in ROWS:
        print(f"{row.title:40} " + " ".join(f"{number(found[row.key]):>8}" for found in growth.values()))


def print_listing(found: Traced) -> None:
    print("\nwhere they go, by function (trace; the first is the guest's instruction)")
    for row in ROWS:
        parts = found.operations.get(row.key, Counter())
        print(f"  {row.key:13} {sum(parts.values()):>5} = " + ", ".join(f"{name} {n}" for name, n in parts.items()))
    total = sum(found.boot.values())
    print(f"  {'boot':13} {total:>5} = " + ", ".join(f"{name} {n}" for name, n in found.boot.most_common(14)) + ", ...")


def plot(growth: Dict[int, Dict[str, float]]) -> str:
    """Cost against the number of entries, as SVG."""
    width, height, left, bottom, right = 860, 460, 60, 40, 250
    top = max(found[row.key] for found in growth.values() for row in ROWS) * 1.1
    colours = ("#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2", "#b8860b", "#2f4858", "#d1495b", "#00798c", "#6b705c",
               "#e07a5f", "#457b9d", "#7f5539", "#588157", "#9d4edd")

    def x(i: int) -> float:
        return left + i * (width - left - right) / max(1, len(growth) - 1)

    def y(value: float) -> float:
        return height - bottom - value / top * (height - bottom - 20)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="11">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{left}" y="14">instructions for one operation, against the number of policy entries</text>']
    for tick in range(0, int(top) + 1, 50):
        out.append(f'<line x1="{left}" x2="{width - right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#ddd"/>'
                   f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick}</text>')
    for i, entries in enumerate(growth):
        out.append(f'<text x="{x(i):.1f}" y="{height - bottom + 18}" text-anchor="middle">{entries}</text>')
    last = list(growth.values())[-1]
    at = 0.0
    for n, row in enumerate(sorted(ROWS, key=lambda r: -last[r.key])):
        colour = colours[n % len(colours)]
        points = " ".join(f"{x(i):.1f},{y(found[row.key]):.1f}" for i, found in enumerate(growth.values()))
        at = max(at + 13, y(last[row.key]) + 4)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
                   f'<text x="{width - right + 8}" y="{at:.1f}" fill="{colour}">'
                   f'{number(last[row.key])} {row.title}</text>')
    return "\n".join(out + ["</svg>", ""])


def compare(result: Dict[str, float], baseline: Path) -> int:
    """How many rows got worse; a row that the baseline has must exist."""
    stored: Dict[str, float] = json.loads(baseline.read_text(encoding="utf-8"))["rows"]
    worse = 0
    print(f"{'operation':40} {'baseline':>10} {'now':>10}")
    for row in ROWS + EXTRA:
        if row.key not in stored:
            continue
        was, now = stored[row.key], result[row.key]
        # Tolerance: a single instruction counts for an operation; 1 % for boot, which prints the version, and for
        # sizes.
        slack = 0.5 if row in ROWS or row.key == "record" else was / 100 + 0.5
        change = "" if abs(now - was) < slack else f"  {now - was:+.1f}"
        worse += now - was >= slack
        print(f"{row.title:40} {number(was):>10} {number(now):>10}{change}")
    print(f"{worse} worse than {baseline.relative_to(ROOT)}" if worse else "none is worse")
    return worse


Numbers = Dict[str, float]


def with_linux(folder: Path) -> Tuple[Numbers, Numbers, Numbers, Numbers]:
    """Debian's kernel under permissive, and with everything logged, against bare EL1; and its disk, twice."""
    text = (ROOT / "policy" / "permissive.yaml").read_text(encoding="utf-8")
    name = os.path.relpath(folder, ROOT)
    images = {"permissive": build("permissive", f"{name}/permissive", "diag")}
    for policy in ("logged", "logged-all"):
        (folder / f"{policy}.yaml").write_text(linux.logged(text, policy), encoding="utf-8")
        images[policy] = build(f"{name}/{policy}.yaml", f"{name}/{policy}", "diag")
    try:
        return (*linux.measure(QEMU, folder / "linux", images),
                *disk.measure(QEMU, folder / "disk", images["permissive"]))
    except (linux.Failed, linux.artifacts.Unavailable) as error:
        raise Failed(str(error)) from None


# Benches in seconds of this machine, not in instructions of the modelled one, so without goals.
TOOLS = (("policygen, seconds of CPU time by stage", "tests/policygen/bench_scale.py"),
         ("the decoder on logs of this many records", "tests/decoder/bench_decode.py"))


def tools() -> None:
    for title, script in TOOLS:
        print(f"\n{title}", flush=True)
        if subprocess.run([sys.executable, script], cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode:
            raise Failed(script)


def everything(out: Path, quick: bool) -> Tuple[Dict[str, float], Dict[int, Dict[str, float]], Traced]:
    folder = os.path.relpath(out.parent, ROOT)
    elf = build("tests/bench/bench.yaml", f"{folder}/bench/base")
    found = measure(elf)
    result = costs(found)
    traced = listing(elf)
    for row in ROWS:
        exact = sum(traced.operations[row.key].values())
        if abs(exact - result[row.key]) >= 1 and row.key != "logged":
            raise Failed(f"{row.key}: {result[row.key]} by the clock, {exact} by the trace")
    result["boot"] = sum(traced.boot.values())
    result["scrub"] = found["boot"] - result["boot"]
    result["timer_entries"] = traced.timer_entries
    result.update(sizes(elf))
    without = build("tests/bench/bench.yaml", f"{folder}/bench/nomonitor", monitor=False)
    result["text_nomonitor"] = sizes(without)["text"]
    growth: Dict[int, Dict[str, float]] = {}
    for entries in () if quick else SIZES:
        path = out.parent / "bench" / f"{entries}.yaml"
        path.write_text(larger_policy(entries), encoding="utf-8")
        growth[entries] = costs(measure(build(os.path.relpath(path, ROOT), f"{folder}/bench/{entries}")))
    return result, growth, traced


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json", help="JSON; a plot goes beside it")
    parser.add_argument("--quick", action="store_true", help="without the larger policies, Linux and the tools")
    parser.add_argument("--compare", type=Path, metavar="JSON", help="fail if a row is worse than there")
    parser.add_argument("--save", type=Path, metavar="JSON", help="store the rows as a baseline")
    options = parser.parse_args()
    out = Path(os.path.abspath(options.out))
    out.parent.mkdir(parents=True, exist_ok=True)
    quick = options.quick or bool(options.compare)
    ratios: Numbers = {}
    try:
        result, growth, traced = everything(out, quick)
        if not quick:
            ratios, seconds, requests, bare = with_linux(out.parent / "bench")
    except Failed as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 1
    if options.compare:
        return 1 if compare(result, Path(os.path.abspath(options.compare))) else 0
    print("instructions, the trapping one included; mean of 4096; policy decision, counters and rule number on, "
          "logging of the rule off")
    missed = print_rows(ROWS + EXTRA, result)
    print(CORRECTIONS)
    if growth:
        print_growth(growth)
        out.with_suffix(".svg").write_text(plot(growth), encoding="utf-8")
    print_listing(traced)
    if ratios:
        missed += linux.report(ratios, seconds) + disk.report(requests, bare)
        ratios.update({key: requests[key] / bare[key] for key in requests})
    rows = {"rows": result, "goals": {row.key: row.goal for row in ROWS + EXTRA if row.goal is not None}}
    full = {**rows, "linux": ratios, "entries": growth, "functions": {"boot": traced.boot, **traced.operations}}
    out.write_text(json.dumps(full, indent=1) + "\n", encoding="utf-8")
    if options.save:
        options.save.write_text(json.dumps({"rows": result}, indent=1) + "\n", encoding="utf-8")
    try:
        if not quick:
            tools()
    except Failed as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 1
    print(f"\n{missed} goals missed" if missed else "\nevery goal is reached")
    return 0


if __name__ == "__main__":
    sys.exit(main())
