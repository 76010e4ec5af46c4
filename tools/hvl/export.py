# SPDX-License-Identifier: Apache-2.0
"""json, csv, trace and the schema: the log for other programs."""
from __future__ import annotations

import csv
import io
import json
from typing import Any, Dict, List, Optional, Tuple

from .escape import Ready, cell, to_json
from .fields import CSV_FIELDS, FIELDS, JSON_FIELDS, JSON_OTHER, TIMES, View, shown
from .record import DECISIONS, Rec, number, seconds
from .run import Output, Run
from .sequence import End, Session, Start

SECOND = 1_000_000_000
TRACE = b'{"displayTimeUnit":"ns","traceEvents":[\n'     # first bytes of a trace


def json_line(rec: Rec, view: View, names: Optional[List[str]]) -> str:
    """Times as decimal numbers with all nine digits, which a float cannot promise."""
    if names is None:
        names = JSON_FIELDS if rec.kind in DECISIONS else JSON_OTHER
    parts = ['"v":1']
    view.of(rec)
    for name in names:
        if name in TIMES:
            value = FIELDS[name](view)
            text = seconds(value) if isinstance(value, int) else "null"
        else:
            text = json.dumps(FIELDS[name].json(view))
        parts.append(f'"{name}":{text}')
    return "{" + ",".join(parts) + "}"


def write_json(run: Run, out: Output, names: Optional[List[str]]) -> None:
    for rec, view in run.records():
        out.line(json_line(rec, view, names))


def write_csv(run: Run, out: Output, names: Optional[List[str]]) -> None:
    columns = names or CSV_FIELDS
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for rec, view in run.records():
        if run.test is None and rec.kind not in DECISIONS:  # columns of a table of decisions, unless told otherwise
            continue
        view.of(rec)
        writer.writerow([cell(shown(name, view)) for name in columns])
        if buffer.tell() > 1 << 16:
            _drain(buffer, out)
    _drain(buffer, out)


def _drain(buffer: io.StringIO, out: Output) -> None:
    out.raw(buffer.getvalue().encode("utf-8", "backslashreplace"))
    buffer.seek(0)
    buffer.truncate()


def schema() -> Ready:
    """JSON Schema of a line of `json`, which also lists the fields for filters and --fields."""
    properties: Dict[str, Any] = {"v": {"const": 1, "description": "version of this form"}}
    for name, field in FIELDS.items():
        if field.hexadecimal:
            kind: Dict[str, Any] = {"type": ["string", "null"], "pattern": "^0x[0-9a-f]+$"}
        elif name in TIMES:
            kind = {"type": ["number", "null"]}
        else:
            kind = {"type": ["integer" if field.numeric else "string", "null"]}
        kind["description"] = field.about
        properties[name] = kind
    return to_json({"$schema": "https://json-schema.org/draft/2020-12/schema",
                    "title": "a record of Charter's log, as log_decode.py json writes it",
                    "type": "object", "required": ["v"], "properties": properties, "additionalProperties": False,
                    "x-default-fields": {"decision": JSON_FIELDS, "other": JSON_OTHER, "csv": CSV_FIELDS}}, 1)


def _title(rec: Rec) -> str:
    f = rec.f
    return f"{f.cls or '?'}{'.' + f.op if f.op else ''} {f.name or ''}".rstrip()


def _args(rec: Rec, place: Optional[str]) -> Dict[str, Any]:
    f = rec.f
    return {"seq": rec.seq, "rule": None if f.rule is None else f"r{f.rule}", "src": place, "n": f.n,
            "pc": None if f.pc is None else hex(f.pc)}


