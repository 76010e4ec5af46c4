# SPDX-License-Identifier: Apache-2.0
"""Splits a capture into records and the bytes between them (hv/log/README.md).

All of this is linear in the input, whatever it holds, and keeps at most two record lengths of it.
"""
from __future__ import annotations

import re
import zlib
from typing import List, Optional, Tuple, Union

from . import batch
from .record import Rec

RS = b"\x1e"
MOST = 2048               # longest record, without RS and line end
_WINDOW = MOST + 3        # room for CR CR LF
_ENDS = re.compile(rb"[\n\x1e]")
# Shorter than any record: equal ones share one object, however many there are.
_SCRAPS = re.compile(rb"\x1e+(?=\x1e)|(?:\x1e[^\n\x1e:]{0,12}\n?(?=\x1e)){1,256}")
_SCRAP = 16               # bytes of a broken record, with the next one's RS
_ESCAPED = re.compile(rb"\x1f([ef])")
_HEAD = re.compile(rb"@([A-Z])(\+?) ([0-9]{1,20})(?:\.([0-9]{1,4}))?(?: ([0-9]{1,12})\.([0-9]{9}))?(?: (.*))?",
                   re.DOTALL)
_HEX = frozenset(b"0123456789abcdef*")
_NARROWEST, _WIDEST = 40, 400    # widths of screens, in columns
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+[]")
_LONGEST_NAME = 64        # first bytes of a program's line on stderr
_FUTILE = 20_000          # broken records that are repaired; further ones are left
_TRIES = 256              # cuts that are tried for one broken record
# a record that lost its sentinel
BARE = re.compile(rb"(?:\A|\n)(?:\^\^|\xe2\x90\x9e)?@(?:H 0 [0-9]{1,12}\.[0-9]{9} hvl=1 |"
                  rb"[A-Z]\+? [0-9][^\n]{0,2048} \*[0-9a-f]{8}(?:\^M|[ \t]{1,200})?\r{0,2}(?:\n|\Z))")
# Spellings of the sentinel by `cat -v` and other programs that draw control characters.
_SPELLED = re.compile(rb"\^\^(?=@)|\xe2\x90\x9e(?=@)")


class Text:
    """Bytes outside records, un-escaped. `stream` is set by sequence.py: guest, monitor or gdb."""

    __slots__ = ("data", "stream")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.stream = "guest"


class Damaged:
    """Bytes after an RS that are no record; `count` of them (a run of bare RS is one object)."""

    __slots__ = ("data", "count")

    def __init__(self, data: bytes, count: int = 1) -> None:
        self.data = data
        self.count = count


Token = Union[Text, Rec, Damaged]


def parse(line: bytes) -> Optional[Rec]:
    """A record from its line, RS and line end removed; None unless CRC and head are right."""
    if line[:1] != b"@" or line[-10:-8] != b" *":
        return None
    tail = line[-8:]
    if not _HEX.issuperset(tail) or b"*" in tail:
        return None
    crc = int(tail, 16)
    if zlib.crc32(line[:-9]) != crc:
        return None
    m = _HEAD.fullmatch(line, 0, len(line) - 10)
    if m is None:
        return None
    kind, plus, seq, cpu, sec, frac, body = m.groups()
    if (sec is None) != (kind == b"B"):  # only a batch has no time
        return None
    t = None if sec is None else int(sec) * 1_000_000_000 + int(frac)
    try:
        text = (body or b"").decode()
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    rec = Rec(kind.decode(), plus == b"+", int(seq), int(cpu or 0), t, text, crc)
    if kind == b"B":
        rec.span = batch.count(rec)
    return rec


def unescape(data: bytes) -> bytes:
    if b"\x1f" not in data:
        return data
    return _ESCAPED.sub(lambda m: b"\x1e" if m.group(1) == b"e" else b"\x1f", data)


def _held(buf: bytes, start: int, end: int) -> int:
    """The end of text that can be passed on: an unfinished escape waits, and so does a line end that a `+` may take
    away."""
    if end > start and buf[end - 1] in b"\r\n":
        end = max(start, end - 3)
    return end - 1 if end > start and buf[end - 1] == 0x1f else end


