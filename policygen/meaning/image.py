# SPDX-License-Identifier: Apache-2.0
"""The policy inside a built image: the section `.charter.policy` of the ELF, or the canonical form as a file."""
from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Optional, Tuple

from policygen.facts import board
from policygen.language.model import Policy
from policygen.meaning import canonical
from policygen.meaning.digest import meaning_hash
from policygen.text import paths
from policygen.text.diag import Diagnostics

SECTION = b".charter.policy"
MAX_BYTES = 256 << 20
MAGIC = b"\x7fELF\x02\x01"          # 64 bit, little endian


def is_image(name: str) -> bool:
    """Told by content: an ELF file, or JSON."""
    try:
        with open(name, "rb") as stream:
            head = stream.read(16)
    except OSError:
        return False
    return head.startswith(b"\x7fELF") or name.endswith(".json") and head.lstrip().startswith(b"{")


def load(name: str, mode: Optional[str] = None) -> Tuple[Optional[Policy], Diagnostics]:
    diags, shown = Diagnostics(), paths.display(Path(name))
    try:
        with open(name, "rb") as stream:
            data = stream.read(MAX_BYTES)
        text = section(data) if data.startswith(b"\x7fELF") else data
        policy = canonical.load(text.decode("utf-8"))
        if policy.platform not in board.names():
            raise ValueError(f"no platform {policy.platform}")
        claimed, found = canonical.claimed_hash(text.decode("utf-8")), meaning_hash(policy)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, StopIteration, struct.error,
            RecursionError) as problem:
        diags.unreadable = True
        diags.error("PG012", None, f"{shown} holds no policy that can be read",
                    notes=[str(problem).split("\n", maxsplit=1)[0] or type(problem).__name__])
        return None, diags
    if claimed != found:
        diags.note("PG013", None, f"{shown} says that its policy means {claimed:#018x}; this policygen makes it "
                   f"{found:#018x}", notes=["the facts of the platform have changed since, or the image is damaged"])
    return (replace(policy, mode=mode) if mode else policy), diags


def section(data: bytes) -> bytes:
    """The contents of `.charter.policy`."""
    if not data.startswith(MAGIC):
        raise ValueError("not a 64 bit little endian ELF file")
    at, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3a)
    headers = [struct.unpack_from("<IIQQQQ", data, at + size * index) for index in range(count)]
    table = headers[names]
    for name, _, _, _, offset, length in headers:
        start = table[4] + name
        if data[start:data.index(b"\0", start)] == SECTION and offset + length <= len(data):
            return data[offset:offset + length]
    raise ValueError("no section .charter.policy: not built by this project, or stripped of it")
