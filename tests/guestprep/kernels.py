# SPDX-License-Identifier: Apache-2.0
"""ELF files to try guest_prep with, right and wrong ones."""
from __future__ import annotations

import struct
from typing import List, Tuple

RAM = 0x4000_0000
CODE = 0x14000000.to_bytes(4, "little")         # b .
Load = Tuple[int, int, bytes, int]              # p_vaddr, p_paddr, in the file, bytes in memory


def elf(*loads: Load, entry: int = RAM + 0x8_0000, kind: int = 2, machine: int = 183, bits: int = 2, order: int = 1,
        more: bytes = b"") -> bytes:
    """An ELF64 file of these segments; `more` is a program header of 56 bytes."""
    count = len(loads) + bool(more)
    headers, body, at = b"", b"", 64 + 56 * count
    for virtual, physical, data, memory in loads:
        headers += struct.pack("<IIQQQQQQ", 1, 7, at + len(body), virtual, physical, len(data), memory, 0x1000)
        body += data
    start = b"\x7fELF" + bytes([bits, order, 1]) + bytes(9)
    mark = "<" if order == 1 else ">"
    return start + struct.pack(f"{mark}HHIQQQIHHHHHH", kind, machine, 1, entry, 64, 0, 0, 64, 56, count, 64, 0, 0) + \
        headers + more + body


def simple(at: int = RAM + 0x8_0000, data: bytes = CODE * 4, memory: int = 0x1000) -> bytes:
    """One segment, entered at its start."""
    return elf((at, at, data, memory), entry=at)


def spans(words: str) -> List[Tuple[int, int]]:
    """The parts that boot arguments name."""
    return [(int(base), int(size)) for word in words.split() if word.startswith("part=")
            for base, size in [word[5:].split("+")]]
