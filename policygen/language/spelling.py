# SPDX-License-Identifier: Apache-2.0
"""Entries back to the language: what `expand` prints and `explain` quotes."""
from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import List, Mapping, Optional, Union

from policygen.facts import virtio
from policygen.language import schema
from policygen.language.actions import ALL_WIDTHS
from policygen.language.model import Action, Assertion, Entry, Test, Window
from policygen.text.diag import Place

WORD = re.compile(r"[A-Za-z][A-Za-z0-9_./ ;'()-]*\Z")
RESERVED = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null)\Z")


def text(value: str) -> str:
    """A YAML scalar that reads back as this text."""
    return value if WORD.match(value) and not RESERVED.match(value) and value == value.strip() else json.dumps(value)


def number(value: int) -> str:
    return str(value) if value < 10 else f"{value:#x}"


def parts(action: Action, section: str) -> List[str]:
    """The `key: value` pairs of one direction, the action first."""
    out = [{"value": f"value: {number(action.value or 0)}", "mask": f"mask: {number(action.mask or 0)}",
            "emulate": f"emulate: {action.model}",
            "fields": "fields: { " + ", ".join(f"{name}: {value}" for name, value in action.fields) + " }"
            }.get(action.do, f"do: {action.do}")]
    if action.do == "emulate":
        out += virtio.parts(action.model, action.mask)
    if action.where:
        out.append("where: { " + ", ".join(f"{r}: {number(a)}..{number(b)}" for r, a, b in action.where) + " }")
    if action.otherwise is not None:
        out.append("else: { " + ", ".join(parts(action.otherwise, section)) + " }")
    if action.log != ("once" if action.do in ("deny", "pause", "kill") else "never"):
        out.append(f"log: {action.log}")
    if action.limit is not None:
        out += [f"limit: {action.limit}/s", f"over: {action.over}"]
    if section == "mmio" and action.widths != ALL_WIDTHS:
        out.append(f"width: [{', '.join(map(str, action.widths))}]")
    spelled = {spelling: word for word, spelling in schema.AS_WORDS.get(section, {}).items()}
    if action.refuse in spelled and not (action.do == "deny" and action.refuse == schema.REFUSAL[section]):
        out.append(f"as: {spelled[action.refuse]}")
    if action.why is not None:
        out.append(f"why: {text(action.why)}")
    return out


def braces(pairs: List[str]) -> str:
    return pairs[0][4:] if len(pairs) == 1 and pairs[0].startswith("do: ") else "{ " + ", ".join(pairs) + " }"


def unplaced(action: Action) -> Action:
    other = action.otherwise
    return replace(action, place=Place("", 0, 0), otherwise=unplaced(other) if other else None)


def pairs_of(actions: Mapping[str, Action], section: str) -> List[str]:
    """The pairs of an entry in all its directions."""
    if "" in actions:
        return parts(actions[""], section)
    read: Optional[Action] = actions.get("read")
    write: Optional[Action] = actions.get("write")
    if read is not None and write is not None:
        if read.razwi and write.razwi and unplaced(replace(read, do="", value=None)) == unplaced(replace(write, do="")):
            return parts(replace(read, do="raz-wi"), section)
        if unplaced(read) == unplaced(write):
            return parts(read, section)
    sides = [(side, of_window(action)) for side, action in (("read", read), ("write", write)) if action is not None]
    device = virtio.parts(read.model, read.mask) if read is not None and read.do == "emulate" else []
    return [f"{side}: {braces(parts(action, section))}" for side, action in sides] + device


def of_window(action: Action) -> Action:
    """Without what is said once, for the whole device."""
    return replace(action, mask=None) if action.do == "emulate" else action


def written_in(entry: Entry) -> str:
    """The section that the entry stands in: `fp: expose` decides in sysregs and is written in features."""
    exposes = any(action.why == f"features expose {entry.name}" for action in entry.actions.values())
    return "features" if exposes else entry.section


def action_text(entry: Entry) -> str:
    """`{ do: deny, log: always }`, or the one word that says it."""
    if written_in(entry) == "features":
        if not entry.actions or entry.section != "features":
            return "expose"
        pairs = parts(entry.actions["read"], "features")
        return braces(["do: hide"] + [pair for pair in pairs[1:] if pair != "log: once"])
    return braces(pairs_of(entry.actions, entry.section))


def window_lines(window: Window, device: bool) -> List[str]:
    """A window with its registers, each line without indentation of its own beyond the section's."""
    entry = window.entry
    if device and not window.regs:
        return [f"{window.name}: {action_text(entry)}"]
    place = [] if device else [f"at: {window.base:#010x}", f"size: {window.size:#x}"]
    if not window.regs:
        return [f"{window.name}: {{ {', '.join(place + pairs_of(entry.actions, 'mmio'))} }}"]
    lines = [f"{window.name}:"] + [f"  {item}" for item in place]
    if entry.actions:
        lines.append(f"  default: {action_text(entry)}")
    lines.append("  regs:")
    regs = [replace(reg, actions={side: of_window(action) for side, action in reg.actions.items()})
            for reg in window.regs]
    return lines + [f"    {reg.name.split('+', 1)[1]}: {action_text(reg)}" for reg in regs]


def claim_text(claim: Union[Assertion, Test]) -> str:
    pairs = [f"{claim.operation}: {claim.target}"]
    if claim.never is not None:
        pairs.append(f"never: {claim.never}")
    elif claim.always is not None:
        pairs.append(f"always: {claim.always}")
    elif claim.expect:
        pairs.append(f"expect: {expect_text(claim.expect, claim.section)}")
    pairs += [f"except: [{', '.join(claim.spared)}]"] if isinstance(claim, Assertion) and claim.spared else []
    pairs += [f"given: {number(claim.given)}"] if claim.given is not None else []
    pairs += [f"width: {claim.width}"] if claim.width is not None and claim.section == "mmio" else []
    pairs += [f"args: {{ {', '.join(f'{k}: {number(v)}' for k, v in claim.args)} }}"] if claim.args else []
    return "{ " + ", ".join(pairs) + " }"


def expect_text(expect: Mapping[str, object], section: str) -> str:
    do = str(expect["do"])
    rest = [value for key, value in expect.items() if key != "do"]
    if not rest:
        return do
    value = rest[0]
    if isinstance(value, dict):
        return f"{{ {do}: {{ {', '.join(f'{k}: {v}' for k, v in value.items())} }} }}"
    if do == "deny":
        spelled = {spelling: word for word, spelling in schema.AS_WORDS.get(section, {}).items()}
        return f"{{ deny: {spelled.get(str(value), str(value).lower())} }}"
    return f"{{ {do}: {number(value) if isinstance(value, int) else value} }}"
