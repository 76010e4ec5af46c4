# SPDX-License-Identifier: Apache-2.0
"""The trap path, compiled for this machine under sanitizers: one trap at a time against trap_model.py, and many from a
seed."""
from __future__ import annotations

import random
import re
import tempfile
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Callable, Iterator, List, Tuple

import pytest

import a64_access
from hvl_host import run
from test_tables import CONDITIONAL, CROWDED, load
from policygen.facts.arch import make_key, split_key
from policygen.facts.board import load_board
from policygen.facts.ranges import keys
from policygen.facts.contract import load_contract
from policygen.language.model import Access, Policy
from policygen.language.schema import CALLS
from policygen.meaning.evaluate import evaluator
from policygen.meaning.regions import Inputs, asked_of, bits_of, borders
from policygen.target import render, verify
from trap_host import link, parts
from trap_model import (ANSWER, DABT, DEACTIVATE, DEBUG, DISABLE, DROP, FLUSH, GOLDEN, HVC, IABT, INPUT, MAINTENANCE, MONITOR,
                        MASK, RAM, RAM_SIZE, Model, NOTE, OPS, Outcome, PARK, PHYSICAL, REPLAY_READ, REPLAY_WRITE, RTC, SMC,
                        NOT_SUPPORTED, SYSREG, TICK, Trap, UNTOLD, VIRTIO, WFI, answered, differences)

PROFILES = ["default", "strict", "permissive", "linux-strict", "crowded", "traced", "conditional"]
# A policy in which everything that EL2 can do for a guest is recorded, so that it traps.
TRACED = """\
policy: 1
name: traced
about: everything that can be done, and a record of it
platform: qemu-virt
features: { mte: hide, ras: hide, pauth: hide }
sysregs:
  default: { do: allow, log: once }
  cache: { do: allow, log: always }
  mmu: { do: allow, log: always, limit: 1000/s, over: deny }
  gic: { do: allow, log: always }
  id: { do: allow, log: always }
  ID_AA64PFR0_EL1: { read: { mask: 0xf0f }, log: always, limit: 1000/s, over: deny }
  AFSR0_EL1: { read: { value: 7 }, write: ignore, limit: 1000/s, over: deny }
  AFSR1_EL1: { read: { mask: 0xff }, write: { mask: 0xf0f }, limit: 1000/s, over: deny }
mmio:
  default: { do: deny, log: always }
  uart0: { emulate: pl011, log: always }
  rtc: { emulate: pl031, log: once }
  gicd: { emulate: vgic-dist, log: always }
  gicr: { emulate: vgic-redist }
  gpio: { do: allow, log: always, width: [1, 2, 4, 8] }
  virtio: { emulate: virtio-mmio, log: once }
hvc:
  default: { do: deny, as: undef, log: always }
  HV_GET_ID: { do: allow, log: always }
  HV_GET_STATUS: allow
  HV_PAUSE: allow
  HV_CONSOLE_WRITE: { do: allow, log: always }
  HV_REPORT_EXCEPTION: allow
  psci: { do: allow, log: always }
  PSCI_VERSION: { do: allow, where: { x1: 5..9 }, else: deny }
  smccc: { do: allow, log: once }
  0xfffffffe: { value: 4 }
smc:
  default: { value: 9, log: always }
  0x86000000: { do: deny, as: undef }
  0x86000001: kill
  0x86000002: { do: deny, log: always }
exceptions:
  default: { do: deny, log: always }
  WFX: { do: allow, log: always }
  ILLEGAL: { do: pause, log: never }
  GCS: { do: kill, log: never }
  DABT_WALK: deny
"""
# Few rows side by side: `log: once` tells accesses apart by more than their row.
FEW = """\
policy: 1
name: few
about: nothing is there, and what is asked for is logged once
platform: qemu-virt
sysregs: { default: { do: deny, log: once } }
mmio: { default: { do: raz-wi, log: once } }
hvc: { default: { do: deny, log: once } }
smc: { default: { do: deny, log: once } }
exceptions:
  default: { do: forward, log: once }
  CP14_64: { do: deny, log: once }
"""
# Windows with registers and without, and what lies between them.
PLACES = """\
policy: 1
name: places
about: everything is logged once
platform: qemu-virt
sysregs: { default: deny }
mmio:
  default: { do: deny, log: once }
  flash: { read: { value: 0xff }, write: ignore, log: once }
  rtc: { emulate: pl031, log: once }
  own: { at: 0xb000000, size: 4K, default: { do: raz-wi, log: once }, regs: { 0x10: { do: deny, log: once } } }
hvc: { default: deny }
smc: { default: deny }
exceptions: { default: forward }
"""
OWN = {"crowded": CROWDED, "traced": TRACED, "few": FEW, "places": PLACES, "conditional": CONDITIONAL}
Kind = Callable[[random.Random, Policy], Iterator[Trap]]
ADDRESSES = (0x40000000, 0x6fffffc0, 0x6fffffff, 0x70000000, 0x3fffffff, 0x40001234, 0x9000000, 1 << 46,
             3 << 46, 1 << 44 | 0x40000100, 1 << 45 | 0x40000100, 9 << 43, 3 << 43 | 0x40000100, 3 << 46 | 1 << 43)
SGI_KEYS = make_key(3, 0, 12, 11, 5)                # ICC_SGI1R_EL1; ICC_ASGI1R_EL1 and ICC_SGI0R_EL1 are next to it
KEEP, WORK, FEATURES, MIDLINE, TELLS, STREAMS, CHANGES, ABSENCE = (1 << bit for bit in range(8, 16))    # trap_host.c
PASS, ASKS, ONCE, DUMP = 1 << 16, 1 << 17, 1 << 18, 16
FREQUENCY = 62500000
# EL1h, EL1t, behind an indirect branch, a step of EL0, AArch32 EL0, flags, PAN and DIT, T32, and that in an IT block:
# two of its first instructions, one with the Q flag, and its last; A64 with SSBS and TCO, which lie where IT is
SPSR = (0x3c5, 0x3c4, 0xbc5, 0x200000, 0x10, 0x600001c5, 0xf1400000, 0x30, 0x66200c30, 0x40008430, 0xc008030, 0x8830,
        0x20013c5)


@dataclass
class Host:
    policy: Policy
    program: Path
    model: Model


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return parts(tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="module", params=[(name, "enforce") for name in PROFILES] + [("strict", "audit")],
                ids=lambda p: "-".join(p))
def host(request: pytest.FixtureRequest, common: Path, tmp_path_factory: pytest.TempPathFactory) -> Host:
    name, mode = request.param
    out = tmp_path_factory.mktemp("trap")
    if name in OWN:
        (out / f"{name}.yaml").write_text(OWN[name])
    policy = load(str(out / f"{name}.yaml") if name in OWN else name, mode)
    render.render(policy, out / "gen")
    stubs = verify.stubs_of((out / "gen" / "replay.S").read_text())
    model = Model(policy, stubs)
    return Host(policy, link(common, out), model)


def compare(host: Host, traps: List[Trap]) -> int:
    """The number of traps decided in each way; fails where host and model differ."""
    host.model.learn(traps)
    wire, _ = run(host.program, b"".join(t.pack() for t in traps))
    at = len(wire) - ANSWER.size * len(traps)
    rows = list(verify.ROW.iter_unpack(wire[:at]))
    wrong = []
    for t, raw in zip(traps, ANSWER.iter_unpack(wire[at:])):
        found = differences(t, host.model.expect(t), answered(raw, rows, load_contract().verdicts))
        if found:
            wrong.append(f"ESR {t.esr:#x} FAR {t.far:#x} HPFAR {t.hpfar:#x} x {[hex(v) for v in t.x[:4]]} "
                         f"SPSR {t.spsr:#x} entry {t.entry}\n    " + "\n    ".join(found))
    assert not wrong, f"{len(wrong)} of {len(traps)} differ\n" + "\n".join(wrong[:8])
    return len(traps)


def registers(dice: random.Random) -> Tuple[int, ...]:
    return tuple(dice.getrandbits(64) >> dice.choice((0, 0, 0, 32, 56, 64)) for _ in range(31))


def trap(dice: random.Random, esr: int, **more: int) -> Trap:
    far, hpfar = more.get("far", dice.getrandbits(64)), more.get("hpfar", dice.getrandbits(40) << 4)
    spsr = dice.choice(SPSR if esr >> 26 == DABT else SPSR[:8])
    if esr >> 26 == DABT and spsr & 0x10 and dice.randrange(2):
        esr &= ~(1 << 25)                           # an instruction of two bytes
    return Trap(registers(dice), dice.getrandbits(62) << 2, spsr, esr, far, hpfar)


