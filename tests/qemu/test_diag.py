# SPDX-License-Identifier: Apache-2.0
"""The diagnostic guest under each profile and CPU model: every decision as the reference evaluator has it."""
import re
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

import vm
from vm import ROOT, bootargs, build, decode, machine, run

sys.path.insert(0, str(ROOT / "tests" / "linux"))
from artifacts import newest_qemu  # noqa: E402

PROFILES = ["default", "strict", "permissive"]
CPUS = ["cortex-a53", "cortex-a72", "neoverse-n1", "max"]


def diagnose(tmp_path: Path, profile: str, cpu: str = "cortex-a57", smp: int = 1, text: str = "unattended=1") -> Path:
    done = run(machine(build(profile), *bootargs(tmp_path, text), cpu=cpu, smp=smp))
    log = tmp_path / "uart.log"
    log.write_bytes(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:].decode(errors="replace")
    console = decode(log, "console").stdout
    total = re.search(r"diagnostic guest: (\d+) passed, (\d+) failed", console)
    assert total, console[-3000:]
    failures = [line for line in console.splitlines() if "FAIL" in line]
    assert not failures and total.group(2) == "0", "\n".join(failures)
    assert int(total.group(1)) > 100
    return log


@pytest.mark.parametrize("profile", PROFILES)
def test_profile(tmp_path: Path, profile: str) -> None:
    log = diagnose(tmp_path, profile)
    check = decode(log, "check", "--max-lost", "0")
    assert check.returncode == 0, check.stdout
    told = decode(log, "csv", "-f", "insn", "--fields", "name,insn").stdout
    assert told.split() == ["name,insn", "DABT_NO_SYNDROME,0x885f7c23"], "the LDXR that is refused: " + told


@pytest.mark.parametrize("cpu", CPUS)
def test_cpu_model(tmp_path: Path, cpu: str) -> None:
    diagnose(tmp_path, "default", cpu)


@pytest.mark.parametrize("profile", ["strict", "permissive"])
def test_newest_cpu_model(tmp_path: Path, profile: str) -> None:
    diagnose(tmp_path, profile, "max")


@pytest.mark.parametrize("profile, cpu", [*((profile, "cortex-a57") for profile in PROFILES), ("permissive", "max")])
def test_newest_machine(tmp_path: Path, profile: str, cpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest QEMU of Debian's backports."""
    monkeypatch.setattr(vm, "QEMU", str(newest_qemu(ROOT / "build" / "linux")))
    assert decode(diagnose(tmp_path, profile, cpu), "check", "--max-lost", "0").returncode == 0


def test_more_cpus_than_the_guest_uses(tmp_path: Path) -> None:
    diagnose(tmp_path, "default", smp=4)


def test_audit_mode_reports_instead_of_refusing(tmp_path: Path) -> None:
    elf = build("strict", "MODE=audit", tag="-audit")
    done = run(machine(elf, *bootargs(tmp_path, "unattended=1")))
    log = tmp_path / "uart.log"
    log.write_bytes(done.stdout)
    assert done.returncode == 0
    assert re.search(rb"@D\+? \d+ \S+ WOULD r", done.stdout)
    assert decode(log, "check").returncode == 0


def test_entered_below_el2_it_says_so_and_stops(console: Any) -> None:
    c = console(machine(build("default"), shape="virt,gic-version=3"))
    c.expect("charter: entered at EL1, needs EL2: .*\\r\\n")
    assert c.child.expect([pexpect.TIMEOUT, pexpect.EOF, r"\S"], timeout=3) == 0, "it went on"
