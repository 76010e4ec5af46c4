# SPDX-License-Identifier: Apache-2.0
"""A stream of the line, as the lines that a terminal shows in the end, after returns, backspaces and the escape sequences
of line editors. A program that draws the whole screen needs a terminal of its own."""
from __future__ import annotations

import codecs
import re
from collections import deque
from typing import Deque, List

from hvl.escape import terminal

KEPT = 5_000            # lines
_WIDEST = 4_096         # characters of a line
_HELD = 256             # of an escape sequence that is not whole yet
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_PIECE = re.compile(_ESCAPE.pattern + r"|[\x00-\x1f\x7f]|[^\x00-\x1f\x7f]+")
_OPENS = "[]PX^_"       # second characters of sequences that are longer than two


class Lines:
    """The last lines of a stream, and the one that is being written."""

    def __init__(self, kept: int = KEPT) -> None:
        self.rows: Deque[str] = deque(maxlen=kept)
        self.total = 0              # whole lines, those that are not kept any more among them
        self.row = ""               # the last one, without its end
        self.column = 0             # where the next character goes
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._held = ""

    def feed(self, data: bytes) -> None:
        text = self._held + self._decode(data)
        self._held = ""
        last = text.rfind("\x1b")
        if last >= 0 and len(text) - last < _HELD:
            found = _ESCAPE.match(text, last)
            if found is None or found.end() == last + 2 and text[last + 1] in _OPENS:
                text, self._held = text[:last], text[last:]
        first, *more = text.split("\n")
        self._write(first)
        if not more:
            return
        self._end()
        over = len(more) - 1 - (self.rows.maxlen or 0)
        if over > 0:                # lines that nobody will see
            self.total += over
            more = more[over:]
        for line in more[:-1]:
            self._write(line)
            self._end()
        self._write(more[-1])

    def last(self, count: int, above: int = 0) -> List[str]:
        """So many lines, harmless to a terminal, `above` lines above the end."""
        end = len(self.rows) + 1 - above
        begin = max(0, end - count)
        return [terminal(self.row if at == len(self.rows) else self.rows[at]) for at in range(begin, max(begin, end))]

    def _end(self) -> None:
        self.rows.append(self.row)
        self.total += 1
        self.row, self.column = "", 0

    def _write(self, text: str) -> None:
        text = text[:-1] if text.endswith("\r") and self.column == len(self.row) and "\r" not in text[:-1] else text
        if text.isprintable() and self.column == len(self.row):
            self._put(text)
            return
        for piece in _PIECE.findall(text):
            if piece[0] == "\x1b":
                self._sequence(piece)
            elif piece == "\r":
                self.column = 0
            elif piece == "\b":
                self.column = max(0, self.column - 1)
            elif piece == "\t":
                self.column = min(_WIDEST - 1, self.column + 8 - self.column % 8)
            elif piece[0] >= " " and piece != "\x7f":
                self._put(piece)

    def _put(self, text: str) -> None:
        while self.column + len(text) > _WIDEST:
            room = _WIDEST - self.column
            self.row = self.row[:self.column] + text[:room]
            text = text[room:]
            self._end()
        self.row = self.row[:self.column].ljust(self.column) + text + self.row[self.column + len(text):]
        self.column += len(text)

    def _sequence(self, piece: str) -> None:
        if piece[1:2] != "[":
            return
        number = piece[2:-1]
        count = min(_WIDEST, int(number)) if number.isdigit() and len(number) < 6 else 1
        if piece[-1] == "K" and number in ("", "0"):
            self.row = self.row[:self.column]
        elif piece[-1] == "D":
            self.column = max(0, self.column - count)
        elif piece[-1] == "C":
            self.column = min(_WIDEST - 1, self.column + count)
        elif piece[-1] == "G":
            self.column = max(0, count - 1)
