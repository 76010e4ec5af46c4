# SPDX-License-Identifier: Apache-2.0
"""Traps and time per entry and trap bit, and the single edit that saves most."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple

from policygen.meaning.say import because
from policygen.evidence.cover import Cover
from policygen.evidence.log import Log
from policygen.facts import controls
from policygen.language.model import Entry, Policy


@dataclass
class Bit:
    """One trap bit, with the traps that the log shows it caught."""
    name: str
    hits: int = 0
    cost: int = 0
    rules: Dict[int, int] = field(default_factory=dict)


def by_bit(policy: Policy, log: Log, covers: List[Cover], trapped: Mapping[Tuple[int, str], str]) -> List[Bit]:
    """Gives each entry's totals to the bit that catches all its accesses, or to several in proportion to its logged
    accesses."""
    bits: Dict[str, Bit] = {}
    for cover in covers:
        shares = shared(log, cover, trapped)
        whole = sum(shares.values())
        for name, part in shares.items():
            bit = bits.setdefault(name, Bit(name))
            bit.hits += round(cover.hits * part / whole)
            bit.cost += round(cover.cost * part / whole)
            bit.rules[cover.entry.rule] = bit.rules.get(cover.entry.rule, 0) + 1
    return sorted(bits.values(), key=lambda bit: (-bit.cost, bit.name))


def shared(log: Log, cover: Cover, trapped: Mapping[Tuple[int, str], str]) -> Dict[str, int]:
    entry = cover.entry
    if entry.section in ("mmio", "memory"):
        return {"stage 2": 1}
    if entry.section not in ("sysregs", "features"):
        return {{"hvc": "HVC", "smc": "HCR_EL2.TSC"}.get(entry.section, "exceptions"): 1}
    shares: Dict[str, int] = {}
    for (access, _, rule), seen in log.seen.items():
        if rule == entry.rule and access.section == "sysregs":
            name = trapped.get((access.key, access.direction))
            if name is not None:
                shares[name] = shares.get(name, 0) + seen.count
    if not shares:              # without logged accesses: an equal share for each bit that may have caught them
        for low, high in entry.ranges:
            for (key, _), name in trapped.items():
                if low <= key <= high:
                    shares[name] = 1
    return shares or {"?": 1}


def advised(log: Log, covers: List[Cover], trapped: Mapping[Tuple[int, str], str]) -> Optional[str]:
    """The edit of one entry that would save the most time, among avoidable costs."""
    for cover in sorted(covers, key=lambda c: -c.cost):
        text = edit(cover.entry, shared(log, cover, trapped))
        if text is not None:
            return f"{because(cover.entry)}: {text}; saves {cover.hits} traps, {log.ns(cover.cost) / 1000:.1f} us " \
                   f"({share(log, cover.cost)} of guest time)"
    return None


def edit(entry: Entry, bits: Mapping[str, int]) -> Optional[str]:
    actions = list(entry.actions.values())
    if any(action.log != "never" and action.do == "allow" for action in actions) and entry.section == "sysregs":
        return "`log: never` lets it run without a trap"
    if any(action.model == "pl011" for action in actions):
        return "a guest that writes lines with HV_CONSOLE_WRITE traps once a line"
    if entry.section == "sysregs" and any(name not in controls.FLOOR and name != "?" for name in bits) and \
            any(action.do in ("mask", "fields", "value") for action in actions):
        return "`allow` lets it run without a trap, if the guest may see the real register"
    return None


def share(log: Log, ticks: int) -> str:
    seconds = log.seconds()
    return f"{log.ns(ticks) / 1e7 / seconds:.3f} %" if seconds else "-"
