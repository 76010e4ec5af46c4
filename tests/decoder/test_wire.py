# SPDX-License-Identifier: Apache-2.0
"""The decoder up to the stream of events: byte rules, repair, order, sessions, and the limits of damage."""
from __future__ import annotations

import zlib
from random import Random
from typing import List, Tuple

import pytest
from hypothesis import given, strategies as st

from damage import KINDS, tagged, untouched
from encoder import Encoder
from hvl.record import Rec
from hvl.sequence import End, Event, Sequencer, Session, Start, Suspect
from hvl.wire import Damaged, Scanner, Text, WeakScanner, parse, unescape


def decode(wire: bytes, chunk: int = 1 << 20, weak: bool = False) -> List[Event]:
    scanner = WeakScanner() if weak else Scanner()
    order = Sequencer("test")
    events: List[Event] = []
    for at in range(0, len(wire), chunk):
        events += order.feed(scanner.feed(wire[at:at + chunk]))
    events += order.feed(scanner.feed(b"", True))
    return events + order.finish()


def records(events: List[Event]) -> List[Rec]:
    return [event for event in events if isinstance(event, Rec)]


def seqs(events: List[Event]) -> List[int]:
    return [rec.seq for rec in records(events)]


def sessions(events: List[Event]) -> List[Session]:
    return [event.session for event in events if isinstance(event, End)]


def stream(events: List[Event], name: str = "guest") -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Text) and event.stream == name)


def keys(events: List[Event]) -> List[Tuple[str, int, int, int, str]]:
    return [(r.kind, r.seq, r.cpu, r.t or 0, r.body) for r in records(events)]


def line(seq: int, kind: str = "D", body: str = "DENY r1 msr.r PMCR_EL0 pc=0x40 el=1 cost=7", cpu: int = 0,
         t: int = -1, plus: bool = False) -> bytes:
    return b"\x1e" + Encoder.line(kind, seq, seq * 100 if t < 0 else t, body, cpu, plus) + b"\r\n"


HEAD = line(0, "H", "hvl=1 build=b policy=p#00112233 guest=g#44556677 cpu=c cntfrq=62500000 ring=16384 esc=^] log=text")
HELD = line(0, "H", "hvl=1 build=b policy=p#00112233 guest=g#44556677 cpu=c cntfrq=62500000 ring=16384 esc=^] "
                    "log=notable")


# --- byte rules ------------------------------------------------------------------------------------------

def test_the_crc_covers_the_line_from_at_to_the_space_before_the_star() -> None:
    text = b"@D 5 0.000000001 DENY r12 msr.w SCTLR_EL1=0x30d0198d pc=0xffff800008071a48 cost=245764 "
    rec = parse(text + b"*%08x" % zlib.crc32(text))
    assert rec is not None and rec.f.name == "SCTLR_EL1" and rec.f.val == 0x30d0198d and rec.f.cost == 245764


@pytest.mark.parametrize("text", [b"", b"@", b"@D", b"@D 1 0.000000001 x", b"@D 1 0.1 x ", b"@D  1 0.000000001 x ",
                                  b"@DD 1 0.000000001 x ", b"@d 1 0.000000001 x ", b"@D -1 0.000000001 x ",
                                  b"@D 1 1e9 x ", b"@B 1 0.000000001 16 AAAA ", b"@D 1." + b"9" * 30 + b" x "])
def test_a_right_crc_does_not_excuse_a_wrong_head(text: bytes) -> None:
    assert parse(text + b"*%08x" % zlib.crc32(text)) is None


def test_upper_case_or_short_check_sums_are_refused() -> None:
    good = line(1)[1:-2]
    assert parse(good) is not None
    assert parse(good[:-8] + good[-8:].upper()) is None or not any(c in b"abcdef" for c in good[-8:])
    assert parse(good[:-1]) is None


@pytest.mark.parametrize("data,want", [(b"\x1fe", b"\x1e"), (b"\x1ff", b"\x1f"), (b"\x1f", b"\x1f"),
                                       (b"\x1fe\x1ffe", b"\x1e\x1fe"), (b"\x1fx", b"\x1fx"),
                                       (b"\x1f\x1ff", b"\x1f\x1f")])
