# SPDX-License-Identifier: Apache-2.0
"""why, learn, whatif, coverage: questions about the policy, which policygen answers from the same log."""
from __future__ import annotations

import argparse
import importlib
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, List, Optional, Tuple, cast

from .record import DECISIONS, Rec, printable, what
from .rules import Places
from .run import Options, Run
from .sequence import Session
from .source import Reader, UsageError

_WITH_VALUE = ("--format", "--cpu", "--mode", "--color", "--session", "-o", "--output", "--as", "--min", "--from")
ROOT = Path(__file__).resolve().parents[2]


def hand_over(command: str, verb: str, argv: List[str]) -> int:
    args, rest = _parser(command, verb).parse_known_args(argv)
    rest += args.more
    main = _policygen(command, verb)
    with tempfile.TemporaryDirectory() as folder:
        log = args.log
        if log == "-":          # read twice: here, and there
            log = str(Path(folder) / "stdin.log")
            with open(log, "wb") as copy:
                shutil.copyfileobj(sys.stdin.buffer, copy)
        if command == "why":
            found, session, times, first = find_decision(log, args.seq)
            name = args.policy or _name(session)
            status = int(main([*rest, "explain", name, found.text()]))
            if status == 0:
                print(f"  seen      {times} time{'s' * (times != 1)} in this log, first seq {first}")
            return status
        name = args.policy or _name(_session(log))
        return int(main([verb, name, log, *rest]))


def _parser(command: str, verb: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"log_decode.py {command}", allow_abbrev=False,
                                     description=f"Hands over to `policygen {verb}`, with its switches.")
    if command == "why":
        parser.add_argument("seq", metavar="SEQ", help="the decision: 12098, or 12098.1 for CPU 1")
    for switch in _WITH_VALUE:      # else its value would be taken for LOG
        parser.add_argument(switch, dest="more", action=_Keep, default=[], help=argparse.SUPPRESS)
    parser.add_argument("log", nargs="?", default="-", metavar="LOG")
    parser.add_argument("--policy", metavar="NAME", help="a policy by name or path (default: the one that ran)")
    return parser


class _Keep(argparse.Action):
    """A switch of policygen's with its value, for later."""

    def __call__(self, parser: argparse.ArgumentParser, space: argparse.Namespace, value: Any,
                 switch: Optional[str] = None) -> None:
        space.more = [*space.more, str(switch), str(value)]


def _policygen(command: str, verb: str) -> Callable[[List[str]], int]:
    if not (ROOT / "policygen" / "__main__.py").is_file():
        raise UsageError(f"'{command}' is answered by `policygen {verb}`, which is not beside this decoder")
    if importlib.util.find_spec("yaml") is None:
        raise UsageError(f"'{command}' is answered by `policygen {verb}`, which needs PyYAML (Debian: python3-yaml)")
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return cast(Callable[[List[str]], int], importlib.import_module("policygen.__main__").main)


def _run(log: str) -> Run:
    return Run(Reader([log]), Places(None), None, Options())


def _name(session: Session) -> str:
    """The profile's name from @H; a name from a log is a name, not a path."""
    name = session.name("policy").partition("#")[0]
    if not name.replace("-", "").replace("_", "").isalnum():
        raise UsageError("the log does not say which policy ran: --policy NAME")
    return name


def _session(log: str) -> Session:
    run, last = _run(log), None
    for _, view in run.events():
        last = view.session
    if last is None or run.reader.refusal():
        raise UsageError(f"{log}: {run.reader.refusal() or 'empty'}")
    return last


def find_decision(log: str, text: str) -> Tuple[Rec, Session, int, int]:
    """The decision, its session, and how often the same was decided in it."""
    seq, _, cpu = text.partition(".")
    if not (seq.isascii() and seq.isdigit() and len(seq) < 19 and (not cpu or cpu.isascii() and cpu.isdigit())):
        raise UsageError(f"'{text}' is no sequence number")
    found: Optional[Tuple[Rec, Session]] = None
    other = ""
    run = _run(log)
    for event, view in run.events():
        if isinstance(event, Rec) and event.seq == int(seq) and event.cpu == int(cpu or 0):
            if event.kind in DECISIONS:
                found = event, view.session
            else:
                other = printable(event.text())
    if found is None:
        raise UsageError(f"{text} is no decision: {other}" if other else f"no record {text} in this log")
    rec, session = found
    times, first = 0, rec.seq
    for event, view in _run(log).events():
        if isinstance(event, Rec) and event.kind in DECISIONS and view.session.number == session.number \
                and event.cpu == rec.cpu and (event.f.rule, event.f.verdict) == (rec.f.rule, rec.f.verdict) \
                and what(event.f).partition(" = ")[0] == what(rec.f).partition(" = ")[0]:
            times += event.f.n
            first = min(first, event.seq)
    return rec, session, times, first
