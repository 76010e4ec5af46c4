# SPDX-License-Identifier: Apache-2.0
"""Files, stdin and gzip as chunks of bytes; then the whole decoder as one stream of events."""
from __future__ import annotations

import os
import sys
import zlib
from typing import BinaryIO, Iterator, List, Optional, Union

from .escape import terminal
from .files import UsageError as UsageError, complaint
from .progress import Progress
from .quick import Block, Quick
from .sequence import Event, Sequencer
from .undo import Undo
from .wire import Scanner, WeakScanner

CHUNK = 1 << 18
_PIECE = 1 << 13           # bytes of a gzip file, at a time
_MEMBERS = 100_000
_UNPACKED = 4 << 30
_SESSIONS = 10_000         # boots in one log, at most
_GZIP = b"\x1f\x8b\x08"  # never starts a capture: a guest's 1F is escaped, and no record begins so


class Notes:
    """Remarks about the inputs, printed at the end."""

    def __init__(self) -> None:
        self.lines: List[str] = []
        self.cuts: List[str] = []   # remarks about parts that are not read

    @property
    def truncated(self) -> bool:
        return bool(self.cuts)

    def cut(self, text: str) -> None:
        """A part of the input is not read."""
        self.lines.append(text)
        self.cuts.append(text)


def open_input(name: str) -> BinaryIO:
    if name == "-":
        if sys.stdin is None:
            raise UsageError("no standard input")
        return sys.stdin.buffer
    try:
        return open(name, "rb", buffering=0)
    except (OSError, ValueError) as error:      # ValueError: a NUL in the name
        raise complaint(name, error) from None


def _raw(stream: BinaryIO, name: str, progress: Optional[Progress]) -> Iterator[bytes]:
    read = getattr(stream, "read1", stream.read)
    while True:
        try:
            data = read(CHUNK)
        except OSError as error:
            raise complaint(name, error) from None
        if not data:
            return
        if progress is not None:
            progress.add(len(data))
        yield data


def _gunzip(chunks: Iterator[bytes], name: str, notes: Notes) -> Iterator[bytes]:
    """Members one after the other. A truncated or damaged file gives its readable part, and a remark."""
    unzip, members, size = zlib.decompressobj(31), 1, 0
    for data in _small(chunks):     # zlib copies the bytes behind a member for each one, so they are few
        while data:
            if unzip.eof:
                if not data.strip(b"\0"):
                    break
                unzip = zlib.decompressobj(31)
                members += 1
            try:
                while True:
                    out = unzip.decompress(data, CHUNK)
                    if out:
                        yield out
                    size += len(out)
                    data = unzip.unconsumed_tail
                    if unzip.eof or not data and len(out) < CHUNK:
                        break
            except zlib.error as error:
                notes.cut(f"{name}: the gzip stream is damaged ({error}); what follows is not read")
                return
            if members > _MEMBERS or size > _UNPACKED:
                what = f"{_MEMBERS} members" if members > _MEMBERS else f"{_UNPACKED} bytes unpacked"
                notes.cut(f"{name}: a gzip file of more than {what}; what follows is not read")
                return
            data = unzip.unused_data
    if not unzip.eof:
        notes.cut(f"{name}: the gzip stream ends early")


def _small(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """In pieces of _PIECE."""
    for data in chunks:
        for at in range(0, len(data), _PIECE):
            yield data[at:at + _PIECE]


def _large(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Joins many small chunks."""
    parts: List[bytes] = []
    size = 0
    for data in chunks:
        parts.append(data)
        size += len(data)
        if size >= CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


def chunks_of(name: str, notes: Notes, progress: Optional[Progress] = None) -> Iterator[bytes]:
    stream = open_input(name)
    try:
        raw = _raw(stream, name, progress)
        head = b""
        for data in raw:
            head += data
            if len(head) >= len(_GZIP):
                break
        if head.startswith(_GZIP):
            yield from _large(_gunzip(_chain(head, raw), name, notes))
        else:
            if head:
                yield head
            yield from raw
    finally:
        if name != "-":
            stream.close()


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


class Reader:
    """All inputs as one stream of events; the sessions are numbered through."""

    quick = True        # whatever it is, what comes out is the same

    def __init__(self, files: List[str], weak: bool = False, only: Optional[int] = None) -> None:
        self.files = files or ["-"]
        self._weak = weak
        self.only = only
        self.notes = Notes()
        self.sessions = 0
        self.bare = False
        self.sentinels = 0
        self.progress: Optional[Progress] = None

    def _file(self, name: str) -> Iterator[Union[Event, Block]]:
        scanner = WeakScanner() if self._weak else Scanner()
        before = self.sessions
        order = Sequencer(name, before)
        undo = Undo()
        order.altered = lambda: bool(undo.told()) or scanner.mended() > 0
        quick = Quick(scanner, order) if self.quick and not self._weak else None
        for data in chunks_of(name, self.notes, self.progress):
            data = undo.feed(data)
            yield from order.feed(scanner.feed(data)) if quick is None else quick.feed(data)
            if order.sessions - before > _SESSIONS:
                self.notes.cut(f"{name}: more than {_SESSIONS} sessions; what follows is not read")
                break
        else:
            yield from order.feed(scanner.feed(undo.feed(b"", True)))
            yield from order.feed(scanner.feed(b"", True))
        yield from order.finish()
        self.sessions = order.sessions
        self.notes.lines += [f"{name}: {text}" for text in [*undo.told(), *scanner.told(), *order.told()]]
        self.bare = self.bare or scanner.bare
        self.sentinels += scanner.sentinels

    def events(self) -> Iterator[Union[Event, Block]]:
        for name in self.files:
            if name != "-" and not os.path.exists(name):
                raise UsageError(f"{terminal(name)}: no such file")
        for name in self.files:
            yield from self._file(name)

    def refusal(self) -> Optional[str]:
        """The reason why there is nothing to decode; None if there is something."""
        if self.sessions:
            return None
        if self.sentinels:
            return "no HVL1 record in the input: every one that starts is damaged"
        if self.bare:
            return ("the sentinel was stripped or respelled (^^, U+241E): there are records, but none begins with the "
                    "byte 0x1E that a guest cannot send; --weak reads them, and then the guest can forge")
        return "no HVL1 record in the input"
