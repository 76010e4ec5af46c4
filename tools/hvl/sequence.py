# SPDX-License-Identifier: Apache-2.0
"""Decides which records count, in which session, and which are missing (hv/log/README.md, "Reading a capture", 3 and
4).

The RS rule stops forgery and the CRC stops damage; order is the second fence. Two orders exist:

  strict   `log=text|full`: seq only grows on the line. A record that goes back is suspect; so is one that leaps ahead
           of a successor with a smaller seq, which is why a record behind a gap waits for the next one.
  held     `log=notable|quiet`: EL2 sends some records at once and the rest later, so an older one may fill a gap
           if its time fits into that gap. No number is accepted twice.

Two repairs keep one wrong number from costing the rest of a log: four consecutive records that fill a gap in strict
order are believed (the number that made the gap was the wrong one), and four growing records that start low, outside
any gap, are a session whose header was lost.
"""
from __future__ import annotations

from collections import deque
from typing import Callable, Deque, Dict, List, Optional, Tuple, Union

from . import batch
from .acts import Stops, change
from .escape import terminal
from .gaps import Gaps
from .guesttext import GuestText
from .record import Rec, nanoseconds, number
from .wire import Damaged, Text, Token

_QUEUE = 4096            # queued items that may wait for one doubtful record
_QUEUE_BYTES = 1 << 20
_RECENT = 64             # records remembered, to tell a repeated one from a wrong one
_BELIEVED = 4            # consecutive records that outweigh one leap
_LOW = 1024              # highest first number of a session without a header
_LOSSES = 16             # losses listed one by one
_CPUS = 512              # counters in one session, at most
_MIXED = 3               # records of another session; fewer are damage
_KEYS = 64               # words of a header; a header of ours has 10
_VBARS = 16              # values of VBAR_EL1
_CHANGES = 100           # of the operator's, listed one by one
_AHEAD = 256             # lost ranges announced before the counter gets there


class Suspect:
    """A whole record that does not fit the order. It enters no result, and is shown on demand."""

    __slots__ = ("rec",)

    def __init__(self, rec: Rec) -> None:
        self.rec = rec


class Loss:
    """One @L."""

    __slots__ = ("count", "why", "first", "last", "since", "until")

    def __init__(self, count: int, why: str, first: Optional[int], last: Optional[int],
                 since: Optional[int], until: Optional[int]) -> None:
        self.count = count
        self.why = why
        self.first = first
        self.last = last
        self.since = since
        self.until = until