def sysregs(dice: random.Random, policy: Policy) -> Iterator[Trap]:
    """One encoding in eight, every one that the policy or the architecture names, and addresses for DC and IC."""
    named = {key for entry in policy.entries if entry.section == "sysregs" and entry.size < 64
             for low, high in entry.ranges for key in range(low, high + 1)}
    cache = [1 << 14 | op1 << 11 | 7 << 7 | crm << 3 | 1 for op1 in (0, 3) for crm in (4, 5, 6, 10, 11, 12, 13, 14)]
    keys = [*named, *range(0xc008, 0xc040), *cache * 32, *[*range(SGI_KEYS, SGI_KEYS + 3)] * 2,
            *(dice.randrange(1 << 14, 1 << 16) for _ in range(4000))]
    for key in keys:
        op0, op1, crn, crm, op2 = split_key(key)
        iss = op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1
        for direction in (0, 1):
            t = trap(dice, SYSREG << 26 | 1 << 25 | iss | dice.randrange(32) << 5 | direction)
            rt = t.esr >> 5 & 31
            if key in cache and rt < 31:
                va = dice.choice(ADDRESSES) + dice.randrange(64)
                t = replace(t, x=(*t.x[:rt], va, *t.x[rt + 1:]))
            elif key >> 3 == SGI_KEYS >> 3 and rt < 31 and dice.randrange(2):   # without a target
                t = replace(t, x=(*t.x[:rt], t.x[rt] & ~(1 << 40 | 0xffff), *t.x[rt + 1:]))
            yield t


def accesses(dice: random.Random, policy: Policy) -> Iterator[Trap]:
    """Both sides of every border of the policy, in every width and direction; inside windows; beyond them; no syndrome."""
    places = [at + d for w in policy.windows for at in (w.base, w.base + w.size) for d in range(-9, 9)]
    places += [low + d for e in policy.entries if e.section == "mmio" for low, _ in e.ranges for d in (-4, -1, 0, 1, 4)]
    places += [w.base + dice.randrange(w.size) & ~3 for w in policy.windows for _ in range(60)]
    offsets = (0, 1, 4, 0x17, 0x18, 0x19, 0x100, 0x104, 0x120, 0x3fc, 0x400, 0x410, 0x804, 0x810)
    places += [w.base + at for w in policy.windows for at in offsets]
    places += [0x3ffffffc, 0x3fffffff, 0x40000000, 0x70000000, 0x1000000000, 0xffffffffff]
    for ipa in places:
        for log2 in range(4):
            for write in (0, 1):
                kind = dice.randrange(16)
                esr = DABT << 26 | 1 << 25 | 1 << 24 | log2 << 22 | dice.randrange(2) << 21 | dice.randrange(32) << 16
                esr |= dice.randrange(2) << 15 | write << 6 | (0x0f if kind == 0 else 0x07)
                if kind in (1, 2, 3):               # a walk, maintenance, no syndrome
                    esr = esr & ~(0x1ff << 16) | (0x80, 0x100, 0)[kind - 1]
                value = abs(ipa)
                far = value & 0xfffff000 | dice.randrange(2) << 44 if kind == 0 else dice.getrandbits(45) << 12
                for rt in (0, dice.randrange(32) << 16):    # the second time the lookup cache has its row
                    yield trap(dice, esr ^ rt, far=far | value & 0xfff, hpfar=value >> 12 << 4)
    # Where HPFAR_EL2 is UNKNOWN it may hold anything, and so may the lookup cache.
    word, windows = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22, [w.base for w in policy.windows]
    for (one, other), write in product(zip(windows, windows[1:]), (0, 1 << 6)):
        for status in (0xf, 0x7, 0xf, 0x3, 0xb):
            for at, ipa in ((one, one), (one, other), (other, one)):
                yield trap(dice, word | status | write, far=ipa + 4, hpfar=at >> 8)
    # Guest RAM, at both sides of every border of `memory`: stores of each width, with a syndrome and without, instructions.
    for low, high in evaluator(policy).cells("memory", ((RAM, RAM + RAM_SIZE - 1),)):
        for ipa in {low, low + 0x3f8, low + 0xffd, high - 7, high, max(low - 8, RAM)}:
            for log2, told, ec, code in product(range(4), (0, 1 << 24), (DABT, IABT), (0, 0x40000000)):
                esr = ec << 26 | 1 << 25 | (told | log2 << 22 | dice.randrange(32) << 16 | 0x4f if ec == DABT else 0xf)
                yield replace(trap(dice, esr, far=ipa), elr=code + dice.randrange(0x20000) * 4)
    # There the guest's tables give the IPA, for the level of the access, or no IPA.
    for bit, walk, cm, write, spsr in product((0, 44, 45, 46), (0, 0x80), (0, 0x100), (0, 0x40), (0x3c5, 0x3c0, 0x10)):
        far = (1 << bit if bit else 0) | windows[-1] + 4
        esr = (DABT << 26 | 1 << 25 if cm or walk else word) | 0xf | walk | cm | write
        yield replace(trap(dice, esr, far=far, hpfar=windows[0] >> 8), spsr=spsr)


def calls(dice: random.Random, policy: Policy) -> Iterator[Trap]:
    numbers = [low + d for e in policy.entries if e.section in CALLS for low, _ in e.ranges for d in (-1, 0, 1)]
    numbers += [0xc4000003, 0x84000003] * 8
    numbers += [*range(8), *range(0x84000000, 0x84000014), *range(0xc4000000, 0xc4000014), 0x80000000, 0x80000001]
    edges = (0, 1, 2, 3, 4, 0x40000000, 0x40002fc1, 0x6ffffffe, 0x6fffffff, 0x70000000, 0x3fffffff, 0x80000001,
             0xc4000003, 0x60000000, 1 << 63, 0x6fffeff0, 0x6ffffffc)
    texts = ((0x40000000, 65), (0x6fffffff, 1), (0x6ffffff0, 17), (0x70000000, 0), (0x40000ff0, 5000), (0x40000001, 64),
             (0x40000000, 63), (0x6ffff000, 4096), (0x40000800, 128))
    for number in [n & 0xffffffff for n in numbers] * 3:
        for ec in (HVC, SMC):
            x = [dice.choice(edges) if n in (1, 2) else v for n, v in enumerate(registers(dice))]
            x[0] = number | (dice.choice((1, dice.getrandbits(32))) << 32 if dice.randrange(12) == 0 else 0)
            if number & 0xff == 3 and dice.randrange(2):
                x[1], x[2] = 1, dice.choice((0x40000000, 0x40002fc1, 0x6ffffffc, 0x6ffffffe, 0x70000000, 0x3ffffffc))
            if number == 4 and dice.randrange(2):
                x[1], x[2] = dice.choice(texts)
            immediate = dice.choice((1, 1 << 15, dice.getrandbits(16))) if dice.randrange(12) == 0 else 0
            yield Trap(tuple(x), dice.getrandbits(62) << 2, dice.choice(SPSR[:2]), ec << 26 | 1 << 25 | immediate,
                       sctlr=dice.choice((0, 1, 4, 5, 0x1005)))
    # Functions whose arguments count: each border with each.
    cpus = (0, 1, 5, 6, 7, 8, 255, 256, 257, 1 << 32, 1 << 63 | 1)
    places = (0x3ffffffc, 0x40000000, 0x40000002, 0x40000001, 0x6ffffffc, 0x6ffffffd, 0x70000000)
    functions = (0x7fffffff, 0x80000000, 0x80000001, 0x80000002, 0x84000000, 0xc4000003, 1 << 32 | 0x80000000, 5, 9)
    asked = [*product((0xc4000003, 0x84000003), cpus, places),
             *product((0xc4000004, 0x84000004), cpus, (0, 1, 3, 4, 1 << 32)),
             *product((0x80000001, 0x8400000a), functions, (0,)), *product((0, 2), (*range(6), 1 << 32), (0,))]
    # an immediate is no part of x0, whichever of the two the lookup cache has
    odd = [(x0, immediate) for n in (0, 1, 0x84000000) for x0, immediate in (
        (1 << 48 | n | 1 << 31, 0), (n | 1 << 31, 1), (n, 1), (n, 0), (n, 1), (1 << 48 | n, 0), (1 << 32 | n, 0),
        (n, 0))]
    for (x0, immediate), ec in product(odd, (HVC, SMC)):
        yield Trap((x0, *[0] * 30), 0x40000000, 0x3c5, ec << 26 | 1 << 25 | immediate)
    asked += [(5, ec << 26 | dice.getrandbits(26), dice.getrandbits(64)) for ec in range(64)]      # the reported class
    for (number, x1, x2), ec in product(asked, (HVC, SMC)):
        yield Trap((number, x1, x2, *registers(dice)[3:]), dice.getrandbits(62) << 2, 0x3c5, ec << 26 | 1 << 25)


