# SPDX-License-Identifier: Apache-2.0
"""The verbs: each is a file of this folder with HELP, arguments(parser) and run(parsed, options)."""
from __future__ import annotations

import argparse
import importlib
from types import ModuleType
from typing import Any, List, Optional, Sequence, Tuple

from policygen.commands import cli
from policygen.text import words

VERBS = ("build", "check", "explain", "traps", "test", "diff", "fmt", "fix", "doc", "new", "completion", "expand",
         "list", "schema", "reach", "verify", "probe", "code", "learn", "replay", "cover", "cost")
USAGE = """policygen VERB ...
       policygen NAME -o DIR         (build)
       policygen --check [NAME...]   (check)"""
STATUS = """exit status of every verb: 0 it holds, 1 the answer is no or the policy has complaints, 2 wrong usage or
input that cannot be read, 3 an error in policygen itself
A NAME is policy/NAME.yaml or a path. `policygen VERB --help` tells more."""


def module(name: str) -> ModuleType:
    """The file of a verb, imported when it is used."""
    return importlib.import_module(f"policygen.commands.{name}")


class Verb(cli.Parser):
    """A parser that takes options and words in any order, and only its own."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Tuple[Any, List[str]]:
        if self.mixing:                 # argparse calls this method again from the parser of any order
            return super().parse_known_args(args, namespace)
        self.mixing = True
        try:
            parsed, rest = self.parse_known_intermixed_args(args, namespace)
        finally:
            self.mixing = False
        if rest:
            self.error(f"{rest[0]} is too much here{meant(rest[0], self)}")
        return parsed, rest


def parser(verbs: Sequence[str] = VERBS) -> cli.Parser:
    """The parser of the command line with these verbs; each takes the global options, too."""
    out = cli.Parser(prog="policygen", usage=USAGE, epilog=STATUS, parents=[cli.global_parser()],
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    everywhere: Any = cli.global_parser(argparse.SUPPRESS)
    added = out.add_subparsers(dest="verb", metavar="VERB", title="verbs", required=True, parser_class=Verb)
    for name in verbs:
        file = module(name)
        sub = added.add_parser(name, help=file.HELP, description=file.HELP, prog=f"policygen {name}",
                               parents=[everywhere])
        file.arguments(sub)
    return out


def meant(word: str, parser_of: argparse.ArgumentParser) -> str:
    """The option that was probably meant."""
    close = words.nearest(word, [option for action in parser_of._actions for option in action.option_strings])
    return f", did you mean {close[0]}?" if close else ""


def with_verb(given: Sequence[str]) -> Tuple[Optional[str], List[str]]:
    """The verb of a command line, and its words: `NAME -o DIR` is `build`, `--check` is `check`."""
    everywhere = cli.global_parser()
    _, rest = everywhere.parse_known_args(given)
    if not rest or rest[0] in ("-h", "--help"):
        return None, list(given)
    if rest[0] in VERBS:
        return rest[0], list(given)
    if "--check" in rest:
        return "check", ["check", *(word for word in given if word != "--check")]
    late = [word for word in rest if word in VERBS]
    if late:
        everywhere.error(f"the verb comes first: policygen {late[0]} ...")
    if rest[0].startswith("-") and not rest[0].startswith(("-o", "--output")):
        everywhere.error(f"no option {rest[0]}{meant(rest[0], everywhere)}")
    if not any(word.startswith(("-o", "--output")) for word in rest):
        close = words.nearest(rest[0], VERBS)
        everywhere.error(f"{rest[0]} is no verb, did you mean {close[0]}?" if close else
                         f"-o DIR is missing (to check without writing: policygen --check {rest[0]})")
    return "build", ["build", *given]
