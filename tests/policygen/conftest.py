# SPDX-License-Identifier: Apache-2.0
"""Puts the clone on the path and gives tests a way to write small policies."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from policygen.language.model import Policy      # noqa: E402
from policygen.target import render              # noqa: E402

HEAD = "policy: 1\nname: t\nplatform: qemu-virt\n"
SECTIONS = {"sysregs": "{ default: deny }", "mmio": "{ default: deny }", "hvc": "{ default: deny }",
            "smc": "{ default: deny }", "exceptions": "{ default: forward }"}


@pytest.fixture
def policy_file(tmp_path: Path) -> Callable[[str], str]:
    """Writes a policy whose missing sections are a `default`; returns its path."""
    def write(text: str) -> str:
        said = {line.split(":")[0] for line in text.splitlines()}
        rest = "".join(f"{name}: {body}\n" for name, body in SECTIONS.items() if name not in said)
        path = tmp_path / "t.yaml"
        path.write_text(HEAD + text + rest, encoding="utf-8")
        return str(path)
    return write


@pytest.fixture(scope="session")
def built() -> Callable[[Policy, Path], Path]:
    """Links the tables of a policy into an ELF for AArch64, as `make` does but for the code; returns its path."""
    def build(policy: Policy, folder: Path) -> Path:
        render.render(policy, folder)
        image, script = folder / "image.elf", folder / "image.ld"
        script.write_text("SECTIONS { . = 0x40080000; .text : { *(.replay) } .rodata : { *(.rodata*) } }",
                          encoding="utf-8")
        subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", "-no-pie", "-fno-pic", "-std=gnu11",
                        "-ffreestanding", "-fdata-sections", f"-I{ROOT / 'hv'}", f"-Wa,-I{folder}",
                        f"-Wl,-T,{script},-Map={folder / 'image.map'},--build-id=none", "-o", str(image),
                        str(folder / "policy_tables.c"), str(folder / "replay.S")], check=True)
        return image
    return build
