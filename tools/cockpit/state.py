# SPDX-License-Identifier: Apache-2.0
"""The cockpit's knowledge of a machine, from the bytes of its line. No terminal, no process, no clock of its own."""
from __future__ import annotations

from collections import deque
from typing import Deque, Dict, Iterable, Iterator, List, Optional, Tuple, Union

from hvl.expr import Test, compile_filter
from hvl.fields import View
from hvl.quick import Block, Line, Quick
from hvl.record import DECISIONS, Rec, seconds, what
from hvl.rules import Places
from hvl.sequence import End, Event, Sequencer, Session, Start
from hvl.symbols import Symbols
from hvl.tally import Tally
from hvl.wire import Scanner, Text, unescape

from .text import Lines

KEPT = 20_000           # records, and refusals that pass a filter
_RULES = 10_000         # of which the last refusal is kept
_SAMPLES = 7            # of how often rules decided, one every half second
_PATIENCE = 1 << 12     # bytes that wait for a doubtful record
_REFUSALS = (b"DENY ", b"KILL ", b"WOULD", b"RAZWI", b"INJEC")
_BRIEF = ("keys", "watch")      # a table on the line: nobody stands


class Item:
    """A record with its surroundings; those of a row of decisions are made when somebody looks."""

    __slots__ = ("_view", "_rec", "_block", "_line")

    def __init__(self, view: View, rec: Optional[Rec], block: Optional[Block] = None, line: Optional[Line] = None) -> None:
        self._view = view
        self._rec = rec
        self._block = block
        self._line = line

    @property
    def rec(self) -> Rec:
        if self._rec is None:
            assert self._block is not None and self._line is not None
            self._rec = self._block.record(self._line)
            self._block = self._line = None
        return self._rec

    @property
    def view(self) -> View:
        return self._view.of(self.rec)

    def row(self) -> str:
        """One line for people."""
        rec, view = self.rec, self.view
        seq = f"{rec.seq}.{rec.cpu}" if rec.cpu else str(rec.seq)
        head = f"{seq:>8} {'-' if rec.t is None else seconds(rec.t)[:-3]:>13} "
        f = rec.f
        if rec.kind not in DECISIONS:
            return f"{head}{'@' + rec.kind:<6} {view.told(rec.body)}"
        times = f"  x{f.n}" if f.n > 1 else ""
        rule = "-" if f.rule is None else f"r{f.rule}"
        by = "" if f.pc is None else view.where(f.pc, f.el)
        return f"{head}{f.verdict or '?':<6} {rule:<5} {what(f) + times:<36} {by:<28} {view.place() or ''}"

    def refused(self) -> bool:
        f, view = self.rec.f, self.view
        return self.rec.kind in DECISIONS and (f.verdict == "INJECT" or view.places.refuses(view.session, f.verdict, f.rule))


class Tail:
    """The last of many; each keeps its number."""

    def __init__(self, kept: int = KEPT) -> None:
        self._items: Deque[Item] = deque(maxlen=kept)
        self.total = 0

    @property
    def first(self) -> int:
        return self.total - len(self._items)

    def add(self, items: List[Item]) -> None:
        self._items.extend(items)
        self.total += len(items)

    def skip(self, count: int) -> None:
        """So many that nobody could see any more."""
        self.total += count

    def at(self, number: int) -> Optional[Item]:
        return self._items[number - self.first] if self.first <= number < self.total else None

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class RuleRow:
    """A line of the policy, as it is used now."""

    __slots__ = ("rule", "place", "text", "hits", "rate", "ns", "last", "changed")

    def __init__(self, rule: int, place: str, text: str, hits: int, rate: float, ns: Optional[int],
                 last: Optional[Item], changed: str) -> None:
        self.rule = rule
        self.place = place
        self.text = text
        self.hits = hits
        self.rate = rate            # hits a second
        self.ns = ns                # in EL2
        self.last = last            # refusal
        self.changed = changed      # by the operator


