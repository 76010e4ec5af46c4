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
        return f"{text}, {access.width} byte{'s' if access.width > 1 else ''}"
    return f"{text} x1={access.args[0]:#x} x2={access.args[1]:#x}" if any(access.args) else text


def access_text(policy: Policy, access: Access) -> str:
    text = spoken(access.section, access.key, access.direction, policy.windows)
    if access.section == "sysregs":
        return text if text.endswith(encoding(access.key)) else f"{text} ({encoding(access.key)})"
    if access.section == "mmio":
        return f"{text}, {access.width} byte{'s' * (access.width > 1)} (IPA {access.key:#x})"
    if access.section in schema.CALLS:
        call = call_name(load_board(policy.platform), access.section, access.key)
        arguments_text = f" x1={access.args[0]:#x} x2={access.args[1]:#x}" if any(access.args) else ""
        return f"{text}{f' ({call})' if call else ''}{arguments_text}"
    return text


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
