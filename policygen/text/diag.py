# SPDX-License-Identifier: Apache-2.0
"""Places and complaints: collects them, sorts them, draws carets."""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from policygen.text.escape import printable
from policygen.text.terminal import COLOURS, PLAIN

WIDTH = 160     # a longer source line is shown in part
MOST = 500      # further complaints are only counted
MANY = 100      # complaints for which likely words are looked for, at most
PLACES = 20     # places of one repeated slip that are shown
UNKNOWN = ("PG101", "PG102", "PG103", "PG104", "PG105", "PG119")


class BrokenFacts(ValueError):
    """Facts that come with policygen contradict each other: one line that names the place, since no policy is at fault."""


@dataclass(frozen=True)
class Place:
    """The place of a word in a file; line and column count from 1."""
    file: str
    line: int
    col: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of one line; columns count from 1, `end` is the column after the last character."""
    file: str
    line: int
    col: int
    end: int

    @property
    def place(self) -> Place:
        return Place(self.file, self.line, self.col)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.col}"


@dataclass(frozen=True)
class Ignore:
    """A comment `# ignore PG502: reason`; `line` is the line that it is about."""
    code: str
    reason: str
    line: int
    span: Span


@dataclass(frozen=True)
class Diagnostic:
    code: str
    severity: str                                   # error warning note
    message: str
    span: Optional[Span] = None
    label: str = ""
    notes: Tuple[str, ...] = ()
    helps: Tuple[str, ...] = ()
    also: Tuple[Tuple[Span, str], ...] = ()         # further places, each with its label


def quoted(text: str) -> str:
    text = printable(text)
    return '"' + (text if len(text) <= 60 else text[:57] + "...") + '"'


@dataclass
class Diagnostics:
    """The complaints of one run, with the source lines needed to show them."""
    items: List[Diagnostic] = field(default_factory=list)
    sources: Dict[str, Sequence[str]] = field(default_factory=dict)
    ignores: Dict[str, Sequence[Ignore]] = field(default_factory=dict)      # as `sources`: by file
    unreadable: bool = False                        # a file that cannot be read: exit 2, not 1
    asked: int = 0                                  # used to suggest likely words
    dropped: int = 0                                # complaints beyond MOST
    poisoned: bool = False                          # an entry was left out: a complaint of something missing may follow from it

    def error(self, code: str, span: Optional[Span], message: str, label: str = "", *, helps: Iterable[str] = (),
              notes: Iterable[str] = (), also: Iterable[Tuple[Span, str]] = (), severity: str = "error") -> None:
        item = Diagnostic(code, severity, message, span, label, tuple(notes), tuple(helps), tuple(also))
        if len(self.items) >= MOST:
            self.dropped += 1
            return
        earlier = next((at for at, other in enumerate(self.items) if code in UNKNOWN and other.code == code
                        and (other.message, other.helps) == (message, item.helps)), None)
        if earlier is not None and span is not None:                # one slip, repeated in several places
            if len(self.items[earlier].also) < PLACES:
                self.items[earlier] = replace(self.items[earlier],
                                              also=self.items[earlier].also + ((span, "and here"),))
        elif item not in self.items:
            self.items.append(item)

    def refuse(self, code: str, span: Optional[Span], message: str, label: str = "", *, helps: Iterable[str] = (),
               notes: Iterable[str] = (), also: Iterable[Tuple[Span, str]] = ()) -> None:
        """An error whose subject is left out of the result."""
        self.poisoned = True
        self.error(code, span, message, label, helps=helps, notes=notes, also=also)

    def note(self, code: str, span: Optional[Span], message: str, label: str = "", *, helps: Iterable[str] = (),
             notes: Iterable[str] = ()) -> None:
        self.error(code, span, message, label, helps=helps, notes=notes, severity="note")

    @property
    def failed(self) -> bool:
        return any(item.severity == "error" for item in self.items)

    def complained(self, file: str, first: int, last: int) -> bool:
        """Whether one of these lines has an error already, of which this one would be a consequence."""
        return any(item.span is not None and item.span.file == file and first <= item.span.line <= last
                   for item in self.items if item.severity == "error")

    def extend(self, other: "Diagnostics") -> None:
        for item in other.items:
            if item not in self.items:
                self.items.append(item)
        self.sources.update(other.sources)
        self.unreadable = self.unreadable or other.unreadable
        self.dropped += other.dropped
        self.poisoned = self.poisoned or other.poisoned

    def sorted(self) -> List[Diagnostic]:
        none = Span("", 0, 0, 0)
        return sorted(self.items, key=lambda item: (item.severity == "note", item.span or none, item.code,
                                                    item.message))

    def render(self, colour: bool = False) -> str:
        more = [f"... and {self.dropped} more complaints\n"] if self.dropped else []
        return "\n".join([_draw(item, self.sources, colour) for item in self.sorted()] + more)

    def as_json(self) -> List[Dict[str, object]]:
        return [_as_json(item) for item in self.sorted()]


def _as_json(item: Diagnostic) -> Dict[str, object]:
    out: Dict[str, object] = {"code": item.code, "severity": item.severity, "message": item.message}
    if item.span:
        out.update(file=item.span.file, line=item.span.line, column=item.span.col, end_column=item.span.end)
    out.update(label=item.label, notes=list(item.notes), help=list(item.helps),
               related=[{"file": s.file, "line": s.line, "column": s.col, "label": label} for s, label in item.also])
    return out


def _draw(item: Diagnostic, sources: Mapping[str, Sequence[str]], colour: bool) -> str:
    def paint(kind: str, text: str) -> str:
        return f"{COLOURS[kind]}{text}{PLAIN}" if colour else text

    spans = ([(item.span, item.label)] if item.span else []) + list(item.also)
    width = max((len(str(span.line)) for span, _ in spans), default=1)
    pad = " " * width
    lines = [paint(item.severity, f"{item.severity}[{item.code}]") + f": {printable(item.message)}"]
    for number, (span, label) in enumerate(spans):
        lines.append(pad + paint("frame", "-->" if number == 0 and item.span else ":::") + f" {printable(str(span))}")
        source = sources.get(span.file)
        if source is None or not 0 < span.line <= len(source):
            continue
        text, col, length = _window(printable(source[span.line - 1]), span)
        lines.append(paint("frame", f"{pad} |"))
        lines.append(paint("frame", f"{span.line:{width}} |") + f" {text}".rstrip())
        carets = paint(item.severity if number == 0 else "frame", ("^" if number == 0 else "-") * length)
        lines.append(paint("frame", f"{pad} |") + f" {' ' * (col - 1)}{carets} {printable(label)}".rstrip())
    lines += [f"{pad} = note: {printable(note)}" for note in item.notes]
    lines += [f"{pad} = help: {printable(text)}" for text in item.helps]
    return "\n".join(lines) + "\n"


def _window(text: str, span: Span) -> Tuple[str, int, int]:
    """The part of a long line around the span, with the span's column and length in it."""
    length = max(1, span.end - span.col)
    if len(text) <= WIDTH:
        return text, span.col, length
    start = max(0, min(span.col - 1 - WIDTH // 4, len(text) - WIDTH))
    shown = text[start:start + WIDTH]
    return shown, span.col - start, max(1, min(length, WIDTH - (span.col - start) + 1))
