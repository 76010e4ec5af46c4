# SPDX-License-Identifier: Apache-2.0
"""A planted fault of each kind is caught by the diagnostic guest or by the log's own check."""
import re
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from vm import CPU_SECONDS, bootargs, build, decode, machine, run


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Plants a fault; the test fails if the line that it changes is gone."""
    def plant(tree: Path) -> None:
        text = (tree / name).read_text()
        assert text.count(old) == 1, f"{name}: {old!r} stands there {text.count(old)} times"
        (tree / name).write_text(text.replace(old, new))
    return plant


STEP = "	f->elr_el2 = pc + 4;"
GENERAL_STEP = "	fast_next_pc(f);"
FAULTS = {
    "PC steps by two instructions": replace("hv/trap/fast_path.h", STEP, STEP.replace("4", "8")),
    "PC does not step": replace("hv/trap/fast_path.h", STEP, STEP.replace("4", "0")),
    "PC does not step after an MMIO access": replace("hv/trap/trap.c", GENERAL_STEP, ""),
    "a decision is not counted": replace("hv/trap/fast_path.h", "	s->hits++;\n", ""),
    "a general decision is not counted": replace("hv/trap/decide.h", "	s->hits++;\n", ""),
    "the wrong register gets the value": replace("hv/trap/trap_sysreg.c", "	f->x[iss_rt(iss)] = value;",
                                                 "	f->x[iss_rt(iss) & 15] = value;"),
    "XZR is not zero": replace("hv/trap/vectors.S", "x30, xzr, [sp, #FRAME_X30]\n	.endm",
                               "x30, x29, [sp, #FRAME_X30]\n	.endm"),
    "loads are not sign-extended": replace("hv/trap/trap_mem.c", "if (esr & DABT_SSE) {", "if (0) {"),
    "a bound is off by one": replace("hv/vm/guestmem.c", "size > GUEST_SIZE - offset",
                                     "size > GUEST_SIZE - offset + 1"),
    "x1 comes back changed": replace("hv/trap/trap_call.c", "	f->x[0] = lookup->value;\n",
                                     "	f->x[0] = lookup->value;\n	f->x[1]++;\n"),
}


def caught(elf: Path, tmp_path: Path, cpu: int) -> bool:
    try:
        done = run(machine(elf, *bootargs(tmp_path, "unattended=1")), cpu)
    except subprocess.TimeoutExpired:
        return True
    log = tmp_path / "uart.log"
    log.write_bytes(done.stdout)
    total = re.search(r"diagnostic guest: \d+ passed, (\d+) failed", decode(log, "console").stdout)
    return done.returncode != 0 or not total or total.group(1) != "0" or decode(log, "check").returncode != 0


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault(tree: Path, tmp_path: Path, fault: str) -> None:
    FAULTS[fault](tree)
    assert caught(build("default", tree=tree), tmp_path, cpu=12), fault         # without one it takes three seconds


def test_without_a_fault_nothing_is_caught(tree: Path, tmp_path: Path) -> None:
    assert not caught(build("default", tree=tree), tmp_path, cpu=CPU_SECONDS)
