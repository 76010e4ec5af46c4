# SPDX-License-Identifier: Apache-2.0
"""Checks a policy that was not read from YAML: writes it as YAML, reads that, and compares the two."""
from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Iterable, Optional, Tuple

from policygen.facts import board
from policygen.language import schema
from policygen.language.check import SUPPRESSIBLE, check_file
from policygen.language.flat import flat
from policygen.language.model import Assertion, Entry, Policy, Window
from policygen.language.spelling import unplaced
from policygen.language.store import Draft
from policygen.text import paths
from policygen.text.diag import Diagnostics, Place, Span
from policygen.text.escape import Raw
from policygen.text.strict_json import Malformed

SIDES = {section: schema.SIDES.get(section, ("",)) for section in schema.SECTIONS}
SIDES["features"] = ("read", "write", "")
NOWHERE = Place("", 0, 0)
MAX_LINE, MAX_PATH = 1 << 22, 4096


@dataclass
class Rules(Diagnostics):
    """Complaints that no policy can accept with a reason: reasons stand in its files, which are not at hand."""

    def error(self, code: str, span: Optional[Span], message: str, label: str = "", *, helps: Iterable[str] = (),
              notes: Iterable[str] = (), also: Iterable[Tuple[Span, str]] = (), severity: str = "error") -> None:
        if not code.startswith(SUPPRESSIBLE):
            super().error(code, span, message, label, helps=helps, notes=notes, also=also, severity=severity)


def hold(policy: Policy) -> None:
    """Raises Malformed unless the language can express `policy`, and its words name the same accesses. The fields of
    `policy` must have their types."""
    if policy.platform not in board.names():
        raise Malformed(f"no platform {policy.platform[:40]!r}")
    places = [claim.place for claim in policy.asserts]
    for rule, entry in enumerate(policy.entries):
        places += [entry.place, *(action.place for action in entry.actions.values())]
        if entry.rule != rule or not entry.text.isprintable():
            raise Malformed(f"the text of entry {rule} is no line of a file")
        if entry.section not in schema.SECTIONS or not set(entry.actions) <= set(SIDES[entry.section]) or \
                any(action.do not in schema.ACTIONS for action in entry.actions.values()):
            raise Malformed(f"entry {rule} is of no section, or has an action that its section has not")
    if any(not reg.name.startswith(f"{window.name}+") for window in policy.windows for reg in window.regs):
        raise Malformed("a window with a register of another")
    if any(not 0 <= number <= MAX_LINE for at in places for number in (at.line, at.col)):
        raise Malformed("a place that is in no file")
    names = {policy.file, *policy.files, *(at.file for at in places)}
    if not all(name.isprintable() and len(name) <= MAX_PATH for name in names):
        raise Malformed("a file's name that is none")
    try:
        text = flat(policy, waived=True)
    except (Raw, LookupError, ValueError, RecursionError) as problem:
        raise Malformed(f"not of the language: {problem}") from None
    diags, draft = Rules(), Draft(paths.policy_dir() / "x.yaml", "canonical", text)
    again = check_file(draft.path, draft, policy.mode, diags, lambda *_: None)
    if again is None:
        first = diags.sorted()[0]
        at = draft.text.split("\n")[first.span.line - 1].strip()[:80] if first.span else ""
        raise Malformed(f"{first.message} ({first.code}: {at})")
    compare(policy, again)


def compare(policy: Policy, again: Policy) -> None:
    for entry, other in zip_longest(policy.entries, again.entries):
        if entry is None or other is None or bare(entry) != bare(other):
            raise Malformed(f"entry {(entry or other).rule}, {(entry or other).name}, is not what its words mean here")
    for window, another in zip_longest(policy.windows, again.windows):
        if window is None or another is None or shape(window) != shape(another):
            raise Malformed(f"window {(window or another).name} is not what its entries say")
    for claim, second in zip_longest(policy.asserts, again.asserts):
        if claim is None or second is None or claimed(claim) != claimed(second):
            raise Malformed(f"assertion {(claim or second).name} is not what its words mean here")
    for name, value in (("name", policy.name), ("about", policy.about), ("mode", policy.mode)):
        if value != getattr(again, name):
            raise Malformed(f"its {name} reads as something else")
    if dict(policy.features) != dict(again.features):
        raise Malformed("its features are not what its entries say")


def bare(entry: Entry) -> Tuple[object, ...]:
    return (entry.rule, entry.section, entry.name, entry.ranges, entry.size,
            {side: unplaced(action) for side, action in entry.actions.items()})


def shape(window: Window) -> Tuple[object, ...]:
    return window.name, window.base, window.size, window.entry.rule, tuple(entry.rule for entry in window.regs)


def claimed(claim: Assertion) -> Assertion:
    return replace(claim, place=NOWHERE, waived=None, origin=None)
