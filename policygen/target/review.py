# SPDX-License-Identifier: Apache-2.0
"""All checks of a policy that write nothing: for `--check`, and before tables are written."""
from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional

from policygen.facts.arch import DEFAULT_CPU
from policygen.facts.board import load_board
from policygen.language import check
from policygen.language.model import Policy
from policygen.language.store import Store
from policygen.meaning.coherence import check_denied
from policygen.meaning.judge import judge
from policygen.target.agreement import check_agreement
from policygen.target.load import load_bound
from policygen.text import paths
from policygen.text.diag import Diagnostic, Diagnostics, Span


@dataclass
class Review:
    name: str
    policy: Optional[Policy]
    diags: Diagnostics
    asserts: int = 0
    tests: int = 0

    @property
    def held(self) -> List[str]:
        """Findings that are no complaints, by name."""
        failed = {str(item.span.place) for item in self.diags.items if item.span and item.code in ("PG601", "PG602")}
        policy = self.policy
        if policy is None or not self.good and not failed:
            return []
        claims = [(claim.place, f"assertion {claim.name}") for claim in policy.asserts if claim.waived is None]
        claims += [(test.place, f"test {test.place}: {test.operation} {test.target}") for test in policy.tests]
        return ["is valid"] + [text for place, text in claims if str(place) not in failed]

    @property
    def good(self) -> bool:
        return not self.diags.failed and not self.diags.unreadable


def review(name: str, mode: Optional[str] = None, cpu: str = DEFAULT_CPU, place: Optional[Store] = None,
           board: Optional[str] = None) -> Review:
    check_agreement()
    policy, diags = load_bound(name, mode=mode, cpu=cpu, place=place, board=board)
    out = Review(paths.shown(name), policy, diags)
    if policy is not None:
        out.asserts, out.tests = judge(policy, diags)
        enforceability(policy, cpu, diags)
    return out


def enforceability(policy: Policy, cpu: str, diags: Diagnostics) -> None:
    """Complaints that depend on the CPU model, less those accepted with a reason."""
    from policygen.target import traps         # the planner reads large tables, so that it is imported only when needed
    found = per_cpu(policy, cpu)
    diags.items += [item for item in found.items if key_of(item) not in policy.accepted]
    for note in traps.plan(policy, cpu).notes:
        diags.note("PG500", None, f"gap of {policy.platform}: {note}")
    seen = {key_of(item) for item in found.items}
    if all(key in seen or not key.startswith(check.PER_CPU) for key in policy.accepted):
        return
    idle = [ignore for ignore in diags.ignores.get(policy.file, ()) if ignore.code.startswith(check.PER_CPU)
            and f"{ignore.code} {policy.file}:{ignore.line}" not in seen]
    if idle:                            # an ignore may be for another model
        others = [other for other in load_board(policy.platform).cpus if other != cpu]
        seen = {key_of(item) for other in others for item in per_cpu(policy, other).items}
        for ignore in idle:
            if f"{ignore.code} {policy.file}:{ignore.line}" not in seen:
                check.unused(ignore, diags)


def key_of(item: Diagnostic) -> str:
    """The key into Policy.accepted."""
    return f"{item.code} {item.span.place}" if item.span else item.code


def per_cpu(policy: Policy, cpu: str) -> Diagnostics:
    from policygen.target import traps
    out = Diagnostics()
    check_denied(policy, cpu, out)
    for problem in traps.plan(policy, cpu).problems:
        place = problem.place
        span = Span(place.file, place.line, place.col, place.col + len(problem.subject.split("+")[-1]))
        helps = problem.helps if problem.severity == "error" else ()
        out.error(problem.code, span, problem.message, problem.label, helps=helps, notes=problem.notes,
                  severity=problem.severity)
    return out
