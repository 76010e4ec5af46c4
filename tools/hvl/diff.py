# SPDX-License-Identifier: Apache-2.0
"""diff: how the behaviour of two runs differs. Numbers of the same order count as the same; a new verdict never does."""
from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from .fields import View
from .record import VERDICTS, Rec, group, touched
from .run import FINDING, Output, Run, span
from .sequence import Session, Start
from .tally import Tally

KEY = ("class", "op", "name", "verdict", "rule")
_MOST = 100_000  # distinct subjects in one run

Key = Tuple[str, str]


class Profile:
    """The decisions of one run: subject -> verdict -> (count, rule, place)."""

    def __init__(self, run: Run, ignored: List[str]) -> None:
        self.session: Optional[Session] = None
        self.things: Dict[Key, Dict[str, List[int]]] = {}
        self.places: Dict[int, str] = {}
        self.cost = 0.0
        self.time = 0.0
        tally: Optional[Tally] = None
        for event, view in run.events():
            if isinstance(event, Start):
                self._close(tally)
                tally = Tally(event.session, view.places, partial=run.partial)
                self.session = self.session or event.session
            elif isinstance(event, Rec) and run.passes(event, view):
                if tally is not None:
                    tally.add(event)
                if event.kind in "DA":
                    self._add(event, view, ignored)
        self._close(tally)

    def _close(self, tally: Optional[Tally]) -> None:
        if tally is not None:
            self.cost += tally.session.ns(tally.cost_ticks()) or 0
            self.time += tally.session.guest_time

    def _add(self, rec: Rec, view: View, ignored: List[str]) -> None:
        f = rec.f
        first = group(f) if "class" not in ignored else "*"
        if "op" in ignored:
            first = f.cls or "?"
        second = "" if f.cls == "mmio" and f.off is not None or f.cls == "exc" or "name" in ignored else touched(f) or ""
        key = (first, second)
        if key not in self.things and len(self.things) >= _MOST:
            key = ("(other)", "")
        verdict = "*" if "verdict" in ignored else f.verdict if f.verdict in VERDICTS else "?"
        row = self.things.setdefault(key, {}).setdefault(verdict, [0, -1])
        row[0] += f.n
        if f.rule is not None and "rule" not in ignored:
            row[1] = f.rule
            place = view.of(rec).place()
            if place and f.rule not in self.places:
                self.places[f.rule] = place

    def rule(self, number: int) -> str:
        return "" if number < 0 else f"r{number} {self.places.get(number, '')}".rstrip()

    def share(self) -> str:
        return f"{100 * self.cost / self.time:.2f} %" if self.time else span(self.cost)

    def name(self, key: str) -> str:
        return self.session.name(key) if self.session is not None else "?"


def compare(a: Profile, b: Profile, tolerance: float, out: Output) -> int:
    """Writes the differences; returns their number."""
    rows: List[List[str]] = []
    for key in sorted(set(a.things) | set(b.things)):
        mine, yours = a.things.get(key, {}), b.things.get(key, {})
        old, new = sum(r[0] for r in mine.values()), sum(r[0] for r in yours.values())
        words = "/".join(sorted(yours or mine))
        side, pick = (b, yours) if yours else (a, mine)
        rule = ", ".join(t for t in (side.rule(pick[w][1]) for w in sorted(pick)) if t)
        if not mine:
            rows.append(["+", key[0], key[1], words, rule, str(new), "new"])
        elif not yours:
            rows.append(["-", key[0], key[1], words, rule, f"{old} -> 0", "gone"])
        elif set(mine) != set(yours):
            change = f"{'/'.join(sorted(mine))} -> {'/'.join(sorted(yours))}"
            rows.append(["!", key[0], key[1], change, rule, str(new), "verdict changed"])
        elif abs(new - old) > tolerance * old:
            rows.append(["~", key[0], key[1], words, rule, f"{old} -> {new}", f"{100 * (new - old) / old:+.0f} %"])
    for name in ("guest", "policy"):
        old_name, new_name = a.name(name), b.name(name)
        text = f"{name} same" if old_name == new_name else f"{name} {old_name} -> {new_name}"
        out.line(text)
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(7)]
    for row in rows:
        out.line("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip())
    out.line(f"cost {a.share()} -> {b.share()} of guest time" if a.share() != b.share()
             else f"cost {a.share()} of guest time in both")
    if not rows:
        out.line("no difference")
    return len(rows)


def run_diff(first: Run, second: Run, tolerance: float, ignored: List[str], exit_code: bool, out: Output) -> None:
    a, b = Profile(first, ignored), Profile(second, ignored)
    if a.session is None or b.session is None:
        return
    if compare(a, b, tolerance, out) and exit_code:
        second.codes.add(FINDING)
