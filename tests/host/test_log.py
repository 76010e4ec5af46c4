# SPDX-License-Identifier: Apache-2.0
"""The evidence log: records in the rings come out on the line, in order, or are reported as lost."""
from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path
from typing import Dict, List, Tuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hvl_host import LOG, ROOT, Record, build, check_sequence, decode, rendered, run

RING, NOTABLE_RING = 16384, 512
ALLOW, DENY, EMUL, WFX = 0, 1, 2, 5  # rows of fake/tables.c
MSR_SCTLR = 0x18 << 26 | 1 << 25 | 3 << 20 | 1 << 10
MRS_PMCR = 0x18 << 26 | 1 << 25 | 3 << 20 | 3 << 14 | 9 << 10 | 12 << 1 | 1
TLBI = 0x18 << 26 | 1 << 25 | 1 << 20 | 8 << 10 | 31 << 5 | 7 << 1
WFI = 0x01 << 26 | 1 << 25
UART_W = 0x24 << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 1 << 6


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("log_host", LOG, tmp_path_factory.mktemp("log"))


def play(host: Path, *lines: str) -> Tuple[List[Record], bytes, str]:
    wire, err = run(host, "\n".join(lines).encode() + b"\n")
    records, text = decode(wire)
    return records, text, err


def d(row: int, esr: int, pc: int = 0x40001000, value: int = 0, addr: int = 0, aux: int = 0, spsr: int = 0x3C5) -> str:
    return f"d {row} {esr:#x} {pc:#x} {value:#x} {addr:#x} {aux:#x} {spsr:#x}"


def bodies(records: List[Record], kinds: str) -> List[str]:
    return [r.body for r in records if r.kind in kinds]


def test_lines_are_those_of_the_specification(host: Path) -> None:
    records, _, _ = play(
        host, "h", "e 0 0 0", "e 1 0x40200000 1",
        d(DENY, MRS_PMCR), "r 0 388", d(ALLOW, MSR_SCTLR, value=0x30D0198D), d(ALLOW, TLBI),
        d(EMUL, UART_W, value=0x41, addr=0x09000018), d(EMUL, UART_W & ~0x40, value=0x90, addr=0x0B000004),
        d(3, 0x16 << 26, value=3, addr=1, aux=2), d(4, 0x17 << 26, value=0x84000008),
        d(WFX, WFI, spsr=0x3C0), d(8, 0x3C << 26), d(DENY, 0x24 << 26, addr=0x0A000000, aux=0xFFFF0000),
        d(DENY, 0x24 << 26, value=0x885F7C20, addr=0x0A000000, aux=0xFFFF0000), d(DENY, 0x24 << 26 | 0x80, value=5),
        d(DENY, 0x20 << 26, addr=0x0C000000), d(DENY, 0x18 << 26 | 3 << 20 | 15 << 10 | 2 << 1 | 4 << 17),
        d(16, UART_W & ~0x7f | 0x4f, value=0x90, addr=0x40200008, aux=7),
        d(16, 0x24 << 26 | 0x4f, addr=0x40200008, aux=7),
        d(16, 0x20 << 26 | 0xf, addr=0x40200000),
        "x 0x96000004 0x40002000 0xdead", "e 2 0 0", "e 5 0 0", "e 4 62500000 0", "w 0 0")
    check_sequence(records)
    assert records[0].seq == 0 and records[0].kind == "H"
    assert records[0].body == ("hvl=1 build=test-1 policy=lockdown#3b1c77aa rules=0badcafe guest=diag#08c1d2ee cpu=1 "
                               "cntfrq=62500000 ring=16384 esc=^] log=text")
    tail = "pc=0x40001000 el=1 cost=0 esr="
    assert bodies(records, "D") == [
        f"DENY r1 msr.r PMCR_EL0 pc=0x40001000 el=1 cost=388 esr={MRS_PMCR:#x}",
        f"ALLOW r0 msr.w SCTLR_EL1=0x30d0198d {tail}{MSR_SCTLR:#x}",
        f"ALLOW r0 sys TLBI_VMALLE1=0x0 {tail}{TLBI:#x}",
        f"EMUL r2 mmio.w uart0+0x18/4=0x41 {tail}{UART_W:#x}",
        f"EMUL r2 mmio.r 0xb000004/4=0x90 {tail}{UART_W & ~0x40:#x}",
        f"PAUSE r3 hvc 0x3 x1=0x1 x2=0x2 {tail}{0x16 << 26:#x}",
        f"DENY r4 smc 0x84000008 x1=0x0 x2=0x0 {tail}{0x17 << 26:#x}",
        "ALLOW r5 exc WFX pc=0x40001000 el=0 cost=0 esr=0x6000000",
        f"KILL r7 exc BRK64 {tail}{0x3c << 26:#x}",
        f"DENY r1 exc DABT_NO_SYNDROME ipa=0xa000000 far=0xffff0000 {tail}{0x24 << 26:#x}",
        f"DENY r1 exc DABT_NO_SYNDROME ipa=0xa000000 far=0xffff0000 insn=0x885f7c20 {tail}{0x24 << 26:#x}",
        f"DENY r1 exc DABT_WALK ipa=0x0 far=0x0 {tail}{0x24 << 26 | 0x80:#x}",
        f"DENY r1 exc IABT ipa=0xc000000 {tail}{0x20 << 26:#x}",
        f"DENY r1 msr.w S3_0_C15_C2_4=0x0 {tail}{0x18 << 26 | 3 << 20 | 15 << 10 | 2 << 1 | 4 << 17:#x}",
        f"DENY r10 mem.w 0x40200008/4=0x90 held=0x7 {tail}{UART_W & ~0x7f | 0x4f:#x}",
        f"DENY r10 mem.w 0x40200008 {tail}{0x24 << 26 | 0x4f:#x}",
        f"DENY r10 mem.x 0x40200000 {tail}{0x20 << 26 | 0xf:#x}",
    ]
    windows, *events = bodies(records, "E")
    assert windows == "windows gicd=0x8000000/0x10000 uart0=0x9000000/0x1000 virtio=0xa000000/0x4000"
    assert events == ["boot", "guest+ entry=0x40200000 el=1", "guest- why=kill", "pause-skipped",
                      "mon- paused=1.000000000"]
    assert bodies(records, "X") == ["esr=0x96000004 far=0xdead elr=0x40002000 spsr=0x3c5 pc=0x40001000"]


