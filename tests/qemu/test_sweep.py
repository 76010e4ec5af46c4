# SPDX-License-Identifier: Apache-2.0
"""The sweep: every access of a guest has the reference evaluator's outcome on the target."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import vm
from vm import FAST_CLOCK, ROOT, TIMEOUT, bootargs, build, machine, run

sys.path.insert(0, str(ROOT / "tests" / "linux"))
from artifacts import newest_qemu  # noqa: E402

PROFILES = ["default", "strict", "permissive"]
OTHER_CPUS = ["cortex-a53", "cortex-a72", "neoverse-n1", "max"]

# linux-strict has no HVC at all: the sweep gets the two by which it counts and prints.
SWEEPABLE = """# SPDX-License-Identifier: Apache-2.0
policy: 1
name: sweepable
about: linux-strict as a sweep sees it.
platform: qemu-virt
extends: linux-strict
hvc:
  HV_GET_STATUS: allow
  HV_CONSOLE_WRITE: allow
waive: { no-hvc: the sweep counts and speaks by two of them }
"""


def sweep(folder: Path, profile: str, cpu: str = "cortex-a57", brief: bool = False) -> Path:
    """A sweep's log. `brief`: a sample of the address map, which is the same on every CPU."""
    words = [f"POLICY={profile}", "GUEST=sweep", *(["BRIEF=1"] if brief else [])]
    elf = build(Path(profile).stem, *words, tag="-sweep" + ("-brief" if brief else ""))
    done = run(machine(elf, *bootargs(folder, "unattended=1 log=quiet"), *FAST_CLOCK, cpu=cpu))
    log = folder / "sweep.log"
    log.write_bytes(done.stdout)
    assert done.returncode == 0, done.stdout[-2000:]
    return log


def verify(profile: str, log: Path, cpu: str = "cortex-a57") -> "subprocess.CompletedProcess[str]":
    """Gaps of the machine that ran it alone explain a difference."""
    return subprocess.run([sys.executable, "-m", "policygen", "verify", profile, "--cpu", cpu, "--run", str(log),
                           "--qemu", vm.QEMU], cwd=ROOT, text=True, timeout=TIMEOUT, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_access(tmp_path: Path, profile: str) -> None:
    done = verify(profile, sweep(tmp_path, profile))
    assert done.returncode == 0, done.stdout
    assert "98304 sysregs" in done.stdout and "all covered by a known gap (HCR_EL2.TIDCP)" in done.stdout, done.stdout


def test_every_access_on_the_newest_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HCR_EL2.TIDCP works there, and catches what is UNDEFINED, too: a gap of this version, none of QEMU 7.2."""
    with monkeypatch.context() as context:
        context.setattr(vm, "QEMU", str(newest_qemu(ROOT / "build" / "linux")))
        log = sweep(tmp_path, "strict", brief=True)
        done = verify("strict", log)
    assert done.returncode == 0, done.stdout
    assert "98304 sysregs" in done.stdout and "4096 differ, all covered by a known gap (HCR_EL2.TIDCP)" in done.stdout
    done = verify("strict", log)
    assert done.returncode == 1 and "4096 differ, and no gap explains it" in done.stdout, done.stdout


def test_every_access_of_a_guest_without_calls(tmp_path: Path) -> None:
    policy = tmp_path / "sweepable.yaml"
    policy.write_text(SWEEPABLE, encoding="utf-8")
    done = verify(str(policy), sweep(tmp_path, str(policy), brief=True))
    assert done.returncode == 0, done.stdout
    assert "98304 sysregs" in done.stdout and "passed over" in done.stdout, done.stdout


@pytest.mark.parametrize("cpu", OTHER_CPUS)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_cpu_model(tmp_path: Path, profile: str, cpu: str) -> None:
    done = verify(profile, sweep(tmp_path, profile, cpu, brief=True), cpu)
    assert done.returncode == 0, done.stdout
    assert "98304 sysregs" in done.stdout, done.stdout


def test_what_differs_is_told(tmp_path: Path) -> None:
    """One outcome changed: 1. A line lost, a report cut short: no whole sweep, 2. Each says what it is."""
    log = sweep(tmp_path, "default", brief=True)
    good = log.read_bytes()
    for status, old, new, said in (
            (1, b"sw s r 1 c000 1 0 0 : o=410fd083", b"sw s r 1 c000 1 0 0 : o=410fd070", "read MIDR_EL1"),
            (1, b"sw s r 1 4000 1 0 0 : u4000", b"sw s r 1 4000 1 0 0 : u3fff o=0", "and it ran"),
            (1, b"sw m r 4 0 3d000 0 0 : a-", b"sw m r 4 0 3d000 0 0 : a+", "counted as no denial"),
            (2, b"sw s r 1 4000 1 0 0 : u4000\n", b"", "the sweep is incomplete"),
            (2, b"\nsw end", b"\n", "the sweep is incomplete"),
            (2, b"sw start", b"sw start blind", "holds no sweep")):
        assert good.count(old) == 1, old
        log.write_bytes(good.replace(old, new))
        done = verify("default", log)
        assert done.returncode == status and said in done.stdout, f"{old!r}: {done.stdout}"
