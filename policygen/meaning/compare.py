# SPDX-License-Identifier: Apache-2.0
"""Differences of two policies' decisions, over all accesses: every register and direction, every byte, width and border
of the address map, every call and argument region, every exception class."""
from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

from policygen.facts import ranges, virtio
from policygen.facts.arch import load_arch
from policygen.facts.board import MMIO_SIZE, load_board
from policygen.facts.names import SMC32
from policygen.language import schema
from policygen.language.model import Access, Entry, Policy
from policygen.meaning.digest import content
from policygen.meaning.layout_map import WIDTHS, Cell, LayoutMap, Outcome, layout_map
from policygen.meaning.regions import BITS, cases, leaf, wheres_of
from policygen.text import paths

LOOSER, TIGHTER, CHANGED, REPORTING = KINDS = ("LOOSER", "TIGHTER", "CHANGED", "REPORTING")
SIDES = ("read", "write")
WIDTH_ENDS = (SMC32[0] - 1, SMC32[-1], 0xffffffff)      # function ids: where arguments change their width
RANK = {word: spec.gives for word, spec in schema.ACTIONS.items()}
Pair = Tuple[Outcome, Outcome]
NOBODY = -1                                             # the rule of what no entry speaks of
RAM_IS_FREE = Outcome(NOBODY, "allow", "ALLOW")


@dataclass(frozen=True)
class Change:
    """Accesses that were decided as `old` and now are as `new`, by one rule each."""
    kind: str
    section: str
    direction: str                              # read, write, access (both), "" for calls and exceptions
    keys: ranges.Ranges                         # register keys, IPAs, function ids, classes
    old: Outcome
    new: Outcome
    sample: Access
    widths: Tuple[int, ...] = WIDTHS            # mmio: width of the access
    crossing: bool = False                      # mmio: an access that touches two ranges
    some: bool = False                          # only for some inputs of conditions, as in the sample
    outside: bool = False                       # mmio: above the map

    @property
    def size(self) -> int:
        return ranges.size(self.keys)


def compare(old: Policy, new: Policy) -> List[Change]:
    """The changes, sorted: openings first, then by section and place."""
    a, b = layout_map(old), layout_map(new)
    with paths.facts_from(new.facts):
        above = load_board(new.platform).ram[1] + 1
    found = [*_sysregs(a, b), *_mmio(a, b), *_crossing(a, b), *_outside(a, b, above), *_memory(a, b),
             *_calls(a, b), *_exceptions(a, b)]
    return sorted(both_ways(found), key=lambda change: (KINDS.index(change.kind), SECTION_ORDER[change.section],
                                                        change.new.rule, change.keys, change.direction))


SECTION_ORDER = {section: at for at, section in enumerate(("sysregs", "mmio", "memory", "hvc", "smc", "exceptions"))}


# --- how two outcomes compare -----------------------------------------------------------------------------------

def kind_of(old: Outcome, new: Outcome) -> str:
    """LOOSER if any part opens, even if another closes."""
    signs = _signs(old, new)
    return LOOSER if "+" in signs else TIGHTER if "-" in signs else CHANGED if "~" in signs else REPORTING


def _signs(old: Outcome, new: Outcome) -> Set[str]:
    signs: Set[str] = set()
    served = {old.do, new.do} == {"allow", "emulate"} and old.model == new.model and old.model is not None
    if RANK[old.do] != RANK[new.do] and not served:
        signs.add(_sign(RANK[old.do], RANK[new.do]))
    elif old.do == new.do == "mask" and old.mask != new.mask:
        signs.update(("+" if new.mask & ~old.mask else "-", "-" if old.mask & ~new.mask else "+"))
    elif old.do == new.do == "emulate" and old.model == new.model and old.mask != new.mask:
        signs |= virtio.signs(old.mask, new.mask)
    elif (old.do, old.value, old.refuse, old.model, old.base, old.real) != \
            (new.do, new.value, new.refuse, new.model, new.base, new.real):
        signs.add("~")
    # Compares limits only if the decisions beside them are the same.
    if (old.limit, old.over) != (new.limit, new.over) and not signs & {"+", "-"}:
        signs |= _limit_signs(old, new)
    return signs


def _limit_signs(old: Outcome, new: Outcome) -> Set[str]:
    if old.over is None or new.over is None or old.limit is None or new.limit is None:
        beyond = (new.over or old.over)
        if beyond is None or RANK[beyond.do] == RANK[old.do]:
            return set()
        return {"+" if new.over is None else "-"} if RANK[beyond.do] < RANK[old.do] else \
            {"-" if new.over is None else "+"}
    signs = {_sign(old.limit, new.limit)} if old.limit != new.limit else set()
    if RANK[old.over.do] != RANK[new.over.do]:
        signs.add(_sign(RANK[old.over.do], RANK[new.over.do]))
    elif old.over.refuse != new.over.refuse:
        signs.add("~")
    return signs


