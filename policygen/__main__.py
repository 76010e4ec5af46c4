# SPDX-License-Identifier: Apache-2.0
"""The command line: finds the verb, runs it, turns every outcome into an exit status.

    policygen NAME -o DIR      validate, plan traps, write tables
    policygen --check [NAME]   validate, run assertions and tests; write nothing
    policygen VERB ...         see VERBS
"""
from __future__ import annotations

import argparse
import gc
import os
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from typing import List, Optional

from policygen.commands import cli
from policygen.commands.verbs import REVIEW, VERBS, WITHOUT_VERB, module
from policygen.text.terminal import guarded


def main(argv: Optional[List[str]] = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    gc.set_threshold(100_000, 50)       # a large policy is kept to the end: seldom look for what nobody needs
    with redirect_stdout(guarded(sys.stdout)), redirect_stderr(guarded(sys.stderr)):
        try:
            return run(words)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return cli.OK
        except KeyboardInterrupt:
            return 130
        except Exception:               # an exception is a bug in policygen, never the answer to a bad policy
            traceback.print_exc()
            print("policygen: internal error; the policy may be good or bad, this program is bad", file=sys.stderr)
            return cli.BUG


def run(words: List[str]) -> int:
    parser = cli.global_parser()
    parsed, rest = parser.parse_known_args(words)
    options = cli.options_from(parsed)
    if not rest or rest == ["-h"] or rest == ["--help"]:
        print(usage())
        return cli.OK if rest else cli.USAGE
    if not cli.cpu_is_known(options):
        return cli.USAGE
    name, file = "", WITHOUT_VERB
    if rest[0] in VERBS:
        name = file = rest.pop(0)
    elif "--check" in rest:
        rest.remove("--check")
        name, file = "--check", REVIEW
    verb = module(file)
    if file == WITHOUT_VERB and any(word in VERBS for word in rest):
        print(f"policygen: the verb comes first: policygen {next(w for w in rest if w in VERBS)} ...", file=sys.stderr)
        return cli.USAGE
    sub = argparse.ArgumentParser(prog=f"policygen {name}".strip(), description=verb.HELP, allow_abbrev=False,
                                  parents=[cli.global_parser()])
    verb.arguments(sub)
    status = verb.run(sub.parse_intermixed_args(rest), options)
    assert isinstance(status, int)
    return status


def usage() -> str:
    rows = [("policygen NAME -o DIR", module(WITHOUT_VERB).HELP),
            ("policygen --check [NAME...]", module(REVIEW).HELP)]
    rows += [(f"policygen {verb}", module(verb).HELP) for verb in VERBS]
    return "usage:\n" + "\n".join(f"  {left:28} {right}" for left, right in rows) + """

everywhere: --format text|json|sarif|github|junit, --cpu MODEL, --mode enforce|audit, -q, --color auto|always|never
exit:       0 fine, 1 the policy has errors, 2 wrong usage or unreadable file, 3 internal error
A NAME is policy/NAME.yaml or a path; `policygen VERB --help` tells more."""


if __name__ == "__main__":
    sys.exit(main())
