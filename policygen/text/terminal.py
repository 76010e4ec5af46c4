# SPDX-License-Identifier: Apache-2.0
"""Output for a terminal: lines of printable text and this program's own colours, even if the words are foreign."""
from __future__ import annotations

import re
from typing import Iterable, TextIO, cast

from policygen.text.escape import printable

COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "note": "\x1b[1;36m", "frame": "\x1b[1;34m",
           "better": "\x1b[1;32m"}
PLAIN = "\x1b[0m"
KEPT = re.compile("(\n|" + "|".join(re.escape(code) for code in (*COLOURS.values(), PLAIN)) + ")")


def clean(text: str) -> str:
    """Text without controls, marks that change the order of letters, and unpaired surrogates; lines and colours stay."""
    if text.isprintable():
        return text
    return "".join(part if number % 2 else printable(part) for number, part in enumerate(KEPT.split(text)))


class Guarded:
    """A stream that filters all text written to it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        text, encoding = clean(text), self.stream.encoding or "utf-8"
        self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


def guarded(stream: TextIO) -> TextIO:
    return cast(TextIO, Guarded(stream))