def test_a_cpu_before_its_rings_are_there_says_nothing(host: Path) -> None:
    assert play(host, "w 0 0")[:2] == ([], b"")


def test_events_that_nobody_expects_are_told_as_well(host: Path) -> None:
    records, _, _ = play(host, "e 9 0 0xa003e00", "e 99 7 8", "w 0 0")
    assert bodies(records, "E") == ["device-broken at=0xa003e00 why=unknown", "event99 value=0x7 addr=0x8"]


def test_batches_name_their_cpu(host: Path) -> None:
    records, _, _ = play(host, "m 1", "c 3", *[d(ALLOW, MSR_SCTLR, value=n) for n in range(5)], "b")
    batches = [r for r in records if r.kind == "B"]
    assert [(r.seq, r.span) for r in batches] == [(0, 5)]
    wire, _ = run(host, "\n".join(["m 1", "c 3", *[d(ALLOW, MSR_SCTLR, value=n) for n in range(5)], "b"]).encode())
    assert b"@B 0.3 5 " in wire


def test_equal_decisions_in_a_row_become_one_record(host: Path) -> None:
    again = d(WFX, WFI)
    records, _, _ = play(host, *[again, "r 0 10"] * 5, d(ALLOW, MSR_SCTLR), "w 0 0")
    assert [r.kind for r in records] == ["A", "D"]
    assert check_sequence(records) == 0
    n = records[0].numbers()
    assert n["n"] == 5 and n["cost"] == 50 and " last=0.0" in records[0].body


def test_a_read_that_gave_another_value_is_another_record(host: Path) -> None:
    poll = d(EMUL, UART_W & ~0x40, addr=0x09000018)
    script: List[str] = []
    for value in (0x90, 0x90, 0x90, 0x80, 0x90):
        script += [poll, f"r {value} 1"]
    records, _, _ = play(host, *script, d(ALLOW, MSR_SCTLR), "w 0 0")
    values = [(r.kind, re.findall(r"/4=(0x\w+)", r.body)[0], r.numbers().get("n", 1)) for r in records[:-1]]
    assert values == [("A", "0x90", 3), ("D", "0x80", 1), ("D", "0x90", 1)]


