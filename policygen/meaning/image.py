# SPDX-License-Identifier: Apache-2.0
"""The policy inside a built image: the section `.charter.policy` of the ELF, or the canonical form as a file."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional, Tuple

from policygen.facts import board
from policygen.language.model import Policy
from policygen.meaning import canonical
from policygen.meaning.digest import meaning_hash
from policygen.text import elf, paths
from policygen.text.diag import Diagnostics

SECTION = ".charter.policy"
MAX_BYTES = 256 << 20


def is_image(name: str) -> bool:
    """Told by content: an ELF file, or JSON."""
    try:
        with open(name, "rb") as stream:
            head = stream.read(16)
    except OSError:
        return False
    return head.startswith(elf.MAGIC) or name.endswith(".json") and head.lstrip().startswith(b"{")


def load(name: str, mode: Optional[str] = None) -> Tuple[Optional[Policy], Diagnostics]:
    diags, shown = Diagnostics(), paths.display(Path(name))
    try:
        with open(name, "rb") as stream:
            data = stream.read(MAX_BYTES)
        text = embedded(data) if data.startswith(elf.MAGIC) else data
        policy = canonical.load(text.decode("utf-8"))
        if policy.platform not in board.names():
            raise ValueError(f"no platform {policy.platform}")
        claimed, found = canonical.claimed_hash(text.decode("utf-8")), meaning_hash(policy)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, StopIteration,
            RecursionError) as problem:
        diags.unreadable = True
        diags.error("PG012", None, f"{shown} holds no policy that can be read",
                    notes=[str(problem).split("\n", maxsplit=1)[0] or type(problem).__name__])
        return None, diags
    if claimed != found:
        diags.note("PG013", None, f"{shown} says that its policy means {claimed:#018x}; this policygen makes it "
                   f"{found:#018x}", notes=["the facts of the platform have changed since, or the image is damaged"])
    return (replace(policy, mode=mode) if mode else policy), diags


def embedded(data: bytes) -> bytes:
    """What an ELF file says of its policy."""
    try:
        return elf.Elf(data).section(SECTION)
    except ValueError as problem:
        why = ": not built by this project, or stripped of it" if "no section" in str(problem) else ""
        raise ValueError(f"{problem}{why}") from None
