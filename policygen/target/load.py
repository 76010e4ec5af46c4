# SPDX-License-Identifier: Apache-2.0
"""Loads a policy for a verb; an image's word for its policy counts only if its tables agree."""
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
    """As load_policy(); for an ELF image only a policy that its tables decide by."""
    policy, diags = load_policy(name, mode=mode, place=place, board=board)
    if policy is None or not is_elf(name):
        return policy, diags
    written = load_policy(name, board=board)[0] if mode else policy
    assert written is not None
    from policygen.target import bound         # reads large tables, so that only questions about an image pay for them
    bound.complain(name, written, cpu, diags)
    return (None if diags.failed else policy), diags
