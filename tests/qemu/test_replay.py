# SPDX-License-Identifier: Apache-2.0
"""A recorded run comes again byte for byte, and stops at the decision that is asked for."""
from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from vm import ROOT, build, decode, make


def test_a_recording_runs_again_to_any_decision(tmp_path: Path) -> None:
    assert shutil.which("gdb-multiarch"), "gdb-multiarch is missing: run make setup"
    build("default")
    make("record", "POLICY=default", "B=build/test/default", f"R={tmp_path}", "UNATTENDED=1", stdin=subprocess.DEVNULL)
    log = tmp_path / "uart.log"
    assert decode(log, "check").returncode == 0
    again = [*shlex.split((tmp_path / "qemu").read_text()), "-serial", f"file:{tmp_path}/again.log",
             "-icount", f"shift=auto,rr=replay,rrfile={tmp_path}/rr.bin"]
    subprocess.run(again, stdin=subprocess.DEVNULL, timeout=120, check=True)
    assert (tmp_path / "again.log").read_bytes() == log.read_bytes()

    lines = decode(log, "json", "-f", "verdict==DENY and class==mmio").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    wanted = found[len(found) // 2]
    command = [sys.executable, str(ROOT / "tools" / "replay.py"), str(tmp_path), str(wanted["seq"]), "--batch"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0 and f"stopped before decision {wanted['seq']} takes effect" in done.stdout, done.stdout
    assert "because   policy/default.yaml:" in done.stdout and f"DENY by r{wanted['rule']}: the same" in done.stdout
    assert f"pc  {int(wanted['pc'], 16):016x}" in done.stdout and f"esr {wanted['esr']:08x}" in done.stdout


def test_no_recording_is_a_clear_line(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "replay.py"), str(tmp_path), "5"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    assert done.returncode == 2 and done.stdout.count("\n") == 1 and "no recording" in done.stdout