def without_line_end(text: bytes, end: bytes) -> bytes:
    """Takes away the CR LF that EL2 put before a `+` record. A capture that rewrote line ends rewrote this one too, so
    the record's own line end tells which bytes to take."""
    for tail in (end, b"\r\n", b"\n"):
        if tail and text.endswith(tail):
            return text[:-len(tail)]
    return text


def repair(first: bytes, second: bytes) -> Optional[Tuple[Rec, bytes]]:
    """A record into which a foreign line was written: `first` holds the record's start and that line, `second` the
    record's rest. Tries every place where a word before a ': ' may have begun."""
    rest = second.rstrip(b"\r")
    if not _HEX.issuperset(rest[-8:]) or len(rest) >= 10 and rest[-10:-8] != b" *":
        return None
    # The checksum that the record must have if it is whole: comparing it is all that a try costs.
    crc = int(rest[-8:], 16) if len(rest) >= 10 and b"*" not in rest[-8:] else None
    tries = 0
    colon = first.find(b": ")
    while colon > 0 and tries < _TRIES:
        cut = max(0, colon - _LONGEST_NAME)
        before = zlib.crc32(first[:cut])
        for at in range(cut, colon):
            if first[at] in _WORD:
                tries += 1
                if (crc is None or zlib.crc32(rest[:-9], before) == crc) and _WORD.issuperset(first[at:colon]):
                    rec = parse(first[:at] + rest)
                    if rec is not None:
                        return rec, first[at:] + b"\n"
            before = zlib.crc32(first[at:at + 1], before)
        colon = first.find(b": ", colon + 2)
    return None


class More(Exception):
    """more bytes are needed"""


def unwrap(buf: bytes, start: int, end: int, final: bool) -> Optional[Tuple[Rec, int]]:
    """A record that was wrapped at the width of a screen, from its first line `start`..`end` in `buf`: joined with the
    lines behind it, all but the last of one width, until the CRC fits. Returns the record and the offset behind it."""
    width = len(buf[start:end].rstrip(b"\r"))
    if not _NARROWEST <= width <= _WIDEST or not _HEAD.match(buf, start, end):
        return None
    line, piece = buf[start:start + width], b""
    while len(line) < MOST and len(piece) in (0, width):
        at = end + 1
        end = buf.find(b"\n", at, at + width + 4)
        if end < 0:
            if len(buf) - at >= width + 4 or RS in buf[at:]:
                return None
            if not final:
                raise More
            end = len(buf)
        piece = buf[at:end].rstrip(b"\r")
        if not piece or len(piece) > width or RS in piece:
            return None
        line += piece
        rec = parse(line) or parse(line.rstrip(b" \t"))
        if rec is not None:
            return rec, min(end + 1, len(buf))
    return None


