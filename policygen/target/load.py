# SPDX-License-Identifier: Apache-2.0
"""A policy for a verb: what a built image says of itself is believed only where its tables bear it out."""
from __future__ import annotations

from typing import Optional, Tuple

from policygen.facts.arch import DEFAULT_CPU
from policygen.language.model import Policy
from policygen.language.store import Store
from policygen.meaning.image import is_elf
from policygen.meaning.load import load_policy
from policygen.text.diag import Diagnostics


def load_bound(name: str, *, mode: Optional[str] = None, cpu: str = DEFAULT_CPU,
               place: Optional[Store] = None, board: Optional[str] = None) -> Tuple[Optional[Policy], Diagnostics]:
    """As load_policy(); of an ELF image only a policy that its tables decide by."""
    policy, diags = load_policy(name, mode=mode, place=place, board=board)
    if policy is None or not is_elf(name):
        return policy, diags
    written = load_policy(name, board=board)[0] if mode else policy
    assert written is not None
    from policygen.target import bound         # reads large tables: only those who ask about an image pay
    bound.complain(name, written, cpu, diags)
    return (None if diags.failed else policy), diags
