# SPDX-License-Identifier: Apache-2.0
"""`policygen test NAME`: runs assertions and tests alone; `--strength` finds the entries that they do not watch."""
from __future__ import annotations

import argparse
from typing import Dict, List, Optional

from policygen.commands import cli
from policygen.language import store
from policygen.language.model import Policy
from policygen.language.overlap import span_of
from policygen.meaning.judge import judge
from policygen.target.load import load_bound
from policygen.text import paths
from policygen.text.diag import Diagnostics

HELP = "run assertions and tests; --strength: which entries could be flipped without anything noticing"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="policies; none: all of policy/*.yaml")
    parser.add_argument("--strength", action="store_true", help="flip every entry in turn; list the flips that survive")
    parser.add_argument("--min", type=int, metavar="N", help="exit 1 if fewer than N percent are noticed")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    together, worst, lines = Diagnostics(), cli.OK, []
    measured: List[Dict[str, object]] = []
    for name in parsed.names or store.policy_names():
        policy, diags = load_bound(name, mode=options.mode, cpu=options.cpu, board=options.board)
        if policy is not None:
            held, passed = judge(policy, diags)
            waived = sum(claim.waived is not None for claim in policy.asserts)
            shown = paths.shown(name)
            lines.append(f"{shown:12} {held} of {len(policy.asserts) - waived} assertions hold, "
                         f"{passed} of {len(policy.tests)} tests pass{f', {waived} waived' if waived else ''}")
            if parsed.strength or parsed.min is not None:
                measured.append(strength(policy, shown, parsed.min, diags, lines))
        worst = max(worst, cli.status(diags))
        together.extend(diags)
    if options.format == "json" and measured:
        cli.print_json({"strength": measured, "diagnostics": cli.shown_diagnostics(together, options).as_json()})
        return worst
    cli.emit(together, options)
    if options.format == "text" and not options.quiet and lines:
        print("\n".join(lines))
    return worst


def strength(policy: Policy, shown: str, least: Optional[int], diags: Diagnostics, lines: List[str]
             ) -> Dict[str, object]:
    from policygen.meaning.strength import measure, report
    found = measure(policy)
    lines += report(shown, found)
    if least is not None and found.percent < least:
        first = found.survivors[0][0].entry if found.survivors else None
        diags.error("PG605", span_of(first) if first else None, f"tests of {shown} notice {found.percent} % of all "
                    f"flips, less than {least} %", "for example, nothing notices if this is flipped",
                    helps=[found.survivors[0][1]] if first else [])
    return {"name": shown, "flips": found.flips, "percent": found.percent, "survivors": [
        {"place": str(flip.entry.place), "entry": flip.entry.name, "direction": flip.direction, "flip": flip.what,
         "test": test} for flip, test in found.survivors]}