class Scanner:
    """Bytes in, tokens out, in the order of the line."""

    def __init__(self) -> None:
        self._rest = b""
        self.sentinels = 0  # RS bytes seen
        self.bare = False   # lines like records whose RS was stripped
        self._futile = 0
        self.padded = self.wrapped = self.respelled = 0     # records that were mended

    def mended(self) -> int:
        """How many records."""
        return self.padded + self.wrapped + self.respelled

    def told(self) -> List[str]:
        """Remarks about mended records."""
        given_up = [f"{_FUTILE} broken records could not be put together; no more were tried"]
        return (given_up if self._futile >= _FUTILE else []) + [f"mended: {count} records {how}" for count, how in (
            (self.padded, "with blanks behind them"), (self.wrapped, "wrapped at the width of a screen"),
            (self.respelled, "whose sentinel is written as ^^ or \u241e")) if count]

    def feed(self, data: bytes, final: bool = False) -> List[Token]:
        buf = self._rest + data if self._rest else data
        size = len(buf)
        out: List[Token] = []
        pos = 0
        while True:
            rs = buf.find(RS, pos)
            if rs < 0:
                stop = size if final else _held(buf, pos, size)
                self._text(out, buf[pos:stop])
                pos = stop
                break
            scraps = _SCRAPS.match(buf, rs) if buf.find(RS, rs + 1, rs + _SCRAP) >= 0 else None
            if scraps is not None:
                self._text(out, buf[pos:rs])
                pos = scraps.end()
                count = buf.count(RS, rs, pos)
                self.sentinels += count
                out.append(Damaged(buf[rs:min(pos, rs + MOST)].strip(b"\x1e\n"), count))
                continue
            done = self._record(buf, pos, rs, final, out)
            if done < 0:
                stop = _held(buf, pos, rs)
                self._text(out, buf[pos:stop])
                pos = stop
                break
            pos = done
        self._rest = buf[pos:]
        return out

    def waits(self) -> bool:
        """Are there bytes that may be part of what is to come?"""
        return bool(self._rest)

    def taken(self) -> bytes:
        """These, which are no longer the scanner's."""
        rest, self._rest = self._rest, b""
        return rest

    def flush_text(self) -> List[Token]:
        """For a live view: gives up text that was held back, so that a `+` can no longer take it away."""
        rs = self._rest.find(RS)
        stop = len(self._rest) if rs < 0 else rs
        if stop and self._rest[stop - 1] == 0x1f and rs < 0:
            stop -= 1
        out: List[Token] = []
        self._text(out, self._rest[:stop])
        self._rest = self._rest[stop:]
        return out

    def _text(self, out: List[Token], data: bytes) -> None:
        if data:
            if not self.sentinels and not self.bare and b"@" in data and BARE.search(data):
                self.bare = True
            out.append(Text(unescape(data)))

    def _record(self, buf: bytes, pos: int, rs: int, final: bool, out: List[Token]) -> int:
        """Reads the bytes after the RS at `rs`; text from `pos` on stands before it. Returns the offset to go on at,
        -1: more bytes are needed."""
        start = rs + 1
        m = _ENDS.search(buf, start, start + _WINDOW)
        if m is None:
            if not final and len(buf) - start < _WINDOW:
                return -1
            # Too long for a record, or the capture ends in it, and so perhaps the record.
            end = after = min(start + MOST, len(buf))
        else:
            end = m.start()
            after = m.end() if buf[end] == 0x0a else end
        line = buf[start:end].rstrip(b"\r")
        rec = parse(line)
        if rec is None and line[-1:] in (b" ", b"\t"):
            rec = parse(line.rstrip(b" \t\r"))
            self.padded += rec is not None
        line_end = buf[start + len(line):after] or b"\r\n"
        if rec is None and m is not None and after > end:
            try:
                joined = unwrap(buf, start, end, final)
            except More:
                return -1
            if joined is not None:
                rec, after = joined
                self.wrapped += 1
        if rec is not None:
            rec.end = line_end
        elif m is not None and after > end and b": " in line and self._futile < _FUTILE:
            m2 = _ENDS.search(buf, after, after + _WINDOW)
            if m2 is None and not final and len(buf) - after < _WINDOW:
                return -1
            end2 = m2.start() if m2 is not None else min(after + MOST, len(buf))
            fixed = repair(buf[start:end], buf[after:end2])
            self._futile += fixed is None
            if fixed is not None:
                rec = fixed[0]
                rec.foreign = fixed[1]
                after = m2.end() if m2 is not None and buf[end2] == 0x0a else end2
        text = buf[pos:rs]
        if rec is not None and rec.plus:
            text = without_line_end(text, rec.end)
        self._text(out, text)
        self.sentinels += 1
        out.append(rec if rec is not None else Damaged(buf[start:end]))
        return after


