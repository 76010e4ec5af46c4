# SPDX-License-Identifier: Apache-2.0
"""Addresses of a Linux guest. The numbers are qemu-virt's, as its platform file has them: a test compares them. take()
replaces them with another board's."""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

# Name here -> name in build/gen/platform.json.
TAKEN = {"RAM_BASE": "GUEST_IPA", "RAM_SIZE": "GUEST_SIZE", "INITRD_IPA": "LINUX_INITRD_IPA",
         "DTB_IPA": "LINUX_DTB_IPA", "DTB_MAX": "LINUX_DTB_MAX",
         "BOOTARGS_PA": "BOOTARGS_PA", "BOOTARGS_MAX": "BOOTARGS_SIZE",
         "GICD_BASE": "GICD_PA", "GICD_SIZE": "GICD_SIZE", "GICR_BASE": "GICR_PA", "GICR_SIZE": "GICR_SIZE",
         "UART_BASE": "UART0_PA", "UART_SIZE": "UART0_SIZE"}

RAM_BASE = 0x4000_0000          # guest addresses (IPA)
RAM_SIZE = 0x3000_0000
RAM_END = RAM_BASE + RAM_SIZE
INITRD_IPA = 0x4400_0000
DTB_IPA = 0x6fe0_0000
DTB_MAX = RAM_END - DTB_IPA     # 2 MiB, which is also the most that the arm64 boot protocol takes
BACKING = 0x0200_0000           # PA - IPA of guest RAM

BOOTARGS_PA = 0x4007_f000       # one page just below the hypervisor
BOOTARGS_MAX = 0x1000

GICD_BASE, GICD_SIZE = 0x0800_0000, 0x1_0000
GICR_BASE, GICR_SIZE, GICR_STRIDE = 0x080a_0000, 0xf6_0000, 0x2_0000
UART_BASE, UART_SIZE = 0x0900_0000, 0x1000

MAX_CPUS = 8


def take(file: Path) -> str:
    """Takes the numbers from the platform.json that policygen renders; returns QEMU's words for the board. Raises
    OSError, ValueError or KeyError if it is no such file."""
    facts: Dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    numbers = {name: int(facts[theirs]) for name, theirs in TAKEN.items()}
    globals().update(numbers, RAM_END=numbers["RAM_BASE"] + numbers["RAM_SIZE"],
                     BACKING=facts["GUEST_PA"] - facts["GUEST_IPA"])
    return str(facts["qemu"])


@dataclass(frozen=True)
class Span:
    """A range of guest addresses in use."""
    what: str
    base: int
    size: int

    @property
    def end(self) -> int:
        return self.base + self.size

    def overlaps(self, other: "Span") -> bool:
        return self.base < other.end and other.base < self.end

    def inside(self, base: int, end: int) -> bool:
        return base <= self.base and self.end <= end

    def __str__(self) -> str:
        return f"{self.what} at IPA {self.base:#x}..{self.end:#x} ({self.size} bytes)"


def clashes(spans: List[Span]) -> List[str]:
    """Complaints about a set of placements, a sentence each."""
    found = [f"{span} does not fit in guest RAM {RAM_BASE:#x}..{RAM_END:#x}"
             for span in spans if not span.inside(RAM_BASE, RAM_END)]
    for index, one in enumerate(spans):
        found += [f"{one} overlaps {two}" for two in spans[index + 1:] if one.overlaps(two)]
    return found