class State:
    def __init__(self, places: Places, symbols: Optional[Symbols]) -> None:
        self._places = places
        self._symbols = symbols
        self._scanner = Scanner()
        self._order = Sequencer("-", 0, _PATIENCE)
        self._quick = Quick(self._scanner, self._order)
        self.console = Lines()
        self.monitor = Lines()
        self.records = Tail()
        self.shown = self.records
        self.filter = ""
        self._test: Optional[Test] = None
        self.stands: Optional[str] = None       # why the guest stands
        self.asking = False                     # the monitor has the line
        self.ended: Optional[str] = None
        self.bytes = 0
        self._begin(Session("-"))

    # --- in ------------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        self.bytes += len(data)
        self._events(self._quick.feed(data))

    def idle(self) -> None:
        """Nothing came for a moment: what was held back is shown."""
        self._events(self._order.feed(self._scanner.flush_text()))
        self._events(self._order.settle())

    def finish(self, how: str) -> None:
        """The line has ended."""
        self._events(self._order.feed(self._scanner.feed(b"", True)))
        self._events(self._order.finish())
        self.ended, self.stands, self.asking = how, None, False

    def _begin(self, session: Session) -> None:
        self.session = session
        self.view = View(session, self._places, self._symbols)
        self.tally = Tally(session, self._places, "rule")
        self.refusals: Dict[int, Item] = {}
        self.changed: Dict[int, str] = {}
        self.header: Optional[Rec] = None
        self.reason = ""
        self._samples: Deque[Tuple[float, Dict[int, Tuple[int, int]]]] = deque(maxlen=_SAMPLES)
        self._rates: Dict[int, float] = {}
        self.rate = 0.0

    def _events(self, events: Iterable[Union[Event, Block]]) -> None:
        for event in events:
            if isinstance(event, Block):
                self._block(event)
            elif isinstance(event, Text):
                self._text(event.data, event.stream)
            elif isinstance(event, Start):
                self._begin(event.session)
            elif isinstance(event, Rec):
                self._record(event)
            elif isinstance(event, End):
                self.stands, self.asking = None, False

    def _text(self, data: bytes, stream: str) -> None:
        if stream == "monitor":
            self.monitor.feed(data)
        elif stream == "guest":
            self.console.feed(data)

    def _block(self, block: Block) -> None:
        self.tally.block(block)
        self._text(unescape(b"".join(line[0] for line in block.lines)), block.stream)
        last: Dict[bytes, Line] = {}
        for line in block.lines:
            if line[5][:5] in _REFUSALS:
                last[line[5].split(b" ", 2)[1]] = line
        for line in last.values():
            self._refusal(Item(self.view, None, block, line))
        if self._test is None:
            over = max(0, len(block.lines) - KEPT)
            self.records.skip(over)
            self.records.add([Item(self.view, None, block, line) for line in block.lines[over:]])
        else:
            items = [Item(self.view, None, block, line) for line in block.lines]
            self.records.add(items)
            self.shown.add([item for item in items if self._test(item.view)])

    def _record(self, rec: Rec) -> None:
        item = Item(self.view, rec)
        self.tally.add(rec)
        self.records.add([item])
        if self._test is not None and self._test(item.view):
            self.shown.add([item])
        if rec.kind in DECISIONS:
            self._refusal(item)
        elif rec.kind == "H" and self.header is None:
            self.header = rec
        elif rec.kind == "E" and rec.f.event == "mon+":
            why = rec.f.kv.get("why", "?")
            self.asking, self.stands = True, None if why in _BRIEF else why
        elif rec.kind == "E" and rec.f.event == "mon-":
            self.asking, self.stands = False, None
        elif rec.kind == "P" and rec.f.rule is not None and len(self.changed) < _RULES:
            self.changed[rec.f.rule] = rec.f.kv.get("new", "?")
        elif rec.kind == "Z":
            self.reason = rec.f.kv.get("reason", "?")

    def _refusal(self, item: Item) -> None:
        rule = item.rec.f.rule
        if rule is not None and item.refused() and (rule in self.refusals or len(self.refusals) < _RULES):
            self.refusals[rule] = item

    # --- asked ---------------------------------------------------------------------------------------------------

    def look_for(self, text: str) -> None:
        """Shows the records that pass a filter of the decoder's -f; UsageError: it is none, and the old one stays."""
        test = compile_filter(text) if text.strip() else None
        self.filter, self._test = text, test
        if test is None:
            self.shown = self.records
            return
        self.shown = Tail()
        self.shown.add([item for item in self.records if test(item.view)])

    def sample(self, now: float) -> None:
        """To be called twice a second: how often each rule decided in the last few seconds. Totals of what is not logged come
        once a second."""
        self.tally.settle()
        counts = self.tally.rule_counts()
        if self._samples:
            since, before = self._samples[0]
            passed = max(1e-3, now - since)
            self._rates = {rule: (hits - before.get(rule, (0, 0))[0]) / passed for rule, (hits, _) in counts.items()}
            self.rate = sum(self._rates.values())
        self._samples.append((now, counts))

    def rules(self) -> List[RuleRow]:
        """The busiest first; where none is, by what they cost so far."""
        self.tally.settle()
        rows = []
        for rule, (hits, ticks) in self.tally.rule_counts().items():
            if not hits:
                continue
            found = self._places.rule(self.session, rule)
            rows.append(RuleRow(rule, found.place if found else "", found.text if found else "", hits,
                                max(0.0, self._rates.get(rule, 0.0)), self.session.ns(ticks), self.refusals.get(rule),
                                self.changed.get(rule, "")))
        return sorted(rows, key=lambda row: (-row.rate, -(row.ns or 0), -row.hits, row.rule))

    def refused(self) -> int:
        self.tally.settle()
        return sum(found.count for found in self.tally.refused.values())

    def prompt(self) -> bool:
        """Does the monitor wait for a command?"""
        return self.asking and self.monitor.row.endswith("> ") and self.monitor.column == len(self.monitor.row)

    def question(self) -> bool:
        """Does it wait for one key, at the end of a page?"""
        return self.asking and not self.prompt()

    def health(self) -> str:
        """Gaps of the log; empty: none so far."""
        s = self.session
        parts = [f"{name} {count}" for name, count in (("lost", s.lost), ("missing", s.missing), ("damaged", s.damaged),
                                                       ("suspect", s.suspect)) if count]
        return ", ".join(parts)

    def doing(self) -> str:
        """The machine's state, in a word or two."""
        if self.ended is not None:
            return self.ended
        if self.stands is not None:
            return f"stopped ({self.stands})"
        if self.reason:
            return f"ended: {self.reason}"
        return "running" if self.session.records else "no record yet"
