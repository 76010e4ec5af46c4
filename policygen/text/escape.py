# SPDX-License-Identifier: Apache-2.0
"""Escapes foreign text for the languages that policygen writes: one function a language, and a type that proves the
call.

Templates and `fill()` write ints, words, and text of a type made here; a plain str is refused. Each piece is whole in
its language (a comment with its delimiters, a string with its quotes), so that it ends where it should wherever it
stands.
"""
from __future__ import annotations

import json
import re
from typing import Type, TypeVar, Union

WORD = re.compile(r"[A-Za-z0-9_]+\Z")
SHELL_WORD = re.compile(r"[A-Za-z0-9_.:=/+-]+\Z")
YAML_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.*+-]*(?: *(?:\.\.|-) *[A-Za-z0-9_]+)?\Z")
YAML_PLAIN = re.compile(r"(?:\.\./)*[A-Za-z][A-Za-z0-9_./ ;'()-]*\Z")
YAML_RESERVED = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null)\Z")
MARKUP = re.compile(r"[\\`*\[\]<>|&#~!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[-+=]|(?<=^[0-9])[.)]")
REPLACED = "\N{REPLACEMENT CHARACTER}"


class Escaped(str):
    """Text that is written as it is."""


class Word(Escaped):
    """An identifier or a number: the same in every language."""


class C(Escaped):
    """Whole tokens of C, and of assembler source that the C preprocessor reads."""


class Yaml(Escaped):
    """A scalar, or what stands behind `#` up to the end of the line."""


class Shell(Escaped):
    """Words that need no quotes, for a script of bash or zsh."""


class Markdown(Escaped):
    """Inline text, fit for a cell of a table."""


Kind = TypeVar("Kind", bound=Escaped)
Piece = Union[int, Escaped]


class Raw(TypeError):
    """Text without escaping for its language: a mistake in policygen."""


def admitted(value: object, kind: Type[Escaped]) -> Piece:
    """The value, if it may be written in this language."""
    if type(value) is int or isinstance(value, (Word, kind)):       # no bool: C has no True
        return value
    raise Raw(f"{type(value).__name__} {value!r} is written as {kind.__name__}, and nobody has escaped it")


def fill(kind: Type[Kind], template: str, *pieces: object) -> Kind:
    """`template`, policygen's own, with pieces in place of its `{}`."""
    return kind(template.format(*(admitted(piece, kind) for piece in pieces)))


def joined(kind: Type[Kind], between: str, pieces: "list[Piece]") -> Kind:
    return kind(between.join(str(admitted(piece, kind)) for piece in pieces))


def word(text: object) -> Word:
    """Letters, digits and underscores, else Raw is raised: a table of policygen is wrong."""
    if not isinstance(text, (str, int)) or isinstance(text, bool) or not WORD.match(str(text)):
        raise Raw(f"{text!r} is no identifier")
    return Word(text)


def hexadecimal(value: int, digits: int = 0) -> Word:
    return Word(f"0x{value:0{digits}x}")


def printable(text: str) -> str:
    """Text that a terminal and a reader can be trusted with: one line without controls, without marks that change the
    order of letters, without unpaired surrogates. Blanks stay blanks, a tab becomes one."""
    return text if text.isprintable() else \
        "".join(c if c.isprintable() else " " if c == "\t" else REPLACED for c in text)


def c_string(text: "str | None") -> C:
    """A C string literal. Bytes outside ASCII become octal escapes, which end by themselves; so do the delimiters of
    comments, lest the literal end one."""
    if text is None:
        return C("NULL")
    out = ""
    for byte in text.encode("utf-8", "replace"):
        char = chr(byte)
        plain = 0x20 <= byte < 0x7f and out[-1:] + char not in ("*/", "/*")
        out += f"\\{char}" if char in '"\\?' else char if plain else f"\\{byte:03o}"
    return C(f'"{out}"')


def c_comment(text: str) -> C:
    """One line, from /* to */."""
    return C(f"/* {_in_comment(text)} */")


def c_comment_block(head: str, lines: "list[str]") -> C:
    """A comment of several lines: a heading, and one line for each text."""
    body = "".join(f" *   {_in_comment(line)}\n" for line in lines)
    return C(f"/*\n * {_in_comment(head)}\n{body} */")


def _in_comment(text: str) -> str:
    """Text for inside a comment: it ends none, starts none, and holds no trigraph that joins two lines."""
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean.replace("??/", "?? /").replace("*/", "* /").replace("/*", "/ *")


def shell_word(text: str) -> Shell:
    if not SHELL_WORD.match(text):
        raise Raw(f"{text!r} is no word that a shell leaves alone")
    return Shell(text)


def yaml(text: str) -> Yaml:
    """A scalar that reads back as this text."""
    plain = YAML_PLAIN.match(text) and not YAML_RESERVED.match(text) and text == text.strip()
    return Yaml(text) if plain else yaml_quoted(text)


def yaml_quoted(text: str) -> Yaml:
    return Yaml('"' + "".join(f"\\U{ord(c):08x}" if c > "\uffff" else "\\x7f" if c == "\x7f" else json.dumps(c)[1:-1]
                              for c in text) + '"')


def yaml_name(text: "str | None") -> Yaml:
    """A name of the language or of the facts, which needs no quotes; raises Raw for any other text."""
    if text is None or not YAML_NAME.match(text):
        raise Raw(f"{text!r} is no name")
    return Yaml(text)


def yaml_comment(text: str) -> Yaml:
    """`# text`, up to the end of its line."""
    return Yaml(f"# {printable(text)}")


def markdown(text: str) -> Markdown:
    """Text without markup or links, which stays in its cell of a table."""
    return Markdown(MARKUP.sub(lambda match: "&lt;" if match.group() == "<" else f"\\{match.group()}", printable(text)))


def markdown_code(text: str) -> Markdown:
    """A code span, however many backticks are in the text; a bar does not end its cell."""
    clean = printable(text).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall(r"`+", clean)), default=0) + 1)
    pad = " " if clean[:1] == "`" or clean[-1:] == "`" or not clean else ""
    return Markdown(f"{fence}{pad}{clean}{pad}{fence}")
