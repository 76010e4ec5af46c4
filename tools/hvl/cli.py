# SPDX-License-Identifier: Apache-2.0
"""The command line: switches, subcommands, exit codes."""
from __future__ import annotations

import argparse
import os
import sys
from typing import Callable, Dict, List, Optional, Tuple

from .check import Check
from .diff import KEY, run_diff
from .entry import Parser, guarded, say
from .export import schema, write_csv, write_json
from .expr import Test, compile_filter, parse_number
from .fields import FIELDS
from .flame import write_folded
from .handover import hand_over
from .progress import Progress
from .report import BEGINS, write_html
from .rules import Places
from .run import Options, Output, Run
from .show import Show
from .source import Reader, UsageError
from .streams import CAST, live, write_stream
from .summary import Summary
from .symbols import Symbols
from .tally import KEYS
from .trace import TRACE, Trace

_POLICYGEN = {"why": "explain", "learn": "learn", "whatif": "replay", "coverage": "cover"}
_MAP = "the guest's names: an ELF file, System.map, output of nm, arm64 Image (default: those kept under its hash)"
_ALIASES = {"--summary": "summary", "--live": "live", "--schema": "schema"}

_EPILOG = """exit status: 0 done; 1 a finding; 2 usage or I/O error; 3 no record, or the sentinel was stripped;
4 log incomplete or damaged (check, or --strict); 5 the policy given is not the one that ran.
In `make run | tee uart.log` the status is tee's: let `check uart.log` be the judge."""


def _time(text: str) -> int:
    value = parse_number(text, 1_000_000_000)
    if value is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no time (10, 1.5s, 200ms)")
    return value


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise argparse.ArgumentTypeError(f"'{text}' is no number")
    return int(text)


