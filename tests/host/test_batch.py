# SPDX-License-Identifier: Apache-2.0
"""Batches: the decoder unpacks the hypervisor's batches into the very lines that would have been written instead."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import List, Tuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hvl_host import LOG, ROOT, build, run

sys.path.insert(0, str(ROOT / "tools"))
from hvl import batch, registers  # noqa: E402
from hvl.record import Rec  # noqa: E402
from hvl.sequence import Event, Sequencer, Session, Start  # noqa: E402
from hvl.wire import Scanner  # noqa: E402

TEXT, NOTABLE, FULL, QUIET = range(4)
NAMES = {(1, 0, 8, 7, 0): "TLBI_VMALLE1", (3, 0, 1, 0, 0): "SCTLR_EL1", (3, 3, 9, 12, 0): "PMCR_EL0"}


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("log_host", LOG, tmp_path_factory.mktemp("batch"))


@pytest.fixture(autouse=True, scope="module")
def fake_names() -> "object":
    """The registers that fake/tables.c knows."""
    patch = pytest.MonkeyPatch()
    patch.setattr(registers, "_names", lambda: NAMES)
    yield None
    patch.undo()


def events(wire: bytes) -> List[Event]:
    scanner, order = Scanner(), Sequencer("test")
    return order.feed(scanner.feed(wire)) + order.feed(scanner.feed(b"", True)) + order.finish()


def play(host: Path, *lines: str) -> Tuple[List[Rec], Session]:
    wire, _ = run(host, "\n".join(lines).encode() + b"\n")
    found = events(wire)
    sessions = [event.session for event in found if isinstance(event, Start)]
    assert len(sessions) == 1
    return [event for event in found if isinstance(event, Rec)], sessions[0]


def decisions(records: List[Rec]) -> List[Tuple[str, int, object, str]]:
    return sorted((rec.kind, rec.seq, rec.t, rec.body) for rec in records if rec.kind in "DAB")


CLASS = st.sampled_from([0x00, 0x01, 0x12, 0x13, 0x16, 0x17, *[0x18] * 3, 0x19, 0x20, *[0x24] * 3, 0x2F, 0x3C])
ESR = st.builds(lambda ec, iss: ec << 26 | iss, CLASS, st.integers(0, (1 << 25) - 1))
NUMBER = st.one_of(st.integers(0, (1 << 64) - 1), st.integers(0, 255), st.sampled_from([0, (1 << 64) - 1, 1 << 63]))
ADDRESS = st.one_of(NUMBER, st.integers(0x08000000, 0x0800FFFF), st.integers(0x09000000, 0x09001000))
DECISION = st.tuples(st.sampled_from([*range(14), 16]), ESR, NUMBER, NUMBER, ADDRESS, NUMBER, st.integers(0, 0xFFF),
                     NUMBER, st.integers(0, 0xFFFFFFFF), st.integers(1, 4))


def script(found: List[Tuple[int, ...]]) -> List[str]:
    out = []
    for row, esr, pc, value, addr, aux, spsr, read, cost, times in found:
        out += [f"d {row} {esr:#x} {pc} {value} {addr} {aux} {spsr}", f"r {read} {cost}"] * times
    return out


@settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(DECISION, min_size=1, max_size=40))
def test_a_batch_opens_to_the_lines_that_it_replaces(host: Path, found: List[Tuple[int, ...]]) -> None:
    steps = ["m 2", "h", *script(found)]        # the header as `full` has it: it names the windows
    lines, _ = play(host, *steps, "m 0", "w 0 0")
    packed, session = play(host, *steps, "w 0 0")
    assert "B" not in {rec.kind for rec in packed} and session.batched == 0
    assert decisions(packed) == decisions(lines)


MODES = st.lists(st.tuples(st.sampled_from([TEXT, NOTABLE, FULL, QUIET]), st.sampled_from([0, 1, 2]),
                           st.lists(DECISION, max_size=12),
                           st.sampled_from(["", "w 300 0", "w 0 1", "w 0 0", "b", "p", "e 5 0 0", "n x"])), max_size=8)


@settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([TEXT, NOTABLE, FULL, QUIET]), MODES)
def test_whatever_the_modes_the_log_is_complete(host: Path, first: int,
                                                phases: List[Tuple[int, int, List[Tuple[int, ...]], str]]) -> None:
    steps = [f"m {first}", "h"]
    for mode, told, found, then in phases:
        # A change of the mode writes the records of the old mode under it.
        steps += ["b", f"m {mode} {told if mode == NOTABLE else 0}", "h", *script(found), *([then] if then else [])]
    records, session = play(host, *steps, "z")
    assert session.complete() and not session.suspect and not session.missing and not session.batched
    if {first, *(mode for mode, _, _, _ in phases)} <= {TEXT, FULL}:
        assert [rec.seq for rec in records] == list(range(len(records)))


def test_what_notable_mode_held_back_comes_at_the_end(host: Path) -> None:
    allow = "d 0 {:#x} {} 0 0 0 0x3c5".format(0x18 << 26 | 3 << 20 | 1 << 10, 64)
    deny = "d 1 {:#x} 4 0 0 0 0x3c5".format(0x18 << 26 | 3 << 20 | 3 << 14 | 9 << 10 | 12 << 1 | 1)
    steps: List[str] = []
    for i in range(100):
        steps += [allow.replace(" 64 ", f" {4 * i} "), *([deny, "w 0 1"] if i % 10 == 0 else [])]
    records, session = play(host, "m 1", "h", *steps, "z")
    assert session.complete() and session.held == 0
    assert sum(rec.kind == "D" for rec in records) == 110
    wire, _ = run(host, "\n".join(["m 1", "h", *steps, "b", "b", "z"]).encode() + b"\n")
    assert wire.count(b"\x1e@B") == 11, "what was dumped is not dumped again"


def test_a_class_may_be_told_in_full(host: Path) -> None:
    allow = "d 0 {:#x} {} 0 0 0 0x3c5".format(0x18 << 26 | 3 << 20 | 1 << 10, 64)
    steps = [allow.replace(" 64 ", f" {4 * i} ") for i in range(20)]
    for told, lines in ((0, 0), (1, 20), (2, 0)):
        wire, _ = run(host, "\n".join([f"m 1 {told}", "h", *steps, "w 0 0"]).encode() + b"\n")
        assert wire.count(b"\x1e@D") == lines
    # Records that a full ring has overwritten count as lost, since they would have been lines.
    allow = "D 20000 0 {:#x} 0 0 0 0 0x3c5".format(0x18 << 26 | 3 << 20 | 1 << 10)
    for told, lost in ((0, 0), (1, 20000 - 16384)):
        _, session = play(host, f"m 1 {told}", "h", allow, "z")
        assert session.complete() == (not lost) and session.lost == lost


def test_the_ring_bounds_the_dump(host: Path) -> None:
    allow = "D 20000 0 {:#x} 0 0 0 0 0x3c5".format(0x18 << 26 | 3 << 20 | 1 << 10)
    records, session = play(host, "m 1", "h", allow, "z")
    assert session.complete() and sum(rec.kind == "D" for rec in records) == 16384
    assert session.held == 20000 - 16384


@pytest.mark.parametrize("body", ["", "16", "16 ", "0 AQ", "17 AQ", "x AQ", "1 AQ", "1 !!!!", "1 A", "2 AQAAAAA",
                                  "1 Ag", "1 AQ8PAAA", "1 AQAA_____________________w"])
def test_what_is_no_batch_is_none(body: str) -> None:
    assert batch.unpack(Rec("B", False, 5, 0, None, body, 0), 62_500_000, []) is None


@settings(max_examples=150, deadline=None, database=None)
@given(st.binary(max_size=200), st.integers(0, 17))
def test_no_data_raises(data: bytes, n: int) -> None:
    import base64
    text = base64.urlsafe_b64encode(b"\x01" + data).decode().rstrip("=")
    opened = batch.unpack(Rec("B", False, 5, 0, None, f"{n} {text}", 0), 62_500_000, [])
    assert opened is None or len(opened) == n
    for rec in opened or []:
        assert rec.f.verdict and rec.f.pc is not None


def test_a_batch_is_a_quarter_of_its_lines(host: Path) -> None:
    """A guest at its console: 6 accesses a character."""
    steps: List[str] = []
    for i in range(2000):
        write = i % 3 == 2
        esr = 0x24 << 26 | 1 << 25 | 1 << 24 | 2 << 22 | (1 << 6 if write else 0)
        steps += [f"d 2 {esr:#x} {0xffff800008071a48 + 8 * (i % 3):#x} 0 {0x09000018 - 0x18 * write:#x} 0 0x3c5",
                  f"r {65 + i % 50} {40 + i % 7}"]
    sizes = {}
    for mode in (TEXT, FULL):
        wire, _ = run(host, "\n".join([f"m {mode}", "h", *steps, "z"]).encode() + b"\n")
        sizes[mode] = len(wire) / 2000
    assert sizes[FULL] < 25 and sizes[FULL] < sizes[TEXT] / 4, sizes
