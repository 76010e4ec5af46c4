# SPDX-License-Identifier: Apache-2.0
"""Random programs for guests/interpreter.c: made from a seed, run on both machines, shrunk where these differ.

A program reads only where the architecture allows one answer: all interrupts that a CPU may see have distinct
priorities, configurations change only while nothing is enabled, and an interrupt that one CPU has acknowledged is
neither ended by another's ICACTIVER nor made active again by its ISACTIVER. Binary points change only while nothing is
active: ICV_EOIR1_EL1 deactivates the interrupt whose group priority, by the binary point of that moment, is the one
that it drops (IHI 0069, VirtualWriteEOIR1), ICC_EOIR1_EL1 the one named. ISR_EL1 and vectors are looked at behind a
read of ICC_HPPIR1_EL1: before FEAT_ECV EL2 is not told that a timer's line has fallen, and an interrupt that was
signalled and is gone may be spurious, as a GIC allows.
"""
from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import conform

(END, DIST_WRITE, DIST_BYTE, ROUTE, DIST_READ, REDIST_WRITE, REDIST_BYTE, REDIST_READ, CPU_WRITE, CPU_READ, TAKE,
 FINISH, DEACTIVATE, SEND, TIMER, LINE, OFF, ON, UNMASK, ROUTE_READ, NEST, SLEEP) = range(22)
NAMES = ("end dist_write dist_byte route dist_read redist_write redist_byte redist_read cpu_write cpu_read take finish "
         "deactivate send timer line off on unmask route_read nest sleep").split()
INTERFACE = "PMR BPR0 BPR1 EOImode,CBPR IGRPEN0 IGRPEN1 RPR HPPIR0 HPPIR1 AP0R0 AP1R0 ISR_EL1 CTLR".split()
STOP = b"\0\xff\0\0\0\0\0\0"
SGIS = list(range(10))
PPIS = [20, 22, 23, 27, 30]             # two without a wire, the PMU's, the virtual and the physical timer's
SPIS = [33, 34, 40, 41, 50, 100]        # two are the UART's and the clock's
TIMERS = (27, 30)
LINES = (33, 34, 23)                    # in the order of LINE's places
LEVELS = [8 * n for n in range(32)]
PER_BOOT = 400
TURNS = ["-accel", "tcg,thread=single"]        # YIELD hands over to the next CPU at once
SAY, AVOID = 1, 2
Step = Tuple[int, int, int, int]        # CPU, operation, register, value
Program = List[Step]

_TAKE_SGI_1: Program = [(0, REDIST_BYTE, 0x401, 0x48), (0, REDIST_WRITE, 0x100, 2), (0, SEND, 1, 0x10001), (0, TAKE, 1, 0)]
_FINISH: Program = [(0, FINISH, 0, 0), (0, REDIST_READ, 0x300, 0)]
# Random programs leave out the steps that would meet what differences.txt explains. Each of these has such steps.
AVOIDED: Dict[str, Program] = {
    "EOIR behind a change of the binary point that was made while the interrupt was active":
        [*_TAKE_SGI_1, (0, CPU_WRITE, 2, 7), *_FINISH],
    "a vector, or ISR_EL1, of a timer whose line has fallen since it was masked in PSTATE":
        [(0, REDIST_BYTE, 0x41b, 0x48), (0, REDIST_WRITE, 0x100, 1 << 27), (0, TIMER, 0, 1), (0, TIMER, 0, 0), (0, UNMASK, 0, 0)],
    "EOIR of an interrupt that ICACTIVER and then ISACTIVER were written for since its IAR":
        [*_TAKE_SGI_1, (0, REDIST_WRITE, 0x380, 2), (0, REDIST_WRITE, 0x300, 2), *_FINISH],
}


def shown(step: Step) -> str:
    """One line of a program, for people."""
    cpu, what, at, value = step
    place = f"{at & 0xfff:#x} of CPU {at >> 12}" if what in (REDIST_WRITE, REDIST_BYTE, REDIST_READ) else \
        INTERFACE[at] if what in (CPU_WRITE, CPU_READ) else f"{at:#x}"
    return f"CPU {cpu}: {NAMES[what]} {place} {value:#x}"


