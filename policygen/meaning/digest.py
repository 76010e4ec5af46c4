# SPDX-License-Identifier: Apache-2.0
"""The meaning hash: equal for two policies if and only if they decide every access alike."""
from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Dict, List, Optional, Sequence, Tuple

from policygen.language.model import Policy
from policygen.meaning.layout_map import WIDTHS, Cell, LayoutMap, Outcome, Part, layout_map


def meaning_hash(policy: Policy) -> int:
    """64 bits of SHA-256 over all decisions; names, places, comments, rule numbers and order do not enter."""
    return int.from_bytes(_digest(layout_map(policy))[:8], "big")


def _digest(layout: LayoutMap) -> bytes:
    numbers: Dict[str, int] = {}                # an outcome's content -> number, by first appearance
    seen: Dict[int, int] = {}                   # the same by identity: most accesses share their outcome

    def number(outcome: Outcome) -> int:
        if id(outcome) not in seen:
            seen[id(outcome)] = numbers.setdefault(repr(content(outcome)), len(numbers))
        return seen[id(outcome)]

    parts: List[bytes] = []
    for direction in ("read", "write"):
        parts.append(b"".join(number(outcome).to_bytes(4, "big") for outcome in layout.sysregs[direction]))
    cells = [(cell.base, cell.last, [number(outcome) for outcome in (*cell.rows, *cell.refuse)], cell.widths)
             for cell in united(layout)]
    beyond = [number(outcome) for outcome in (*layout.mmio_outside, *layout.mmio_straddle)]
    calls: Dict[str, List[Tuple[int, int]]] = {}
    for section in ("hvc", "smc"):
        merged: List[Tuple[int, int]] = []      # (first, outcome), with equal neighbours joined
        for first, _, outcome in layout.calls[section]:
            if not merged or merged[-1][1] != number(outcome):
                merged.append((first, number(outcome)))
        calls[section] = merged
    exceptions = [number(outcome) for outcome in layout.exceptions]
    parts.append(repr((cells, beyond, sorted(calls.items()), exceptions)).encode())
    if layout.memory:
        parts.append(repr([(part.base, part.last, *map(number, part.rows)) for part in apart(layout.memory)]).encode())
    parts.append("\n".join(numbers).encode())
    return hashlib.sha256(b"\0".join(parts)).digest()


def apart(parts: Sequence[Part]) -> List[Part]:
    """Parts of guest RAM without borders that make no difference."""
    out: List[Part] = []
    for part in parts:
        if out and [content(row) for row in out[-1].rows] == [content(row) for row in part.rows]:
            out[-1] = replace(out[-1], last=part.last)
        else:
            out.append(part)
    return out


def united(layout: LayoutMap) -> List[Cell]:
    """The cells, without borders that make no difference to an access across them."""
    out: List[Cell] = []
    for cell in layout.mmio:
        before = out[-1] if out else None
        if before is not None and alike(before, cell) and \
                all(content(_of_width(cell, side, width)) == content(layout.mmio_straddle[side])
                    for side in (0, 1) for width in WIDTHS[1:]):
            out[-1] = replace(before, last=cell.last)
        else:
            out.append(cell)
    return out


def alike(a: Cell, b: Cell) -> bool:
    both = zip((*a.rows, *a.refuse), (*b.rows, *b.refuse))
    return a.widths == b.widths and all(content(x) == content(y) for x, y in both)


def _of_width(cell: Cell, side: int, width: int) -> Outcome:
    return cell.rows[side] if width in cell.widths[side] else cell.refuse[side]


def content(outcome: Optional[Outcome]) -> Optional[Tuple[object, ...]]:
    """All fields that tell outcomes apart, without the rule. RAZWI and EMUL are two words for one behaviour."""
    if outcome is None:
        return None
    return (outcome.do, outcome.verdict == "WOULD", outcome.log, outcome.refuse, outcome.model, outcome.value,
            outcome.mask, outcome.limit, content(outcome.over), outcome.base, outcome.real, outcome.where,
            content(outcome.otherwise))
