# SPDX-License-Identifier: Apache-2.0
"""Values given to make arrive unchanged; a switch's 0 is off; help lists every variable."""
from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import List

import pytest

from making import ROOT, canaries, environment, run_make

from vm import arm64_image  # noqa: E402

CC = "CC=ccache aarch64-linux-gnu-gcc"
# A text that make, a shell and printf would each change.
TEXT = """a="b c" 'd' $e $(f) $$g `h` \\i \\\\ %s %d {j} #k ;l&m|n<o>p* ~ ! é --q   r"""
POWER_OFF = "ldr w0, =0x84000008\n hvc #0\n b .\n"


@pytest.mark.parametrize("by", ["command line", "environment"])
def test_the_kernels_command_line_is_handed_on_as_it_stands(tmp_path: Path, by: str) -> None:
    image = arm64_image(tmp_path, POWER_OFF)
    text = f"{TEXT} \udcff "
    words = ["run-linux", f"LINUX_IMAGE={image}", "UNATTENDED=1", "TIMEOUT=60", "POLICY=permissive", "LINUX_VERBATIM=1",
             f"B={tmp_path}/build", CC]
    if by == "environment":
        done = run_make(ROOT, *words, env={"LINUX_CMDLINE": text})
    else:
        done = run_make(ROOT, *words, f"LINUX_CMDLINE={text}")
    assert "linux_end: poweroff" in done.stdout, done.stdout
    dtb = (tmp_path / "build/linux/guest.dtb").read_bytes()
    assert b"\0" + os.fsencode(text) + b"\0" in dtb


def test_the_monitors_commands_are_handed_on_as_they_stand(tmp_path: Path) -> None:
    """A QEMU that does nothing, so that its input files can be read."""
    stub = tmp_path / "qemu"
    stub.write_text("#!/bin/sh\nexit 0\n", encoding="ascii")
    stub.chmod(0o755)
    for text in ("bp 0x40001000; log mode full; cont", "mark it's $HOME $(touch CANARY) `x` \\ %s #"):
        run_make(ROOT, "run", f"QEMU={stub}", "UNATTENDED=1", "LOG=full", f"HVINIT={text}", f"B={tmp_path}/build", CC)
        said = (tmp_path / "build/bootargs").read_bytes()
        assert said == f'charter1 unattended=1 log=full hv.init="{text}"'.encode() + b"\0"
    assert not canaries(ROOT)
    done = run_make(ROOT, "run", f"QEMU={stub}", "HVINIT=" + "a" * 4096, f"B={tmp_path}/build", CC)
    assert "HVINIT= is too long: EL2 reads 4096 bytes of boot arguments" in done.stdout and done.returncode


@pytest.mark.parametrize("words, found, yes", [
    (["run", "UNATTENDED=0"], "-no-reboot", False), (["run", "UNATTENDED=1"], "-no-reboot", True),
    (["run", "UNATTENDED="], "-no-reboot", False), (["run", "UNATTENDED=0"], "unattended=1", False),
    (["run", "LOCKED=0"], "build_locked = %s;\\n' 'false'", True),
    (["run", "LOCKED=1"], "build_locked = %s;\\n' 'true'", True),
    (["run", "MONITOR=1"], "hv/operator/none.c", False), (["run", "MONITOR=0"], "hv/operator/none.c", True),
    (["run", "MONITOR=0", "LOCKED=0"], "hv/operator/none.c", True),
    (["replay", "SEQ=1", "GDB=0"], "--gdb", False), (["replay", "SEQ=1", "GDB=1"], "--gdb", True),
    (["all", "GUEST=sweep", "BRIEF=0"], "--brief", False), (["all", "GUEST=sweep", "BRIEF=1"], "--brief", True),
    (["all", "V=1"], "printf '  %-8s", False), (["all", "V=0"], "printf '  %-8s", True),
    (["all", "V="], "printf '  %-8s", True), (["run", "POLICY="], "policygen -q default", True),
    (["run", "SMP="], "-smp 1 ", True), (["run", "SMP=4"], "-smp 4 ", True),
    (["run", "TIMEOUT=7", "UNATTENDED=1"], "timeout --foreground 7 ", True),
    (["test-fresh", "FULL=0"], "fresh.sh bookworm build/fresh-bookworm 1", True),
    (["test-fresh", "FULL=1", "RELEASE=trixie"], "fresh.sh trixie build/fresh-trixie 2", True),
], ids=lambda part: " ".join(part) if isinstance(part, list) else "")
def test_a_value_means_what_it_says(tree: Path, words: List[str], found: str, yes: bool) -> None:
    done = run_make(tree, "-n", "-B", *words)
    assert done.returncode == 0, done.stdout
    assert (found in done.stdout) == yes


def test_help_lists_every_variable_and_what_it_takes() -> None:
    told = run_make(ROOT, "help").stdout
    listed = dict(re.findall(r"^  ([A-Z_]+)= +(\S.*)$", told, re.M))
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"^([A-Z_]+) \?=", text, re.M)) <= set(listed)
    assert set(re.findall(r"\b([A-Z_]+)=", told)) == set(listed)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in re.findall(r"\bmake [a-z][^`\n]*", readme):
        assert set(re.findall(r" ([A-Z_]+)=", line)) <= set(listed), line


