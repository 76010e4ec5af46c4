# SPDX-License-Identifier: Apache-2.0
"""summary: one screen about each session."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, TypeVar

from .escape import terminal, to_json
from .fields import View
from .quick import Block
from .record import Rec, VERDICTS
from .run import Output, Run, completeness, percent, span, stamp
from .sequence import End, Session, Start
from .tally import Tally

_ALWAYS = ("DENY", "WOULD", "KILL")
_T = TypeVar("_T")
_NEVER_SHOWN = 12
_CHANGES = 12


def _hertz(session: Session) -> str:
    return f"{session.cntfrq / 1e6:g} MHz" if session.cntfrq else "cntfrq ?"


def _ns(session: Session, ticks: int) -> str:
    ns = session.ns(ticks)
    return f"{ticks} ticks" if ns is None else span(ns)


def _function(pc: str, view: View) -> str:
    """The function of a row; whose names are unknown, and what EL0 ran, stays an address."""
    return view.function(int(pc, 16)) or pc if pc.startswith("0x") and pc[2:].isalnum() else pc


def _rules(rules: List[int]) -> str:
    text = " ".join(f"r{r}" for r in rules[:6])
    return text + (" ..." if len(rules) > 6 else "")


def table(rows: List[List[str]], left: int) -> List[str]:
    """Columns as wide as their widest cell; the first `left` and the last are flush left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    last = len(widths) - 1
    return ["  ".join(cell.ljust(w) if i < left or i == last else cell.rjust(w)
                      for i, (cell, w) in enumerate(zip(row, widths))).rstrip() for row in rows]


