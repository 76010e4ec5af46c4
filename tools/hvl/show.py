# SPDX-License-Identifier: Apache-2.0
"""show: the records as a timeline, one line each."""
from __future__ import annotations

from collections import deque
from typing import Deque, Dict, List, Optional, Set, Tuple

from .escape import Ready, joined, painted
from .fields import View
from .quick import Block, Line
from .record import DECISIONS, Rec, immediate, seconds, what
from .run import Output, Run, span
from .sequence import Start
from .wire import Text

_MEMO = 1 << 14
_LINE = 1024  # bytes of guest text shown at once
_COLOURS = {"DENY": "31", "KILL": "1;31", "WOULD": "33", "PAUSE": "35", "INJECT": "36", "ALLOW": "32"}


def paint(text: str, verdict: Optional[str], color: bool) -> str:
    code = _COLOURS.get(verdict or "")
    return painted(text, code) if color and code else text


class _Shown:
    """A decision's line from its verdict on; it depends on the text before the cost."""

    __slots__ = ("text", "call")

    def __init__(self, text: bytes, call: bool) -> None:
        self.text = text
        self.call = call        # its name is another one behind `hvc #1`


class Show:
    def __init__(self, run: Run, out: Output, around: Optional[Tuple[int, int]], relative: bool, color: bool,
                 console: bool) -> None:
        self._run = run
        self._out = out
        self._around = around
        self._relative = relative
        self._color = color
        self._console = console
        self._base: Optional[int] = None
        self._last: Optional[int] = None
        self._guest = b""
        self._started = False
        self._shown: Dict[bytes, _Shown] = {}
        self._spans: Dict[int, bytes] = {}
        self._calls: Set[bytes] = set()       # syndromes of HVC #0 and SMC #0

    def go(self) -> None:
        if self._around is None and not (self._console or self._color or self._relative or self._run.partial):
            self._plain()
            return
        before: Deque[Ready] = deque(maxlen=self._around[1] if self._around else 0)
        after = 0
        for event, view in self._run.events():
            if isinstance(event, Text) and self._console and event.stream == "guest":
                if self._around is None or after:
                    self._text(event.data)
            if not isinstance(event, Rec):
                continue
            if self._around is None:
                if self._run.passes(event, view):
                    self._put(self.line(event, view, False))
                continue
            if not self._run.in_time(event):
                continue
            hit = event.seq == self._around[0]
            line = self.line(event, view, hit)
            if hit:
                for old in before:
                    self._put(old)
                before.clear()
                self._put(line)
                after = self._around[1]
            elif after:
                self._put(line)
                after -= 1
            else:
                before.append(line)
        self._end_text()

    def _plain(self) -> None:
        """All records, as they are shown without switches: the usual case, and the quick one."""
        for event, view in self._run.blocks():
            if isinstance(event, Block):
                self._block(event, view)
            elif isinstance(event, Rec):
                self._put(self.line(event, view, False))
            elif isinstance(event, Start):
                self._shown.clear()

    def _block(self, block: Block, view: View) -> None:
        last, spans, shown, calls = self._last or 0, self._spans, self._shown, self._calls
        rows: List[bytes] = []
        put = rows.append
        for line in block.lines:
            _, _, seq, cpu, time, rest = line
            end = rest.find(b" cost=")
            known = shown.get(rest[:end])
            if known is None or rest.count(b" ", end) != 3 or time[0] == 0x30 and time[1] != 0x2e or \
                    known.call and rest[rest.find(b" esr=", end):-10] not in calls:
                self._out.raw(b"".join(rows))
                rows.clear()
                self._last = last if self._started else None
                self._first(block, line, view)
                last = self._last or 0
                continue
            t = int(time.replace(b".", b""))
            dt = spans.get(t - last) or self._span(t - last)
            last = t
            put(b"  %8b  %-14b  %b%b" % (b"%d.%d" % (seq, cpu) if cpu else b"%d" % seq, time, dt, known.text))
        self._out.raw(b"".join(rows))
        self._last = last

    def _first(self, block: Block, line: Line, view: View) -> None:
        """A decision that is the first of its kind, or unlike EL2's own."""
        rec = block.record(line)
        self._put(self.line(rec, view, False))
        text = self._tail(rec, view)
        rest = line[5]
        end = rest.find(b" cost=")
        if rec.f.n > 1 or rec.kind != "D" or end < 0 or not (text.isascii() and text.isprintable()):
            return
        if len(self._shown) >= _MEMO:
            self._shown.clear()
        if not immediate(rec.f):
            self._shown[rest[:end]] = _Shown(text.encode() + b"\n", rec.f.cls in ("hvc", "smc"))
            if rec.f.cls in ("hvc", "smc") and len(self._calls) < _MEMO:
                self._calls.add(rest[rest.find(b" esr=", end):-10])

    def _span(self, ns: int) -> bytes:
        text = f"{'+' if ns >= 0 else '-'}{span(abs(ns))}".rjust(8).encode() + b"  "
        if len(self._spans) < _MEMO:
            self._spans[ns] = text
        return text

    def _put(self, line: str) -> None:
        self._end_text()
        if not self._started:
            self._started = True
            self._out.line(f"  {'seq':>8}  {'t':<14}  {'dt':>8}  {'verdict':<7} {'rule':<5} {'what':<40} pc")
        self._out.line(line)

    def line(self, rec: Rec, view: View, marked: bool) -> Ready:
        t = rec.t
        if self._base is None:
            self._base = t
        shown = "-" if t is None else _signed(t - (self._base or 0)) if self._relative else seconds(t)
        dt = "" if t is None or self._last is None else (f"+{span(t - self._last)}" if t >= self._last
                                                         else f"-{span(self._last - t)}")
        if t is not None:
            self._last = t
        seq = f"{rec.seq}.{rec.cpu}" if rec.cpu else str(rec.seq)
        head = f"{'>' if marked else ' '} {seq:>8}  {shown:<14}  {dt:>8}  "
        if rec.kind not in DECISIONS:
            return joined(head, f"{'@' + rec.kind:<7} {view.told(rec.body)}")
        return joined(head, self._tail(rec, view))

    def _tail(self, rec: Rec, view: View) -> Ready:
        """A decision from its verdict on."""
        f = rec.f
        subject = what(f) + (f"  x{f.n}" if f.n > 1 else "")
        pc = "-" if f.pc is None else view.where(f.pc, f.el)
        place = view.of(rec).place()
        rule = "-" if f.rule is None else f"r{f.rule}"
        weak = "  weak" if rec.auth == "weak" else ""
        verdict = paint(f"{f.verdict or '?':<7}", f.verdict, self._color)
        return joined(verdict, f" {rule:<5} {subject:<40} {pc}" + (f"  {place}" if place else "") + weak)

    # --- the guest's console in between -------------------------------------------------------------------

    def _text(self, data: bytes) -> None:
        self._guest += data
        *lines, self._guest = self._guest.split(b"\n")
        for line in lines:
            self._out.line("    | " + line.rstrip(b"\r").decode("utf-8", "replace"))
        if len(self._guest) > _LINE:
            self._end_text()

    def _end_text(self) -> None:
        if self._guest:
            line, self._guest = self._guest, b""
            self._out.line("    | " + line.rstrip(b"\r").decode("utf-8", "replace"))


def _signed(ns: int) -> str:
    return ("-" if ns < 0 else "") + seconds(abs(ns))
