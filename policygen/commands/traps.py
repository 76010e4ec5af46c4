# SPDX-License-Identifier: Apache-2.0
"""`policygen traps NAME`: the trap bits that are set, with their reasons and other effects, and the rules without
enforcement."""
from __future__ import annotations

import argparse
from typing import List, Mapping, Optional, Tuple

from policygen.commands import cli
from policygen.facts.arch import Arch, load_arch
from policygen.facts.census import WHAT
from policygen.language.model import Policy
from policygen.target import traps
from policygen.target.expected import expected
from policygen.target.traps import Access

HELP = "trap bits set, what each is for, collateral, what cannot be enforced"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the policy")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    policy, status = cli.load(parsed.name, options)
    if policy is None:
        return status
    if options.format == "json":
        cli.print_json(as_json(policy, options.cpu))
    else:
        print(report(policy, options.cpu))
    return cli.OK


def report(policy: Policy, cpu: str) -> str:
    """The plan for people: bits with their reasons and other effects, and the rules without enforcement."""
    found, arch = traps.plan(policy, cpu), load_arch()
    lines = [f"{policy.name} on {cpu}", ""]
    for register, value in found.controls.items():
        if value:
            lines.append(f"{register:12} {value:#018x}")
    boot = {item.name: item for item in expected(policy, found)}
    lines += ["", "control                    for                                        seen  replayed  in a boot"]
    for bit in found.bits:
        if not arch.has_control(arch.controls[bit.name], cpu):
            continue
        seen, replayed = _here(bit.wanted, arch, cpu), _here(bit.collateral, arch, cpu)
        reason = bit.reason or traps.listing(sorted({arch.name(key) for key, _ in bit.wanted}, key=traps.natural), 2)
        often = boot[bit.name].traps if bit.name in boot else 0
        lines.append(f"{bit.name:26} {reason[:42]:42} {seen:5} {replayed:9} {often:10}")
    for bit in found.bits:
        if bit.classes and arch.has_control(arch.controls[bit.name], cpu):
            lines.append(f"{bit.name} takes instructions, too: " + ", ".join(map(": ".join, bit.classes)))
    lines += [f"in a boot: traps of {WHAT}"]
    lines += [f"{item.name} catches {', '.join(item.switches)} at each switch between tasks"
              for item in boot.values() if item.switches]
    trapped = _here(tuple(found.traps), arch, cpu)
    lines += ["", f"{trapped} of {_here(None, arch, cpu)} register accesses of {cpu} trap"]
    for problem in found.problems:
        lines.append(f"{problem.severity}[{problem.code}]: {problem.place}: {problem.subject}: {problem.message}")
        lines += [f"    {note}" for note in problem.notes]
    lines += [f"note: {note}" for note in found.notes]
    return "\n".join(lines) + "\n"


def as_json(policy: Policy, cpu: str) -> Mapping[str, object]:
    found, arch = traps.plan(policy, cpu), load_arch()
    boot = {item.name: item.traps for item in expected(policy, found)}

    def spell(accesses: Tuple[Access, ...]) -> List[str]:
        return [f"{direction} {arch.name(key)}" for key, direction in accesses]
    return {
        "policy": policy.name, "cpu": cpu, "controls": {name: f"{value:#x}" for name, value in found.controls.items()},
        "bits": [{"control": bit.name, "reason": bit.reason, "wanted": spell(bit.wanted),
                  "replayed": spell(bit.collateral), "boot": boot.get(bit.name, 0),
                  "classes": dict(bit.classes)} for bit in found.bits],
        "problems": [{"code": problem.code, "severity": problem.severity, "place": str(problem.place),
                      "entry": problem.subject, "message": problem.message, "notes": list(problem.notes),
                      "accesses": spell(problem.accesses)} for problem in found.problems],
        "notes": list(found.notes)}


def _here(accesses: Optional[Tuple[Access, ...]], arch: Arch, cpu: str) -> int:
    """How many of these registers (None: of all) the CPU model has when nothing traps."""
    if accesses is None:
        accesses = tuple((key, side) for key in arch.by_key for side in ("read", "write"))
    return sum(key in arch.by_key and arch.exists(arch.by_key[key], side, cpu) for key, side in accesses)