class WeakScanner(Scanner):
    """For captures whose RS bytes were stripped: a record is a whole line. The guest can forge these, so each is
    marked. After a first sentinel only sentinels count, since the capture was not stripped."""

    def __init__(self) -> None:
        super().__init__()
        self._line = b""
        self._last = b""     # a line end that a `+` may take away
        self._skip = False   # inside a line too long to be a record
        self._strict = False
        self._wrapped: List[bytes] = []     # lines that may belong to a wrapped record
        self._joined = False                # the lines of which the record at hand was made

    def feed(self, data: bytes, final: bool = False) -> List[Token]:
        if self._strict:
            return super().feed(data, final)
        rs = data.find(RS)
        if rs < 0:
            return self._lines(data, final)
        self._strict = True
        return self._lines(data[:rs], True) + super().feed(data[rs:], final)

    def flush_text(self) -> List[Token]:
        return []

    def _lines(self, data: bytes, final: bool) -> List[Token]:
        out: List[Token] = []
        text: List[bytes] = []

        def flush() -> None:
            joined = b"".join(text)
            text.clear()
            if joined:
                out.append(Text(unescape(joined)))

        pieces = _split_lf(self._line + data)
        self._line = b""
        for piece in pieces:
            whole = piece.endswith(b"\n")
            if not whole and not final and len(piece) <= _WINDOW:
                self._line = piece
                break
            skipped, self._skip = self._skip, not whole
            rec = None if skipped else self._read(piece)
            if self._wrapped and rec is None and not _HEAD.match(_SPELLED.sub(b"", piece)):
                rec, more = self._join(piece)
                if rec is None and more and whole:
                    self._wrapped.append(piece)
                    continue
            elif rec is None and not skipped and whole and self._may_be_wrapped(piece):
                for line in self._wrapped:
                    self._pass(line, text)
                self._wrapped = [piece]
                continue
            if rec is None or not self._joined:
                for line in self._wrapped:
                    self._pass(line, text)
            self._wrapped, self._joined = [], False
            if rec is None:
                self._pass(piece, text)
                continue
            rec.auth = "weak"
            rec.end = piece[len(piece.rstrip(b"\r\n")):] or b"\r\n"
            text.append(without_line_end(self._last, rec.end) if rec.plus else self._last)
            self._last = b""
            flush()
            out.append(rec)
        if final:
            for line in self._wrapped:
                self._pass(line, text)
            self._wrapped = []
            text.append(self._last)
            self._last = b""
        flush()
        return out

    def _pass(self, piece: bytes, text: List[bytes]) -> None:
        """A line that is no record."""
        text.append(self._last)
        stripped = piece.rstrip(b"\r\n") if piece.endswith(b"\n") else piece
        text.append(stripped)
        self._last = piece[len(stripped):]

    def _read(self, piece: bytes) -> Optional[Rec]:
        """A whole line as a record, in any spelling of its sentinel."""
        line = piece.rstrip(b"\r\n")
        spelled = _SPELLED.match(line)
        if spelled is not None:
            line = line[spelled.end():]
            line = line[:-2] if line.endswith(b"^M") else line
        rec = parse(line)
        if rec is None and line[-1:] in (b" ", b"\t"):
            rec = parse(line.rstrip(b" \t\r"))
            self.padded += rec is not None
        self.respelled += rec is not None and spelled is not None
        return rec

    @staticmethod
    def _may_be_wrapped(piece: bytes) -> bool:
        line = _SPELLED.sub(b"", piece.rstrip(b"\r\n"), 1)
        return _NARROWEST <= len(line) <= _WIDEST and _HEAD.match(line) is not None

    def _join(self, piece: bytes) -> Tuple[Optional[Rec], bool]:
        """The waiting lines and this one as one record; and whether another line may still belong to it."""
        parts = [line.rstrip(b"\r\n") for line in [*self._wrapped, piece]]
        width = len(parts[0].replace(b"\xe2\x90\x9e", b"^"))
        if not parts[-1] or len(parts[-1]) > width:
            return None, False
        line = b"".join(parts)
        rec = self._read(line)
        if rec is not None:
            self._joined = True
            self.wrapped += 1
        return rec, len(parts[-1]) == width and len(line) < MOST


def _split_lf(data: bytes) -> List[bytes]:
    """Lines with their ends; bytes.splitlines() would also split at a lone CR."""
    parts = data.split(b"\n")
    lines = [p + b"\n" for p in parts[:-1]]
    return lines + [parts[-1]] if parts[-1] else lines