def _percentage(text: str) -> float:
    try:
        value = float(text.rstrip("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"'{text}' is no percentage")
    return value


def _fields(text: str) -> List[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in FIELDS:
            raise argparse.ArgumentTypeError(f"no field '{name}' (--schema lists them)")
    if not names:
        raise argparse.ArgumentTypeError("no field given")
    return names


def _ignored(text: str) -> List[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in FIELDS:
            raise argparse.ArgumentTypeError(f"no field '{name}' (compared are {', '.join(KEY)})")
    return names


def _around(text: str) -> Tuple[int, int]:
    seq, comma, count = text.partition(",")
    return _positive(seq), min(_positive(count), 100_000) if comma else 5


def _parser() -> argparse.ArgumentParser:
    common = Parser(add_help=False)
    common.add_argument("files", nargs="*", metavar="FILE", help="captures, plain or gzip; none or -: standard input")
    common.add_argument("--strict", action="store_true", help="exit 4 unless the log is complete")
    common.add_argument("--weak", action="store_true", help="read records whose sentinel was stripped (forgeable)")
    common.add_argument("--session", type=_positive, metavar="N", help="this session only, from 1")
    common.add_argument("--policy", metavar="FILE", help="rules.json of the policy that ran (default: build/gen/)")
    common.add_argument("--map", metavar="FILE", help=_MAP)
    common.add_argument("--since", type=_time, metavar="T", help="records from this time on")
    common.add_argument("--until", type=_time, metavar="T", help="records up to this time")
    common.add_argument("--show-damaged", action="store_true", help="what was rejected, on standard error")
    select = Parser(add_help=False)
    select.add_argument("-f", "--filter", metavar="EXPR", help="e.g. 'verdict==DENY and reg~PM and cost>2us'")

    top = Parser(prog="log_decode.py", description=__doc__, epilog=_EPILOG,
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    top.description = "Decodes the log that Charter writes on its UART. --summary, --live, --schema: as subcommands."
    sub = top.add_subparsers(dest="command", metavar="COMMAND")

    def add(name: str, text: str, *parents: Parser) -> Parser:
        return sub.add_parser(name, help=text, description=text, parents=list(parents))

    p = add("summary", "one screen about each session", common, select)
    p.add_argument("--by", choices=sorted(KEYS), help="of the table; class, or rule where not all was logged")
    p.add_argument("--top", type=_positive, default=20, metavar="N", help="rows of each table")
    p.add_argument("--json", action="store_true")
    p = add("show", "the records, one line each", common, select)
    p.add_argument("--around", type=_around, metavar="SEQ[,N]", help="this record and N on either side (5)")
    p.add_argument("--relative", action="store_true", help="times from the first record shown")
    p.add_argument("--color", action="store_true", default=None, help="colour even when not on a terminal")
    p.add_argument("--no-color", dest="color", action="store_false")
    p.add_argument("--console", action="store_true", help="the guest's lines in between")
    for name, text in (("json", "one JSON object a line"), ("csv", "a table with a header line")):
        p = add(name, text, common, select)
        p.add_argument("--fields", type=_fields, metavar="A,B,...")
        p.add_argument("--schema", action="store_true", help="the JSON Schema, and nothing else")
    p = add("trace", "Chrome's trace form, for Perfetto", common, select)
    p.add_argument("-o", "--output", metavar="FILE")
    p = add("folded", "stacks of the guest's functions, for flame graphs of others' tools", common, select)
    p.add_argument("--cost", action="store_true", help="weighed by ticks in EL2 instead of decisions")
    p.add_argument("-o", "--output", metavar="FILE")
    p = add("html", "a report in one file", common)
    p.add_argument("-o", "--output", metavar="FILE")
    p = add("check", "the judge of a run", common)
    p.add_argument("--fail-on", action="append", default=[], metavar="EXPR", help="no record may be so")
    p.add_argument("--require", action="append", default=[], metavar="EXPR", help="some record must be so")
    p.add_argument("--max-lost", type=_positive, default=0, metavar="N", help="records that may lack (0)")
    p.add_argument("--max-text", type=_positive, default=0, metavar="N", help="bytes of guest text that may lack (0)")
    p.add_argument("--max-cost", type=_percentage, metavar="P", help="share of the time in EL2, in percent")
    p.add_argument("--untouched", action="store_true", help="nor may the operator have changed anything")
    p.add_argument("--junit", metavar="FILE", help="write the result as JUnit XML")
    p.add_argument("--github", action="store_true", help="findings as workflow annotations")
    p = sub.add_parser("diff", help="how two runs differ", parents=[common, select])
    p.add_argument("--tolerance", type=_percentage, default=20.0, metavar="P", help="counts may differ so much (20%%)")
    p.add_argument("--ignore", type=_ignored, default=[], metavar="A,B", help=f"of {', '.join(KEY)}")
    p.add_argument("--exit-code", action="store_true", help="exit 1 if they differ")
    for name, text in (("console", "the guest's bytes, exact"), ("monitor", "what was said in the monitor")):
        p = add(name, text, common)
        p.add_argument("--cast", action="store_true", help="as an asciinema recording")
        p.add_argument("--raw", action="store_true", help="exact on a terminal, too, which then does what they say")
        p.add_argument("-o", "--output", metavar="FILE")
    p = sub.add_parser("live", help="filter: text passes, records are shown, hidden or put aside")
    p.add_argument("--hide", action="store_true", help="do not show records")
    p.add_argument("--log", metavar="FILE", help="records into this file instead")
    p.add_argument("--tee", metavar="FILE", help="the raw capture into this file")
    p.add_argument("--map", metavar="FILE", help=_MAP)
    p.add_argument("--policy", metavar="FILE", help="rules.json of the policy that runs")
    p.add_argument("--color", action="store_true", default=None)
    p.add_argument("--no-color", dest="color", action="store_false")
    sub.add_parser("schema", help="the JSON Schema of a line of `json`: every field")
    for name, verb in _POLICYGEN.items():
        sub.add_parser(name, help=f"asks policygen: `policygen {verb}`", add_help=False)
    return top


def _color(args: argparse.Namespace) -> bool:
    if args.color is not None:
        return bool(args.color)
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _run(args: argparse.Namespace, files: List[str]) -> Run:
    text: Optional[str] = getattr(args, "filter", None)
    test: Optional[Test] = compile_filter(text) if text is not None else None
    reader = Reader(files, args.weak, args.session)
    return Run(reader, Places(args.policy), Symbols(args.map), Options(args.strict, args.since, args.until, args.show_damaged),
               test)


def _diff(args: argparse.Namespace) -> int:
    if len(args.files) != 2:
        raise UsageError("diff compares two files")
    first, second, out = _run(args, args.files[:1]), _run(args, args.files[1:]), Output()
    run_diff(first, second, args.tolerance / 100, args.ignore, args.exit_code, out)
    out.close()
    return max(first.finish(), second.finish())


def _view(args: argparse.Namespace) -> int:
    run = _run(args, args.files)
    begins = {"html": BEGINS.encode(), "trace": TRACE, "console": CAST, "monitor": CAST}
    stream = args.command in ("console", "monitor")
    out = Output(getattr(args, "output", None), b"" if stream and not args.cast else begins.get(args.command, b""))
    streams = args.command in ("show", "json", "csv", "console", "monitor") or args.command in begins
    out.progress = run.reader.progress = Progress(run.reader.files, streams and out.is_terminal())
    exact = stream and (args.raw or not out.is_terminal())
    views: Dict[str, Callable[[], None]] = {
        "summary": lambda: Summary(run, out, args.by, args.top, args.json).go(),
        "show": lambda: Show(run, out, args.around, args.relative, _color(args),
                             args.console).go(),
        "json": lambda: write_json(run, out, args.fields),
        "csv": lambda: write_csv(run, out, args.fields),
        "trace": lambda: Trace(run, out).go(),
        "folded": lambda: write_folded(run, out, args.cost),
        "html": lambda: write_html(run, out),
        "check": lambda: Check(run, out, args.fail_on, args.require, args.max_lost, args.max_text, args.max_cost,
                               args.junit, args.github, args.untouched).go(),
        "console": lambda: write_stream(run, out, "guest", args.cast, exact),
        "monitor": lambda: write_stream(run, out, "monitor", args.cast, exact),
    }
    views[args.command]()
    out.close()
    return run.finish()


def _main(argv: List[str]) -> int:
    if argv and argv[0] in _ALIASES:
        argv = [_ALIASES[argv[0]]] + argv[1:]
    elif argv and argv[0] not in ("-h", "--help"):
        known = set(_POLICYGEN) | {"summary", "show", "json", "csv", "trace", "folded", "html", "check", "diff", "console",
                                   "monitor", "live", "schema"}
        if argv[0] not in known:
            argv = ["summary"] + [a for a in argv if a != "--summary"]
    elif not argv:
        argv = ["summary"]
    if argv[0] in _POLICYGEN:
        return hand_over(argv[0], _POLICYGEN[argv[0]], argv[1:])
    args = _parser().parse_args(argv)
    if args.command == "schema" or getattr(args, "schema", False):
        out = Output()
        out.line(schema())
        out.close()
        return 0
    if args.command == "live":
        return live(Places(args.policy), Symbols(args.map), args.hide, _color(args), args.log,
                    args.tee)
    if args.command == "diff":
        return _diff(args)
    if args.command in ("summary", "check") and not args.files and sys.stdin is not None and sys.stdin.isatty():
        say("log_decode", "reading the terminal; end with Ctrl-D")
    return _view(args)


def main(argv: List[str]) -> int:
    return guarded("log_decode", _main, argv)
