# SPDX-License-Identifier: Apache-2.0
"""The policy's answer for one access: the reference meaning, simple and slow. The generated tables must agree with it.

In words: a hidden feature's registers and exception classes are denied; otherwise the narrowest entry with an action
for the access decides; ID registers never show a hidden feature; audit turns denials into WOULD, except demanded ones.
"""
from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import Dict, Iterator, List, Optional, Sequence, Tuple
from weakref import WeakKeyDictionary

from policygen.facts import ranges
from policygen.facts.arch import load_arch
from policygen.facts.board import load_board
from policygen.facts.names import CALL_IDS, EXCEPTIONS, SYSREGS, arguments
from policygen.facts.ranges import Ranges
from policygen.language import schema
from policygen.language.model import SAME, STICKY, Access, Action, Condition, Decision, Entry, Policy, branches
from policygen.text import paths

ALL = (1 << 64) - 1
Meaning = List[Tuple[object, ...]]      # of a byte, read and written: its widths, and the decision under each condition


class Evaluator:
    """One policy, indexed for lookups."""

    def __init__(self, policy: Policy) -> None:
        self.policy, self.arch, self.board = policy, load_arch(), load_board(policy.platform)
        found: Dict[str, List[Entry]] = {section: [] for section in schema.SECTIONS}
        for entry in policy.entries:
            found[entry.section].append(entry)
        self.by_section: Dict[str, Sequence[Entry]] = dict(found)
        self.defaults = {section: next(entry for entry in self.by_section[section] if entry.name == "default")
                         for section in schema.DECIDING if self.by_section[section]}
        self.hidden_keys: Dict[int, Entry] = {}                       # register key -> the feature's entry
        self.hidden_classes: Dict[int, Entry] = {}
        self.hidden_fields: Dict[int, Tuple[int, int]] = {}           # ID register key -> (mask of bits, their values)
        for entry in self.by_section["features"]:
            if policy.features[entry.name] == "hide":
                self.hide(entry)
        self.starts: Dict[str, Tuple[List[int], List[Tuple[int, ...]]]] = {}    # by section: see index()
        self.bytes: Dict[int, Meaning] = {}         # byte()'s answers, by the piece that the byte is in
        self.demanded = self.demands()

    def hide(self, entry: Entry) -> None:
        feature = self.arch.features[entry.name]
        for group in feature.groups:
            for key in self.arch.groups[group]:
                self.hidden_keys.setdefault(key, entry)
        for name in feature.classes:
            self.hidden_classes.setdefault(self.arch.classes[name], entry)
        for field in feature.id_fields:
            key = self.arch.registers[field.register].key
            bits = ((1 << field.width) - 1) << field.shift
            mask, value = self.hidden_fields.get(key, (0, 0))
            self.hidden_fields[key] = (mask | bits, value & ~bits | field.hidden << field.shift)

    def demands(self) -> Dict[Tuple[str, str], Ranges]:
        """(section, direction) -> accesses whose denial an assertion demands: audit keeps it."""
        out: Dict[Tuple[str, str], Ranges] = {}
        for claim in self.policy.asserts:
            if claim.waived is None and (claim.always == "deny" or claim.never == "allow"):
                for section, direction in claim_accesses(claim.operation, claim.section):
                    out[section, direction] = ranges.merge((*out.get((section, direction), ()), *claim.ranges))
        return out

    # --- which entry --------------------------------------------------------------------------------------------

    def matches(self, section: str, key: int) -> Tuple[Entry, ...]:
        """Every entry that covers the key, narrowest first."""
        starts, found = self.starts[section] if section in self.starts else self.index(section)
        at = bisect_right(starts, key) - 1
        entries = self.by_section[section]
        return tuple([entries[number] for number in found[at]]) if at >= 0 and found[at] else (self.defaults[section],)

    def index(self, section: str) -> Tuple[List[int], List[Tuple[int, ...]]]:
        """Borders of a section's entries, and the entries (by place in by_section, narrowest first) that match from
        each border on: it would be slow to look through all entries of a large policy for each access."""
        entries = self.by_section[section]
        starts, found = [0], [()]  # type: List[int], List[Tuple[int, ...]]
        whole = ranges.merge(part for entry in entries for part in entry.ranges)
        for low, high, active in ranges.sweep(whole, [entry.ranges for entry in entries]):
            order = sorted(active, key=lambda number: (entries[number].size, -entries[number].rule))
            if starts[-1] == low:
                starts.pop(), found.pop()
            starts += [low, high + 1]
            found += [tuple(order), ()]
        self.starts[section] = starts, found
        return starts, found

    def entry(self, section: str, key: int, direction: str) -> Entry:
        """The narrowest entry with an action for this direction."""
        return next(entry for entry in self.matches(section, key) if direction in entry.actions)

    # --- what it decides ----------------------------------------------------------------------------------------

    def decide(self, access: Access) -> Decision:
        section, key, direction = access.section, access.key, access.direction
        if section == "mmio":
            return self.mmio(access)
        if section == "exceptions" and key in self.hidden_classes:
            hidden = self.hidden_classes[key]
            return plain(hidden, hidden.actions[""])                # also in audit: EL2 performs no instruction
        if section == "sysregs" and key in self.hidden_keys:
            hidden = self.hidden_keys[key]
            return self.decision(hidden, hidden.actions[direction], section, key, direction)
        entry = self.entry(section, key, direction)
        decision = self.decision(entry, self.branch(entry.actions[direction], access), section, key, direction)
        return self.cover(decision, key, direction) if section == "sysregs" else decision

    def branch(self, action: Action, access: Access) -> Action:
        """The action for this access: the first whose `where` holds."""
        while action.otherwise is not None and not all(self.meets(each, access) for each in action.where):
            action = action.otherwise
        return action

    def meets(self, asked: Condition, access: Access) -> bool:
        """Whether the access is as the condition has it."""
        if asked.name in schema.ARGUMENTS:
            number = arguments(access.key, access.args)[schema.ARGUMENTS.index(asked.name)]
        elif asked.name in ("from", "pc"):
            number = access.el if asked.name == "from" else access.pc
        else:
            shift, width = (0, 64) if asked.name == "value" else self.arch.fields[self.arch.name(access.key), asked.name]
            number, held = (bits >> shift & ((1 << width) - 1) for bits in (access.value, access.held))
            if asked.test == SAME:
                return number == held
            if asked.test == STICKY:
                return number & held == held
        return any(low <= number <= high for low, high in asked.spans)

    def decision(self, entry: Entry, action: Action, section: str, key: int, direction: str) -> Decision:
        out = self.audited(plain(entry, action), section, key, direction)
        if action.do == "fields":
            out = masked(out, *self.field_bits(key, action))
        if out.do == "allow" and section in schema.CALLS:
            out = replace(out, model=self.model(section, key))
        return out

    def model(self, section: str, key: int) -> Optional[str]:
        call = self.board.call_at(section, key)
        return call.model if call else None

    def audited(self, decision: Decision, section: str, key: int, direction: str) -> Decision:
        """In audit a denial that no assertion demands is performed, or reads zero and is ignored if there is no
        hardware."""
        if decision.do != "deny" or self.policy.mode != "audit" or \
                ranges.contains(self.demanded.get((section, direction), ()), key):
            return decision
        if section in schema.CALLS and self.model(section, key) is None:
            return replace(decision, verdict="WOULD")               # no service, in audit or not
        do = "allow"
        if section == "mmio" and not self.board.real(key, key):
            do = "value" if direction == "read" else "ignore"
        return replace(decision, do=do, verdict="WOULD", refuse=None)

    def field_bits(self, key: int, action: Action) -> Tuple[int, int]:
        register = self.arch.by_key[key].name
        mask = value = 0
        for field, number in action.fields:
            shift, width = self.arch.fields[register, field]
            mask |= ((1 << width) - 1) << shift
            value |= number << shift
        return mask, value

    def cover(self, decision: Decision, key: int, direction: str) -> Decision:
        """Clears a hidden feature in an ID register, whatever the entry lets through."""
        if direction != "read" or key not in self.hidden_fields or decision.do not in ("allow", "mask"):
            return decision                                         # coherence.py checks constants
        return masked(decision, *self.hidden_fields[key])

    # --- addresses ----------------------------------------------------------------------------------------------

    def mmio(self, access: Access) -> Decision:
        """Decides an access: all its bytes must be decided alike and its width listed, else it is refused."""
        direction = access.direction
        meanings = [self.byte(byte) for byte in range(access.key, access.key + access.width)]
        if any(meaning is not meanings[0] and meaning != meanings[0] for meaning in meanings):
            default = self.defaults["mmio"]
            return refused(default, default.actions[direction])     # also in audit
        entry = self.entry("mmio", access.key, direction)
        action = entry.actions[direction]
        if access.width not in action.widths:
            return self.audited(refused(entry, action), "mmio", access.key, direction)
        written = access.value & ((1 << 8 * access.width) - 1)
        action = self.branch(action, replace(access, value=written))
        return self.decision(entry, action, "mmio", access.key, direction)

    def byte(self, key: int) -> Meaning:
        """The decisions for one byte, in both directions and under each condition: within a piece of the same entries the
        same, but in audit."""
        starts, _ = self.starts["mmio"] if "mmio" in self.starts else self.index("mmio")
        piece = key if self.policy.mode == "audit" else bisect_right(starts, key) - 1
        if piece not in self.bytes:
            out: Meaning = []
            for direction in ("read", "write"):
                entry = self.entry("mmio", key, direction)
                out.append((entry.actions[direction].widths, *(
                    (self.decision(entry, action, "mmio", key, direction), action.where)
                    for action in branches(entry.actions[direction]))))
            self.bytes[piece] = out
        return self.bytes[piece]

    # --- sets ---------------------------------------------------------------------------------------------------

    def cells(self, section: str, within: Ranges) -> Iterator[Tuple[int, int]]:
        """Pieces of `within` with one decision each (MMIO: for accesses that stay inside the piece)."""
        if all(low == high for low, high in within):
            yield from within
            return
        cutters = [entry.ranges for entry in self.by_section[section]]
        cutters += [keys for (where, _), keys in self.demanded.items() if where == section]
        if section == "sysregs":
            cutters += [entry.ranges for entry in self.by_section["features"]]
            cutters += [((key, key),) for key in self.hidden_fields]
        elif section == "exceptions":
            cutters += [((number, number),) for number in self.hidden_classes]
        elif section in schema.CALLS:
            cutters += [((number, number),) for call in self.board.calls.values() for number in call.ids]
        else:
            cutters += [((device.base, device.last),) for device in self.board.devices.values()]
        yield from ranges.cells(within, cutters)


