# SPDX-License-Identifier: Apache-2.0
"""Names in the instructions of a kernel's ELF file: system registers, calls, floating point. Nothing is executed.

Encodings: Arm ARM, "A64 instruction set encoding". Values that a kernel computes (a call's number in a variable, the address
of a device) are not in its instructions: a run in `mode: audit` shows that.
"""
from __future__ import annotations

import struct
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional, Set, Tuple

from policygen.facts.arch import make_key
from policygen.text.elf import Elf

MAX_CODE = 64 << 20             # bytes that are looked at
WINDOW = 16                     # instructions before a call in which its number is looked for
CALLS = {0xd4000002: "hvc", 0xd4000003: "smc"}
X0 = 0


@dataclass
class Named:
    """By register key: the directions; by conduit: the numbers of calls, and how many calls have another number."""
    registers: Dict[int, Set[str]] = field(default_factory=dict)
    calls: Dict[str, Set[int]] = field(default_factory=lambda: {"hvc": set(), "smc": set()})
    computed: Dict[str, int] = field(default_factory=lambda: {"hvc": 0, "smc": 0})
    fp: bool = False
    words: int = 0              # instructions that were looked at


def named(data: bytes) -> Named:
    """Raises ValueError for what is no 64-bit little-endian ELF file for AArch64."""
    file = Elf(data)
    if struct.unpack_from("<H", data, 18)[0] != 183:
        raise ValueError("not an ELF file for AArch64")
    out, marks = Named(), sorted(set(file.marks()))
    for address, code in executable(file):
        words = struct.unpack(f"<{len(code) // 4}I", code[:len(code) & -4])
        skipped = data_words(marks, address, len(words))
        for at, word in enumerate(words):
            if at in skipped:
                continue
            out.words += 1
            note(out, words, at, word, code)
    return out


def executable(file: Elf) -> Iterator[Tuple[int, bytes]]:
    """Address and bytes of each executable section; without sections, of each executable segment."""
    found: List[Tuple[int, int, int]] = []
    try:
        sections = [section.header for section in file.file.iter_sections()]
        found = [(part.sh_addr, part.sh_offset, part.sh_size) for part in sections
                 if part.sh_type == "SHT_PROGBITS" and part.sh_flags & 4]
        if not found:
            found = [(part["p_vaddr"], part["p_offset"], part["p_filesz"]) for part in file.file.iter_segments("PT_LOAD")
                     if part["p_flags"] & 1]
    except Exception as problem:        # whatever a library trips over
        raise ValueError(f"its ELF headers are damaged ({type(problem).__name__})") from None
    if sum(size for _, _, size in found) > MAX_CODE:
        raise ValueError(f"more than {MAX_CODE} bytes of code")
    for address, offset, size in found:
        yield address, file.slice(offset, size, "its code")


def data_words(marks: List[Tuple[int, str]], address: int, count: int) -> Set[int]:
    """Words of a section that are data, by the sorted mapping symbols $x and $d (ELF for the Arm 64-bit Architecture,
    "Mapping symbols")."""
    here = [(value - address, kind) for value, kind in
            marks[bisect_left(marks, (address, "")):bisect_left(marks, (address + 4 * count, ""))]]
    out: Set[int] = set()
    for (start, kind), (end, _) in zip(here, [*here[1:], (4 * count, "")]):
        if kind == "d":
            out.update(range(start // 4, -(-end // 4)))
    return out


def note(out: Named, words: Tuple[int, ...], at: int, word: int, code: bytes) -> None:
    """One instruction."""
    kind = word >> 19
    if kind in (0b1101010100001, 0b1101010100101):                  # SYS, SYSL
        out.registers.setdefault(key_of(word, 1), set()).add("read" if word >> 21 & 1 else "write")
    elif word >> 20 in (0xd51, 0xd53):                              # MSR (register), MRS
        out.registers.setdefault(key_of(word, 2 + (word >> 19 & 1)), set()).add("read" if word >> 21 & 1 else "write")
    elif word & 0xffe0001f in CALLS:
        if word >> 5 & 0xffff == 0:
            section = CALLS[word & 0xffe0001f]
            number = call_number(words, at, code)
            if number is None:
                out.computed[section] += 1
            else:
                out.calls[section].add(number)
    elif word >> 25 & 7 == 7 or word >> 26 & 1 and word >> 27 & 1 and not word >> 25 & 1:   # FP and SIMD; their loads
        out.fp = True


def key_of(word: int, op0: int) -> int:
    return make_key(op0, word >> 16 & 7, word >> 12 & 15, word >> 8 & 15, word >> 5 & 7)


def call_number(words: Tuple[int, ...], at: int, code: bytes) -> Optional[int]:
    """X0 at the call, where the instructions before it set it one after the other."""
    value: Optional[int] = None
    for place in range(max(0, at - WINDOW), at):
        word = words[place]
        if branches(word):
            value = None                    # from elsewhere, or back from a call
        elif word & 31 != X0 or word & 0x3b000000 != 0x18000000 and stores(word):
            continue
        elif word & 0x7f800000 == 0x52800000:                               # MOVZ
            value = (word >> 5 & 0xffff) << 16 * (word >> 21 & 3)
        elif word & 0x7f800000 == 0x12800000:                               # MOVN
            value = ~((word >> 5 & 0xffff) << 16 * (word >> 21 & 3))
        elif word & 0x7f800000 == 0x72800000 and value is not None:         # MOVK
            shift = 16 * (word >> 21 & 3)
            value = value & ~(0xffff << shift) | (word >> 5 & 0xffff) << shift
        elif word & 0x7f8003e0 == 0x11000000 and value is not None:         # ADD (immediate) to itself
            value += (word >> 10 & 0xfff) << 12 * (word >> 22 & 1)
        elif word & 0xbf000000 == 0x18000000:                               # LDR (literal)
            offset = ((word >> 5 & 0x7ffff) ^ 0x40000) - 0x40000
            start = 4 * (place + offset)
            value = struct.unpack_from("<I", code, start)[0] if 0 <= start <= len(code) - 4 else None
        else:
            value = None
    return value & 0xffffffff if value is not None else None


def branches(word: int) -> bool:
    """Branches, calls, returns and exceptions: "Branches, Exception Generating and System instructions" but for the last."""
    return word >> 26 & 7 == 5 and word >> 22 != 0x354


def stores(word: int) -> bool:
    """A load or store whose Rt is stored: X0 stays as it is."""
    return word >> 27 & 1 == 1 and not word >> 25 & 1 and not word >> 22 & 1
