# SPDX-License-Identifier: Apache-2.0
"""`policygen doc NAME`: a page for reviewers, in Markdown: what the guest gets, what is promised, what is missing."""
from __future__ import annotations

import argparse
from typing import List, Sequence, Tuple

from policygen.commands import cli
from policygen.language.spelling import claim_text
from policygen.language import schema
from policygen.language.model import Entry, Policy
from policygen.language.spelling import action_text, written_in
from policygen.language.spelling import text as spelled
from policygen.meaning.digest import meaning_hash
from policygen.meaning.judge import judge
from policygen.meaning.strength import measure
from policygen.text.diag import Diagnostics

HELP = "a page for reviewers, in Markdown"
TITLES = {"features": "CPU features", "sysregs": "System registers", "mmio": "Addresses", "hvc": "Calls by HVC",
          "smc": "Calls by SMC", "exceptions": "Exceptions"}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the policy")
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of standard output")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    policy, status = cli.load(parsed.name, options)
    if policy is None:
        return status
    text = page(policy, options.cpu)
    if parsed.output:
        with open(parsed.output, "w", encoding="utf-8") as stream:
            stream.write(text)
    else:
        print(text, end="")
    return cli.OK


def page(policy: Policy, cpu: str) -> str:
    """No date and no path of this machine: the same policy is the same page."""
    lines = [f"# Policy {cell(policy.name)}", ""]
    lines += [cell(policy.about), ""] if policy.about else []
    lines += table(("", ""), [
        ("meaning", f"`{meaning_hash(policy):#018x}` (equal exactly if every access is decided alike)"),
        ("mode", policy.mode + ("" if policy.mode == "enforce" else ": what would be denied is performed and logged")),
        ("platform", policy.platform), ("files", ", ".join(f"`{file}`" for file in policy.files)),
        ("rules", str(len(policy.entries)))])
    for section in schema.SECTIONS:
        lines += section_lines(policy, section)
    lines += promises(policy) + enforcement(policy, cpu)
    return "\n".join(lines).rstrip("\n") + "\n"


def section_lines(policy: Policy, section: str) -> List[str]:
    members = [entry for entry in policy.entries if written_in(entry) == section]
    if not members:
        return []
    rows = [(f"`{cell(entry.name)}`", f"`{cell(action_without_why(entry))}`", cell(why(entry)), f"`{entry.place}`",
             f"r{entry.rule}") for entry in members]
    rule = "Hidden: neither discoverable nor usable." if section == "features" else \
        "The narrower entry wins; `default` is the widest."
    return ["", f"## {TITLES[section]}", "", rule, "", *table(("name", "decision", "why", "line", "rule"), rows)]


def why(entry: Entry) -> str:
    found = [action.why for action in entry.actions.values() if action.why]
    return found[0] if found and not found[0].startswith("features expose ") else ""


def action_without_why(entry: Entry) -> str:
    text, reason = action_text(entry), why(entry)
    return text.replace(f", why: {spelled(reason)}", "") if reason else text


def promises(policy: Policy) -> List[str]:
    diags = Diagnostics()
    held, passed = judge(policy, diags)
    out = ["", "## What is promised", ""]
    rows = [(f"`{cell(claim.name)}`", f"`{cell(claim_text(claim))}`",
             f"**waived**: {cell(claim.waived)}" if claim.waived else "holds", f"`{claim.place}`")
            for claim in policy.asserts]
    out += [f"{held} assertions hold for every access they speak of.", "",
            *table(("assertion", "claim", "", "line"), rows)] if rows else ["No assertions."]
    found = measure(policy)
    out += ["", f"{passed} of {len(policy.tests)} tests pass. Flipping one entry at a time: {found.percent} % of "
            f"{found.flips} flips are noticed by an assertion or a test."]
    survivors = [f"- {side}`{cell(flip.entry.name)}` {flip.what} (`{flip.entry.place}`)"
                 for flip, _ in found.survivors for side in [f"{flip.direction} " if flip.direction else ""]]
    if survivors:
        out += ["", "Not noticed:", "", *survivors[:20]]
        out += [f"- and {len(survivors) - 20} more"] if len(survivors) > 20 else []
    return out


def enforcement(policy: Policy, cpu: str) -> List[str]:
    from policygen.target import traps
    plan = traps.plan(policy, cpu)
    out = ["", f"## What the machine does ({cpu})", ""]
    if plan.problems:
        out += ["Said by the policy and not done by the machine:", ""]
        out += [f"- `{problem.place}` `{cell(problem.subject)}`: {cell(problem.message)}"
                + "".join(f"; {cell(note)}" for note in problem.notes)
                + (f"; accepted: {cell(policy.accepted[key])}" if (key := f"{problem.code} {problem.place}")
                   in policy.accepted else "") for problem in plan.problems]
    else:
        out.append("Every rule can be enforced.")
    rows = [(f"`{register}`", f"`{value:#018x}`") for register, value in plan.controls.items() if value]
    return out + ["", "Trap controls that boot writes (`policygen traps` says what each bit is for):", "",
                  *table(("register", "value"), rows)]


def table(head: Sequence[str], rows: Sequence[Tuple[str, ...]]) -> List[str]:
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]


def cell(text: str) -> str:
    """Text that cannot break out of a table or become markup."""
    return "".join(c if c.isprintable() else " " for c in text).replace("|", "\\|").replace("<", "&lt;")
