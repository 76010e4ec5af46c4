# SPDX-License-Identifier: Apache-2.0
"""Explains why the YAML parser gave up, at the line of the mistake, which is seldom the parser's."""
from __future__ import annotations

import re
from typing import List, Sequence, Tuple

import yaml  # type: ignore[import]

BLANKS = {"\u00a0": "a non-breaking space", "\u202f": "a narrow non-breaking space", "\u2007": "a figure space",
          "\u3000": "an ideographic space", "\u200b": "a space without width", "\ufeff": "a byte order mark",
          **{chr(code): "a typographic space" for code in (*range(0x2000, 0x2007), *range(0x2008, 0x200b), 0x205f)}}
BLANK = re.compile("[" + "".join(BLANKS) + "]")
GLUED = re.compile(r"([^\s:{}\[\],]+):([^\s:].*)\Z")
OPENERS = {"a flow mapping": "{", "a flow sequence": "["}
Slip = Tuple[int, int, str, List[str]]          # line and column from 1, what is wrong, helps


def blank(text: str) -> str:
    """The name of the first blank in the line that YAML does not take for one; empty: there is none."""
    found = BLANK.search(text)
    return f"{BLANKS[found.group()]}, U+{ord(found.group()):04X}" if found else ""


def slip(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> Slip:
    mark, begin = error.problem_mark or error.context_mark, error.context_mark
    line, col = (min(mark.line, len(lines) - 1), mark.column) if mark else (0, 0)
    problem, context = str(error.problem or error.context), str(error.context or "")
    first = begin.line if begin is not None and begin.line <= line else line
    for number in range(max(0, min(first, line - 1)), line + 1):
        found = BLANK.search(lines[number].split("#")[0])
        if found:
            return number + 1, found.start() + 1, f"{blank(found.group())}: YAML takes it for a letter", ["type a blank instead"]
    if begin is not None and "quoted scalar" in context:
        return begin.line + 1, begin.column + 1, f"the quote that opens here, {lines[begin.line][begin.column]}, is never " \
            "closed", []
    opener = next((sign for name, sign in OPENERS.items() if name in context), "")
    if begin is not None and opener and (begin.line != line or "<stream end>" in problem):
        return begin.line + 1, begin.column + 1, f"the `{opener}` that opens here is not closed " \
            f"{'at the end of the file' if line >= len(lines) - 1 else f'before line {line + 1} begins something else'}", []
    if begin is not None and "could not find expected ':'" in problem:
        return _no_colon(lines, begin.line, begin.column)
    before = lines[line][:col].strip() if line < len(lines) else ""
    if "mapping values are not allowed" in problem and ": " not in before:
        above = next((number for number in range(line - 1, -1, -1) if _content(lines[number])), None)
        text = lines[above].split(" #")[0].rstrip() if above is not None else ":"
        if above is not None and ": " not in text and not text.endswith(":"):
            return _no_colon(lines, above, _indent(text))
        told = _indentation(lines, line)
        if told:
            return told
    if "<block end>" in problem and ("<block mapping start>" in problem or "'?'" in problem):
        told = _indentation(lines, line)
        if told:
            return told
    helps = ["a `: ` inside text needs quotes around the text"] if "mapping values are not allowed" in problem else []
    told_context = f" ({context.strip()})" if context and begin is not None else ""
    return line + 1, col + 1, f"not valid YAML: {problem}{told_context}", helps


def _no_colon(lines: Sequence[str], line: int, col: int) -> Slip:
    text = lines[line][col:].split(" #")[0].strip()
    glued = GLUED.match(text)
    if glued:
        return line + 1, col + 1, f"`{text[:40]}` is one word: a blank is missing behind the colon", \
            [f"{glued.group(1)}: {glued.group(2)}"[:80]]
    return line + 1, col + 1, "a line of a map is `key: value`, and this one has no `: `", []


def _indentation(lines: Sequence[str], line: int) -> "Slip | None":
    """The line, or the one above it, whose indentation differs from its neighbours'."""
    here = _indent(lines[line])
    above = next((number for number in range(line - 1, -1, -1) if _content(lines[number])), None)
    if above is None:
        return None
    over = _indent(lines[above])
    if here == over:
        return None
    between = next((number for number in range(above - 1, -1, -1) if _content(lines[number])), None)
    if between is not None and over < here == _indent(lines[between]):
        return above + 1, over + 1, f"wrong indentation: {_blanks(over)} between lines with {here}", [f"indent it by {here}"]
    blanks = _blanks(here)
    if here > over:
        return line + 1, here + 1, f"wrong indentation: {blanks}, below a line with {over} that has its value already", \
            [f"indent it by {over}, or give the line above no value"]
    outer = sorted({_indent(text) for text in lines[:above] if _content(text) and _indent(text) < over})
    near = min(outer + [over], key=lambda number: abs(number - here))
    return line + 1, here + 1, f"wrong indentation: {blanks}, and no line above that is open has as many", \
        [f"indent it by {near}"]


def _blanks(number: int) -> str:
    return f"{number} blank{'s' * (number != 1)}"


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _content(text: str) -> bool:
    return bool(text.strip()) and not text.lstrip().startswith("#")
