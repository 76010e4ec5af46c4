# SPDX-License-Identifier: Apache-2.0
"""`policygen cost NAME [LOG]`: traps and time per entry and trap bit, and the single edit that saves most; without a log
what a kernel that was measured would trap."""
from __future__ import annotations

import argparse
import sys
from typing import List, Optional, Tuple

from policygen.commands import cli, with_log
from policygen.evidence.cost import Bit, advised, by_bit, share
from policygen.evidence.cover import Cover, covered
from policygen.evidence.log import Log, another
from policygen.facts.arch import load_arch
from policygen.facts.census import WHAT
from policygen.meaning.say import because
from policygen.target.expected import expected

HELP = "traps/s and time per entry and trap bit, and the single edit that saves most; without a log, what a kernel would trap"


def arguments(parser: argparse.ArgumentParser) -> None:
    with_log.arguments(parser, "without it: what a boot that was measured would trap")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    if parsed.log is None:
        return run_before(parsed, options)
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


def run_before(parsed: argparse.Namespace, options: cli.Options) -> int:
    """Before anything has run."""
    from policygen.target import traps
    policy, status = cli.load(parsed.name, options)
    if policy is None:
        return status
    found = expected(policy, traps.plan(policy, options.cpu))
    if options.format == "json":
        cli.print_json({"of": WHAT, "cpu": options.cpu, "bits": [
            {"name": item.name, "hits": item.traps, "accesses": dict(item.most), "switches": list(item.switches),
             "rules": list(item.rules), "always": item.always} for item in found]})
        return cli.OK
    lines = [f"{policy.name} on {options.cpu}: what traps in {WHAT}", ""]
    rows: List[Tuple[str, ...]] = [("traps", "trap bit", "of rules", "most of them")]
    rows += [(f"{item.traps}", item.name, " ".join(f"r{rule}" for rule in item.rules[:6]) +
              (" ..." if len(item.rules) > 6 else "") or ("whatever the policy" if item.always else "-"),
              ", ".join(f"{access} {count}" for access, count in item.most[:3])) for item in found]
    lines.append(cli.table(rows))
    lines += [f"at each switch between tasks, too: {', '.join(item.switches)} ({item.name}"
              f"{''.join(f', {policy.entries[rule].place}' for rule in item.rules[:2])})" for item in found if item.switches]
    print("\n".join(lines))
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
