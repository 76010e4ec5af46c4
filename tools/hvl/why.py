# SPDX-License-Identifier: Apache-2.0
"""why, where no policygen is beside the decoder: what was decided, by which line, and what would change it, from the rules
that travel with an image. (policygen explains more: which entries lost, and what enforces it.)"""
from __future__ import annotations

from typing import List

from .fields import View
from .record import Rec, seconds, touched, what
from .rules import Rule
from .run import Output

_AROUND = 2         # lines of the policy on either side


def explain(rec: Rec, view: View, rule: Rule, out: Output) -> None:
    f = rec.f
    where = "" if f.pc is None else f", by {view.where(f.pc, f.el)}" + ("" if f.el is None else f" at EL{f.el}")
    out.line(rec.text())
    out.line(f"  access    {what(f)}{where}, at {seconds(rec.t or 0)} s")
    out.line(f"  decision  {f.verdict} by r{rule.number}")
    out.line(f"  because   {rule.place}  {rule.text}")
    for line in _source(view, rule):
        out.line(line)
    if rule.why:
        out.line(f"  why       {rule.why}")
    for line in remedy(rec, view, rule):
        out.line(line)


def _source(view: View, rule: Rule) -> List[str]:
    place = rule.source()
    source = next((each for each in view.places.sources(view.session) if place and each.file == place[0]), None)
    if place is None or source is None:
        return []
    first, last = max(1, place[1] - _AROUND), min(len(source.lines), place[1] + _AROUND)
    return [f"    {'>' if at == place[1] else ' '} {at:4} | {source.lines[at - 1]}" for at in range(first, last + 1)]


def remedy(rec: Rec, view: View, rule: Rule) -> List[str]:
    """Edits that would change the decision."""
    f = rec.f
    if not view.places.refuses(view.session, f.verdict, f.rule) and f.verdict != "INJECT":
        return []
    name = touched(f) or "?"
    if rule.name == name:
        out = [f"  change    in that line: `{name}: allow`"]
    elif f.cls == "mem":
        page = (f.addr or 0) & ~0xfff
        out = [f"  change    a part of its own in `memory:`: `NAME: {{ at: {page:#x}, size: 4K, may: rwx }}`"]
    elif f.cls == "mmio" and f.off is None:
        page = (f.addr or 0) & ~0xfff
        out = [f"  change    a window for it in `mmio:`: `NAME: {{ at: {page:#x}, size: 4K, do: allow }}`"]
    else:
        out = [f"  change    an entry of its own in `{rule.section or '?'}:`: `{name}: "
               f"{'forward' if f.cls == 'exc' else 'allow'}`; that line speaks of more"]
    return [*out, f"            for one run, at the monitor: `rule r{rule.number} would`"]
