# SPDX-License-Identifier: Apache-2.0
"""Renders a policy into the files of build/gen: C tables, replay stubs, maps for the tools. The same policy gives the
same bytes."""
from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

import jinja2

from policygen.facts import controls
from policygen.facts.arch import DEFAULT_CPU, encoding, load_arch
from policygen.facts.board import load_board
from policygen.language.json_schema import json_schema
from policygen.language.model import Entry, Policy
from policygen.meaning import canonical
from policygen.meaning.digest import meaning_hash
from policygen.target import form, platform, tool_names
from policygen.target.agreement import check_agreement
from policygen.target.guest_expect import PROBES, expectations
from policygen.target.tables import Image, Range, Row, lay_out
from policygen.target.traps import Plan, plan
from policygen.text import escape, paths
from policygen.text.escape import C, c_comment, c_comment_block, hexadecimal


@dataclass(frozen=True)
class Rule:
    """One row of policy_rules[] and of rules.json."""
    rule: int
    place: str
    text: str
    why: Optional[str]
    section: str
    name: str


def rules_of(policy: Policy) -> List[Rule]:
    out = []
    for entry in policy.entries:
        why = next((action.why for action in entry.actions.values() if action.why), None)
        out.append(Rule(entry.rule, str(entry.place), entry.text, why, entry.section.upper(), entry.name))
    return out


def texts(policy: Policy, cpu: str = DEFAULT_CPU) -> Dict[str, str]:
    """File name -> text."""
    check_agreement()
    planned = plan(policy, cpu)
    image = lay_out(policy, planned)
    meaning = meaning_hash(policy)
    text = canonical.dump(policy, meaning)
    rules = _rules(policy, meaning)
    view = {**_view(policy, planned, image, meaning, text), "wording": hexadecimal(int(rules["wording"], 16), 8),
            "rules_section": _section("Its rules and the text they stand in, for `log_decode.py --policy`",
                                      _rules_json(rules))}
    templates = environment(policy)
    out = {name: templates.get_template(f"{name}.j2").render(view)
           for name in ("policy_tables.c", "replay.S", "guest_expect.h", "guest_calls.h")}
    out.update(platform.texts(load_board(policy.platform)))
    out["image.mk"] += f"# From the policy: whether it speaks of guest RAM.\nMEMORY := {int(bool(image.memory))}\n"
    out["rules.json"] = _rules_json(rules)
    out["windows.json"] = _windows_json(policy)
    if (paths.PACKAGE.parent / "hv").is_dir():     # an installed policygen has no hv/ beside it
        out["names.json"] = tool_names.dump(tool_names.names(load_board(policy.platform)))
    out["policy.canonical.json"] = text
    out["policy.schema.json"] = json.dumps(json_schema(), indent=1, sort_keys=True) + "\n"
    return out


