# SPDX-License-Identifier: Apache-2.0
"""The effects of one trap, told a second time: from the policy's reference meaning and the Arm ARM, without hv/."""
from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Set, Tuple

from a64_access import Form, disassembled, read
from policygen.facts.arch import load_arch, make_key
from policygen.facts.contract import load_contract
from policygen.language.model import IN, Access, Decision, Policy, branches
from policygen.meaning.evaluate import Evaluator, evaluator, refused
from policygen.target.traps import plan
from policygen.target.verify import given

QUESTION = struct.Struct("<40Q")
ANSWER = struct.Struct("<112Q")
OPS = 8
MASK = (1 << 64) - 1
GOLDEN = 0x9e3779b97f4a7c15
RAM, RAM_PA, RAM_SIZE = 0x40000000, 0x42000000, 0x30000000
WORD = {1: 0xff, 2: 0xffff, 4: 0xffffffff, 8: MASK}
(REPLAY_READ, REPLAY_WRITE, DEVICE_READ, DEVICE_WRITE, MODEL_READ, MODEL_WRITE, SGI, CLEAN, IC, MONITOR, CPU_ON,
 CPU_OFF, CONSOLE, DROP, DEACTIVATE, DISABLE, PHYSICAL, INPUT, TICK, MAINTENANCE, PARK, FLUSH, NOTE, WFI,
 DEBUG, VIRTIO, RTC, COUNT, VECTOR, OPEN) = range(1, 31)
CPUS, ODD_ARE_OFF, ZVA = range(7), 1, 128      # trap_host.c
HVC, SMC, SYSREG, IABT, DABT, SERROR, WFX = 0x16, 0x17, 0x18, 0x20, 0x24, 0x2f, 0x01
NOT_SUPPORTED, INVALID, DENIED, BAD_ADDRESS = -1 & MASK, -2 & MASK, -3 & MASK, -9 & MASK
CODES = {"SEA": NOT_SUPPORTED, "SERROR": NOT_SUPPORTED, "NOT_SUPPORTED": NOT_SUPPORTED, "INVALID_PARAMETERS": INVALID,
         "DENIED": DENIED}
NO_SYNDROME, WALK = 64, 65
PSCI_IDS = (0x80000000, *range(0x84000000, 0x84000020), *range(0xc4000000, 0xc4000020))
ARCH_OWNED, ARCH_IDS = 0xbf000000, 0x80000000        # bit 31: fast; 29 to 24: its owner, Arm Architecture
UNTOLD = 1 << 64                                    # a number that only the target knows


def ram_byte(ipa: int) -> int:
    """The pattern at both ends of RAM in trap_host.c."""
    at = ipa - RAM
    if at >= 0x3000:
        at -= RAM_SIZE - 0x3000
    return (at * 7 + (at >> 8)) % 255 + 1 if 0 <= at < 0x3000 else 0


@dataclass(frozen=True)
class Trap:
    x: Tuple[int, ...]
    elr: int
    spsr: int
    esr: int
    far: int = 0
    hpfar: int = 0
    sp_el0: int = 0
    entry: int = 0                                  # 0 EL1 is AArch64, 1 AArch32, 2 SError; [63:32] an instruction
    sctlr: int = 5                                  # [33:32] CPACR_EL1.FPEN, [34] CPTR_EL2.TFP
    vbar: int = 0xffff000000081000

    def pack(self) -> bytes:
        return QUESTION.pack(*self.x, self.elr, self.spsr, self.esr, self.far, self.hpfar, self.sp_el0, self.entry,
                             self.sctlr, self.vbar)

    def xr(self, n: int) -> int:
        return 0 if n == 31 else self.x[n]

    @property
    def insn(self) -> int:
        """The instruction at its PC; 0 where none can be read."""
        ipa = self.elr & 0xffffffff
        el0 = self.spsr & 0x1f == 0
        if self.spsr & 0x10 or self.elr >> 46 & 1 or el0 and self.elr >> 45 & 1 or not RAM <= ipa <= RAM + RAM_SIZE - 4:
            return 0
        return self.entry >> 32 or int.from_bytes(bytes(ram_byte(ipa + at) for at in range(4)), "little")


@dataclass
class Outcome:
    """The effects of a trap: expected, or seen."""
    x: List[int]
    elr: int
    spsr: int
    end: str = ""
    ops: List[Tuple[int, ...]] = field(default_factory=list)
    injected: Optional[Tuple[int, int, int]] = None     # ESR_EL1, ELR_EL1, SPSR_EL1
    far_el1: Optional[int] = None
    serror: bool = False
    rule: int = -1
    verdict: str = ""
    recorded: Optional[Tuple[int, ...]] = None      # value, addr, aux, pc, esr, what else is in it
    par: int = 0x5a5a                               # the guest's, never changed
    zeroed: Tuple[int, int] = (0, 0)                # in RAM's ends: place and number of bytes
    lines: int = 0                                  # bytes of the log on the line
    hits: int = 1                                   # decisions: more than one has neither rule nor verdict here
    more: List[Tuple[int, ...]] = field(default_factory=list)   # further records, as `recorded`
    sp: Tuple[int, int] = (0, 0)                    # SP_EL0, SP_EL1


