# SPDX-License-Identifier: Apache-2.0
"""`policygen expand NAME`: the policy without parents, each entry with its origin. It loads and means the same."""
from __future__ import annotations

import argparse
from typing import Dict, List

from policygen.commands import cli
from policygen.facts.board import load_board
from policygen.language import schema
from policygen.language.model import Policy
from policygen.language.spelling import action_text, claim_text, text, window_lines, written_in

HELP = "the flat policy, each entry with its origin"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the policy")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    policy, status = cli.load(parsed.name, options)
    if policy is None:
        return status
    if options.format == "json":
        cli.print_json({"name": policy.name, "files": list(policy.files), "rules": [
            {"rule": entry.rule, "section": entry.section, "name": entry.name, "action": action_text(entry),
             "place": str(entry.place), "size": entry.size} for entry in policy.entries]})
    else:
        print(expand(policy), end="")
    return cli.OK


def expand(policy: Policy) -> str:
    lines = [f"# The flat form of {' <- '.join(reversed(policy.files))}", "policy: 1", f"name: {policy.name}"]
    if policy.about:
        lines.append(f"about: {text(policy.about)}")
    lines += [f"platform: {policy.platform}", f"mode: {policy.mode}"]
    for section in schema.SECTIONS:
        body = mmio(policy) if section == "mmio" else [f"{entry.name}: {action_text(entry)}  # {entry.place}"
                                                       for entry in policy.entries if written_in(entry) == section]
        if body:
            lines += ["", f"{section}:"] + [f"  {line}" for line in body]
    kept = [claim for claim in policy.asserts if claim.waived is None]
    if kept:
        lines += ["", "assert:"] + [f"  {claim.name}: {claim_text(claim)}  # {claim.place}" for claim in kept]
    lines += [f"# waived: {claim.name} ({claim.place}): {claim.waived}" for claim in policy.asserts if claim.waived]
    if policy.tests:
        lines += ["", "tests:"] + [f"  - {claim_text(test)}" for test in policy.tests]
    return "\n".join(lines) + "\n"


def mmio(policy: Policy) -> List[str]:
    """Windows in the order of their rules, `default` where it stands."""
    devices = load_board(policy.platform).devices
    blocks: Dict[int, List[str]] = {}
    for window in policy.windows:
        body = window_lines(window, window.name in devices)
        blocks[window.entry.rule] = [f"{body[0]}  # {window.entry.place}"] + body[1:]
    for entry in policy.entries:
        if entry.section == "mmio" and entry.name == "default":
            blocks[entry.rule] = [f"default: {action_text(entry)}  # {entry.place}"]
    return [line for rule in sorted(blocks) for line in blocks[rule]]