def test_escapes(data: bytes, want: bytes) -> None:
    assert unescape(data) == want


@given(st.binary(max_size=300), st.integers(1, 9))
def test_any_guest_byte_comes_back(data: bytes, chunk: int) -> None:
    encoder = Encoder()
    encoder.header()
    encoder.guest(data)
    encoder.record("E", "boot")
    assert stream(decode(encoder.bytes(), chunk)) == data


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\n", b""])
def test_line_ends(end: bytes) -> None:
    wire = HEAD[:-2] + end + line(1)[:-2] + end
    assert seqs(decode(wire)) == [0, 1]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\n"])
def test_plus_takes_the_inserted_line_end_away(end: bytes) -> None:
    wire = HEAD[:-2] + end + b"half a " + end + line(1, plus=True)[:-2] + end + b"line" + end
    assert stream(decode(wire)) == b"half a line" + end


def test_without_plus_the_line_end_is_the_guests() -> None:
    assert stream(decode(HEAD + b"whole\r\n" + line(1) + b"\r\n")) == b"whole\r\n\r\n"


def test_a_lost_line_end_does_not_hurt_the_next_record() -> None:
    assert seqs(decode(HEAD[:-2] + line(1)[:-1] + line(2))) == [0, 1, 2]


def test_records_up_to_2048_bytes() -> None:
    room = 2048 - len(line(1, "E", "")) + 3
    assert seqs(decode(HEAD + line(1, "E", "m" * room))) == [0, 1]
    events = decode(HEAD + line(1, "E", "m" * (room + 20)) + line(2))
    assert seqs(events) == [0, 2] and sessions(events)[0].damaged == 1


@pytest.mark.parametrize("foreign", [b"qemu-system-aarch64: warning: a thing\n", b"make: *** [run] Error 1\n",
                                     b"make[2]: Entering directory 'x'\n"])
def test_a_foreign_line_is_cut_out_wherever_it_went(foreign: bytes) -> None:
    target = line(1, body="DENY r1 msr.r PMCR_EL0 pc=0xffff800008011a44 el=1 cost=388")
    for at in range(1, len(target) - 1):
        events = decode(HEAD + target[:at] + foreign + target[at:] + line(2))
        session = sessions(events)[0]
        assert seqs(events) == [0, 1, 2], at
        assert (session.damaged, session.missing) == (0, 0)
        if at < len(target) - 2:
            assert session.repaired == 1
        assert stream(events) == b"", at


def test_damaged_bytes_never_reach_the_guests_stream() -> None:
    bad = bytearray(line(1))
    bad[20] ^= 1
    events = decode(HEAD + b"a" + bytes(bad) + b"b" + line(2))
    assert stream(events) == b"ab"
    assert [e.data for e in events if isinstance(e, Damaged)] == [bytes(bad[1:-1])]


# --- order -----------------------------------------------------------------------------------------------

def test_a_gap_is_missing() -> None:
    session = sessions(decode(HEAD + line(1) + line(5) + line(6)))[0]
    assert session.missing == 3 and session.lost == 0 and not session.suspect


def test_a_gap_that_a_loss_record_explains_is_lost() -> None:
    body = "lost=3 from=2 to=4 why=overrun"
    for seq in (2, 4, 7):  # EL2 may number it as the first lost one, the last, or by its counter
        wire = HEAD + line(1) + line(seq, "L", body, t=500) + line(5) + line(6)
        session = sessions(decode(wire))[0]
        assert (session.lost, session.missing, session.suspect) == (3, 0, 0), seq
        assert session.losses[0].why == "overrun"


def test_a_loss_record_that_comes_late_explains_too() -> None:
    wire = HEAD + line(1) + line(5) + line(6) + line(7, "L", "lost=3 from=2 to=4 why=uart") + line(8)
    session = sessions(decode(wire))[0]
    assert (session.lost, session.missing, session.suspect) == (3, 0, 0)


def test_backwards_is_suspect() -> None:
    events = decode(HEAD + line(1) + line(2) + line(1, body="ALLOW r9 wfi") + line(3))
    assert seqs(events) == [0, 1, 2, 3]
    assert [e.rec.body for e in events if isinstance(e, Suspect)] == ["ALLOW r9 wfi"]


