# SPDX-License-Identifier: Apache-2.0
"""`policygen replay NAME LOG`: the recorded accesses that this policy would decide differently."""
from __future__ import annotations

import argparse
from typing import Dict, List

from policygen.commands import cli, with_log
from policygen.evidence.log import Log
from policygen.evidence.replay import Change, replayed
from policygen.language.model import Policy
from policygen.meaning.say import because

HELP = "which recorded accesses would now be decided differently"


def arguments(parser: argparse.ArgumentParser) -> None:
    with_log.arguments(parser)
    parser.add_argument("--exit-code", action="store_true", help="exit 1 if anything changes")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    found = with_log.load(parsed, options)
    if isinstance(found, int):
        return found
    policy, log = found
    changes, alike = replayed(policy, log)
    changed = sum(change.seen.count for change in changes)
    if options.format == "json":
        cli.print_json({"log": log.policy, "policy": policy.name, "same": alike, "changed": changed,
                        "undecidable": log.strange, "changes": [as_json(change) for change in changes]})
    else:
        print("\n".join(report(policy, log, changes, alike)))
    return cli.FAILED if changes and parsed.exit_code else cli.OK


def report(policy: Policy, log: Log, changes: List[Change], alike: int) -> List[str]:
    changed = sum(change.seen.count for change in changes)
    lines = [log.heading(), f"{changed + alike + log.strange} decisions re-evaluated under {policy.name}, {alike} "
             f"same, {changed} change, {log.strange} undecidable"]
    rows = [("  " + change.verdict, "->", change.decision.verdict, str(change.seen.count), change.what,
             f"r{change.rule} -> {because(change.decision.entry)}", f"first seq {change.seen.first}")
            for change in changes]
    lines += [cli.table(rows)] if rows else []
    if changes:
        lines.append(f"note: after seq {min(change.seen.first for change in changes)} the guest would have taken "
                     "another path; later changes are indicative")
    return lines


def as_json(change: Change) -> Dict[str, object]:
    return {"access": change.what, "was": change.verdict, "rule": change.rule, "is": change.decision.verdict,
            "by": str(change.decision.entry.place), "count": change.seen.count, "first": change.seen.first}
