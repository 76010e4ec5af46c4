# SPDX-License-Identifier: Apache-2.0
"""trace: Chrome's trace event form, for Perfetto: the times at which each vCPU ran.

The time is the guest's own: stops are left out, and marked. A vCPU has two tracks. On one a slice as long as the vCPU
ran between two stops holds one slice for each decision; on the other stand events and refusals, which take no time.
The rules of the importers are listed in tests/decoder/trace_rules.py.
"""
from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from typing import Any, Dict, List, Optional, Tuple

from .fields import View
from .record import DECISIONS, Rec, number, seconds, touched
from .run import Output, Run, span
from .sequence import End, Session, Start

TRACE = b'{"displayTimeUnit":"ns","traceEvents":[\n'     # how a trace begins
_SECOND = 1_000_000_000
_GRID = 125             # nanoseconds: an eighth of a microsecond is exact as a binary fraction, whoever computes with it
_LAST = (1 << 53) // _GRID      # 104 days: later nanoseconds are not exact as a double
_EIGHTHS = ("", ".125", ".25", ".375", ".5", ".625", ".75", ".875")
_REFUSALS = ("DENY", "KILL", "WOULD")


class _Raw(str):
    """A number as it stands in the file."""


def _micro(grid: int) -> _Raw:
    return _Raw(f"{grid >> 3}{_EIGHTHS[grid & 7]}")


class Vcpu:
    """The drawn part of one vCPU, in steps of the grid."""

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.end = begin
        # Slices in the order of time; those of records that were held back until the log ended lie between others.
        self.starts, self.ends = array("q"), array("q")
        self.late_starts, self.late_ends = array("q"), array("q")
        self.held: Optional[Tuple[Rec, View, Optional[str]]] = None
        self.told: Optional[Tuple[int, int]] = None     # the last @S: own time, decisions

    def place(self, start: int, end: int) -> Optional[Tuple[int, int]]:
        """Where a slice goes that would be from `start` to `end`: behind all others, cut where it would reach back."""
        start = max(start, self.end, self.begin + 1)
        end = max(start, end)
        self.starts.append(start)
        self.ends.append(end)
        self.end = max(end, start + 1)      # no two slices of one track begin together
        return start, end

    def place_late(self, start: int, end: int) -> Optional[Tuple[int, int]]:
        """The same for one between others: where there is no room for it, None."""
        at = bisect_right(self.starts, start)
        least = max(self.begin + 1, self.late_ends[-1] if self.late_ends else 0)
        if start < least or at and start < max(self.ends[at - 1], self.starts[at - 1] + 1):
            return None
        most = self.starts[at] if at < len(self.starts) else end
        if start >= most > end:
            return None
        end = max(start, min(end, most))
        self.late_starts.append(start)
        self.late_ends.append(max(end, start + 1))
        self.end = max(self.end, end)
        return start, end

    def holds(self, at: int) -> bool:
        """Would a border at `at` cut a slice?"""
        for starts, ends in ((self.starts, self.ends), (self.late_starts, self.late_ends)):
            before = bisect_left(starts, at) - 1
            if before >= 0 and ends[before] > at or before + 1 < len(starts) and starts[before + 1] == at:
                return True
        return False


