# SPDX-License-Identifier: Apache-2.0
"""Hits of each entry, and the entries that a run never used."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Tuple

from policygen.evidence.log import Log, by_rule
from policygen.facts import ranges
from policygen.facts.arch import load_arch
from policygen.language.model import Access, Entry, Policy
from policygen.meaning.evaluate import Evaluator, evaluator

USED, NEVER, UNSEEN, PARTLY = "used", "never hit", "runs without a trap", "never hit where it traps"
NAMES = "decides nothing itself"    # an entry without actions of its own: a window that names its registers, `fp: expose`


@dataclass
class Cover:
    entry: Entry
    hits: int
    cost: int                   # ticks
    state: str


def covered(policy: Policy, log: Log, cpu: str) -> List[Cover]:
    """Every entry with its hits. For an entry whose accesses run without a trap, no hits mean nothing."""
    from policygen.target import traps
    trapped, evaluating = traps.plan(policy, cpu).traps, evaluator(policy)
    totals = by_rule(log)
    out = []
    for entry in policy.entries:
        hits, cost = totals.get(entry.rule, (0, 0))
        state = USED if hits else NEVER
        if not entry.actions:
            state = NAMES
        elif not hits and entry.section in ("sysregs", "features"):
            state = visible(evaluating, entry, trapped, cpu)
        elif not hits and entry.section == "memory" and all(
                (action.do, action.log) == ("allow", "never") and not action.where for action in entry.actions.values()):
            state = UNSEEN
        out.append(Cover(entry, hits, cost, state))
    return out


def visible(evaluating: Evaluator, entry: Entry, trapped: Mapping[Tuple[int, str], str], cpu: str) -> str:
    """Whether the hypervisor sees the accesses that this entry decides."""
    arch, noticed, unnoticed = load_arch(), 0, 0
    blind = {gap.control for gap in evaluating.board.gaps if not gap.also and (not gap.cpus or cpu in gap.cpus)}
    known = {(key, direction) for key, register in arch.by_key.items() for direction in ("read", "write")
             if arch.exists(register, direction, cpu)}
    known |= {access for access in trapped if access[0] not in arch.by_key}
    for key, direction in known:
        if not ranges.contains(entry.ranges, key) or (entry.section == "sysregs" and direction not in entry.actions):
            continue
        if evaluating.decide(Access("sysregs", key, direction)).entry.rule == entry.rule:
            control = trapped.get((key, direction), "")
            there = control not in arch.controls or arch.has_control(arch.controls[control], cpu)
            if control and there and control not in blind:
                noticed += 1
            else:
                unnoticed += 1
    return UNSEEN if unnoticed and not noticed else PARTLY if unnoticed else NEVER


def lcov(policy: Policy, covers: List[Cover]) -> List[str]:
    """The covered lines of the policy: those where an entry begins that was hit. Entries that cannot be counted are
    left out."""
    files: Dict[str, Dict[int, int]] = {}
    for cover in covers:
        if cover.state not in (UNSEEN, NAMES):
            lines = files.setdefault(cover.entry.place.file, {})
            lines[cover.entry.place.line] = lines.get(cover.entry.place.line, 0) + cover.hits
    out: List[str] = []
    for file, lines in sorted(files.items()):
        out += [f"TN:{policy.name}", f"SF:{file}"] + [f"DA:{line},{hits}" for line, hits in sorted(lines.items())]
        out += [f"LF:{len(lines)}", f"LH:{sum(hits > 0 for hits in lines.values())}", "end_of_record"]
    return out
