# SPDX-License-Identifier: Apache-2.0
"""Shared by all views: the events of the chosen sessions, problems on the way, and the destination of output."""
from __future__ import annotations

import sys
from typing import BinaryIO, Iterator, List, Optional, Set, Tuple, Union

from .entry import say
from .escape import Ready, no_command, terminal
from .expr import Test
from .fields import View
from .files import UsageError, create
from .progress import Progress
from .quick import Block
from .record import Rec, seconds
from .rules import Places
from .sequence import End, Event, Session, Start, Suspect
from .source import Reader
from .symbols import Symbols
from .wire import Damaged

FINDING, USAGE, NO_RECORD, INCOMPLETE, MISMATCH = 1, 2, 3, 4, 5
_SHOWN = 100  # bytes of a damaged record
_HELD = 1 << 16     # records that wait until it is known where the guest lies


class Output:
    """Standard output or a file (see create()), bytes or text, a chunk at a time."""

    def __init__(self, name: Optional[str] = None, begins: bytes = b"") -> None:
        self._own = name not in (None, "-")
        if not self._own and sys.stdout is None:
            raise UsageError("no standard output")
        self._to: BinaryIO = create(str(name), begins) if self._own else sys.stdout.buffer
        self._text: List[str] = []
        self.progress: Optional[Progress] = None    # on the same terminal: cleared before each output

    def line(self, text: str = "") -> None:
        """Escapes text for a terminal, unless it is Ready."""
        self._text.append((text if isinstance(text, Ready) else terminal(text)) + "\n")
        if len(self._text) >= 512:
            self.flush()

    def raw(self, data: bytes) -> None:
        if self._text:
            self.flush()
        elif self.progress is not None:
            self.progress.clear()
        self._to.write(data)

    def is_terminal(self) -> bool:
        return self._to.isatty()

    def flush(self) -> None:
        if self.progress is not None:
            self.progress.clear()
        if self._text:
            text, self._text = "".join(self._text), []
            self._to.write(text.encode("utf-8", "backslashreplace"))
        self._to.flush()

    def close(self) -> None:
        self.flush()
        if self._own:
            self._to.close()


class Options:
    """The switches of every subcommand."""

    def __init__(self, strict: bool = False, since: Optional[int] = None, until: Optional[int] = None,
                 show_damaged: bool = False) -> None:
        self.strict = strict
        self.since = since
        self.until = until
        self.show_damaged = show_damaged


class Run:
    """One pass over the inputs. `codes` collects the causes of the exit status."""

    def __init__(self, reader: Reader, places: Places, symbols: Optional[Symbols], options: Options,
                 test: Optional[Test] = None) -> None:
        self.reader = reader
        self.places = places
        self.symbols = symbols
        self.options = options
        self.test = test
        self.codes: Set[int] = set()

    def say(self, text: str) -> None:
        if self.reader.progress is not None:
            self.reader.progress.clear()
        say("log_decode", no_command(text))

    def events(self) -> Iterator[Tuple[Event, View]]:
        """Every event of the sessions asked for; text before a session's first record belongs to it."""
        for event, view in self.blocks():
            if isinstance(event, Block):
                for each in event.events():
                    if isinstance(each, Rec):
                        view.rec = each
                    yield each, view
            else:
                yield event, view

    def blocks(self) -> Iterator[Tuple[Union[Event, Block], View]]:
        """The same, with rows of decisions in one piece. While the place of the guest's kernel is unknown, and a name needs
        it, events wait: totals come each second."""
        held: List[Tuple[Union[Event, Block], View]] = []
        left = _HELD
        for event, view in self._wanted():
            if isinstance(event, Start):
                left = _HELD
            left -= len(event.lines) if isinstance(event, Block) else 1
            if left > 0 and self.symbols is not None and not isinstance(event, End):
                if self.symbols.wait(view.session):
                    held.append((event, view))
                    continue
                left = _HELD
            for old, its in held:
                if isinstance(old, Rec):
                    its.rec = old
                yield old, its
            held.clear()
            if isinstance(event, Rec):
                view.rec = event
            yield event, view
        yield from held

    def _wanted(self) -> Iterator[Tuple[Union[Event, Block], View]]:
        """Events of the sessions asked for."""
        view = View(Session(""), self.places, self.symbols)
        current, inside = 0, False
        for event in self.reader.events():
            if isinstance(event, Start):
                view = View(event.session, self.places, self.symbols)
                current, inside = event.session.number, True
            wanted = self.reader.only
            if wanted is None or wanted == (current if inside else current + 1):
                if self.options.show_damaged and not isinstance(event, Block):
                    self._show_damaged(event)
                yield event, view
                if isinstance(event, End):
                    self._judge(event.session)
            if isinstance(event, End):
                inside = False

    def records(self) -> Iterator[Tuple[Rec, View]]:
        """The records that pass --since, --until and the filter."""
        for event, view in self.events():
            if isinstance(event, Rec) and self.passes(event, view):
                yield event, view

    def passes(self, rec: Rec, view: View) -> bool:
        return self.in_time(rec) and (self.test is None or self.test(view.of(rec)))

    @property
    def partial(self) -> bool:
        """Are some records left out?"""
        return self.test is not None or self.options.since is not None or self.options.until is not None

    def in_time(self, rec: Rec) -> bool:
        o = self.options
        return ((o.since is None or (rec.t is not None and rec.t >= o.since))
                and (o.until is None or (rec.t is not None and rec.t <= o.until)))

    def _judge(self, session: Session) -> None:
        wrong = self.places.mismatch(session)
        if wrong:
            self.codes.add(MISMATCH)
            self.say(wrong)
        if self.options.strict and not session.complete():
            self.codes.add(INCOMPLETE)
            self.say(f"session {session.number}: {completeness(session)}")

    def _show_damaged(self, event: Event) -> None:
        if isinstance(event, Damaged):
            more = " ..." if len(event.data) > _SHOWN else ""
            times = f" x{event.count}" if event.count > 1 else ""
            self.say(f"damaged{times}: {event.data[:_SHOWN].decode('latin-1')}{more}")
        elif isinstance(event, Suspect):
            self.say(f"suspect: {event.rec.text()}")
        elif isinstance(event, Rec) and event.foreign is not None:
            self.say(f"repaired: cut '{event.foreign.decode('latin-1').rstrip()}' out of seq {event.seq}")

    def finish(self) -> int:
        """The exit status: 3 if there was no record, else the highest of `codes`."""
        for note in self.reader.notes.lines:
            self.say(note)
        if self.reader.notes.truncated and self.options.strict:
            self.codes.add(INCOMPLETE)
        refusal = self.reader.refusal()
        if refusal is not None:
            self.say(refusal)
            return NO_RECORD
        if self.reader.only is not None and self.reader.only > self.reader.sessions:
            raise UsageError(f"--session {self.reader.only}: the input has {self.reader.sessions}")
        return max(self.codes, default=0)