def masked(decision: Decision, bits: int, value: int) -> Decision:
    """The same decision, with `bits` of the value read replaced by `value`."""
    kept = ALL if decision.do == "allow" else decision.mask
    return replace(decision, do="mask", verdict="EMUL" if decision.verdict == "ALLOW" else decision.verdict,
                   mask=kept & ~bits, value=decision.value & ~bits | value)


def refused(entry: Entry, action: Action) -> Decision:
    """Denies an access in a form that the entry does not allow, under its rule."""
    if action.do == "deny":
        return Decision(entry, "deny", "DENY", refuse=action.refuse, log=action.log)
    return Decision(entry, "deny", "DENY", refuse=schema.REFUSAL["mmio"],
                    log="once" if action.log == "never" else action.log)


def plain(entry: Entry, action: Action) -> Decision:
    """The action as written. `fields` is a mask that lets everything pass; decision() cuts the fields out of it."""
    verdict = schema.ACTIONS["raz-wi" if action.razwi else action.do].verdict
    return Decision(entry, "mask" if action.do == "fields" else action.do, verdict, value=action.value or 0,
                    mask=ALL if action.do == "fields" else action.mask or 0, model=action.model,
                    refuse=action.refuse if action.do == "deny" else None, log=action.log, limit=action.limit,
                    over=action.over, beyond=action.refuse if action.limit is not None else None)


def claim_accesses(operation: str, section: str) -> List[Tuple[str, str]]:
    """The (section, direction) pairs that an assertion's or test's operation covers."""
    if operation == "access":
        return [(section, side) for side in schema.SIDES[section]]
    return [(section, operation if section in schema.SIDES else "")]


def whole(section: str, platform: str) -> Ranges:
    """Every key of a section."""
    return {"sysregs": SYSREGS, "exceptions": EXCEPTIONS, "memory": (load_board(platform).ram,),
            "mmio": ((0, load_board(platform).ram[0] - 1),)}.get(section, CALL_IDS)


_EVALUATORS: "WeakKeyDictionary[Policy, Evaluator]" = WeakKeyDictionary()       # a cache that keeps no policy alive


def evaluator(policy: Policy) -> Evaluator:
    found: Optional[Evaluator] = _EVALUATORS.get(policy)
    if found is None:
        with paths.facts_from(policy.facts):
            found = _EVALUATORS[policy] = Evaluator(policy)
    return found


def decide(policy: Policy, access: Access) -> Decision:
    return evaluator(policy).decide(access)