class Summary:
    def __init__(self, run: Run, out: Output, by: Optional[str], top: int, as_json: bool) -> None:
        self._run = run
        self._out = out
        self._by = by
        self._top = top
        self._json: Optional[List[Dict[str, Any]]] = [] if as_json else None

    def go(self) -> None:
        tally: Optional[Tally] = None
        first = True
        for event, view in self._run.blocks():
            if isinstance(event, Start):
                tally = Tally(event.session, view.places, self._by or "class", self._run.partial)
            elif isinstance(event, Block):
                if tally is not None and tally.takes_blocks:
                    tally.block(event)
                elif tally is not None:
                    for rec in event.records():
                        if self._run.passes(rec, view):
                            tally.add(rec)
            elif isinstance(event, Rec):
                if tally is not None and self._run.passes(event, view):
                    tally.add(event)
            elif isinstance(event, End) and tally is not None:
                tally.settle()
                if self._json is not None:
                    self._json.append(as_dict(tally, view))
                else:
                    if not first:
                        self._out.line()
                    self._text(tally, view)
                    self._out.flush()
                first = False
                tally = None
        if self._json is not None and self._json:
            self._out.line(to_json({"v": 1, "sessions": self._json}, 1))

    def _text(self, tally: Tally, view: View) -> None:
        s, line = tally.session, self._out.line
        source = f"   {s.source}" if len(self._run.reader.files) > 1 else ""
        line(f"session {s.number}   build {s.name('build')}   policy {s.name('policy')}   "
             f"guest {s.name('guest')}   cpu {s.name('cpu')}   {_hertz(s)}{source}")
        line(f"log         {completeness(s)}")
        for rec, text in s.changed[:_CHANGES]:
            line(f"changed     {rec.seq}{f'.{rec.cpu}' if rec.cpu else ''}  {stamp(rec.t)}  {text}")
        if s.changes > _CHANGES:
            line(f"changed     and {s.changes - _CHANGES} more (show -f 'kind in (P, E)')")
        if tally.verdict("WOULD"):
            line(f"let through {tally.verdict('WOULD')} decisions that the policy refuses (WOULD)")
        total_ns = s.guest_time
        cost = tally.cost_ticks()
        ns = s.ns(cost)
        in_el2 = f"{cost} ticks in EL2" if ns is None else f"{ns / 1e9:.3f} s ({100 * ns / total_ns:.2f} %) in EL2" \
            if total_ns else f"{span(ns)} in EL2"
        line(f"time        {total_ns / 1e9:.3f} s guest, {in_el2}, {s.paused / 1e9:.1f} s paused and hidden")
        self._decisions(tally)
        silent = tally.total() - tally.decisions
        if silent > 0:
            line(f"note        {silent} of them have no record (log settings, console, loss): "
                 + ("by their rules they are in the table below" if self._by in (None, "rule") else
                    "they are not in the table below (--by rule has them)"))
        if s.batched:
            line(f"note        {s.batched} records in batches are whole, but of a form that this decoder cannot open")
        line()
        if self._by == "rule" or self._by is None and silent > 0:
            self._rules(tally, view)
        else:
            self._rows(tally, view, silent > 0)
        self._refused(tally, view)
        never = tally.never_hit(view)
        rules = len(view.places.numbers(s))
        if rules:
            shown = " ".join(f"r{r}" for r in never[:_NEVER_SHOWN]) + (" ..." if len(never) > _NEVER_SHOWN else "")
            line(f"never hit    {len(never)} of {rules} rules: {shown}".rstrip(": ")
                 + f"        (coverage: {100 * (rules - len(never)) // rules} %)")
        line(f"exceptions   {tally.exceptions}     markers {tally.marks}     monitor entries {s.monitors}")

    def _decisions(self, tally: Tally) -> None:
        counts = [(tally.verdict(word), word) for word in VERDICTS]
        seen = sorted((c for c in counts if c[0] and c[1] not in _ALWAYS), key=lambda c: -c[0])
        words = [f"{word} {count}" for count, word in seen]
        words += [f"{word} {tally.verdict(word)}" for word in _ALWAYS]
        if tally.verdict("?"):
            words.append(f"unknown {tally.verdict('?')}")
        if tally.partial:
            how = "counted from the records that were asked for"
        elif tally.exact and tally.session.ended:
            how = "totals from @S, exact"
        elif tally.totals_at:
            how = f"totals from @S up to {tally.totals_at / 1e9:.3f} s, then counted from the records"
        else:
            how = "counted from the records: no @S of every CPU"
        self._out.line(f"decisions   {tally.total()}    {'  '.join(words)}        {how}")

    def _rules(self, tally: Tally, view: View) -> None:
        """EL2's counts of each rule; percentiles where each of its decisions has a record."""
        s = tally.session
        rows = [["rule", "count", "%", "EL2 time", "p50", "p95", "max", "entry"]]
        ordered = sorted(tally.rule_counts().items(), key=lambda item: (-item[1][0], item[0]))
        for number, (hits, ticks) in ordered[:self._top]:
            row, rule = tally.by_rule.get(number), view.places.rule(s, number)
            times = [_ns(s, row.percentile(50)), _ns(s, row.percentile(95)), _ns(s, row.most)] if row and row.count == hits \
                else ["-"] * 3
            entry = f"{rule.place} {rule.text[:40]}" if rule is not None else ""
            rows.append([f"r{number}", str(hits), percent(hits, tally.total()), _ns(s, ticks), *times, entry])
        if len(rows) > 1:
            for text in table(rows, 1):
                self._out.line(text)
        self._more(ordered, lambda item: item[1][0])

    def _more(self, ordered: List[_T], count: Callable[[_T], int]) -> None:
        if len(ordered) > self._top:
            rest = sum(count(item) for item in ordered[self._top:])
            self._out.line(f"({len(ordered) - self._top} more rows, {rest} decisions: --top)")

    def _rows(self, tally: Tally, view: View, silent: bool) -> None:
        if not tally.rows:
            return
        s, by = tally.session, self._by or "class"
        rows = [[by, "logged" if silent else "count", "%", "EL2 time", "p50", "p95", "max", "rules"]]
        ordered = tally.sorted_rows(lambda pc: _function(pc, view) if by == "function" else pc)
        for name, row in ordered[:self._top]:
            costs = row.costs
            if costs.count:
                times = [_ns(s, costs.total), _ns(s, costs.percentile(50)), _ns(s, costs.percentile(95)),
                         _ns(s, costs.most)]
            else:
                times = ["-"] * 4
            last = _rules(sorted(row.rules))
            if by == "pc" and name.startswith("0x") and name[2:].isalnum():
                last = view.sym(int(name, 16)) or last
            rows.append([terminal(name), str(row.count), percent(row.count, tally.decisions)] + times + [last])
        for text in table(rows, 1):
            self._out.line(text)
        self._more(ordered, lambda item: item[1].count)

    def _refused(self, tally: Tally, view: View) -> None:
        if not tally.refused:
            return
        silent = sum(tally.verdict(word) for word in _ALWAYS) - sum(
            found.count for (_, verdict, _, _), found in tally.refused.items() if verdict in _ALWAYS)
        rows = [["denied", "logged" if silent > 0 else "count", "first@seq", "last@seq", "pc (top)", "rule"]]
        ordered = tally.sorted_refusals()
        for (subject, verdict, _, rule), found in ordered[:self._top]:
            pc = ""
            if found.pcs:
                (address, el), times = max(found.pcs.items(), key=lambda item: (item[1], -(item[0][0] or 0), str(item)))
                pc = f"{view.where(address or 0, el)} ({times})"
            place = "" if rule is None else view.places.place(tally.session, rule) or ""
            name = terminal(subject) + ("" if verdict == "DENY" else f" ({verdict})")
            rows.append([name, str(found.count), str(found.first), str(found.last), pc,
                         "" if rule is None else f"r{rule} {place}".rstrip()])
        self._out.line()
        for text in table(rows, 1):
            self._out.line(text)
        if len(ordered) > self._top:
            self._out.line(f"({len(ordered) - self._top} more rows: --top)")
        if silent > 0:
            self._out.line(f"({silent} more have no record)")


