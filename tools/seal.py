#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes into hypervisor.elf the checksum of its text and constants, which hv/board/integrity.c compares at the end."""
from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from typing import Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policygen.text.elf import Elf  # noqa: E402

MOST = 64 << 20         # bytes of an image
NAMES = ("__text_start", "__text_end", "__rodata_start", "__image_end", "integrity_image")


def seal(elf: bytearray) -> int:
    """Fills in the image's word `integrity_image`, and returns it. Raises ValueError, with the fault of the image."""
    file = Elf(bytes(elf))
    found = file.symbols(NAMES)
    text, text_end, constants, end, target = (found[name] for name in NAMES)
    if not text <= text_end <= constants <= end or end - text > MOST:
        raise ValueError("its text, constants and end are not where an image of EL2 has them")
    memory = bytearray(end - text)          # between segments the file has no bytes
    place = None
    for part in file.segments():
        if text <= part.address < end:
            memory[part.address - text:part.address - text + part.size] = elf[part.offset:part.offset + part.size]
        if part.address <= target <= part.address + part.size - 4:
            place = part.offset + target - part.address
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
    except (OSError, ValueError) as error:
        print(f"seal: {path}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
