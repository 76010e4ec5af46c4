# SPDX-License-Identifier: Apache-2.0
"""`policygen cover NAME LOG`: hits of each entry, and the entries that a run never used."""
from __future__ import annotations

import argparse
import sys
from typing import List

from policygen.commands import cli, with_log
from policygen.evidence.cover import NAMES, NEVER, PARTLY, UNSEEN, USED, Cover, covered, lcov
from policygen.evidence.log import Log, another
from policygen.language.spelling import action_text

HELP = "hits per entry, and entries never used"


def arguments(parser: argparse.ArgumentParser) -> None:
    with_log.arguments(parser)
    parser.add_argument("--lcov", action="store_true", help="as an lcov tracefile, for coverage viewers")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    found = with_log.load(parsed, options)
    if isinstance(found, int):
        return found
    policy, log = found
    if not log.ran(policy):
        print(f"policygen: {another(policy, log)}: its rule numbers mean other entries", file=sys.stderr)
        return cli.USAGE
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
