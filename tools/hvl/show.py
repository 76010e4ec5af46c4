# SPDX-License-Identifier: Apache-2.0
"""show: the records as a timeline, one line each."""
from __future__ import annotations

from collections import deque
from typing import Deque, Optional, Tuple

from .escape import Ready, joined, painted
from .fields import View
from .record import DECISIONS, Rec, seconds, what
from .run import Output, Run, span
from .wire import Text

_LINE = 1024  # bytes of guest text shown at once
_COLOURS = {"DENY": "31", "KILL": "1;31", "WOULD": "33", "PAUSE": "35", "INJECT": "36", "ALLOW": "32"}


def paint(text: str, verdict: Optional[str], color: bool) -> str:
    code = _COLOURS.get(verdict or "")
    return painted(text, code) if color and code else text


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

    def go(self) -> None:
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
        f = rec.f
        if rec.kind not in DECISIONS:
            return joined(head, f"{'@' + rec.kind:<7} {view.told(rec.body)}")
        subject = what(f) + (f"  x{f.n}" if f.n > 1 else "")
        pc = "-" if f.pc is None else view.where(f.pc, f.el)
        place = view.of(rec).place()
        rule = "-" if f.rule is None else f"r{f.rule}"
        weak = "  weak" if rec.auth == "weak" else ""
        verdict = paint(f"{f.verdict or '?':<7}", f.verdict, self._color)
        return joined(head, verdict, f" {rule:<5} {subject:<40} {pc}" + (f"  {place}" if place else "") + weak)

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
