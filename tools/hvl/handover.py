# SPDX-License-Identifier: Apache-2.0
"""why, learn, whatif, coverage: questions about the policy, which policygen answers from the same log."""
from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple, cast

from .entry import Parser
from .escape import terminal
from .fields import View
from .record import DECISIONS, Rec, callers, what
from .rules import Places, Rule
from .run import Options, Output, Run
from .sequence import Session
from .source import Reader, UsageError
from .symbols import Symbols
from .why import explain

_WITH_VALUE = ("--format", "--cpu", "--mode", "--color", "-o", "--output", "--as", "--min", "--from")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_SEQ = re.compile(r"[0-9]{1,18}(\.[0-9]{1,4})?")
_STDIN = 4 << 30
ROOT = Path(__file__).resolve().parents[2]


def hand_over(command: str, verb: str, argv: List[str]) -> int:
    args, rest = _parser(command, verb).parse_known_intermixed_args(argv)
    rest += args.more
    main = None if command == "why" and not _there() else _policygen(command, verb)
    with tempfile.TemporaryDirectory() as folder:
        log = args.log
        if log == "-":          # read twice: by this tool and by policygen
            log = str(Path(folder) / "stdin.log")
            _keep_stdin(log)
        if command == "why":
            if _SEQ.fullmatch(log) and not _SEQ.fullmatch(args.seq):      # in the other order
                log, args.seq = args.seq, log
            return _why(main, args, rest, log)
        assert main is not None
        if args.session is not None:
            rest += ["--session", str(args.session)]
        name = args.policy or _name(_session(log, args.session))
        return int(main([verb, name, log, *rest]))


def _why(main: Optional[Callable[[List[str]], int]], args: argparse.Namespace, rest: List[str], log: str) -> int:
    rec, session, times, first = find_decision(log, args.seq, args.session)
    places = Places(args.policy if main is None else None)
    view = View(session, places, Symbols(args.map)).of(rec)
    rule = None if rec.f.rule is None else places.rule(session, rec.f.rule)
    out = Output()
    status = 0
    if main is not None:
        status = int(main([*rest, "explain", args.policy or _name(session), terminal(rec.text())]))
        if status == 0 and rec.f.pc is not None and view.sym(rec.f.pc, rec.f.el):
            out.line(f"  by        {view.where(rec.f.pc, rec.f.el)}")
        _ran(view, rule, out)
    elif rule is None:
        raise UsageError(f"no rules of policy {session.name('policy')}, which ran: --policy rules.json or the image; or a "
                         "clone with policygen")
    else:
        explain(rec, view, rule, out)
    found = _callers(log, rec, session) if status == 0 else []
    if found:
        out.line(f"  callers   {' < '.join(map(view.caller, found))}")
    if status == 0:
        out.line(f"  seen      {times} time{'s' * (times != 1)} in this log, first seq {first}")
    out.close()
    return status


def _callers(log: str, rec: Rec, session: Session) -> List[int]:
    """Return addresses that `log: { always, trace }` put behind the decision."""
    for event, view in _run(log, session.number).events():
        if isinstance(event, Rec) and view.session.number == session.number and event.cpu == rec.cpu and \
                event.seq == rec.seq + rec.span:
            return callers(event.f.kv.get("lr", "")) if event.kind == "E" and event.f.event == "trace" else []
    return []


def _ran(view: View, rule: Optional[Rule], out: Output) -> None:
    """policygen answers from the files of today."""
    changed = [source.file for source in view.places.sources(view.session) if source.today() is False]
    if changed and rule is not None:
        out.line(f"  note      {', '.join(changed)} is another one today; the line that ran was {rule.place}  {rule.text}")


def _parser(command: str, verb: str) -> argparse.ArgumentParser:
    parser = Parser(prog=f"log_decode.py {command}",
                    description=f"Hands over to `policygen {verb}`, with its switches.")
    if command == "why":
        parser.add_argument("seq", metavar="SEQ", help="the decision: 12098, or 12098.1 for CPU 1")
    parser.add_argument("--map", metavar="FILE", help="the guest's names (default: those kept under its hash)")
    parser.add_argument("--session", type=_number, metavar="N", help="this session of the log, from 1")
    for switch in _WITH_VALUE:      # or its value would be taken for LOG
        parser.add_argument(switch, dest="more", action=_Keep, default=[], help=argparse.SUPPRESS)
    parser.add_argument("log", nargs="?", default="-", metavar="LOG")
    parser.add_argument("--policy", metavar="NAME", help="a policy by name or path (default: the one that ran)")
    return parser


