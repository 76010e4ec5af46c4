# SPDX-License-Identifier: Apache-2.0
"""The strength of a policy's tests: flips every entry in turn, and lists the flips that no assertion and no test
notices."""
from __future__ import annotations

import copy
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import Dict, Iterator, List, Optional, Sequence, Tuple, Union, overload

from policygen.language.spelling import expect_text
from policygen.facts import ranges
from policygen.facts.arch import load_arch
from policygen.language import schema
from policygen.language.model import SAME, STICKY, Access, Action, Assertion, Decision, Entry, Policy, Test
from policygen.language.overlap import spoken
from policygen.meaning import evaluate, judge
from policygen.meaning.evaluate import Evaluator, evaluator
from policygen.meaning.regions import asked_of, bits_of, borders

Claim = Union[Assertion, Test]


@dataclass(frozen=True)
class Flip:
    """One entry with one thing changed."""
    entry: Entry
    direction: str                      # "" for calls, exceptions and features
    what: str                           # `deny -> allow`
    flipped: Entry


@dataclass(frozen=True)
class Strength:
    flips: int
    survivors: Tuple[Tuple[Flip, str], ...]     # each with a test that would notice
    unreachable: Tuple[Entry, ...]              # entries that decide nothing, so that no test can notice

    @property
    def percent(self) -> int:
        return 100 * (self.flips - len(self.survivors)) // self.flips if self.flips else 100


def measure(policy: Policy) -> Strength:
    return _Measure(replace(policy, mode="enforce")).run()


class _Swapped(Sequence[Entry]):
    """The entries with one of them replaced, without a copy of the list for each flip, which may be long."""

    def __init__(self, entries: Sequence[Entry], at: int, flipped: Entry) -> None:
        self.entries, self.at, self.flipped = entries, at, flipped

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, at: int) -> Entry: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Entry]: ...

    def __getitem__(self, at: Union[int, slice]) -> Union[Entry, Sequence[Entry]]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        return self.flipped if at == self.at else self.entries[at]


