# SPDX-License-Identifier: Apache-2.0
"""Contents of each part of the screen, as lines of marked text; no terminal is needed to make them."""
from __future__ import annotations

from typing import List, Optional, Tuple, Union

from hvl.run import span

from .state import Item, RuleRow, State

Markup = Union[str, Tuple[str, str]]
_VERDICTS = {"DENY": "deny", "KILL": "deny", "WOULD": "would", "PAUSE": "would", "INJECT": "would"}

HELP = [
    "Keys, with Ctrl-] and a letter where a terminal has no function keys:",
    "",
    "  F1   ^] ?   this page",
    "  F2   ^] c   the guest's console: every key goes to the guest, Ctrl-C too",
    "  F3   ^] m   the monitor: stops the guest; history with the arrows, completion with Tab, Ctrl-D goes on",
    "  F4   ^] r   records: arrows choose one, Enter says why, End follows again",
    "  /           in the records: a filter, as log_decode.py -f has it; shown as you type",
    "  F5   ^] p   the policy's lines: Enter says what was refused last",
    "  F10  ^] x   leave; a machine that runs is ended",
    "",
    "  ^] ^]       a Ctrl-] for the machine; ^] and another key go to it as they are (s l d b q)",
    "",
    "At a decision:",
    "  n   ask next time: the guest stops before this line of the policy decides again",
    "  w   let pass for this run, logged as WOULD;  u  as built",
    "  p   propose the entry that would allow it: a checked edit of the policy's file; t tries it, y writes it",
]


def bar(state: State) -> List[Markup]:
    """One line about the machine."""
    s = state.session
    out: List[Markup] = [("bad" if state.ended is not None or state.stands else "good", f" {state.doing()} ")]
    out.append(f" {s.name('guest')} under {s.name('policy')}" if s.header else " Charter")
    if s.records:
        refused = state.refused()
        out += [f"  {s.end_time / 1e9:.1f} s  {state.tally.total()} decisions, {state.rate:.0f}/s  ",
                ("deny" if refused else "bar", f"{refused} refused")]
    health = state.health()
    if health:
        out += ["  ", ("bad", f" {health} ")]
    return out


def records(state: State, rows: int, chosen: Optional[int]) -> List[Markup]:
    """The last records, or those around the chosen one."""
    tail = state.shown
    end = tail.total if chosen is None else min(tail.total, max(chosen + rows // 2 + 1, tail.first + rows))
    out: List[Markup] = []
    for number in range(max(tail.first, end - rows), end):
        item = tail.at(number)
        if item is not None:
            out.append(("chosen", item.row()) if number == chosen else _coloured(item))
    return out


def _coloured(item: Item) -> Markup:
    style = _VERDICTS.get(item.rec.f.verdict or "") if item.rec.kind in "DA" else "note"
    if style is None and item.refused():
        style = "deny"
    row = item.row()
    return (style, row) if style else row


def rules(rows: List[RuleRow], count: int, chosen: Optional[int]) -> List[Markup]:
    """The table of the policy's lines, with its head."""
    first = 0 if chosen is None else max(0, min(chosen - (count - 1) // 2, len(rows) - count + 1))
    out: List[Markup] = [("note", f"{'rule':>5} {'/s':>7} {'hits':>9} {'in EL2':>8}  last refused")]
    for at, row in enumerate(rows[first:first + max(0, count - 1)], first):
        number = f"r{row.rule}"
        text = (f"{number:>5} {row.rate:>7.0f} {row.hits:>9} {'-' if row.ns is None else span(row.ns):>8}  "
                f"{row.changed and f'[{row.changed}] '}{_last(row)}{row.place}  {row.text}")
        style = "chosen" if at == chosen else "deny" if row.last is not None else ""
        out.append((style, text) if style else text)
    return out


def _last(row: RuleRow) -> str:
    if row.last is None:
        return ""
    rec, view = row.last.rec, row.last.view
    by = "" if rec.f.pc is None else f" by {view.where(rec.f.pc, rec.f.el)}"
    return f"#{rec.seq}{by}  "