def test_a_leap_past_its_successor_is_suspect() -> None:
    events = decode(HEAD + line(1) + line(900) + line(2) + line(3))
    session = sessions(events)[0]
    assert seqs(events) == [0, 1, 2, 3] and session.suspect == 1 and session.missing == 0


def test_two_leaps_do_not_cost_the_rest_of_the_log() -> None:
    wire = HEAD + line(1) + line(900) + line(901) + b"".join(line(i) for i in range(2, 50))
    events = decode(wire)
    assert set(range(50)) <= set(seqs(events))


def test_a_record_that_comes_twice_counts_once() -> None:
    events = decode(HEAD + line(1) + line(1) + line(2) + line(1) + line(3))
    session = sessions(events)[0]
    assert seqs(events) == [0, 1, 2, 3] and session.duplicate == 2 and session.complete() is False


def test_each_cpu_counts_for_itself() -> None:
    events = decode(HEAD + line(0, cpu=1) + line(1) + line(1, cpu=1) + line(2) + line(2, cpu=1))
    assert sessions(events)[0].missing == 0 and len(records(events)) == 6


def test_held_records_may_come_later_in_notable_mode() -> None:
    wire = HELD + line(5) + line(9) + b"".join(line(i) for i in (1, 2, 3, 4, 6, 7, 8)) + line(10)
    events = decode(wire)
    session = sessions(events)[0]
    assert sorted(seqs(events)) == list(range(11)) and session.suspect == 0 and session.held == 0


def test_what_notable_mode_does_not_send_is_not_missing() -> None:
    wire = HELD + line(5) + line(9) + line(10, "Z", "seq=10 records=4 lost=0 guestbytes=0 reason=poweroff")
    session = sessions(decode(wire))[0]
    assert (session.missing, session.held) == (0, 7) and session.complete()


def test_the_trailer_of_notable_mode_tells_what_is_missing() -> None:
    wire = HELD + line(5) + line(10, "Z", "seq=10 records=4 lost=0 guestbytes=0 reason=poweroff")
    session = sessions(decode(wire))[0]
    assert session.missing == 1 and not session.complete()


def test_a_held_record_at_the_wrong_time_is_suspect() -> None:
    events = decode(HELD + line(5) + line(9) + line(3, t=100000) + line(10))
    assert 3 not in seqs(events)


def test_a_new_header_starts_a_session() -> None:
    events = decode(HEAD + line(1) + line(2) + b"reset\r\n" + HEAD + line(1) + line(2) + line(3))
    assert [s.records for s in sessions(events)] == [3, 4]
    assert [s.number for s in sessions(events)] == [1, 2]
    assert [r.session for r in records(events)] == [1, 1, 1, 2, 2, 2, 2]


def test_a_repeated_header_does_not() -> None:
    again = line(2, "H", "hvl=1 policy=p#00112233 log=full")
    events = decode(HEAD + line(1) + again + line(3))
    assert len(sessions(events)) == 1 and sessions(events)[0].header["log"] == "full"


def test_a_false_header_does_not() -> None:
    events = decode(HEAD + line(1) + line(2) + line(3) + HEAD + line(4) + line(5))
    assert len(sessions(events)) == 1 and seqs(events) == [0, 1, 2, 3, 4, 5]


def test_a_session_whose_header_is_lost_is_still_one() -> None:
    first = HEAD + b"".join(line(i) for i in range(1, 40))
    second = b"".join(line(i, body=f"ALLOW r2 wfi pc=0x{i:x}", t=i * 90) for i in range(1, 40))
    events = decode(first + second)
    assert [s.records for s in sessions(events)] == [40, 39]
    assert sessions(events)[1].missing == 1 and not sessions(events)[1].complete()


def test_a_cut_head_is_told() -> None:
    session = sessions(decode(line(7) + line(8)))[0]
    assert session.head_cut and session.missing == 7 and session.first == 7