class _Measure:
    def __init__(self, policy: Policy) -> None:
        self.policy, self.reference = policy, evaluator(policy)
        self.claims: List[Claim] = [*(claim for claim in policy.asserts if claim.waived is None), *policy.tests]
        self.places = {entry.rule: at for entries in self.reference.by_section.values() for at, entry in enumerate(entries)}
        self.pieces: Dict[str, List[Tuple[int, int]]] = {}      # by section: see cells()
        # Accesses of the claims, by the rule that decides each: a flip of a rule changes no others.
        self.watched: Dict[int, List[Tuple[Claim, Access]]] = {}
        for claim in self.claims:
            for access in judge.accesses(self.reference, claim):
                rule = self.reference.decide(access).entry.rule
                self.watched.setdefault(rule, []).append((claim, access))

    def run(self) -> Strength:
        survivors: List[Tuple[Flip, str]] = []
        unreachable: List[Entry] = []
        count = 0
        for entry in self.policy.entries:
            decides = not entry.actions                     # an exposed feature decides nothing here
            for flip in self.flips(entry):
                other = self.evaluator(flip)
                sample = self.sample(flip, other)
                if sample is not None:
                    decides, count = True, count + 1
                    if not self.noticed(flip, other):
                        survivors.append((flip, suggested(self.policy, flip.entry, *sample)))
            unreachable += [] if decides else [entry]
        return Strength(count, tuple(survivors), tuple(unreachable))

    # --- flips --------------------------------------------------------------------------------------------------

    def flips(self, entry: Entry) -> Iterator[Flip]:
        if entry.section == "features":
            if entry.actions:
                yield Flip(entry, "", "hide -> expose", entry)
            return
        for direction, action in entry.actions.items():
            for what, other in changed(action, entry.section):
                yield Flip(entry, direction, what, replace(entry, actions={**entry.actions, direction: other}))

    def evaluator(self, flip: Flip) -> Evaluator:
        """The policy with the flip. Sizes and places stay, so only accesses that this entry decides change."""
        if flip.entry.section == "features":
            return Evaluator(replace(self.policy, features={**self.policy.features, flip.entry.name: "expose"}))
        out = copy.copy(self.reference)
        section = flip.entry.section
        swapped = _Swapped(out.by_section[section], self.places[flip.entry.rule], flip.flipped)
        out.by_section = {**out.by_section, section: swapped}
        if flip.entry.name == "default":
            out.defaults = {**out.defaults, section: flip.flipped}
        return out

    # --- who notices --------------------------------------------------------------------------------------------

    def noticed(self, flip: Flip, other: Evaluator) -> bool:
        for claim, access in self.looking(flip):
            decision = other.decide(access)
            if not judge.holds(claim, access, decision):
                return True
        return False

    def looking(self, flip: Flip) -> Iterator[Tuple[Claim, Access]]:
        if flip.entry.section != "features":
            yield from self.watched.get(flip.entry.rule, ())
            return
        yield from self.watched.get(flip.entry.rule, ())
        shown = {load_arch().registers[field.register].key for field in load_arch().features[flip.entry.name].id_fields}
        for watched in self.watched.values():
            yield from ((claim, access) for claim, access in watched
                        if access.section == "sysregs" and access.key in shown and access.direction == "read")

    # --- what would notice --------------------------------------------------------------------------------------

    def sample(self, flip: Flip, other: Evaluator) -> Optional[Tuple[Access, Decision]]:
        """An access that the flip changes, preferably one whose name people know."""
        for access in self.candidates(flip):
            if flip.entry.section != "features" and flip.entry.actions[flip.direction].where:
                ways = [inputs.access(access) for inputs in borders(asked_of(self.reference, access), bits_of(access))]
            else:
                ways = [access]
            for way in ways:
                before, after = self.reference.decide(way), other.decide(way)
                if outcome(before) != outcome(after):
                    return way, before
        return None

    def candidates(self, flip: Flip) -> Iterator[Access]:
        entry = flip.entry
        if entry.section == "features":
            yield from self.feature_candidates(entry)
            return
        if entry.section == "sysregs":
            by_key = load_arch().by_key                     # registers of every CPU come first
            inside = (key for key in ranges.keys(entry.ranges) if key in by_key) if entry.size < len(by_key) else \
                (key for key in by_key if ranges.contains(entry.ranges, key))
            named = sorted(inside, key=lambda key: (by_key[key].feature != "", key))
            known = [key for key in named if load_arch().by_key[key].has(flip.direction)]
            others = [key for low, high in entry.ranges for key in range(low, min(high, low + 64) + 1)
                      if key not in load_arch().by_key]
            yield from (Access("sysregs", key, flip.direction) for key in (*known, *others))
            return
        for low, high in self.cells(entry):
            if entry.section == "mmio":
                widths = [width for width in (4, 8, 2, 1) if width <= high - low + 1]
                yield from (Access("mmio", low, flip.direction, width) for width in widths)
            else:
                yield Access(entry.section, low, flip.direction)

    def cells(self, entry: Entry) -> Iterator[Tuple[int, int]]:
        """Pieces of the entry with one decision each."""
        if entry.section not in self.pieces:
            everything = evaluate.whole(entry.section, self.policy.platform)
            self.pieces[entry.section] = list(self.reference.cells(entry.section, everything))
        pieces = self.pieces[entry.section]
        for low, high in entry.ranges:
            at = bisect_left(pieces, (low, low))
            while at < len(pieces) and pieces[at][0] <= high:
                yield pieces[at]
                at += 1

    def feature_candidates(self, entry: Entry) -> Iterator[Access]:
        arch = load_arch()
        feature = arch.features[entry.name]
        for field in feature.id_fields:
            yield Access("sysregs", arch.registers[field.register].key, "read")
        for group in feature.groups:
            yield from (Access("sysregs", key, direction) for key in arch.groups[group] if key in arch.by_key
                        for direction in ("read", "write") if arch.by_key[key].has(direction))
        yield from (Access("exceptions", arch.classes[name]) for name in feature.classes)


def changed(action: Action, section: str) -> Iterator[Tuple[str, Action]]:
    """Changed actions: a refusal for a grant, a grant for a refusal; another number or branch."""
    plain = replace(action, do="allow", value=None, mask=None, fields=(), model=None, refuse=None, razwi=False,
                    limit=None)
    if action.do != "deny":
        yield f"{word(action)} -> deny", replace(plain, do="deny", refuse=schema.REFUSAL[section])
    elif section == "exceptions":
        yield "deny -> forward", replace(plain, do="forward")
    else:
        yield "deny -> allow", plain
    if action.do == "value" and action.value is not None and not action.razwi:
        yield f"value {action.value:#x} -> {action.value ^ 1:#x}", replace(action, value=action.value ^ 1)
    if action.do == "mask" and action.mask is not None:
        yield f"mask {action.mask:#x} -> {action.mask ^ 1:#x}", replace(action, mask=action.mask ^ 1)
    if action.refuse and action.do == "deny" and action.refuse != schema.REFUSAL[section]:
        yield f"deny as {action.refuse} -> plain deny", replace(action, refuse=schema.REFUSAL[section])
    if action.where and action.otherwise is not None:
        yield "where -> everything", replace(action, where=(), otherwise=None)
        for asked in action.where if len(action.where) > 1 else ():
            yield f"where without {asked.name}", replace(action, where=tuple(one for one in action.where if one != asked))
        for asked in action.where:
            if asked.test == STICKY:
                yield f"where {asked.name}: sticky -> same", replace(action, where=tuple(
                    replace(one, test=SAME) if one == asked else one for one in action.where))
        for what, other in changed(action.otherwise, section):
            yield f"else: {what}", replace(action, otherwise=other)


