# SPDX-License-Identifier: Apache-2.0
"""Batches (@B): up to 16 packed decisions in one line, in the format of hv/log/log_batch.c.

Unpacked decisions equal those of separate lines. Deltas restart in every line, so each line can be read by itself; the
session adds the counter's frequency and the names of windows.
"""
from __future__ import annotations

import base64
import binascii
import re
from typing import List, Optional, Sequence, Tuple

from .names import CLASSES
from .record import REFUSED, VERDICTS, Rec, number, seconds
from .registers import sysreg_name

MOST = 16
_FORMAT = 1
_RULE, _ESR, _PC, _VALUE, _ADDR, _AUX, _RUN, _TELLS = 0x20, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800, 12
_KNOWN = 0x3fff
# The arguments of a call in the record, or guest RAM: enum tells of hv/policy/policy.h.
_RAM = ("", "")
_TOLD = (("x1", "x2"), ("x1", "x3"), ("x2", "x3"), _RAM)
_ALL = (1 << 64) - 1
_CALLS = {0x12: "hvc", 0x16: "hvc", 0x13: "smc", 0x17: "smc"}
_WINDOW = re.compile(r"([A-Za-z0-9_.-]{1,64})=0x([0-9a-f]{1,16})/0x([0-9a-f]{1,16})")

Window = Tuple[int, int, str]           # base, size, name


def count(rec: Rec) -> int:
    """How many records the line says it holds; 1 if it cannot be read."""
    n = number(rec.body.partition(" ")[0])
    return n if n is not None and 1 <= n <= MOST else 1


def windows(body: str) -> List[Window]:
    """From `@E windows NAME=0xBASE/0xSIZE ...`."""
    return [(int(base, 16), int(size, 16), name) for name, base, size in _WINDOW.findall(body)]


class _Bytes:
    """Numbers from bytes; raises ValueError at their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        if self._at >= len(self._data):
            raise ValueError
        self._at += 1
        return self._data[self._at - 1]

    def number(self) -> int:
        out = shift = 0
        while True:
            byte = self.byte()
            out |= (byte & 0x7f) << shift
            if byte < 0x80:
                return out & _ALL
            shift += 7
            if shift > 63:
                raise ValueError

    def signed(self) -> int:
        n = self.number()
        return n >> 1 ^ -(n & 1)

    def done(self) -> bool:
        return self._at == len(self._data)


def _access(verdict: str, esr: int, value: int, addr: int, aux: int, run: bool, known: Sequence[Window],
            args: Tuple[str, str]) -> str:
    """log_describe() of the hypervisor in Python."""
    ec = esr >> 26 & 0x3f
    if args == _RAM:
        store = f"/{1 << (esr >> 22 & 3)}={value:#x}" + (f" held={aux:#x}" if aux and not run else "")
        return f"mem.{'w' if ec == 0x24 else 'x'} {addr:#x}" + (store if ec == 0x24 and esr >> 24 & 1 else "")
    if ec == 0x18:
        op = "sys" if esr >> 20 & 3 == 1 else "msr.r" if esr & 1 else "msr.w"
        return f"{op} {sysreg_name(esr)}" + ("" if op == "msr.r" and verdict in REFUSED else f"={value:#x}") + \
            (f" held={addr:#x}" if addr else "")
    if ec in _CALLS:
        return f"{_CALLS[ec]} {value:#x} {args[0]}={addr:#x} {args[1]}={aux:#x}"
    walk, told = ec == 0x24 and esr >> 7 & 1, ec == 0x24 and esr >> 24 & 1
    if ec == 0x24 and told and not walk:
        op, size = "w" if esr >> 6 & 1 else "r", 1 << (esr >> 22 & 3)
        where = next((f"{name}+{addr - base:#x}" for base, length, name in known if base <= addr < base + length),
                     f"{addr:#x}")
        return f"mmio.{op} {where}/{size}" + ("" if op == "r" and verdict in REFUSED else f"={value:#x}")
    name = "DABT_WALK" if walk else "DABT_NO_SYNDROME" if ec == 0x24 else CLASSES.get(ec, f"{ec:#x}")
    text = f"exc {name}"
    if ec in (0x20, 0x24):
        text += f" ipa={addr:#x}"
    text += f" far={aux:#x}" if ec == 0x24 and not run else ""
    return text + (f" insn={value:#x}" if ec == 0x24 and not walk and value else "")


def unpack(rec: Rec, cntfrq: int, known: Sequence[Window]) -> Optional[List[Rec]]:
    """The records in the line, in order, each with its own seq and time; None: a format that this decoder does not
    know."""
    says, _, data = rec.body.partition(" ")
    n = number(says)
    try:
        raw = _Bytes(base64.b64decode(data + "=" * (-len(data) % 4), altchars=b"-_", validate=True))
        if n is None or not 1 <= n <= MOST or raw.byte() != _FORMAT:
            return None
        before = _Before()
        out = [before.record(rec, raw, cntfrq, known, at) for at in range(n)]
        return out if raw.done() else None
    except (ValueError, binascii.Error):
        return None


class _Before:
    """The fields of the record before, from which the next one's differ."""

    def __init__(self) -> None:
        self.time = self.pc = self.value = self.addr = self.aux = self.esr = self.rule = 0

    def record(self, line: Rec, raw: _Bytes, cntfrq: int, known: Sequence[Window], at: int) -> Rec:
        what = raw.byte() | raw.byte() << 8
        if what & ~_KNOWN:
            raise ValueError
        self.time += raw.signed()
        cost = raw.number()
        if what & _RULE:
            self.rule = raw.number()
        if what & _ESR:
            self.esr ^= raw.number() & 0xffffffff
        if what & _PC:
            self.pc = self.pc + raw.signed() & _ALL
        if what & _VALUE:
            self.value ^= raw.number()
        if what & _ADDR:
            self.addr ^= raw.number()
        if what & _AUX:
            self.aux ^= raw.number()
        run = ""
        if what & _RUN:
            times = raw.number()
            run = f" n={times} last={seconds(_ns(self.time + raw.number(), cntfrq) or 0)}"
        subject = _access(VERDICTS[what & 7], self.esr, self.value, self.addr, self.aux, bool(run), known,
                          _TOLD[what >> _TELLS])
        body = (f"{VERDICTS[what & 7]} r{self.rule} {subject} pc={self.pc:#x} el={what >> 3 & 3} cost={cost} "
                f"esr={self.esr:#x}{run}")
        out = Rec("A" if run else "D", False, line.seq + at, line.cpu, _ns(self.time, cntfrq), body, line.crc)
        out.auth, out.late, out.end = line.auth, line.late, line.end
        return out


def _ns(ticks: int, cntfrq: int) -> Optional[int]:
    """Seconds as the hypervisor writes them: nine digits, the rest cut off."""
    if not cntfrq:
        return None
    ticks = max(0, ticks)
    return ticks // cntfrq * 1_000_000_000 + ticks % cntfrq * 1_000_000_000 // cntfrq