def test_batches_account_for_their_numbers() -> None:
    batch = b"\x1e" + Encoder.line("B", 1, 0, "16 AOS7Fd_-h_n-_z") + b"\r\n"
    session = sessions(decode(HEAD + batch + line(17)))[0]
    assert session.missing == 0 and session.records == 18 and session.batched == 16


def test_a_batch_is_opened_in_place() -> None:
    data = "2 AekA1GFGAZmJw5EGgMCAgAgJAMgBHg"
    batch = b"\x1e" + Encoder.line("B", 1, 0, data) + b"\r\n"
    events = decode(HEAD + batch + line(3))
    assert seqs(events) == [0, 1, 2, 3] and sessions(events)[0].complete() is False
    assert [rec.kind for rec in records(events)] == ["H", "D", "D", "D"]


def test_a_cpu_without_trailer_is_told() -> None:
    end = "seq=2 records=3 lost=0 guestbytes=0 reason=poweroff"
    wire = HEAD + line(0, cpu=1) + line(1) + line(2, "Z", end)
    assert not sessions(decode(wire))[0].complete()
    assert sessions(decode(wire + line(1, "Z", end, cpu=1)))[0].complete()


def test_unknown_kinds_are_kept() -> None:
    assert seqs(decode(HEAD + line(1, "Q", "new=thing") + line(2))) == [0, 1, 2]


def test_streams() -> None:
    encoder = Encoder()
    encoder.header()
    encoder.guest(b"boot\n")
    encoder.enter_monitor()
    encoder.guest(b"hv> \x1e?\r\n")
    encoder.leave_monitor()
    encoder.guest(b"on\n")
    events = decode(encoder.bytes())
    assert stream(events) == b"boot\non\n" and stream(events, "monitor") == b"hv> \x1e?\r\n"
    assert sessions(events)[0].monitors == 1 and sessions(events)[0].paused == 3_100_000_000


def test_a_lost_end_of_the_monitor_does_not_swallow_the_guest() -> None:
    again = line(4, "H", "hvl=1 log=text")
    wire = HEAD + line(1) + line(2, "E", "mon+ why=key") + b"hv> \r\n" + again + b"guest\r\n" + line(5)
    assert stream(decode(wire)) == b"guest\r\n"


def test_events_come_in_wire_order() -> None:
    events = decode(HEAD + b"a" + line(1) + b"b" + line(5) + b"c" + line(6) + b"d")
    shape = "".join(e.data.decode() if isinstance(e, Text) else str(e.seq)
                    for e in events if isinstance(e, (Text, Rec)))
    assert shape == "0a1b5c6d"
    assert isinstance(events[0], Start) and isinstance(events[-1], End)


# --- stripped sentinels ------------------------------------------------------------------------------------

def test_stripped_sentinels_are_noticed_and_read_only_on_request() -> None:
    wire = (HEAD + b"text @D 1 no\r\n" + line(1)).replace(b"\x1e", b"")
    scanner = Scanner()
    scanner.feed(wire, True)
    assert scanner.bare and not scanner.sentinels
    assert records(decode(wire)) == []
    for chunk in (1, 7, 1 << 20):
        events = decode(wire, chunk, weak=True)
        assert seqs(events) == [0, 1] and all(rec.auth == "weak" for rec in records(events))
        assert stream(events) == b"text @D 1 no\r\n"


def test_weak_reading_ends_where_a_sentinel_shows_up() -> None:
    forged = line(1, body="ALLOW r0 forged")[1:]
    for chunk in (1, 5, 1 << 20):
        events = decode(HEAD + forged + line(1), chunk, weak=True)
        assert [rec.body for rec in records(events)][1:] == [parse_body(line(1))]


def parse_body(wire: bytes) -> str:
    rec = parse(wire[1:].rstrip())
    assert rec is not None
    return rec.body


# --- fuzz ------------------------------------------------------------------------------------------------

