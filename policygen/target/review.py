# SPDX-License-Identifier: Apache-2.0
"""`policygen --check`: everything that can be said of a policy without writing anything."""
from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import List, Optional

from policygen.commands import cli
from policygen.facts.board import load_board
from policygen.language import check
from policygen.language.model import Policy
from policygen.meaning.coherence import check_denied
from policygen.meaning.judge import judge
from policygen.text.diag import Diagnostic, Diagnostics, Span

HELP = "validate, run assertions and tests, check enforceability; write nothing"


@dataclass
class Review:
    name: str
    policy: Optional[Policy]
    diags: Diagnostics
    asserts: int = 0
    tests: int = 0

    @property
    def held(self) -> List[str]:
        """What went well, by name; what did not is a diagnostic."""
        failed = {str(item.span.place) for item in self.diags.items if item.span and item.code in ("PG601", "PG602")}
        policy = self.policy
        if policy is None or self.status != cli.OK and not failed:
            return []
        claims = [(claim.place, f"assertion {claim.name}") for claim in policy.asserts if claim.waived is None]
        claims += [(test.place, f"test {test.place}: {test.operation} {test.target}") for test in policy.tests]
        return ["is valid"] + [text for place, text in claims if str(place) not in failed]

    @property
    def status(self) -> int:
        return cli.status(self.diags)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="policies; none: all of policy/*.yaml")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    names = parsed.names or check.policy_names()
    reviews = [review(name, options) for name in names]
    diags = Diagnostics()
    for each in reviews:
        diags.extend(each.diags)
    if options.format == "json":
        policies = [{"name": each.name, "ok": each.status == cli.OK, "assertions": each.asserts, "tests": each.tests,
                     "rules": len(each.policy.entries) if each.policy else None} for each in reviews]
        cli.print_json({"policies": policies, "diagnostics": cli.shown_diagnostics(diags, options).as_json()})
    else:
        cli.emit(diags, options, [f"{each.name} {claim}" for each in reviews for claim in each.held])
        if options.format == "text" and not options.quiet:
            print("\n".join(summary(each, options) for each in reviews))
    return max((each.status for each in reviews), default=cli.OK)


def summary(each: Review, options: cli.Options) -> str:
    errors = sum(item.severity == "error" for item in each.diags.items)
    if each.policy is None or errors:
        return f"{each.name:12} {counted(errors, 'error')}"
    mode = "" if each.policy.mode == "enforce" else f", mode {each.policy.mode}"
    gaps = sum(item.code == "PG501" for item in each.diags.items)
    enforced = f", enforceable on {options.cpu}" + (f" but for {counted(gaps, 'gap')} noted above" if gaps else "")
    held = f"{counted(each.asserts, 'assertion')} hold, {counted(each.tests, 'test')} pass"
    return f"{each.name:12} ok: {counted(len(each.policy.entries), 'rule')}, {held}{enforced}{mode}"


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def review(name: str, options: cli.Options) -> Review:
    policy, diags = check.load(name, mode=options.mode)
    out = Review(cli.shown_name(name), policy, diags)
    if policy is not None:
        out.asserts, out.tests = judge(policy, diags)
        enforceability(policy, options.cpu, diags)
    return out


def enforceability(policy: Policy, cpu: str, diags: Diagnostics) -> None:
    """What depends on the CPU model, less what is accepted with a reason."""
    from policygen.target import traps         # the planner reads large tables: only those who ask for it pay
    found = per_cpu(policy, cpu)
    diags.items += [item for item in found.items if key_of(item) not in policy.accepted]
    for note in traps.plan(policy, cpu).notes:
        diags.note("PG500", None, f"gap of {policy.platform}: {note}")
    seen = {key_of(item) for item in found.items}
    if all(key in seen or not key.startswith(check.PER_CPU) for key in policy.accepted):
        return
    idle = [ignore for ignore in diags.ignores.get(policy.file, ()) if ignore.code.startswith(check.PER_CPU)
            and f"{ignore.code} {policy.file}:{ignore.line}" not in seen]
    if idle:                            # of use on another model?
        others = [other for other in load_board(policy.platform).cpus if other != cpu]
        seen = {key_of(item) for other in others for item in per_cpu(policy, other).items}
        for ignore in idle:
            if f"{ignore.code} {policy.file}:{ignore.line}" not in seen:
                check.unused(ignore, diags)


def key_of(item: Diagnostic) -> str:
    """As in Policy.accepted."""
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
