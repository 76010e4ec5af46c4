# SPDX-License-Identifier: Apache-2.0
"""The policy inside a built image: the section `.charter.policy` of the ELF, or the canonical form as a file."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional, Tuple

from policygen.language.model import Policy
from policygen.language.reread import hold
from policygen.meaning import canonical
from policygen.meaning.digest import meaning_hash
from policygen.text import elf, paths, strict_json
from policygen.text.diag import Diagnostics

SECTION = ".charter.policy"
MAX_BYTES = 64 << 20


def is_image(name: str) -> bool:
    """Whether the file is an image, by its content: an ELF file, or JSON."""
    head = first_bytes(name)
    return head.startswith(elf.MAGIC) or name.endswith(".json") and head.lstrip().startswith(b"{")


def is_elf(name: str) -> bool:
    return first_bytes(name).startswith(elf.MAGIC)


def first_bytes(name: str) -> bytes:
    """The first bytes; None of a file that cannot be read, is not regular, or has a policy's name (a link by such a
    name is examined before it is followed)."""
    try:
        if name.endswith((".yaml", ".yml")) or not Path(name).is_file():        # a pipe would wait, or lose its bytes
            return b""
        with open(name, "rb") as stream:
            return stream.read(16)
    except (OSError, ValueError):
        return b""


def contents(name: str, most: int = MAX_BYTES) -> bytes:
    """The whole file. Raises ValueError if it is larger than an image can be."""
    with open(name, "rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"larger than {most >> 20} MiB")
    return data


def load(name: str, mode: Optional[str] = None) -> Tuple[Optional[Policy], Diagnostics]:
    """The policy in the text, checked by the rules of the language, or None and one complaint."""
    diags, shown = Diagnostics(), paths.display(Path(name))
    try:
        text = embedded(contents(name)) if is_elf(name) else contents(name, strict_json.MAX_BYTES)
        form = strict_json.parse(text)
        policy, claimed = canonical.load(form), canonical.claimed_hash(form)
        hold(policy)
        found = meaning_hash(policy)
    except (OSError, ValueError) as problem:
        diags.unreadable = True
        diags.error("PG012", None, f"{shown} holds no policy that can be read", notes=[why(problem)])
        return None, diags
    if claimed != found:
        diags.note("PG013", None, f"{shown} says that its policy means {claimed:#018x}; this policygen makes it "
                   f"{found:#018x}", notes=["the facts of the platform have changed since, or the image is damaged"])
    return (replace(policy, mode=mode) if mode else policy), diags


def why(problem: Exception) -> str:
    """One line: why a file could not be read."""
    text = problem.strerror if isinstance(problem, OSError) else str(problem)
    return (text or type(problem).__name__).split("\n", maxsplit=1)[0]


def embedded(data: bytes) -> bytes:
    """An ELF file's policy text."""
    try:
        return elf.Elf(data).section(SECTION)
    except ValueError as problem:
        reason = ": not built by this project, or stripped of it" if "no section" in str(problem) else ""
        raise ValueError(f"{problem}{reason}") from None
