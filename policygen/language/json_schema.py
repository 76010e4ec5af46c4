# SPDX-License-Identifier: Apache-2.0
"""The language as a JSON Schema, for editors (yaml-language-server). check.py refuses more."""
from __future__ import annotations

from typing import Dict, List, Optional

from policygen.facts import board as boards
from policygen.facts.arch import load_arch
from policygen.facts.board import Board
from policygen.facts.names import known_names
from policygen.language import schema
from policygen.language.modifiers import LOGGED, MODIFIERS, modifiers_of
from policygen.language.shapes import NUMBER, RANGE, TEXT, Json, closed, word


def action(section: str, board: Board, window: bool = False) -> Json:
    """An action of a section: a word or a map."""
    words = {name: spec.about for name, spec in schema.ACTIONS.items()
             if section in spec.sections and spec.argument == "none"}
    words["inherit"] = "drop the parent's entry"
    place = "calls" if section in schema.CALLS else section
    arguments_of: Json = {
        "value": NUMBER, "mask": NUMBER, "fields": {"type": "object", "additionalProperties": NUMBER},
        "emulate": {"enum": [model.name for model in board.models.values() if model.section == place]},
    }
    properties: Json = {"do": word(words), "inherit": {"const": "drop"}}
    for name in schema.keyed_of(section):
        properties[name] = {**arguments_of[name], "description": schema.ACTIONS[name].about}
    for name in modifiers_of(section):
        properties[name] = {**MODIFIERS[name].shape(section), "description": MODIFIERS[name].about}
    if section in schema.DIRECTED:
        for side in ("read", "write"):
            properties[side] = {"$ref": f"#/$defs/{section}", "description": f"a {side}; else the wider entry decides"}
    if window:
        properties.update(at=NUMBER, size=NUMBER, default={"$ref": "#/$defs/mmio"},
                          regs={"type": "object", "additionalProperties": {"$ref": "#/$defs/mmio"}})
        for name, about in schema.WINDOW.items():
            properties[name] = {**properties[name], "description": about}
    return {"anyOf": [word(words), closed(properties)]}


def region(board: Board) -> Json:
    """An entry of memory: letters, or a map with a place."""
    letters = word({**schema.MAY_ABOUT, "inherit": "drop the parent's entry"})
    inner = action("memory", board)["anyOf"][1]["properties"]
    reference: Json = {"$ref": "#/$defs/memory"}
    shapes: Json = {"at": NUMBER, "size": NUMBER, "may": word(schema.MAY_ABOUT), "write": reference, "exec": reference}
    properties: Json = {**inner, **{name: {**shapes[name], "description": about} for name, about in schema.MEMORY.items()}}
    return {"anyOf": [letters, closed(properties)]}


def named(section: str, names: Dict[str, str], patterns: Optional[List[str]] = None, ref: str = "") -> Json:
    """A section: known names, spellings of ranges and encodings, and `default`."""
    reference = {"$ref": f"#/$defs/{ref or section}"}
    properties: Json = {"default": reference}
    properties.update({name: {**reference, "description": about} if about else reference
                       for name, about in names.items()})
    return {**closed(properties, {pattern: reference for pattern in patterns or ()}),
            "description": schema.TOP[section]}


def claim() -> Json:
    properties: Json = {name: {**RANGE, "description": about} for name, about in schema.OPERATIONS.items()}
    values: Json = {"never": {"enum": list(schema.CLAIM_WORDS)}, "always": {"enum": list(schema.CLAIM_WORDS)},
                    "expect": {"anyOf": [{"enum": list(schema.CLAIM_WORDS)}, {"type": "object"}]},
                    "except": {"type": "array"}, "given": NUMBER, "width": {"enum": [1, 2, 4, 8]},
                    "args": {"type": "object"}, "from": TEXT}
    properties.update({name: {**values[name], "description": about} for name, about in schema.CLAIM.items()})
    return closed(properties)


def json_schema() -> Json:
    arch, board = load_arch(), boards.load_board(boards.names()[0])
    about_name = {(kind, name): about for name, kind, about in known_names(board)}
    registers = {name: ", ".join([about_name["register", name], *filter(None, (register.group, register.feature))])
                 for name, register in arch.registers.items() if ("register", name) in about_name}
    registers.update({group: f"{len(keys)} encodings" for group, keys in arch.groups.items() if group != "el2"})
    calls = {section: {call.name: about_name["call", call.name] for call in board.calls.values()
                       if section in call.by} | {group: ", ".join(members) for group, members in board.groups.items()}
             for section in schema.CALLS}
    numbers = ["^(0x[0-9a-fA-F_]+|[0-9]+)([.][.](0x[0-9a-fA-F_]+|[0-9]+))?$"]
    properties: Json = {
        "policy": {"const": 1}, "name": {"type": "string", "pattern": "^[a-z][a-z0-9_-]*$"}, "about": TEXT,
        "platform": {"enum": boards.names()}, "mode": {"enum": ["enforce", "audit"]}, "extends": TEXT,
        "features": named("features", {name: "" for name in arch.features}),
        "sysregs": named("sysregs", registers, ["^S[1-3*]_[0-7*]_C([0-9]+|[*])_C([0-9]+|[*])_[0-7*]$"]),
        "mmio": named("mmio", {name: about_name["device", name] for name in board.devices}, ["^[a-z][a-z0-9-]*$"],
                      "window"),
        "memory": named("memory", {}, ["^[a-z][a-z0-9-]*$"], "region"),
        "hvc": named("hvc", calls["hvc"], numbers), "smc": named("smc", calls["smc"], numbers),
        "exceptions": named("exceptions", {name: f"{number:#x}" for name, number in arch.classes.items()}, numbers),
        "assert": {"type": "object", "additionalProperties": {"$ref": "#/$defs/claim"}},
        "waive": {"type": "object", "additionalProperties": TEXT},
        "tests": {"type": "array", "items": {"$ref": "#/$defs/claim"}},
    }
    del properties["features"]["properties"]["default"]
    for name, text in schema.TOP.items():
        properties[name] = {**properties[name], "description": text}
    feature = {"anyOf": [word({**schema.FEATURE_WORDS, "inherit": "drop the parent's entry"}),
                         closed({"do": word(schema.FEATURE_WORDS), "log": LOGGED, "why": TEXT})]}
    defs: Json = {section: action(section, board) for section in schema.EVERY}
    defs.update(memory=action("memory", board), region=region(board))
    defs.update(features=feature, window=action("mmio", board, window=True), claim=claim())
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Charter policy", **closed(
        properties, required=["policy"]), "$defs": defs}