def word(action: Action) -> str:
    return "raz-wi" if action.razwi else action.do


def outcome(decision: Decision) -> Tuple[object, ...]:
    """The parts of a decision that a test can see."""
    return decision.do, decision.value, decision.mask, decision.model, decision.refuse, decision.verdict == "RAZWI"


def suggested(policy: Policy, entry: Entry, access: Access, decision: Decision) -> str:
    """A test for the access's present decision, in the words of the language."""
    target = spoken(access.section, access.key, access.direction, policy.windows)
    operation, _, name = target.partition(" ")
    if access.section in schema.CALLS:
        call = evaluator(policy).board.call_at(access.section, access.key)
        name = call.name if call else name
    pairs = [f"{operation}: {name}"]
    if access.section == "mmio" and access.width != 4:
        pairs.append(f"width: {access.width}")
    if access.value:
        pairs.append(f"given: {access.value:#x}")
    args = [f"{name}: {number:#x}" for name, number in (*zip(schema.ARGUMENTS, access.args), ("held", access.held),
                                                        ("pc", access.pc)) if number]
    args += [] if access.el else ["from: el0"]
    if args:
        pairs.append(f"args: {{ {', '.join(args)} }}")
    return f"- {{ {', '.join(pairs)}, expect: {expected(entry, access, decision)} }}"


def expected(entry: Entry, access: Access, decision: Decision) -> str:
    do, section = decision.do, access.section
    if decision.verdict == "RAZWI":
        return "raz-wi"
    hidden = hidden_fields(entry, access, decision)
    if hidden:
        return f"{{ fields: {{ {hidden} }} }}"
    extra: Dict[str, Dict[str, object]] = {
        "value": {"value": decision.value}, "mask": {"mask": decision.mask}, "emulate": {"model": decision.model},
        "deny": {"refuse": decision.refuse} if decision.refuse != schema.REFUSAL[section] else {}}
    return expect_text({"do": do, **extra.get(do, {})}, section)


def hidden_fields(entry: Entry, access: Access, decision: Decision) -> str:
    """Whole fields that the decision replaces, for a feature its own: `SVE: 0`."""
    arch = load_arch()
    if access.section != "sysregs" or decision.do != "mask" or access.direction != "read" or \
            access.key not in arch.by_key:
        return ""
    name, out = arch.by_key[access.key].name, []
    own = {field.field for field in arch.features[entry.name].id_fields if field.register == name} \
        if entry.section == "features" else set()
    for (register, field), (shift, width) in arch.fields.items():
        bits = (1 << width) - 1
        if register == name and not decision.mask >> shift & bits and (not own or field in own):
            out.append(f"{field}: {decision.value >> shift & bits}")
    return ", ".join(out)


def paired(survivors: Sequence[Tuple[Flip, str]]) -> List[Tuple[Flip, str]]:
    """Joins a read and a write with the same outcome into one test."""
    out: List[Tuple[Flip, str]] = []
    for flip, test in survivors:
        before = out[-1] if out else None
        if before is not None and (before[0].direction, flip.direction) == ("read", "write") and \
                before[0].entry is flip.entry and not test.endswith("} }") and \
                test == before[1].replace("{ read:", "{ write:", 1):
            both = test.replace("{ write:", "{ access:", 1).replace("expect:", "always:", 1)
            out[-1] = (replace(flip, direction="access"), both)
        elif before is None or before[1] != test:
            out.append((flip, test))
    return out


def report(name: str, found: Strength) -> List[str]:
    lines = [f"{name:12} {found.percent} %: {found.flips - len(found.survivors)} of {found.flips} flips are noticed"]
    for flip, test in paired(found.survivors):
        side = f"{flip.direction} " if flip.direction else ""
        lines += [f"  {flip.entry.place}  {flip.entry.name}: {side}{flip.what}: nothing notices; a test that does:",
                  f"    {test}"]
    return lines + [f"  {entry.place}  {entry.name} decides nothing" for entry in found.unreachable]
