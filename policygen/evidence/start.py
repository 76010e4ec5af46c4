# SPDX-License-Identifier: Apache-2.0
"""A policy to start from for one kernel: what its instructions name is allowed, and the devices that EL2 emulates.

A run in audit mode then shows what the kernel computes, and `learn` adds that and drops what was never used.
"""
from __future__ import annotations

from typing import Dict, List, Tuple

from policygen.evidence.instructions import Named
from policygen.facts.arch import load_arch, split_key
from policygen.facts.board import Board, load_board
from policygen.language import schema
from policygen.language.spelling import pair
from policygen.language.store import Draft, find
from policygen.target.review import review
from policygen.text.escape import Yaml, yaml, yaml_comment, yaml_name

PLATFORM = "qemu-virt"
ALWAYS_HIDDEN = ("sve", "sme", "mte", "pauth", "ras", "amu", "mpam", "spe", "trbe", "brbe", "lor", "trace", "spmu", "gcs",
                 "nv", "mops", "ls64", "tme", "pmu", "rng")
Lines = List[Tuple[Yaml, bool]]         # a line, and whether it may be left out


def policy_for(name: str, file: str, found: Named, cpu: str) -> str:
    """The text of a policy that passes `--check`; comments say what was left out of it and why."""
    board, left = load_board(PLATFORM), [] if found.words else ["no instruction was found"]
    lines = _lines(name, file, found, board, left)
    draft = Draft(find(name), name)
    while True:
        draft.text = "\n".join(line for line, _ in lines) + "\n"
        wrong: Dict[int, str] = {}
        for item in review(str(draft.path), "enforce", cpu, draft).diags.items:
            if item.severity == "error" and item.span is not None and lines[item.span.line - 1][1]:
                wrong.setdefault(item.span.line - 1, f"{item.code}: {item.message}")
        if not wrong:
            break
        left += [f"{lines[at][0].strip()}  {why}" for at, why in wrong.items()]
        lines = [line for at, line in enumerate(lines) if at not in wrong]
    tail = [yaml_comment("Left out:"), *(yaml_comment(f"  {text}") for text in left)] if left else []
    return draft.text + "".join(f"{line}\n" for line in (["", *tail] if tail else []))


def _lines(name: str, file: str, found: Named, board: Board, left: List[str]) -> Lines:
    arch = load_arch()
    used = {group for group, keys in arch.groups.items() if found.registers.keys() & set(keys)}
    hidden = [feature for feature in ALWAYS_HIDDEN if not used & set(arch.features[feature].groups)]
    out: Lines = [(line, False) for line in [
        Yaml("# SPDX-License-Identifier: Apache-2.0"),
        yaml_comment(f"Begun with what {found.words} instructions of {file} name."),
        yaml_comment("Next: a run with MODE=audit, and `policygen learn`."),
        Yaml("policy: 1"), pair("name: {}", yaml_name(name)), pair("about: {}", yaml(f"what {file} names in its instructions")),
        pair("platform: {}", yaml_name(PLATFORM)), Yaml("mode: enforce"), Yaml(""), Yaml("features:"),
        pair("  fp: {}", Yaml("expose" if found.fp else "hide"))]]
    out += [(pair("  {}: hide", yaml_name(feature)), False) for feature in hidden]
    out += [(Yaml(""), False), (Yaml("sysregs:"), False), (Yaml("  default: deny"), False)]
    above = 0
    for key, directions in sorted(found.registers.items()):
        op0, op1 = split_key(key)[:2]
        if op1 in (4, 5, 6, 7):                             # of EL2, EL3 or the secure EL1: never there
            above += 1
            continue
        register = arch.by_key.get(key)
        sides = [side for side in ("read", "write") if side in directions]
        whole = register is None or all(side in directions for side in ("read", "write") if register.has(side))
        action = Yaml("allow") if len(sides) == 2 or whole else pair("{{ {}: allow }}", yaml_name(sides[0]))
        out.append((pair("  {}: {}", yaml_name(arch.name(key)), action), True))
    if above:
        left.append(f"{above} registers of EL2 and EL3 that it names, and no guest has")
    out += [(Yaml(""), False), (Yaml("mmio:"), False), (Yaml("  default: deny"), False)]
    out += [(pair("  {}: {{ emulate: {} }}", yaml_name(device.name), yaml_name(device.model)), True)
            for device in board.devices.values() if device.model]
    for section in schema.CALLS:
        out += [(Yaml(""), False), (pair("{}:", yaml_name(section)), False), (Yaml("  default: deny"), False)]
        for number in sorted(found.calls[section]):
            call = board.call_at(section, number)
            if call is None or call.model is None:
                left.append(f"{section} {call.name if call else f'{number:#x}'}: nobody serves this call")
            else:
                spelled = call.name if len(call.ids) == 1 else f"{number:#x}"
                out.append((pair("  {}: allow", yaml_name(spelled)), True))
        if found.computed[section]:
            left.append(f"{found.computed[section]} {section.upper()} whose number is computed: a run in audit mode shows it")
    return out + [(Yaml(line), False) for line in (
        "", "exceptions:", "  default: { do: forward, log: once }", "  WFX: { do: allow, log: never }", "",
        "assert:                                     # holds for every access; children inherit it",
        "  el2-not-there: { access: el2, never: allow }", "  no-raw-device: { access: mmio, never: allow }")]