def answered(raw: Sequence[int], rows: Sequence[Sequence[int]], verdicts: Sequence[str]) -> Outcome:
    """trap_host.c's answer."""
    x = list(raw[:32])
    elr, spsr, sp_el0, esr1, elr1, spsr1, far1, hcr, par, end, hits, denied, cost, _, *zeroed, row, records = raw[32:50]
    record, info, timed, n_ops, ops = raw[50:56], raw[56], raw[57], raw[58], raw[59:91]
    rule, _action, verdict = rows[row][:3]
    # None (DUMP_LOG writes lines): not compared
    assert not info or info >> 8 & 0xff or hits > 1 or (timed and record[0] == row), "another row's record, or time, or cost"
    out = Outcome(x, elr, spsr, chr(end) if end else "", [tuple(ops[4 * i:4 * i + 4]) for i in range(min(n_ops, OPS))],
                  (esr1, elr1, spsr1) if (esr1, elr1, spsr1) != (0, 0, 0) else None, far1 or None, bool(hcr >> 8 & 1),
                  par=par, zeroed=(zeroed[0], zeroed[1]), lines=raw[91], hits=hits, sp=(sp_el0, raw[93]))
    if not hits:                                    # the access is made again, and charged to no row
        assert not denied and not records and cost < 20, f"{denied} denials, {records} records, {cost} ticks"
        return out
    told = [(*record[1:6], info), *(tuple(raw[at:at + 6]) for at in range(94, 112, 6))][:records]
    assert end or 0 < cost < 1000 * hits, f"it took {cost} ticks"
    if hits > 1:                                    # of an instruction with several accesses
        return replace(out, recorded=told[0] if told else None, more=[one for one in told[1:] if not one[5] >> 8 & 0xff])
    assert hits == 1 and denied == (verdicts[verdict] == "DENY"), f"{hits} decisions, {denied} denials"
    return replace(out, rule=rule, verdict=verdicts[verdict], recorded=told[0] if told else None)


