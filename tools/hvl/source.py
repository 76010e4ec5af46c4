# SPDX-License-Identifier: Apache-2.0
"""Files, stdin and gzip as chunks of bytes; then the whole decoder as one stream of events."""
from __future__ import annotations

import os
import sys
import zlib
from typing import BinaryIO, Iterator, List, Optional

from .sequence import Event, Sequencer
from .wire import Scanner, WeakScanner

CHUNK = 1 << 18
_GZIP = b"\x1f\x8b\x08"  # never the start of a capture: a guest's 1F is escaped, and no record starts so


class UsageError(Exception):
    """The command cannot be done: exit 2 with this line."""


class Notes:
    """What is to be said about the inputs when all is done."""

    def __init__(self) -> None:
        self.lines: List[str] = []
        self.truncated = False


def open_input(name: str) -> BinaryIO:
    if name == "-":
        if sys.stdin is None:
            raise UsageError("no standard input")
        return sys.stdin.buffer
    try:
        return open(name, "rb", buffering=0)
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror or error}") from None


def _raw(stream: BinaryIO, name: str) -> Iterator[bytes]:
    read = getattr(stream, "read1", stream.read)
    while True:
        try:
            data = read(CHUNK)
        except OSError as error:
            raise UsageError(f"{name}: {error.strerror or error}") from None
        if not data:
            return
        yield data


def _gunzip(chunks: Iterator[bytes], name: str, notes: Notes) -> Iterator[bytes]:
    """Members one after the other. A truncated or damaged file gives what can be had, and a note."""
    unzip = zlib.decompressobj(31)
    for data in chunks:
        while data:
            if unzip.eof:
                if not data.strip(b"\0"):
                    break
                unzip = zlib.decompressobj(31)
            try:
                out = unzip.decompress(data, CHUNK)
                yield out
                while not unzip.eof and (unzip.unconsumed_tail or len(out) == CHUNK):
                    out = unzip.decompress(unzip.unconsumed_tail, CHUNK)
                    yield out
            except zlib.error as error:
                notes.truncated = True
                notes.lines.append(f"{name}: the gzip stream is damaged ({error}); what follows is not read")
                return
            data = unzip.unused_data
    if not unzip.eof:
        notes.truncated = True
        notes.lines.append(f"{name}: the gzip stream ends early")


def chunks_of(name: str, notes: Notes) -> Iterator[bytes]:
    stream = open_input(name)
    try:
        raw = _raw(stream, name)
        head = b""
        for data in raw:
            head += data
            if len(head) >= len(_GZIP):
                break
        if head.startswith(_GZIP):
            yield from _gunzip(_chain(head, raw), name, notes)
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

    def __init__(self, files: List[str], weak: bool = False, only: Optional[int] = None) -> None:
        self.files = files or ["-"]
        self._weak = weak
        self.only = only
        self.notes = Notes()
        self.sessions = 0
        self.bare = False
        self.sentinels = 0

    def _file(self, name: str) -> Iterator[Event]:
        scanner = WeakScanner() if self._weak else Scanner()
        order = Sequencer(name, self.sessions)
        for data in chunks_of(name, self.notes):
            yield from order.feed(scanner.feed(data))
        yield from order.feed(scanner.feed(b"", True))
        yield from order.finish()
        self.sessions = order.sessions
        self.bare = self.bare or scanner.bare
        self.sentinels += scanner.sentinels

    def events(self) -> Iterator[Event]:
        for name in self.files:
            if name != "-" and not os.path.exists(name):
                raise UsageError(f"{name}: no such file")
        for name in self.files:
            yield from self._file(name)

    def refusal(self) -> Optional[str]:
        """Why there is nothing to decode; None if there is."""
        if self.sessions:
            return None
        if self.sentinels:
            return "no HVL1 record in the input: every one that starts is damaged"
        if self.bare:
            return ("the sentinel was stripped: there are records, but none begins with the byte 0x1E that a guest "
                    "cannot send; --weak reads them, and then the guest can forge")
        return "no HVL1 record in the input"
