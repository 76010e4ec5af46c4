# SPDX-License-Identifier: Apache-2.0
"""Compares an image's tables, trap controls, name and hash with the text of its policy."""
from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Tuple

from policygen.facts import controls
from policygen.facts.board import load_board
from policygen.language.model import Policy
from policygen.meaning import image
from policygen.meaning.digest import meaning_hash
from policygen.target import in_image
from policygen.target.in_image import MAX_MAP, Reader
from policygen.target.render import rules_of
from policygen.target.traps import plan
from policygen.target.verify import Verifier, shown
from policygen.text import paths
from policygen.text.diag import Diagnostics
from policygen.text.strict_json import Malformed

MOST = 5            # accesses named in a complaint


def complain(name: str, policy: Policy, cpu: str, diags: Diagnostics, map_file: Optional[Path] = None) -> None:
    """Adds a PG014 for each part in which the image `name` differs from the policy."""
    file = paths.display(Path(name))
    try:
        found = differences(reader(Path(name), map_file), policy, cpu)
    except (OSError, ValueError) as problem:
        diags.unreadable = True
        diags.error("PG014", None, f"{file}: what it decides cannot be read", notes=[image.why(problem)])
        return
    for message, notes in found:
        diags.error("PG014", None, f"{file}: {message}", notes=notes)


def reader(path: Path, map_file: Optional[Path] = None) -> Reader:
    beside = map_file or in_image.beside(path)
    text = None
    if map_file is not None or beside.is_file():
        text = image.contents(str(beside), MAX_MAP).decode("utf-8", "replace")
    data = image.contents(str(path))
    if data.startswith(b"\x7fELF"):
        return in_image.open_elf(data, text)
    if text is None:
        raise Malformed(f"a raw image takes its map: {paths.display(beside)} is not there")
    return in_image.open_raw(data, text)


def differences(found: Reader, policy: Policy, cpu: str, verifier: Optional[Verifier] = None
                ) -> List[Tuple[str, List[str]]]:
    """The differences of an image from the policy, each with examples. `verifier`: one of this policy and CPU model, to
    be used again."""
    out: List[Tuple[str, List[str]]] = []
    if found.name != policy.name:
        out.append((f"its log would call the policy {found.name!r}, the text {policy.name!r}", []))
    meaning = meaning_hash(policy)
    if found.hash != meaning:
        out.append((f"its log would say {found.hash:#018x}, the text means {meaning:#018x}", []))
    if (found.rules, found.windows) != (rules(policy), windows(policy)):
        out.append(("its log would name other entries, places or windows than the text", []))
    verifier = verifier or Verifier(policy, model(found, policy, cpu))
    wrong = verifier.differences(found.said((access for access, _ in verifier.cases),
                                            (access for access, _ in verifier.inner)))
    if wrong:
        named = [shown(item, policy) for item in wrong[:MOST]]
        more = [f"and {len(wrong) - MOST} more"] if len(wrong) > MOST else []
        out.append((f"its tables decide {len(wrong)} accesses otherwise than its text", named + more))
    return out


def rules(policy: Policy) -> "List[Tuple[Optional[str], ...]]":
    return [(rule.place, rule.text, rule.why) for rule in rules_of(policy)]


def windows(policy: Policy) -> "List[Tuple[object, ...]]":
    return [(window.base, window.base + window.size - 1, window.name, window.entry.rule, window.registers)
            for window in policy.windows]


def model(found: Reader, policy: Policy, cpu: str) -> str:
    """The CPU model that the image was built for, by its trap controls; `cpu` if none fits."""
    for name in (cpu, *load_board(policy.platform).cpus):
        planned = plan(policy, name).controls
        if tuple(planned[register] for register in controls.MEMBERS) == found.controls:
            return name
    return cpu
