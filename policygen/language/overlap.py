# SPDX-License-Identifier: Apache-2.0
"""Compares entries with each other: ambiguous overlaps (PG3xx), and entries that decide nothing (PG2xx)."""
from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import AbstractSet, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from policygen.facts import ranges
from policygen.facts.arch import load_arch
from policygen.facts.ranges import Ranges
from policygen.language import schema
from policygen.language.model import Action, Entry, Window
from policygen.text.diag import Diagnostics, Place, Span

DEEPEST = 64        # entries that match one access; authors nest four or five
Cell = Tuple[int, Tuple[Entry, ...]]        # the first access key of the cell, and the entries that match it


def span_of(entry: Entry) -> Span:
    place, name = entry.place, entry.name.split("+")[-1] if entry.section == "mmio" else entry.name
    return Span(place.file, place.line, place.col, place.col + len(name))


def spoken(section: str, key: int, direction: str, windows: Sequence[Window]) -> str:
    """An access as `policygen explain` takes it."""
    if section == "sysregs":
        return f"{direction} {load_arch().name(key)}"
    if section == "mmio":
        window = next((w for w in windows if w.base <= key < w.base + w.size), None)
        return f"{direction} {window.name}+{key - window.base:#x}" if window else f"{direction} {key:#x}"
    if section in schema.CALLS:
        return f"{section} {key:#x}"
    if section == "memory":
        return f"{direction} {key:#x}"
    name = next((name for name, number in load_arch().classes.items() if number == key), hex(key))
    return f"exception {name}"


_SAID = attrgetter(*(field.name for field in fields(Action) if field.name not in ("place", "why", "otherwise")))


def meaning(action: Optional[Action]) -> Optional[Tuple[object, ...]]:
    """The action without its place, author's reason and `else`."""
    return None if action is None else (_SAID(action), meaning(action.otherwise))


def matching(entries: Sequence[Entry], section: str) -> Iterator[Cell]:
    """Each set of entries of the section that match some access together."""
    inside = [entry for entry in entries if entry.section == section and entry.ranges]
    whole = ranges.merge(part for entry in inside for part in entry.ranges)
    seen: Set[Tuple[int, ...]] = set()
    for low, _, active in ranges.sweep(whole, [entry.ranges for entry in inside]):
        together = tuple(inside[number] for number in active)
        rules = tuple(entry.rule for entry in together)
        if rules not in seen:
            seen.add(rules)
            yield low, together


def innermost(together: Sequence[Entry], direction: str) -> List[Entry]:
    """The entries with an action in this direction that contain no narrower one with an action in it."""
    speaking = [entry for entry in together if direction in entry.actions]
    return [entry for entry in speaking
            if not any(other is not entry and other.size < entry.size and ranges.within(other.ranges, entry.ranges)
                       for other in speaking)]


def directions(section: str) -> Tuple[str, ...]:
    return schema.SIDES.get(section, ("",))


def check_overlaps(entries: Sequence[Entry], windows: Sequence[Window], diags: Diagnostics) -> None:
    told: Set[Tuple[int, int]] = set()
    for section in schema.DECIDING:
        twins(entries, section, told, diags)
        for key, together in matching(entries, section):
            if len(together) > DEEPEST:
                access = spoken(section, key, directions(section)[0], windows)
                diags.refuse("PG301", span_of(together[DEEPEST]), f"more than {DEEPEST} entries match `{access}`",
                             "one too many", helps=["no policy nests that deep: name the sets apart"])
                break
            for direction in directions(section):
                inner = innermost(together, direction)
                for other in inner[1:]:
                    pair = (inner[0].rule, other.rule)
                    if pair in told or meaning(inner[0].actions[direction]) == meaning(other.actions[direction]):
                        continue
                    told.add(pair)
                    complain(inner[0], other, spoken(section, key, direction, windows), diags)


def twins(entries: Sequence[Entry], section: str, told: Set[Tuple[int, int]], diags: Diagnostics) -> None:
    """Complains of two entries for the same accesses: neither is narrower."""
    first: Dict[Ranges, Entry] = {}
    for entry in entries:
        if entry.section != section or not entry.ranges:
            continue
        # A window and a register that fills it may coexist: the register is inside.
        earlier = first.setdefault(entry.ranges, entry)
        inside = entry.name.startswith(earlier.name + "+")
        if earlier is not entry and set(earlier.actions) & set(entry.actions) and not inside:
            told.add((earlier.rule, entry.rule))
            diags.error("PG302", span_of(entry), f"{entry.name} and {earlier.name} are the same accesses",
                        "a second entry", also=[(span_of(earlier), "the first")],
                        helps=["keep one; a child replaces an entry by its name"])


def complain(a: Entry, b: Entry, access: str, diags: Diagnostics) -> None:
    diags.error("PG301", span_of(b), f"{a.name} and {b.name} overlap, disagree, and neither is inside the other",
                f"also matches `{access}`", also=[(span_of(a), f"matches `{access}`")],
                helps=[f"an entry for what both match settles it, such as `{access.split()[-1]}`"])


def check_redundant(entries: Sequence[Entry], own: AbstractSet[Place], hidden: Mapping[str, Ranges],
                    diags: Diagnostics) -> None:
    """Complains of entries, at the places `own`, that no access reaches, or that decide as the wider entry would."""
    above = ranges.merge(part for keys in hidden.values() for part in keys)
    for section in schema.DECIDING:
        decides: Dict[int, bool] = {}
        differs: Dict[int, bool] = {}
        wider: Dict[int, Entry] = {}
        inside = [entry for entry in entries if entry.section == section and entry.ranges]
        whole = ranges.merge(part for entry in inside for part in entry.ranges)
        for low, _, active in ranges.sweep(whole, [entry.ranges for entry in inside] + [above]):
            if section == "sysregs" and ranges.contains(above, low):
                continue
            together = sorted((inside[number] for number in active if number < len(inside)),
                              key=lambda entry: (entry.size, entry.rule))
            for direction in directions(section):
                speaking = [entry for entry in together if direction in entry.actions]
                if not speaking:
                    continue
                first = speaking[0]
                decides[first.rule] = True
                # The entries that would decide without it: one, or several that are then ambiguous.
                others = innermost(speaking[1:], direction)
                said = meaning(first.actions[direction])
                if not others or any(meaning(other.actions[direction]) != said for other in others):
                    differs[first.rule] = True
                else:
                    wider.setdefault(first.rule, speaking[1])
        for entry in inside:
            if entry.place in own and entry.name != "default" and entry.actions:
                report(entry, decides, differs, wider, hidden, diags)


def report(entry: Entry, decides: Mapping[int, bool], differs: Mapping[int, bool], wider: Mapping[int, Entry],
           hidden: Mapping[str, Ranges], diags: Diagnostics) -> None:
    if entry.rule not in decides:
        feature = next((name for name, keys in hidden.items() if entry.section == "sysregs"
                        and ranges.intersect(entry.ranges, keys)), None)
        why = f"features hide {feature}" if feature else "narrower entries decide all of it"
        diags.error("PG201", span_of(entry), f"{entry.name} decides nothing: {why}", "no access gets here",
                    helps=["remove it"])
    elif entry.rule not in differs and not any(action.why for action in entry.actions.values()):
        outer = wider[entry.rule]
        diags.error("PG202", span_of(entry), f"{entry.name} says what {outer.name} says already", "changes nothing",
                    also=[(span_of(outer), "the wider entry")],
                    helps=["remove it, or give it a `why:` if it is meant to stay when the wider one changes"])