def build(r: Random, count: int) -> Encoder:
    """A session with two CPUs, a monitor visit, and a guest that forges records with right checksums and with any
    numbers that it may know."""
    encoder = Encoder()
    encoder.header()
    for i in range(count):
        choice = r.random()
        if choice < 0.5:
            encoder.decision(r.randrange(60), r.choice(("msr.r PMCR_EL0", "mmio.w uart0+0x0/4=0x41",
                                                        "hvc 0x4 x1=0x40001000 x2=0x20", "exc WFX")),
                             r.choice(("ALLOW", "DENY", "EMUL")), r.randrange(5000), r.choice((1, 1, 9)),
                             0 if r.random() < 0.8 else 1)
        elif choice < 0.8:
            encoder.guest(bytes(r.randrange(256) for _ in range(r.randrange(60))))
        elif choice < 0.95:
            seq = encoder.seq[0] + r.choice((-1, 0, 1, 2, 1000))
            forged = Encoder.line("D", max(0, seq), encoder.now + 16, f"ALLOW r0 forged n={i}")
            encoder.guest(r.choice((b"", b"\n", b"\x1e", b"\x1f", b"\x1fe", b"\x1e\x1e", b"e")) + forged
                          + r.choice((b"", b"\r\n", b"\n")))
        elif choice < 0.97:
            encoder.record("E", f'mark "at {i}"')
        elif not encoder.in_monitor:
            encoder.enter_monitor()
            encoder.guest(b"hv> regs\r\n")
            encoder.leave_monitor()
    encoder.trailer()
    return encoder


@given(st.integers(0, 1 << 32), st.integers(1, 80))
def test_clean_sessions_are_exact(seed: int, count: int) -> None:
    encoder = build(Random(seed), count)
    events = decode(encoder.bytes())
    assert keys(events) == [made.key() for made in encoder.made]
    assert stream(events) == bytes(encoder.guest_out) and stream(events, "monitor") == bytes(encoder.monitor_out)
    assert sessions(events)[0].complete() and sessions(events)[0].text.size == encoder.guest_bytes


@given(st.integers(0, 1 << 32), st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3))
def test_damage_costs_what_it_hit_and_nothing_else(seed: int, kinds: List[str]) -> None:
    r = Random(seed)
    encoder = build(r, r.randrange(5, 120))
    data = tagged(encoder.bytes())
    for kind in kinds:
        data = KINDS[kind](data, r)
    events = decode(bytes(value for value, _ in data))
    found = keys(events)
    made = [record.key() for record in encoder.made]
    assert not set(found) - set(made), "a record that was never sent"
    assert len(found) == len(set(found)), "a record that counts twice"
    if "repeat" in kinds and len(kinds) > 1:
        return  # the copy of a damaged record comes too late to be in order, and is rightly doubted
    missed = {encoder.made[index].key() for index in untouched(encoder, data)} - set(found)
    assert not missed, "a record that came through untouched"


@given(st.integers(0, 1 << 32), st.sampled_from(sorted(KINDS)), st.integers(1, 40))
def test_how_the_bytes_are_cut_into_chunks_does_not_matter(seed: int, kind: str, chunk: int) -> None:
    r = Random(seed)
    encoder = build(r, 30)
    wire = bytes(value for value, _ in KINDS[kind](tagged(encoder.bytes()), r))
    for weak in (False, True):
        whole, pieces = decode(wire, weak=weak), decode(wire, chunk, weak)
        assert keys(whole) == keys(pieces)
        assert stream(whole) == stream(pieces) and stream(whole, "monitor") == stream(pieces, "monitor")


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from(
    [b"\x1e", b"\x1e@", b"\x1f", b"\r", b"\n", b"@D 1 ", b" *", b"00000000", b": ", HEAD, line(1), line(2), line(9),
     line(0), line(4, "L", "lost=9 from=1 to=99999999999999999999"), line(3, "L", "from=9 to=1"), line(3, "E", "mon+"),
     line(5, "S", "dec=x r=1/2 r3=/ part="), line(6, "Z", "records=-"), line(7, "A", "n=0 last=. r r r"),
     line(99999999999999999999 % (1 << 64), "D", "X", t=1)])), max_size=40), st.integers(1, 50))
def test_no_input_raises(parts: List[bytes], chunk: int) -> None:
    wire = b"".join(parts)
    for weak in (False, True):
        for event in decode(wire, chunk, weak):
            if isinstance(event, Rec):
                assert event.f is not None and event.text()
