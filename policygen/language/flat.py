# SPDX-License-Identifier: Apache-2.0
"""Writes a whole policy as YAML without parents, each entry with its origin. The text reads back with the same meaning."""
from __future__ import annotations

from typing import Dict, List

from policygen.facts.board import load_board
from policygen.language import schema
from policygen.language.model import Entry, Policy
from policygen.language.spelling import action_text, beside, claim_text, pair, window_lines, written_in
from policygen.text.escape import Yaml, yaml, yaml_comment, yaml_name


def flat(policy: Policy, waived: bool = False) -> str:
    """`waived`: assertions that a child waives are written too, as if they held."""
    lines = [yaml_comment(f"The flat form of {' <- '.join(reversed(policy.files))}"), pair("policy: 1"),
             pair("name: {}", yaml_name(policy.name))]
    if policy.about:
        lines.append(pair("about: {}", yaml(policy.about)))
    lines += [pair("platform: {}", yaml_name(policy.platform)), pair("mode: {}", yaml_name(policy.mode))]
    for section in schema.SECTIONS:
        body = mmio(policy) if section == "mmio" else [line(entry) for entry in policy.entries
                                                       if written_in(entry) == section]
        if body:
            lines += [pair(""), pair("{}:", yaml_name(section)), *(pair("  {}", each) for each in body)]
    kept = [claim for claim in policy.asserts if waived or claim.waived is None]
    if kept:
        lines += [pair(""), pair("assert:")]
        lines += [beside(pair("  {}: {}", yaml_name(claim.name), claim_text(claim)), str(claim.place))
                  for claim in kept]
    lines += [yaml_comment(f"waived: {claim.name} ({claim.place}): {claim.waived}") for claim in policy.asserts
              if claim.waived and not waived]
    if policy.tests:
        lines += [pair(""), pair("tests:"), *(pair("  - {}", claim_text(test)) for test in policy.tests)]
    return "\n".join(lines) + "\n"


def line(entry: Entry) -> Yaml:
    return beside(pair("{}: {}", yaml_name(entry.name), action_text(entry)), str(entry.place))


def mmio(policy: Policy) -> List[Yaml]:
    """Windows in the order of their rules, with `default` in its place."""
    devices = load_board(policy.platform).devices
    blocks: Dict[int, List[Yaml]] = {}
    for window in policy.windows:
        first, *rest = window_lines(window, window.name in devices)
        blocks[window.entry.rule] = [beside(first, str(window.entry.place)), *rest]
    for entry in policy.entries:
        if entry.section == "mmio" and entry.name == "default":
            blocks[entry.rule] = [line(entry)]
    return [each for rule in sorted(blocks) for each in blocks[rule]]