@pytest.mark.parametrize("esr", [0x16 << 26, 0x17 << 26, 0x12 << 26, 0x13 << 26])
def test_calls_are_never_joined(host: Path, esr: int) -> None:
    records, _, _ = play(host, *[d(ALLOW, esr)] * 4, "w 0 0")
    assert [r.kind for r in records] == ["D"] * 4


def test_records_on_the_wire_are_not_joined_any_more(host: Path) -> None:
    again = d(WFX, WFI)
    records, _, _ = play(host, again, "w 0 0", again, again, "w 0 0", again, again, "w 0 0")
    assert check_sequence(records) == 0
    assert sum(r.numbers().get("n", 1) for r in records) == 5


def test_an_overrun_is_told_and_denials_outlive_it(host: Path) -> None:
    flood = f"D {RING + 1000} {ALLOW} {MSR_SCTLR:#x} 0 0 0 0 0"
    records, _, err = play(host, d(DENY, MRS_PMCR), flood, d(DENY, MRS_PMCR, pc=4), flood, "w 0 0", "?")
    losses = check_sequence(records)
    denied = [r.seq for r in records if " DENY " in f" {r.body}"]
    assert denied == [0, RING + 1001]
    assert losses == RING + 2002 - 2
    assert f"lost={RING + 2000}" in err


def test_no_more_than_512_old_denials_are_kept(host: Path) -> None:
    records, _, _ = play(host, f"D {RING + 2000} {DENY} {MRS_PMCR:#x} 0 0 0 0 0", "w 0 0")
    assert check_sequence(records) == 2000 - NOTABLE_RING


