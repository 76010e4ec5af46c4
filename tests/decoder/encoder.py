# SPDX-License-Identifier: Apache-2.0
"""The reference encoder: sessions by the byte rules of the log, each byte tagged with its record.

It shares no code with the decoder. Its output can be damaged (damage.py) and still be accounted for, byte by byte.
"""
from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import List, Optional, Tuple

GUEST = -1


@dataclass
class Made:
    """One record as it was sent."""
    index: int
    kind: str
    seq: int
    cpu: int
    t: int
    body: str
    plus: bool = False

    def key(self) -> Tuple[str, int, int, int, str]:
        return self.kind, self.seq, self.cpu, self.t, self.body


@dataclass
class Encoder:
    """A hypervisor's side of the line. `wire` and `owner` run in parallel: owner[i] is the record of byte i."""
    cntfrq: int = 62_500_000
    policy: str = "diag#3b1c77aa"
    wording: str = ""               # of the rules, as @H has it; old images have none
    mode: str = "text"
    wire: bytearray = field(default_factory=bytearray)
    owner: List[int] = field(default_factory=list)
    made: List[Made] = field(default_factory=list)
    guest_out: bytearray = field(default_factory=bytearray)
    monitor_out: bytearray = field(default_factory=bytearray)
    column: int = 0
    now: int = 0
    seq: List[int] = field(default_factory=lambda: [0] * 8)
    in_monitor: bool = False
    guest_bytes: int = 0

    def _put(self, data: bytes, owner: int = GUEST) -> None:
        self.wire += data
        self.owner += [owner] * len(data)

    def guest(self, data: bytes) -> None:
        """Bytes of the guest or, with the monitor open, of the monitor."""
        (self.monitor_out if self.in_monitor else self.guest_out).extend(data)
        if not self.in_monitor and self.seq[0]:         # before the header it is somebody else's
            self.guest_bytes += len(data)
        self._put(data.replace(b"\x1f", b"\x1ff").replace(b"\x1e", b"\x1fe"))
        if data:
            self.column = 0 if data.endswith(b"\n") else 1

    @staticmethod
    def line(kind: str, seq: int, t: int, body: str, cpu: int = 0, plus: bool = False) -> bytes:
        """A record without RS and line end."""
        dot = f".{cpu}" if cpu else ""
        time = "" if kind == "B" else f" {t // 10**9}.{t % 10**9:09d}"
        text = f"@{kind}{'+' if plus else ''} {seq}{dot}{time} {body} ".encode("latin-1")
        return text + b"*%08x" % zlib.crc32(text)

    def record(self, kind: str, body: str, seq: Optional[int] = None, cpu: int = 0, t: Optional[int] = None,
               span: int = 1) -> Made:
        if t is None:
            self.now += 16
            t = self.now
        if seq is None:
            seq = self.seq[cpu]
            self.seq[cpu] += span
        plus = self.column != 0
        made = Made(len(self.made), kind, seq, cpu, t, body, plus)
        self.made.append(made)
        if plus:  # the CR LF that EL2 inserts is part of the record: losing it damages only the record's place
            self._put(b"\r\n", made.index)
            # The guest's line goes on after the record, but on the line the column is 0.
            self.column = 0
        self._put(b"\x1e" + self.line(kind, seq, t, body, cpu, plus) + b"\r\n", made.index)
        return made

    def header(self, seq: Optional[int] = None) -> Made:
        rules = f" rules={self.wording}" if self.wording else ""
        return self.record("H", f"hvl=1 build=9f2c1e7 policy={self.policy}{rules} guest=diag#08c1d2ee cpu=cortex-a57 "
                                f"cntfrq={self.cntfrq} ring=16384 esc=^] log={self.mode}", seq)

    def decision(self, rule: int, what: str, verdict: str = "DENY", cost: int = 70, n: int = 1, cpu: int = 0,
                 more: str = "") -> Made:
        tail = f" n={n} last={self.now // 10**9}.{self.now % 10**9:09d}" if n > 1 else ""
        return self.record("A" if n > 1 else "D", f"{verdict} r{rule} {what} pc=0x40001000 el=1 cost={cost} "
                                                  f"esr=0x6230e419{more}{tail}", cpu=cpu)

    def enter_monitor(self, why: str = "pause") -> None:
        self.record("E", f"mon+ why={why}")
        self.in_monitor = True

    def leave_monitor(self, paused: str = "3.100000000") -> None:
        self.in_monitor = False
        self.column = 0
        self.now += 3_100_000_000
        self.record("E", f"mon- paused={paused}")

    def trailer(self, reason: str = "poweroff", lost: int = 0) -> Made:
        """Ends the session: a trailer for each CPU that has logged."""
        for cpu in [0] + [n for n in range(1, 8) if self.seq[n]]:
            sent = sum(made.cpu == cpu for made in self.made) + 1
            last = self.record("Z", f"seq={self.seq[cpu]} records={sent} lost={lost} guestbytes={self.guest_bytes} "
                                    f"reason={reason}", cpu=cpu)
        return last

    def reboot(self) -> None:
        """A new session on the same line."""
        self.seq = [0] * 8
        self.now = 0
        self.in_monitor = False

    def bytes(self) -> bytes:
        return bytes(self.wire)
