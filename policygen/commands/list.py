# SPDX-License-Identifier: Apache-2.0
"""`policygen list [WORD]`: the vocabulary."""
from __future__ import annotations

import argparse

from policygen.commands import cli
from policygen.facts import board
from policygen.facts.names import known_names
from policygen.language import schema
from policygen.language.modifiers import MODIFIERS
from policygen.text import words

HELP = "the vocabulary: registers, groups, devices, calls, classes, actions"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("word", nargs="?", default="", metavar="WORD", help="part of a name, or a kind such as group")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    rows = [row for name in board.names() for row in known_names(board.load_board(name))]
    rows += [(word, "action", spec.about) for word, spec in schema.ACTIONS.items()]
    rows += [(word, "action", about) for word, about in schema.FEATURE_WORDS.items()]
    rows += [(word, "modifier", spec.about) for word, spec in MODIFIERS.items()]
    word = parsed.word.casefold().replace(" ", "_")
    found = [row for row in rows if word in row[0].casefold() or word in row[1].replace(" ", "_")]
    if options.format == "json":
        cli.print_json({"names": [{"name": name, "kind": kind, "about": about} for name, kind, about in found]})
        return cli.OK if found else cli.FAILED
    if not found:
        close = words.nearest(parsed.word, [name for name, _, _ in rows])
        print(f"nothing is called {parsed.word!r}" + (f"; did you mean {', '.join(close)}?" if close else ""))
        return cli.FAILED
    print(cli.table([*found]))
    return cli.OK
