# SPDX-License-Identifier: Apache-2.0
"""console, monitor and live: the bytes outside records."""
from __future__ import annotations

import codecs
import json
import os
import stat
import sys
from typing import BinaryIO, List, Optional

from .escape import lines
from .fields import View
from .record import Rec
from .rules import Places
from .run import Options, Output, Run
from .sequence import Event, Sequencer, Session, Start
from .show import Show
from .source import Reader, UsageError
from .symbols import Symbols
from .wire import Scanner, Text

CAST = b'{"version": 2, "width": 80, "height": 24}\n'     # first bytes of a recording
_WITHHELD = 1 << 20  # bytes that wait for the first record, the proof that this is a log
_IDLE = 0.05         # seconds without input after which a live view stops waiting
_PATIENCE = 1 << 12  # bytes that a live view holds back for a doubtful record


def write_stream(run: Run, out: Output, stream: str, cast: bool, exact: bool) -> None:
    """The bytes of one stream, exact or harmless to a terminal; or as an asciinema recording with the times of the
    records in between."""
    early: List[bytes] = []
    size = 0
    proven = False
    now = 0.0
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    if cast:
        out.raw(CAST)
    for event, _ in run.events():
        if isinstance(event, Rec):
            if event.t is not None:
                now = max(now, event.t / 1e9)
            if not proven:
                proven = True
                for data in early:
                    out.raw(data)
                early.clear()
        elif isinstance(event, Text) and event.stream == stream:
            data = event.data
            if cast:
                text = decode(data)
                data = (json.dumps([now, "o", text]) + "\n").encode() if text else b""
            elif not exact:
                data = harmless(data)
            if proven:
                out.raw(data)
                continue
            early.append(data)
            size += len(data)
            if size > _WITHHELD:  # no record in a megabyte: too much to keep; if none comes, the exit status is 3
                proven = True
                for data in early:
                    out.raw(data)
                early.clear()


def harmless(data: bytes) -> bytes:
    """Bytes that a terminal may have; line ends stay."""
    text = data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    return lines(text).encode("utf-8", "backslashreplace")


class Live:
    """A filter between the hypervisor and a terminal: text passes at once, records are shown, hidden or set aside."""

    def __init__(self, places: Places, symbols: Optional[Symbols], hide: bool, color: bool, log: Optional[str],
                 tee: Optional[str]) -> None:
        self._hide = hide
        self._out = Output()
        self._tee = Output(tee) if tee else None
        self._log = Output(log) if log else None
        self._order = Sequencer("-", 0, _PATIENCE)
        self._scanner = Scanner()
        self._column = 0
        self._exact = True
        self._symbols = symbols
        self._places = places
        self._view = View(Session("-"), places, symbols)
        reader = Reader(["-"])
        self._show = Show(Run(reader, places, symbols, Options()), self._out, None, False, color, False)

    def go(self, source: BinaryIO) -> None:
        fd = source.fileno()
        # Text of a file was for another terminal; only a live machine may control this one.
        self._exact = not (stat.S_ISREG(os.fstat(fd).st_mode) and self._out.is_terminal())
        try:
            while True:
                if not _ready(fd):
                    self._idle()
                data = os.read(fd, 1 << 16)
                if not data:
                    break
                if self._tee is not None:
                    self._tee.raw(data)
                    self._tee.flush()
                self._events(self._order.feed(self._scanner.feed(data)))
            self._events(self._order.feed(self._scanner.feed(b"", True)))
            self._events(self._order.finish())
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise UsageError(f"live: {error.strerror or error}") from None
        finally:
            for out in (self._tee, self._log):
                if out is not None:
                    out.close()

    def _idle(self) -> None:
        """No input comes: shows the text that was held back."""
        self._events(self._order.feed(self._scanner.flush_text()))
        self._events(self._order.settle())

    def _events(self, events: List[Event]) -> None:
        for event in events:
            if isinstance(event, Text):
                self._out.raw(event.data if self._exact else harmless(event.data))
                self._column = 0 if event.data.endswith(b"\n") else 1
            elif isinstance(event, Start):
                self._view = View(event.session, self._places, self._symbols)
            elif isinstance(event, Rec):
                self._record(event)
        self._out.flush()

    def _record(self, rec: Rec) -> None:
        line = self._show.line(rec, self._view.of(rec), False)
        if self._log is not None:
            self._log.line(line)
            self._log.flush()
        elif not self._hide:
            self._out.raw((b"\r\n" if self._column else b"") + line.encode("utf-8", "backslashreplace") + b"\r\n")
            self._column = 0


def _ready(fd: int) -> bool:
    """False: no input for a while. If select() cannot tell (Windows, a plain file), reading is the only way."""
    import select
    try:
        return bool(select.select([fd], [], [], _IDLE)[0])
    except (OSError, ValueError):
        return True


def live(places: Places, symbols: Optional[Symbols], hide: bool, color: bool, log: Optional[str],
         tee: Optional[str]) -> int:
    if sys.stdin is None:
        raise UsageError("no standard input")
    Live(places, symbols, hide, color, log, tee).go(sys.stdin.buffer)
    return 0
