# SPDX-License-Identifier: Apache-2.0
"""The command line: finds the verb, runs it, turns every outcome into an exit status (listed in cli.py)."""
from __future__ import annotations

import gc
import os
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import List, Optional

from policygen.commands import cli, verbs
from policygen.text.diag import BrokenFacts
from policygen.text.paths import display
from policygen.text.terminal import guarded


def main(argv: Optional[List[str]] = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    gc.set_threshold(100_000, 50)       # a large policy lives to the end: the collector would scan it in vain
    with redirect_stdout(guarded(sys.stdout)), redirect_stderr(guarded(sys.stderr)):
        try:
            return run(words)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return cli.OK
        except KeyboardInterrupt:
            return 130
        except OSError as error:        # a file that the command line names for reading or writing
            where = f"{display(Path(os.fsdecode(error.filename)))}: " if error.filename else ""
            print(f"policygen: {where}{error.strerror or error}", file=sys.stderr)
            return cli.USAGE
        except BrokenFacts as problem:
            print(f"policygen: {problem}", file=sys.stderr)
            return cli.BUG
        except Exception:               # a bad policy raises no exception: this is a bug in policygen
            traceback.print_exc()
            print("policygen: internal error; the policy may be good or bad, this program is bad", file=sys.stderr)
            return cli.BUG


def run(words: List[str]) -> int:
    verb, words = verbs.with_verb(words)
    if verb is None:
        verbs.parser().print_help(sys.stdout if words else sys.stderr)
        return cli.OK if words else cli.USAGE
    parsed = verbs.parser((verb,)).parse_args(words)
    options = cli.options_from(parsed)
    if not cli.cpu_is_known(options):
        return cli.USAGE
    status = verbs.module(verb).run(parsed, options)
    assert isinstance(status, int)
    return status


if __name__ == "__main__":
    sys.exit(main())
