# SPDX-License-Identifier: Apache-2.0
"""A guest that attacks: EL2 stays what was booted, counts right, and its monitor answers."""
import re
from pathlib import Path
from typing import Any

import pytest

from vm import PROMPT, bootargs, build, decode, machine, run

COUNT = 100000         # decisions; `make fuzz-guest COUNT=10000000` by hand


@pytest.mark.parametrize("cpu, seed", [("cortex-a57", 1), ("max", 2)])
def test_random_attacks(tmp_path: Path, cpu: str, seed: int) -> None:
    elf = build("permissive", "GUEST=fuzz", f"SEED={seed}", f"COUNT={COUNT}", tag=f"-fuzz{seed}")
    done = run(machine(elf, "-no-reboot", *bootargs(tmp_path, "unattended=1 log=quiet"), cpu=cpu))
    log = tmp_path / "fuzz.log"
    log.write_bytes(done.stdout)
    assert done.returncode == 0 and b"panic" not in done.stdout, done.stdout[-3000:]
    said = re.search(r"fuzz: seed \d+: (\d+) decisions in \d+ rounds, (\d+) tallies kept, 0 wrong",
                     decode(log, "console").stdout)
    assert said and int(said.group(1)) >= COUNT and int(said.group(2)) > 100, done.stdout[-3000:]
    assert b"reason=poweroff" in done.stdout


def test_vectors_that_fault_do_not_lock_the_operator_out(tmp_path: Path, console: Any) -> None:
    """The guest takes an exception whose vector cannot be fetched: exception upon exception, for ever."""
    elf = build("permissive", "GUEST=fuzz", "COUNT=1000", "STORM=1", tag="-storm")
    c = console(machine(elf, *bootargs(tmp_path, "log=quiet")))
    while c.child.expect([r"fuzz: storm", re.escape(PROMPT)]) != 0:
        c.send("cont\r")                            # the guest tries HV_PAUSE, too
    c.send("\x1dm")
    c.expect(PROMPT)
    assert "paused by key" in c.command("status") or "stopped: key" in c.command("status")
    assert "0x000000000c000" in c.command("regs")
    assert "text, constants and tables as at boot" in c.command("el2")
    c.send("poweroff\r")
    assert c.end() == 0
