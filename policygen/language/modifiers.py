# SPDX-License-Identifier: Apache-2.0
"""The keys that may stand beside an action. Their table reads them, describes them to editors, and is printed by
`list`."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

from policygen.facts import virtio
from policygen.facts.board import Board
from policygen.language import conditions, schema
from policygen.language.shapes import NUMBER, TEXT, Json, closed
from policygen.text import words
from policygen.text.diag import Diagnostics
from policygen.text.nodes import alternatives, as_list, as_number, as_text, pick
from policygen.text.source import Mapping, Node, Scalar, kind

ALL_WIDTHS = (1, 2, 4, 8)
EVERY, RAM = schema.EVERY, schema.RAM


@dataclass(frozen=True)
class Modifiers:
    """The modifiers of one action, as read."""
    log: Optional[str] = None
    why: Optional[str] = None
    limit: Optional[int] = None
    over: Optional[str] = None
    widths: Tuple[int, ...] = ALL_WIDTHS
    refuse: Optional[str] = None
    where: Optional[Node] = None
    otherwise: Optional[Node] = None
    offer: Optional[Node] = None
    requests: Optional[int] = None


@dataclass(frozen=True)
class Place:
    """The surroundings of a modifier, for its reader."""
    section: str
    board: Board
    diags: Diagnostics


@dataclass(frozen=True)
class Modifier:
    sections: Tuple[str, ...]
    field: str                                      # the member of Modifiers that takes the value
    read: Callable[[Node, Place], Any]              # the value, or None after a complaint
    shape: Callable[[str], Json]                    # JSON Schema, by section
    about: str


def read_modifiers(pairs: Sequence[Tuple[str, Scalar, Node]], section: str, base: Modifiers, board: Board,
                   diags: Diagnostics) -> Modifiers:
    """`base` updated by the modifiers among the pairs of a map; other pairs are passed over."""
    out, place = base, Place(section, board, diags)
    for name, _, value in pairs:
        if name in MODIFIERS:
            found = MODIFIERS[name].read(value, place)
            out = out if found is None else replace(out, **{MODIFIERS[name].field: found})
    return out


def modifiers_of(section: str) -> Tuple[str, ...]:
    return tuple(word for word, modifier in MODIFIERS.items() if section in modifier.sections)


# --- readers ----------------------------------------------------------------------------------------------------

def one_word(name: str, known: Callable[[str], Sequence[str]]) -> Callable[[Node, Place], Optional[str]]:
    """A reader of one of the words that the section has."""
    def read(node: Node, place: Place) -> Optional[str]:
        if not isinstance(node, Scalar):
            place.diags.refuse("PG109", node.span, f"`{name}` is one word, this is {kind(node)}")
            return None
        there = list(known(place.section))
        return pick(node, there, "PG116", f"`{name}` word", place.diags, helps=[f"`{name}` is {alternatives(there)}"])
    return read


def logged(node: Node, place: Place) -> Optional[str]:
    """never, once, always; { always, trace } is always-trace."""
    if not isinstance(node, Mapping):
        return one_word("log", lambda _: schema.LOG_PLAIN)(node, place)
    found = [pick(key, (*schema.LOG_PLAIN[1:], schema.LOG_TRACE), "PG116", "`log` word", place.diags) for key, _ in node.items]
    if None in found:
        return None
    for _, value in node.items:
        if not isinstance(value, Scalar) or value.text not in ("", "~", "null", "true"):
            place.diags.refuse("PG109", value.span, "a word of `log` has no value", helps=["write { always, trace }"])
            return None
    plain = [word for word in found if word != schema.LOG_TRACE]
    if len(plain) != 1 or len(found) > 2:
        place.diags.refuse("PG116", node.span, "`log` is once or always, and trace beside it", helps=["write { always, trace }"])
        return None
    return f"{plain[0]}-{schema.LOG_TRACE}" if len(found) == 2 else plain[0]


def refusal(node: Node, place: Place) -> Optional[str]:
    spelled = schema.AS_WORDS[place.section]
    word = one_word("as", lambda _: list(spelled))(node, place)
    return spelled[word] if word else None


def rate(name: str, high: int, form: str) -> Callable[[Node, Place], Optional[int]]:
    return lambda node, place: as_number(node, f"`{name}`", place.diags, low=1, high=high, parse=words.rate, form=form)


def widths(node: Node, place: Place) -> Optional[Tuple[int, ...]]:
    out = []
    for item in as_list(node, "`width`", place.diags):
        value = as_number(item, "a width", place.diags, low=1, high=8)
        if value is not None and value not in ALL_WIDTHS:
            place.diags.refuse("PG111", item.span, f"a width is 1, 2, 4 or 8 bytes, this is {value}")
        elif value is not None:
            out.append(value)
    return tuple(sorted(set(out))) or None


def as_written(node: Node, _: Place) -> Node:
    """`where` and `else` are read later, together with their action."""
    return node


# --- shapes -----------------------------------------------------------------------------------------------------

RATE: Json = {"type": "string", "pattern": "^[0-9]+/s$"}


LOGGED: Json = {"anyOf": [{"enum": list(schema.LOG_PLAIN)}, {
    "required": [schema.LOG_TRACE], "minProperties": 2, "maxProperties": 2,
    **closed({word: {"type": "null"} for word in (*schema.LOG_PLAIN[1:], schema.LOG_TRACE)})}]}


def features(_: str) -> Json:
    names: Json = {"enum": sorted(name for bits in virtio.BITS.values() for name in bits)}
    return {"anyOf": [NUMBER, names, {"type": "array", "items": names}]}


# --- the table --------------------------------------------------------------------------------------------------

MODIFIERS: Dict[str, Modifier] = {
    "log": Modifier(
        RAM + ("features",), "log", logged, lambda _: LOGGED,
        "never, once or always (once for deny, pause and kill, else never); { always, trace }: refusals with return addresses"),
    "why": Modifier(
        RAM + ("features",), "why", lambda node, place: as_text(node, "`why`", place.diags),
        lambda _: TEXT, "the reason, for documents, explain and the log"),
    "limit": Modifier(
        EVERY, "limit", rate("limit", (1 << 32) - 1, "a rate such as 100/s"),
        lambda _: RATE, "decisions a second, 100/s"),
    "over": Modifier(
        EVERY, "over", one_word("over", lambda _: schema.OVER_WORDS),
        lambda _: {"enum": list(schema.OVER_WORDS)}, "beyond the limit: deny, pause or kill"),
    "offer": Modifier(
        ("mmio",), "offer", as_written, features,
        "virtio: the features that the driver may see, as the standard names them, or their bits"),
    "requests": Modifier(
        ("mmio",), "requests", rate("requests", virtio.FASTEST, "a rate such as 200/s"),
        lambda _: RATE, "virtio: requests a second of each queue, 200/s; more of them wait"),
    "width": Modifier(
        ("mmio",), "widths", widths, lambda _: {"type": "array", "items": {"enum": list(ALL_WIDTHS)}},
        "access sizes in bytes, [1, 2, 4]; others are denied"),
    "as": Modifier(
        ("mmio", *schema.CALLS), "refuse", refusal, lambda section: {"enum": list(schema.AS_WORDS[section])},
        "how a denial looks"),
    "where": Modifier(
        RAM, "where", as_written, conditions.shape, "only for accesses like this: { x1: 1..3, x2: ram }, { M: sticky }"),
    "else": Modifier(
        RAM, "otherwise", as_written, lambda section: {"$ref": f"#/$defs/{section}"},
        "what is done when `where` does not hold"),
}
