# SPDX-License-Identifier: Apache-2.0
"""The probe: each CPU model has the registers of policy/arch, and each trap control catches those listed there, except
for the platform's known gaps. A wrong fact, or an incomplete log, is reported."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest
import yaml

from vm import QEMU, ROOT, TIMEOUT

sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "linux")]
from artifacts import newest_qemu  # noqa: E402
from policygen.commands.probe import probed, unmeasured  # noqa: E402
from policygen.facts.arch import load_arch  # noqa: E402
from policygen.facts.board import load_board  # noqa: E402

MACHINE = ["-M", "virt,virtualization=on,gic-version=3", "-m", "1G", "-nographic", "-nic", "none"]
TFP = "CPTR_EL2.TFP"                            # a deviation of QEMU without consequences
VENDOR = ["HCR_EL2.TVM", "HCR_EL2.TRVM"]        # catch a register of the vendor's, too, which is another
KNOWN = ["HCR_EL2.TIDCP", "ICC_SRE_EL2.Enable", "MDCR_EL2.TPMCR"]


def probe(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "policygen", "probe", *words], cwd=ROOT, text=True, timeout=TIMEOUT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe")
    assert probe("--image", str(folder / "probe.elf")).returncode == 0
    done = subprocess.run([QEMU, *MACHINE, "-cpu", "cortex-a57", "-kernel", str(folder / "probe.elf")], timeout=TIMEOUT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    (folder / "probe.log").write_bytes(done.stdout)
    return folder / "probe.log"


@pytest.mark.parametrize("cpu, more", [
    ("cortex-a53", []), ("cortex-a57", []), ("cortex-a72", []), ("neoverse-n1", []), ("cortex-a35", []), ("cortex-a76", []),
    ("max", [TFP]), ("max+mte", [TFP])])
def test_the_facts_are_the_machine(cpu: str, more: List[str]) -> None:
    the_facts_are(QEMU, cpu, more, KNOWN)


@pytest.mark.parametrize("cpu, more", [
    ("cortex-a55", []), ("cortex-a710", [TFP]), ("neoverse-v1", [*VENDOR, TFP]), ("neoverse-n2", [TFP]),
    ("neoverse-n2+mte", [TFP])])
def test_the_facts_are_the_newest_machines(cpu: str, more: List[str], newest: str) -> None:
    the_facts_are(newest, cpu, more, KNOWN[1:])


@pytest.fixture(scope="module")
def newest() -> str:
    return str(newest_qemu(ROOT / "build" / "linux"))


def the_facts_are(qemu: str, cpu: str, more: List[str], gaps: List[str]) -> None:
    done = probe("--cpu", cpu, "--qemu", qemu, "--format", "json")
    assert done.returncode == 0, done.stdout
    found: Dict[str, Any] = json.loads(done.stdout)
    text = (ROOT / "policy" / "README.md").read_text(encoding="utf-8")
    assert found.pop("version") == 1 and ", ".join(f"`{key}`" for key in found) in text
    assert found["accesses"] > 2 * 98304 and found["controls"] > 50 and not found["has"]
    assert sorted(gap["control"] for gap in found["gaps"]) == gaps and all(gap["known"] for gap in found["gaps"])
    assert not found["lacks"] and [item["control"] for item in found["more"]] == more


def test_a_version_without_measured_gaps_is_told() -> None:
    board = load_board("qemu-virt")
    assert not unmeasured(board, "7.2") and not unmeasured(board, "10.0") and not unmeasured(board, "")
    assert unmeasured(board, "9.1") == ["version    QEMU 9.1: no gap of the platform was measured on it, only on 7.2, 10.0"]


def judged(log: Path, lines: List[str]) -> "subprocess.CompletedProcess[str]":
    path = log.with_name("other.log")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return probe("--run", str(path), "-o", str(log.with_name("gaps.yaml")))


def test_what_differs_from_the_facts_is_told_and_written(log: Path) -> None:
    lines = log.read_text(encoding="latin-1").replace("\r", "").splitlines()
    assert judged(log, lines).returncode == 0
    number = [control.name for control in probed(load_arch())].index("HCR_EL2.TACR")
    actlr = f"{load_arch().registers['ACTLR_EL1'].key:x}"
    at = lines.index(f"pb alone {number:x} r {actlr} t 0")
    lines[at] = f"pb none 0 r {load_arch().registers['SCXTNUM_EL1'].key:x} o 0"
    done = judged(log, lines)
    assert done.returncode == 1
    assert "HCR_EL2.TACR does not catch read ACTLR_EL1  (NEW)" in done.stdout
    assert "has        read SCXTNUM_EL1" in done.stdout
    gaps = yaml.safe_load(log.with_name("gaps.yaml").read_text(encoding="utf-8"))["gaps"]
    assert {"control": "HCR_EL2.TACR", "seen": "other.log", "cpus": ["cortex-a57"], "registers": ["ACTLR_EL1"],
            "effect": "does not catch read ACTLR_EL1"} in gaps
    assert [gap["control"] for gap in gaps if gap["control"] in KNOWN] != []


def test_a_log_that_is_not_whole_is_refused(log: Path) -> None:
    lines = log.read_text(encoding="latin-1").replace("\r", "").splitlines()
    for damaged, said in ((lines[:-1], "incomplete"), ([], "no probe"),
                          (lines[:40] + lines[41:], "damaged line: pb end"),
                          (lines[:9] + [lines[9].replace(" o ", " q ")] + lines[10:], "damaged line: pb none")):
        done = judged(log, damaged)
        assert done.returncode == 2 and said in done.stdout, done.stdout
    done = probe("--qemu", "/bin/false")
    assert done.returncode == 2 and "printed nothing" in done.stdout, done.stdout
