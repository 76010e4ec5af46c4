# SPDX-License-Identifier: Apache-2.0
"""Worst case: no trap keeps EL2 longer than its bound, in instructions (-icount), whatever a guest asks for."""
import json
import re
from pathlib import Path
from typing import Dict, List

import pytest

from vm import ROOT, bootargs, decode, machine, make, run

BOUND = 1500            # instructions for any trap but those below: three times the most that was seen
# Calls with long work: a page of characters, a sum over all rows, a full ring of log as text.
BOUNDS = {"HV_CONSOLE_WRITE": 4096 * 60, "HV_GET_STATUS": 1 << 14, "HV_DUMP_LOG": 16384 * 1100, "PSCI_SYSTEM_OFF": 16384 * 600}


def traced() -> str:
    """The permissive profile with a record of everything that traps, for the cost of each. FP's trap names no register."""
    text = (ROOT / "policy" / "permissive.yaml").read_text(encoding="utf-8").partition("\nassert:")[0]
    text = re.sub(r"^(  (?!fp:)[\w-]+): allow$", r"\1: { do: allow, log: always }", text, flags=re.M)
    return re.sub(r"\{ emulate: ([\w-]+) \}", r"{ emulate: \1, log: always }", text)


@pytest.mark.parametrize("guest, words, more", [("fuzz", ["SEED=1", "COUNT=4000"], ["exc"]),
                                                ("sweep", ["BRIEF=1"], [])], ids=["fuzz", "sweep"])
def test_no_trap_takes_longer_than_its_bound(tmp_path: Path, guest: str, words: List[str], more: List[str]) -> None:
    """Random attacks; and each register, call and window once."""
    policy = tmp_path / "traced.yaml"
    policy.write_text(traced(), encoding="utf-8")
    folder = f"build/test/budget-{guest}"
    make("all", f"POLICY={policy}", f"B={folder}", f"GUEST={guest}", *words)
    log = tmp_path / "budget.log"
    log.write_bytes(run(machine(ROOT / folder / "hypervisor.elf", "-icount", "shift=0,sleep=off", "-no-reboot",
                                *bootargs(tmp_path, "unattended=1 log=full"))).stdout)
    most: Dict[str, int] = {}
    n = 0
    for line in decode(log, "json").stdout.splitlines():
        r = json.loads(line)
        if r["kind"] == "D":
            name = r["name"] if r["name"] in BOUNDS else r["class"]
            most[name] = max(most.get(name, 0), r["cost_ns"] // r["n"])
            n += r["n"]
    assert n > 3000 and {"msr", "sys", "mmio", "hvc", "smc", *more} <= set(most), (n, most)
    over = {name: cost for name, cost in most.items() if cost > BOUNDS.get(name, BOUND)}
    assert not over, f"instructions: {over} of {most}"
