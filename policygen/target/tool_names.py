# SPDX-License-Identifier: Apache-2.0
"""names.json: words for the numbers of the log, for tools that know neither policygen nor C."""
from __future__ import annotations

import json
from typing import Any, Dict, List

from policygen.facts import contract
from policygen.facts.arch import load_arch
from policygen.facts.board import Board

COPY = "tools/hvl/names.json"


def names(board: Board) -> Dict[str, Any]:
    """By kind. Keys are hex text, since JSON's keys are text."""
    arch = load_arch()
    return {
        "calls": {call.name: {"id": [hex(number) for number in call.ids], "by": list(call.by)}
                  for call in board.calls.values()},
        "services": {name: [hex(low), hex(high)] for name, (low, high) in arch.services.items()},
        "classes": {hex(number): info.name for number, info in sorted(arch.class_info.items())},
        "events": list(contract.log_words("LOG_EVENTS")),
        "modes": list(contract.log_words("LOG_MODES")),
        "verdicts": list(contract.load_contract().verdicts),
    }


def dump(data: Dict[str, Any]) -> str:
    """One name a line, so that a diff shows the names that changed."""
    parts = []
    for kind, members in data.items():
        if isinstance(members, dict):
            items = [json.dumps(name) + ": " + json.dumps(value) for name, value in members.items()]
            parts.append(f" {json.dumps(kind)}: {{\n  " + ",\n  ".join(items) + "\n }")
        else:
            parts.append(f" {json.dumps(kind)}: [\n  " + ",\n  ".join(json.dumps(name) for name in members) + "\n ]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def differences(right: Dict[str, Any], copy: Dict[str, Any]) -> List[str]:
    """A sentence for each name that the shipped copy has otherwise."""
    out = []
    for kind in sorted({*right, *copy}):
        ours, theirs = (_rows(data.get(kind, {})) for data in (right, copy))
        for name in [*ours, *(name for name in theirs if name not in ours)]:
            if ours.get(name) != theirs.get(name):
                out.append(f"{COPY}: {kind}: {name} is {theirs.get(name, 'not there')}, "
                           f"build/gen/names.json has {ours.get(name, 'no such name')}")
    return out


def _rows(members: Any) -> Dict[str, Any]:
    """A list as a map from place to word, so that a word that moved is a difference."""
    return members if isinstance(members, dict) else {str(place): word for place, word in enumerate(members)}
