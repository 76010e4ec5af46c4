# SPDX-License-Identifier: Apache-2.0
"""html: a report in one file, without network or script; drawings are inline SVG."""
from __future__ import annotations

import shlex
from collections import deque
from typing import Deque, Dict, List, Optional, Tuple

from .escape import Html, markup, together
from .fields import View
from .flame import Flame, drawing
from .record import DECISIONS, Rec, VERDICTS, number, seconds, what
from .refused import groups
from .run import Output, Run, changes, completeness, span
from .sequence import End, Start
from .summary import _ns
from .tally import Tally
from .wire import Text

_COLOURS = {"ALLOW": "#4c956c", "EMUL": "#5b8db8", "RAZWI": "#9bb8d3", "INJECT": "#8e7cc3", "DENY": "#c0392b",
            "KILL": "#641e16", "PAUSE": "#b07aa1", "WOULD": "#e08e0b", "?": "#888888", "counted": "#d9d9d9"}
_DENIALS = 200
_COLUMNS = 120      # slots of the time axis
_RULES = 40
_SESSIONS = 100
_WORK = 5_000_000   # slots that one interval may fill
_KEYS = 1024        # rules shown separately in one column
_CONSOLE = 400      # characters of the console beside a denial
_CONTEXT = 3

BEGINS = Html("<!doctype html><html lang=en><meta charset=utf-8><title>Charter: what the hypervisor decided</title>")

_VIEWPORT = Html("<meta name=viewport content='width=device-width'>")
# Text has a contrast of 4.5:1 or more to its ground, in light and dark.
_STYLE = """:root{color-scheme:light dark;--ink:#222;--paper:#fff;--soft:#f4f4f4;--line:#ccc;--red:#a8241a;--faint:#5c5c5c;
--link:#0b57a4}
@media(prefers-color-scheme:dark){:root{--ink:#e4e4e4;--paper:#17191a;--soft:#232628;--line:#4b4f52;--red:#ff9d92;
--faint:#adadad;--link:#8fbcf2}}
body{font:14px/1.45 system-ui,sans-serif;max-width:1500px;margin:1.5em auto;padding:0 1em;color:var(--ink);
background:var(--paper);overflow-wrap:break-word}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em;border-bottom:1px solid var(--line)}h3{font-size:1em;margin:.2em 0}
a{color:var(--link)}nav a{margin-right:1em}a:focus-visible,.wide:focus-visible,
summary:focus-visible{outline:2px solid var(--link)}
table{border-collapse:collapse}td,th{padding:.15em .7em;text-align:left;vertical-align:top}
.wide{overflow-x:auto;max-width:100%}:target{outline:2px solid var(--link)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}tr:nth-child(even){background:var(--soft)}
code,pre{font:12px/1.4 ui-monospace,monospace}pre{white-space:pre-wrap;background:var(--soft);padding:.6em;margin:.2em 0}
.group{border-left:4px solid var(--red);padding:.3em .8em;margin:.8em 0;background:var(--soft)}.group p,.group ul{margin:.3em 0}
.badge{padding:.2em .6em;border-radius:.3em;color:#fff;background:#2e7d32}.bad{background:#b3261e}
.hand{background:#8a5200}.chart text{fill:currentColor}
.src td{padding:0 .7em;font:12px/1.4 ui-monospace,monospace;white-space:pre}.never{color:var(--faint)}.refused{color:var(--red)}
.key span{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em}summary{cursor:pointer}
@media print{nav{display:none}.wide{overflow:visible}.group,details{break-inside:avoid}}"""


def _table(name: str, session: int) -> Html:
    """The beginning of a table that can be scrolled, by keys too, where it is wider than the page."""
    return markup("<div class=wide role=region tabindex=0 aria-label='{}, session {}'><table>", name, session)


