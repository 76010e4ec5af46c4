# SPDX-License-Identifier: Apache-2.0
"""Makes foreign text (a log, a rules file, a file's name) harmless: one function for each target.

Output.line() escapes everything but Ready for a terminal, so that text without escaping looks ugly, but is not obeyed.
Only this module makes Ready text.
"""
from __future__ import annotations

import json
from html import escape
from typing import Any, Iterable


class Ready(str):
    """Text that is escaped. Joined with + or an f-string it is plain text again."""


class Html(Ready):
    """Markup of the report's own."""


def terminal(text: str) -> str:
    """One line of printable text: no control character (C0, C1), so no escape sequence, and none that turns the
    direction of writing."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)


def lines(text: str) -> str:
    """The same for text whose line ends are meant."""
    return "\n".join(map(terminal, text.split("\n")))


def painted(text: str, code: str) -> Ready:
    """Text in a colour of the tool's own."""
    return Ready(f"\x1b[{code}m{terminal(text)}\x1b[0m")


def joined(*parts: str) -> Ready:
    """One line of parts, each escaped unless it is Ready."""
    return Ready("".join(part if isinstance(part, Ready) else terminal(part) for part in parts))


def html(text: str) -> Html:
    return text if isinstance(text, Html) else Html(escape(lines(text)))


def markup(form: str, *values: object) -> Html:
    """`form` is trusted, with {} for each value; values are escaped unless they are Html."""
    return Html(form.format(*(html(value if isinstance(value, str) else str(value)) for value in values)))


def together(parts: Iterable[str], between: str = "") -> Html:
    """Pieces of a page in a row."""
    return Html(between.join(map(html, parts)))


def to_json(value: Any, indent: int = 0) -> Ready:
    """Text in ASCII alone."""
    return Ready(json.dumps(value, indent=indent or None))


def xml(text: str) -> str:
    """Text of an element; XML 1.0 has no form for most control characters."""
    return escape(lines(text), quote=False)


def xml_attribute(text: str) -> str:
    return '"' + escape(terminal(text)) + '"'


def cell(text: str) -> str:
    """A cell of CSV: text that a spreadsheet would take for a formula is marked as text."""
    return ("'" if text[:1] in ("=", "+", "-", "@") else "") + terminal(text)


def no_command(text: str) -> str:
    """Lines that are no workflow commands to a CI that reads them."""
    return "\n".join("| " + line if line.lstrip().startswith(("::", "##[")) else line for line in text.split("\n"))
