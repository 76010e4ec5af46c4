# SPDX-License-Identifier: Apache-2.0
"""`policygen learn NAME LOG`: the narrowest entries that would let a run through, each with its evidence."""
from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from policygen.commands import cli, with_log
from policygen.evidence.learn import ENFORCING, as_json, rendered, settle, tighten, widened
from policygen.evidence.log import REFUSALS
from policygen.language import store

HELP = "the narrowest entries for what a log shows, with evidence; never past an assertion"


def arguments(parser: argparse.ArgumentParser) -> None:
    with_log.arguments(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="write the policy here (default: standard output)")
    parser.add_argument("--as", dest="title", metavar="NAME", help="the new policy's name (default: NAME-learned)")
    parser.add_argument("--min", type=int, default=1, metavar="N", help="accesses seen at least N times (1)")
    parser.add_argument("--from", dest="verdicts", default="would,deny", metavar="WORDS",
                        help="learn from these verdicts: would, deny, kill (would,deny)")
    parser.add_argument("--no-tighten", action="store_true", help="drop nothing")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    words = {word.strip().upper() for word in parsed.verdicts.split(",")}
    if not words or words - set(REFUSALS):
        print(f"policygen: --from {parsed.verdicts}: of would, deny, kill", file=sys.stderr)
        return cli.USAGE
    found = with_log.load(parsed, options)
    if isinstance(found, int):
        return found
    ran, log = found
    policy = replace(ran, mode="enforce")
    title = parsed.title or (policy.name + "-learned")[:31]
    learned = widened(policy, log, words, parsed.min)
    if not parsed.no_tighten:
        tighten(policy, ran, log, options.cpu, learned)
    base = store.find(parsed.name)
    settle(policy, base, title, learned, options.cpu)
    target = Path(parsed.output) if parsed.output else None
    parent = os.path.relpath(base, target.parent if target else Path.cwd()) if "/" in parsed.name or \
        parsed.name.endswith(".yaml") else parsed.name
    enforcing = ran.mode == "enforce" and any(verdict in ("DENY", "KILL") for _, verdict, _ in log.seen)
    text = rendered(policy, log, title, parent, learned, enforcing)
    try:
        if target is not None:
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"policygen: {parsed.output}: {error.strerror}", file=sys.stderr)
        return cli.USAGE
    if options.format == "json":
        cli.print_json(as_json(policy, title, learned))
    elif target is None:
        print(text, end="")
    elif not options.quiet:
        wider = sum(not proposal.tightens for proposal in learned.proposals)
        print(f"{title}: {wider} entries widen, {len(learned.proposals) - wider} dropped, {len(learned.kept)} accesses "
              f"stay refused; review {parsed.output}")
        if enforcing:
            print(ENFORCING)
    return cli.OK
