# SPDX-License-Identifier: Apache-2.0
"""`policygen code PG301`: what a code means, an example, and what to do about it."""
from __future__ import annotations

import argparse
import sys

from policygen.commands import cli
from policygen.language import examples
from policygen.text import words
from policygen.text.codes import CODES
from policygen.text.diag import quoted

HELP = "the page of a code: why, an example, the fix"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", nargs="?", metavar="PGnnn", help="none: all of them")


def page(code: str) -> str:
    """The reason for a code, an example, and its fix."""
    if code in examples.EXAMPLES:
        heads, texts = ("refused:", "instead:"), examples.EXAMPLES[code]
    else:
        heads, texts = ("comes from:", "to do:"), examples.CAUSES[code]
    lines = [code, "", CODES[code]]
    for head, text in zip(heads, texts):
        lines += ["", head, *(f"    {line}" for line in text.split("\n"))]
    return "\n".join(lines)


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    wanted = (parsed.code or "").upper()
    if wanted and wanted not in CODES:
        close = words.nearest(wanted, CODES)
        print(f"policygen: no code {quoted(wanted)}" + (f"; did you mean {', '.join(close)}?" if close else ""), file=sys.stderr)
        return cli.USAGE
    chosen = {wanted: CODES[wanted]} if wanted else CODES
    if options.format == "json":
        cli.print_json({"codes": dict(chosen)})
    elif wanted:
        print(page(wanted))
    else:
        print(cli.table([(code, text.split("\n")[0]) for code, text in chosen.items()]))
    return cli.OK
