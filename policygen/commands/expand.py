# SPDX-License-Identifier: Apache-2.0
"""`policygen expand NAME`: the policy without parents, each entry with its origin. The text reads back with the same
meaning."""
from __future__ import annotations

import argparse

from policygen.commands import cli
from policygen.language.flat import flat
from policygen.language.spelling import action_text

HELP = "the flat policy, each entry with its origin"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the policy")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    policy, status = cli.load(parsed.name, options)
    if policy is None:
        return status
    if options.format == "json":
        cli.print_json({"name": policy.name, "files": list(policy.files), "rules": [
            {"rule": entry.rule, "section": entry.section, "name": entry.name, "action": action_text(entry),
             "place": str(entry.place), "size": entry.size} for entry in policy.entries]})
    else:
        print(flat(policy), end="")
    return cli.OK
