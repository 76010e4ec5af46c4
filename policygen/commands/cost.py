# SPDX-License-Identifier: Apache-2.0
"""`policygen cost NAME LOG`: traps and time per entry and trap bit, and the single edit that saves most."""
from __future__ import annotations

import argparse
import sys
from typing import List, Optional, Tuple

from policygen.commands import cli, with_log
from policygen.evidence.cost import Bit, advised, by_bit, share
from policygen.evidence.cover import Cover, covered
from policygen.evidence.log import Log, another
from policygen.facts.arch import load_arch
from policygen.meaning.say import because

HELP = "traps/s and time per entry and trap bit, and the single edit that saves most"


def arguments(parser: argparse.ArgumentParser) -> None:
    with_log.arguments(parser)


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    found = with_log.load(parsed, options)
    if isinstance(found, int):
        return found
    policy, log = found
    if not log.ran(policy):
        print(f"policygen: {another(policy, log)}: its rule numbers mean other entries", file=sys.stderr)
        return cli.USAGE
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
