# SPDX-License-Identifier: Apache-2.0
"""One image that tries many policies: EL2 and the sweep are built once; each policy brings its tables, which are linked
into it as `make` does, and its plan, which is a sample of the sweep's."""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import List

from policygen.facts.arch import load_arch
from policygen.language.model import Policy
from policygen.target import render, sweep, verify_run
from policygen.target.reach import reached
from vm import FAST_CLOCK, ROOT, bootargs, build, machine, make, run

ANY = "tests/qemu/guarded.yaml"         # one that needs all of EL2's code
OF_A_POLICY = ("policy_tables.c", "replay.S", "policy.canonical.json")


class Image:
    """Each test process has its own."""

    def __init__(self) -> None:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "one")
        self.elf = build("many", f"POLICY={ANY}", "GUEST=sweep", "BRIEF=1", tag=f"-{worker}")
        self.folder = self.elf.parent.relative_to(ROOT)

    def relink(self, policy: Policy, cpu: str) -> None:
        """Puts this policy's tables and plan in the place of the last one's. The stamp, which says that policygen ran, is
        told to be old: nothing is rendered again, nothing else compiled."""
        texts = render.texts(policy, cpu)
        texts["sweep_plan.h"] = sweep.header(policy, sweep.SAMPLE)
        for name in (*OF_A_POLICY, "sweep_plan.h"):
            (ROOT / self.folder / "gen" / name).write_text(texts[name], encoding="utf-8")
        make("all", "-o", f"{self.folder}/gen/stamp", f"B={self.folder}", "GUEST=sweep", "BRIEF=1", f"POLICY={ANY}",
             f"PYTHON={sys.executable}", inner=str(self.folder))

    def differs(self, policy: Policy, cpu: str, scratch: Path) -> List[str]:
        """The lines that say where this machine does otherwise than the policy says."""
        self.relink(policy, cpu)
        done = run(machine(self.elf, *bootargs(scratch, "unattended=1 log=quiet"), *FAST_CLOCK, cpu=cpu))
        text = done.stdout.decode("latin-1")
        (scratch / f"{policy.name}.log").write_text(text, encoding="latin-1")
        verdict = verify_run.Judge(policy, cpu).judge(text)
        ended = f"QEMU ended with {done.returncode}" if done.returncode else ""
        return [line for line in (ended, verdict.broken) if line] + \
            [verify_run.shown(item, policy) for item in verdict.differences] + unreached(text, policy, cpu)


def unreached(text: str, policy: Policy, cpu: str) -> List[str]:
    """Registers that ran with EL2 not asked and that `policygen reach` does not call native, and the other way round."""
    arch = load_arch()
    native = {(key, side) for item in reached(policy, cpu) if item.way == "native" and item.accesses.section == "sysregs"
              for low, high in item.accesses.keys for key in range(low, high + 1)
              for side in ("read", "write") if item.accesses.direction in (side, "access")}
    seen = [item for item in verify_run.parse(verify_run.console(text)) if item.section == "sysregs"]
    ran, asked = ({(item.first + number * item.step, item.direction) for item in seen for number in range(item.count)
                   if item.letter == "o" and bool(item.flag) == flag} for flag in (False, True))
    elsewhere = {(arch.registers[name].key, "read") for name in ("MIDR_EL1", "MPIDR_EL1")}      # VPIDR_EL2 and VMPIDR_EL2 answer
    elsewhere |= {(key, side) for key, register in arch.by_key.items() for side in ("read", "write")
                  if {*verify_run.OF_VGIC} & {*register.controls(side)}}                        # as its list registers need it
    return [f"{side} {arch.name(key)} {what}" for what, keys in (("ran, and is not native", ran - native),
                                                                 ("is native, and EL2 was asked", asked & native))
            for key, side in sorted(keys - elsewhere) if key in arch.by_key]