class Maker:
    """One program."""
    def __init__(self, rng: random.Random, cpus: int) -> None:
        self.rng, self.cpus = rng, cpus
        self.steps: Program = []
        self.up = [True] * cpus
        self.mixed = rng.random() < 0.4
        free = LEVELS[:]
        rng.shuffle(free)
        self.shared_levels, self.own_levels = free[:10], [free[10:] for _ in range(cpus)]
        self.priority: Dict[Tuple[int, int], int] = {}
        self.edges: Dict[Tuple[int, int], int] = {}     # CPU or -1, offset of ICFGR: what was written

    def add(self, cpu: int, what: int, at: int = 0, value: int = 0) -> None:
        self.steps.append((cpu, what, at, value & 0xffffffff))

    def cpu(self) -> int:
        return self.rng.choice([i for i in range(self.cpus) if self.up[i]])

    def set_priority(self, by: int, of: int, irq: int) -> None:
        pool = self.own_levels[of] if irq < 32 else self.shared_levels
        pool[:] = self.rng.sample(pool, len(pool))
        old = self.priority.get((of if irq < 32 else -1, irq))
        new = pool.pop()
        if old is not None:
            pool.insert(0, old)
        self.priority[of if irq < 32 else -1, irq] = new
        if irq < 32:
            self.add(by, REDIST_BYTE, of << 12 | 0x400 + irq, new)
        else:
            self.add(by, DIST_BYTE, 0x400 + irq, new)

    def bits(self, irqs: Sequence[int], word: int, most: int) -> int:
        here = [irq for irq in irqs if irq // 32 == word]
        return sum(1 << irq % 32 for irq in self.rng.sample(here, self.rng.randint(1, min(most, len(here)))))

    def begin(self) -> None:
        rng = self.rng
        for cpu in range(self.cpus):
            for irq in SGIS + PPIS:
                self.set_priority(cpu, cpu, irq)
            if self.mixed:
                self.add(cpu, REDIST_WRITE, cpu << 12 | 0x80, rng.getrandbits(32))
            edge = sum(2 << 2 * (irq - 16) for irq in PPIS if rng.random() < 0.25)
            self.edges[cpu, 0xc04] = edge
            self.add(cpu, REDIST_WRITE, cpu << 12 | 0xc04, edge)
            self.add(cpu, REDIST_WRITE, cpu << 12 | 0x100, 0xffff if rng.random() < 0.5 else rng.getrandbits(16))
            if rng.random() < 0.6:
                self.add(cpu, REDIST_WRITE, cpu << 12 | 0x100, self.bits(PPIS, 0, 3))
        for irq in SPIS:
            self.set_priority(0, 0, irq)
            if rng.random() < 0.3:
                self.add(0, ROUTE, irq, rng.randrange(self.cpus))
        for word in (1, 3):
            if self.mixed:
                self.add(0, DIST_WRITE, 0x80 + 4 * word, rng.getrandbits(32))
            for half in (0, 1):
                self.edges[-1, 0xc00 + 8 * word + 4 * half] = rng.getrandbits(32) & 0xaaaaaaaa
                self.add(0, DIST_WRITE, 0xc00 + 8 * word + 4 * half, self.edges[-1, 0xc00 + 8 * word + 4 * half])
            if rng.random() < 0.8:
                self.add(0, DIST_WRITE, 0x100 + 4 * word, self.bits(SPIS, word, 4))

    def state(self, cpu: int) -> None:
        """Enable, pending or active bits, of a CPU's own, another CPU's or shared interrupts."""
        rng = self.rng
        at = rng.choice([0x100, 0x100, 0x180, 0x200, 0x200, 0x200, 0x280, 0x300, 0x380])
        if rng.random() < 0.6:
            of = cpu if rng.random() < 0.7 else rng.randrange(self.cpus)
            if not self.up[of]:
                return
            if at == 0x380 and self.cpus > 1:
                at = 0x280
            self.add(cpu, REDIST_WRITE, of << 12 | at, self.bits(SGIS + PPIS, 0, 4))
        else:
            word = rng.choice([1, 1, 1, 3])
            self.add(cpu, DIST_WRITE, at + 4 * word, self.bits(SPIS, word, 3))

    def reconfigure(self, cpu: int) -> None:
        """Edge or level of an interrupt that is not enabled and not pending, but perhaps active."""
        rng = self.rng
        irq = rng.choice(PPIS + SPIS)
        bit, of = 1 << irq % 32, cpu if irq < 32 else -1
        write, where = (REDIST_WRITE, cpu << 12) if irq < 32 else (DIST_WRITE, irq // 32 * 4)
        if irq in TIMERS:
            self.add(cpu, TIMER, TIMERS.index(irq), 0)
        elif irq in LINES:
            self.add(cpu, LINE, LINES.index(irq), 0)
        self.add(cpu, write, where + 0x180, bit)
        self.add(cpu, write, where + 0x280, bit)
        at = 0xc00 + irq // 16 * 4
        self.edges[of, at] ^= 2 << irq % 16 * 2
        self.add(cpu, write, (where & 0xf000) + at, self.edges[of, at])
        self.add(cpu, write, where + 0x280, bit)
        if rng.random() < 0.8:
            self.add(cpu, write, where + 0x100, bit)

    def configure(self, cpu: int) -> None:
        rng = self.rng
        which = rng.randrange(8)
        if which == 0:
            self.add(cpu, CPU_WRITE, 0, rng.choice(LEVELS[8:] + [0xff] * 12))
        elif which == 1:
            self.add(cpu, CPU_WRITE, rng.choice([1, 2]), rng.randrange(8))
        elif which == 2:
            self.add(cpu, CPU_WRITE, 3, rng.choice([0, 2, 2, 1, 3]))
        elif which == 3 and not self.mixed:
            self.add(cpu, CPU_WRITE, 5, rng.choice([0, 1, 1, 1]))
        elif which == 4:
            self.add(cpu, DIST_WRITE, 0, 0x10 | rng.choice([3, 3, 3, 2, 1, 0]))
        elif which == 5:
            self.set_priority(cpu, cpu, rng.choice(SGIS + PPIS + SPIS))
        elif which == 7:
            self.reconfigure(cpu)
        elif which == 6:
            if rng.random() < 0.5:
                self.add(cpu, ROUTE, rng.choice(SPIS), rng.randrange(self.cpus))
            elif self.mixed:
                self.add(cpu, REDIST_WRITE, cpu << 12 | 0x80, rng.getrandbits(32))

    def look(self, cpu: int) -> None:
        rng = self.rng
        which = rng.randrange(7)
        if which == 6:
            self.add(cpu, ROUTE_READ, rng.choice(SPIS))
        elif which % 3 == 0:
            self.add(cpu, CPU_READ, rng.choice([0, 1, 2, 3, 6, 6, 7, 8, 8, 8, 9, 10, 11, 11, 12]))
        elif which % 3 == 1:
            of = cpu if rng.random() < 0.7 else rng.randrange(self.cpus)
            self.add(cpu, REDIST_READ,
                     of << 12 | rng.choice([0x80, 0x100, 0x200, 0x200, 0x280, 0x300, 0x300, 0x404, 0x41c, 0xc04]))
        else:
            self.add(cpu, DIST_READ, rng.choice([0, 0x104, 0x204, 0x204, 0x304, 0x304, 0x20c, 0x30c, 0x420, 0xc08]))

    def power(self) -> None:
        of = self.rng.randrange(1, self.cpus)
        if self.up[of]:
            self.add(of, TIMER, 0)
            self.add(of, TIMER, 1)
            self.add(of, LINE, 2)
        self.add(of, OFF if self.up[of] else ON)
        self.up[of] = not self.up[of]

    def make(self, length: int) -> Program:
        rng = self.rng
        self.begin()
        for _ in range(length):
            cpu = self.cpu()
            dice = rng.random()
            if dice < 0.20:
                self.add(cpu, TAKE, 0 if self.mixed and rng.random() < 0.4 else 1)
            elif dice < 0.32:
                self.add(cpu, FINISH)
            elif dice < 0.37:
                self.add(cpu, DEACTIVATE, 0, rng.randrange(8))
            elif dice < 0.52:
                target = 1 << 31 if rng.random() < 0.15 else rng.randrange(1, 1 << self.cpus)
                nobody = rng.randrange(1, 4) << 8 if rng.random() < 0.05 else 0
                self.add(cpu, SEND, 1 if rng.random() < 0.8 else rng.choice([0, 2]), target | nobody | rng.choice(SGIS) << 16)
            elif dice < 0.58:
                self.add(cpu, TIMER, rng.randrange(2), rng.choice([0, 1, 1, 1, 2, 3]))
            elif dice < 0.62:
                self.add(cpu, LINE, rng.randrange(len(LINES)), rng.randrange(2))
            elif dice < 0.74:
                self.state(cpu)
            elif dice < 0.82:
                self.configure(cpu)
            elif dice < 0.84:
                self.add(cpu, rng.choice([UNMASK, UNMASK, NEST, SLEEP]))
            elif dice < 0.86 and self.cpus > 1:
                self.power()
            else:
                self.look(cpu)
        return self.steps


def make(seed: int, number: int) -> Tuple[int, Program]:
    """Program `number` of a seed, and the CPUs that it is for."""
    rng = random.Random(f"{seed}/{number}")
    cpus = (1, 2, 4)[number // PER_BOOT % 3]
    return cpus, Maker(rng, cpus).make(rng.choice([15, 30, 60, 100]))


@dataclass
class Pair:
    """Both machines, and the folder where the guest is built."""
    out: Path
    hypervisor: Path
    cpu: str = "cortex-a57"

    def run(self, programs: Sequence[Program], cpus: int, how: int = AVOID) -> Tuple[conform.Found, conform.Found]:
        """Each machine's output for these programs."""
        blob = struct.pack("<II", how, cpus)
        for program in programs:
            blob += b"".join(struct.pack("<BBHI", *step) for step in program) + bytes(8)
        path = self.out / "programs.bin"
        path.write_bytes(blob + STOP)
        guest = conform.build(conform.HERE / "guests" / "interpreter.c", self.out, f'-DPROGRAMS="{path}"')
        return (conform.observe(conform.bare(guest, cpus, self.cpu, TURNS)),
                conform.observe(conform.charter(guest, self.hypervisor, cpus, self.cpu, TURNS)))

    def differing(self, programs: Sequence[Program], cpus: int, how: int = AVOID) -> List[int]:
        """The numbers of those programs that ended differently."""
        one, other = (dict(found) for found in self.run(programs, cpus, how))
        return [n for n in range(len(programs))
                if one.get(f"p{n:#x}") != other.get(f"p{n:#x}") or f"p{n:#x}" not in one]

    def shrink(self, program: Program, cpus: int) -> Program:
        """The few lines of it that still differ: all ways to leave out a part are tried in one boot."""
        part = max(1, len(program) // 2)
        while True:
            ways = [program[:i] + program[i + part:] for i in range(0, len(program), part)]
            good = self.differing(ways, cpus) if ways else []
            if good and len(ways[good[0]]) < len(program):
                program = ways[good[-1]]
                part = min(part, max(1, len(program) // 2))
            elif part == 1:
                return program
            else:
                part = max(1, part // 2)

    def told(self, program: Program, cpus: int) -> str:
        """A program and its first different readings."""
        one, other = self.run([program], cpus, SAY | AVOID)
        return "\n".join([*(f"  {shown(step)}" for step in program), *conform.differences(one, other)[:6]])


def differences(pair: Pair, seed: int, first: int, count: int, most: int = 3) -> List[str]:
    """Runs `count` programs; returns a text for each that differs, shrunk."""
    out: List[str] = []
    n = first
    while n < first + count:
        batch: List[Program] = []
        cpus = make(seed, n)[0]
        while n < first + count and (not batch or n % PER_BOOT):
            batch.append(make(seed, n)[1])
            n += 1
        for found in pair.differing(batch, cpus):
            if len(out) >= most:
                return out
            number = n - len(batch) + found
            program = batch[found]
            small = pair.shrink(program, cpus) if pair.differing([program], cpus) else program
            out.append(f"program {number} of seed {seed}, {cpus} CPUs:\n{pair.told(small, cpus)}")
    return out