def exceptions(dice: random.Random, policy: Policy) -> Iterator[Trap]:
    for ec in range(64):
        if ec in (HVC, SMC, SYSREG, DABT):
            continue
        for spsr in SPSR:
            for fault in (0x0, 0x7, 0xf, 0x90 if ec == IABT else 0x22):
                for entry in (0, 1, 2) if spsr & 0x10 else (0, 2):
                    t = trap(dice, ec << 26 | dice.randrange(2) << 25 | fault | 0x8000)
                    yield Trap(t.x, t.elr, spsr, t.esr, t.far & ~(dice.randrange(2) << 46), t.hpfar, entry=entry)


# Of each kind that EL2 makes, and of those that it does not.
FORMS = """\
ldr w1, [x2], #4; ldr w1, [x2, #-4]!; ldr x1, [x2], #8; ldrb w1, [x2], #1; ldrh w1, [x2, #2]!; ldrsb w1, [x2], #1
ldrsb x1, [x2, #1]!; ldrsh x1, [x2], #-2; ldrsh w1, [x2], #2; ldrsw x1, [x2], #4; ldr wzr, [x2], #4; ldr x1, [sp], #16
str w1, [x2], #4; str x1, [x2, #8]!; strb w1, [x2], #1; strh w1, [x2, #-2]!; str wzr, [x2], #4; str x1, [sp, #-16]!
ldp w1, w3, [x2]; ldp x1, x3, [x2, #16]; ldp x1, x3, [x2], #16; ldp w1, w3, [x2, #-8]!; ldp x1, x2, [x2]; ldp x3, xzr, [sp]
ldpsw x1, x3, [x2]; ldpsw x1, x3, [x2], #8; ldnp w1, w3, [x2]; ldnp x1, x3, [x2, #8]
stp w1, w3, [x2]; stp x1, x3, [x2, #16]; stp x1, x3, [x2], #16; stp w1, w1, [x2, #-8]!; stp xzr, x30, [sp, #-16]!
stnp w1, w3, [x2]; stnp x1, x3, [x2]
ldr b1, [x2]; ldr h1, [x2, #2]; ldr s1, [x2, #4]; ldr d1, [x2], #8; ldr q1, [x2]; ldur q31, [x2, #-16]; ldr q0, [x2, #16]!
ldr s1, [x2, x4]; ldr d1, [x2, x4, lsl #3]; ldr s1, [x2, w5, sxtw #2]; ldr s1, [x2, w5, uxtw]; ldr q1, [x2, x4, sxtx #4]
str b1, [x2], #1; str h1, [x2]; stur s1, [x2, #-4]; str d1, [x2, #8]; str q1, [x2], #16; str q31, [sp]; str s1, [x2, x4]
ldp s1, s3, [x2]; ldp d1, d3, [x2], #16; ldp q1, q3, [x2]; ldp q31, q0, [sp], #32; ldnp d1, d3, [x2]; ldnp q1, q3, [x2]
stp s1, s3, [x2]; stp d1, d3, [x2, #-16]!; stp q1, q3, [x2]; stnp s1, s3, [x2]; stnp q1, q3, [x2, #16]
ldr w2, [x2], #4; ldp x1, x1, [x2]; ldp x1, x2, [x2], #16; stp x2, x3, [x2, #16]!; ldxr w1, [x2]; stxr w4, w1, [x2]
ldadd w1, w3, [x2]; cas w1, w3, [x2]; swp x1, x3, [x2]; ld1 {v1.16b}, [x2]; st1 {v1.s}[1], [x2], #4; dc zva, x2
ld1b {z1.b}, p0/z, [x2]; ldr w1, [x2]; ldtr w1, [x2]; ldxp x1, x3, [x2]; nop; prfm pldl1keep, [x2]; ldar w1, [x2]
"""


