# SPDX-License-Identifier: Apache-2.0
"""The canonical layout of a policy file: the same words and comments, spaced and ordered in one way."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Optional, Tuple

from policygen.language import schema
from policygen.text.source import Mapping, Node, Scalar, Sequence, Source, last_line

WIDTH = 120


@dataclass
class Item:
    """A key with its value in block style, or an item of a list, and the comments that belong to it."""
    head: str                                   # `key:` or `-`
    text: str = ""                              # a value of one line, or the rest of one as written
    above: List[str] = field(default_factory=list)      # comments on lines of their own; "" is an empty line
    after: str = ""                             # the comment at the end of its line
    gap: int = 2                                # blanks before it, where the author aligned it
    children: List["Item"] = field(default_factory=list)
    raw: List[str] = field(default_factory=list)        # text of several lines, kept as written


def formatted(source: Source) -> str:
    """The file in canonical layout. The result reads as the same nodes, and formatting it again changes nothing."""
    assert source.root is not None
    return _Formatter(source).text(source.root)


class _Formatter:
    def __init__(self, source: Source) -> None:
        self.lines = list(source.lines)
        self.done = 0                           # lines before this one are done

    def text(self, root: Mapping) -> str:
        items = self.items(root)
        tail = self.comments(len(self.lines))
        order = {name: at for at, name in enumerate(schema.TOP)}
        head = _leading(items)
        items.sort(key=lambda item: order.get(item.head[:-1], len(order)))      # a stable sort: unknown keys stay last
        out = [*head]
        for at, item in enumerate(items):
            body = self.shown(item, 0)
            block = len(body) > 1 or bool(item.children)
            if at and (block or item.above or _is_block(items[at - 1])):
                out.append("")
            out += body
        rest = _trimmed(tail)
        out += (["", *rest] if rest else [])
        return "\n".join(line.rstrip() for line in _squeezed(out)) + "\n"

    # --- reading ------------------------------------------------------------------------------------------------

    def comments(self, line: int) -> List[str]:
        """Comment lines and empty lines from the current line up to `line` (counted from 0)."""
        found = []
        for text in self.lines[self.done:line]:
            stripped = text.strip()
            if not stripped or stripped.startswith("#"):
                found.append(stripped)
        self.done = max(self.done, line)
        return found

    def items(self, node: Node) -> List[Item]:
        """The pairs of a map, or the items of a list, in block style."""
        pairs: List[Tuple[Optional[Scalar], Node]] = []
        if isinstance(node, Mapping):
            pairs = [(key, value) for key, value in node.items]
        elif isinstance(node, Sequence):
            pairs = [(None, value) for value in node.items]
        return [self.item(key, value) for key, value in pairs]

    def item(self, key: Optional[Scalar], value: Node) -> Item:
        first = (key.span if key else value.span).line - 1
        item = Item(f"{self.raw(key)}:" if key else "-", above=self.comments(first))
        last = last_line(value) - 1
        flow = isinstance(value, Scalar) or self.lines[value.span.line - 1][value.span.col - 1:][:1] in "{["
        self.done = max(self.done, first + 1)
        if flow:
            end = self.end_of(value, last)
            if end > first:                     # text or a flow of several lines: kept as written
                item.raw = [line.rstrip() for line in self.lines[first + 1:end + 1]]
                line = self.lines[first]
                item.text = line[(key.span.end if key else value.span.col - 1):].lstrip(": ").rstrip() if key else \
                    line[value.span.col - 1:].rstrip()
                self.done = max(self.done, end + 1)
            else:
                item.text = self.flow(value)
                item.after, item.gap = self.trailing(first)
        elif key is None and value.span.line - 1 == first and isinstance(value, Mapping):
            item.children = self.items(value)   # `- key: value` with more keys below it
        else:
            item.after, item.gap = self.trailing(first) if key else ("", 2)
            item.children = self.items(value)
        return item

    def end_of(self, value: Node, last: int) -> int:
        """The last line of a value in flow or text style: the value goes on while brackets are open or lines are
        indented deeper."""
        if isinstance(value, Scalar):
            start = self.lines[value.span.line - 1][value.span.col - 1:]
            if value.plain and value.text == start[:len(value.text)] or not value.plain and \
                    start[:1] in "'\"" and value.span.end - value.span.col > 1 and \
                    start[value.span.end - value.span.col - 1:][:1] == start[0]:
                return value.span.line - 1
            return self.deeper(value.span.line - 1)
        depth, line, col = 0, value.span.line - 1, value.span.col - 1
        quote = ""
        while line < len(self.lines):
            text = self.lines[line]
            while col < len(text):
                c = text[col]
                if quote:
                    if c == "\\" and quote == '"':
                        col += 1
                    elif c == quote:
                        quote = ""
                elif c in "'\"" and text[:col].rstrip()[-1:] in ("{", "[", ",", ":", ""):
                    quote = c
                elif c == "#" and (col == 0 or text[col - 1] in " \t"):
                    break
                elif c in "{[":
                    depth += 1
                elif c in "}]":
                    depth -= 1
                    if depth == 0:
                        return line
                col += 1
            line, col = line + 1, 0
        return max(last, value.span.line - 1)

    def deeper(self, first: int) -> int:
        indent = len(self.lines[first]) - len(self.lines[first].lstrip())
        last = first
        for number in range(first + 1, len(self.lines)):
            line = self.lines[number]
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            if line.strip():
                last = number
        return last

    def trailing(self, line: int) -> Tuple[str, int]:
        """The comment after a value on the same line, and the blanks before it."""
        text, quote = self.lines[line], ""
        for col, c in enumerate(text):
            if quote:
                quote = "" if c == quote else quote
            elif c in "'\"" and text[:col].rstrip()[-1:] in ("{", "[", ",", ":", "-", ""):
                quote = c
            elif c == "#" and (col == 0 or text[col - 1] in " \t"):
                return text[col:].rstrip(), max(len(text[:col]) - len(text[:col].rstrip()), 2)
        return "", 2

    def raw(self, node: Node) -> str:
        """A scalar of one line as written: numbers and quotes stay the author's."""
        assert isinstance(node, Scalar)
        line = self.lines[node.span.line - 1]
        return line[node.span.col - 1:node.span.end - 1].rstrip()

    def flow(self, node: Node) -> str:
        if isinstance(node, Scalar):
            return self.raw(node) if node.text or not node.plain else ""
        if isinstance(node, Sequence):
            return "[" + ", ".join(self.flow(item) for item in node.items) + "]"
        inner = ", ".join(f"{self.raw(key)}: {self.flow(value)}".rstrip() for key, value in node.items)
        return f"{{ {inner} }}" if inner else "{}"

    # --- writing ------------------------------------------------------------------------------------------------

    def shown(self, item: Item, indent: int, pad: int = 0) -> List[str]:
        blank = " " * indent
        out = [blank + line if line else "" for line in item.above]
        if item.head == "-" and item.children:
            inner = self.block(item.children, indent + 2)
            first = next(at for at, line in enumerate(inner) if line.strip() and not line.strip().startswith("#"))
            return out + inner[:first] + [f"{blank}- {inner[first].lstrip()}", *inner[first + 1:]]
        line = blank + item.head.ljust(pad) + (f" {item.text}" if item.text else "")
        line += f"{' ' * item.gap}{item.after}" if item.after else ""
        aligned = item.head == "assert:" and not indent
        return [*out, line.rstrip(), *item.raw, *self.block(item.children, indent + 2, aligned)]

    def block(self, items: List[Item], indent: int, aligned: bool = False) -> List[str]:
        """Aligns assertions like a table: pads their names, so that the claims begin in one column."""
        pad = max((len(item.head) for item in items), default=0) if aligned else 0
        out: List[str] = []
        for at, item in enumerate(items):
            if at == 0:
                item.above = _trimmed_front(item.above)
            out += self.shown(item, indent, pad)
        return out


def _leading(items: List[Item]) -> List[str]:
    """Keeps the comments at the top of the file there, whichever key is sorted to the front."""
    if not items:
        return []
    above = items[0].above
    cut = next((at for at, line in enumerate(above) if not line and any(above[:at])), len(above))
    head, items[0].above = above[:cut], _trimmed(above[cut:])
    return _trimmed(head) + ([""] if cut < len(above) and head else [])


def _is_block(item: Item) -> bool:
    return bool(item.children or item.raw)


def _trimmed(lines: List[str]) -> List[str]:
    lines = _trimmed_front(lines)
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


def _trimmed_front(lines: List[str]) -> List[str]:
    while lines and not lines[0]:
        lines = lines[1:]
    return lines


def _squeezed(lines: List[str]) -> List[str]:
    """Squeezes empty lines: one at a time, none at the top."""
    out: List[str] = []
    for line in lines:
        if line.strip() or out and out[-1].strip():
            out.append(line)
    return out