class _Keep(argparse.Action):
    """A switch of policygen's with its value, to be passed on."""

    def __call__(self, parser: argparse.ArgumentParser, space: argparse.Namespace, value: Any,
                 switch: Optional[str] = None) -> None:
        space.more = [*space.more, str(switch), str(value)]


def _there() -> bool:
    return (ROOT / "policygen" / "__main__.py").is_file() and importlib.util.find_spec("yaml") is not None


def _policygen(command: str, verb: str) -> Callable[[List[str]], int]:
    if not (ROOT / "policygen" / "__main__.py").is_file():
        raise UsageError(f"'{command}' is answered by `policygen {verb}`, which is not beside this decoder")
    if importlib.util.find_spec("yaml") is None:
        raise UsageError(f"'{command}' is answered by `policygen {verb}`, which needs PyYAML (Debian: python3-yaml)")
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return cast(Callable[[List[str]], int], importlib.import_module("policygen.__main__").main)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of a session")
    return int(text)


def _keep_stdin(name: str) -> None:
    """Copies standard input into a file."""
    if sys.stdin is None:
        raise UsageError("no standard input")
    size = 0
    with open(name, "wb") as copy:
        for data in iter(lambda: sys.stdin.buffer.read(1 << 20), b""):
            size += len(data)
            if size > _STDIN:
                raise UsageError(f"standard input has more than {_STDIN} bytes; give a file")
            copy.write(data)


def _run(log: str, session: Optional[int] = None) -> Run:
    return Run(Reader([log], False, session), Places(None), None, Options())


def _name(session: Session) -> str:
    """The profile's name from @H, only if it is a name: a log must not name a path."""
    name = session.name("policy").partition("#")[0]
    if not _NAME.fullmatch(name):
        raise UsageError("the log does not say which policy ran: --policy NAME")
    return name


def _session(log: str, number: Optional[int]) -> Session:
    run, last = _run(log, number), None
    for _, view in run.events():
        last = view.session
    _must_have(run)
    if last is None or run.reader.refusal():
        raise UsageError(f"{terminal(log)}: {run.reader.refusal() or 'empty'}")
    return last


def _must_have(run: Run) -> None:
    """The session of --session, or the only one."""
    if run.reader.only is not None and run.reader.only > run.reader.sessions:
        raise UsageError(f"--session {run.reader.only}: the input has {run.reader.sessions}")


def find_decision(log: str, text: str, number: Optional[int] = None) -> Tuple[Rec, Session, int, int]:
    """The decision, its session, and how often the same was decided in it. If several sessions have a decision of that
    number, the caller must choose one."""
    seq, _, cpu = text.partition(".")
    if not _SEQ.fullmatch(text):
        raise UsageError(f"'{text}' is no sequence number")
    all_found: Dict[int, Tuple[Rec, Session]] = {}
    other = ""
    run = _run(log, number)
    for event, view in run.events():
        if isinstance(event, Rec) and event.seq == int(seq) and event.cpu == int(cpu or 0):
            if event.kind in DECISIONS:
                all_found[view.session.number] = event, view.session
            else:
                other = event.text()
    _must_have(run)
    if not all_found:
        raise UsageError(f"{text} is no decision: {other}" if other else f"no record {text} in this log")
    if len(all_found) > 1:
        which = ", ".join(map(str, list(all_found)[:10])) + (" ..." if len(all_found) > 10 else "")
        raise UsageError(f"sessions {which} of this log have a decision {text}: say --session N")
    (rec, session), = all_found.values()
    times, first = 0, rec.seq
    for event, view in _run(log, session.number).events():
        if isinstance(event, Rec) and event.kind in DECISIONS and view.session.number == session.number \
                and event.cpu == rec.cpu and (event.f.rule, event.f.verdict) == (rec.f.rule, rec.f.verdict) \
                and what(event.f).partition(" = ")[0] == what(rec.f).partition(" = ")[0]:
            times += event.f.n
            first = min(first, event.seq)
    return rec, session, times, first
