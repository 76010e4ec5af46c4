# SPDX-License-Identifier: Apache-2.0
"""`policygen NAME -o DIR`, in full `policygen build NAME -o DIR`: what `make` calls."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from policygen.commands import cli
from policygen.target.review import review

HELP = "validate, plan traps, write tables"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the policy")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="where the tables go")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    found = review(parsed.name, options.mode, options.cpu, board=options.board)
    if found.policy is None or not found.good:
        cli.emit(found.diags, options)
        return cli.status(found.diags)
    from policygen.target import render        # Jinja2 is needed by this verb only
    try:
        changed = render.render(found.policy, Path(parsed.output), cpu=options.cpu)
    except OSError as error:
        print(f"policygen: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return cli.USAGE
    if options.format == "json":
        cli.emit(found.diags, options)
    elif not options.quiet:
        print(f"{found.policy.name}: {len(found.policy.entries)} rules, {', '.join(changed) or 'nothing'} written")
    return cli.OK
