# SPDX-License-Identifier: Apache-2.0
"""YAML with positions, without YAML's surprises; knows nothing of policies.

It walks the parser's events and composes no nodes: anchors, tags and depth are refused before they cost anything, and
no input makes it recurse. The C parser is not used because it counts columns in bytes.
"""
from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import yaml  # type: ignore[import]

from policygen.text.diag import Diagnostics, Ignore, Span, quoted
from policygen.text.slips import blank, slip

MAX_BYTES = 4 << 20
MAX_DEPTH = 12

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")      # YAML's line ends
# Line ends that editors do not show, and marks that change the order of letters: reviewers and YAML would read
# different text.
UNSEEN = re.compile("[\x85\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|\r(?!\n)")
UNSPEAKABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]|" + UNSEEN.pattern)
BOOLEAN = re.compile(r"(?i:y|n|yes|no|on|off|true|false)\Z")
OCTAL = re.compile(r"[-+]?0[0-9_]+\Z")
SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z")
IGNORE = re.compile(r"(?:^|(?<=\s))#\s*ignore\s+(?=(?i:pg))(.*)\Z")
IGNORE_BODY = re.compile(r"(PG[0-9]{3}):\s+(\S.*)\Z")


@dataclass(frozen=True)
class Scalar:
    span: Span
    text: str
    plain: bool


@dataclass(frozen=True)
class Sequence:
    span: Span
    items: Tuple["Node", ...]


@dataclass(frozen=True)
class Mapping:
    span: Span
    items: Tuple[Tuple[Scalar, "Node"], ...]

    @cached_property
    def pairs(self) -> Dict[str, Tuple[Scalar, "Node"]]:
        return {key.text: (key, value) for key, value in self.items}

    def get(self, name: str) -> Optional["Node"]:
        return self.pairs[name][1] if name in self.pairs else None

    def key(self, name: str) -> Optional[Scalar]:
        return self.pairs[name][0] if name in self.pairs else None


Node = Union[Scalar, Sequence, Mapping]


@dataclass(frozen=True)
class Source:
    file: str                       # as shown
    lines: Tuple[str, ...]
    root: Optional[Mapping]
    ignores: Tuple[Ignore, ...]
    sha256: str = ""                # of its bytes

    def line(self, number: int) -> str:
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""


@dataclass
class _Open:
    """A collection that is being read."""
    start: yaml.Mark
    mapping: bool
    items: List[Node]
    pairs: Dict[str, Tuple[Scalar, Node]]
    key: Optional[Scalar] = None
    skip: bool = False              # the next value belongs to a key that was refused


def last_line(node: Node) -> int:
    if isinstance(node, Scalar):
        return node.span.line
    inner = [last_line(item) for item in node.items] if isinstance(node, Sequence) else \
        [last_line(value) for _, value in node.items]
    return max([node.span.line, *inner])


def kind(node: Node) -> str:
    if isinstance(node, Mapping):
        return "a map"
    if isinstance(node, Sequence):
        return "a list"
    return "nothing" if node.plain and node.text in ("", "~", "null") else quoted(node.text)


