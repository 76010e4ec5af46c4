# SPDX-License-Identifier: Apache-2.0
"""`policygen doc NAME`: a page for reviewers, in Markdown: what the guest gets, what is promised, what is missing."""
from __future__ import annotations

import argparse
from typing import List, Sequence, Tuple

from policygen.commands import cli
from policygen.language import schema
from policygen.language.model import Entry, Policy
from policygen.language.spelling import action_text, claim_text, written_in
from policygen.meaning.digest import meaning_hash
from policygen.meaning.judge import judge
from policygen.meaning.strength import measure
from policygen.text.diag import Diagnostics
from policygen.text.escape import Markdown, Piece, Word, fill, joined, yaml
from policygen.text.escape import markdown as said
from policygen.text.escape import markdown_code as code

HELP = "a page for reviewers, in Markdown"
Row = Tuple[Piece, ...]
TITLES = {"features": "CPU features", "sysregs": "System registers", "mmio": "Addresses", "memory": "Guest RAM",
          "hvc": "Calls by HVC", "smc": "Calls by SMC", "exceptions": "Exceptions"}


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
    """Without date or path of this machine: the same policy gives the same page."""
    meaning = fill(Markdown, "{} (equal exactly if every access is decided alike)",
                   code(f"{meaning_hash(policy):#018x}"))
    audit = "" if policy.mode == "enforce" else ": what would be denied is performed and logged"
    lines = [fill(Markdown, "# Policy {}", said(policy.name)), Markdown("")]
    lines += [said(policy.about.strip()), Markdown("")] if policy.about else []
    lines += table((Word(""), Word("")), [
        (Word("meaning"), meaning), (Word("mode"), said(policy.mode + audit)),
        (Word("platform"), said(policy.platform)),
        (Word("files"), joined(Markdown, ", ", [code(file) for file in policy.files])),
        (Word("rules"), len(policy.entries))])
    for section in schema.SECTIONS:
        lines += section_lines(policy, section)
    lines += promises(policy) + enforcement(policy, cpu)
    return "\n".join(lines).rstrip("\n") + "\n"


def heading(text: str) -> List[Markdown]:
    return [Markdown(""), fill(Markdown, "## {}", said(text)), Markdown("")]


def section_lines(policy: Policy, section: str) -> List[Markdown]:
    members = [entry for entry in policy.entries if written_in(entry) == section]
    if not members:
        return []
    rows: List[Row] = [(code(entry.name), code(action_without_why(entry)), said(why(entry)), code(str(entry.place)),
                        Word(f"r{entry.rule:d}")) for entry in members]
    rule = "Hidden: neither discoverable nor usable." if section == "features" else \
        "The narrower entry wins; `default` is the widest."
    head = tuple(map(Word, ("name", "decision", "why", "line", "rule")))
    return [*heading(TITLES[section]), Markdown(rule), Markdown(""), *table(head, rows)]


def why(entry: Entry) -> str:
    found = [action.why for action in entry.actions.values() if action.why]
    return found[0] if found and not found[0].startswith("features expose ") else ""


def action_without_why(entry: Entry) -> str:
    text, reason = action_text(entry), why(entry)
    return text.replace(f", why: {yaml(reason)}", "") if reason else text


def promises(policy: Policy) -> List[Markdown]:
    diags = Diagnostics()
    held, passed = judge(policy, diags)
    rows: List[Row] = [(code(claim.name), code(claim_text(claim)), fill(Markdown, "**waived**: {}", said(claim.waived))
                        if claim.waived else Word("holds"), code(str(claim.place))) for claim in policy.asserts]
    out = heading("What is promised")
    out += [fill(Markdown, "{} assertions hold for every access they speak of.", held), Markdown(""),
            *table(tuple(map(Word, ("assertion", "claim", "", "line"))), rows)] if rows else \
        [Markdown("No assertions.")]
    found = measure(policy)
    out += [Markdown(""), fill(Markdown, "{} of {} tests pass. Flipping one entry at a time: {} % of {} flips are "
                               "noticed by an assertion or a test.", passed, len(policy.tests), found.percent,
                               found.flips)]
    survivors = [fill(Markdown, "- {}{} {} ({})", said(f"{flip.direction} " if flip.direction else ""),
                      code(flip.entry.name), said(flip.what), code(str(flip.entry.place)))
                 for flip, _ in found.survivors]
    if survivors:
        out += [Markdown(""), Markdown("Not noticed:"), Markdown(""), *survivors[:20]]
        out += [fill(Markdown, "- and {} more", len(survivors) - 20)] if len(survivors) > 20 else []
    return out


def enforcement(policy: Policy, cpu: str) -> List[Markdown]:
    from policygen.target import traps
    plan = traps.plan(policy, cpu)
    out = heading(f"What the machine does ({cpu})")
    if plan.problems:
        out += [Markdown("Said by the policy and not done by the machine:"), Markdown("")]
    else:
        out.append(Markdown("Every rule can be enforced."))
    for problem in plan.problems:
        accepted = policy.accepted.get(f"{problem.code} {problem.place}")
        more = [*problem.notes, *([f"accepted: {accepted}"] if accepted is not None else [])]
        out.append(fill(Markdown, "- {} {}: {}", code(str(problem.place)), code(problem.subject),
                        joined(Markdown, "; ", [said(text) for text in (problem.message, *more)])))
    rows: List[Row] = [(code(register), code(f"{value:#018x}")) for register, value in plan.controls.items() if value]
    return out + [Markdown(""),
                  Markdown("Trap controls that boot writes (`policygen traps` says what each bit is for):"),
                  Markdown(""), *table((Word("register"), Word("value")), rows)]


def table(head: Row, rows: Sequence[Row]) -> List[Markdown]:
    return [joined_row(head), Markdown(f"|{'---|' * len(head)}"), *map(joined_row, rows)]


def joined_row(cells: Row) -> Markdown:
    return fill(Markdown, "| {} |", joined(Markdown, " | ", list(cells)))