def completeness(s: Session, allowed: int = 0, text: int = 0) -> str:
    """The line that says whether a log is whole."""
    word = "COMPLETE" if s.complete(allowed, text) else "INCOMPLETE"
    span = "" if s.first is None else f" in {s.first}..{s.last}"
    parts = [f"{s.records} records{span}" + (" (the head was cut)" if s.head_cut else "")]
    lost = f"lost {s.lost}"
    if s.losses:
        first = s.losses[0]
        until = "?" if first.until is None else f"{first.until / 1e9:.3f}"
        since = "?" if first.since is None else f"{first.since / 1e9:.3f}"
        more = ", ..." if len(s.losses) > 1 else ""
        lost += f" ({first.why}, {since}-{until} s{more})"
    parts += [lost, f"missing {s.missing}"]
    if s.held:
        parts.append(f"not sent {s.held}")
    parts.append(f"damaged {s.damaged}")
    if s.repaired:
        parts.append(f"repaired {s.repaired}")
    parts.append(f"suspect {s.suspect}")
    if s.duplicate:
        parts.append(f"repeated {s.duplicate}")
    if s.weak:
        parts.append(f"weak {s.weak} (no sentinel: could be forged)")
    if s.text_short:
        parts.append(f"guest text short by {s.text_short} bytes")
    elif s.text.altered and not s.weak:
        parts.append("guest text altered on the way")
    silent = sorted(number for number, cpu in s.cpus.items() if cpu.received and not cpu.sent)
    which = f" of cpu {silent[0]}" if silent and s.trailer is not None else ""
    parts.append("trailer ok" if s.ended else f"no trailer{which}: capture cut")
    if s.changes:
        parts.append(changes(s.changes))
    return f"{word}  " + ", ".join(parts)


def changes(count: int) -> str:
    """The operator's changes, in words; empty: none."""
    return "" if not count else f"{count} change{'s' * (count != 1)} by the operator"


def span(ns: float) -> str:
    """A duration in three digits or so: 0.9us, 21us, 9.4ms, 12.346s."""
    if ns < 1_000:
        return f"{ns:.0f}ns"
    for unit, size in (("us", 1e3), ("ms", 1e6)):
        if ns < size * 1000:
            value = ns / size
            return f"{value:.1f}{unit}" if value < 10 else f"{value:.0f}{unit}"
    return f"{ns / 1e9:.3f}s"


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def stamp(ns: Optional[int]) -> str:
    return "-" if ns is None else seconds(ns)
