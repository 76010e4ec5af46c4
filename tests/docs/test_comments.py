# SPDX-License-Identifier: Apache-2.0
"""Comments and docstrings name their subject: none begins with a word that leaves the reader to guess it."""
from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("hv", "guest", "linker", "policy", "policygen", "tools", "tests")
C, HASH = (".c", ".h", ".S", ".ld", ".j2"), (".mk", ".sh", ".yaml")
GUESSED = r"(?:what|who(?:ever)?|(?:no|some|any|every)body|someone)\b"          # anywhere a sentence begins
FIRST = re.compile(rf"(?:that|it|they|those|{GUESSED})\b", re.I)                # where a comment does
LATER = re.compile(rf"[.;!?]\s+({GUESSED})", re.I)
C_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|/\*(.*?)\*/|\{#(.*?)#\}', re.S)
HASH_COMMENT = re.compile(r"(?:^|\s)#+ +(.*)")
Comments = Iterator[Tuple[int, str]]                # line, text


def of_c(text: str) -> Comments:
    for match in C_COMMENT.finditer(text):
        if match.group(1) or match.group(2):
            yield text.count("\n", 0, match.start()) + 1, re.sub(r"\n\s*\*", "\n", match.group(1) or match.group(2))


def of_lines(found: Iterator[Tuple[int, str, bool]]) -> Comments:
    """Joins comments that stand alone on consecutive lines."""
    lines: List[str] = []
    first = last = 0
    for line, text, alone in found:
        if lines and not (alone and line == last + 1):
            yield first, "\n".join(lines)
            lines = []
        first = line if not lines else first
        last = line if alone else 0
        lines.append(text)
    if lines:
        yield first, "\n".join(lines)


def of_script(text: str) -> Comments:
    found = ((n, HASH_COMMENT.search(line)) for n, line in enumerate(text.split("\n"), 1) if not line.startswith("#!"))
    yield from of_lines((n, match.group(1), not match.string[:match.start()].strip()) for n, match in found if match)


def of_python(text: str) -> Comments:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    yield from of_lines((token.start[0], token.string.lstrip("#: "), not token.line[:token.start[1]].strip())
                        for token in tokens if token.type == tokenize.COMMENT)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            yield node.body[0].lineno if node.body else 1, ast.get_docstring(node) or ""


def comments(path: Path) -> Comments:
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".py":
        return of_python(text)
    return of_c(text) if path.suffix in C else of_script(text)


def complaints(place: str, found: Comments) -> List[str]:
    out = []
    for line, text in found:
        text = text.strip()
        match = FIRST.match(text)
        words = [match.group()] if match else []
        out += [f"{place}:{line}: a sentence of this comment begins with {word!r}: name its subject"
                for word in words + LATER.findall(text)]
    return out


def files() -> List[Path]:
    found = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*"))
             if path.suffix in (*C, *HASH, ".py") and "node_modules" not in path.parts]
    return [*found, ROOT / "Makefile"]


def test_every_comment_names_its_subject() -> None:
    found = files()
    assert len(found) > 400, "the rooms have other names"
    said = [line for path in found for line in complaints(str(path.relative_to(ROOT)), comments(path))]
    assert not said, "\n".join(said)


@pytest.mark.parametrize("suffix, text", [
    (".c", "int a; /* what waits for it */\n"),
    (".c", "/*\n * Prints a line. Nobody waits\n * for it. */\n"),
    (".py", '"""Whoever reads it."""\n'),
    (".py", "def f():\n    '''Reads. Who asks pays.'''\n"),
    (".py", "a = 1  # that of the other\n"),
    (".yaml", "a: b   # those that\n"),
    (".S", "\tmov x0, x1 /* it is zero */\n"),
    (".j2", "{# Somebody's text. #}\n"),
    (".c", 'char *s = "/* what */"; /* a string is no comment */\n'),
    (".py", 's = "# what"  # a string is no comment\n'),
    (".c", "/* A register that waits: what it holds is read later. It is zero. */\n"),
])
def test_such_a_comment_is_told(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text(text, encoding="utf-8")
    found = complaints("a", comments(path))
    assert len(found) == (0 if "no comment" in text or "A register" in text else 1), found