class Session:
    """One boot of the hypervisor: the words of its header, and how whole its log is."""

    def __init__(self, source: str) -> None:
        self.number = 0  # number, given with the first record
        self.source = source
        self.header: Dict[str, str] = {}
        self.cntfrq = 0
        self.records = 0
        self.first: Optional[int] = None
        self.last: Optional[int] = None
        self.start_time: Optional[int] = None   # time zero: the guest begins, or else the first record
        self.end_time = 0
        self.lost = 0
        self.losses: List[Loss] = []
        self.damaged = 0
        self.suspect = 0
        self.duplicate = 0
        self.repaired = 0
        self.batched = 0                        # records in batches that this decoder cannot unpack
        self.windows: List[batch.Window] = []   # names of addresses, for batches
        self.weak = 0
        self.text = GuestText()
        self.paused = 0
        self.monitors = 0
        self.stops = Stops()
        self.vbars: List[int] = []              # VBAR_EL1 as it was seen: where the guest's kernel lies
        self.changes = 0                        # of the policy and the guest, by the operator
        self.changed: List[Tuple[Rec, str]] = []        # the first of them
        self.trailer: Optional[Rec] = None
        self.cpus: Dict[int, Cpu] = {}
        self.held_mode = False  # set once by a header: the monitor may change the mode, the gaps stay

    def _gaps(self) -> int:
        return sum(cpu.gaps.total() for cpu in self.cpus.values())

    @property
    def missing(self) -> int:
        """Records lost on the line. If EL2 does not send everything, a gap proves nothing: only each CPU's trailer says
        how many of its records were sent."""
        if not self.held_mode:
            return self._gaps()
        return sum(max(0, cpu.sent - cpu.received) for cpu in self.cpus.values())

    @property
    def held(self) -> int:
        """Records that EL2 made and, by its log mode, did not send."""
        return max(0, self._gaps() - self.missing) if self.held_mode else 0

    @property
    def text_short(self) -> int:
        """Bytes of the guest's that EL2 sent and that are not here."""
        sent = number(self.trailer.f.kv.get("guestbytes", "")) if self.trailer else None
        return 0 if self.head_cut else self.text.short(sent or 0)

    @property
    def guest_time(self) -> int:
        """Nanoseconds that the guest had, without what was hidden from it."""
        return max(0, self.end_time - (self.start_time or 0) - self.paused)

    @property
    def head_cut(self) -> bool:
        return bool(self.first)

    def complete(self, allowed: int = 0, text: int = 0) -> bool:
        """Is everything here but for so many records and so many bytes of the guest's text?"""
        return (self.lost + self.missing <= allowed and self.damaged <= allowed and not self.suspect
                and not self.head_cut and self.ended and self.text_short <= text)

    @property
    def ended(self) -> bool:
        """Whether every CPU that logged has a trailer."""
        return self.trailer is not None and all(cpu.sent or not cpu.received for cpu in self.cpus.values())

    def name(self, key: str) -> str:
        """A word of the header, for people."""
        return terminal(self.header.get(key, "?"))

    def policy_hash(self) -> str:
        return self.header.get("policy", "").rpartition("#")[2]

    def ns(self, ticks: int) -> Optional[int]:
        return ticks * 1_000_000_000 // self.cntfrq if self.cntfrq else None


class Start:
    """A session begins."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session


class End:
    """A session is over; its numbers are final."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session


class _Switch:
    """The place in the queue where one session ends and the next begins."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session


Event = Union[Text, Rec, Damaged, Suspect, Start, End]
_Queued = Union[Text, Rec, Damaged, Suspect, End, _Switch]


class Cpu:
    """One CPU's counter."""

    def __init__(self) -> None:
        self.next = 0               # the seq that continues the log
        self.time: Optional[int] = None
        self.gaps = Gaps()
        self.ahead: List[Tuple[int, int]] = []  # lost ranges that the counter has not reached yet
        self.recent: Deque[Tuple[int, int]] = deque(maxlen=_RECENT)
        self.waiting: Optional[_Slot] = None
        self.run: List[_Slot] = []
        self.run_new = False        # the run starts a session; it fills no gap
        self.fill_next = -1         # continues a run that was believed
        self.received = 0
        self.sent = 0               # from its trailer
        self.lost = 0               # from its trailer


class _Slot:
    """A place in the output queue, decided or not."""

    __slots__ = ("thing", "decided")

    def __init__(self, thing: _Queued, decided: bool) -> None:
        self.thing = thing
        self.decided = decided

    @property
    def rec(self) -> Rec:
        assert isinstance(self.thing, Rec)
        return self.thing


