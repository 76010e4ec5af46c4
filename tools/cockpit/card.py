# SPDX-License-Identifier: Apache-2.0
"""One record: reason, function, and the acts that would change its decision."""
from __future__ import annotations

from typing import List

from hvl.record import DECISIONS
from hvl.run import Output
from hvl.why import explain

from .state import Item


class Kept(Output):
    """An output that is a list."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: List[str] = []

    def line(self, text: str = "") -> None:
        self.lines.append(text)


def card(item: Item) -> List[str]:
    """Why, who, and what would change it."""
    rec, view = item.rec, item.view
    if rec.kind not in DECISIONS:
        return [rec.text(), "", view.told(rec.body)]
    rule = None if rec.f.rule is None else view.places.rule(view.session, rec.f.rule)
    if rule is None:
        by = "" if rec.f.pc is None else f", by {view.where(rec.f.pc, rec.f.el)}"
        out = [rec.text(), f"  decision  {rec.f.verdict} by r{rec.f.rule}{by}",
               "  because   no rules of the policy that ran are at hand"]
    else:
        kept = Kept()
        explain(rec, view.of(rec), rule, kept)
        out = kept.lines
    seq = f"{rec.seq}.{rec.cpu}" if rec.cpu else str(rec.seq)
    return [*out, f"  back      of a run by `make record`: `make replay SEQ={seq}` opens the monitor before it"]
