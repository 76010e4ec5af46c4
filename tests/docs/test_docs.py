# SPDX-License-Identifier: Apache-2.0
"""Every command in the READMEs works: run here, or a target that another test runs."""
from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

ROOT = Path(__file__).resolve().parents[2]
QEMU = os.environ.get("QEMU", "qemu-system-aarch64")
sys.path[:0] = [str(Path(__file__).parent), str(ROOT), str(ROOT / "tests" / "linux")]
import drawings  # noqa: E402
from artifacts import newest_qemu  # noqa: E402
from policygen.commands.probe import qemu_version  # noqa: E402
from policygen.facts.arch import ALL_BITS, load_arch  # noqa: E402
from policygen.facts.board import load_board  # noqa: E402

# Commands that are too long for here, or for a person; the test behind the arrow runs them.
ELSEWHERE = {
    "make setup run": ".ci/run",
    "make setup test": ".ci/run",
    "make run POLICY=strict": "tests/qemu/test_diag.py",
    "make run POLICY=strict MODE=audit": "tests/qemu/test_diag.py",
    "make cockpit POLICY=strict": "tests/cockpit/test_terminal.py",
    "make cockpit POLICY=strict WEB=1": "tests/cockpit/test_web.py",
    "make run 2>&1 | tee uart.log": "tests/qemu/test_operator.py",
    "python3 tools/log_decode.py --summary < uart.log": "tests/qemu/test_operator.py",
    "make run-linux LINUX_IMAGE=Image LINUX_INITRD=initrd.gz SMP=4": "tests/linux/smoke.py",
    "make run-guest GUEST_ELF=build/hello.elf": "guest/hello/README.md",
    "make run-guest GUEST_BIN=/usr/lib/u-boot/qemu_arm64/u-boot.bin GUEST_LOAD=0x40200000": "tests/qemu/test_run_guest.py",
    "make test-linux-smoke": ".ci/run",
    "make test-matrix QEMU=/path/qemu-system-aarch64": "tests/linux/matrix.py",
    "make release": "tests/qemu/test_release.py",
    "make check": ".ci/run",
}


def commands() -> List[str]:
    """Shell lines: of ```sh blocks, and indented ones that begin with a command of this tree."""
    found: List[str] = []
    for name in ("README.md", "policy/README.md", "policygen/README.md", "tools/README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for block in re.findall(r"```sh\n(.*?)```", text, re.S):
            found += block.splitlines()
        found += re.findall(r"^    ((?:make|policygen/policygen|python3) .*)$", text, re.M)
    return sorted({re.split(r"\s+#", line)[0].strip() for line in found if line.strip()})


def test_there_are_commands() -> None:
    assert len(commands()) > 10


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """build/uart.log of a run that no other test writes."""
    path = tmp_path_factory.mktemp("docs") / "uart.log"
    subprocess.run(["make", "run", f"UART_LOG={path}"], cwd=ROOT, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, timeout=600)
    return path


@pytest.mark.parametrize("command", commands())
def test_command(command: str, log: Path) -> None:
    if command in ELSEWHERE:
        assert (ROOT / ELSEWHERE[command]).exists()
        if command.startswith("make "):
            target = shlex.split(command.split("|")[0])[1:]
            words = [word for word in target if not word.startswith("2>")]
            done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        return
    command = command.replace("build/uart.log", str(log))
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_line_by_hand_is_the_contracts() -> None:
    """tests/qemu/vm.py runs it; here it is compared word by word."""
    line = re.search(r"^    (qemu-system-aarch64 .*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert line and line.group(1) == (
        "qemu-system-aarch64 -M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -m 1G -nographic "
        "-serial mon:stdio -kernel build/hypervisor.elf")


def test_drawings_are_those_of_the_lists() -> None:
    for name, drawn in drawings.drawings().items():
        assert (ROOT / name).read_text(encoding="utf-8") == drawn, f"{name}: run `make drawings`"


def test_the_versions_that_ci_runs_are_named() -> None:
    """README's are those of the platform's gaps, and on Debian 12 this machine's and the newest of its backports."""
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    told = re.search(r"CI runs on Debian (\d+), with its QEMU ([0-9.]+) and, for .* backports, QEMU ([0-9]+\.[0-9]+)", text)
    assert told, "README.md does not say which QEMU CI runs"
    release, versions = told[1], [told[2], told[3]]
    assert {version for gap in load_board("qemu-virt").gaps for version in gap.versions} == set(versions)
    system = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(encoding="utf-8"), re.M))
    here = [qemu_version(QEMU), qemu_version(str(newest_qemu(ROOT / "build" / "linux")))]
    assert here == versions if (system["ID"], system["VERSION_ID"]) == ("debian", release) else all(here)
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "timed test make test" in ci and re.search(r'make test-linux-smoke QEMU="\$newest"', ci)


def test_registers_that_act_by_the_level_are_listed() -> None:
    section = (ROOT / "hv" / "README.md").read_text(encoding="utf-8").split("## By the level\n")[1].split("\n## ")[0]
    entries = [" ".join(entry.split()) for entry in section.split("\n- ")[1:]]
    told = {name for entry in entries for name in re.findall(r"`([A-Z][A-Za-z0-9_<>]+)`", entry.split(":")[0])}
    there = {re.sub(r"^(PMEVTYPER|DBGBCR|DBGWCR)\d+", r"\1<n>", register.name) for register in load_arch().by_key.values()
             if register.replay not in ("plain", "none") or register.write_mask not in (0, ALL_BITS)}
    assert told == there, told ^ there
    for entry in entries:
        test = entry.split("`")[-2]
        assert (ROOT / test).is_file(), test
