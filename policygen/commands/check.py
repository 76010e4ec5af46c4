# SPDX-License-Identifier: Apache-2.0
"""`policygen --check [NAME...]`, in full `policygen check`: all checks of a policy; writes nothing."""
from __future__ import annotations

import argparse

from policygen.commands import cli
from policygen.language import store
from policygen.target.review import Review, review
from policygen.text.diag import Diagnostics

HELP = "validate, run assertions and tests, check enforceability; write nothing"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="policies; none: all of policy/*.yaml")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    names = parsed.names or store.policy_names()
    reviews = [review(name, options.mode, options.cpu, board=options.board) for name in names]
    diags = Diagnostics()
    for each in reviews:
        diags.extend(each.diags)
    if options.format == "json":
        policies = [{"name": each.name, "ok": each.good, "assertions": each.asserts, "tests": each.tests,
                     "rules": len(each.policy.entries) if each.policy else None} for each in reviews]
        cli.print_json({"policies": policies, "diagnostics": cli.shown_diagnostics(diags, options).as_json()})
    else:
        cli.emit(diags, options, [f"{each.name} {claim}" for each in reviews for claim in each.held])
        if options.format == "text" and not options.quiet:
            print("\n".join(summary(each, options) for each in reviews))
    return max((cli.status(each.diags) for each in reviews), default=cli.OK)


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
