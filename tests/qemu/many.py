# SPDX-License-Identifier: Apache-2.0
"""One image that tries many policies: EL2 and the sweep are built once; each policy brings its tables, which are linked
into it as `make` does, and its plan, which is a sample of the sweep's."""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import List

from policygen.language.model import Policy
from policygen.target import render, sweep, verify_run
from vm import FAST_CLOCK, ROOT, bootargs, build, machine, make, run

OF_A_POLICY = ("policy_tables.c", "replay.S", "policy.canonical.json")


class Image:
    """Each test process has its own."""

    def __init__(self) -> None:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "one")
        self.elf = build("many", "POLICY=default", "GUEST=sweep", "BRIEF=1", tag=f"-{worker}")
        self.folder = self.elf.parent.relative_to(ROOT)

    def relink(self, policy: Policy, cpu: str) -> None:
        """Puts this policy's tables and plan in the place of the last one's. The stamp, which says that policygen ran, is
        told to be old: nothing is rendered again, nothing else compiled."""
        texts = render.texts(policy, cpu)
        texts["sweep_plan.h"] = sweep.header(policy, sweep.SAMPLE)
        for name in (*OF_A_POLICY, "sweep_plan.h"):
            (ROOT / self.folder / "gen" / name).write_text(texts[name], encoding="utf-8")
        make("all", "-o", f"{self.folder}/gen/stamp", f"B={self.folder}", "GUEST=sweep", "BRIEF=1", "POLICY=default",
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
            [verify_run.shown(item, policy) for item in verdict.differences]
