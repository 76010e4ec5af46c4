# SPDX-License-Identifier: Apache-2.0
"""A policy as JSON and back: what the ELF embeds, so that a built image can be explained without its sources."""
from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Tuple

from policygen.text.diag import Place
from policygen.language.model import Action, Assertion, Entry, Policy, Window

VERSION = 1


def dump(policy: Policy, meaning: int) -> str:
    """Deterministic; one entry a line, so that two can be compared."""
    head: Dict[str, Any] = {
        "canonical": VERSION, "name": policy.name, "about": policy.about, "file": policy.file, "mode": policy.mode,
        "platform": policy.platform, "hash": f"{meaning:#018x}", "files": list(policy.files),
        "features": dict(sorted(policy.features.items())), "accepted": dict(sorted(policy.accepted.items()))}
    lines = [f"{_json(key)}:{_json(value)}" for key, value in head.items()]
    for name, items in (("entries", [_entry(entry) for entry in policy.entries]),
                        ("windows", [_window(window) for window in policy.windows]),
                        ("asserts", [_assertion(claim) for claim in policy.asserts])):
        lines.append(f"{_json(name)}:[\n" + ",\n".join(_json(item) for item in items) + "]")
    return "{" + ",\n".join(lines) + "}\n"


def load(text: str) -> Policy:
    """The policy that dump() wrote. Tests are not part of it."""
    data = json.loads(text)
    if data.get("canonical") != VERSION:
        raise ValueError("not the canonical form of a policy, or of another version")
    entries = tuple(_read_entry(item, rule) for rule, item in enumerate(data["entries"]))
    windows = tuple(Window(item["name"], item["base"], item["size"], entries[item["entry"]],
                           tuple(entries[rule] for rule in item["regs"])) for item in data["windows"])
    asserts = tuple(Assertion(item["name"], _read_place(item["place"]), item["operation"], item["target"],
                              item["never"], item["always"], _read_ranges(item["ranges"]), item["section"],
                              item["waived"], item.get("expect"), item.get("given"), item.get("width"),
                              tuple((register, value) for register, value in item.get("args") or ()) or None,
                              item.get("from"), tuple(item.get("except", ()))) for item in data["asserts"])
    return Policy(data["name"], data["about"], data["file"], data["platform"], data["mode"], entries, windows,
                  data["features"], asserts, (), tuple(data["files"]), data["accepted"])


def claimed_hash(text: str) -> int:
    """The meaning hash that the form was written with."""
    return int(json.loads(text)["hash"], 16)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _place(place: Place) -> List[object]:
    return [place.file, place.line, place.col]


def _entry(entry: Entry) -> Dict[str, Any]:
    return {"section": entry.section, "name": entry.name, "place": _place(entry.place), "text": entry.text,
            "actions": {key: _action(action) for key, action in entry.actions.items()},
            "ranges": [list(part) for part in entry.ranges], "size": entry.size}


def _action(action: Action) -> Dict[str, Any]:
    out: Dict[str, Any] = {"do": action.do, "place": _place(action.place), "log": action.log}
    for name in ("value", "mask", "model", "refuse", "limit", "why"):
        if getattr(action, name) is not None:
            out[name] = getattr(action, name)
    if action.limit is not None:
        out["over"] = action.over
    if action.fields:
        out["fields"] = dict(action.fields)
    if action.razwi:
        out["razwi"] = True
    if action.widths != (1, 2, 4, 8):
        out["widths"] = list(action.widths)
    if action.where:
        out["where"] = [list(part) for part in action.where]
    if action.otherwise:
        out["else"] = _action(action.otherwise)
    return out


def _window(window: Window) -> Dict[str, Any]:
    return {"name": window.name, "base": window.base, "size": window.size, "entry": window.entry.rule,
            "regs": [entry.rule for entry in window.regs]}


def _assertion(claim: Assertion) -> Dict[str, Any]:
    return {"name": claim.name, "place": _place(claim.place), "operation": claim.operation, "target": claim.target,
            "never": claim.never, "always": claim.always, "ranges": [list(part) for part in claim.ranges],
            "waived": claim.waived, "section": claim.section, "expect": claim.expect, "given": claim.given,
            "width": claim.width, "args": claim.args, "from": claim.origin, "except": claim.spared}


def _read_place(data: List[Any]) -> Place:
    return Place(data[0], data[1], data[2])


def _read_ranges(data: List[List[int]]) -> Tuple[Tuple[int, int], ...]:
    return tuple((low, high) for low, high in data)


def _read_entry(data: Mapping[str, Any], rule: int) -> Entry:
    actions = {key: _read_action(item) for key, item in data["actions"].items()}
    return Entry(rule, data["section"], data["name"], _read_place(data["place"]), data["text"], actions,
                 _read_ranges(data["ranges"]), data["size"])


def _read_action(data: Mapping[str, Any]) -> Action:
    other: Optional[Mapping[str, Any]] = data.get("else")
    return Action(data["do"], _read_place(data["place"]), data.get("value"), data.get("mask"),
                  tuple(sorted(data.get("fields", {}).items())), data.get("model"), data.get("refuse"), data["log"],
                  data.get("limit"), data.get("over", "deny"), data.get("why"), data.get("razwi", False),
                  tuple(data.get("widths", (1, 2, 4, 8))), tuple((r, lo, hi) for r, lo, hi in data.get("where", ())),
                  _read_action(other) if other else None)
