# SPDX-License-Identifier: Apache-2.0
"""The beginning and end of every tool: any failure is one line and an exit status, never a traceback."""
from __future__ import annotations

import argparse
import os
import sys
from typing import Any, Callable, List, NoReturn

from .escape import lines, terminal
from .files import UsageError

USAGE = 2
PIPE, INTERRUPT = 141, 130  # 128 + SIGPIPE, 128 + SIGINT, as a shell has them


class Parser(argparse.ArgumentParser):
    """Shows arguments for messages: they are foreign text, too, since a shell's pattern makes them of file names."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        super().error(terminal(message))


def say(tool: str, text: str) -> None:
    """One complaint on standard error."""
    try:
        print(f"{tool}: {lines(text)}", file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):   # the reader is gone (closed, or none under pythonw)
        pass


def guarded(tool: str, main: Callable[[List[str]], int], argv: List[str]) -> int:
    """The exit status of `main`."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            getattr(stream, "reconfigure")(errors="backslashreplace")
    try:
        status = main(argv)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except UsageError as error:
        say(tool, str(error))
        return USAGE
    except BrokenPipeError:
        _quiet()
        return PIPE
    except KeyboardInterrupt:
        _quiet()
        return INTERRUPT
    except MemoryError:
        say(tool, "there is not enough memory for this input")
        _quiet()
        return USAGE
    except OSError as error:
        name = f"{error.filename}: " if isinstance(error.filename, str) else ""
        say(tool, f"{name}{error.strerror or error}")
        _quiet()
        return USAGE


def _quiet() -> None:
    """The interpreter flushes stdout at its end, and would complain about the same pipe again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        pass
