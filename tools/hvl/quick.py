# SPDX-License-Identifier: Apache-2.0
"""The quick way for most of a log: decisions that are whole and continue their CPU's counter. All others go the
careful way (wire.py, sequence.py), and both come to the same.

Of such decisions only the check sum and the head are looked at here; a Block holds them as bytes until a view wants more.
"""
from __future__ import annotations

from typing import Dict, Iterator, List, Tuple, Union
from zlib import crc32

from .record import Rec
from .sequence import Event, Sequencer, Session
from .wire import MOST, RS, Scanner, Text, unescape

Line = Tuple[bytes, bytes, int, int, bytes, bytes]      # text before it, kind, seq, CPU, seconds, body with its sum
_KINDS = frozenset((b"@D", b"@A"))
_MOST = MOST - 64      # of a line's rest: a record that is nearly too long goes the careful way
_LAST = 64              # of a CPU that the sequencer remembers
_LEAST = 8              # in a row, or it is not worth the change


class Block:
    """Decisions that came in a row, and the text between them."""

    __slots__ = ("session", "stream", "lines")

    def __init__(self, session: Session, stream: str, lines: List[Line]) -> None:
        self.session = session
        self.stream = stream
        self.lines = lines

    def records(self) -> Iterator[Rec]:
        for line in self.lines:
            yield self.record(line)

    def record(self, line: Line) -> Rec:
        _, kind, seq, cpu, time, rest = line
        body = rest[:-10]
        try:
            text = body.decode()
        except UnicodeDecodeError:
            text = body.decode("latin-1")
        rec = Rec(kind[1:].decode(), False, seq, cpu, nanoseconds_of(time), text, int(rest[-8:], 16))
        rec.session = self.session.number
        return rec

    def events(self) -> Iterator[Union[Text, Rec]]:
        for line in self.lines:
            if line[0]:
                yield self.text(line)
            yield self.record(line)

    def text(self, line: Line) -> Text:
        out = Text(unescape(line[0]))
        out.stream = self.stream
        return out


class Quick:
    """Bytes of one input in, events out, some of them as blocks."""

    def __init__(self, scanner: Scanner, order: Sequencer) -> None:
        self._scanner = scanner
        self._order = order

    def feed(self, data: bytes) -> Iterator[Union[Event, Block]]:
        scanner, order = self._scanner, self._order
        lead, *pieces = (scanner.taken() + data).split(RS)
        at, count = 0, len(pieces) - 1      # the last one may go on in the next chunk
        while at < count:
            lines: List[Line] = []
            if not scanner.waits() and order.settled():
                before = order.expected()
                expected = dict(before)
                lines, rest = self._row(lead, pieces, at, count, expected)
                if len(lines) >= _LEAST:
                    yield self._accept(lines, before, expected)
                    lead, at = rest, at + len(lines)
                    continue
            # The record that ended the row, and a row that is too short, go the careful way.
            last = min(at + len(lines), count - 1)
            end = pieces[last].find(b"\n") + 1 or len(pieces[last])
            yield from order.feed(scanner.feed(lead + RS + RS.join([*pieces[at:last], pieces[last][:end]])))
            lead, at = pieces[last][end:], last + 1
        yield from order.feed(scanner.feed(lead + (RS + pieces[-1] if pieces else b"")))

    @staticmethod
    def _row(lead: bytes, pieces: List[bytes], at: int, count: int, expected: Dict[int, int]) -> Tuple[List[Line], bytes]:
        """Lines from `at` on that have the numbers that are expected, which it moves on, and the text behind the last."""
        first = expected.get(0, -1)
        number0 = b"%d" % first             # of CPU 0, which has most of them
        lines: List[Line] = []
        add = lines.append
        for at in range(at, count):
            line, end, text = pieces[at].partition(b"\r\n")
            try:
                kind, number, time, rest = line.split(b" ", 3)
                if b"%08x" % crc32(line[:-9]) != line[-8:] or kind not in _KINDS or not end or len(rest) > _MOST or \
                        rest[-9] != 0x2a or rest[-10] != 0x20 or time[-10] != 0x2e or len(time) > 22 or \
                        not time.replace(b".", b"", 1).isdigit():
                    break
            except (ValueError, IndexError):
                break
            if number == number0:
                add((lead, kind, first, 0, time, rest))
                first += 1
                number0 = b"%d" % first
            else:
                number, _, part = number.partition(b".")
                if not (number.isdigit() and part.isdigit() and len(part) < 5):
                    break
                seq, cpu = int(number), int(part)
                if not cpu or expected.get(cpu) != seq:
                    break
                expected[cpu] = seq + 1
                add((lead, kind, seq, cpu, time, rest))
            lead = text
        if first >= 0:
            expected[0] = first
        return lines, lead

    def _accept(self, lines: List[Line], before: Dict[int, int], expected: Dict[int, int]) -> Block:
        self._scanner.sentinels += len(lines)
        for cpu, after in expected.items():
            count = after - before[cpu]
            if count:
                own = [line for line in lines[-_LAST:] if line[3] == cpu] or [line for line in lines if line[3] == cpu]
                recent = [(line[2], int(line[5][-8:], 16)) for line in own[-_LAST:]]
                self._order.accept(cpu, count, nanoseconds_of(own[-1][4]), recent)
        texts = [unescape(line[0]) for line in lines if line[0]]
        session, stream = self._order.between(texts)
        return Block(session, stream, lines)


def nanoseconds_of(time: bytes) -> int:
    """`12.000000345`, as it was checked."""
    return int(time[:-10]) * 1_000_000_000 + int(time[-9:])