class Model:
    def __init__(self, policy: Policy, stubs: Sequence[Tuple[Optional[int], Optional[int]]]) -> None:
        self.verdicts = load_contract().verdicts
        self.reference: Evaluator = evaluator(policy)
        self.policy = policy
        self.models = {name.upper().replace("-", "_"): number for number, name in enumerate(load_contract().models)}
        self.arch, self.plan = load_arch(), plan(policy, "cortex-a57")
        self.texts: Dict[int, str] = {}             # instructions, as binutils spells them
        self.once: Set[Tuple[int, int]] = set()     # rule and place of what this trap has logged, of `log: once`
        self.stub = {key: n for n, halves in enumerate(stubs) for key in halves if key is not None}

    def learn(self, traps: Sequence[Trap]) -> None:
        """binutils' text of what is at their PCs."""
        words = sorted({t.insn for t in traps})
        with tempfile.TemporaryDirectory() as scratch:
            self.texts.update(zip(words, disassembled(words, Path(scratch))))

    # --- the classes --------------------------------------------------------------------------------------------

    def expect(self, t: Trap) -> Outcome:
        self.once.clear()
        out = Outcome([*t.x, 0], t.elr, t.spsr, hits=0, sp=(t.sp_el0, (t.sp_el0 + 64) & MASK))
        ec = SERROR if t.entry == 2 else t.esr >> 26 & 0x3f
        if ec == SYSREG:
            self.sysreg(t, out)
        elif ec in (HVC, SMC):
            self.call(t, out, ec == HVC)
        elif ec == DABT:
            self.data_abort(t, out)
        else:
            ipa = self.fault_ipa(t) if ec == IABT else 0
            if ec == IABT and ipa is not None and self.guarded(t, ipa):
                self.ram(t, out, ipa, "exec")
            elif ipa is not None:                     # without an IPA nothing is decided: the access is made again
                self.exception(t, out, ec, ec, ipa)
        return out

    def asked(self, t: Trap, section: str, key: int, direction: str = "", width: int = 4, value: int = 0) -> Access:
        """The access with all that conditions look at; the caller knows the value that the register holds."""
        behind = 4 if t.esr >> 26 & 0x3f == HVC and t.entry != 2 else 0
        return Access(section, key, direction, width, (t.x[1], t.x[2], t.x[3]), value, 0, t.spsr >> 2 & 3,
                      (t.elr - behind) & MASK)

    def decided(self, out: Outcome, decision: Decision, t: Trap, value: int, addr: int, aux: int) -> None:
        out.hits += 1
        out.rule, out.verdict = (decision.entry.rule, decision.verdict) if out.hits == 1 else (-1, "")
        place = decision.entry.rule, addr if decision.verdict == "WOULD" else self.place(addr)
        known = decision.log == "once" and addr < 1 << 40 and place in self.once
        if decision.log == "once":
            self.once.add(place)
        if decision.log != "never" and not known:
            esr = t.esr if t.entry != 2 else t.esr & ~(0x3f << 26) | SERROR << 26
            quiet = decision.verdict in ("ALLOW", "EMUL")
            info = self.verdicts.index(decision.verdict) | (t.spsr >> 2 & 3) << 4 | (0 if quiet else 0x80) | 1 << 16
            told = (value, addr, aux, t.elr, esr & 0xffffffff, info)
            if out.recorded:
                out.more.append(told)
            else:
                out.recorded = told

    def place(self, ipa: int) -> int:
        """`log: once` counts by it: an address, a window without registers, or the space between windows."""
        start = 0
        for window in sorted(self.policy.windows, key=lambda window: window.base):
            if window.base <= ipa < window.base + window.size:
                return ipa if window.registers else window.base
            if window.base <= ipa:
                start = window.base + window.size
        return start

    def exception(self, t: Trap, out: Outcome, ec: int, key: int, addr: int, allowed: str = "forward", value: int = 0
                  ) -> None:
        decision = self.reference.decide(self.asked(t, "exceptions", key))
        self.decided(out, decision, t, value, addr, t.far)
        if ec == WFX:
            allowed = "next"
        do = decision.do
        if do == "pause":
            out.ops.append((MONITOR, ord("r"), 0, 0))
        if do in ("allow", "pause"):
            do = allowed
        if do == "next":
            self.step(t, out)
            if ec == WFX and t.esr & 3 == 0:
                self.sleep(t, out)
        elif do == "deny":
            self.take(t, out, 1 << 25)
        elif do == "kill":
            self.killed(out)
        else:
            self.forward(t, out, ec)

    @staticmethod
    def killed(out: Outcome) -> None:
        out.ops.append((MONITOR, ord("k"), 0, 0))
        out.end = "k"

    @staticmethod
    def step(t: Trap, out: Outcome) -> None:
        out.elr = (t.elr + (2 if t.spsr & 0x10 and not t.esr >> 25 & 1 else 4)) & MASK
        out.spsr &= ~(1 << 21)                      # PSTATE.SS: this step is made
        if not t.spsr & 0x10:
            out.spsr &= ~(3 << 10)                  # PSTATE.BTYPE: not an indirect branch
        else:                                       # ITAdvance()
            it = [t.spsr >> bit & 1 for bit in (15, 14, 13, 12, 11, 10, 26, 25)]    # PSTATE.IT<7> to IT<0>
            it = it[:3] + it[4:] + [0] if any(it[5:]) else [0] * 8
            out.spsr &= ~0x0600fc00
            out.spsr |= sum(b << bit for b, bit in zip(it, (15, 14, 13, 12, 11, 10, 26, 25)))

    @staticmethod
    def sleep(t: Trap, out: Outcome) -> None:
        out.ops.append((FLUSH, 0, 0, 0))
        if not out.recorded:                        # a record without its cost is work: the guest asks again
            out.ops += [(WFI, 0, 0, 0)] * (1 + (t.x[30] & 1))       # EL2's own FIQ wakes no guest

    # --- AArch64.TakeException() to EL1, on a CPU without PAN, SSBS, MTE --------------------------------------------

    @staticmethod
    def lower(t: Trap) -> bool:
        return bool(t.spsr & 0x10) or t.spsr & 0xf == 0

    def take(self, t: Trap, out: Outcome, esr: int, far: Optional[int] = None, elr: Optional[int] = None) -> None:
        out.injected = (esr, t.elr if elr is None else elr, t.spsr)
        out.far_el1 = far or None
        offset = 0x600 if t.spsr & 0x10 else 0x400 if t.spsr & 0xf == 0 else 0x200 if t.spsr & 0xf == 5 else 0
        out.elr = (t.vbar + offset) & MASK
        out.spsr = 0x3c5 | t.spsr & (0xf << 28 | 1 << 24 | 1 << 22)

    def abort(self, t: Trap, out: Outcome) -> None:
        code = t.esr >> 26 & 0x3f == IABT
        ec = (0x20 if code else 0x24) + (0 if self.lower(t) else 1)
        status = 0x14 | t.esr & 3 if t.esr & 0x80 else 0x10
        self.take(t, out, ec << 26 | 1 << 25 | (0 if code else t.esr & 0x140) | status, t.far)

    def forward(self, t: Trap, out: Outcome, ec: int) -> None:
        if ec in (IABT, DABT):
            self.abort(t, out)
        elif ec == SERROR:
            out.serror = True                       # HCR_EL2.VSE: it is taken when the guest runs; nothing is skipped
        elif 0x30 <= ec <= 0x35 and not self.lower(t):
            self.take(t, out, t.esr | 1 << 26, t.far)
        else:
            self.take(t, out, t.esr)

    # --- system registers -----------------------------------------------------------------------------------------

    def sysreg(self, t: Trap, out: Outcome) -> None:
        iss = t.esr
        key = make_key(iss >> 20 & 3, iss >> 14 & 7, iss >> 10 & 15, iss >> 1 & 15, iss >> 17 & 7)
        read, rt = iss & 1, iss >> 5 & 31
        direction, value = "read" if read else "write", t.xr(rt)
        held = self.held(out, key, direction)
        access = replace(self.asked(t, "sysregs", key, direction, value=value), held=held)
        d = self.reference.decide(access)
        do = d.do
        given: Optional[int] = None
        reached = self.reached(key, direction, do)
        if do == "pause":
            out.ops.append((MONITOR, ord("r"), 0, 0))
            do = "allow"
        if do in ("allow", "mask"):
            do = do if reached == "stub" else reached
        if do == "value":
            given = d.value
        elif do in ("allow", "mask"):
            action = self.reference.entry("sysregs", key, direction).actions[direction]
            first = self.reference.branch(action, access) is action
            given = self.replayed(out, d if do == "mask" else None, key, bool(read), value, first)
        elif do in ("dc-va", "dc-zva"):
            if self.by_address(t, out, do == "dc-zva", value):
                return self.decided(out, d, t, value, held, 0)
        elif do == "ic-va":
            out.ops.append((IC, 0, 0, 0))
        elif do == "pmswinc":
            out.ops.append((COUNT, value, 0, 0))
        elif do in ("emulate", "vgic-sgi"):
            assert do != "emulate" or d.model == "vgic-sgi"
            if value & (1 << 40 | 0xffff):
                out.ops.append((SGI, value, int(key & 7 == 5), 0))      # op2 of ICC_SGI1R_EL1
        if given is not None:
            out.x[rt] = given
        # the record shows the value written, or the value read
        self.decided(out, d, t, out.x[rt], held, 0)
        if do == "undef" or do == "deny":
            self.take(t, out, 1 << 25)
        elif do == "kill":
            self.killed(out)
        else:
            self.step(t, out)
        return None

    def held(self, out: Outcome, key: int, direction: str) -> int:
        """The register's value: EL2 reads it before it decides, if any condition of the entry is about it."""
        if key in self.reference.hidden_keys or (key, direction) not in self.plan.traps:
            return 0
        action = self.reference.entry("sysregs", key, direction).actions[direction]
        if all(each.test == IN for branch in branches(action) for each in branch.where):
            return 0
        out.ops.append((REPLAY_READ, self.stub[key], 0, 0))
        return self.stub[key] * GOLDEN & MASK

    def reached(self, key: int, direction: str, do: str) -> str:
        """EL2's way to the real register: a stub, a model, or none."""
        register, arrives = self.arch.by_key.get(key), (key, direction) in self.plan.traps
        if arrives and (register.replay == "plain" if register else key in self.arch.groups["id"]):
            if direction == "read" or register and (register.access == "rw" if do == "mask" else register.write_mask):
                return "stub"
        if arrives and register and do == "allow":
            return register.model or ("undef" if register.write_mask else "ignore")
        return "undef"

    def replayed(self, out: Outcome, mask: Optional[Decision], key: int, read: bool, value: int,
                 first: bool) -> Optional[int]:
        stub = self.stub[key]
        register = self.arch.by_key.get(key)
        real = stub * GOLDEN & MASK
        at_boot = read and 0xc008 <= key <= 0xc03f and first    # S3_0_C0_C1_0 to S3_0_C0_C7_7, which HCR_EL2.TID3 traps
        if (read or mask) and not at_boot:
            out.ops.append((REPLAY_READ, stub, 0, 0))
        if read:
            return real & mask.mask | mask.value if mask else real
        assert register
        if mask:
            kept = mask.mask & register.write_mask
            value = real & ~kept & MASK | value & kept
        out.ops.append((REPLAY_WRITE, stub, value & register.write_mask if not mask else value, 0))
        return None

    def by_address(self, t: Trap, out: Outcome, zero: bool, va: int) -> bool:
        """True: an exception has come instead."""
        if zero:
            va &= ~(ZVA - 1)
        syndrome = (0x24 if self.lower(t) else 0x25) << 26 | 1 << 25 | (0x40 if zero else 0x140)    # WnR, CM
        if (status := self.unmapped(t, va, zero)) is not None:
            self.take(t, out, syndrome | status, va)
            return True
        ipa = va & 0xffffffff
        inside = RAM <= ipa <= RAM + RAM_SIZE - (ZVA if zero else 1)
        if not zero and inside:
            out.ops.append((CLEAN, ipa - RAM + RAM_PA, 0, 0))
        elif zero and not inside:
            self.take(t, out, syndrome | 0x10, va)
            return True
        elif zero and ram_byte(ipa + 1):
            out.zeroed = (ipa, ZVA)
        return False

    # --- memory -------------------------------------------------------------------------------------------------

    def fault_ipa(self, t: Trap) -> Optional[int]:
        ipa = (t.hpfar >> 4 & (1 << 40) - 1) << 12 | t.far & 0xfff
        if t.esr & 0x3c != 0xc or t.esr & 0x80:
            return ipa
        code = t.esr >> 26 & 0x3f == IABT           # a permission fault: the IPA is the guest's own translation
        writes = not code and t.esr & 0x140 == 0x40     # WnR without CM
        user = not code and self.lower(t)
        if t.far >> 46 & 1 or writes and t.far >> 44 & 1 or user and t.far >> 45 & 1:
            return None
        return t.far & 0xffffffff

    def data_abort(self, t: Trap, out: Outcome) -> None:
        at, size, write, rt = self.fault_ipa(t), 1 << (t.esr >> 22 & 3), bool(t.esr & 0x40), t.esr >> 16 & 31
        if at is None:
            return None
        ipa = at
        if t.esr & 0x80:
            return self.exception(t, out, DABT, WALK, ipa)
        if t.esr & 0x100:
            return self.exception(t, out, DABT, NO_SYNDROME, ipa, "next")
        if self.guarded(t, ipa):
            return self.ram(t, out, ipa, "write")
        if not t.esr >> 24 & 1:
            return self.instruction(t, out, ipa)
        got = self.access(t, out, ipa, size, write, t.xr(rt))
        if got is not None:
            if not write:
                out.x[rt] = got
            self.step(t, out)
        return None

    def access(self, t: Trap, out: Outcome, ipa: int, size: int, write: bool, register: int) -> Optional[int]:
        """One that the syndrome describes: its register afterwards; None: refused."""
        written = register & WORD[size]
        d = self.beyond(t, ipa, size, write, written)
        got: Optional[int] = None
        do = d.do
        if do == "pause":
            out.ops.append((MONITOR, ord("r"), 0, 0))
            do = "allow" if self.reference.board.real(ipa, ipa + size - 1) else "deny"
        if do == "value":
            got = d.value
        elif do in ("allow", "mask"):
            real = (ipa * GOLDEN & MASK) >> (64 - 8 * size)
            unreadable = bool(ipa >> 11 & 1)        # trap_host.c
            refused = unreadable or write and bool(ipa >> 10 & 1)
            if not write or do == "mask":
                out.ops.append((DEVICE_READ, ipa, size, 0))
                got = real if do == "allow" else real & d.mask | d.value
            if write and not (do == "mask" and unreadable):
                value = written if do == "allow" else real & ~d.mask & MASK | written & d.mask
                out.ops.append((DEVICE_WRITE, ipa, size, value))
            if refused:
                self.decided(out, d, t, written if write else register, ipa, t.far)
                self.abort(t, out)
                return None
        elif do == "emulate":
            got = self.device(t, out, d, ipa, size, written, write)
        if got is not None and not write:
            register = self.load(t, size, got)
        self.decided(out, d, t, written if write or d.do in ("deny", "kill") else register, ipa, t.far)
        if do == "deny" and d.refuse != "SERROR":
            self.abort(t, out)
            return None
        if do == "kill":
            self.killed(out)
            return None
        out.serror |= do == "deny"
        return register

    def instruction(self, t: Trap, out: Outcome, ipa: int) -> None:
        """One access after the other, as the instruction at the PC says; or what that is comes into the record."""
        insn = 0 if t.esr & 0x3c > 0xc else t.insn
        form = read(self.texts.get(insn, ""), t.x)
        sp = 0 if t.spsr & 0xf in (0, 4) else 1
        base = t.x[form.base] if form and form.base < 31 else out.sp[sp]
        if form is None or not self.fits(t, form, base + form.first & MASK):
            return self.exception(t, out, DABT, NO_SYNDROME, ipa, value=insn)
        size = min(form.size, 8)
        away = (base + form.first - t.far + (1 << 55)) % (1 << 56) - (1 << 55)      # without what may be a tag
        places = [t.far + away + at & MASK for at in range(0, form.size * len(form.registers), size)]
        for va in places:
            if (status := self.unmapped(t, va, not form.load)) is not None:
                return self.take(t, out, (0x24 if self.lower(t) else 0x25) << 26 | 1 << 25 | t.esr & 0x40 | status, va)
        slots = [64 + 2 * r + half if form.vector else r for r in form.registers for half in range(max(1, form.size // 8))]
        found: List[int] = []
        for va, slot in zip(places, slots):
            register = (slot - 63) * GOLDEN & MASK if slot >= 64 else t.xr(slot)
            one = replace(t, far=va, esr=t.esr & ~0x1ffc000 | form.iss)
            got = self.made(one, out, va & 0xffffffff, size, not form.load, register)
            if got is None:
                return None
            found.append(got)
        if form.load and form.vector:
            halves = [(low, high if form.size == 16 else 0) for low, high in zip(found[::2], found[1::2])] \
                if form.size == 16 else [(low, 0) for low in found]
            out.ops += [(VECTOR, r, *both) for r, both in zip(form.registers, halves)]
        elif form.load:
            for r, value in zip(form.registers, found):
                out.x[r] = value
        if form.step is not None and form.base < 31:
            out.x[form.base] = base + form.step & MASK
        elif form.step is not None:
            out.sp = (base + form.step & MASK, out.sp[1]) if not sp else (out.sp[0], base + form.step & MASK)
        return self.step(t, out)

    def fits(self, t: Trap, form: Form, address: int) -> bool:
        """Whether it can be the one that aborted, and is one that EL2 makes."""
        el0 = t.spsr & 0xf == 0
        fpen, tfp = t.sctlr >> 32 & 3, t.sctlr >> 34 & 1
        reached = (t.far - address) % (1 << 56) < form.size * len(form.registers)
        return form.load == (not t.esr & 0x40) and reached and address % min(form.size, 8) == 0 and \
            not t.sctlr >> (24 if el0 else 25) & 1 and (not form.vector or not tfp and (fpen == 3 or fpen == 1 and not el0))

    def made(self, t: Trap, out: Outcome, ipa: int, size: int, write: bool, register: int) -> Optional[int]:
        """By the policy; in RAM without it."""
        if not RAM <= ipa <= RAM + RAM_SIZE - size:
            return self.access(t, out, ipa, size, write, register)
        pa = ipa - RAM + RAM_PA
        out.ops.append((DEVICE_WRITE, pa, size, register & WORD[size]) if write else (DEVICE_READ, pa, size, 0))
        if pa >> 11 & 1 or write and pa >> 10 & 1:  # trap_host.c
            self.abort(t, out)
            return None
        return register if write else self.load(t, size, (pa * GOLDEN & MASK) >> (64 - 8 * size))

    def unmapped(self, t: Trap, va: int, write: bool) -> Optional[int]:
        """The fault status of EL1's translation."""
        status: Optional[int] = None
        if va >> 46 & 1 or write and va >> 44 & 1:  # trap_host.c: no translation
            status = (0xd if write else 7) & (~3 if va >> 43 & 1 else ~0)
            if va >> 47 & 1:                        # by stage 2: an external abort on the walk
                status = 0x14 | status & 3
        if va >> 45 & 1 and self.lower(t):          # EL1's alone
            status = 0xd
        return status

    @staticmethod
    def guarded(t: Trap, ipa: int) -> bool:
        """Stage 2 maps all of RAM: a permission fault is by the policy."""
        return t.esr & 0xbc == 0xc and RAM <= ipa < RAM + RAM_SIZE

    def ram(self, t: Trap, out: Outcome, ipa: int, direction: str) -> None:
        if not self.reference.by_section["memory"]:
            return                                  # nothing keeps the guest: it makes the access again
        d = self.reference.decide(self.asked(t, "memory", ipa, direction))
        if given(Access("memory", ipa, direction), d):
            return
        size, value, held, rt = 1 << (t.esr >> 22 & 3), 0, 0, t.esr >> 16 & 31
        described = direction == "write" and t.esr >> 24 & 1 and ipa % 4096 + size <= 4096
        if described:
            value = t.xr(rt) & WORD[size]
            held = sum(ram_byte(ipa + at) << 8 * at for at in range(size))
        self.decided(out, d, t, value, ipa, held)
        if d.do == "kill":
            self.killed(out)
        elif d.verdict == "WOULD":
            out.ops.append((OPEN, ipa, int(direction == "exec"), 0))
        else:
            if d.do == "allow" and described:
                pa = ipa - RAM + RAM_PA
                out.ops.append((DEVICE_WRITE, pa, size, value))
                if not pa >> 10 & 3:
                    return self.step(t, out)
            if d.do == "allow" and out.recorded:
                out.recorded = (*out.recorded[:5], self.verdicts.index("INJECT") | (t.spsr >> 2 & 3) << 4 | 0x80 | 1 << 16)
            ec = (t.esr >> 26 & 0x3f) + (0 if self.lower(t) else 1)
            self.take(t, out, ec << 26 | 1 << 25 | t.esr & 0x40 | 0xf, t.far)
        return None

    def beyond(self, t: Trap, ipa: int, size: int, write: bool, written: int) -> Decision:
        """Above the windows the default decides; an access that touches both is refused."""
        direction = "write" if write else "read"
        entry = self.reference.defaults["mmio"]
        access = self.asked(t, "mmio", ipa, direction, size, written)
        if ipa + size <= 1 << 30:
            return self.reference.decide(access)
        if ipa < 1 << 30:
            return refused(entry, entry.actions[direction])
        return self.reference.decision(entry, self.reference.branch(entry.actions[direction], access), "mmio", ipa, direction)

    def device(self, t: Trap, out: Outcome, d: Decision, ipa: int, size: int, written: int, write: bool) -> int:
        base = next(w.base for w in self.policy.windows if w.base <= ipa < w.base + w.size)
        model = {"vgic-dist": "VGIC_DIST", "vgic-redist": "VGIC_REDIST", "pl011": "PL011", "pl031": "PL031"}.get(
            d.model or "", "VIRTIO_MMIO")
        offset = ipa - (base if model != "VIRTIO_MMIO" else 0)
        if model == "VGIC_DIST" and size == 4:      # answered without the model, as the model would
            if write and not written and 0x100 <= offset < 0x400:
                return 0
            if not write:
                if offset == 4:
                    return 0x02780007
                if offset % 4 == 0 and 0x104 <= offset < 0x104 + 28:
                    return 0x11111111 * ((offset - 0x104) // 4 + 1)
        if model == "PL011" and offset == 0x18 and not write:
            return 0x90
        wide = 4 if model in ("PL011", "PL031") else size
        which = self.models[model] << 32 | offset
        if model == "PL011" and offset == 0:
            written &= WORD[1]      # a character
        out.ops.append((MODEL_WRITE if write else MODEL_READ, which, wide, written if write else 0))
        return (which * GOLDEN & MASK) >> (64 - 8 * wide)

    @staticmethod
    def load(t: Trap, size: int, value: int) -> int:
        value &= WORD[size]
        if t.esr >> 21 & 1 and value >> (8 * size - 1):
            value |= MASK & ~WORD[size]
        return value if t.esr >> 15 & 1 else value & 0xffffffff

    # --- calls --------------------------------------------------------------------------------------------------

    def call(self, t: Trap, out: Outcome, hvc: bool) -> None:
        x0 = t.x[0]
        number = 0xffffffff if t.esr & 0xffff or (x0 >> 32 and not x0 >> 31 & 1) else x0 & 0xffffffff
        section = "hvc" if hvc else "smc"
        d = self.reference.decide(self.asked(t, section, number))
        asked = {each.name for branch in branches(self.reference.entry(section, number, "").actions[""])
                 for each in branch.where}
        first, second = (2 if {"x2", "x3"} <= asked else 1), (3 if "x3" in asked else 2)
        self.decided(out, d, t, x0, t.x[first], t.x[second])
        if not hvc:
            self.step(t, out)
        if d.do == "deny" and d.refuse == "UNDEF":
            self.take(t, out, 1 << 25, elr=(t.elr - 4 if hvc else t.elr) & MASK)
        elif d.do == "deny":
            out.x[0] = CODES[d.refuse or ""]
        elif d.do == "value":
            out.x[0] = d.value
        elif d.do == "pause":
            out.ops.append((MONITOR, ord("p"), 0, 0))
        elif d.do == "kill":
            out.elr = t.elr
            self.killed(out)
        elif d.model is None:
            out.x[0] = NOT_SUPPORTED
        else:
            self.serve(t, out, section, d.model)

    def serve(self, t: Trap, out: Outcome, section: str, model: str) -> None:
        x1, x2, x3 = t.x[1:4]
        if t.x[0] >> 30 & 3 == 2:                   # an SMC32 function: W registers
            x1, x2, x3 = (x & 0xffffffff for x in (x1, x2, x3))
        name = model.upper().replace("-", "_")
        if name in ("PSCI_SYSTEM_OFF", "PSCI_SYSTEM_RESET"):
            out.end, out.elr = ("p" if name == "PSCI_SYSTEM_OFF" else "r"), t.elr
        elif name == "PSCI_CPU_SUSPEND":
            reserved = x1 >> 17 & 0x7fff            # of power_state, and what is not the level of one CPU
            out.x[0] = INVALID if reserved else 0
            if not reserved:
                self.sleep(t, out)
        elif name == "PSCI_CPU_OFF":
            out.ops.append((CPU_OFF, 0, 0, 0))
            out.x[0] = DENIED
        elif name == "PSCI_CPU_ON":
            runs = not x2 & 3 and RAM <= x2 <= RAM + RAM_SIZE - 4
            out.x[0] = INVALID if x1 not in CPUS else 0 if runs else BAD_ADDRESS
            if not out.x[0]:
                out.ops.append((CPU_ON, x1, x2, x3))
        elif name == "PSCI_AFFINITY_INFO":
            out.x[0] = self.affinity_info(x1, x2 & 0xffffffff)
        elif name == "HV_PAUSE":
            out.ops.append((MONITOR, ord("p"), 0, 0))
        elif name == "HV_CONSOLE_WRITE":
            self.console(t, out)
        elif name == "HV_REPORT_EXCEPTION":
            self.report(t, out)
        elif name in ("HV_GET_STATUS", "HV_DUMP_LOG"):
            out.x[0] = UNTOLD if name == "HV_DUMP_LOG" or x1 < 4 else INVALID
        else:
            out.x[0] = {"SMCCC_VERSION": 0x10001, "PSCI_VERSION": 0x10001,
                        "PSCI_MIGRATE_INFO_TYPE": 2,
                        "PSCI_FEATURES": self.served(section, x1) if x1 in PSCI_IDS else NOT_SUPPORTED,
                        "SMCCC_ARCH_FEATURES": self.served(section, x1) if x1 & ARCH_OWNED == ARCH_IDS
                        else NOT_SUPPORTED,
                        "HV_GET_ID": {0: 0x43485452, 1: 0x10000, 2: 0x12345678, 3: UNTOLD}.get(x1, INVALID)}[name]

    @staticmethod
    def affinity_info(affinity: int, level: int) -> int:
        """CPUs 0 to 6 differ in Aff0 alone, and the one that asks is on."""
        fields = [affinity >> at & 0xff for at in (0, 8, 16, 32)]
        reserved = affinity != sum(f << at for f, at in zip(fields, (0, 8, 16, 32)))
        if level > 3 or reserved or any(fields[max(level, 1):]):
            return INVALID
        return 0 if level else INVALID if fields[0] not in CPUS else fields[0] & ODD_ARE_OFF

    def served(self, section: str, number: int) -> int:
        entry = self.reference.entry(section, number, "")       # whatever its arguments
        d = self.reference.decision(entry, entry.actions[""], section, number, "")
        return 0 if d.do == "value" or (d.do == "allow" and d.model is not None) else NOT_SUPPORTED

    @staticmethod
    def console(t: Trap, out: Outcome) -> None:
        at, size = t.x[1], t.x[2]
        if not RAM <= at <= RAM + RAM_SIZE or size > RAM + RAM_SIZE - at:
            out.x[0] = INVALID
            return
        size = min(size, 4096)
        out.x[0] = size
        if size and t.sctlr & 5 != 5:
            pa = at - RAM + RAM_PA
            out.ops += [(CLEAN, line, 0, 0) for line in range(pa & ~63, pa + size, 64)]
        if size:
            total = 0
            for ipa in range(at, at + size):
                total = (total * 31 + ram_byte(ipa)) & MASK
            out.ops.append((CONSOLE, size, total, 0))

    def report(self, t: Trap, out: Outcome) -> None:
        d = self.reference.decide(Access("exceptions", t.x[1] >> 26 & 0x3f, pc=t.x[2]))     # EL1 reports
        out.x[0] = 0
        if not out.recorded and (d.log != "never" or d.do in ("pause", "kill")):
            out.recorded = (t.x[2], t.x[3], t.spsr, t.elr, t.x[1] & 0xffffffff, 0x80 | 2 << 8 | 1 << 16)
        if d.do in ("pause", "kill"):
            out.ops.append((MONITOR, ord("r" if d.do == "pause" else "k"), 0, 0))
        if d.do == "kill":
            out.end, out.elr = "k", t.elr


def differences(t: Trap, expected: Outcome, seen: Outcome) -> List[str]:
    """Compares field by field. XZR's slot means nothing, and UNTOLD is known only to the target."""
    if len(expected.ops) > OPS:                     # trap_host.c keeps the first and the last
        expected.ops = [*expected.ops[:OPS - 1], expected.ops[-1]]
    if expected.x[0] == UNTOLD:
        seen.x[0] = UNTOLD
        seen.recorded = seen.recorded if expected.recorded else None    # DUMP_LOG leaves events
        seen.lines = 0
    expected.x[31] = seen.x[31] = 0
    if expected.end == "k" and not expected.recorded:
        seen.recorded = None                        # the guest's end is an event
    return [f"{name}: {_hex(getattr(expected, name))} expected, {_hex(getattr(seen, name))} seen"
            for name in Outcome.__dataclass_fields__ if getattr(expected, name) != getattr(seen, name)]


def _hex(value: object) -> str:
    return f"{value:#x}" if isinstance(value, int) else "[" + ", ".join(map(_hex, value)) + "]" \
        if isinstance(value, (list, tuple)) else repr(value)
