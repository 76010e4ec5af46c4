# SPDX-License-Identifier: Apache-2.0
"""`policygen fix`: repairs a slip in a shipped policy; leaves complaints with more than one repair."""
from __future__ import annotations

from pathlib import Path

import pytest

from policygen.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "policy" / "strict.yaml").read_text(encoding="utf-8").replace("name: strict\n", "")


@pytest.mark.parametrize("right, wrong", [
    ("  timer-virt: allow", "  timer-vitr: allow"), ("MIDR_EL1: {", "MIRD_EL1: {"), ("uart0: {", "uart00: {"),
    ("HV_PAUSE: pause", "HV_PAUS: puase"), ("sysregs:", "sysreg:"), ("SERROR: pause", "SEROR: pause"),
    ("  sve: hide", "  svee: hide"), ("log: always", "lgo: always"), ("platform: qemu-virt", "platform: quemu-virt"),
    ("  cache: allow\n", "  cache: allow  # ignore PG202: not needed\n"), ("write: rtc+0x08", "wirte: rtc+0x08"),
])
def test_a_slip_is_repaired(right: str, wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "slip.yaml"
    slip = TEXT.replace(right, wrong, 1)
    assert slip != TEXT
    path.write_text(slip, encoding="utf-8")
    assert main(["fix", "--diff", str(path)]) == 0 and path.read_text(encoding="utf-8") == slip
    assert main(["fix", str(path)]) == 0, capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == TEXT
    assert "+" in capsys.readouterr().out


def test_what_has_no_single_repair_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.yaml"
    text = TEXT.replace("  cache: allow\n", "  cache: allow\n  zzzzzzzzz: allow\n")
    path.write_text(text, encoding="utf-8")
    assert main(["fix", str(path)]) == 1 and path.read_text(encoding="utf-8") == text
    assert "PG101" in capsys.readouterr().err
    assert main(["fix", "strict"]) == 0 and main(["fix", "nosuch"]) == 2
    assert (ROOT / "policy" / "strict.yaml").read_text(encoding="utf-8").replace("name: strict\n", "") == TEXT