class Slots:
    """Counts over time from `zero` on, in a fixed number of slots, whose width doubles when the run outgrows them."""

    def __init__(self, zero: int = 0) -> None:
        self.zero = zero
        self.width = 100_000_000
        self.slots: List[Dict[str, int]] = [{} for _ in range(_COLUMNS)]
        self._work = 0

    def at(self, ns: int) -> int:
        ns = max(0, ns - self.zero)
        while ns // self.width >= _COLUMNS:
            half = [_merged(self.slots[i], self.slots[i + 1]) for i in range(0, _COLUMNS, 2)]
            self.slots = half + [{} for _ in range(_COLUMNS - len(half))]
            self.width *= 2
        return ns // self.width

    def add(self, ns: int, key: str, n: int) -> None:
        slot = self.slots[self.at(ns)]
        if key in slot or len(slot) < _KEYS:
            slot[key] = slot.get(key, 0) + n

    def spread(self, since: int, until: int, key: str, n: int) -> None:
        """Spreads n events between two times: the same share for each slot."""
        last, first = self.at(until), self.at(since)
        self._work += last - first
        if self._work > _WORK:
            first = last
        parts = last - first + 1
        for i in range(parts):
            share = n * (i + 1) // parts - n * i // parts
            slot = self.slots[first + i]
            if share and (key in slot or len(slot) < _KEYS):
                slot[key] = slot.get(key, 0) + share

    def used(self) -> int:
        return max((i + 1 for i, slot in enumerate(self.slots) if slot), default=0)


def _merged(a: Dict[str, int], b: Dict[str, int]) -> Dict[str, int]:
    for key, n in b.items():
        a[key] = a.get(key, 0) + n
    return a


class Denial:
    """One refusal with the console text around it."""

    def __init__(self, rec: Rec, lines: List[str], place: str, text: str, console: str) -> None:
        self.rec = rec
        self.answer = ""        # of the operator, who was asked and overruled it
        self.lines = lines
        self.place = place
        self.text = text
        self.console = console
        self.more = _CONTEXT