class Trace:
    def __init__(self, run: Run, out: Output) -> None:
        self._run = run
        self._out = out
        self._sep = ""
        self._session = Session("")
        self._vcpus: Dict[int, Vcpu] = {}
        self._beyond = 0                                    # records that are too late for the form
        self._seconds: Dict[int, Dict[str, int]] = {}       # of the guest's time: what was logged, by verdict

    def go(self) -> None:
        self._out.raw(TRACE)
        sessions: List[Session] = []
        for event, view in self._run.events():
            if isinstance(event, Start):
                self._session, self._vcpus, self._seconds = event.session, {}, {}
                sessions.append(event.session)
                self._put("M", 1, name="process_name", args={"name": f"session {event.session.number}"})
            elif isinstance(event, End):
                self._finish()
            elif isinstance(event, Rec) and event.t is not None and self._run.passes(event, view):
                self._record(event, event.t, view)
        other = {"builds": [session.name("build")[:64] for session in sessions],
                 "complete": all(session.complete() for session in sessions),
                 "too late": self._beyond, "changes": sum(session.changes for session in sessions),
                 "time": "the guest's own: stops are left out; args.t is that of the log"}
        self._out.raw(("\n],\"otherData\":" + json.dumps(other) + "}\n").encode())

    # --- writing ------------------------------------------------------------------------------------------

    def _put(self, ph: str, tid: int, **event: Any) -> None:
        """0 is the idle thread to an importer, so numbers begin with 1."""
        parts = [f'"ph":"{ph}","pid":{self._session.number},"tid":{tid}']
        parts += [f'"{key}":{value if isinstance(value, _Raw) else json.dumps(value)}' for key, value in event.items()]
        self._out.raw((self._sep + "{" + ",".join(parts) + "}").encode())
        self._sep = ",\n"

    def _slice(self, cpu: int, start: int, end: int, cat: str, name: str, args: Dict[str, Any]) -> None:
        self._put("X", 2 * cpu + 1, ts=_micro(start), dur=_micro(end - start), cat=cat, name=name, args=args)

    def _instant(self, cpu: int, at: int, cat: str, name: str, args: Dict[str, Any]) -> None:
        self._put("i", 2 * cpu + 2, ts=_micro(at), s="t", cat=cat, name=name, args=args)

    def _counter(self, at: int, name: str, values: Dict[str, int]) -> None:
        self._put("C", 1, ts=_micro(at), cat="rate", name=name, args=values)

    # --- records ------------------------------------------------------------------------------------------

    def _grid(self, t: int) -> int:
        """The guest's time at `t` of the log."""
        return max(0, self._session.stops.own(t)) // _GRID

    def _vcpu(self, cpu: int, at: int) -> Vcpu:
        found = self._vcpus.get(cpu)
        if found is None:
            found = self._vcpus[cpu] = Vcpu(at)
            for tid, name in ((2 * cpu + 1, f"vcpu{cpu}"), (2 * cpu + 2, f"events of vcpu{cpu}")):
                self._put("M", tid, name="thread_name", args={"name": name})
        return found

    def _record(self, rec: Rec, t: int, view: View) -> None:
        at = self._grid(t)
        if at >= _LAST:
            self._beyond += 1
            return
        vcpu = self._vcpu(rec.cpu, at)
        if rec.kind in DECISIONS:
            self._count(rec, at)
            place = view.of(rec).place()
            if rec.late:                            # held back by the mode until the log ended
                self._decision(vcpu, rec, t, view, place, None)
            else:
                self._release(vcpu, at)
                vcpu.held = rec, view, place
            return
        self._release(vcpu, at)
        if rec.kind == "L":
            drawn = vcpu.place(vcpu.end, at)
            if drawn is not None:
                self._slice(rec.cpu, *drawn, "loss", f"LOST {rec.f.kv.get('lost', '?')}", {"text": rec.body})
        elif rec.kind == "S":
            self._totals(vcpu, rec, at)
        elif rec.kind in "EXP":
            if rec.f.event == "guest+" and not vcpu.starts and vcpu.told is None:
                vcpu.begin = vcpu.end = at          # earlier records are of EL2's boot
            if rec.f.event not in ("mon+", "mon-"):     # told when all stops are known
                self._instant(rec.cpu, at, rec.kind, rec.f.mark or rec.f.event or rec.kind,
                              {"seq": rec.seq, "t": seconds(t), "text": view.told(rec.body)})
        vcpu.end = max(vcpu.end, at)

    def _release(self, vcpu: Vcpu, until: Optional[int]) -> None:
        """The decision before is over where the next record begins, at the latest."""
        held, vcpu.held = vcpu.held, None
        if held is not None and held[0].t is not None:
            self._decision(vcpu, held[0], held[0].t, held[1], held[2], until)

    def _decision(self, vcpu: Vcpu, rec: Rec, t: int, view: View, place: Optional[str], until: Optional[int]) -> None:
        f = rec.f
        cost = self._session.ns((f.cost or 0) // f.n) or 0      # of a run of equal ones the first is drawn
        start, end = self._grid(t), min(_LAST, self._grid(t + max(0, cost)))
        if until is not None:
            end = min(end, until)
        drawn = vcpu.place_late(start, end) if rec.late else vcpu.place(start, end)
        name = f"{f.cls or '?'}{'.' + f.op if f.op else ''} {touched(f) or ''}".rstrip()
        name += f" x{f.n}" if f.n > 1 else ""
        where = "" if f.pc is None else view.where(f.pc, f.el)
        args = {"seq": rec.seq, "t": seconds(t), "rule": None if f.rule is None else f"r{f.rule}", "src": place, "n": f.n,
                "cost_ns": cost, "pc": None if f.pc is None else where}
        verdict = f.verdict or "?"
        if drawn is not None:
            self._slice(rec.cpu, *drawn, verdict, name, args)
        if verdict in _REFUSALS or drawn is None:
            self._instant(rec.cpu, start, verdict, f"{verdict} {name}", args)

    def _totals(self, vcpu: Vcpu, rec: Rec, at: int) -> None:
        """From @S: the exact rate since the one before, also of what is counted only; and how full the ring was."""
        decisions, waiting = number(rec.f.kv.get("dec", "")), number(rec.f.kv.get("waiting", ""))
        since, before = vcpu.told or (vcpu.begin, 0)
        if decisions is not None and at > since:
            self._counter(since, f"decisions/s of vcpu{rec.cpu}",
                          {"decisions": max(0, decisions - before) * _SECOND // ((at - since) * _GRID)})
            vcpu.told = at, decisions
        if waiting is not None:
            self._counter(at, f"ring of vcpu{rec.cpu}", {"records": waiting})

    def _count(self, rec: Rec, at: int) -> None:
        counts = self._seconds.setdefault(at * _GRID // _SECOND, {})
        verdict = (rec.f.verdict or "?").lower()
        if verdict in counts or len(counts) < 32:
            counts[verdict] = counts.get(verdict, 0) + rec.f.n

    # --- the end of a session ------------------------------------------------------------------------------

    def _finish(self) -> None:
        for cpu, vcpu in sorted(self._vcpus.items()):
            self._release(vcpu, None)
            borders = [vcpu.begin]
            for own, since, length, why in self._session.stops.marks():
                at = own // _GRID
                if vcpu.begin <= at <= vcpu.end:
                    self._instant(cpu, at, "stop", f"stood for {span(length)} ({why})", {"t": seconds(since)})
                if borders[-1] < at < vcpu.end and not vcpu.holds(at):
                    borders.append(at)
            for start, end in zip(borders, [*borders[1:], vcpu.end]):
                self._slice(cpu, start, end, "ran", "ran", {"t": seconds(self._session.stops.real(start * _GRID))})
            if vcpu.told is not None:
                self._counter(vcpu.told[0], f"decisions/s of vcpu{cpu}", {"decisions": 0})
        last = max((vcpu.end for vcpu in self._vcpus.values()), default=0)
        words = sorted({word for counts in self._seconds.values() for word in counts})[:32]
        for second, counts in sorted(self._seconds.items()):
            self._counter(second * _SECOND // _GRID, "logged/s", {word: counts.get(word, 0) for word in words})
            if second + 1 not in self._seconds:
                self._counter(min(last, (second + 1) * _SECOND // _GRID), "logged/s", {word: 0 for word in words})
