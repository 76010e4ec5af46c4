# SPDX-License-Identifier: Apache-2.0
"""`policygen cost NAME LOG`: traps and time per entry and trap bit, and the single edit that saves most."""
from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple

from policygen.commands import cli
from policygen.commands.explain import because
from policygen.evidence import log as evidence
from policygen.evidence.cover import Cover, covered
from policygen.evidence.log import Log
from policygen.facts import controls
from policygen.facts.arch import load_arch
from policygen.language.model import Entry, Policy

HELP = "traps/s and time per entry and trap bit, and the single edit that saves most"


@dataclass
class Bit:
    """One trap bit, as far as the log shows who it caught."""
    name: str
    hits: int = 0
    cost: int = 0
    rules: Dict[int, int] = field(default_factory=dict)


def arguments(parser: argparse.ArgumentParser) -> None:
    evidence.arguments(parser)


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    found = evidence.load(parsed, options)
    if isinstance(found, int):
        return found
    policy, log = found
    if not log.ran(policy):
        print(f"policygen: {evidence.another(policy, log)}: its rule numbers mean other entries", file=sys.stderr)
        return cli.FAILED
    from policygen.target import traps
    trapped = traps.plan(policy, options.cpu).traps
    trapped = {access: name for access, name in trapped.items()
               if load_arch().has_control(load_arch().controls[name], options.cpu)}
    covers = [cover for cover in covered(policy, log, options.cpu) if cover.hits]
    bits = by_bit(policy, log, covers, trapped)
    advice = advised(log, covers, trapped)
    if options.format == "json":
        cli.print_json({"log": log.policy, "seconds": log.seconds(), "entries": [
            {"rule": c.entry.rule, "name": c.entry.name, "place": str(c.entry.place), "hits": c.hits,
             "cost_ns": log.ns(c.cost)} for c in covers],
            "bits": [{"name": bit.name, "hits": bit.hits, "cost_ns": log.ns(bit.cost)} for bit in bits],
            "advice": advice})
    else:
        print("\n".join(report(log, covers, bits, advice)))
    return cli.OK


def by_bit(policy: Policy, log: Log, covers: List[Cover], trapped: Mapping[Tuple[int, str], str]) -> List[Bit]:
    """An entry's totals go to the bit that catches all it decides, or in the shares that its logged accesses have."""
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
    if entry.section == "mmio":
        return {"stage 2": 1}
    if entry.section not in ("sysregs", "features"):
        return {{"hvc": "HVC", "smc": "HCR_EL2.TSC"}.get(entry.section, "exceptions"): 1}
    shares: Dict[str, int] = {}
    for (access, _, rule), seen in log.seen.items():
        if rule == entry.rule and access.section == "sysregs":
            name = trapped.get((access.key, access.direction))
            if name is not None:
                shares[name] = shares.get(name, 0) + seen.count
    if not shares:              # counted only: every bit that could have caught it, the same share each
        for low, high in entry.ranges:
            for (key, _), name in trapped.items():
                if low <= key <= high:
                    shares[name] = 1
    return shares or {"?": 1}


def advised(log: Log, covers: List[Cover], trapped: Mapping[Tuple[int, str], str]) -> Optional[str]:
    """The edit of one entry that would save the most time, of those whose price is avoidable."""
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


def report(log: Log, covers: List[Cover], bits: List[Bit], advice: Optional[str]) -> List[str]:
    seconds = log.seconds() or 1.0
    rows = [("time in EL2", "of guest time", "traps", "traps/s", "each", "entry")]
    for cover in sorted(covers, key=lambda c: -c.cost):
        rows.append((f"{log.ns(cover.cost) / 1000:.1f} us", share(log, cover.cost), str(cover.hits),
                     f"{cover.hits / seconds:.1f}", f"{log.ns(cover.cost) / cover.hits:.0f} ns", because(cover.entry)))
    lines = [log.heading(), cli.table(rows), ""]
    table: List[Tuple[str, ...]] = [("time in EL2", "of guest time", "traps", "trap bit", "of rules")]
    table += [(f"{log.ns(bit.cost) / 1000:.1f} us", share(log, bit.cost), str(bit.hits), bit.name,
              " ".join(f"r{rule}" for rule in sorted(bit.rules))) for bit in bits]
    lines += [cli.table(table)]
    if advice:
        lines += ["", f"saves most: {advice}"]
    return lines
