# SPDX-License-Identifier: Apache-2.0
"""The first part of a report: refusals, grouped by the line of the policy that refused, with its reason, the functions that
asked, and the line that would change it."""
from __future__ import annotations

from typing import Callable, Dict, List, Optional, Tuple

from .escape import Html, markup, together
from .fields import View
from .record import Rec
from .tally import Refusal, Tally
from .why import remedy

_GROUPS = 40
_SUBJECTS = 12          # of one group
_FUNCTIONS = 3          # of one subject

Found = Tuple[str, str, Refusal]        # subject, verdict


def groups(tally: Tally, view: View, sample: Dict[int, Rec], link: Callable[[int], Html], number: int) -> Html:
    """`sample`: a refusal of each rule; `link`: a rule's place, as a link to its line."""
    found: Dict[Optional[int], List[Found]] = {}
    for (subject, verdict, _, rule), refusal in tally.sorted_refusals():
        found.setdefault(rule, []).append((subject, verdict, refusal))
    if not found:
        return markup("<h2 id='s{}refused'>Refused</h2><p>Nothing was refused.</p>", number)
    rows = sorted(found.items(), key=lambda item: -sum(refusal.count for _, _, refusal in item[1]))
    total = sum(refusal.count for _, members in rows for _, _, refusal in members)
    out = [markup("<h2 id='s{}refused'>Refused: {}, by {} line{} of the policy</h2>", number, total, len(rows),
                  "s" * (len(rows) != 1))]
    out += [_group(view, rule, members, sample, link, number) for rule, members in rows[:_GROUPS]]
    if len(rows) > _GROUPS:
        out.append(markup("<p>and {} more</p>", len(rows) - _GROUPS))
    return together(out)


def _group(view: View, number: Optional[int], members: List[Found], sample: Dict[int, Rec], link: Callable[[int], Html],
           session: int) -> Html:
    rule = None if number is None else view.places.rule(view.session, number)
    times = sum(refusal.count for _, _, refusal in members)
    items = together(markup("<li><code>{}</code> {} {}{}</li>", subject, verdict, _times(refusal.count), _by(view, refusal))
                     for subject, verdict, refusal in members[:_SUBJECTS])
    more = markup("<li>and {} more</li>", len(members) - _SUBJECTS) if len(members) > _SUBJECTS else ""
    head = markup("<div class=group role=group aria-labelledby='s{0}g{1}'><h3 id='s{0}g{1}'>{2} {3}</h3>", session,
                  "" if number is None else number, _times(times), "by no rule" if number is None else link(number))
    said = markup("<p><code>{}</code></p>", rule.text) if rule is not None else ""
    why = markup("<p>{}</p>", rule.why) if rule is not None and rule.why else ""
    rec = sample.get(number) if number is not None else None
    lines = remedy(rec, view.of(rec), rule) if rec is not None and rule is not None else []
    change = markup("<p>A change:</p><pre>{}</pre>", "\n".join(line[12:] for line in lines)) if lines else ""
    return together([head, said, why, markup("<ul>{}{}</ul>", items, more), change, markup("</div>")])


def _times(count: int) -> str:
    return f"{count} time{'s' * (count != 1)}"


def _by(view: View, refusal: Refusal) -> str:
    """The functions that asked most, or the addresses where there are no names."""
    by: Dict[str, int] = {}
    for (pc, el), count in refusal.pcs.items():
        if pc is not None:
            name = view.function(pc, el) or view.where(pc, el)
            by[name] = by.get(name, 0) + count
    top = sorted(by.items(), key=lambda item: (-item[1], item[0]))
    return (", by " + ", ".join(f"{name} ({count})" for name, count in top[:_FUNCTIONS])
            + (f" and {len(top) - _FUNCTIONS} more" if len(top) > _FUNCTIONS else "")) if top else ""
