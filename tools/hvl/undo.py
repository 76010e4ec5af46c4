# SPDX-License-Identifier: Apache-2.0
"""Undoes the changes that consoles and CI make to a capture, before it is scanned: UTF-16; stamps and colours of lines.

Only changes seen around the first record, which EL2 writes at the start of a line, are undone. Changes of single
records (blanks behind them, wrapped lines, another letter for RS) are mended where records are read: wire.py.
"""
from __future__ import annotations

import codecs
import re
from typing import List, Optional

_HEAD = 1 << 18         # bytes in which the first record is looked for
_SURE = 32              # bytes that show the beginning of a record
_LINE = 1 << 13         # a line without end is passed on in pieces of this size
_COLOUR = rb"\x1b\[[0-9;]{0,16}[mK]"
_CLOCK = rb"[0-2][0-9]:[0-5][0-9]:[0-6][0-9](?:[.,][0-9]{1,9})?"
_STAMP = (rb"(?:\[?(?:[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]|[A-Z][a-z]{2} [ 0-9][0-9] )?" + _CLOCK
          + rb"(?:Z|[+-][0-9]{2}:?[0-9]{2})?\]?|\[ {0,6}[0-9]{1,7}\.[0-9]{3,9}(?: [0-9.]{3,18})?\])[ \t]?")
_RECORD = rb"(?:\x1e|\^\^|\xe2\x90\x9e)?@[A-Z]\+? [0-9]"
_COLOURS = rb"(?:" + _COLOUR + rb"){0,8}"
_FIRST = re.compile(rb"^(" + _COLOURS + rb")(" + _STAMP + rb")?(" + _COLOURS + rb")[ \t]?" + _RECORD, re.M)
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class Undo:
    """Bytes in, bytes out, with the changes undone."""

    def __init__(self) -> None:
        self._decode: Optional[codecs.IncrementalDecoder] = None
        self._encoding = ""
        self._head: Optional[bytes] = b""       # None: the changes are known
        self._begun = False
        self._edge: "Optional[re.Pattern[bytes]]" = None
        self._what = ""
        self._rest = b""
        self._count = 0

    def feed(self, data: bytes, final: bool = False) -> bytes:
        data = self._decoded(data, final)
        if self._head is not None:
            self._head += data
            found = _FIRST.search(self._head) if b"@" in data or b"@" in self._head[-_SURE:] or final else None
            at = self._head.find(b"\x1e@")
            if found is None and (at < 0 or len(self._head) - at < _SURE) and len(self._head) < _HEAD and not final:
                return b""
            data, self._head = self._head, None
            self._recognise(found)
        if self._edge is None:
            return data
        data = self._rest + data
        stop = len(data) if final else data.rfind(b"\n") + 1
        if not stop and len(data) > _LINE:
            stop = len(data)
        data, self._rest = data[:stop], data[stop:]
        data, count = self._edge.subn(b"", data)
        self._count += count
        return data

    def _recognise(self, found: "Optional[re.Match[bytes]]") -> None:
        before, stamp, behind = found.groups() if found is not None else (b"", None, b"")
        ends = rb"(?:" + _COLOUR + rb"){1,8}"
        if stamp is None and (before or behind):
            self._what, edge = "colour codes", rb"^" + ends + rb"|" + ends + rb"(?=\r{0,3}$)"
        elif before or behind:
            self._what, edge = "time stamps and colour codes", (
                rb"^" + _COLOURS + _STAMP + _COLOURS + rb"[ \t]?|" + ends + rb"(?=\r{0,3}$)")
        elif stamp is not None:
            self._what, edge = "time stamps", rb"^" + _STAMP
        else:
            return
        self._edge = re.compile(edge, re.M)

    def _decoded(self, data: bytes, final: bool) -> bytes:
        if not self._begun:
            data = self._rest + data
            if len(data) < 4 and not final:     # too little to see the changes
                self._rest = data
                return b""
            self._begun, self._rest = True, b""
            self._encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "")
            if not self._encoding and data[:4] in (b"\x1e\0@\0", b"@\0H\0"):
                self._encoding = "utf-16-le"
            if self._encoding == "utf-8":
                return data[len(codecs.BOM_UTF8):]
            if self._encoding:
                self._decode = codecs.getincrementaldecoder(self._encoding)("replace")
                data = data[2:] if data[0] > 0x7f else data
        if self._decode is None:
            return data
        return self._decode.decode(data, final).encode("utf-8", "replace")

    def told(self) -> List[str]:
        """Remarks about the changes that were undone."""
        out = [f"undone: {self._encoding.upper()}"] if self._encoding.startswith("utf-16") else []
        if self._count:
            out.append(f"undone: {self._what} around lines, {self._count} in all; the guest's own went with them")
        return out
