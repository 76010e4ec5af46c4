# SPDX-License-Identifier: Apache-2.0
"""Turns a machine's state that QEMU saved in a replay into one that a QEMU can start from.

`savevm` is the one way to save in a replay, and needs a qcow2 disk; its state can be loaded only into a record or
replay run, whose UART loses input that is typed fast. So the stream is taken out of the disk, without the replay's own
section, for `-incoming` (QEMU docs: interop/qcow2, devel/migration).
"""
from __future__ import annotations

import struct
from pathlib import Path

CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
OFFSET = 0x00ff_ffff_ffff_fe00  # bits of an L1 or L2 entry
FULL, FOOTER = b"\x04", b"\x7e"  # a device's section: FULL id name instance version ... FOOTER id


def empty_disk(path: Path) -> None:
    """An empty qcow2 image (version 2) for savevm; no guest sees it. The state lies behind the disk's own 512 MiB."""
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, CLUSTER_BITS, CLUSTER, 0, 1, 3 * CLUSTER, CLUSTER, 1,
                         0, 0)
    table, counts = struct.pack(">Q", 2 * CLUSTER), struct.pack(">4H", 1, 1, 1, 1)
    path.write_bytes(b"".join(part.ljust(CLUSTER, b"\0") for part in (header, table, counts, b"")))


def saved(disk: bytes, name: bytes) -> bytes:
    """The stream that `savevm name` wrote to empty_disk(). Raises KeyError if there is none."""
    count, at = struct.unpack_from(">IQ", disk, 60)
    for _ in range(count):
        l1, entries, id_size, name_size, _, _, _, _, extra, size = struct.unpack_from(">QIHHIIQIIQ", disk, at)
        label = at + 40 + extra + id_size
        if disk[label:label + name_size] == name:
            break
        at += 40 + extra + id_size + name_size + 7 & ~7
    else:
        raise KeyError(name)
    out = bytearray()
    for entry in struct.unpack_from(f">{entries - 1}Q", disk, l1 + 8):
        for cluster in struct.unpack_from(f">{CLUSTER // 8}Q", disk, entry & OFFSET):
            out += disk[cluster & OFFSET:(cluster & OFFSET) + CLUSTER]
    return bytes(out[:size])


def live(stream: bytes) -> bytes:
    """The stream without the replay's section, in the state "running". Raises ValueError unless QEMU 7.2 to 10 wrote
    it."""
    start = stream.index(b"\x06replay") - 5
    section = stream[start + 1:start + 5]
    end = stream.index(FOOTER + section, start) + 5
    state = stream.index(b"\x0bglobalstate") + 20  # instance and version follow; then a size and 100 characters
    if stream[start:start + 1] != FULL or not end <= state:
        raise ValueError("unknown order of sections")
    return b"".join((stream[:start], stream[end:state], struct.pack(">I100s", 8, b"running"), stream[state + 104:]))