class Sequencer:
    """Tokens of one input in, events out. Sessions are numbered from `first`."""

    def __init__(self, source: str, before: int = 0, patience: int = _QUEUE_BYTES) -> None:
        self._source = source
        self.sessions = before                  # session numbers given so far
        self._patience = patience               # bytes that may wait for a decision
        self.session = Session(source)          # the session in which new records are judged
        self._out_session = self.session        # the session whose events are being put out
        self._queue: Deque[_Slot] = deque()
        self._queued = 0
        self._header: Optional[_Slot] = None    # an @H with seq 0 that may start a session
        self._stream = "guest"
        self._stream_gap = 0
        self._out: List[Event] = []
        # Position in a session that was left for another, or not believed: cpu -> next seq, time.
        self._gone: Dict[int, Tuple[int, Optional[int]]] = {}
        self.altered: Callable[[], bool] = bool    # was text changed on the way?
        self._gone_on = 0                       # its records that came all the same

    # --- in ---------------------------------------------------------------------------------------------

    def feed(self, tokens: List[Token]) -> List[Event]:
        for token in tokens:
            if isinstance(token, Rec):
                self._record(token)
            else:
                self._put(token)
        out, self._out = self._out, []
        return out

    def settled(self) -> bool:
        """Is nothing in doubt, so that a decision whose number is expected() need not be looked at further?"""
        s = self.session
        return not self._queue and self._header is None and s is self._out_session and s.records > 0 and not any(
            cpu.waiting is not None or cpu.run or cpu.ahead for cpu in s.cpus.values())

    def expected(self) -> Dict[int, int]:
        """Each CPU's next number."""
        return {number: cpu.next for number, cpu in self.session.cpus.items()}

    def accept(self, number: int, count: int, t: int, recent: List[Tuple[int, int]]) -> None:
        """`count` decisions that continued the CPU's counter, the last of them at `t`; `recent`: number and sum of the last."""
        s, cpu = self.session, self.session.cpus[number]
        s.records += count
        cpu.received += count
        cpu.next = recent[-1][0] + 1
        cpu.time = t
        cpu.recent.extend(recent)
        s.last = max(s.last or 0, recent[-1][0])
        s.end_time = max(s.end_time, t)

    def between(self, texts: List[bytes]) -> Tuple[Session, str]:
        """Text that stood between them; the session and the stream that all of it belongs to."""
        for data in texts:
            if self._stream == "guest":
                self.session.text.add(data)
            elif self._stream == "gdb":
                self.session.text.gdb(data)
        return self.session, self._stream

    def settle(self) -> List[Event]:
        """For a live view: no longer waits for a successor."""
        self._settle()
        out, self._out = self._out, []
        return out

    def finish(self) -> List[Event]:
        self._settle()
        if self.session.records:
            self._end(self.session)
        out, self._out = self._out, []
        return out

    def _end(self, session: Session) -> None:
        session.text.altered = session.text.altered or self.altered() or session.weak > 0
        self._out.append(End(session))

    def _settle(self) -> None:
        """Decides everything that waits: no successor will come."""
        if self._header is not None:
            slot, self._header = self._header, None
            self._begin(slot)
        for cpu in self.session.cpus.values():
            self._drop_run(cpu)
            self._release(cpu)

    # --- the queue --------------------------------------------------------------------------------------

    def _put(self, thing: _Queued) -> None:
        if self._queue:
            self._push(thing, True)
        else:
            self._emit(thing)

    def _push(self, thing: _Queued, decided: bool) -> _Slot:
        slot = _Slot(thing, decided)
        self._queue.append(slot)
        self._queued += len(thing.data) if isinstance(thing, (Text, Damaged)) else 256
        if len(self._queue) > _QUEUE or self._queued > self._patience:
            self._settle()
        return slot

    def _decide(self, slot: _Slot, keep: bool) -> None:
        if not keep:
            slot.thing = Suspect(slot.rec)
        slot.decided = True
        while self._queue and self._queue[0].decided:
            head = self._queue.popleft()
            self._queued -= len(head.thing.data) if isinstance(head.thing, (Text, Damaged)) else 256
            self._emit(head.thing)

    def _emit(self, thing: _Queued) -> None:
        s = self._out_session
        if isinstance(thing, Rec):
            self._account(thing)
            if thing.kind == "B":
                opened = batch.unpack(thing, s.cntfrq, s.windows)
                if opened is not None:
                    for rec in opened:
                        rec.session = thing.session
                        if rec.t is not None and rec.t > s.end_time:
                            s.end_time = rec.t
                    self._out.extend(opened)
                    return
                s.batched += thing.span
        elif isinstance(thing, Text):
            thing.stream = self._stream
            if self._stream == "guest":
                s.text.add(thing.data)
            elif self._stream == "gdb":
                s.text.gdb(thing.data)
        elif isinstance(thing, Damaged):
            s.damaged += thing.count
        elif isinstance(thing, Suspect):
            s.suspect += 1
        elif isinstance(thing, _Switch):
            new = thing.session
            if s.records:
                self._end(s)
            else:  # nothing but damage so far: it is the new session's
                new.damaged, new.suspect, new.text = s.damaged, s.suspect, s.text
            self._out_session = new
            self._stream = "guest"
            return
        self._out.append(thing)

    def _account(self, rec: Rec) -> None:
        """Changes of the session by an accepted record, in the order of the line."""
        s = self._out_session
        if not s.records:
            s.first = rec.seq
            if rec.kind == "H" and not rec.seq:
                s.text = GuestText()                # earlier text is another's
            self.sessions += 1
            s.number = self.sessions
            self._out.append(Start(s))
        s.records += rec.span
        rec.session = s.number
        if rec.auth == "weak":
            s.weak += 1
        if rec.foreign is not None:
            s.repaired += 1
        cpu = s.cpus.setdefault(rec.cpu, Cpu())
        cpu.received += rec.span
        last = rec.seq + rec.span - 1
        if s.last is None or last > s.last:
            s.last = last
        if rec.t is not None:
            s.start_time = rec.t if s.start_time is None else s.start_time
            s.end_time = max(s.end_time, rec.t)
        kind = rec.kind
        if kind in "DA":
            return
        if kind in "SE" and "vbar=" in rec.body:
            self._vbar(s, rec)
        changed = change(rec) if kind in "EP" else None
        if changed is not None:
            s.changes += 1
            if len(s.changed) < _CHANGES:
                s.changed.append((rec, changed))
        if kind == "H":
            s.header.update((key, value) for key, value in rec.f.kv.items()
                            if key in s.header or len(s.header) < _KEYS)
            s.cntfrq = number(s.header.get("cntfrq", "")) or 0
            if s.header.get("log") in ("notable", "quiet"):
                s.held_mode = True
            if self._stream != "guest" and s._gaps() > self._stream_gap:
                self._stream = "guest"  # the end of the monitor's text is missing
        elif kind == "E":
            self._stream_event(rec)
        elif kind == "Z":
            s.trailer = rec
            s.text.ends(rec.end)
            cpu.sent = number(rec.f.kv.get("records", "")) or 0
            cpu.lost = number(rec.f.kv.get("lost", "")) or 0
            s.lost = max(s.lost, sum(c.lost for c in s.cpus.values()))

    @staticmethod
    def _vbar(s: Session, rec: Rec) -> None:
        vbar = number(rec.f.kv.get("vbar", ""))
        if vbar and vbar not in s.vbars and len(s.vbars) < _VBARS:
            s.vbars.append(vbar)

    def _stream_event(self, rec: Rec) -> None:
        event = rec.f.event
        s = self._out_session
        if event == "windows":
            s.windows = batch.windows(rec.body)
        elif event == "guest+" and rec.t is not None and not rec.cpu:
            s.start_time = rec.t
        if event in ("mon+", "mon-"):
            s.stops.event(rec, nanoseconds(rec.f.kv.get("paused", "").rstrip("s")) or 0)
        if event in ("mon+", "gdb+"):
            self._stream = "monitor" if event == "mon+" else "gdb"
            self._stream_gap = s._gaps()
            if event == "mon+":
                s.monitors += 1
        elif event == "gdb-":
            self._stream = "guest"
        elif event == "mon-":
            self._stream = "guest"
            s.paused += nanoseconds(rec.f.kv.get("paused", "").rstrip("s")) or 0

    # --- the order --------------------------------------------------------------------------------------

    def _cpu(self, rec: Rec) -> Optional[Cpu]:
        cpus = self.session.cpus
        cpu = cpus.get(rec.cpu)
        if cpu is None and len(cpus) < _CPUS:
            cpu = cpus[rec.cpu] = Cpu()
        return cpu

    def _record(self, rec: Rec) -> None:
        if self._header is not None:
            self._confirm_header(rec)
        if rec.kind == "H" and rec.seq == 0 and rec.cpu == 0 and self.session.cpus:
            self._header = self._push(rec, False)
            return
        self._place(rec)

    def _confirm_header(self, rec: Rec) -> None:
        """A header with seq 0 is believed unless the old session goes on after it."""
        slot = self._header
        assert slot is not None
        self._header = None
        old = self.session.cpus.get(rec.cpu)
        if old is not None and rec.seq == old.next and rec.seq > 1 and not (rec.kind == "H" and rec.seq == 0):
            if self._gone_on < _MIXED:
                self._gone = {slot.rec.cpu: (slot.rec.seq + 1, slot.rec.t)}
            self._decide(slot, False)
        else:
            self._begin(slot)

    def _begin(self, slot: _Slot) -> None:
        """Starts a new session with the record in `slot`, which waits in the queue."""
        for cpu in self.session.cpus.values():
            self._drop_run(cpu)
            self._release(cpu)
        if self._gone_on < _MIXED:
            self._gone = {number: (cpu.next, cpu.time) for number, cpu in self.session.cpus.items()}
        new = Session(self._source)
        self._queue.insert(self._queue.index(slot), _Slot(_Switch(new), True))
        self._queued += 256
        self.session = new
        self._advance(self._cpu_of(new, slot.rec), slot.rec)
        self._decide(slot, True)

    @staticmethod
    def _cpu_of(session: Session, rec: Rec) -> Cpu:
        return session.cpus.setdefault(rec.cpu, Cpu())

    def _place(self, rec: Rec) -> None:
        if rec.cpu in self._gone:
            self._goes_on(rec)
        cpu = self._cpu(rec)
        if cpu is None:
            self._put(Suspect(rec))
            return
        if rec.kind == "L" and self._loss(cpu, rec):
            return
        while True:
            if rec.seq >= cpu.next:
                if self._forward(cpu, rec):
                    return
            else:
                self._backward(cpu, rec)
                return

    def _goes_on(self, rec: Rec) -> None:
        """Whether the other session goes on: then two machines write into one input."""
        seq, time = self._gone[rec.cpu]
        now = self.session.cpus.get(rec.cpu)
        if rec.seq == seq and (now is None or now.next != seq) and (rec.t is None or time is None or rec.t >= time):
            self._gone[rec.cpu] = seq + rec.span, rec.t
            self._gone_on += 1

    def told(self) -> List[str]:
        """Remarks about the input as a whole."""
        if self._gone_on < _MIXED:
            return []
        return ["two machines wrote into it at the same time: one session goes on between the records of another, and "
                "neither can be told whole; keep a log for each machine"]

    def _loss(self, cpu: Cpu, rec: Rec) -> bool:
        """@L explains a range, and may stand out of order. True: handled."""
        kv = rec.f.kv
        lo, hi = number(kv.get("from", "")), number(kv.get("to", ""))
        if lo is None or hi is None or hi < lo:
            lo = hi = None
        key = (rec.seq, rec.crc)
        if key in cpu.recent:
            return False
        count = number(kv.get("lost", ""))
        if count is None:
            count = hi - lo + 1 if lo is not None and hi is not None else 1
        s = self.session
        s.lost += count
        if len(s.losses) < _LOSSES:
            s.losses.append(Loss(count, kv.get("why", "?"), lo, hi, cpu.time, rec.t))
        if lo is None or hi is None:
            return False
        for a, b in ((lo, hi), (rec.seq, rec.seq)):
            cpu.gaps.cover(a, b)
            if b >= cpu.next and len(cpu.ahead) < _AHEAD:
                cpu.ahead.append((max(a, cpu.next), b))
        cpu.ahead.sort()
        cpu.recent.append(key)
        if rec.seq == cpu.next:
            cpu.next += 1
        self._put(rec)
        waiting = cpu.waiting
        if waiting is not None and not self._uncovered(cpu, waiting.rec.seq):
            self._release(cpu)
        return True

    def _uncovered(self, cpu: Cpu, seq: int) -> List[Tuple[int, int]]:
        """The parts of next..seq-1 that no @L explains."""
        out: List[Tuple[int, int]] = []
        at = cpu.next
        for lo, hi in cpu.ahead:
            if lo >= seq:
                break
            if lo > at:
                out.append((at, lo - 1))
            at = max(at, hi + 1)
        if at < seq:
            out.append((at, seq - 1))
        return out

    def _advance(self, cpu: Cpu, rec: Rec) -> None:
        """Sets the counter behind `rec`; numbers that it jumps over are a gap."""
        if rec.seq > cpu.next:
            for lo, hi in self._uncovered(cpu, rec.seq):
                cpu.gaps.add(lo, hi, cpu.time, rec.t)
        cpu.next = rec.seq + rec.span
        if cpu.ahead:
            cpu.ahead = [(max(lo, cpu.next), hi) for lo, hi in cpu.ahead if hi >= cpu.next]
        if rec.t is not None:
            cpu.time = rec.t
        cpu.recent.append((rec.seq, rec.crc))

    def _release(self, cpu: Cpu) -> None:
        slot, cpu.waiting = cpu.waiting, None
        if slot is not None:
            self._advance(cpu, slot.rec)
            self._decide(slot, True)

    def _forward(self, cpu: Cpu, rec: Rec) -> bool:
        """`rec` is at or above the counter. False: try again, since a waiting record was decided."""
        if cpu.run:
            self._drop_run(cpu)
        waiting = cpu.waiting
        if waiting is not None:
            ahead = waiting.rec
            if rec.seq >= ahead.seq + ahead.span:
                self._release(cpu)
                return False
            if rec.seq == ahead.seq:
                if rec.crc == ahead.crc:
                    self.session.duplicate += 1
                else:
                    self._put(Suspect(rec))
                return True
            in_time = rec.t is None or ahead.t is None or rec.t <= ahead.t
            if self.session.held_mode and in_time:
                self._release(cpu)
                return False
            cpu.waiting = None
            self._decide(waiting, False)
            return False
        if rec.seq == cpu.next or not self._uncovered(cpu, rec.seq):
            self._advance(cpu, rec)
            self._put(rec)
        elif not self.session.records and len(self.session.cpus) == 1 and not cpu.recent:
            # The first record of a capture whose head was cut: there is no counter to compare it with.
            self._advance(cpu, rec)
            self._put(rec)
        else:
            cpu.waiting = self._push(rec, False)
        return True

    def _backward(self, cpu: Cpu, rec: Rec) -> None:
        """`rec` is below the counter."""
        if (rec.seq, rec.crc) in cpu.recent:
            self.session.duplicate += 1
            return
        last = rec.seq + rec.span - 1
        fits = cpu.gaps.fits(rec.seq, last, rec.t)
        if fits and (self.session.held_mode or rec.seq == cpu.fill_next):
            self._drop_run(cpu)
            self._fill(cpu, rec)
            self._put(rec)
            return
        new = not fits and rec.t is not None and cpu.time is not None and rec.t < cpu.time
        if not (fits or new) or rec.cpu and new:
            self._drop_run(cpu)
            self._put(Suspect(rec))
            return
        if cpu.run:
            before = cpu.run[-1].rec
            follows = rec.seq > before.seq if new else rec.seq == before.seq + before.span
            if new != cpu.run_new or not follows:
                self._drop_run(cpu)
        if not cpu.run and new and rec.seq > _LOW:
            self._put(Suspect(rec))
            return
        slot = self._push(rec, False)
        cpu.run.append(slot)
        cpu.run_new = new
        if len(cpu.run) >= _BELIEVED:
            self._believe(cpu)

    def _drop_run(self, cpu: Cpu) -> None:
        run, cpu.run = cpu.run, []
        for slot in run:
            self._decide(slot, False)

    def _fill(self, cpu: Cpu, rec: Rec) -> None:
        cpu.gaps.fill(rec.seq, rec.seq + rec.span - 1, rec.t)
        cpu.recent.append((rec.seq, rec.crc))
        cpu.fill_next = rec.seq + rec.span
        rec.late = True

    def _believe(self, cpu: Cpu) -> None:
        run, cpu.run = cpu.run, []
        if not cpu.run_new:
            for slot in run:
                self._fill(cpu, slot.rec)
                self._decide(slot, True)
            return
        self._begin(run[0])
        fresh = self._cpu_of(self.session, run[0].rec)
        for slot in run[1:]:
            self._advance(fresh, slot.rec)
            self._decide(slot, True)