def _sign(old: int, new: int) -> str:
    return "+" if new > old else "-"


# --- grouping ---------------------------------------------------------------------------------------------------

class _Groups:
    """Differences of one section and direction, by old outcome, new outcome and rules."""

    def __init__(self) -> None:
        self.numbers: Dict[int, Tuple[Outcome, Tuple[object, ...]]] = {}    # by identity; holds the object alive
        self.groups: Dict[Tuple[object, ...], List[Tuple[Pair, Tuple[int, int], Access]]] = {}

    def content(self, outcome: Outcome) -> Tuple[object, ...]:
        known = self.numbers.get(id(outcome))
        if known is None:
            known = self.numbers[id(outcome)] = outcome, content(outcome) or ()
        return known[1]

    def differ(self, old: Outcome, new: Outcome) -> bool:
        return self.content(old) != self.content(new)

    def add(self, old: Outcome, new: Outcome, part: Tuple[int, int], sample: Access, *marks: object) -> None:
        key = (self.content(old), old.rule, self.content(new), new.rule, *marks)
        self.groups.setdefault(key, []).append(((old, new), part, sample))

    def ways(self, old: Outcome, new: Outcome, like: Access, bits: int = BITS
             ) -> Iterator[Tuple[Outcome, Outcome, Access, bool]]:
        """Where they differ: in each way that the conditions of both can turn out, and whether there are others."""
        if not self.differ(old, new):
            return
        found = cases(wheres_of(old, new), bits)
        for inputs in found:
            before, after = leaf(old, inputs), leaf(new, inputs)
            if self.differ(before, after):
                yield before, after, inputs.access(like), len(found) > 1

    def add_each(self, old: Outcome, new: Outcome, part: Tuple[int, int], like: Access, bits: int = BITS) -> None:
        for before, after, sample, some in self.ways(old, new, like, bits):
            self.add(before, after, part, sample, some)

    def changes(self, section: str, direction: str, crossing: bool = False, outside: bool = False) -> Iterator[Change]:
        for key, members in self.groups.items():
            (old, new), _, _ = members[0]
            keys = ranges.merge(part for _, part, _ in members)
            best = min((sample for _, _, sample in members), key=_telling)
            yield Change(kind_of(old, new), section, direction, keys, old, new, best, crossing=crossing,
                         some=bool(key[-1]), outside=outside)


def _telling(access: Access) -> Tuple[bool, int]:
    """A sample that a person recognises: a register with a name that has this direction."""
    register = load_arch().by_key.get(access.key) if access.section == "sysregs" else None
    return access.section == "sysregs" and not (register and register.has(access.direction)), access.key


def both_ways(found: Sequence[Change]) -> List[Change]:
    """Joins a read and a write that change alike."""
    out: List[Change] = []
    pending: Dict[Tuple[object, ...], int] = {}
    for change in found:
        key = (change.section, change.keys, change.old.rule, change.new.rule, change.kind, change.widths,
               change.crossing, change.outside, change.some, _bare(change.old), _bare(change.new))
        at = pending.get(key) if change.direction == "write" else None
        if at is not None and out[at].direction == "read":
            out[at] = replace(out[at], direction="access")
            continue
        if change.direction == "read":
            pending[key] = len(out)
        out.append(change)
    return out


def _bare(outcome: Outcome) -> Tuple[object, ...]:
    both = ("raz-wi", 0) if outcome.verdict == "RAZWI" else (outcome.do, outcome.value)
    return (*both, outcome.mask, outcome.log, outcome.refuse, outcome.model, outcome.limit, outcome.verdict == "WOULD")


# --- section by section -----------------------------------------------------------------------------------------

def _sysregs(a: LayoutMap, b: LayoutMap) -> Iterator[Change]:
    for direction in SIDES:
        groups = _Groups()
        known: Dict[Tuple[int, int], bool] = {}
        for key, (old, new) in enumerate(zip(a.sysregs[direction], b.sysregs[direction])):
            pair = id(old), id(new)
            differ = known.get(pair)
            if differ is None:
                differ = known[pair] = groups.differ(old, new)
            if differ:
                groups.add_each(old, new, (key, key), Access("sysregs", key, direction))
        yield from groups.changes("sysregs", direction)


def _of_width(cell: Cell, side: int, width: int) -> Outcome:
    return cell.rows[side] if width in cell.widths[side] else cell.refuse[side]