class Trace:
    """Chrome's trace event format: CPUs over time. A slice ends where the next record begins at the latest, so slices
    of one track never overlap."""

    def __init__(self, run: Run, out: Output) -> None:
        self._run = run
        self._out = out
        self._sep = ""
        self._held: Dict[int, Tuple[Rec, str, Optional[str]]] = {}
        self._end: Dict[int, int] = {}
        self._second = 0
        self._counts: Dict[str, int] = {}
        self._told: Dict[int, Tuple[int, int]] = {}     # cpu -> its last @S: time, decisions
        self._session = Session("")
        self._complete = True

    def go(self) -> None:
        self._out.raw(TRACE)
        builds: List[str] = []
        for event, view in self._run.events():
            if isinstance(event, Start):
                self._start(event.session)
                builds.append(event.session.name("build")[:64])
            elif isinstance(event, End):
                self._finish(event.session)
            elif isinstance(event, Rec) and event.t is not None and self._run.passes(event, view):
                self._record(event, view)
        other = {"builds": builds, "complete": self._complete}
        self._out.raw(("\n],\"otherData\":" + json.dumps(other) + "}\n").encode())

    def _put(self, **event: Any) -> None:
        event.setdefault("pid", self._session.number)
        self._out.raw((self._sep + json.dumps(event)).encode())
        self._sep = ",\n"

    def _start(self, session: Session) -> None:
        self._session = session
        self._held.clear()
        self._end.clear()
        self._second = 0
        self._counts = {}
        self._told.clear()
        self._put(ph="M", tid=0, name="process_name", args={"name": f"session {session.number}"})

    def _thread(self, cpu: int) -> None:
        if cpu not in self._end:
            self._end[cpu] = 0
            for tid, name in ((2 * cpu, f"vcpu{cpu}"), (2 * cpu + 1, f"EL2 of vcpu{cpu}")):
                self._put(ph="M", tid=tid, name="thread_name", args={"name": name})

    def _record(self, rec: Rec, view: View) -> None:
        assert rec.t is not None
        self._thread(rec.cpu)
        if rec.kind in DECISIONS:
            if rec.late:                # held back by the mode until the end of the log: a slice without neighbours
                self._put(ph="X", tid=2 * rec.cpu + 1, ts=rec.t / 1000,
                          dur=(self._session.ns((rec.f.cost or 0) // rec.f.n) or 0) / 1000, cat=rec.f.verdict or "?",
                          name=_title(rec), args=_args(rec, view.of(rec).place()))
                return
            self._count(rec)
            self._slice(rec.cpu, rec.t)
            self._held[rec.cpu] = (rec, _title(rec), view.of(rec).place())
            return
        if rec.kind == "L":
            self._slice(rec.cpu, rec.t)
            at = min(self._end[rec.cpu], rec.t)
            self._put(ph="X", tid=2 * rec.cpu, ts=at / 1000, dur=(rec.t - at) / 1000, cat="loss",
                      name=f"LOST {rec.f.kv.get('lost', '?')}", args={"text": rec.body})
            self._end[rec.cpu] = rec.t
        elif rec.kind == "S":
            self._totals(rec, rec.t)
        elif rec.kind in "EXP":
            self._stands(rec, rec.t)
            self._put(ph="I", tid=2 * rec.cpu, ts=rec.t / 1000, s="p", cat=rec.kind,
                      name=rec.f.mark or rec.f.event or rec.kind, args={"seq": rec.seq, "text": rec.body})

    def _stands(self, rec: Rec, t: int) -> None:
        """Marks where the guest begins, stops and goes on."""
        if rec.f.event not in ("guest+", "mon+", "mon-"):
            return
        self._slice(rec.cpu, t)
        begun = self._end[rec.cpu]
        if rec.f.event != "guest+" and t > begun:
            name = "guest" if rec.f.event == "mon+" else "stopped"
            self._put(ph="X", tid=2 * rec.cpu, ts=begun / 1000, dur=(t - begun) / 1000, cat=name, name=name)
        self._end[rec.cpu] = max(begun, t)

    def _slice(self, cpu: int, until: Optional[int]) -> None:
        held = self._held.pop(cpu, None)
        if held is None:
            return
        rec, name, place = held
        assert rec.t is not None
        f = rec.f
        start = max(rec.t, self._end[cpu])
        length = max(0, self._session.ns(f.cost or 0) or 0)
        end = start + length
        if until is not None:
            end = max(start, min(end, until))
        if start > self._end[cpu]:
            self._put(ph="X", tid=2 * cpu, ts=self._end[cpu] / 1000, dur=(start - self._end[cpu]) / 1000, cat="guest",
                      name="guest")
        args = _args(rec, place)
        verdict = f.verdict or "?"
        self._put(ph="X", tid=2 * cpu + 1, ts=start / 1000, dur=(end - start) / 1000, cat=verdict, name=name, args=args)
        if verdict in ("DENY", "KILL", "WOULD"):
            self._put(ph="I", tid=2 * cpu + 1, ts=start / 1000, s="t", cat=verdict, name=f"{verdict} {name}",
                      args=args)
        self._end[cpu] = end

    def _totals(self, rec: Rec, t: int) -> None:
        """Counters from @S: the exact rate, with decisions that are only counted; and how full the ring was."""
        decisions, waiting = number(rec.f.kv.get("dec", "")), number(rec.f.kv.get("waiting", ""))
        since, before = self._told.get(rec.cpu, (0, 0))
        if decisions is not None and t > since:
            self._put(ph="C", tid=0, ts=t / 1000, name=f"decisions/s of vcpu{rec.cpu}",
                      args={"decisions": max(0, decisions - before) * SECOND // (t - since)})
            self._told[rec.cpu] = (t, decisions)
        if waiting is not None:
            self._put(ph="C", tid=0, ts=t / 1000, name=f"ring of vcpu{rec.cpu}", args={"records": waiting})

    def _count(self, rec: Rec) -> None:
        """One sample of the rate for each second with a decision."""
        assert rec.t is not None
        second = rec.t // SECOND
        if second != self._second:
            self._sample()
            self._second = second
        verdict = (rec.f.verdict or "?").lower()
        self._counts[verdict] = self._counts.get(verdict, 0) + rec.f.n

    def _sample(self) -> None:
        if self._counts:
            self._put(ph="C", tid=0, ts=self._second * 1_000_000, name="traps/s", args=self._counts)
            self._counts = {}

    def _finish(self, session: Session) -> None:
        for cpu in list(self._held):
            self._slice(cpu, None)
        self._sample()
        self._complete = self._complete and session.complete()
