# SPDX-License-Identifier: Apache-2.0
"""Shared by all verbs: global options, exit status, printing diagnostics, loading policies.

The exit status of every verb: OK, it holds or the question is answered; FAILED, the answer is no, or the policy has
complaints; USAGE, wrong usage or input that cannot be read (or cannot be had); BUG, an error in policygen itself.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from typing import Any, Mapping, NoReturn, Optional, Sequence, TextIO, Tuple

from policygen.facts.arch import DEFAULT_CPU, load_arch
from policygen.facts.board import load_board, names
from policygen.facts.cpus import MTE
from policygen.language.model import Policy
from policygen.target.load import load_bound
from policygen.text import formats
from policygen.text.diag import Diagnostics

OK, FAILED, USAGE, BUG = 0, 1, 2, 3
JSON_VERSION = 1        # to be raised when a key goes or changes its meaning; new keys do not raise it


@dataclass(frozen=True)
class Options:
    format: str = "text"
    cpu: str = DEFAULT_CPU
    quiet: bool = False
    colour: str = "auto"
    mode: Optional[str] = None
    board: Optional[str] = None

    def coloured(self, stream: TextIO) -> bool:
        if self.colour != "auto":
            return self.colour == "always"
        return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, and which takes no abbreviated options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; `{self.prog} --help` tells more\n")


def global_parser(default: Optional[str] = None) -> Parser:
    """Adds the global options, before or after the verb. `default` replaces the default of each."""
    parser = Parser(prog="policygen", add_help=False)
    group = parser.add_argument_group("everywhere")
    group.add_argument("--format", choices=formats.FORMATS, default="text",
                       help="of what is printed; sarif, github and junit are for diagnostics")
    group.add_argument("--cpu", default=DEFAULT_CPU, metavar="MODEL", help=f"CPU model (default: {DEFAULT_CPU})")
    group.add_argument("--mode", choices=("enforce", "audit"), help="instead of the mode that the policy says")
    group.add_argument("--board", choices=names(), help="instead of the platform that the policy says")
    group.add_argument("-q", "--quiet", action="store_true", help="errors only")
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="of diagnostics")
    if default is not None:
        for action in parser._actions:
            action.default = default
    return parser


def options_from(parsed: argparse.Namespace) -> Options:
    cpu = parsed.cpu
    if cpu.endswith(MTE) and cpu not in load_arch().cpus:       # a model without tags is the same with memory for them
        cpu = cpu[:-len(MTE)]
    return Options(parsed.format, cpu, parsed.quiet, parsed.color, parsed.mode, parsed.board)


def cpu_is_known(options: Options) -> bool:
    known = list(dict.fromkeys(cpu for name in names() for cpu in load_board(name).cpus))
    if options.cpu in known or options.cpu in load_arch().cpus and options.cpu.removesuffix(MTE) in known:
        return True
    print(f"policygen: unknown CPU model {options.cpu}; known: {', '.join(known)}", file=sys.stderr)
    return False


def shown_diagnostics(diags: Diagnostics, options: Options) -> Diagnostics:
    if not options.quiet:
        return diags
    return Diagnostics([item for item in diags.items if item.severity == "error"], diags.sources)


def emit(diags: Diagnostics, options: Options, passed: Sequence[str] = ()) -> None:
    """Prints diagnostics to stderr (text), or for machines to stdout, which then holds nothing else."""
    shown = shown_diagnostics(diags, options)
    if options.format == "json":
        print_json({"diagnostics": shown.as_json()})
    elif options.format == "sarif":
        print_json(formats.sarif(shown))
    elif options.format == "github":
        print("".join(line + "\n" for line in formats.github(shown)), end="")
    elif options.format == "junit":
        print(formats.junit(shown, passed))
    elif shown.items:
        print(shown.render(options.coloured(sys.stderr)), file=sys.stderr)


def print_json(value: Mapping[str, object]) -> None:
    """Prints JSON with the version of its schema (policy/README.md), unless the format has one of its own (SARIF)."""
    print(json.dumps(value if "version" in value else {"version": JSON_VERSION, **value}, indent=2))


def status(diags: Diagnostics) -> int:
    return USAGE if diags.unreadable else FAILED if diags.failed else OK


def load(name: str, options: Options) -> Tuple[Optional[Policy], int]:
    """The policy for a verb that needs a valid one; None after complaints have been printed."""
    policy, diags = load_bound(name, mode=options.mode, cpu=options.cpu, board=options.board)
    if policy is None:
        emit(diags, options)
    return policy, status(diags)


def table(rows: Sequence[Tuple[str, ...]]) -> str:
    """Rows as text, with columns as wide as their content."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
