# SPDX-License-Identifier: Apache-2.0
"""Accesses, decisions and the entries that decide, in the words of the language."""
from __future__ import annotations

from policygen.facts import virtio
from policygen.facts.arch import encoding
from policygen.facts.board import load_board
from policygen.facts.names import call_name
from policygen.language import schema
from policygen.language.model import Access, Decision, Entry, Policy
from policygen.language.overlap import spoken
from policygen.language.spelling import action_text


def say(policy: Policy, access: Access) -> str:
    text = spoken(access.section, access.key, access.direction, policy.windows)
    if access.section == "mmio":
        return f"{text}, {access.width} byte{'s' if access.width > 1 else ''}{inputs_text(access)}"
    return text + inputs_text(access)


def access_text(policy: Policy, access: Access) -> str:
    text = spoken(access.section, access.key, access.direction, policy.windows)
    if access.section == "sysregs":
        text = text if text.endswith(encoding(access.key)) else f"{text} ({encoding(access.key)})"
    elif access.section == "mmio":
        text = f"{text}, {access.width} byte{'s' * (access.width > 1)} (IPA {access.key:#x})"
    elif access.section == "memory":
        name = region(policy, access.key)
        text += f" ({name})" if name else ""
    elif access.section in schema.CALLS:
        call = call_name(load_board(policy.platform), access.section, access.key)
        text += f" ({call})" if call else ""
    return text + inputs_text(access)


def region(policy: Policy, ipa: int) -> str:
    """The narrowest part of memory that holds the IPA, with an offset."""
    found = [entry for entry in policy.entries if entry.section == "memory" and entry.name != "default"
             and entry.ranges[0][0] <= ipa <= entry.ranges[0][1]]
    entry = min(found, key=lambda entry: entry.size, default=None)
    return f"{entry.name}+{ipa - entry.ranges[0][0]:#x}" if entry else ""


def inputs_text(access: Access) -> str:
    """The inputs of conditions that are not zero: ` value=0x1 held=0x5 from=el0`."""
    x1, x2, x3 = access.args
    numbers = {"x1": x1, "x2": x2} if x1 or x2 or x3 else {}
    numbers.update({name: number for name, number in (("x3", x3), ("value", access.value), ("held", access.held),
                                                      ("pc", access.pc)) if number})
    return "".join(f" {name}={number:#x}" for name, number in numbers.items()) + (" from=el0" if access.el == 0 else "")


def told(decision: Decision) -> str:
    """A decision in the words of the language."""
    parts = {"value": f"value {decision.value:#x}", "mask": f"mask {decision.mask:#x}",
             "emulate": ", ".join((f"emulate {decision.model}", *virtio.parts(decision.model, decision.mask))),
             "deny": f"deny ({decision.refuse})"}
    text = parts.get(decision.do, decision.do)
    if decision.do == "mask" and decision.value:
        text += f" with {decision.value:#x}"
    if decision.verdict == "RAZWI":
        text = "raz-wi"
    return f"{text}, audited (would be denied)" if decision.verdict == "WOULD" else text


def because(entry: Entry) -> str:
    return f"{entry.place}  {entry.name}: {action_text(entry)}"
