#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes into hypervisor.elf the checksum of its text and constants, which EL2 compares at the end (hv/board/integrity.c)."""
from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

PT_LOAD, SHT_SYMTAB = 1, 2


def symbols(elf: bytes, names: Sequence[str]) -> Dict[str, int]:
    (offset,), (size, count) = struct.unpack_from("<Q", elf, 0x28), struct.unpack_from("<HH", elf, 0x3a)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, offset + size * n) for n in range(count)]
    found: Dict[str, int] = {}
    for _, kind, _, _, start, length, link, _, _, entry in sections:
        if kind != SHT_SYMTAB:
            continue
        strings = sections[link][4]
        for at in range(start, start + length, entry):
            name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", elf, at)
            text = elf[strings + name:elf.index(b"\0", strings + name)].decode("ascii")
            if text in names:
                found[text] = value
    return found


def segments(elf: bytes) -> List[Tuple[int, int, int]]:
    """Physical address, offset and size in the file."""
    (offset,), (size, count) = struct.unpack_from("<Q", elf, 0x20), struct.unpack_from("<HH", elf, 0x36)
    headers = [struct.unpack_from("<IIQQQQQQ", elf, offset + size * n) for n in range(count)]
    return [(pa, at, length) for kind, _, at, _, pa, length, _, _ in headers if kind == PT_LOAD and length]


def seal(elf: bytearray) -> int:
    names = ("__text_start", "__text_end", "__rodata_start", "__image_end", "integrity_image")
    found = symbols(bytes(elf), names)
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"no symbol {missing[0]}")
    text, text_end, constants, end, target = (found[name] for name in names)
    memory = bytearray(end - text)          # between segments there is nothing
    place = None
    for pa, at, length in segments(bytes(elf)):
        if text <= pa < end:
            memory[pa - text:pa - text + length] = elf[at:at + length]
        if pa <= target <= pa + length - 4:
            place = at + target - pa
    if place is None or len(memory) != end - text:
        raise ValueError("integrity_image is in no segment, or a segment goes on behind __image_end")
    value = zlib.crc32(memory[constants - text:], zlib.crc32(memory[:text_end - text])) | 1     # 0: not sealed
    struct.pack_into("<I", elf, place, value)
    return value


def main(argv: Sequence[str]) -> int:
    if len(argv) != 1:
        print("usage: seal.py hypervisor.elf", file=sys.stderr)
        return 2
    path = Path(argv[0])
    try:
        elf = bytearray(path.read_bytes())
        seal(elf)
        path.write_bytes(bytes(elf))
    except (OSError, ValueError, struct.error) as error:
        print(f"seal: {path}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