def read(path: Path, shown: str, diags: Diagnostics) -> Optional[Source]:
    """The file as nodes, or None, with the reason in `diags`, if it cannot be read at all."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        diags.unreadable = True
        diags.error("PG001", None, f"cannot read {shown}: {error.strerror}")
        return None
    return parse(data, shown, diags)


def parse(data: bytes, shown: str, diags: Diagnostics) -> Optional[Source]:
    start = Span(shown, 1, 1, 2)
    if len(data) > MAX_BYTES:
        diags.error("PG002", start, f"{shown} is larger than {MAX_BYTES >> 20} MiB", "a policy is a few pages")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[:error.start].decode("utf-8", "replace")
        lines = LINE_BREAK.split(before)
        diags.sources[shown] = LINE_BREAK.split(data.decode("utf-8", "replace"))
        col = len(lines[-1]) + 1
        diags.error("PG002", Span(shown, len(lines), col, col + 1), "this is not UTF-8",
                    f"byte 0x{data[error.start]:02x}")
        return None
    lines = LINE_BREAK.split(text)
    diags.sources[shown] = lines
    hidden = UNSEEN.search(text)
    if hidden:
        above = LINE_BREAK.split(text[:hidden.start()])
        diags.error("PG002", Span(shown, len(above), len(above[-1]) + 1, len(above[-1]) + 2),
                    f"a character that no editor shows: U+{ord(hidden.group()):04X}")
        return None
    builder = _Builder(shown, lines, diags)
    root = builder.build(text)
    if root is None:
        return None
    diags.ignores[shown] = tuple(builder.ignores())
    return Source(shown, tuple(lines), root, tuple(diags.ignores[shown]), hashlib.sha256(data).hexdigest())


class _Builder:
    def __init__(self, shown: str, lines: List[str], diags: Diagnostics) -> None:
        self.shown, self.lines, self.diags = shown, lines, diags
        self.scalars: List[Tuple[yaml.Mark, yaml.Mark]] = []     # quoted and block text has no comments

    def span(self, start: yaml.Mark, end: Optional[yaml.Mark] = None) -> Span:
        line, col = start.line + 1, start.column + 1
        if line > len(self.lines):
            line, col = len(self.lines), len(self.lines[-1]) + 1
        if end is not None and end.line == start.line:
            stop = end.column + 1
        else:
            stop = len(self.lines[line - 1].rstrip()) + 1
        return Span(self.shown, line, col, max(stop, col + 1))

    def build(self, text: str) -> Optional[Mapping]:
        try:
            root = self.walk(text)
        except yaml.reader.ReaderError as error:
            before = LINE_BREAK.split(text[:error.position])
            at = Span(self.shown, len(before), len(before[-1]) + 1, len(before[-1]) + 2)
            code = error.character if isinstance(error.character, int) else ord(error.character)
            self.diags.error("PG002", at, f"a character that YAML does not allow: U+{code:04X}")
            return None
        except yaml.MarkedYAMLError as error:
            self.syntax(error)
            return None
        if root is None:
            return None
        if not isinstance(root, Mapping):
            self.diags.error("PG010", root.span, f"a file is one map of `key: value`, this is {kind(root)}")
            return None
        return root

    def syntax(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        at = self.span(mark) if mark else Span(self.shown, 1, 1, 2)
        at = Span(at.file, at.line, at.col, at.col + 1)
        problem = str(error.problem or error.context)
        if "'\\t'" in problem or self.lines[at.line - 1][:at.col].endswith("\t"):
            self.diags.error("PG011", at, "a tab: YAML is indented with blanks only", "a tab")
            return
        line, col, message, helps = slip(error, self.lines)
        if not self.diags.complained(self.shown, line, line):
            self.diags.error("PG001", Span(self.shown, line, col, col + 1), message, helps=helps)

    def walk(self, text: str) -> Optional[Node]:
        """Builds nodes from events, with a stack of its own."""
        stack: List[_Open] = []
        root: Optional[Node] = None
        documents = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.diags.refuse("PG010", self.span(event.start_mark), "a second document",
                                      helps=["one policy a file: remove the `---`"])
                    return root
                continue
            node: Optional[Node] = None             # stays None if it was refused: its key or item is left out
            if isinstance(event, yaml.AliasEvent):
                self.diags.refuse("PG005", self.span(event.start_mark, event.end_mark),
                                  f"an alias, *{event.anchor}: write the value out")
            elif isinstance(event, yaml.ScalarEvent):
                self.refuse_tricks(event)
                node = self.scalar(event)
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self.refuse_tricks(event)
                if len(stack) >= MAX_DEPTH:
                    self.diags.error("PG009", self.span(event.start_mark), f"nested deeper than {MAX_DEPTH} levels")
                    return None
                stack.append(_Open(event.start_mark, isinstance(event, yaml.MappingStartEvent), [], {}))
                continue
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                done = stack.pop()
                span = self.span(done.start, event.end_mark)
                node = Mapping(span, tuple(done.pairs.values())) if done.mapping else Sequence(span, tuple(done.items))
            else:
                continue
            if stack:
                self.put(stack[-1], node, event)
            else:
                root = node
        if root is None:
            self.diags.error("PG010", Span(self.shown, 1, 1, 2), f"{self.shown} is empty")
        return root

    def put(self, into: _Open, node: Optional[Node], event: yaml.Event) -> None:
        if not into.mapping:
            into.items += [node] if node is not None else []
        elif into.key is not None:
            if not into.skip and node is not None:
                into.pairs[into.key.text] = (into.key, node)
            into.key, into.skip = None, False
        else:
            self.put_key(into, node, event)

    def put_key(self, into: _Open, node: Optional[Node], event: yaml.Event) -> None:
        into.skip = True
        into.key = node if isinstance(node, Scalar) else Scalar(self.span(event.start_mark, event.end_mark), "", True)
        if node is None:
            return
        if not isinstance(node, Scalar):
            self.diags.refuse("PG010", node.span, f"a key is one word, this is {kind(node)}")
        elif node.plain and node.text == "<<":
            self.diags.refuse("PG006", node.span, "a merge key", helps=["use `extends`, or write the entries out"])
        elif node.text in into.pairs:
            self.diags.refuse("PG003", node.span, f"{quoted(node.text)} is written twice in this map", "again",
                              also=[(into.pairs[node.text][0].span, "first here")])
        else:
            into.skip = False

    def refuse_tricks(self, event: yaml.Event) -> None:
        if event.anchor is None and event.tag is None:
            return
        span = self.span(event.start_mark)
        span = Span(span.file, span.line, span.col, span.col + 1)
        if event.anchor is not None:
            self.diags.error("PG005", span, f"an anchor, &{event.anchor}: write the value out where it is used")
        if event.tag is not None:
            self.diags.error("PG004", span, f"a tag, {event.tag}: a policy has names, numbers and text only")

    def scalar(self, event: yaml.ScalarEvent) -> Optional[Scalar]:
        span, text = self.span(event.start_mark, event.end_mark), event.value
        if event.style is not None:
            self.scalars.append((event.start_mark, event.end_mark))
            if unspeakable := UNSPEAKABLE.search(text):
                self.diags.refuse("PG002", span, f"text with a control character: U+{ord(unspeakable.group()):04X}")
                return None
        elif strange := blank(text):
            self.diags.refuse("PG002", span, f"{strange}: YAML takes it for a letter", helps=["type a blank instead"])
            return None
        elif BOOLEAN.match(text):
            self.diags.refuse("PG007", span, f"{quoted(text)} is a boolean to some YAML readers and text to others",
                              helps=[f'an action is a word, such as allow or deny; only text is quoted: "{text}"'])
            return None
        elif OCTAL.match(text):
            digits = text.lstrip("+-").replace("_", "").lstrip("0") or "0"
            self.diags.refuse("PG008", span, f"{text} starts with 0: octal to some YAML readers, decimal to others",
                              helps=[f"write {digits}, or 0x{digits} if it is hexadecimal"])
            return None
        elif SEXAGESIMAL.match(text):
            self.diags.refuse("PG008", span, f"{text} is a number to base 60 in YAML 1.1",
                              helps=["a range is written 1..3; text is quoted"])
            return None
        return Scalar(span, text, event.style is None)

    def ignores(self) -> List[Ignore]:
        found = []
        for number, line in enumerate(self.lines):
            match = IGNORE.search(line)
            if not match or self.in_text(number, match.start()):
                continue
            span = Span(self.shown, number + 1, match.start() + 1, len(line.rstrip()) + 1)
            body = IGNORE_BODY.match(match.group(1).rstrip())
            if not body:
                self.diags.error("PG902", span, "an `ignore` comment has one form: # ignore PG502: reason",
                                 "no reason, no ignoring")
                continue
            found.append(Ignore(body.group(1), body.group(2), self.target(number, line[:match.start()]), span))
        return found

    def target(self, number: int, before: str) -> int:
        """Ties a comment on a line of its own to the next line with content."""
        return number + 1 if before.strip() else self.following[number]

    @cached_property
    def following(self) -> List[int]:
        """By line, counted from 0: the next line with content, counted from 1; the line itself if there is none."""
        out, after = [], 0
        for number in range(len(self.lines) - 1, -1, -1):
            out.append(after or number + 1)
            text = self.lines[number].strip()
            after = number + 1 if text and not text.startswith("#") else after
        return out[::-1]

    def in_text(self, line: int, col: int) -> bool:
        at = bisect_right(self.scalars, (line, col), key=lambda text: (text[0].line, text[0].column)) - 1
        return at >= 0 and (line, col) < (self.scalars[at][1].line, self.scalars[at][1].column)
