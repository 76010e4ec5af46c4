# SPDX-License-Identifier: Apache-2.0
"""Runs assertions over all their accesses, and tests over theirs."""
from __future__ import annotations

from dataclasses import replace
from typing import Iterator, List, Optional, Set, Tuple, Union

from policygen.facts.arch import load_arch
from policygen.language.model import Access, Assertion, Decision, Policy, Test
from policygen.language.overlap import span_of
from policygen.meaning.evaluate import Evaluator, claim_accesses, evaluator
from policygen.meaning.regions import asked_of, bits_of, borders
from policygen.meaning.say import say, told
from policygen.text.diag import Diagnostics, Span

Claim = Union[Assertion, Test]
WIDTHS = (1, 2, 4, 8)


def judge(policy: Policy, diags: Diagnostics) -> Tuple[int, int]:
    """Complains of claims that do not hold; returns how many assertions and tests do."""
    held = passed = 0
    for assertion in policy.asserts:
        if assertion.waived is not None:
            diags.note("PG606", span(assertion, assertion.name), f"assertion {assertion.name} is waived",
                       notes=[f"because: {assertion.waived}"])
        elif assertion_holds(policy, assertion, diags):
            held += 1
    meant = replace(policy, mode="enforce") if policy.mode == "audit" else policy     # tests are about `enforce`
    for test in policy.tests:
        passed += test_passes(meant, test, diags)
    return held, passed


def span(claim: Claim, word: str) -> Span:
    return Span(claim.place.file, claim.place.line, claim.place.col, claim.place.col + len(word))


def assertion_holds(policy: Policy, claim: Assertion, diags: Diagnostics) -> bool:
    broken = list(violations(policy, claim))
    if not broken:
        return True
    access, decision = broken[0]
    rules: Set[int] = {found.entry.rule for _, found in broken}
    entries = "entry breaks" if len(rules) == 2 else "entries break"
    more = [f"{len(rules) - 1} more {entries} it"] if len(rules) > 1 else []
    diags.error("PG601", span(claim, claim.name), f"assertion {claim.name} does not hold: `{say(policy, access)}` is "
                f"{told(decision)}", wanted(claim), also=[(span_of(decision.entry), "decides it")], notes=more)
    return False


def test_passes(policy: Policy, claim: Test, diags: Diagnostics) -> bool:
    broken = list(violations(policy, claim))
    if broken:
        access, decision = broken[0]
        diags.error("PG602", span(claim, claim.operation), f"test fails: `{say(policy, access)}` is {told(decision)}",
                    wanted(claim), also=[(span_of(decision.entry), "decides it")])
        return False
    return True


def violations(policy: Policy, claim: Claim) -> Iterator[Tuple[Access, Decision]]:
    """Every kind of access that contradicts the claim."""
    for access in accesses(evaluator(policy), claim):
        decision = evaluator(policy).decide(access)
        if not holds(claim, access, decision) or not from_there(claim, decision):
            yield access, decision


# --- the accesses of a claim ------------------------------------------------------------------------------------

def accesses(evaluating: Evaluator, claim: Claim) -> Iterator[Access]:
    """One access of each piece with one decision, in every width and on each side of every border that a `where`
    draws."""
    for section, direction in claim_accesses(claim.operation, claim.section):
        for low, high in evaluating.cells(section, claim.ranges):
            for access in forms(claim, section, low, high, direction):
                yield from given(claim, evaluating, access)


def forms(claim: Claim, section: str, low: int, high: int, direction: str) -> Iterator[Access]:
    if section == "mmio":
        for width in widths(claim, high - low + 1):
            yield Access(section, low, direction, width)
        return
    register = load_arch().by_key.get(low) if section == "sysregs" else None
    if low < high or register is None or register.has(direction):
        yield Access(section, low, direction)


def given(claim: Claim, evaluating: Evaluator, access: Access) -> Iterator[Access]:
    """The access with the inputs asked for, or with one of each kind that conditions tell apart."""
    asked = dict(claim.args or ())
    if asked or claim.expect or claim.given is not None:
        yield replace(access, args=(asked.get("x1", 0), asked.get("x2", 0), asked.get("x3", 0)), value=claim.given or 0,
                      held=asked.get("held", 0), el=asked.get("from", 1), pc=asked.get("pc", 0))
        return
    wheres = asked_of(evaluating, access)
    yield from (inputs.access(access) for inputs in borders(wheres, bits_of(access))) if wheres else (access,)


def widths(claim: Claim, room: int) -> List[int]:
    """A claim without a width means every width that fits; a test means one access."""
    if isinstance(claim, Assertion) and claim.width is None and claim.expect is None:
        return [width for width in WIDTHS if width <= room]
    return [claim.width or 4]


# --- what is claimed --------------------------------------------------------------------------------------------

def holds(claim: Claim, access: Access, decision: Decision) -> bool:
    if claim.never is not None:
        return not is_word(decision, claim.never) and not (decision.limit and decision.over == claim.never)
    if claim.always is not None:
        return is_word(decision, claim.always)
    return claim.expect is None or as_expected(claim, access, decision)


def is_word(decision: Decision, word: str) -> bool:
    if word == "raz-wi":
        return decision.verdict == "RAZWI"
    return decision.do == ("mask" if word == "fields" else word)


def as_expected(claim: Claim, access: Access, decision: Decision) -> bool:
    expect = claim.expect or {}
    do = str(expect.get("do"))
    if do == "value" and "value" in expect:
        return expect["value"] == result(claim, access, decision)
    if not is_word(decision, do):
        return False
    if "fields" in expect and isinstance(expect["fields"], dict):
        return all(shows(access, decision, field, value) for field, value in expect["fields"].items())
    return all(getattr(decision, part) == expect[part] for part in ("mask", "model", "refuse") if part in expect)


def result(claim: Claim, access: Access, decision: Decision) -> Optional[int]:
    """The value that is read, or the bits that a write changes; None if the policy alone does not determine it."""
    if decision.do == "value":
        return decision.value
    if claim.given is None or decision.do not in ("allow", "mask"):
        return None
    kept = claim.given & decision.mask if decision.do == "mask" else claim.given
    return kept | decision.value if access.direction == "read" else kept


def shows(access: Access, decision: Decision, field: str, value: int) -> bool:
    shift, width = load_arch().fields[load_arch().by_key[access.key].name, field]
    bits = (1 << width) - 1
    return decision.mask >> shift & bits == 0 and decision.value >> shift & bits == value


def from_there(claim: Claim, decision: Decision) -> bool:
    """`from: strict.yaml:38`"""
    if claim.origin is None:
        return True
    place = str(decision.entry.place)
    return place == claim.origin or place.endswith("/" + claim.origin)


# --- for people -------------------------------------------------------------------------------------------------

def wanted(claim: Claim) -> str:
    where = f", decided at {claim.origin}" if claim.origin else ""
    if claim.never or claim.always:
        return (f"never {claim.never}" if claim.never else f"always {claim.always}") + where
    expect = dict(claim.expect or {})
    do = expect.pop("do", "")
    values = [f"{v:#x}" if isinstance(v, int) else str(v) for v in expect.values()]
    return " ".join(["expected", str(do), *values]) + where
