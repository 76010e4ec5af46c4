# SPDX-License-Identifier: Apache-2.0
"""Flame graphs: which of the guest's functions asked for what, with their callers where the log has them."""
from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Dict

from encoder import Encoder
from hvl.flame import drawing
from test_cli import run

MAP = "0000000040001000 t leaf\n0000000040002000 T middle\n0000000040003000 T main\n"


def traced() -> Encoder:
    """Refusals with their callers, one whose callers are lost, one of EL0, and traces that belong to none."""
    encoder = Encoder()
    encoder.header()
    for _ in range(3):
        encoder.record("D", "DENY r1 msr.r PMCR_EL0 pc=0x40001008 el=1 cost=70 esr=0x6230e419")
        encoder.record("E", "trace lr=0x40002010,0x40003020")
    encoder.record("D", "DENY r1 msr.r PMCR_EL0 pc=0x40001008 el=1 cost=50 esr=0x6230e419")
    encoder.record("E", "mark \"x\"")
    encoder.record("E", "trace lr=0x40003020")
    encoder.record("D", "ALLOW r2 exc WFX pc=0x40001008 el=0 cost=9 esr=0x7e00000")
    encoder.record("D", "DENY r1 msr.r PMCR_EL0 pc=0x40002000 el=1 cost=7 esr=0x6230e419", cpu=1)
    encoder.record("D", "EMUL r3 hvc 0x84000000 x1=0x0 x2=0x0 pc=0x40003004 el=1 cost=5 esr=0x5a000000")
    encoder.record("E", "trace lr=0x99", cpu=1)
    encoder.trailer()
    return encoder


def folded(tmp_path: Path, *more: str) -> Dict[str, int]:
    (tmp_path / "System.map").write_text(MAP)
    done = run("folded", "--map", str(tmp_path / "System.map"), *more, stdin=traced().bytes())
    assert done.returncode == 0, done
    return {stack: int(n) for stack, n in (line.rsplit(" ", 1) for line in done.stdout.decode().splitlines())}


def test_folded(tmp_path: Path) -> None:
    assert folded(tmp_path) == {
        "EL1;main;middle;leaf;DENY msr.r PMCR_EL0": 3, "EL1;leaf;DENY msr.r PMCR_EL0": 1,
        "EL0;0x40001008;ALLOW exc WFX": 1, "EL1;0x99;middle;DENY msr.r PMCR_EL0": 1, "EL1;main;EMUL hvc PSCI_VERSION": 1}
    assert folded(tmp_path, "--cost")["EL1;main;middle;leaf;DENY msr.r PMCR_EL0"] == 210
    assert list(folded(tmp_path, "-f", "cpu==1")) == ["EL1;0x99;middle;DENY msr.r PMCR_EL0"]


def test_the_drawing_is_true(tmp_path: Path) -> None:
    """Widths are shares, frames lie on what called them."""
    (tmp_path / "System.map").write_text(MAP)
    page = run("html", "--map", str(tmp_path / "System.map"), stdin=traced().bytes()).stdout.decode()
    svg = page[page.index("By the guest's functions") + 5:]
    root = ElementTree.fromstring(re.sub(r"=([a-z]+)([ >])", r"='\1'\2", svg[svg.index("<svg"):svg.index("</svg>") + 6]))
    boxes = {}
    for each in root:
        title, rect = each[0].text or "", each[1].attrib
        boxes[title] = [float(rect[key]) for key in ("x", "y", "width")]
    leaf, = (box for title, box in boxes.items() if title.startswith("leaf: 3 decisions, 42.9 %"))
    middle, = (box for title, box in boxes.items() if title.startswith("middle: 3 "))
    assert leaf[2] == middle[2] and abs(leaf[2] - 1000 * 3 / 7) < 0.1 and leaf[0] == middle[0] and leaf[1] < middle[1]
    bottom = [box for title, box in boxes.items() if title.startswith(("EL1: 6 ", "EL0: 1 "))]
    assert len(bottom) == 2 and abs(sum(box[2] for box in bottom) - 1000) < 0.2 and len({box[1] for box in bottom}) == 1


def test_what_is_in_a_log_stays_text() -> None:
    text = drawing({("EL1", "<script>", "'\"&"): (5, 1), tuple(f"f{n}" for n in range(3000)): (1, 1)})
    assert "<script>" not in text and "&lt;script&gt;" in text and text.count("<rect") > 3000


def test_callers_have_names_where_records_are_shown(tmp_path: Path) -> None:
    (tmp_path / "System.map").write_text(MAP)
    lines = run("show", "--map", str(tmp_path / "System.map"), stdin=traced().bytes()).stdout.decode()
    assert "called from middle+0x10 < main+0x20" in lines