def _pieces(a: LayoutMap, b: LayoutMap) -> Iterator[Tuple[int, int, Cell, Cell]]:
    """Both maps, cut at the borders of both."""
    i = j = low = 0
    while low < MMIO_SIZE:
        old, new = a.mmio[i], b.mmio[j]
        high = min(old.last, new.last)
        yield low, high, old, new
        i, j, low = i + (old.last == high), j + (new.last == high), high + 1


def _mmio(a: LayoutMap, b: LayoutMap) -> Iterator[Change]:
    for side, direction in enumerate(SIDES):
        groups = _Groups()
        for low, high, old, new in _pieces(a, b):
            differing: Dict[Tuple[object, ...], List[int]] = {}
            found: Dict[Tuple[object, ...], Tuple[Outcome, Outcome, Access, bool]] = {}
            for width in (width for width in WIDTHS if width <= high - low + 1):
                for before, after, sample, some in groups.ways(_of_width(old, side, width), _of_width(new, side, width),
                                                               Access("mmio", low, direction, width), 8 * width):
                    pair: Tuple[object, ...] = (groups.content(before), before.rule, groups.content(after), after.rule, some)
                    differing.setdefault(pair, []).append(width)
                    if pair not in found or width == 4:         # the usual width of an access
                        found[pair] = before, after, sample, some
            for pair, (before, after, sample, some) in found.items():
                groups.add(before, after, (low, high), sample, tuple(differing[pair]), some)
        for key, change in zip(groups.groups, groups.changes("mmio", direction)):
            widths_of = key[-2]
            assert isinstance(widths_of, tuple)
            yield replace(change, widths=widths_of)


def _at(cells: Sequence[Cell], straddle: Outcome, side: int, start: int, width: int) -> Outcome:
    """The decision of an access that may touch several cells."""
    touched = [cell for cell in cells if cell.base < start + width and start <= cell.last]
    return _of_width(touched[0], side, width) if len(touched) == 1 else straddle


def _crossing(a: LayoutMap, b: LayoutMap) -> Iterator[Change]:
    """Accesses that touch two pieces: allowed if both are decided alike, else refused."""
    pieces = list(_pieces(a, b))
    reach = max(WIDTHS) - 1                             # bytes beyond the border that an access may touch
    for side, direction in enumerate(SIDES):
        groups = _Groups()
        for at in range(1, len(pieces)):
            border = pieces[at][0]
            first, last = at - 1, at
            while first > 0 and pieces[first][0] > border - reach:
                first -= 1
            while last + 1 < len(pieces) and pieces[last + 1][0] < border + reach:
                last += 1
            near = pieces[first:last + 1]
            olds, news = _distinct([piece[2] for piece in near]), _distinct([piece[3] for piece in near])
            for width in WIDTHS[1:]:
                for start in range(max(0, border - width + 1), border):
                    if start + width > MMIO_SIZE or any(start < piece[0] < border for piece in near):
                        continue                        # counted at an earlier border
                    old = _at(olds, a.mmio_straddle[side], side, start, width)
                    new = _at(news, b.mmio_straddle[side], side, start, width)
                    groups.add_each(old, new, (start, start), Access("mmio", start, direction, width), 8 * width)
        yield from groups.changes("mmio", direction, crossing=True)


def _distinct(cells: Sequence[Cell]) -> List[Cell]:
    return list({cell.base: cell for cell in cells}.values())


def _outside(a: LayoutMap, b: LayoutMap, above: int) -> Iterator[Change]:
    """Accesses from `above` on, the first IPA after the guest's RAM."""
    for side, direction in enumerate(SIDES):
        groups = _Groups()
        old, new = a.mmio_outside[side], b.mmio_outside[side]
        groups.add_each(old, new, (above, (1 << 40) - 1), Access("mmio", above, direction))
        yield from groups.changes("mmio", direction, outside=True)


def _memory(a: LayoutMap, b: LayoutMap) -> Iterator[Change]:
    """Guest RAM. A policy that does not speak of it gives all of it."""
    cuts = sorted({edge for layout in (a, b) for part in layout.memory for edge in (part.base, part.last + 1)})
    for side, direction in enumerate(schema.SIDES["memory"]):
        groups = _Groups()
        for low, after in zip(cuts, cuts[1:]):
            old, new = (next((part.rows[side] for part in layout.memory if part.base <= low <= part.last), RAM_IS_FREE)
                        for layout in (a, b))
            groups.add_each(old, new, (low, after - 1), Access("memory", low, direction))
        yield from groups.changes("memory", direction)


