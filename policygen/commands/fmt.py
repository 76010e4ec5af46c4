# SPDX-License-Identifier: Apache-2.0
"""`policygen fmt [--check] [NAME...]`: canonical layout, comments kept."""
from __future__ import annotations

import argparse
import difflib
import sys
from typing import List, Optional

from policygen.commands import cli
from policygen.language import store
from policygen.language.layout import formatted
from policygen.text.diag import Diagnostics
from policygen.text.paths import display
from policygen.text.source import MAX_BYTES, Mapping, Node, Scalar, Source, parse, read

HELP = "canonical layout, comments kept; --check only says what would change"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="policies; none: all of policy/*.yaml; - is stdin")
    parser.add_argument("--check", action="store_true", dest="only_check", help="exit 1 if a file would change")
    parser.add_argument("--diff", action="store_true", help="print what changes, write nothing")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    worst = cli.OK
    for name in parsed.names or store.policy_names():
        worst = max(worst, one(name, parsed, options))
    return worst


def one(name: str, parsed: argparse.Namespace, options: cli.Options) -> int:
    diags, path = Diagnostics(), store.find(name)
    shown = "<stdin>" if name == "-" else display(path)
    if name != "-" and not store.Store().is_file(path):         # a pipe would wait for its other end
        return cli.load(name, options)[1] or cli.USAGE
    if name == "-":
        source = parse(sys.stdin.buffer.read(MAX_BYTES + 1), shown, diags)
    else:
        source = None if store.leads_out(path, store.Store(), diags) else read(path, shown, diags)
    if source is None or source.root is None or diags.failed:
        cli.emit(diags, options)
        return cli.status(diags)
    text = same_meaning(source)
    if text is None:
        print(f"policygen: {shown} is written in a way that fmt does not know; left as it is", file=sys.stderr)
        return cli.FAILED
    before = "\n".join(source.lines)
    if name == "-":
        print(text, end="")
        return cli.OK
    if text == before:
        return cli.OK
    if parsed.diff:
        print("".join(difflib.unified_diff(before.splitlines(True), text.splitlines(True), shown, shown)), end="")
    elif not parsed.only_check:
        path.write_text(text, encoding="utf-8")
    if not options.quiet and not parsed.diff:
        print(f"{shown} {'would change' if parsed.only_check else 'formatted'}")
    return cli.FAILED if parsed.only_check or parsed.diff else cli.OK


def same_meaning(source: Source) -> Optional[str]:
    """The formatted text, if it has the same nodes and comments as the file; else an error of the formatter."""
    text = formatted(source)
    again = parse(text.encode("utf-8"), source.file, Diagnostics())
    if again is None or again.root is None or plain(again.root, True) != plain(source.root, True):
        return None
    return text if remarks(source.lines) == remarks(again.lines) else None


def plain(node: Optional[Node], top: bool = False) -> object:
    """A node without its places; the top level in any order."""
    if isinstance(node, Scalar):
        return node.text, node.plain
    if isinstance(node, Mapping):
        pairs = [(key.text, plain(value)) for key, value in node.items]
        return sorted(pairs, key=lambda pair: pair[0]) if top else pairs
    return [plain(item) for item in node.items] if node is not None else None


def remarks(lines: "tuple[str, ...]") -> List[str]:
    """All text after a `#`, whether it starts a comment or only looks like one, in sorted order."""
    return sorted(line[line.index("#"):].strip() for line in lines if "#" in line)
