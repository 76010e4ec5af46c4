# SPDX-License-Identifier: Apache-2.0
"""`policygen fix NAME`: makes repairs without a choice: slips with one likely word, comments that ignore nothing."""
from __future__ import annotations

import argparse
import difflib
import re
from pathlib import Path
from typing import List, Optional, Tuple

from policygen.commands import cli
from policygen.language import store
from policygen.language.store import Edited, Store
from policygen.target.review import review
from policygen.text.diag import Diagnostic, Diagnostics
from policygen.text.paths import display

HELP = "repair what has only one repair: slips with one likely word, comments that ignore nothing"
MEANT = re.compile(r"did you mean ([^\s?,()]+)(?: \(\S+\))?\?\Z")
QUOTE = re.compile(r'if it is text, quote it: (".*")\Z')
ROUNDS = 20                 # rounds: a repair may bring the next slip to light


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the policy: a profile or a file")
    parser.add_argument("--diff", action="store_true", help="print what changes, write nothing")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    path, diags = store.find(parsed.name), Diagnostics()
    place = Store()
    if not place.is_file(path):
        _, status = cli.load(parsed.name, options)
        return status or cli.USAGE
    source = None if store.leads_out(path, place, diags) else place.read(path, diags)
    if source is None:
        cli.emit(diags, options)
        return cli.status(diags)
    before = path.read_text(encoding="utf-8-sig")
    after, left = repair(path, before, options)
    changed = list(difflib.unified_diff(before.splitlines(), after.splitlines(), display(path), display(path),
                                        lineterm="", n=0)) if after != before else []
    if changed and not parsed.diff:
        path.write_text(after, encoding="utf-8")
    if changed and not options.quiet:
        print("\n".join(changed))
    cli.emit(left, options)
    return cli.status(left)


def repair(path: Path, text: str, options: cli.Options) -> Tuple[str, Diagnostics]:
    """The file's text with all repairs made, and the complaints that are left."""
    for _ in range(ROUNDS):
        diags = review(str(path), options.mode, options.cpu, Edited(path, text)).diags
        edits = [edit for item in diags.items if item.severity == "error" and item.span is not None
                 and item.span.file == display(path) for edit in [edit_of(item, diags)] if edit is not None]
        if not edits:
            return text, diags
        lines = text.split("\n")
        for line, col, end, word in sorted(edits, reverse=True):
            row = lines[line - 1]
            lines[line - 1] = (row[:col - 1] + word + row[end - 1:]).rstrip() if not word else \
                row[:col - 1] + word + row[end - 1:]
        text = "\n".join(lines)
    return text, review(str(path), options.mode, options.cpu, Edited(path, text)).diags


def edit_of(item: Diagnostic, diags: Diagnostics) -> Optional[Tuple[int, int, int, str]]:
    """The edit that a complaint leads to, if there is only one: (line, first column, column after, new text)."""
    span = item.span
    assert span is not None
    texts: List[str] = [match.group(1) for text in item.helps for match in [MEANT.match(text) or QUOTE.match(text)]
                        if match]
    if item.code == "PG901":
        texts = [""]
    source = diags.sources.get(span.file, ())
    written = source[span.line - 1][span.col - 1:span.end - 1] if 0 < span.line <= len(source) else ""
    if len(texts) != 1 or written == texts[0] or not written or item.code == "PG117" and ":" in written:
        return None
    return span.line, span.col, span.end, texts[0]
