# SPDX-License-Identifier: Apache-2.0
"""`policygen cover NAME LOG`: hits of each entry, and which entries a run never used."""
from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import Dict, List, Mapping, Tuple

from policygen.commands import cli
from policygen.evidence import log as evidence
from policygen.evidence.log import Log
from policygen.facts import ranges
from policygen.facts.arch import load_arch
from policygen.language.model import Access, Entry, Policy
from policygen.language.spelling import action_text
from policygen.meaning.evaluate import Evaluator, evaluator

HELP = "hits per entry, and entries never used"
USED, NEVER, UNSEEN, PARTLY = "used", "never hit", "runs without a trap", "never hit where it traps"
NAMES = "decides nothing itself"    # a window that names its registers, `fp: expose`


@dataclass
class Cover:
    entry: Entry
    hits: int
    cost: int                   # ticks
    state: str


def arguments(parser: argparse.ArgumentParser) -> None:
    evidence.arguments(parser)
    parser.add_argument("--lcov", action="store_true", help="as an lcov tracefile, for coverage viewers")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    found = evidence.load(parsed, options)
    if isinstance(found, int):
        return found
    policy, log = found
    if not log.ran(policy):
        print(f"policygen: {evidence.another(policy, log)}: its rule numbers mean other entries", file=sys.stderr)
        return cli.FAILED
    covers = covered(policy, log, options.cpu)
    if options.format == "json":
        cli.print_json({"log": log.policy, "entries": [
            {"rule": c.entry.rule, "name": c.entry.name, "place": str(c.entry.place), "hits": c.hits,
             "cost_ns": log.ns(c.cost), "state": c.state} for c in covers]})
    elif parsed.lcov:
        print("\n".join(lcov(policy, covers)))
    else:
        print("\n".join(report(log, covers)))
    return cli.OK


def covered(policy: Policy, log: Log, cpu: str) -> List[Cover]:
    """Every entry. One whose accesses run without a trap cannot be counted: no hits say nothing there."""
    from policygen.target import traps
    trapped, evaluating = traps.plan(policy, cpu).traps, evaluator(policy)
    totals = evidence.by_rule(log)
    out = []
    for entry in policy.entries:
        hits, cost = totals.get(entry.rule, (0, 0))
        state = USED if hits else NEVER
        if not entry.actions:
            state = NAMES
        elif not hits and entry.section in ("sysregs", "features"):
            state = visible(evaluating, entry, trapped, cpu)
        out.append(Cover(entry, hits, cost, state))
    return out


def visible(evaluating: Evaluator, entry: Entry, trapped: Mapping[Tuple[int, str], str], cpu: str) -> str:
    """Would the hypervisor have noticed an access that this entry decides?"""
    arch, noticed, unnoticed = load_arch(), 0, 0
    blind = {gap.control for gap in evaluating.board.gaps if not gap.cpus or cpu in gap.cpus}
    known = {(key, direction) for key, register in arch.by_key.items() for direction in ("read", "write")
             if arch.exists(register, direction, cpu)}
    known |= {access for access in trapped if access[0] not in arch.by_key}
    for key, direction in known:
        if not ranges.contains(entry.ranges, key) or (entry.section == "sysregs" and direction not in entry.actions):
            continue
        if evaluating.decide(Access("sysregs", key, direction)).entry.rule == entry.rule:
            if (key, direction) not in trapped or trapped[key, direction] in blind:
                unnoticed += 1
            else:
                noticed += 1
    return UNSEEN if unnoticed and not noticed else PARTLY if unnoticed else NEVER


def report(log: Log, covers: List[Cover]) -> List[str]:
    rows = [("hits", "time in EL2", "rule", "place", "entry", "")]
    for cover in sorted(covers, key=lambda c: (-c.hits, c.entry.rule)):
        rows.append((str(cover.hits), f"{log.ns(cover.cost) / 1000:.1f} us" if cover.hits else "",
                     f"r{cover.entry.rule}", str(cover.entry.place), f"{cover.entry.name}: {action_text(cover.entry)}",
                     "" if cover.hits else cover.state))
    used, blind, never = (sum(c.state in states for c in covers)
                          for states in ((USED,), (UNSEEN, NAMES), (NEVER, PARTLY)))
    return [log.heading(), cli.table(rows), f"{used} of {len(covers)} entries used, {blind} cannot be counted, {never} "
            "never hit"]


def lcov(policy: Policy, covers: List[Cover]) -> List[str]:
    """A line of the policy is covered when an entry that begins there was hit; what cannot be counted is left out."""
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
