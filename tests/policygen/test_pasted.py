# SPDX-License-Identifier: Apache-2.0
"""A log line as people paste it into `explain`, and the orders in which they ask `why`."""
from __future__ import annotations

import re
import subprocess
import sys
import zlib
from pathlib import Path
from random import Random

import pytest

from policygen.commands.pasted import CHANGED, mended
from test_evidence import Wire, accesses, policygen, profile

ROOT = Path(__file__).resolve().parents[2]
RECORD = "@D 4 0.312468736 DENY r21 msr.r AFSR0_EL1 pc=0xffff800008011a44 el=1 cost=154 esr=0x62301403"


def summed(record: str = RECORD) -> str:
    return f"{record} *{zlib.crc32(f'{record} '.encode()):08x}"


def cut(text: str, width: int) -> str:
    return "\n".join(text[at:at + width] for at in range(0, len(text), width))


@pytest.mark.parametrize("before", ["", "\x1e", "^^", "\u241e", "2026-11-30T06:00:00.1Z ", "[  12.5] \x1e", "hv> "])
def test_what_stands_before_a_line(before: str) -> None:
    assert mended(before + summed()) == (RECORD, "")
    assert mended(before + RECORD)[0].startswith(RECORD)


@pytest.mark.parametrize("width", range(20, 130, 7))
def test_a_wrapped_line_is_joined_until_its_sum_fits(width: int) -> None:
    text = cut(summed(), width)
    assert mended(text) == (RECORD, "")
    assert mended(text.replace("\n", "\r\n")) == (RECORD, "")
    assert mended("\n".join(line.strip() for line in text.split("\n"))) == (RECORD, ""), "blanks at the cut were dropped"
    assert mended(text.replace("\n", "\n    ")) == (RECORD, ""), "indented"
    assert mended(cut("^^" + summed() + "^M", width)) == (RECORD, "")


@pytest.mark.parametrize("width", (40, 66, 80, 100))
def test_a_wrapped_line_without_its_sum(width: int) -> None:
    assert mended(cut(RECORD, width)) == (RECORD, "")


def test_a_line_that_was_changed_is_told() -> None:
    assert mended(summed().replace("r21", "r22")) == (summed().replace("r21", "r22"), CHANGED)
    done = policygen("explain", "strict", summed().replace("cost=154", "cost=155"))
    assert done.returncode == 0 and CHANGED.strip() in done.stdout
    assert CHANGED.strip() not in policygen("explain", "strict", summed()).stdout


@pytest.mark.parametrize("text", ["read PMCR_EL0", "0x62380405", "hvc HV_PAUSE x1=1", "", "@", "@@", "\n" * 50, "@D 1"])
def test_what_is_no_log_line_stays_as_it_is(text: str) -> None:
    assert mended(text) == (text, "")


def test_many_lines_cost_little() -> None:
    for text in ("@D 1 1.0 DENY\n" * 5000, "@D 1 1.0 x *00000000" + "\ny" * 11, "@" * 100_000):
        mended(text)


@pytest.mark.parametrize("words", ["{seq} {log}", "{log} {seq}", "--session 1 {log} {seq}", "{log} {seq} --session 1",
                                   "{log} --session 1 {seq}", "{seq} --format text {log}", "--format text {log} {seq}"])
def test_why_takes_its_arguments_in_any_order(words: str, tmp_path: Path) -> None:
    policy = profile("strict")
    wire = Wire(policy)
    for access in accesses(policy, 3, 12):
        wire.decide(access)
    log = wire.end(tmp_path / "uart.log")
    asked = words.format(seq=5, log=log).split()
    done = subprocess.run([sys.executable, str(ROOT / "tools/log_decode.py"), "why", *asked], capture_output=True, text=True,
                          timeout=600, cwd=ROOT)
    assert done.returncode == 0 and re.match(r"@D 5 5\.", done.stdout), done


def test_random_text_is_no_trap() -> None:
    r = Random(2)
    for _ in range(3000):
        mended("".join(r.choice("@D 1.*0af\n\r^M= ") for _ in range(r.randrange(60))))
