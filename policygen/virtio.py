# SPDX-License-Identifier: Apache-2.0
"""What a policy says of a virtio device beside its model; in a row this is `mask`: requests << 32 | bits withheld."""
from __future__ import annotations

from typing import List, Optional, Set

WORD = 0xffffffff
FASTEST = 1000000                       # requests a second that may be asked for: EL2 counts in ticks of its clock


def speaks_of(model: Optional[str]) -> bool:
    return model is not None and model.startswith("virtio-")


def mask(offer: Optional[int], requests: Optional[int]) -> Optional[int]:
    """None: all that EL2 can offer, as fast as it goes."""
    return (0 if offer is None else WORD & ~offer) | (requests or 0) << 32 or None


def parts(packed: Optional[int]) -> List[str]:
    """The pairs as they are written."""
    withheld, requests = (packed or 0) & WORD, (packed or 0) >> 32
    return ([f"offer: {WORD & ~withheld:#x}"] if withheld else []) + ([f"requests: {requests}/s"] if requests else [])


def signs(old: int, new: int) -> Set[str]:
    """+ where the new one gives more, - where it gives less."""
    before, after = old & WORD, new & WORD
    out = {sign for sign, bits in (("+", before & ~after), ("-", after & ~before)) if bits}
    slow, fast = old >> 32 or WORD, new >> 32 or WORD
    return out | ({"+" if fast > slow else "-"} if fast != slow else set())
