# SPDX-License-Identifier: Apache-2.0
"""Renders a platform file into the texts that C, linker and tools take its facts from. Needs no policy."""
from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Tuple

from policygen.facts import memory
from policygen.facts.arch import load_arch
from policygen.facts.board import Board
from policygen.target import form
from policygen.text.escape import C, c_comment, joined, word


def texts(board: Board) -> Dict[str, str]:
    """File name -> text."""
    environment, places = form.environment(), memory.memory_map(board)
    environment.filters["by_call"] = _by_call
    view = {"made": c_comment(f"Generated from {board.file} by policygen: edit that, not this."), "name": board.name,
            "machine": board.machine, "memory": memory.memory_words(board), "map": places.items(),
            "guest_end": f"{places['GUEST_PA'] + places['GUEST_SIZE']:#x}"}
    return {"models.h": environment.get_template("models.h.j2").render(_models(board)),
            "platform.h": environment.get_template("platform.h.j2").render(view),
            "platform.json": json.dumps({"name": board.name, "qemu": memory.qemu_words(board), **places},
                                        indent=1) + "\n",
            "image.mk": f"# Generated from {board.file} by policygen: edit that, not this.\nDRIVERS := {word(board.drivers)}\n",
            "qemu.machine": memory.qemu_words(board) + "\n", "qemu.bootargs": f"{places['BOOTARGS_PA']:#x}\n"}


def _models(board: Board) -> Mapping[str, Any]:
    served: Dict[str, List[Mapping[str, str]]] = {"mmio": [], "calls": [], "sysregs": []}
    headers = []
    for model in board.models.values():
        served[model.section].append({"name": memory.c_name(model.name), **model.serves})
        headers.append(model.header)
    for name, (header, call) in load_arch().replays.items():
        served["sysregs"].append({"name": memory.c_name(name), "serve": call})
        headers.append(header)
    functions = [{"id": number, "name": call.name, "model": memory.c_name(call.model),
                  "by": joined(C, " | ", [word(f"BY_{conduit.upper()}") for conduit in call.by])}
                 for call in board.calls.values() if call.model for number in call.ids]
    made = f"Generated from {board.file} and policy/arch/arch.yaml by policygen: edit those, not this."
    return {"made": c_comment(made),
            "headers": sorted({*headers, "cpu/cpu.h"}), "functions": functions, **served}


def _by_call(models: List[Mapping[str, str]], *kinds: str) -> List[Tuple[Tuple[str, ...], List[str]]]:
    """The C calls of these kinds, each with the models that it serves."""
    out: Dict[Tuple[str, ...], List[str]] = {}
    for model in models:
        out.setdefault(tuple(model[kind] for kind in kinds), []).append(model["name"])
    return list(out.items())
