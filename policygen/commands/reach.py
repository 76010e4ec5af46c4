# SPDX-License-Identifier: Apache-2.0
"""`policygen reach NAME [WAY...]`: what the guest gets at, and by which way, from the lines of the policy to the machine."""
from __future__ import annotations

import argparse
import sys
from typing import Dict, List

from policygen.commands import cli
from policygen.language.model import Policy
from policygen.language.spelling import action_text
from policygen.meaning.compare import named
from policygen.target.reach import WAYS, Reached, reached
from policygen.text.diag import quoted

HELP = "what a guest gets at and by which way: the machine itself, through EL2, a handler of EL2, or not at all"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the policy")
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"of {', '.join(WAYS)}; none: all but refused")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    strange = [way for way in parsed.ways if way not in WAYS]
    if strange:
        print(f"policygen reach: {quoted(strange[0])} is no way: of {', '.join(WAYS)}", file=sys.stderr)
        return cli.USAGE
    policy, status = cli.load(parsed.name, options)
    if policy is None:
        return status
    wanted = [way for way in WAYS if (way in parsed.ways if parsed.ways else way != "refused")]
    found = [item for item in reached(policy, options.cpu) if item.way in wanted]
    if options.format == "json":
        cli.print_json({"policy": policy.name, "cpu": options.cpu, "ways": [as_json(policy, item) for item in found]})
    else:
        print("\n".join(report(policy, found, wanted, options.cpu)))
    return cli.OK


def report(policy: Policy, found: List[Reached], wanted: List[str], cpu: str) -> List[str]:
    lines = [f"{policy.name} on {cpu}"]
    for way in wanted:
        rows = [(f"  {item.by}", f"{item.accesses.direction or item.accesses.section} {named(item.accesses, policy, policy)}",
                 place(policy, item)) for item in found if item.way == way]
        lines += ["", f"{way}: {WAYS[way]}" + ("" if rows else ": nothing")]
        lines += cli.table(rows).splitlines() if rows else []
    return lines


def place(policy: Policy, item: Reached) -> str:
    entry = policy.entries[item.accesses.new.rule]
    return f"{entry.place} {entry.name}: {action_text(entry)}"


def as_json(policy: Policy, item: Reached) -> Dict[str, object]:
    accesses, entry = item.accesses, policy.entries[item.accesses.new.rule]
    return {"way": item.way, "by": item.by, "section": accesses.section, "direction": accesses.direction,
            "accesses": named(accesses, policy, policy), "ranges": [list(part) for part in accesses.keys],
            "count": accesses.size, "rule": entry.rule, "entry": entry.name, "place": str(entry.place)}
