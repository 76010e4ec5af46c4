# SPDX-License-Identifier: Apache-2.0
"""Typed access to nodes: the value, or None after one complaint."""
from __future__ import annotations

from typing import Callable, Iterable, List, Optional, Sequence as Sequence_, Tuple

from policygen.text import words
from policygen.text.diag import MANY, Diagnostics, quoted
from policygen.text.source import Mapping, Node, Scalar, Sequence, kind


def as_map(node: Node, what: str, diags: Diagnostics) -> Optional[Mapping]:
    if isinstance(node, Mapping):
        return node
    diags.refuse("PG109", node.span, f"{what} is a map, this is {kind(node)}")
    return None


def as_text(node: Node, what: str, diags: Diagnostics) -> Optional[str]:
    if isinstance(node, Scalar) and not (node.plain and node.text in ("", "~", "null")):
        return node.text
    diags.refuse("PG109", node.span, f"{what} is text, this is {kind(node)}")
    return None


def as_list(node: Node, what: str, diags: Diagnostics) -> List[Node]:
    if isinstance(node, Sequence):
        return list(node.items)
    diags.refuse("PG109", node.span, f"{what} is a list, this is {kind(node)}", helps=["write [ ... ]"])
    return []


def as_texts(node: Node, what: str, diags: Diagnostics) -> List[Scalar]:
    out = []
    for item in as_list(node, what, diags):
        if isinstance(item, Scalar) and as_text(item, f"an item of {what}", diags) is not None:
            out.append(item)
        elif not isinstance(item, Scalar):
            diags.refuse("PG109", item.span, f"an item of {what} is one word, this is {kind(item)}")
    return out


def as_number(node: Node, what: str, diags: Diagnostics, *, low: int = 0, high: int = (1 << 64) - 1,
              parse: Callable[[str], Optional[int]] = words.number, form: str = "a number") -> Optional[int]:
    value = parse(node.text) if isinstance(node, Scalar) else None
    if value is None:
        diags.refuse("PG109", node.span, f"{what} is {form}, this is {kind(node)}",
                     helps=["numbers: 4096, 0x1000, 0x0900_0000; sizes: 4K, 16M, 1G"] if "number" in form else [])
        return None
    if not low <= value <= high:
        assert isinstance(node, Scalar)
        diags.refuse("PG111", node.span, f"{what} must be {shown_range(low, high, node.text)}, this is {node.text}")
        return None
    return value


def shown_range(low: int, high: int, written: str) -> str:
    """The number, in the base that it was written in."""
    return f"{low:#x}..{high:#x}" if written[:2] in ("0x", "0X") else f"{low}..{high}"


def pick(node: Scalar, known: Iterable[str], code: str, what: str, diags: Diagnostics, label: str = "",
         describe: Callable[[str], str] = str, helps: Iterable[str] = (),
         other: Optional[Callable[[str], Sequence_[str]]] = None) -> Optional[str]:
    """The word, or the single word that it was probably meant to be (so that one slip is one complaint), or None.
    `other`: words under another name."""
    candidates = list(known)
    if node.text in candidates:
        return node.text
    diags.asked += 1
    close = [word for word in other(node.text) if word in candidates] if other is not None else []
    close = close or (words.nearest(node.text, candidates) if diags.asked < MANY else [])
    guess = [f"did you mean {alternatives([describe(word) for word in close])}?"] if close else list(helps)
    if not close and not guess and len(candidates) <= 12:
        guess = [f"known: {', '.join(sorted(candidates))}"]
    diags.error(code, node.span, f"unknown {what} {quoted(node.text)}", label or f"no such {what.split()[-1]}",
                helps=guess)
    if len(close) == 1:
        return close[0]
    diags.poisoned = True
    return None


def alternatives(choices: List[str]) -> str:
    return choices[0] if len(choices) == 1 else ", ".join(choices[:-1]) + " or " + choices[-1]


def find(node: Mapping, name: str, known: Iterable[str]) -> Tuple[Optional[Scalar], Optional[Node]]:
    """The pair of this key, or of an unknown key that was probably meant to be it (keys_of() complains)."""
    names = list(known)
    for key, value in node.items:
        if key.text == name:
            return key, value
    free = [other for other in names if node.get(other) is None] if len(node.items) <= 2 * len(names) else []
    for key, value in node.items if free else ():
        if key.text not in names and words.nearest(key.text, free) == [name]:
            return key, value
    return None, None


def keys_of(node: Mapping, known: Iterable[str], what: str, diags: Diagnostics) -> List[Tuple[str, Scalar, Node]]:
    """The pairs of a map whose keys are fixed; a slip in a key counts as the key that was meant."""
    names = list(known)
    out: List[Tuple[str, Scalar, Node]] = []
    for key, value in node.items:
        free = [name for name in names if node.get(name) is None] if key.text not in names else names
        name = pick(key, free, "PG107", f"{what} key".strip(), diags, "no such key here",
                    helps=[f"keys here: {', '.join(names)}"])
        if name is not None:
            out.append((name, key, value))
    return out
