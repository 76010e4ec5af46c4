# SPDX-License-Identifier: Apache-2.0
"""Another board is a platform file: built by BOARD=, started as that file says; everything lies in less RAM."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any, List

import pytest

from vm import PROMPT, QEMU, build, machine, run

BOARD = "qemu-virt-512m"


@pytest.fixture(scope="module")
def elf() -> Path:
    return build("default", f"BOARD={BOARD}", tag="-512m")


def command(elf: Path, *extra: str) -> List[str]:
    words = (elf.parent / "gen" / "qemu.machine").read_text().split()
    return [QEMU, *words, "-cpu", "cortex-a57", "-nographic", "-serial", "mon:stdio", "-nic", "none", "-kernel",
            str(elf), *extra]


def arguments(elf: Path, folder: Path) -> List[str]:
    path = folder / "bootargs"
    path.write_bytes(b"charter1 unattended=1\0")
    where = (elf.parent / "gen" / "qemu.bootargs").read_text().strip()
    return ["-device", f"loader,file={path},addr={where},force-raw=on", "-no-reboot"]


def test_the_guest_runs_on_half_the_memory(elf: Path, tmp_path: Path) -> None:
    assert "-m 512M" in " ".join(command(elf))
    done = run(command(elf, *arguments(elf, tmp_path)))
    text = done.stdout.decode(errors="replace")
    assert done.returncode == 0 and re.search(r"diagnostic guest: \d\d\d passed, 0 failed", text), text[-3000:]


def test_its_ram_ends_where_the_file_says(elf: Path, console: Any) -> None:
    c = console(command(elf))
    c.expect("diagnostic guest: EL1")
    c.send("\x1dm")
    c.expect(PROMPT)
    assert re.search(r"40000000.*57ffffff", c.command("map")), "the guest's RAM: 384M"
    c.send("poweroff\r")
    assert c.end() == 0


def test_a_board_with_less_memory_than_the_file_says_is_told(tmp_path: Path) -> None:
    full = build("default")
    words = machine(full)
    words[words.index("-m") + 1] = "512M"
    done = run([*words, *arguments(full, tmp_path)])
    assert b"the guest's RAM ends at 0x72000000, and this machine's before: start QEMU with -m 1G" in done.stdout