def test_allows_that_the_mode_leaves_out_are_no_loss(host: Path) -> None:
    allows = f"D {RING + 100} {ALLOW} {MSR_SCTLR:#x} 0 0 0 0 0"
    records, _, _ = play(host, "m 1", "h", d(DENY, MRS_PMCR), allows, d(DENY, MRS_PMCR), allows, "z")
    kinds = "".join(r.kind for r in records)
    assert kinds == "HEDD" + "B" * (RING // 16) + "SZ" and check_sequence(records, held=True) == 0
    records, _, _ = play(host, "m 1", "h", f"D {RING + 600} {DENY} {MRS_PMCR:#x} 0 0 0 0 0", "z")
    assert check_sequence(records, held=True) == 600 - NOTABLE_RING


def test_records_are_found_by_seq(host: Path) -> None:
    _, _, err = play(host, d(DENY, MRS_PMCR), f"D {RING + 5} {ALLOW} {MSR_SCTLR:#x} 0 0 0 0 0", "f 0", "f 1",
                     f"f {RING + 5}", f"f {RING + 6}", "f 10")
    assert err.split() == ["1", "-1", "1", "-1", "1"]


def test_a_budget_stops_the_drain_and_nothing_is_lost(host: Path) -> None:
    script = [f"D 50 {ALLOW} {MSR_SCTLR:#x} 0 0 0 0 0"] + ["w 300 0", "?"] * 30
    records, _, err = play(host, *script)
    assert check_sequence(records) == 0 and len(records) == 50
    drained = [int(n) for n in re.findall(r"drained=(\d+)", err)]
    assert drained[0] <= 4 and drained[-1] == 50


def test_notable_only_stops_at_the_newest_denial(host: Path) -> None:
    records, _, err = play(host, d(ALLOW, MSR_SCTLR), d(DENY, MRS_PMCR), d(ALLOW, MSR_SCTLR, pc=8), "?", "w 0 1", "?",
                           "w 0 1", "w 0 0")
    assert check_sequence(records) == 0 and [r.seq for r in records] == [0, 1, 2]
    assert re.findall(r"drained=(\d+) notable=(\d)", err) == [("0", "1"), ("2", "0")]


def test_what_a_mode_leaves_out_is_counted_by_the_trailer(host: Path) -> None:
    script = [d(ALLOW, MSR_SCTLR), d(DENY, MRS_PMCR), d(ALLOW, MSR_SCTLR), d(EMUL, UART_W), "e 1 0x40000000 1",
              d(ALLOW, MSR_SCTLR, pc=8), "z"]
    for mode, kinds in ((1, "HEDEBBBSZ"), (2, "HEBEBSZ"), (3, "HESZ")):
        records, _, _ = play(host, f"m {mode}", "h", *script)
        assert check_sequence(records, held=True) == 0
        assert "".join(r.kind for r in records) == kinds
        assert records[-1].numbers()["records"] == sum(r.span for r in records) and " lost=0 " in records[-1].body


def test_a_guest_line_that_a_record_breaks_is_put_together_again(host: Path) -> None:
    records, text, _ = play(host, "g " + b"one\r\ntw".hex(), d(DENY, MRS_PMCR), d(DENY, MRS_PMCR, pc=8), "w 0 0",
                            "g " + b"o\n".hex(), d(ALLOW, MSR_SCTLR), "w 0 0")
    assert text == b"one\r\ntwo\n"
    assert [r.plus for r in records] == [True, False, False]


def test_the_guest_can_not_write_a_record(host: Path) -> None:
    forged = b"\x1e@D 1 0.000000001 ALLOW *12345678\r\n\x1f\x1fe"
    records, text, _ = play(host, d(ALLOW, MSR_SCTLR), "g " + forged.hex(), "w 0 0")
    assert text == forged and [r.seq for r in records] == [0]


def test_totals_and_trailer_add_up(host: Path) -> None:
    records, text, _ = play(host, "h", *[d(DENY, MRS_PMCR), "r 0 7"] * 3, d(ALLOW, MSR_SCTLR), "r 0 5",
                            "g 410a", d(9, MRS_PMCR), "z")
    totals, trailer = records[-2], records[-1]
    assert (totals.kind, trailer.kind) == ("S", "Z")
    n = totals.numbers()
    assert (n["dec"], n["allow"], n["deny"], n["would"]) == (5, 1, 3, 1)
    assert " r0=1/5 r1=4/21 " in f"{totals.body} " and "part=" not in totals.body
    assert "r2=" not in totals.body and n["rules"] == 11, "no hits: left out, and known to be all"
    z = trailer.numbers()
    assert z["seq"] == trailer.seq and z["records"] == len(records) and z["guestbytes"] == 2 and z["lost"] == 0
    assert text == b"A\n"


def test_a_person_s_screen_is_left_alone_while_nothing_is_refused(host: Path) -> None:
    allowed, refused = d(ALLOW, MSR_SCTLR), d(DENY, MRS_PMCR)
    for mode, totals in ((0, 4), (1, 1), (3, 0)):
        records, _, _ = play(host, f"m {mode}", allowed, "p", allowed, "p", refused, "p", allowed, "p")
        assert [r.kind for r in records].count("S") == totals, f"mode {mode}"


def test_the_header_comes_again(host: Path) -> None:
    records, _, _ = play(host, "h", f"D 9000 {ALLOW} {MSR_SCTLR:#x} 0 0 0 0 0", "w 0 0", d(DENY, MRS_PMCR), "w 0 0")
    check_sequence(records)
    assert [i for i, r in enumerate(records) if r.kind == "H"][:2] == [0, 9002]


def test_the_tail_is_no_record(host: Path) -> None:
    records, text, _ = play(host, d(DENY, MRS_PMCR), d(ALLOW, MSR_SCTLR), "t 5", "w 0 0")
    lines = text.decode().splitlines()
    assert len(lines) == 2 and lines[0].startswith("@D 0 ") and [r.seq for r in records] == [0, 1]


NUMBER = st.sampled_from([0, 1, 7, 0xFFFFFFFF, 0x40000000, 0xFFFFFFFFFFFFFFFF])
DECISION = st.builds(d, st.integers(0, 11), st.one_of(st.integers(0, 0xFFFFFFFF), st.sampled_from([WFI, UART_W])),
                     NUMBER, NUMBER, st.one_of(NUMBER, st.integers(0x08000000, 0x09001000)), NUMBER,
                     st.integers(0, 0xFFFFFFFF))
STEP = st.one_of(
    DECISION, DECISION, st.builds("r {:#x} {}".format, NUMBER, st.integers(0, 1000)).filter(bool),
    st.builds("e {} {} {}".format, st.sampled_from([0, 1, 4, 5, 6, 7, 8]), NUMBER, NUMBER),
    st.builds("x {} {} {}".format, NUMBER, NUMBER, NUMBER),
    st.builds("w {} {}".format, st.integers(0, 500), st.integers(0, 1)),
    st.sampled_from(["h", "s", "p", "b", "n mark \"x\"", "w 0 0", "t 20", "f 3"]),
    st.builds("m {}".format, st.integers(0, 3)),
    st.builds("g {}".format, st.binary(min_size=1, max_size=20).map(bytes.hex)),
    st.builds(f"D {{}} {{}} {MSR_SCTLR:#x} 0 0 0 0 0".format,
              st.sampled_from([3, 600, RING - 1, RING, RING + 1, 40000]),
              st.sampled_from([ALLOW, DENY])))


def explained(host: Path, steps: List[str]) -> None:
    records, text, err = play(host, d(ALLOW, MSR_SCTLR), *steps, "w 0 0", "z", "?")
    losses = check_sequence(records, held=any(s.startswith("m") for s in steps))
    last: Dict[str, int] = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", err.splitlines()[-1])}
    assert last["drained"] == last["seq"] == records[-1].seq + 1 and last["written"] == sum(r.span for r in records)
    assert losses == last["lost"]
    guest = b"".join(bytes.fromhex(s[2:]) for s in steps if s.startswith("g"))
    assert text == guest


@settings(max_examples=80, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEP, max_size=25))
def test_any_history_decodes_and_explains_every_gap(host: Path, steps: List[str]) -> None:
    explained(host, [s for s in steps if not s.startswith("t")])