def test_clean_removes_only_what_make_made(tree: Path, tmp_path: Path) -> None:
    kept = tmp_path / "mine"
    kept.mkdir()
    (kept / "file").touch()
    done = run_make(tree, "clean", f"B={kept}")
    assert done.returncode and "nothing was built there; remove it by hand" in done.stdout and (kept / "file").exists()
    assert run_make(tree, "clean", f"B={tmp_path}/nothing").returncode == 0
    (kept / "flags").touch()
    assert run_make(tree, "clean", f"B={kept}").returncode == 0 and not kept.exists()


def test_the_log_of_an_earlier_run_is_not_lost(tmp_path: Path) -> None:
    """A log that UART_LOG= names is not overwritten; that of the run before stays beside the new one."""
    stub = tmp_path / "qemu"
    stub.write_text("#!/bin/sh\nexit 0\n", encoding="ascii")
    stub.chmod(0o755)
    words = ["run", f"QEMU={stub}", f"B={tmp_path}/build", CC]
    kept = tmp_path / "kept.log"
    kept.write_text("evidence", encoding="ascii")
    done = run_make(ROOT, *words, f"UART_LOG={kept}")
    assert done.returncode and f"UART_LOG={kept} exists: name another file or remove it" in done.stdout, done.stdout
    done = run_make(ROOT, *words, env={"UART_LOG": str(kept)})
    assert done.returncode and kept.read_text(encoding="ascii") == "evidence", done.stdout
    (tmp_path / "build" / "uart.log").write_text("before", encoding="ascii")
    assert run_make(ROOT, *words).returncode == 0
    assert (tmp_path / "build" / "uart.log.1").read_text(encoding="ascii") == "before"
    assert run_make(ROOT, *words, "UART_LOG=/dev/null").returncode == 0


def test_two_makes_at_once_take_turns(tmp_path: Path, tree: Path) -> None:
    """Of two makes with different images in one folder each makes its own whole, and says that it waits."""
    words = ["make", "--no-print-directory", "all", f"B={tmp_path}/build", CC]
    makes = [subprocess.Popen([*words, f"POLICY={policy}", f"GUEST={guest}"], cwd=ROOT, text=True, env=environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
             for policy, guest in (("strict", "diag"), ("default", "bench"), ("strict", "diag"))]
    told = [process.communicate(timeout=300)[0] for process in makes]
    assert [process.returncode for process in makes] == [0, 0, 0], told
    assert sum(f"waiting for a make that is at work in {tmp_path}/build" in text for text in told) in (1, 2), told


# ---- setup ---------------------------------------------------------------------------------------------------------

HEAVY = ("clang", "npm", "chromium", "mypy", "python3-pytest", "git")
STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in *--assume-no*) printf '%s\\n' '0 upgraded, 108 newly installed, 0 to remove and 0 not upgraded.' \\
    'Need to get 80.8 MB of archives.' \\
    'After this operation, 335 MB of additional disk space will be used.'; exit 1;; esac
case "$0" in *dpkg-query) test "$4" = git && echo 'install ok installed';; *) exit 0;; esac
"""


@pytest.mark.parametrize("words, light", [
    (["setup", "run"], True), (["setup", "all"], True), (["setup", "run-linux"], True), (["setup", "cockpit"], True),
    (["setup"], False),
    (["setup", "test"], False), (["setup", "run", "test"], False), (["setup", "lint"], False),
], ids=lambda part: " ".join(part) if isinstance(part, list) else "")
def test_setup_asks_for_what_the_goals_need(tree: Path, words: List[str], light: bool) -> None:
    done = run_make(tree, "-n", *words, *(["LINUX_IMAGE=x"] if "run-linux" in words else []))
    line = next(line for line in done.stdout.splitlines() if line.startswith("tools/make/setup.sh "))
    asked = line.split()[1:]
    assert {"gcc-aarch64-linux-gnu", "qemu-system-arm", "python3-yaml", "python3-libfdt", "python3-urwid"} <= set(asked)
    assert bool(set(HEAVY[3:]) & set(asked)) == (not light) and len(asked) == len(set(asked))


def test_setup_says_what_comes_before_it_comes(tmp_path: Path) -> None:
    for name in ("apt-get", "dpkg-query", "sudo"):
        (tmp_path / name).write_text(STUB, encoding="ascii")
        (tmp_path / name).chmod(0o755)
    calls = tmp_path / "calls"
    done = subprocess.run([ROOT / "tools/make/setup.sh", "git", "qemu-system-arm"], text=True, check=True,
                          stdout=subprocess.PIPE, env={"PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(calls)})
    assert done.stdout.splitlines() == ["setup: missing: qemu-system-arm", "setup: packages to install: 108",
                                        "setup: to fetch: 80.8 MB", "setup: of disk: 335 MB"]
    called = calls.read_text(encoding="ascii").splitlines()
    assert called[-1].endswith("install -y --no-install-recommends qemu-system-arm") and "--assume-no" in called[-2]