def render(policy: Policy, folder: Path, cpu: str = DEFAULT_CPU) -> List[str]:
    """Writes only files whose text has changed, so that make compiles nothing anew; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in texts(policy, cpu).items():
        path, data = folder / name, text.encode()
        if not path.is_file() or path.read_bytes() != data:
            temporary = folder / f".{name}.new"
            temporary.unlink(missing_ok=True)
            with open(temporary, "xb") as stream:           # refuses to write through a link
                stream.write(data)
            temporary.replace(path)
            changed.append(name)
    return changed


# --- what the templates see -------------------------------------------------------------------------------------

def _view(policy: Policy, planned: Plan, image: Image, meaning: int, text: str) -> Mapping[str, Any]:
    board = load_board(policy.platform)
    edited = "those" if policy.files else "them"
    sources = " and ".join((*policy.files, board.file))
    names, offset = [], 0
    for key, register in sorted(load_arch().by_key.items()):
        names.append((key, offset, register.name))
        offset += len(register.name) + 1
    if offset > 0xffff:
        raise ValueError(f"register names take {offset} bytes: struct sysreg_name holds 65535")
    windows = [{"base": window.base, "last": window.base + window.size - 1, "name": window.name,
                "rule": window.entry.rule, "registers": window.registers} for window in policy.windows]
    return {
        "made": c_comment(f"Generated from {sources} by policygen: edit {edited}, not this."),
        "made_with_probes": c_comment(f"Generated from {PROBES} and {sources} by policygen: edit those, not this."),
        "made_from_board": c_comment(f"Generated from {board.file} by policygen: edit that, not this."), "board": board,
        "name": policy.name, "file": policy.file, "hash": hexadecimal(meaning, 16), "rules": rules_of(policy),
        "rows": image.rows, "image": image,
        "windows": windows, "controls": [(member, planned.controls[register])
                                         for register, member in controls.MEMBERS.items()],
        "writes": list(_writes()),
        "bits": c_comment_block("Controls that trap, and what for:", list(_bit_lines(planned))), "names": names,
        "section": _section("The policy itself, for `policygen explain build/hypervisor.elf`", text),
        "classes": sorted((number, info.name) for number, info in load_arch().class_info.items()),
        "expects": expectations(policy),
    }


def _section(about: str, text: str) -> C:
    """The comment of a section that is a file: assembled again when the file changes."""
    return c_comment(f"{about}: not loaded. sha256 {hashlib.sha256(text.encode()).hexdigest()}")


def _writes() -> Iterator[Mapping[str, Any]]:
    """The members of struct trap_controls, grouped by the feature that brings their registers, as EL2 writes them."""
    arch, numbers = load_arch(), {register: number for number, register in enumerate(controls.MEMBERS)}
    for fields, registers in groupby(numbers, key=lambda register: controls.THERE.get(register, ())):
        there = [{"register": encoding(arch.registers[name].key), "shift": arch.fields[name, field][0],
                  "width": arch.fields[name, field][1], "least": least, "what": f"{name}.{field}"}
                 for name, field, least in fields]
        yield {"there": there, "registers": [{"name": register, "spelling": encoding(arch.el2_names[register]),
                                              "offset": 8 * numbers[register]} for register in registers]}


def _bit_lines(planned: Plan) -> Iterator[str]:
    arch = load_arch()
    for bit in planned.bits:
        seen = sorted({arch.name(key) for key, _ in bit.wanted})
        reason = bit.reason or ", ".join(seen[:3]) + (f" and {len(seen) - 3} more" if len(seen) > 3 else "")
        state = "" if arch.controls[bit.name].traps_when else " (0 traps)"
        yield f"{bit.name}{state}: {reason}"


def environment(policy: Policy) -> jinja2.Environment:
    """The templates that take a policy."""
    out = form.environment()
    class_names = {info.number: name for name, info in
                   ((info.name, info) for info in load_arch().class_info.values())}
    out.filters.update({
        "in_lines": _in_lines, "listed": lambda values: escape.joined(C, ", ", values),
        "origin": lambda row: c_comment(_origin(row, policy.entries)),
        "stub": lambda stub: c_comment(f"{stub.number}: {stub.name}"), "window": lambda item: _window(item, policy),
        "class_name": lambda number: C(f" {c_comment(class_names[number])}" if number in class_names else ""),
    })
    return out


def _in_lines(values: Sequence[int], count: int) -> List[C]:
    return [C(" ".join(f"{value:d}," for value in values[at:at + count])) for at in range(0, len(values), count)]


def _origin(row: Row, entries: Sequence[Entry]) -> str:
    entry = entries[row.rule]
    return f"{entry.place} {entry.name}: {row.what or entry.section}"


def _window(item: Range, policy: Policy) -> C:
    window = next((window for window in policy.windows if window.base <= item.base < window.base + window.size), None)
    return C(f" {c_comment(f'{window.name}+{item.base - window.base:#x}')}" if window else "")


# --- maps for the tools -----------------------------------------------------------------------------------------

def _rules(policy: Policy, meaning: int) -> Dict[str, Any]:
    """Rules by number and the text that they stand in. `hash` knows neither: two policies that decide alike may number
    their rules differently. `wording` tells them apart; @H has it, and tools/hvl/rules.py makes it again."""
    said = {"rules": [{"rule": rule.rule, "place": rule.place, "text": rule.text, "why": rule.why,
                       "section": rule.section.lower(), "name": rule.name} for rule in rules_of(policy)],
            "sources": [{"file": file, "sha256": source.sha256, "text": "\n".join(source.lines)}
                        for file, source in policy.sources.items()]}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return {"policy": policy.name, "mode": policy.mode, "hash": f"{meaning:016x}", "wording": digest[:8], **said}


def _rules_json(rules: Mapping[str, Any]) -> str:
    return json.dumps(rules, indent=1, sort_keys=True) + "\n"


def _windows_json(policy: Policy) -> str:
    """windows.json: the windows, and what the policy does with each as a whole."""
    data = [{"name": window.name, "base": window.base, "size": window.size, "rule": window.entry.rule,
             "action": {direction: "raz-wi" if action.razwi else action.do
                        for direction, action in window.entry.actions.items()}} for window in policy.windows]
    return json.dumps(data, indent=1, sort_keys=True) + "\n"
