# SPDX-License-Identifier: Apache-2.0
"""Splits a capture into records and the bytes between them (hv/log/README.md).

Everything here is linear in the input, whatever the input, and holds at most two record lengths of it.
"""
from __future__ import annotations

import re
import zlib
from typing import List, Optional, Tuple, Union

from . import batch
from .record import Rec

RS = b"\x1e"
MOST = 2048               # longest record, RS and line end not counted
_WINDOW = MOST + 3        # room for CR CR LF
_ENDS = re.compile(rb"[\n\x1e]")
_RUN = re.compile(rb"\x1e+")
_ESCAPED = re.compile(rb"\x1f([ef])")
_HEAD = re.compile(rb"@([A-Z])(\+?) ([0-9]{1,20})(?:\.([0-9]{1,4}))?(?: ([0-9]{1,12})\.([0-9]{9}))?(?: (.*))?",
                   re.DOTALL)
_HEX = frozenset(b"0123456789abcdef*")
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+[]")
_LONGEST_NAME = 64        # of a program that writes to stderr
_TRIES = 256              # cuts that are tried for one broken record
# A record that lost its sentinel.
BARE = re.compile(rb"(?:\A|\n)@[A-Z]\+? [0-9][^\n]{0,2048} \*[0-9a-f]{8}\r{0,2}(?:\n|\Z)")


class Text:
    """Bytes outside records, un-escaped. `stream` is set by sequence.py: guest, monitor or gdb."""

    __slots__ = ("data", "stream")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.stream = "guest"


class Damaged:
    """What followed an RS and is no record; `count` of them (a run of bare RS is one object)."""

    __slots__ = ("data", "count")

    def __init__(self, data: bytes, count: int = 1) -> None:
        self.data = data
        self.count = count


Token = Union[Text, Rec, Damaged]


def parse(line: bytes) -> Optional[Rec]:
    """A record from its line, RS and line end removed; None unless the CRC and the head are right."""
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
    if (sec is None) != (kind == b"B"):  # a batch, and only a batch, has no time
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
    """Where to stop emitting text: an unfinished escape waits, and so does a line end that a `+` may take away."""
    if end > start and buf[end - 1] in b"\r\n":
        end = max(start, end - 3)
    return end - 1 if end > start and buf[end - 1] == 0x1f else end


def without_line_end(text: bytes, end: bytes) -> bytes:
    """Takes away the CR LF that EL2 put before a `+` record. A capture that rewrote line ends rewrote this one too,
    so the record's own end says what to take."""
    for tail in (end, b"\r\n", b"\n"):
        if tail and text.endswith(tail):
            return text[:-len(tail)]
    return text


def repair(first: bytes, second: bytes) -> Optional[Tuple[Rec, bytes]]:
    """A record that somebody's whole line was written into: `first` holds the record's start and that line,
    `second` the record's rest. Tries every place where a word before a ': ' may have begun."""
    rest = second.rstrip(b"\r")
    if not _HEX.issuperset(rest[-8:]):
        return None
    tries = 0
    colon = first.find(b": ")
    while colon > 0 and tries < _TRIES:
        cut = colon
        while cut > 0 and colon - cut < _LONGEST_NAME and first[cut - 1] in _WORD:
            cut -= 1
            tries += 1
            rec = parse((first[:cut] + rest).rstrip(b"\r"))
            if rec is not None:
                return rec, first[cut:] + b"\n"
        colon = first.find(b": ", colon + 2)
    return None


class Scanner:
    """Bytes in, tokens out, in wire order."""

    def __init__(self) -> None:
        self._rest = b""
        self.sentinels = 0  # RS bytes seen
        self.bare = False   # looks like records whose RS was stripped

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
            if buf[rs + 1:rs + 2] == RS:
                run = _RUN.match(buf, rs)
                assert run is not None
                self._text(out, buf[pos:rs])
                count = run.end() - rs - 1
                self.sentinels += count
                out.append(Damaged(b"", count))
                pos = rs + count
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

    def flush_text(self) -> List[Token]:
        """For a live view: gives up what was held back, so that a `+` can no longer take it away."""
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
            if not self.sentinels and not self.bare and BARE.search(data):
                self.bare = True
            out.append(Text(unescape(data)))

    def _record(self, buf: bytes, pos: int, rs: int, final: bool, out: List[Token]) -> int:
        """Reads what follows the RS at `rs`; text from `pos` on stands before it. Returns where to go on,
        -1: more bytes are needed."""
        start = rs + 1
        m = _ENDS.search(buf, start, start + _WINDOW)
        if m is None:
            if not final and len(buf) - start < _WINDOW:
                return -1
            # Too long for a record, or the capture ends in it: at most the end of a file makes this whole.
            end = after = min(start + MOST, len(buf))
        else:
            end = m.start()
            after = m.end() if buf[end] == 0x0a else end
        line = buf[start:end].rstrip(b"\r")
        rec = parse(line)
        if rec is not None:
            rec.end = buf[start + len(line):after] or b"\r\n"
        elif m is not None and after > end and b": " in line:
            m2 = _ENDS.search(buf, after, after + _WINDOW)
            if m2 is None and not final and len(buf) - after < _WINDOW:
                return -1
            end2 = m2.start() if m2 is not None else min(after + MOST, len(buf))
            fixed = repair(buf[start:end], buf[after:end2])
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
    marked. Once a sentinel does show up, the capture was not stripped, and only sentinels count."""

    def __init__(self) -> None:
        super().__init__()
        self._line = b""
        self._last = b""     # a line end that a `+` may take away
        self._skip = False   # inside a line too long to be a record
        self._strict = False

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
            rec = None if skipped else parse(piece.rstrip(b"\r\n"))
            if rec is None:
                text.append(self._last)
                stripped = piece.rstrip(b"\r\n") if whole else piece
                text.append(stripped)
                self._last = piece[len(stripped):]
                continue
            rec.auth = "weak"
            rec.end = piece[len(piece.rstrip(b"\r\n")):] or b"\r\n"
            text.append(without_line_end(self._last, rec.end) if rec.plus else self._last)
            self._last = b""
            flush()
            out.append(rec)
        if final:
            text.append(self._last)
            self._last = b""
        flush()
        return out


def _split_lf(data: bytes) -> List[bytes]:
    """Lines with their ends; bytes.splitlines() would also split at a lone CR."""
    parts = data.split(b"\n")
    lines = [p + b"\n" for p in parts[:-1]]
    return lines + [parts[-1]] if parts[-1] else lines
