# SPDX-License-Identifier: Apache-2.0
"""Trims the CPUs of a device tree to those that the guest has."""
from __future__ import annotations

import re
from typing import List, Optional, Set, Tuple

from guestprep.devices import Removal
from guestprep.fdt import Node, Tree, number
from guestprep.report import Report


def trim(where: str, tree: Tree, count: int, removal: Removal, report: Report) -> None:
    """Keeps the first `count` CPUs; complains of CPUs that are not the machine's."""
    cpus = tree.at("/cpus")
    found = _cpu_nodes(where, cpus, removal, report)
    if cpus is None or not found:
        report.error(where, "describes no CPU (no /cpus/cpu@0)")
        return
    if len(found) < count:
        report.error(where, f"describes {len(found)} CPU{'s' * (len(found) > 1)}, and {count} are asked for; "
                            f"dump it with -smp {count}")
        return
    kept, surplus = [node for _, node in found[:count]], [node for _, node in found[count:]]
    for index, (affinity, node) in enumerate(found[:count]):
        if affinity != index:
            report.error(where, f"{node.path} has affinity {affinity:#x}; the machine's CPU {index} has {index:#x}")
            return
    for node in surplus:
        removal.remove(node, f"{count} CPU{'s' * (count > 1)} asked for")
    for node in kept:
        if count > 1 or node.props.get("enable-method"):
            node.set_strings("enable-method", "psci")
        node.props.pop("cpu-release-addr", None)
        node.props.pop("cpu-idle-states", None)
    idle = cpus.child("idle-states")
    if idle:
        removal.remove(idle, "its CPU_SUSPEND parameters are those of other firmware")
    topology = cpus.child("cpu-map")
    if topology:
        _prune(topology, {node.phandle for node in kept})


def _cpu_nodes(where: str, cpus: Optional[Node], removal: Removal, report: Report) -> List[Tuple[int, Node]]:
    """(affinity, node), ordered by affinity; CPUs that are switched off are removed."""
    found: List[Tuple[int, Node]] = []
    for node in cpus.children if cpus else []:
        if node.string("device_type") != "cpu" and not node.name.startswith("cpu@"):
            continue
        if node.string("status") not in ("", "okay", "ok"):
            removal.remove(node, f"its status is {node.string('status')!r}")
            continue
        reg = node.cells("reg")
        if not reg or node.parent is None or len(reg) != node.parent.address_cells:
            report.error(where, f"{node.path} has no proper reg property")
            continue
        found.append((number(reg), node))
    return sorted(found, key=lambda pair: pair[0])


def _prune(node: Node, kept: Set[int]) -> None:
    """Removes leaves of cpu-map whose CPU is gone; Linux wants the rest numbered without gaps."""
    for child in list(node.children):
        _prune(child, kept)
        if not child.children and child.cell("cpu", 0) not in kept:
            child.drop()
    for kind in ("socket", "cluster", "core", "thread"):
        same = [child for child in node.children if re.fullmatch(kind + r"\d+", child.name)]
        for index, child in enumerate(same):
            child.name = f"{kind}{index}"
    if node.name == "cpu-map" and not node.children:
        node.drop()