def _calls(a: LayoutMap, b: LayoutMap) -> Iterator[Change]:
    for section in ("hvc", "smc"):
        groups = _Groups()
        i = j = low = 0
        olds, news = a.calls[section], b.calls[section]
        while low <= 0xffffffff:
            (_, old_last, old), (_, new_last, new) = olds[i], news[j]
            high = min(old_last, new_last, next(last for last in WIDTH_ENDS if last >= low))
            groups.add_each(old, new, (low, high), Access(section, low), 32 if low in SMC32 else BITS)
            i, j, low = i + (old_last == high), j + (new_last == high), high + 1
        yield from groups.changes(section, "")


def _exceptions(a: LayoutMap, b: LayoutMap) -> Iterator[Change]:
    groups = _Groups()
    for number, (old, new) in enumerate(zip(a.exceptions, b.exceptions)):
        groups.add_each(old, new, (number, number), Access("exceptions", number))
    yield from groups.changes("exceptions", "")


# --- names ------------------------------------------------------------------------------------------------------

def named(change: Change, old: Policy, new: Policy) -> str:
    """The set of accesses, in as few words as name it exactly, with its size."""
    many = f" ({change.size})" if change.size > 1 else ""
    if change.section == "sysregs":
        return _register_names(change, (new.entries[change.new.rule], old.entries[change.old.rule])) + many
    if change.section == "mmio":
        return _addresses(change, old, new)
    if change.section == "memory":
        return _memory_names(change, old, new)
    if change.section == "exceptions":
        names = {number: name for name, number in load_arch().classes.items()}
        words = [names.get(number, f"{number:#x}") for number in ranges.keys(change.keys)]
        return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
    for entry in (new.entries[change.new.rule], old.entries[change.old.rule]):
        if entry.ranges == change.keys and entry.name != "default":
            return entry.name
    parts = [f"{low:#x}" if low == high else f"{low:#x}..{high:#x}" for low, high in change.keys]
    return ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")


def _memory_names(change: Change, old: Policy, new: Policy) -> str:
    for policy, rule in ((new, change.new.rule), (old, change.old.rule)):
        if rule != NOBODY and policy.entries[rule].ranges == change.keys:
            return policy.entries[rule].name if policy.entries[rule].name != "default" else "memory"
    parts = [f"{low:#x}..{high:#x}" for low, high in change.keys]
    return ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")


def _register_names(change: Change, entries: Tuple[Entry, Entry]) -> str:
    arch = load_arch()
    for entry in entries:
        if entry.ranges == change.keys and entry.name != "default":
            return entry.name
        spared = list(ranges.keys(ranges.subtract(entry.ranges, change.keys))) if entry.name != "default" else []
        if 0 < len(spared) < 3 and ranges.within(change.keys, entry.ranges):
            return f"{entry.name} but for {', '.join(arch.name(key) for key in spared)}"
    keys = list(ranges.keys(change.keys))
    first = change.sample.key
    group = arch.groups.get(arch.by_key[first].group, ()) if first in arch.by_key else ()
    if tuple(keys) == group:
        return arch.by_key[first].group
    names = [arch.name(key) for key in sorted(keys, key=lambda key: (key != first, key not in arch.by_key, key))[:2]]
    return ", ".join(names) + (", ..." if len(keys) > 2 else "")


@lru_cache(maxsize=4)
def _windows(policy: Policy) -> List[Tuple[int, int, str]]:
    return sorted((window.base, window.base + window.size - 1, window.name) for window in policy.windows)


def _window(policy: Policy, low: int, high: int) -> Optional[Tuple[int, int, str]]:
    """The window that holds all of low..high: its first and last address and its name."""
    windows = _windows(policy)
    at = bisect_right(windows, low, key=lambda window: window[0]) - 1
    return windows[at] if at >= 0 and high <= windows[at][1] else None


def _addresses(change: Change, old: Policy, new: Policy) -> str:
    if change.outside:
        return "everything above RAM"
    out = []
    for low, high in change.keys[:3]:
        before, after = _window(old, low, high), _window(new, low, high)
        inside = before or after
        if inside is None:
            out.append(f"{low:#010x}" if low == high else f"{low:#010x}..{high:#010x}")
            continue
        base, last = inside[:2]
        name = after[2] if after is not None and after[:2] == (base, last) else inside[2]
        end = "" if high - low < 4 else f"..{high - base:#x}"
        out.append(name if (base, last) == (low, high) else f"{name}+{low - base:#x}{end}")
    text = ", ".join(out) + (f" and {len(change.keys) - 3} more" if len(change.keys) > 3 else "")
    if change.crossing:
        return f"{text} across a border"
    return text if change.widths == WIDTHS or len(change.widths) == 0 else \
        f"{text}/{','.join(map(str, change.widths))}"
