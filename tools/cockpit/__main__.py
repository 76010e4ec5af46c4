# SPDX-License-Identifier: Apache-2.0
"""The command: runs a machine and shows its one line as console, policy, records and monitor.

    python3 tools/cockpit --kept build/uart.log -- make run
"""
from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import List

_TOOLS = str(Path(__file__).resolve().parents[1])
if _TOOLS not in sys.path:
    sys.path.insert(0, _TOOLS)

from hvl.entry import Parser, guarded  # noqa: E402
from hvl.files import UsageError  # noqa: E402
from hvl.rules import Places  # noqa: E402
from hvl.symbols import Symbols  # noqa: E402


def run(argv: List[str]) -> int:
    parser = Parser(prog="cockpit", description="one line as console, policy, records and monitor; F1 lists the keys")
    parser.add_argument("--log", metavar="FILE", help="keep every byte of the line here")
    parser.add_argument("--append", action="store_true", help="go on in a log that exists")
    parser.add_argument("--kept", metavar="FILE", help="the log that COMMAND itself keeps")
    parser.add_argument("--map", metavar="FILE", help="the guest's names (default: those kept under its hash)")
    parser.add_argument("--policy", metavar="FILE", help="rules.json or the image (default: those kept under their hash)")
    parser.add_argument("--web", action="store_true", help="serve the report, live, on the loopback")
    parser.add_argument("--port", type=_port, default=0, help="its TCP port (default: one that is free)")
    parser.add_argument("command", nargs="+", help="what runs the machine, behind --")
    args = parser.parse_args(argv)
    if not (os.isatty(0) and os.isatty(1)):
        raise UsageError("a terminal is needed; through a pipe `make run` does, and `log_decode.py live`")
    try:
        import urwid  # noqa: F401
    except ImportError:
        raise UsageError("urwid is missing: run `make setup` (Debian package python3-urwid)") from None
    from cockpit.app import Cockpit, guard
    cockpit = Cockpit(args.command, Places(args.policy), Symbols(args.map), args.log, args.append, args.kept,
                      args.port if args.web else None)
    status = guard(cockpit)
    try:
        cockpit.run()
    except KeyboardInterrupt:
        pass
    finally:
        cockpit.close()
    status()
    return 0


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"'{text}' is no port")
    return int(text)


if __name__ == "__main__":
    sys.exit(guarded("cockpit", run, sys.argv[1:]))