def as_dict(tally: Tally, view: View) -> Dict[str, Any]:
    s = tally.session
    rows = []
    for name, row in tally.sorted_rows():
        costs = row.costs
        rows.append({"name": name, "count": row.count, "cost_ns": s.ns(costs.total),
                     "p50_ns": s.ns(costs.percentile(50)), "p95_ns": s.ns(costs.percentile(95)),
                     "max_ns": s.ns(costs.most), "rules": sorted(row.rules), "verdicts": dict(sorted(row.verdicts.items()))})
    refused = [{"what": subject, "verdict": verdict, "class": cls, "rule": rule, "count": found.count,
                "src": None if rule is None else view.places.place(s, rule),
                "first": found.first, "last": found.last,
                "pcs": {hex(pc or 0): n for (pc, _), n in sorted(found.pcs.items(), key=str)},
                "by": {view.where(pc or 0, el): n for (pc, el), n in sorted(found.pcs.items(), key=str)}}
               for (subject, verdict, cls, rule), found in tally.sorted_refusals()]
    return {
        "session": s.number, "source": s.source, "header": s.header,
        "log": {"complete": s.complete(), "records": s.records, "first": s.first, "last": s.last, "lost": s.lost,
                "missing": s.missing, "not_sent": s.held, "damaged": s.damaged, "suspect": s.suspect,
                "repaired": s.repaired, "repeated": s.duplicate, "batched": s.batched, "weak": s.weak,
                "trailer": s.ended, "head_cut": s.head_cut, "guest_text_short": s.text_short},
        "time": {"guest_ns": s.guest_time, "el2_ns": s.ns(tally.cost_ticks()),
                 "paused_ns": s.paused},
        "decisions": {"total": tally.total(), "logged": tally.decisions, "exact": tally.exact,
                      "verdicts": {word: tally.verdict(word) for word in VERDICTS}},
        "rows": rows, "denied": refused, "rules": {f"r{r}": n for r, (n, _) in sorted(tally.rule_counts().items())},
        "never_hit": tally.never_hit(view), "exceptions": tally.exceptions, "markers": tally.marks,
        "monitor_entries": s.monitors, "changes": s.changes,
        "changed": [{"seq": rec.seq, "cpu": rec.cpu, "t": stamp(rec.t), "what": text} for rec, text in s.changed],
    }