class Report:
    """One session."""

    def __init__(self, view: View, partial: bool) -> None:
        self.view = view
        self.tally = Tally(view.session, view.places, "rule", partial)
        self.flame = Flame()
        self.rate = Slots()
        self.heat = Slots()
        self.marks: List[Tuple[int, str]] = []
        self.denials: List[Denial] = []
        self.denied = 0
        self._before: Deque[str] = deque(maxlen=_CONTEXT)
        self._open: List[Denial] = []
        self._console = ""
        self._told: Dict[int, Tuple[int, Dict[int, int]]] = {}      # cpu -> its last @S: time, hits of each rule
        self._lines: Dict[int, Dict[int, int]] = {}                     # cpu -> rule -> decisions logged since then

    def text(self, data: bytes) -> None:
        self._console = (self._console + data[-_CONSOLE:].decode("utf-8", "replace"))[-_CONSOLE:]

    def record(self, rec: Rec, view: View) -> None:
        if not self.tally.decisions and rec.kind == "E" and rec.f.event == "guest+" and rec.t is not None:
            zero = view.session.stops.own(rec.t)
            self.rate, self.heat = Slots(zero), Slots(zero)        # earlier records are of EL2's boot
        self.tally.add(rec)
        self.flame.add(rec)
        f = rec.f
        line = _line(rec, view)
        own = None if rec.t is None else view.session.stops.own(rec.t)
        for denial in self._open:
            denial.lines.append("  " + line)
            denial.more -= 1
        self._open = [d for d in self._open if d.more]
        if rec.kind in DECISIONS:
            if own is not None:
                self.rate.add(own, f.verdict if f.verdict in VERDICTS else "?", f.n)
                self.heat.add(own, f"r{f.rule}", f.n)
                if f.rule is not None and f.rule < 1 << 16 and not rec.late:
                    logged = self._lines.setdefault(rec.cpu, {})
                    logged[f.rule] = logged.get(f.rule, 0) + f.n
            if view.places.refuses(view.session, f.verdict, f.rule):
                self._deny(rec, view, line)
        elif rec.kind == "E" and f.event == "mark" and own is not None and len(self.marks) < _DENIALS:
            self.marks.append((own, f.mark or ""))
        elif rec.kind == "E" and f.event == "overruled":
            self._overruled(rec)
        elif rec.kind == "L" and own is not None:
            self.rate.add(own, "lost", 1)
        elif rec.kind == "S" and own is not None:
            self._counted(rec, own)
        self._before.append("  " + line)

    def _counted(self, rec: Rec, t: int) -> None:
        """Adds the decisions counted and not logged since the @S before, spread evenly over the time between."""
        since, before = self._told.get(rec.cpu, (0, {}))
        hits = {int(key[1:]): number(value.partition("/")[0]) or 0 for key, value in rec.f.kv.items()
                if key[:1] == "r" and key[1:].isdigit() and len(key) < 7 and int(key[1:]) < 1 << 16}
        logged = self._lines.pop(rec.cpu, {})
        for rule, total in hits.items():
            silent = total - before.get(rule, 0) - logged.get(rule, 0)
            if silent > 0:
                self.rate.spread(since, max(since, t), "counted", silent)
                self.heat.spread(since, max(since, t), f"r{rule}", silent)
        part = rec.f.kv.get("part", "1/1").partition("/")
        if part[0] != part[2]:                      # further parts of these totals are about other rules
            self._lines[rec.cpu] = {rule: n for rule, n in logged.items() if rule not in hits}
            t = since
        before.update(hits)
        self._told[rec.cpu] = (t, before)

    def _deny(self, rec: Rec, view: View, line: str) -> None:
        self.denied += 1
        if len(self.denials) >= _DENIALS:
            return
        rule = None if rec.f.rule is None else view.places.rule(view.session, rec.f.rule)
        denial = Denial(rec, list(self._before) + ["> " + line], rule.place if rule else f"r{rec.f.rule}",
                        f"{rule.text}{'   # ' + rule.why if rule.why else ''}" if rule else "", self._console)
        self.denials.append(denial)
        self._open.append(denial)

    def _overruled(self, rec: Rec) -> None:
        """The record of a decision has what the policy says; the operator's answer comes behind it."""
        for denial in reversed(self.denials):
            f = denial.rec.f
            if denial.rec.cpu == rec.cpu and f"r{f.rule}" == rec.f.kv.get("rule") and f.pc == rec.f.pc:
                denial.answer = rec.f.kv.get("answer", "?")
                return

    # --- output -----------------------------------------------------------------------------------------

    def write(self, out: Output) -> None:
        s = self.view.session
        good, hand = s.complete(), changes(s.changes)
        word = ", ".join(filter(None, ("COMPLETE" if good else "INCOMPLETE", hand)))
        out.line(markup("<h1>Session {} <span class='badge{}'>{}</span></h1>", s.number,
                        " bad" if not good else " hand" if hand else "", word))
        head = f"build {s.name('build')} · policy {s.name('policy')} · guest {s.name('guest')} · cpu {s.name('cpu')}"
        out.line(markup("<p>{}<br>{}</p>", head, completeness(s)))
        words = " · ".join(f"{word} {self.tally.verdict(word)}" for word in VERDICTS if self.tally.verdict(word))
        out.line(markup("<p>{} decisions: {}</p>", self.tally.total(), words))
        n = s.number
        out.line(markup("<nav aria-label='Session {0}'><a href='#s{0}refused'>Refused</a><a href='#s{0}time'>Time</a>"
                        "<a href='#s{0}rules'>Rules</a><a href='#s{0}cost'>Cost</a>"
                        "<a href='#s{0}each'>Each refusal</a></nav>", n))
        self._changes(out)
        sample = {d.rec.f.rule: d.rec for d in reversed(self.denials) if d.rec.f.rule is not None}
        out.line(groups(self.tally, self.view, sample, self._link, n))
        self._rates(out)
        self._bars(out)
        self._costs(out)
        self._heat(out)
        self._source(out)
        self._flame(out)
        self._denials(out)

    def _link(self, rule: int) -> Html:
        """A rule's place, as a link to its line if the page has it."""
        found = self.view.places.rule(self.view.session, rule)
        where = found.source() if found is not None else None
        files = [source.file for source in self.view.places.sources(self.view.session)]
        if found is None:
            return markup("r{}", rule)
        if where is None or where[0] not in files:
            return markup("r{} {}", rule, found.place)
        return markup("<a href='#s{}f{}l{}'>r{} {}</a>", self.view.session.number, files.index(where[0]), where[1], rule,
                      found.place)

    def _flame(self, out: Output) -> None:
        stacks = self.flame.folded(self.view)
        if not stacks:
            return
        silent = self.tally.total() - self.tally.decisions
        of = f", of the {self.tally.decisions} decisions that are in the log" if silent > 0 else ""
        out.line(markup("<h2>By the guest's functions{}</h2>{}", of, drawing(stacks)))

    def _changes(self, out: Output) -> None:
        """Changes that made this run differ from the policy's own."""
        s, would = self.view.session, self.tally.verdict("WOULD")
        if would:
            out.line(markup("<p><b>{} decisions were let through that the policy refuses (WOULD).</b></p>", would))
        if s.changed:
            out.line(markup("<h2>Changed by the operator</h2>{}", _table("Changed by the operator", s.number)))
            for rec, text in s.changed:
                out.line(markup("<tr><td class=n>{}<td class=n>{}<td>{}</tr>", _seq(rec),
                                "-" if rec.t is None else seconds(rec.t), text))
            more = s.changes - len(s.changed)
            out.line(markup("</table></div>{}", f"and {more} more" if more else ""))

    def _stops(self, used: int, width: int, left: int, height: int) -> Html:
        """A line where the guest stood: that time is left out of the axis."""
        zero, total = self.rate.zero, used * self.rate.width
        return together(markup(
            "<line x1='{0}' x2='{0}' y1='0' y2='{1}' stroke='#888' stroke-width='2'><title>the guest stood here for {2}, "
            "from {3} on ({4})</title></line>", f"{left + max(0, own - zero) / total * width:.1f}", height, span(length),
            seconds(at), why) for own, at, length, why in self.view.session.stops.marks()[:_DENIALS]
            if own <= zero + total)

    def _rates(self, out: Output) -> None:
        used = self.rate.used()
        if not used:
            return
        out.line(markup("<h2 id='s{}time'>Decisions over time</h2>", self.view.session.number))
        slots = self.rate.slots[:used]
        most = max(1, max(sum(n for key, n in slot.items() if key != "lost") for slot in slots))
        width, height = 1000 / used, 160
        parts = [markup("<svg class=chart role=img aria-label='Decisions over time' viewBox='0 0 1000 {}' width='100%'>"
                        "<defs><pattern id='s{}h' width='6' height='6' "
                        "patternUnits='userSpaceOnUse'><path d='M0 6L6 0' stroke='#c0392b'/></pattern></defs>",
                        height + 20, self.view.session.number)]
        for i, slot in enumerate(slots):
            y = float(height)
            if "lost" in slot:
                parts.append(markup("<rect x='{}' y='0' width='{}' height='{}' fill='url(#s{}h)'>"
                                    "<title>records lost</title></rect>", f"{i * width:.1f}", f"{width:.1f}", height,
                                    self.view.session.number))
            for word in list(VERDICTS) + ["?", "counted"]:
                n = slot.get(word, 0)
                if n:
                    h = n / most * height
                    y -= h
                    parts.append(markup(
                        "<rect x='{}' y='{}' width='{}' height='{}' fill='{}'><title>{} {} at {}</title></rect>",
                        f"{i * width:.1f}", f"{y:.1f}", f"{max(1.0, width - 1):.1f}", f"{h:.1f}", _COLOURS[word], word,
                        n, self._at(i)))
        total = used * self.rate.width
        for t, text in self.marks:
            x = max(0, t - self.rate.zero) / total * 1000
            parts.append(markup("<line x1='{0}' x2='{0}' y1='0' y2='{1}' stroke='currentColor' stroke-dasharray='3'>"
                                "<title>{2}</title></line>", f"{x:.1f}", height, text))
        stood = sum(length for _, _, length, _ in self.view.session.stops.marks())
        note = f" (without {span(stood)} in which the guest stood: grey lines)" if stood else ""
        parts.append(markup("{3}<text x='0' y='{0}' font-size='12'>{1}{4}</text><text x='1000' y='{0}' font-size='12' "
                            "text-anchor='end'>{2}</text></svg>", height + 15, self._at(0), self._at(used),
                            self._stops(used, 1000, 0, height), note))
        key = together(markup("<span style='background:{}'></span>{}", _COLOURS[w], w)
                       for w in VERDICTS if any(w in slot for slot in slots))
        parts.append(markup("<p class='key'>{}<span style='background:{}'></span>counted, not logged</p>", key,
                            _COLOURS["counted"]))
        out.line(together(parts))

    def _at(self, slot: int) -> str:
        """When a slot begins, in the time of the log."""
        return span(self.view.session.stops.real(self.rate.zero + slot * self.rate.width))

    def _rules(self) -> List[Tuple[int, int, int]]:
        """(rule, decisions, ticks) by time in EL2: the hypervisor's own totals where there are any."""
        rows = [(rule, hits, cost) for rule, (hits, cost) in self.tally.rule_counts().items() if hits]
        return sorted(rows, key=lambda row: (-row[2], -row[1], row[0]))

    def _bars(self, out: Output) -> None:
        rows = self._rules()[:_RULES]
        if not rows:
            return
        out.line(markup("<h2 id='s{}rules'>Rules</h2>{}<tr><th>rule<th class=n>decisions<td><th class=n>time in EL2<td><th>"
                        "entry</tr>", self.view.session.number, _table("Rules", self.view.session.number)))
        most, longest = max(row[1] for row in rows), max(1, max(row[2] for row in rows))
        for rule, hits, ticks in rows:
            found = self.view.places.rule(self.view.session, rule)
            row = self.tally.rows.get(f"r{rule}")
            verdicts = row.verdicts if row and 2 * row.count >= hits else {}
            word = max(sorted(verdicts), key=verdicts.__getitem__, default="counted")
            parts = (hits / most, _COLOURS.get(word, _COLOURS["?"])), (ticks / longest, "#1f4e79")
            bars = [markup("<svg aria-hidden=true width='160' height='10'><rect width='{}' height='10' fill='{}'/></svg>",
                           max(1, round(160 * part)), colour) for part, colour in parts]
            out.line(markup("<tr id='s{}r{}'><td>{}<td class=n>{}<td>{}<td class=n>{}<td>{}<td><code>{}</code></tr>",
                            self.view.session.number, rule, self._link(rule), hits, bars[0], _ns(self.view.session, ticks),
                            bars[1], found.text[:60] if found else ""))
        out.line(markup("</table></div>"))

    def _costs(self, out: Output) -> None:
        buckets: Dict[int, int] = {}
        for _, row in self.tally.sorted_rows():
            for cost, n in row.costs.histogram():
                power = max(1, cost).bit_length() - 1
                buckets[power] = buckets.get(power, 0) + n
        if not buckets:
            return
        silent = self.tally.total() - self.tally.decisions
        of = f" (of the {self.tally.decisions} that are in the log)" if silent > 0 else ""
        out.line(markup("<h2 id='s{}cost'>Cost of a decision{}</h2>{}<tr><th class=n>from<th class=n>decisions<td></tr>",
                        self.view.session.number, of, _table("Cost of a decision", self.view.session.number)))
        most = max(buckets.values())
        for power in range(min(buckets), max(buckets) + 1):
            n = buckets.get(power, 0)
            out.line(markup("<tr><td class=n>{}<td class=n>{}<td><svg aria-hidden=true width='320' height='10'><rect width='{}' "
                            "height='10' fill='#5b8db8'/></svg></tr>", _ns(self.view.session, 1 << power), n,
                            320 * n // most))
        out.line(markup("</table></div>"))

    def _heat(self, out: Output) -> None:
        used = self.heat.used()
        names = [f"r{rule}" for rule, _, _ in self._rules()[:_RULES]]
        if not used or not names:
            return
        out.line(markup("<h2>Rules over time</h2>"))
        width = 900 / used
        parts = [markup("<svg class=chart role=img aria-label='Rules over time' viewBox='0 0 1000 {}' width='100%'>",
                        14 * len(names))]
        for y, name in enumerate(names):
            counts = [slot.get(name, 0) for slot in self.heat.slots[:used]]
            most = max(1, max(counts))
            parts.append(markup("<text x='0' y='{}' font-size='11'>{}</text>", 14 * y + 11, name))
            for x, n in enumerate(counts):
                if n:
                    parts.append(markup("<rect x='{}' y='{}' width='{}' height='13' fill='#1f4e79' fill-opacity='{}'>"
                                        "<title>{}</title></rect>", f"{60 + x * width:.1f}", 14 * y,
                                        f"{max(1.0, width):.1f}", f"{0.15 + 0.85 * n / most:.2f}", n))
        out.line(together([*parts, self._stops(used, 900, 60, 14 * len(names)), markup("</svg>")]))

    def _source(self, out: Output) -> None:
        """The policy's files as they were compiled, with hits in the margin."""
        places = self.view.places
        counts = self.tally.rule_counts()
        lines: Dict[str, Dict[int, List[int]]] = {}
        for each in places.numbers(self.view.session):
            rule = places.rule(self.view.session, each)
            where = rule.source() if rule is not None else None
            if where is not None:
                lines.setdefault(where[0], {}).setdefault(where[1], []).append(each)
        refused = {rule for (_, _, _, rule) in self.tally.refused}
        number = self.view.session.number
        for file, source in enumerate(places.sources(self.view.session)):
            today = {None: "", True: "", False: " The file of this name in the tree differs today."}[source.today()]
            out.line(markup("<h2>{}</h2><p>As it ran, sha256 {}.{}</p><div class='wide src' role=region tabindex=0 "
                            "aria-label='{}, session {}'><table>", source.file, source.sha256[:16], today, source.file, number))
            for at, line in enumerate(source.lines, 1):
                rules = lines.get(source.file, {}).get(at, [])
                count = sum(counts.get(rule, (0, 0))[0] for rule in rules)
                style = "refused" if refused.intersection(rules) else "never" if rules and not count else ""
                out.line(markup("<tr class='{}' id='s{}f{}l{}'><td class=n>{}<td class=n>{}<td>{}</tr>", style, number,
                                file, at, self._hits(rules, count), at, line))
            out.line(markup("</table></div>"))

    def _hits(self, rules: List[int], count: int) -> Html:
        """The margin of a line: its decisions, as a link to the rule's row."""
        if not rules or not count:
            return markup("{}", count if rules else "")
        return markup("<a href='#s{}r{}' aria-label='{} decisions by r{}'>{}</a>", self.view.session.number, rules[0], count,
                      rules[0], count)

    def _denials(self, out: Output) -> None:
        if not self.denials:
            return
        more = f", the first {len(self.denials)}" if self.denied > len(self.denials) else ""
        out.line(markup("<h2 id='s{}each'>Each refusal ({}{})</h2>", self.view.session.number, self.denied, more))
        for denial in self.denials:
            title = next((line for line in denial.lines if line.startswith("> ")), "")
            answer = f" - overruled by the operator: {denial.answer}" if denial.answer else ""
            out.line(markup("<details><summary><code>{}</code> {}{}</summary>", title[2:], denial.place, answer))
            if denial.text:
                out.line(markup("<pre>{}</pre>", denial.text))
            out.line(markup("<pre>{}</pre>", together(denial.lines, "\n")))
            if denial.console:
                text = "\n".join(line.rstrip("\r") for line in denial.console.split("\n"))
                out.line(markup("<p>The guest's console until then:</p><pre>{}</pre>", text))
            seq = _seq(denial.rec)
            session = f"--session {self.view.session.number} "
            out.line(markup("<p><code>tools/log_decode.py why {}{} {}</code>, or, of a recorded run, "
                            "<code>make replay SEQ={}</code></p></details>", session, seq,
                            shlex.quote(self.view.session.source), seq))


def _seq(rec: Rec) -> str:
    return f"{rec.seq}.{rec.cpu}" if rec.cpu else str(rec.seq)


def _line(rec: Rec, view: View) -> str:
    f = rec.f
    t = "-" if rec.t is None else seconds(rec.t)
    if rec.kind in DECISIONS:
        pc = "" if f.pc is None else f" pc={view.where(f.pc, f.el)}"
        return f"{rec.seq} {t} {f.verdict} r{f.rule} {what(f)}{pc}"
    return f"{rec.seq} {t} @{rec.kind} {view.told(rec.body)}"


def write_html(run: Run, out: Output) -> None:
    out.line(markup("{}{}<style>{}</style><main>", BEGINS, _VIEWPORT, Html(_STYLE)))
    report: Optional[Report] = None
    sessions = 0
    for event, view in run.events():
        if isinstance(event, Start):
            sessions += 1
            report = Report(view, run.partial) if sessions <= _SESSIONS else None
        elif report is None:
            continue
        elif isinstance(event, Text):
            if event.stream == "guest":
                report.text(event.data)
        elif isinstance(event, Rec):
            if run.in_time(event):
                report.record(event, view)
        elif isinstance(event, End):
            report.write(out)
            report = None
    if sessions > _SESSIONS:
        out.line(markup("<h1>{} more sessions</h1><p>The report of one: --session N</p>", sessions - _SESSIONS))
    out.line(markup("</main></html>"))