def instructions(dice: random.Random, policy: Policy) -> Iterator[Trap]:
    """Accesses without a syndrome: inside windows, around their borders and pages, with all that can stand in the way."""
    lines = [line.strip() for line in FORMS.replace("\n", ";").split(";") if line.strip()]
    with tempfile.TemporaryDirectory() as scratch:
        words = a64_access.assembled(lines, Path(scratch))
        forms = [a64_access.read(text, (0,) * 31) for text in a64_access.disassembled(words, Path(scratch))]
    places = [w.base + at for w in policy.windows for at in (0, 4, 0x18, 0x20, 0x100, 0x3f8, 0x400, 0x7fc, 0x800)]
    places += [w.base + w.size - at for w in policy.windows for at in (4, 8, 16)]
    places += [low - 4 for e in policy.entries if e.section == "mmio" for low, _ in e.ranges if low][:200]
    places += [0x40000000 - 4, 0x40000000 - 8, 0x70000000 - 4, 0x70000000 - 16, 0x70000000, 0x1000000000]
    for (word, form), at in product(zip(words, forms), places):
        if dice.randrange(3):
            continue
        odd = dice.choice((*[""] * 10, "unaligned", "bit", "far", "fault", "direction", "endian", "vectors", "pc", "state"))
        x = list(registers(dice))
        x[4], x[5] = dice.choice((0, 1, 2)), dice.choice((0, 1, 0xffffffff, 0xffffffff00000000))
        first = form.first if form and form.base == 2 else 0
        size = form.size * len(form.registers) if form else 4
        address = at & ~(min(form.size if form else 4, 8) - 1) | dice.choice((0, 0, 1, 0x10)) << 56
        address += dice.choice((1, 2, 4)) if odd == "unaligned" else 1 << dice.randrange(43, 47) if odd == "bit" else 0
        x[2] = address - first & MASK
        near, elsewhere = (0, 0, 0, min(size // 2, 8), size - 1), (size, -1, -4, 1 << 30)
        far = address + dice.choice(elsewhere if odd == "far" else near) & MASK
        far ^= dice.choice((0, 0, 0, 0x25)) << 56
        write = bool(form and not form.load) != (odd == "direction")
        esr = DABT << 26 | 1 << 25 | write << 6 | dice.choice((0x10, 0x11, 0x21) if odd == "fault" else (3, 5, 7, 0xb))
        elr = 0x40010000 + 4 * dice.randrange(64) | (dice.choice((1 << 45, 1 << 46, 1 << 31)) if odd == "pc" else 0)
        spsr = dice.choice((0x10, 0x30) if odd == "state" else (0x3c5, 0x3c5, 0x3c4, 0, 0x200000))
        fpen = dice.choice((0, 1, 2, 7)) if odd == "vectors" else 3
        sctlr = 5 | fpen << 32 | (dice.choice((1, 2, 3)) << 24 if odd == "endian" else 0)
        yield Trap(tuple(x), elr, spsr, esr, far, (far & 0xffffffff) >> 12 << 4, x[2] - 64 * (spsr == 0x3c5) & MASK, word << 32,
                   sctlr)


def conditions(dice: random.Random, policy: Policy) -> Iterator[Trap]:
    """Of each entry with conditions: every border, every bit of what a write may not change or clear, each level and PC."""
    reference = evaluator(policy)
    for entry in policy.entries:
        for direction, action in entry.actions.items():
            if not action.where or entry.section == "features":
                continue
            key = next(key for key in keys(entry.ranges) if reference.entry(entry.section, key, direction) is entry)
            for width in (1, 2, 4, 8) if entry.section == "mmio" else (4,):
                access = Access(entry.section, key, direction, width)
                for inputs in borders(asked_of(reference, access), bits_of(access)):
                    yield conditional(dice, access, inputs)


def conditional(dice: random.Random, access: Access, inputs: Inputs) -> Trap:
    """The access with these inputs. The host chooses the value that a register holds; `value` is made from it."""
    x, rt = list(registers(dice)), dice.randrange(4, 31)
    far = hpfar = 0
    if access.section == "sysregs":
        op0, op1, crn, crm, op2 = split_key(access.key)
        esr = SYSREG << 26 | 1 << 25 | op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1 | rt << 5
        esr |= access.direction == "read"
        x[rt] = inputs.value
    elif access.section == "mmio":
        esr = DABT << 26 | 3 << 24 | (access.width.bit_length() - 1) << 22 | rt << 16 | (access.direction == "write") << 6 | 7
        x[rt] = inputs.value | dice.getrandbits(64) << 8 * access.width & MASK
        far, hpfar = access.key & 0xfff, access.key >> 12 << 4
    elif access.section == "memory":
        esr = DABT << 26 | 3 << 24 | 3 << 22 | rt << 16 | 0x4f
        far = access.key
    elif access.section in CALLS:
        esr = (HVC if access.section == "hvc" else SMC) << 26 | 1 << 25
        x[:4] = access.key, inputs.x1, inputs.x2, inputs.x3
    else:
        esr = access.key << 26 | 1 << 25
    behind = 4 if access.section == "hvc" else 0
    return Trap(tuple(x), (inputs.pc + behind) & MASK, 0x3c5 if inputs.level else 0x3c0, esr, far, hpfar)


KINDS: List[Kind] = [sysregs, accesses, calls, exceptions, instructions]


@pytest.mark.parametrize("kind", KINDS)
def test_a_trap_does_what_the_policy_says(host: Host, kind: Kind) -> None:
    traps = list(kind(random.Random(6), host.policy))
    assert compare(host, traps) > 500


@pytest.mark.parametrize("host", [("conditional", "enforce"), ("conditional", "audit")], indirect=True, ids="-".join)
def test_conditions_hold_up_to_their_borders(host: Host) -> None:
    traps = list(conditions(random.Random(8), host.policy))
    for t in [t for t in traps if t.esr >> 26 == SYSREG and not t.esr & 1]:     # each bit against the value held
        expected = [op for op in host.model.expect(t).ops if op[0] == REPLAY_READ]
        for bit in range(64) if expected else ():
            rt = t.esr >> 5 & 31
            held = expected[0][1] * GOLDEN & MASK
            traps += [replace(t, x=(*t.x[:rt], value, *t.x[rt + 1:])) for value in (held ^ 1 << bit, held & ~(1 << bit), held)]
    # Equal ones, one after the other, would be one record.
    apart = {(t.esr, t.elr, t.spsr, t.far, t.hpfar, t.x[t.esr >> 5 & 31], t.x[:4], t.x[t.esr >> 16 & 31]): t for t in traps}
    assert compare(host, list(apart.values())) > 500


def test_a_register_that_el2_lacks_too_is_undefined_to_the_guest(host: Host) -> None:
    """The guest changes only as UNDEFINED changes it, and a record says so, whatever the rule logs."""
    replays = (REPLAY_READ, REPLAY_WRITE)
    traps = [t for t in sysregs(random.Random(7), host.policy) if host.model.expect(t).ops[-1:] and
             host.model.expect(t).ops[-1][0] in replays]
    absent = [replace(t, entry=ABSENCE) for t in traps]
    wire, _ = run(host.program, b"".join(t.pack() for t in absent))
    at = len(wire) - ANSWER.size * len(absent)
    rows = list(verify.ROW.iter_unpack(wire[:at]))
    for t, raw in zip(traps, ANSWER.iter_unpack(wire[at:])):
        out, there = answered(raw, rows, load_contract().verdicts), host.model.expect(t)
        expected = Outcome([*t.x, 0], 0, 0)
        host.model.take(t, expected, 1 << 25)
        assert (out.x[:31], out.elr, out.spsr, out.injected) == \
            (list(t.x), expected.elr, expected.spsr, expected.injected), hex(t.esr)
        # The register reads as zero to a condition, which may then lead elsewhere.
        assert [op[0] for op in out.ops][:len(there.ops)] == [op[0] for op in there.ops] and out.rule == there.rule, hex(t.esr)
        info = load_contract().verdicts.index("INJECT") | (t.spsr >> 2 & 3) << 4 | 0x80 | 1 << 16
        assert out.recorded == (t.xr(t.esr >> 5 & 31), 0, 0, t.elr, t.esr & 0xffffffff, info), hex(t.esr)
    assert len(traps) > 20 or host.policy.name in ("strict", "linux-strict")    # which lets few accesses pass
    # Of a rule that logs nothing it is logged once: the guest must not fill the log with it.
    again = [replace(t, entry=ABSENCE | KEEP) for t, raw in zip(traps, ANSWER.iter_unpack(wire[at:]))
             if not host.model.expect(t).recorded][:1] * 3
    if again:
        wire, _ = run(host.program, b"".join(t.pack() for t in [*again, replace(again[0], entry=ABSENCE | STREAMS)]))
        seen_again = [*ANSWER.iter_unpack(wire[-4 * ANSWER.size:])]
        assert [a[49] for a in seen_again][:3] == [1, 0, 0] and seen_again[3][91], "told in text mode"


Ask = Callable[[List[Trap]], bytes]


def asker(program: Path) -> Ask:
    return lambda traps: run(program, b"".join(t.pack() for t in traps))[0]


def seen(ask: Ask, traps: List[Trap]) -> List[Outcome]:
    wire = ask(traps)
    at = len(wire) - ANSWER.size * len(traps)
    rows = list(verify.ROW.iter_unpack(wire[:at]))
    return [answered(raw, rows, load_contract().verdicts) for raw in ANSWER.iter_unpack(wire[at:])]


def check_limits(ask: Ask) -> None:
    """`crowded`: refused calls may come five times a second; the sixth ends the guest. The same for other rules."""
    again = replace(Trap((9, *[0] * 30), 0x40000000, 0x3c5, HVC << 26 | 1 << 25), entry=KEEP)
    flood = [replace(again, entry=0), *[again] * 5, replace(again, sp_el0=FREQUENCY // 5), again,
             replace(again, sp_el0=FREQUENCY * 10), *[again] * 5]
    assert [o.verdict for o in seen(ask, flood)] == ["DENY"] * 5 + ["KILL", "DENY", "KILL"] + ["DENY"] * 5 + ["KILL"]
    other = replace(again, x=(0,) * 31, esr=SYSREG << 26 | 1 << 25 | 3 << 20 | 6 << 10 | 4 << 1)    # seven times
    assert [o.verdict + o.end for o in seen(ask, [other] * 9)] == ["DENY"] * 7 + ["KILLk"] * 2
    word = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 7
    third = replace(other, esr=word, far=0x3fc, hpfar=0x9030 << 4)      # gpio's register: three times, then ask
    assert [MONITOR in [op for op, *_ in o.ops] for o in seen(ask, [third] * 5)] == [False] * 3 + [True] * 2


def check_once(ask: Ask) -> None:
    """`crowded`: `log: once` logs each register, place, function and direction once."""
    again = Trap((9, *[0] * 30), 0x40000000, 0x3c5, HVC << 26 | 1 << 25, entry=KEEP)
    word = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 7

    def small(at: int, esr: int = word) -> Trap:
        return replace(again, esr=esr, far=0xffc + at, hpfar=0xb000 << 4)

    byte, write = word & ~(2 << 22), word | 1 << 6
    call, brk = replace(again, x=(0x86000005, *[0] * 30)), replace(again, esr=0x3c << 26 | 1 << 25)
    cases = [(small(0), True), (small(0), False), (small(0, write), True), (small(0, write), False),
             (small(2, byte), False), (small(2, byte | 1 << 6), False), (call, True), (call, False),
             (replace(call, x=(0x86000006, *[0] * 30)), True), (replace(call, x=(0x86000004, *[0] * 30)), True),
             (call, False), (brk, True),
             *((replace(brk, esr=ec << 26 | 1 << 25), True) for ec in (0x07, 0x27, 0x0c, 0x2c)),
             (replace(brk, esr=0x0c << 26 | 1 << 25), False),
             (replace(brk, esr=brk.esr | 7), False), (small(0, write), False)]
    read = SYSREG << 26 | 1 << 25 | 3 << 20 | 2 << 10 | 1 << 17 | 1     # TTBR1_EL1 of `mmu`: log once
    other = replace(again, esr=read ^ 3 << 17)                  # TCR_EL1: another register of the same rule
    traps = [replace(again, esr=read, entry=0), replace(again, esr=read), other, other, replace(again, esr=read & ~1),
             replace(again, esr=read), replace(again, esr=read | 7 << 5)]
    firsts = [True, False, True, False, True, False, False]
    assert [o.recorded is not None for o in seen(ask, traps)] == firsts
    for n, (outcome, (_, first)) in enumerate(zip(seen(ask, [t for t, _ in cases]), cases)):
        assert (outcome.recorded is not None) == first, n


def check_interrupts(ask: Ask) -> None:
    def ops(*irqs: int, work: int = 0) -> List[Tuple[int, ...]]:
        t = Trap((0,) * 31, 0x40000000, 0x3c5, 0, far=int.from_bytes(bytes(irqs), "little"), sp_el0=work,
                 entry=3 | (WORK if work else 0))
        raw = ANSWER.unpack(ask([t])[-ANSWER.size:])
        assert raw[32] == t.elr and list(raw[:31]) == list(t.x) and not raw[42], "an interrupt changes the guest"
        return [tuple(raw[59 + 4 * i:63 + 4 * i]) for i in range(min(raw[58], OPS))]

    idle = Trap((0,) * 31, 0x40000000, 0x3c5, 0, entry=3 | WORK)
    for irq in (23, 27, 30):                        # the guest's own: it ends them
        assert ops(irq) == [(DROP, irq, 0, 0), (PHYSICAL, irq, 0, 0)]
    debug, devices = (DEBUG, 0, 0, 0), [(VIRTIO, 0, 0, 0), (RTC, 0, 0, 0)]
    stops, twice, raises = 1 << 16, 1 << 17, 1 << 18
    for irq, what in ((33, [(INPUT, 0, 0, 0)]), (2, [(TICK, 0, 0, 0), (DEBUG, 1, 0, 0), *devices]),
                      (25, [(MAINTENANCE, 0, 0, 0)]), (26, [(TICK, 1, 0, 0)])):
        assert ops(irq) == [(DROP, irq, 0, 0), *what, (DEACTIVATE, irq, 0, 0)]
    assert ops(200) == [(DROP, 0, 0, 0), *devices, (DEACTIVATE, 0, 0, 0), (FLUSH, 0, 0, 0)]       # trap_host.c: SGI 0
    assert ops(1) == [(DROP, 1, 0, 0), (DEACTIVATE, 1, 0, 0), (PARK, 0, 0, 0)]
    assert ops(79) == [(DROP, 79, 0, 0), (DEACTIVATE, 79, 0, 0)]
    assert ops(80) == [(DROP, 80, 0, 0), (DISABLE, 0, 80, 0), (DEACTIVATE, 80, 0, 0)], "nobody's: never again"
    assert ops(27, 33) == ops(27) + ops(33) and ops() == []
    # Pending work: the virtual GIC, the operator, input behind a key, a line for the operator.
    flush, monitor, typed = (FLUSH, 0, 0, 0), (MONITOR, ord("k"), 0, 0), (INPUT, 0, 0, 0)
    assert ops(work=1) == [flush] and ops(work=2048) == [typed] and ops(work=8) == [(NOTE, 8, 0, 0)]
    assert ops(work=4) == [monitor, typed] and ops(work=5) == [monitor, typed, flush]
    assert [op for op, *_ in ops(0, work=1 | 512)] == [NOTE, FLUSH]
    assert ops(work=64) == [debug] and ops(work=1 | stops) == [flush]
    assert ops(work=64 | stops) == [debug, monitor, typed] and ops(work=4 | twice) == [monitor, monitor, typed]
    assert ops(work=2048 | raises) == [typed, flush] and ops(work=2) == [] == ops(work=16)
    lines = [ANSWER.unpack(ask([replace(idle, sp_el0=work)])[-ANSWER.size:])[91] for work in (1, 2, 16)]
    assert lines[:2] == [0, 0] and lines[2], "the log is written when the operator asks"
    # A storm ends after sixteen; 1020 to 1023 are no interrupts.
    assert ANSWER.unpack(ask([replace(idle, far=255, entry=3)])[-ANSWER.size:])[58] == 32
    assert ops(219) == [(DROP, 1019, 0, 0), (DISABLE, 0, 1019, 0), (DEACTIVATE, 1019, 0, 0)]
    assert [ops(n) for n in range(220, 224)] == [[]] * 4


def check_dumps(ask: Ask) -> None:
    """DUMP_LOG writes the log ten times a second, no more often."""
    dump = Trap((1, *[0] * 30), 0x40000000, 0x3c5, HVC << 26 | 1 << 25, entry=KEEP)
    soon, due = replace(dump, sp_el0=FREQUENCY // 10 - 10000), replace(dump, sp_el0=10000)
    outcomes = seen(ask, [replace(dump, entry=0), dump, soon, due, dump, soon, due])
    wrote = [o.lines > 0 for o in outcomes]
    assert wrote == [True, False, False, True, False, False, True], wrote
    assert [o.x[0] for o in outcomes] == [o.lines for o in outcomes]


def check_work(ask: Ask) -> None:
    """Pending work is done behind a trap of any kind, once, and changes nothing of the trap. Each is a machine's first."""
    word = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 7
    for esr, x0, far, hpfar in (
            (HVC << 26 | 1 << 25, 0, 0, 0), (SMC << 26 | 1 << 25, 0, 0, 0), (DABT << 26 | 1 << 25, 0, 0, 0),
            (SMC << 26 | 1 << 25, 0x86000002, 0, 0), (HVC << 26 | 1 << 25, 0x84000000, 0, 0),
            (HVC << 26 | 1 << 25, 9, 0, 0), (SMC << 26 | 1 << 25, 9, 0, 0),
            (SYSREG << 26 | 1 << 25 | 3 << 20 | 1 << 10 | 1 << 1 | 1, 0, 0, 0), (word, 0, 4, 0x8000 << 4),
            (word | 1 << 6, 0, 0x100, 0x8000 << 4), (word, 0, 0, 0x9010 << 4), (word | 1 << 6, 0, 0, 0x9030 << 4),
            (word & ~(1 << 24), 0, 0, 0x9010 << 4), (7 << 26 | 1 << 25, 0, 0, 0), (1 << 26 | 1 << 25, 0, 0, 0)):
        t = Trap((x0, *[0] * 30), 0x40000000, 0x3c5, esr, far=far, hpfar=hpfar, entry=KEEP)
        # another record between them: equal ones would be joined
        between = replace(t, x=(0x90000000, *[0] * 30), esr=SMC << 26 | 1 << 25, entry=0)
        alone, _, flushed, _, opened = seen(ask, [replace(t, entry=0), between, replace(t, sp_el0=1, entry=WORK),
                                                  between, replace(t, sp_el0=4, entry=WORK)])
        assert alone.recorded == flushed.recorded == opened.recorded, hex(esr)
        ops = [op for op in alone.ops if op[0] != WFI]
        assert flushed.ops == [*ops, (FLUSH, 0, 0, 0)], (hex(esr), flushed.ops)
        assert opened.ops == [*ops, (MONITOR, ord("k"), 0, 0), (INPUT, 0, 0, 0)], (hex(esr), opened.ops)
        assert (alone.elr, alone.x, alone.injected) == (flushed.elr, flushed.x, flushed.injected), hex(esr)


def check_idle(ask: Ask) -> None:
    """In WFI, EL2 writes refusals to the line, but not into the guest's own line."""
    refused = Trap((9, *[0] * 30), 0x40000000, 0x3c5, SMC << 26 | 1 << 25, entry=KEEP)
    waits = replace(refused, esr=1 << 26 | 1 << 25)
    outcomes = seen(ask, [refused, waits, *(replace(waits, entry=KEEP | mode) for mode in (MIDLINE, TELLS, TELLS))])
    assert [o.lines > 0 for o in outcomes] == [False, False, False, True, False]


def check_told(ask: Ask) -> None:
    """In text mode a record is on the line before the guest goes on, the first time and when the lookup cache has its
    row."""
    word, read = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 7, SYSREG << 26 | 1 << 25 | 1 | 3 << 20 | 4 << 1
    for esr, x0, at in ((word, 0, 0x8000), (word, 0, 0x80000), (read, 0, 0), (HVC << 26 | 1 << 25, 1, 0),
                        (HVC << 26 | 1 << 25, 5, 0)):           # a report of an exception is logged, too
        one = Trap((x0, *[0] * 30), 0x40000000, 0x3c5, esr, far=4, hpfar=at << 4, entry=STREAMS)
        told = [o.lines for o in seen(ask, [one, *[replace(one, entry=KEEP | STREAMS)] * 3])]
        assert all(told), (hex(esr), told)


def check_features(ask: Ask) -> None:
    """PAN, SSBS, TCO, ALLINT and EXLOCK as AArch64.TakeException() sets them on a CPU that has them."""
    pan, ssbs, tco, span, dssbs = 1 << 22, 1 << 12, 1 << 25, 1 << 23, 1 << 44
    cases = [(sctlr, has) for sctlr in (0, span, dssbs, span | dssbs, ~(span | dssbs) & MASK)
             for has in (*range(1, 4), 8, *(n << 4 for n in (1, 2, 8)), *(n << 8 for n in (1, 2, 3, 8)), 0x333, 0x212)]
    traps = [Trap((0,) * 31, 0x40000000, 0x3c0, 0, entry=FEATURES, sp_el0=has, sctlr=sctlr) for sctlr, has in cases]
    for outcome, (sctlr, has) in zip(seen(ask, traps), cases):
        state = (pan if has & 0xf and not sctlr & span else 0) | (ssbs if has & 0xf0 and sctlr & dssbs else 0)
        assert outcome.spsr == 0x3c5 | state | (tco if has >> 8 >= 2 else 0), (hex(sctlr), hex(has))
    allint, spintmask, exlock, locked = 1 << 13, 1 << 62, 1 << 34, 1 << 6 << 32
    more = [(sctlr, has, spsr) for sctlr in (span, span | spintmask)
            for spsr in (0x3c5, 0x3c4, 0x3c0, 0x10, 1 << 34 | 0x3c5)
            for has in (0x1000, 0x8000, 0x10000, 0x10000 | locked, 0x80000 | locked,
                        0x11000 | 0xffffffbf << 32, 0xff000 | locked, locked | 1)]
    traps = [Trap((0,) * 31, 0x40000000, spsr, 0, entry=FEATURES, sp_el0=has, sctlr=sctlr) for sctlr, has, spsr in more]
    for outcome, (sctlr, has, spsr) in zip(seen(ask, traps), more):
        same = not spsr & 0x10 and spsr & 0xf != 0          # from EL1 itself
        assert outcome.spsr == 0x3c5 | (allint if has & 0xf000 and not sctlr & spintmask else 0) | \
            (exlock if has & 0xf0000 and has & locked and same else 0), (hex(sctlr), hex(has), hex(spsr))


def check_serror(ask: Ask) -> None:
    """VSESR_EL2 is written before an SError is pending, on a CPU that has it."""
    word = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 1 << 6 | 7    # a write of small's neighbour: serror
    for has, vsesr in ((1, 0), (0x100001, 1 << 24), (0x800001, 1 << 24)):
        raw = [*ANSWER.iter_unpack(ask([Trap((5,) * 31, 0x40000000, 0x3c5, word, far=0x800, hpfar=0xa000 << 4,
                                             sp_el0=has, entry=FEATURES)])[-ANSWER.size:])][0]
        assert raw[39] >> 8 & 1 and raw[92] == vsesr, hex(has)


def check_rights(ask: Ask) -> None:
    """DC ZVA zeroes memory that a store could write: at EL0 none of EL1's, under PSTATE.PAN none of EL0's."""
    def zeroed(va: int, spsr: int, has: int = 0) -> bool:
        zva = SYSREG << 26 | 1 << 25 | 1 << 20 | 1 << 17 | 3 << 14 | 7 << 10 | 4 << 1
        seen_one = seen(ask, [Trap((va, *[0] * 30), 0x40000000, spsr, zva, sp_el0=has, entry=FEATURES)])[0]
        assert (seen_one.injected is None) == (seen_one.zeroed[1] > 0) == (seen_one.elr == 0x40000004)
        return seen_one.zeroed[1] > 0

    kernel, user = 1 << 45 | 0x40000100, 0x40000100
    assert zeroed(kernel, 0x3c5) and zeroed(user, 0x3c5) and zeroed(user, 0x3c0) and not zeroed(kernel, 0x3c0)
    assert zeroed(kernel, 0x3c5 | 1 << 22) and not zeroed(user, 0x3c5 | 1 << 22)
    # FEAT_PAN2 brings the AT instruction that heeds PAN
    assert [zeroed(user, 0x3c5 | 1 << 22, has) for has in (1, 3, 8, 0x110)] == [True, False, False, True]


def check_high_addresses(ask: Ask) -> None:
    """All that is above the map is one place for `log: once`."""
    load_word = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 7
    traps = [Trap((0,) * 31, 0x40000000, 0x3c5, load_word, hpfar=ipa >> 12 << 4, entry=KEEP if n else 0)
             for n, ipa in enumerate((0x80000000, 0x80000000, 1 << 40 | 0x80000000, 1 << 51 | 0x80000000, 0x80000000))]
    assert [o.recorded is not None for o in seen(ask, traps)] == [True] + [False] * 4


def check_places(ask: Ask) -> None:
    """`places`: a window without registers, and what lies between windows, is one place for `log: once`: as a whole, but
    for the direction. One that has registers is each address."""
    word = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 7
    cases = [(0x0, True), (0x4, False), (0x7fffffc, False),             # flash: nothing is there
             (0x9010000, True), (0x9010004, True), (0x9010000, False),  # rtc, a device
             (0x9011000, True), (0x9ff0000, False), (0x9020000, False),     # up to the next window
             (0xb000000, True), (0xb000010, True), (0xb000ffc, True), (0xb000000, False),   # windows with `regs:`
             (0xb001000, True), (0x3ffffffc, False), (0x90000000, False), (0xb000ffc, False), (1 << 51, False)]
    traps = [Trap((0,) * 31, 0x40000000, 0x3c5, word | write, far=ipa & 0xfff, hpfar=ipa >> 12 << 4,
                  entry=KEEP if n or write else 0) for write in (0, 1 << 6) for n, (ipa, _) in enumerate(cases)]
    told = [o.recorded is not None for o in seen(ask, traps)]
    assert told == [first for _, first in cases] * 2, [(hex(t.far | t.hpfar << 8), one) for t, one in zip(traps, told)]


def check_directions(ask: Ask) -> None:
    """`traced`: `log: once` logs reads and writes of each address, once each, under the same row."""
    word = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 7
    read = Trap((0,) * 31, 0x40000000, 0x3c5, word, hpfar=0x9010 << 4, entry=KEEP)          # rtc
    write, byte = replace(read, esr=word | 1 << 6), replace(read, esr=word & ~(3 << 22), far=1)
    for order in ((read, write, byte), (write, byte, read), (byte, read, write)):
        traps = [replace(order[0], entry=0), *order[1:], *order]
        assert [o.recorded is not None for o in seen(ask, traps)] == [True] * 3 + [False] * 3, order


def check_apart(ask: Ask) -> None:
    """`few`: accesses that differ in class, register, direction or function are recorded each, the first time only."""
    t = Trap((0,) * 31, 0x40000000, 0x3c5, 0, hpfar=0x8000 << 4, entry=KEEP)
    word = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 7
    traps = [replace(t, esr=ec << 26 | 1 << 25) for ec in range(64) if ec not in (HVC, SMC, SYSREG, DABT)]
    traps += [replace(t, esr=SYSREG << 26 | 1 << 25 | 1 << bit) for bit in (0, *range(1, 5), *range(10, 22))]
    traps += [replace(t, esr=word | write) for write in (0, 1 << 6)]
    traps += [replace(t, esr=ec << 26 | 1 << 25, x=(1 << bit, *t.x[1:])) for ec in (HVC, SMC) for bit in range(32)]
    asked = [one for other in traps for one in (other, other)]
    told = [o.recorded is not None for o in seen(ask, [replace(asked[0], entry=0), *asked[1:]])]
    wrong = [hex(one.esr) for n, (one, said) in enumerate(zip(asked, told)) if said == bool(n % 2)]
    assert not wrong, wrong


def check_edge(ask: Ask) -> None:
    """`few`, which has no windows: an access that begins in the windows' share of the map and ends in RAM is refused."""
    word = DABT << 26 | 1 << 25 | 1 << 24 | 7
    for back, log2, write in product(range(1, 9), range(4), (0, 1 << 6)):
        ipa = 0x40000000 - back
        one = seen(ask, [Trap((5,) * 31, 0x40000000, 0x3c5, word | log2 << 22 | write, far=ipa & 0xfff,
                              hpfar=ipa >> 12 << 4)])[0]
        assert (one.verdict, one.injected is None) == (("RAZWI", True) if 1 << log2 <= back else ("DENY", False))


def check_audited(ask: Ask) -> None:
    """`few` in mode audit: calls without a service, which would be refused, get the same answer however often."""
    for ec in (HVC, SMC):
        call = Trap((0x90000000, *[0] * 30), 0x40000000, 0x3c5, ec << 26 | 1 << 25, entry=KEEP)
        outcomes = seen(ask, [replace(call, entry=0), call, call])
        assert [(o.x[0], o.verdict) for o in outcomes] == [(MASK, "WOULD")] * 3


def check_runs(ask: Ask) -> None:
    """`traced`: equal decisions in a row are one record with their number; a different one is another record."""
    word = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 7
    flags = Trap((0,) * 31, 0x40000000, 0x3c5, word, far=0x18, hpfar=0x9000 << 4, entry=KEEP)
    tail = Trap((0,) * 31, 0, 0x3c5, 0, sp_el0=DUMP, entry=3 | WORK | STREAMS)

    def lines(*traps: Trap) -> int:
        answers = ask([replace(t, entry=t.entry & ~KEEP if not n else t.entry) for n, t in enumerate([*traps, tail])])
        last = ANSWER.unpack(answers[-ANSWER.size:])
        assert last[45] == 0, "lost"
        return last[91]

    other = replace(flags, elr=0x40001000)
    gic = Trap((0,) * 31, 0x40000000, 0x3c5, SYSREG << 26 | 1 << 25 | 1 | 3 << 20 | 12 << 10 | 12 << 1 | 5 << 17,
               entry=KEEP)
    for one in (flags, replace(flags, far=0x104, hpfar=0x8000 << 4), gic, replace(flags, esr=word | 3 << 22)):
        other = replace(one, elr=0x40001000)
        alone = lines(one)
        for before in ([], [other]):
            assert lines(*before, *[one] * 2) == lines(*before, *[one] * 3) == alone + len(before) + 1, one
            # the newest record waits, in case the run goes on
            assert lines(*before, *[one] * 7) == lines(*before, *[one] * 2), one
            assert lines(*before, *[one] * 7, other) == lines(*before, one, other), one
        assert lines(one, other, one, other) == alone + 3, one
        assert lines(*[one] * 3, *[replace(one, spsr=0x3c0)] * 3, other) == alone + 2, one
    call = Trap((0x90000000, *[0] * 30), 0x40000000, 0x3c5, SMC << 26 | 1 << 25, entry=KEEP)
    assert lines(*[call] * 5) == lines(call) + 4, "calls are never joined"


def check_refusals_outlive(ask: Ask) -> None:
    """`traced`: of records overwritten unread 512 refusals stay, also with the row in the lookup cache; HV_GET_STATUS
    tells."""
    call = Trap((0x86000002, *[0] * 30), 0, 0x3c5, SMC << 26 | 1 << 25, entry=KEEP)
    status = [Trap((2, selector, *[0] * 29), 0, 0x3c5, HVC << 26 | 1 << 25, entry=KEEP) for selector in (0, 1, 2, 3, 4)]
    dump = Trap((0,) * 31, 0, 0x3c5, 0, sp_el0=DUMP, entry=3 | WORK | STREAMS)
    flood = [replace(call, elr=n * 4) for n in range(16384 + 600)]
    rows = len(ask([])) // verify.ROW.size
    answers = [*ANSWER.iter_unpack(ask([*status, *flood, dump, *status, call, *status])[rows * verify.ROW.size:])]
    assert [a[0] for a in answers[:5]] == [1, MASK, 0, 0, MASK - 1]
    assert answers[-12][45] == 88 and answers[-12][91] > 16384 + 512
    first = answers[-10][0]
    assert [a[0] for a in answers[-11:-6]] == [len(flood) + 6, first, 88, len(flood), MASK - 1]
    assert [a[0] for a in answers[-5:]] == [len(flood) + 12, first + 1, 88, len(flood) + 1, MASK - 1]
    assert first >= len(flood)


def check_overruled(ask: Ask) -> None:
    """`crowded`: a refusal that the operator lets pass, or is asked about, is counted and logged as such."""
    word, zero = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 7, (0,) * 31
    smc = Trap((0x90000000, *zero[1:]), 0x40000000, 0x3c5, SMC << 26 | 1 << 25)
    mrs = Trap((5, *zero[1:]), 0x40000000, 0x3c5, SYSREG << 26 | 1 << 25 | 3 << 20 | 6 << 10 | 4 << 1 | 1)
    hvc = replace(smc, x=(0x86000001, *zero[1:]), esr=HVC << 26 | 1 << 25)
    load = Trap((5, *zero[1:]), 0x40000000, 0x3c5, word, far=0x20, hpfar=0x9030 << 4)
    rows = [*verify.ROW.iter_unpack(ask([]))]

    def raw(*traps: Trap) -> List[Tuple[int, ...]]:
        traps = tuple(replace(t, elr=t.elr + 16 * n) for n, t in enumerate(traps))      # equal ones would be joined
        return [*ANSWER.iter_unpack(ask([*traps])[len(rows) * verify.ROW.size:])]

    def changed(t: Trap, how: int, says: str = "") -> Trap:
        return replace(t, sp_el0=rule | how | (ord(says) << 24 if says else 0), entry=CHANGES)

    # The operator's answers: let pass: done, or as if done; 'e': neither done nor refused
    for t, done in ((smc, (MASK, 4)), (hvc, (MASK, 0)), (mrs, (0, 4)), (load, (0, 4))):
        plain = raw(t)[0]
        rule = rows[plain[48]][0]
        assert plain[42:44] == (1, 1) and plain[56] & 0x8f == 0x80 | load_contract().verdicts.index("DENY")
        for says, verdict in (("", "WOULD"), ("a", "WOULD"), ("d", "DENY"), ("e", "WOULD")):
            expected = {"e": (0, 0 if t is hvc else 4), "d": (plain[0], plain[32] - t.elr)}.get(says, done)
            how = ASKS if says else PASS
            # in the lookup cache, which must be emptied; asked once; then as the policy decides
            answers = raw(t, t, changed(t, how, says), t, changed(t, how | (ONCE if says else 0), says),
                          t if says else changed(t, 0))[2:]
            for n, a in enumerate(answers[:3], 2):
                moved = a[32] - (0 if "d" in says and t in (mrs, load) else 16 * n) - t.elr
                assert a[59:61] == ((MONITOR, ord("?")) if says else (0, 0)), (hex(t.esr), says)
                assert (a[0], moved) == expected, (hex(t.esr), says)
                assert a[42:44] == (1, verdict == "DENY") and 0 < a[44] < 1000, (hex(t.esr), says)
                assert a[56] & 0x8f == 0x80 | load_contract().verdicts.index(verdict), (hex(t.esr), says)
            last = answers[3]
            assert (last[:32], last[42:44], last[56]) == (plain[:32], (1, 1), plain[56]), (hex(t.esr), says)


def check_absent(ask: Ask) -> None:
    """`traced`: a register that EL2 lacks, too: logged always, once, or not at all (the default's, seen before)."""
    at, x, spsr = 0x40001000, tuple(range(100, 131)), 0x3c5 | 1 << 21 | 1 << 10
    ttbr0, pmccntr = 3 << 20 | 2 << 10, 3 << 20 | 3 << 14 | 9 << 10 | 13 << 1
    afsr1 = 3 << 20 | 1 << 17 | 5 << 10 | 1 << 1
    for iss, read, replays in ((ttbr0, 1, 1), (ttbr0, 0, 1), (pmccntr, 1, 1), (pmccntr, 0, 1), (afsr1, 1, 1),
                               (afsr1, 0, 2)):
        t = Trap(x, at, spsr, SYSREG << 26 | 1 << 25 | iss | 7 << 5 | read, entry=ABSENCE)
        other = replace(t, elr=at + 8, entry=ABSENCE | KEEP)
        traps = [t, other, replace(t, elr=at + 16, entry=KEEP)]
        first, again, there = ANSWER.iter_unpack(ask(traps)[-3 * ANSWER.size:])
        for n, a in enumerate((first, again)):
            assert (a[:31], a[32] & 0xfff, a[35], a[36], a[37]) == (x, 0x200, 1 << 25, at + 8 * n, spsr), (hex(iss), n)
            assert a[58] == replays and a[42] == 1, (hex(iss), n)
            assert replays == 1 or a[65] == 107 & 0xf0f, "as if it had read zero"
        assert first[49] == 1 and first[51] == 107 and first[54] == at and first[56] & 0x8f == 0x84, hex(iss)
        assert again[49] == (iss == ttbr0) and again[56] & 0x8f == (0x84 if iss == ttbr0 else 0), hex(iss)
        assert there[32] == at + 20, "what is there is read and written as ever"


def check_absent_unlogged(ask: Ask) -> None:
    """`crowded`: a rule that logs nothing reports it once, on the line as soon as refusals are."""
    mdscr = SYSREG << 26 | 1 << 25 | 2 << 20 | 2 << 17 | 2 << 1
    t = Trap(tuple(range(100, 131)), 0x40001000, 0x3c5, mdscr | 7 << 5 | 1, entry=ABSENCE)
    again = replace(t, entry=ABSENCE | KEEP)
    first, second, told = ANSWER.iter_unpack(ask([t, again, replace(t, entry=ABSENCE | TELLS)])[-3 * ANSWER.size:])
    assert first[49] == 1 and first[51:54] == (107, 0, 0) and first[56] & 0x8f == 0x84 and first[57], first[49:58]
    assert second[49] == 0 and not first[91] and told[91], "told where refusals are, and once"
    assert first[35] == second[35] == 1 << 25


def check_absent_audit(ask: Ask) -> None:
    """`few` in audit mode: a register that is let pass, and is missing."""
    pmccntr = SYSREG << 26 | 1 << 25 | 3 << 20 | 3 << 14 | 9 << 10 | 13 << 1
    t = Trap((5,) * 31, 0x40001000, 0x3c5, pmccntr | 1, entry=ABSENCE)
    there, absent = ANSWER.iter_unpack(ask([replace(t, entry=0), t])[-2 * ANSWER.size:])
    assert there[56] & 0x8f == 0x87 and absent[56] & 0x8f == 0x84 and absent[35] == 1 << 25


def check_passes(ask: Ask) -> None:
    """`crowded`: EL2 makes the access that the operator lets pass, with the bits that a replay may write; else it reads
    zero."""
    rows = [*verify.ROW.iter_unpack(ask([]))]

    def access(op0: int, op1: int, crn: int, crm: int, op2: int, read: bool, value: int) -> Tuple[int, ...]:
        esr = SYSREG << 26 | 1 << 25 | op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1 | read
        t = Trap((value, *[0] * 30), 0x40000000, 0x3c5, esr)
        rule = rows[[*ANSWER.iter_unpack(ask([t])[len(rows) * verify.ROW.size:])][0][48]][0]
        changes = replace(t, sp_el0=rule | PASS, entry=CHANGES)
        seen_last = [*ANSWER.iter_unpack(ask([changes])[len(rows) * verify.ROW.size:])][0]
        assert seen_last[32] == t.elr + 4 and seen_last[56] & 15 == load_contract().verdicts.index("WOULD")
        assert seen_last[51] == seen_last[0], "the record has what was read or written"
        return seen_last

    for encoding in ((3, 3, 9, 13, 0), (3, 0, 0, 1, 3)):            # PMCCNTR_EL0, ID_AFR0_EL1
        a = access(*encoding, True, 5)
        assert a[58] == 1 and a[59] == REPLAY_READ and a[0] == a[60] * GOLDEN & MASK and a[60], encoding
    a = access(3, 3, 14, 12, 0, False, MASK)                        # PMEVTYPER0_EL0, but for NSH
    assert a[58] == 1 and a[59] == REPLAY_WRITE and a[61] == MASK & ~(1 << 27)
    assert access(3, 0, 6, 4, 0, True, 5)[0] == 0 and access(3, 0, 6, 4, 0, False, 5)[58] == 0


def check_flood(ask: Ask) -> None:
    """A guest that leaves its line unfinished and makes thousands of other refusals hides none of them."""
    call = Trap((0,) * 31, 0x40000000, 0x3c5, SMC << 26 | 1 << 25, entry=KEEP | MIDLINE)
    flood = [replace(call, x=(0x90000000 + n, *[0] * 30)) for n in range(20000)]
    last = ANSWER.unpack(ask(flood)[-ANSWER.size:])
    assert last[45] == 0, f"{last[45]} records lost"


CHECKS = [check_limits, check_once, check_idle, check_interrupts, check_features, check_serror, check_work,
          check_dumps,
          check_overruled, check_passes, check_absent_unlogged]
CHECKS_FEW = [check_high_addresses, check_apart, check_edge]
CHECKS_AUDIT = [check_audited, check_absent_audit]
CHECKS_TRACED = [check_absent, check_told, check_rights, check_work, check_directions, check_runs, check_refusals_outlive]


@pytest.mark.parametrize("host", [("crowded", "enforce")], indirect=True, ids=["crowded"])
@pytest.mark.parametrize("check", [*CHECKS, check_flood])
def test_what_goes_on_from_trap_to_trap(host: Host, check: Callable[[Ask], None]) -> None:
    check(asker(host.program))


@pytest.mark.parametrize("host", [("traced", "enforce")], indirect=True, ids=["traced"])
@pytest.mark.parametrize("check", CHECKS_TRACED)
def test_what_goes_on_where_all_is_recorded(host: Host, check: Callable[[Ask], None]) -> None:
    check(asker(host.program))


@pytest.mark.parametrize("host", [("few", "enforce")], indirect=True, ids=["few"])
@pytest.mark.parametrize("check", CHECKS_FEW)
def test_what_is_logged_once_is_told_apart(host: Host, check: Callable[[Ask], None]) -> None:
    check(asker(host.program))


@pytest.mark.parametrize("host", [("few", "enforce")], indirect=True, ids=["few"])
def test_a_refused_call_is_let_pass_as_in_audit_mode(host: Host, tmp_path: Path) -> None:
    """Every call of the platform and its neighbours, by both conduits, with and without an immediate."""
    (tmp_path / "few.yaml").write_text(FEW)
    audit = Model(load(str(tmp_path / "few.yaml"), "audit"), [])
    rule = {entry.section: entry.rule for entry in host.policy.entries if entry.name == "default"}
    numbers = {number + n for call in load_board("qemu-virt").calls.values() for number in call.ids for n in (0, 1)}
    served, said = set(), asker(host.program)
    for number, (section, ec), immediate in product(sorted(numbers | {1 << 32 | 1, 0xc4000000}),
                                                    (("hvc", HVC), ("smc", SMC)), (0, 1)):
        t = Trap((number, 1 << 40, *[0] * 29), 0x40000000, 0x3c5, ec << 26 | 1 << 25 | immediate,
                 sp_el0=rule[section] | PASS, entry=CHANGES)
        seen, expected = ANSWER.unpack(said([t])[-ANSWER.size:]), audit.expect(replace(t, entry=0))
        wanted = seen[0] if expected.x[0] == UNTOLD else expected.x[0]
        end = chr(seen[41]) if seen[41] else ""
        assert (seen[0], end, seen[58]) == (wanted, expected.end, len(expected.ops)), (section, hex(number), immediate)
        served |= {(section, number)} if seen[0] != NOT_SUPPORTED else set()
    assert len(served) > 20 and ("smc", 0) not in served


@pytest.mark.parametrize("host", [("few", "audit")], indirect=True, ids=["few-audit"])
@pytest.mark.parametrize("check", CHECKS_AUDIT)
def test_what_would_be_refused(host: Host, check: Callable[[Ask], None]) -> None:
    check(asker(host.program))


@pytest.mark.parametrize("host", [("places", "enforce")], indirect=True, ids=["places"])
def test_log_once_is_once_a_place(host: Host) -> None:
    check_places(asker(host.program))


@pytest.mark.parametrize("host", [("places", "audit")], indirect=True, ids=["places-audit"])
def test_what_would_be_refused_is_each_address(host: Host) -> None:
    """... to learn from."""
    word = DABT << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 7
    ipas = [0xa000000, 0xa000004, *(1 << 31 | 1 << bit for bit in range(2, 31)), *(1 << bit for bit in range(32, 40))]
    traps = [Trap((0,) * 31, 0x40000000, 0x3c5, word | write, far=ipa & 0xfff, hpfar=ipa >> 12 << 4, entry=KEEP)
             for write in (0, 1 << 6) for ipa in ipas for _ in range(2)]
    told = [o.recorded is not None for o in seen(asker(host.program), [replace(traps[0], entry=0), *traps[1:]])]
    assert all(told[::2]), [hex(ipa) for ipa, first in zip(ipas * 2, told[::2]) if not first]
    assert not any(told[1::2])


def test_the_same_seeds_as_the_hostile_guest(tmp_path: Path) -> None:
    """The real devices, under the same seeds: no access outside, no lock kept, each trap counted."""
    render.render(load("permissive", "enforce"), tmp_path / "gen")
    said, _ = run(link(parts(tmp_path, real_devices=True), tmp_path), b"", ["1", "300"])
    counted = dict(re.findall(r"(\w+)=(\d+)", said.decode()))
    assert int(counted["decisions"]) > 10000 and int(counted["denied"]) > 1000
