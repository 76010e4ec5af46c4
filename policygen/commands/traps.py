# SPDX-License-Identifier: Apache-2.0
"""`policygen traps NAME`: trap bits set, what each is for, what else it catches, what cannot be enforced."""
from __future__ import annotations

import argparse

from policygen.commands import cli

HELP = "trap bits set, what each is for, collateral, what cannot be enforced"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the policy")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    policy, status = cli.load(parsed.name, options)
    if policy is None:
        return status
    from policygen.target import traps
    if options.format == "json":
        cli.print_json(traps.as_json(policy, options.cpu))
    else:
        print(traps.report(policy, options.cpu))
    return cli.OK
