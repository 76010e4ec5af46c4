# SPDX-License-Identifier: Apache-2.0
"""Accesses of a measured kernel that the trap bits of a policy would catch: known before anything runs."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Tuple

from policygen.facts.arch import load_arch
from policygen.facts.census import load_census
from policygen.facts import controls
from policygen.language.model import Policy
from policygen.meaning.layout_map import layout_map
from policygen.target.traps import Plan


@dataclass(frozen=True)
class Expected:
    """One trap bit."""
    name: str
    traps: int                                  # in the boot
    most: Tuple[Tuple[str, int], ...]           # access -> how often, most first
    switches: Tuple[str, ...]                   # registers that trap at each switch between tasks
    rules: Tuple[int, ...]                      # of the entries that want it, the narrowest first
    always: bool                                # of the floor: whatever the policy


def expected(policy: Policy, plan: Plan) -> List[Expected]:
    """Most traps first; bits that catch nothing of it are left out."""
    arch, layout = load_arch(), layout_map(policy)
    caught: Dict[str, Dict[str, int]] = {}
    switches: Dict[str, List[str]] = {}
    for (key, direction), touched in load_census().items():
        name = plan.traps.get((key, direction))
        if name is None or not arch.has_control(arch.controls[name], plan.cpu) or not touched.count(plan.cpu):
            continue
        caught.setdefault(name, {})[f"{direction} {arch.name(key)}"] = touched.count(plan.cpu)
        if touched.switch:
            switches.setdefault(name, []).append(arch.name(key))
    wanted = {bit.name: sorted({layout.sysregs[side][key].rule for key, side in bit.wanted},
                               key=lambda rule: (policy.entries[rule].size, rule)) for bit in plan.bits}
    found = [Expected(name, sum(counts.values()), tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
                      tuple(switches.get(name, ())), tuple(wanted.get(name, ())), name in controls.FLOOR)
             for name, counts in caught.items()]
    return sorted(found, key=lambda item: (-item.traps, item.name))