def history(seed: int) -> List[str]:
    """Few values, so that many records are equal; sometimes in a full ring. The same for the same seed."""
    dice = random.Random(seed)
    full = f"D {dice.choice((RING - 3, RING + 700))} {dice.choice((ALLOW, DENY))} {MSR_SCTLR:#x} 0 0 0 0 0"
    steps = [full] * (seed % 2)
    for _ in range(60):
        kind, budget = dice.randrange(16), dice.choice((0, 0, 150))
        if kind < 11:
            what = d(dice.choice((ALLOW, DENY, EMUL, WFX)), dice.choice((MSR_SCTLR, MRS_PMCR, UART_W, 0x16 << 26)),
                     dice.choice((0x40001000, 0x40001004)), dice.choice((0, 5)), dice.choice((0, 0x9000018)), 3,
                     dice.choice((0x3c5, 0x3c0)))
            steps += [what] * dice.choice((1, 1, 2, 3, 7)) + ["r 0x5 9"] * (kind < 2)
        else:
            steps.append((f"w {budget} {dice.randrange(2)}", "e 5 0 0", "x 0x96000004 0x40002000 0xdead", "?", "p"
                          )[kind - 11])
    return steps


@pytest.mark.parametrize("seed", range(8))
def test_histories_of_equal_records_explain_every_gap(host: Path, seed: int) -> None:
    explained(host, history(seed))


def test_a_push_is_short_and_calls_nothing(tmp_path: Path) -> None:
    obj = tmp_path / "log.o"
    subprocess.run(["aarch64-linux-gnu-gcc", "-std=gnu11", "-O2", "-ffreestanding", "-fno-pic", "-mgeneral-regs-only",
                    "-mstrict-align", "-fno-omit-frame-pointer", "-Ihv", f"-I{rendered()}",
                    "-c", "hv/log/log.c", "-o", str(obj)],
                   cwd=ROOT, check=True)
    text = subprocess.run(["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", str(obj)], check=True,
                          capture_output=True, text=True).stdout
    body = text.split("<log_decision>:\n")[1].split("\n\n")[0].splitlines()
    straight = body[:next(i for i, line in enumerate(body) if line.split()[1] == "ret") + 1]
    assert len(straight) <= 45, "\n".join(straight)
    assert not [line for line in straight if line.split()[1] in ("bl", "blr", "udiv", "sdiv")]
