# SPDX-License-Identifier: Apache-2.0
"""Loads a policy by its name: a profile, a file, a file of a git revision, or a built image."""
from __future__ import annotations

from dataclasses import replace
from typing import Optional, Tuple

import yaml  # type: ignore[import]

from policygen.language import check, store
from policygen.language.model import Policy
from policygen.language.store import Store
from policygen.meaning import image
from policygen.meaning.coherence import check_coherence
from policygen.text import paths, words
from policygen.text.diag import BrokenFacts, Diagnostics, quoted


def load_policy(name: str, *, mode: Optional[str] = None, place: Optional[Store] = None,
                board: Optional[str] = None) -> Tuple[Optional[Policy], Diagnostics]:
    """The policy, or None with complaints. NAME is a profile, a file, REVISION:FILE, or a built image. `mode` replaces
    the file's (make run MODE=audit), `board` its platform; `place`: where files are looked for."""
    diags, facts = Diagnostics(), ""
    place, path = place or Store(), store.find(name)
    if image.is_image(name):
        return image.load(name, mode)
    if ":" in name and not path.is_file():
        found = store.revision(name.split(":")[0])
        if found is None:
            diags.unreadable = True
            diags.error("PG001", None, f"no revision {quoted(name.split(':')[0])} in this repository",
                        helps=["REVISION:FILE, for example main:policy/strict.yaml"])
            return None, diags
        place, path, facts = found, store.find(name.split(":", 1)[1], found), found.facts()
    if not place.is_file(path):
        known = place.stems(place.policy_dir())
        close = words.nearest(path.stem, known)
        diags.unreadable = True
        diags.error("PG001", None, f"no policy {quoted(name)}: {place.display(path)} does not exist",
                    helps=[f"did you mean {close[0]}?"] if close else [f"policies: {', '.join(known)}"])
        return None, diags
    if store.leads_out(path, place, diags):
        return None, diags
    try:
        with paths.facts_from(facts):
            policy = check.check_file(path, place, mode, diags, check_coherence, board)
    except (BrokenFacts, yaml.YAMLError, OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        if not facts:
            raise
        diags.unreadable = True
        diags.error("PG001", None, f"the facts of {quoted(name.split(':')[0])} cannot be read by this policygen",
                    notes=[str(problem).split("\n", maxsplit=1)[0]])
        return None, diags
    return (replace(policy, facts=facts) if policy is not None and facts else policy), diags
