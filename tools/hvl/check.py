# SPDX-License-Identifier: Apache-2.0
"""check: the gate of a CI run. The log must be whole, without forbidden records and with all required ones."""
from __future__ import annotations

from typing import List, Optional

from .escape import Ready, terminal, xml, xml_attribute
from .expr import compile_filter
from .fields import View
from .files import create
from .record import DECISIONS, Rec, what
from .run import FINDING, INCOMPLETE, Output, Run, changes, completeness
from .sequence import End, Start
from .tally import Tally

_JUNIT = '<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="hvl-check"'
_LISTED = 20  # findings of one expression that are shown; all are counted


class Rule:
    """One --fail-on or --require, with its findings."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.test = compile_filter(text)
        self.count = 0
        self.found: List[str] = []


class Case:
    """One line of the verdict."""

    def __init__(self, name: str, code: int = 0, message: str = "", count: int = 1) -> None:
        self.name = name
        self.code = code
        self.message = message
        self.count = count if code else 0


class Check:
    def __init__(self, run: Run, out: Output, fail_on: List[str], require: List[str], max_lost: int, max_text: int,
                 max_cost: Optional[float], junit: Optional[str], github: bool,
                 untouched: bool) -> None:
        self._run = run
        self._out = out
        self._fail_on = [Rule(text) for text in fail_on]
        self._require = [Rule(text) for text in require]
        self._max_lost = max_lost
        self._max_text = max_text
        self._max_cost = max_cost
        self._junit = junit
        self._github = github
        self._untouched = untouched
        self._changes = 0
        self._cases: List[Case] = []
        self._weak = False

    def go(self) -> None:
        tally: Optional[Tally] = None
        looks = bool(self._fail_on or self._require or self._max_cost is not None)
        for event, view in self._run.events() if looks else self._run.blocks():
            if isinstance(event, Start):
                tally = Tally(event.session, view.places)
            elif isinstance(event, Rec):
                if self._max_cost is not None and tally is not None:
                    tally.add(event)
                if self._run.in_time(event):
                    self._record(event, view)
            elif isinstance(event, End) and tally is not None:
                self._session(tally, view)
        self._verdict()

    def _record(self, rec: Rec, view: View) -> None:
        view.of(rec)
        for rule in self._fail_on:
            if rule.test(view):
                rule.count += 1
                if rule.count <= _LISTED:
                    rule.found.append(self._finding(rec, view))
        for rule in self._require:
            if not rule.count and rule.test(view):
                rule.count = 1

    def _finding(self, rec: Rec, view: View) -> str:
        f = rec.f
        if rec.kind in DECISIONS:
            number = "" if f.rule is None else f" (rule r{f.rule})"
            pc = "" if f.pc is None else f" pc={view.where(f.pc, f.el)}"
            text = f"{what(f)} {f.verdict} at seq {rec.seq}{pc}{number}"
        else:
            text = f"@{rec.kind} {rec.body} at seq {rec.seq}"
        place = view.place()
        if self._github:
            self._out.line(annotation(text, place))
        return f"{place}: {text}" if place else text

    def _session(self, tally: Tally, view: View) -> None:
        s = tally.session
        name = f"session {s.number}: "
        whole = s.complete(self._max_lost, self._max_text)
        self._weak = self._weak or s.weak > 0
        text = completeness(s, self._max_lost, self._max_text)
        self._cases.append(Case(name + "the log is complete", 0 if whole else INCOMPLETE, text))
        if not whole and self._github:
            self._out.line(annotation(f"session {s.number}: {text}", None))
        self._changes += s.changes
        if self._untouched:
            found = [f"{rec.seq}{f'.{rec.cpu}' if rec.cpu else ''}: {what}" for rec, what in s.changed[:_LISTED]]
            more = f"\nand {s.changes - len(found)} more" if s.changes > len(found) else ""
            self._cases.append(Case(name + "the operator changed nothing", FINDING if s.changes else 0,
                                    "\n".join(found) + more, s.changes))
        wrong = self._run.places.mismatch(s)
        if wrong:
            self._cases.append(Case(name + "the policy is the one given", 5, wrong))
        if self._max_cost is not None:
            ns, total = s.ns(tally.cost_ticks()), max(1, s.guest_time)
            share = 100 * (ns or 0) / total
            over = ns is None or share > self._max_cost
            text = "the header has no cntfrq" if ns is None else f"{share:.2f} % of the time was spent in EL2"
            self._cases.append(Case(f"{name}at most {self._max_cost:g} % of the time in EL2",
                                    FINDING if over else 0, text))

    def _verdict(self) -> None:
        run = self._run
        if run.reader.notes.truncated:
            self._cases.append(Case("the input is whole", INCOMPLETE, "; ".join(run.reader.notes.cuts)))
        for rule in self._fail_on:
            more = "" if rule.count <= _LISTED else f"\nand {rule.count - _LISTED} more"
            self._cases.append(Case(f"none: {rule.text}", FINDING if rule.count else 0,
                                    "\n".join(rule.found) + more, rule.count))
        for rule in self._require:
            self._cases.append(Case(f"some: {rule.text}", 0 if rule.count else FINDING, f"no record has {rule.text}"))
            if not rule.count and self._github:
                self._out.line(annotation(f"no record has {rule.text}", None))
        refusal = run.reader.refusal()
        if refusal is not None:
            self._cases.append(Case("there is a log", 3, refusal))
        self._report()

    def _report(self) -> None:
        for case in self._cases:
            if case.code:
                self._run.codes.add(case.code)
                if case.code != 5 and case.code != 3:  # reported by the parts that found them
                    self._run.say(f"{case.name}: {case.message}" if case.code == INCOMPLETE else
                                  f"{case.name}\n  " + case.message.replace("\n", "\n  "))
        findings = sum(case.count for case in self._cases if case.code == FINDING)
        whole = not any(case.code in (INCOMPLETE, 3) for case in self._cases)
        failed = any(case.code for case in self._cases)
        plural = "finding" if findings == 1 else "findings"
        self._out.line(f"{'FAIL' if failed else 'ok'}: {findings} {plural}, log {'complete' if whole else 'INCOMPLETE'}"
                       + (f", {changes(self._changes)}" if self._changes else "")
                       + (", weak: without sentinels it could be forged" if self._weak else "")
                       + (", policy does not match" if any(case.code == 5 for case in self._cases) else ""))
        if self._junit is not None:
            self._write_junit(self._junit)

    def _write_junit(self, name: str) -> None:
        failures = sum(1 for case in self._cases if case.code)
        lines = [f'{_JUNIT} tests="{len(self._cases)}" failures="{failures}">']
        for case in self._cases:
            head = f' <testcase classname="hvl" name={xml_attribute(case.name)}'
            if not case.code:
                lines.append(head + "/>")
                continue
            first = case.message.split("\n", 1)[0]
            lines.append(f'{head}><failure message={xml_attribute(first)} type="exit {case.code}">'
                         f'{xml(case.message)}</failure></testcase>')
        lines.append("</testsuite>\n")
        with create(name, _JUNIT.encode()) as file:
            file.write("\n".join(lines).encode())


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _data(text: str) -> str:
    return "%0A".join(map(terminal, text.replace("%", "%25").split("\n")))


def annotation(text: str, place: Optional[str]) -> Ready:
    """A workflow command of GitHub Actions."""
    file, colon, line = (place or "").rpartition(":")
    where = f" file={_property(file)},line={_property(line)}" if colon and line.isdigit() else ""
    return Ready(f"::error{where}::{_data(text)}")
