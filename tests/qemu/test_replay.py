# SPDX-License-Identifier: Apache-2.0
"""A recorded run is repeated byte for byte, and stops at the decision that is asked for."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

from vm import PROMPT, ROOT, TIMEOUT, Console, build, decode, make

sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
from policygen.commands import explain  # noqa: E402
from policygen.evidence import log as evidence  # noqa: E402
from policygen.meaning.evaluate import evaluator  # noqa: E402
from policygen.meaning.load import load_policy  # noqa: E402
from policygen.text.diag import Diagnostics  # noqa: E402
import recording  # noqa: E402


def test_a_recording_runs_again_to_any_decision(tmp_path: Path) -> None:
    assert shutil.which("gdb-multiarch"), "gdb-multiarch is missing: run make setup"
    build("default")
    make("record", "POLICY=default", "B=build/test/default", f"R={tmp_path}", "UNATTENDED=1", stdin=subprocess.DEVNULL)
    log = tmp_path / "uart.log"
    assert decode(log, "check").returncode == 0
    kept = log.read_bytes()
    over = make("record", "POLICY=default", "B=build/test/default", f"R={tmp_path}", "UNATTENDED=1", check=False,
                stdin=subprocess.DEVNULL)
    assert over.returncode != 0 and "exists, and a recording goes into a new folder" in over.stdout
    assert log.read_bytes() == kept
    again = ["qemu-system-aarch64", *recording.described(tmp_path), "-serial", "file:again.log",
             "-icount", "shift=auto,rr=replay,rrfile=rr.bin"]
    subprocess.run(again, stdin=subprocess.DEVNULL, timeout=TIMEOUT, check=True, cwd=tmp_path)
    assert (tmp_path / "again.log").read_bytes() == log.read_bytes()

    for other in ("default", "strict", "permissive"):
        check_whatif(log, other)

    lines = decode(log, "json", "-f", "verdict==DENY and class==mmio").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    wanted = found[len(found) // 2]
    command = [sys.executable, str(ROOT / "tools" / "replay.py"), str(tmp_path), str(wanted["seq"])]
    done = subprocess.run([*command, "--gdb", "--batch"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0 and f"stopped before decision {wanted['seq']}\n" in done.stdout, done.stdout
    assert "because   policy/default.yaml:" in done.stdout and f"DENY by r{wanted['rule']}: the same" in done.stdout
    assert f"pc  {int(wanted['pc'], 16):016x}" in done.stdout and f"esr {wanted['esr']:08x}" in done.stdout

    check_monitor(command, tmp_path, wanted)


def check_whatif(log: Path, other: str) -> None:
    """`policygen whatif` over the run agrees with deciding each line again."""
    ran, policy = load_policy("default")[0], load_policy(other)[0]
    assert ran is not None and policy is not None
    changes: Dict[Any, List[int]] = {}
    same = 0
    for line in re.findall(r"^\x1e(@D.*) \*[0-9a-f]{8}\r?$", log.read_text("latin-1"), re.M):
        question = explain.understand(line)
        assert not isinstance(question, str), question
        access, = explain.resolve(ran, question, Diagnostics(sources={"<access>": [question.target]}))
        decision = evaluator(policy).decide(access)
        _, seq, _, was, rule, what, target = line.split()[:7]
        if evidence.same(decision, was):
            same += 1
        else:
            subject = (what, target.partition("=")[0], was, int(rule[1:]), decision.verdict, str(decision.entry.place))
            changes.setdefault(subject, []).append(int(seq))
    said = decode(log, "whatif", "--policy", other, "--format", "json").stdout
    got = json.loads(said[said.index("{"):])  # after the log's line on stderr
    assert (got["same"], got["changed"], got["undecidable"]) == (same, sum(map(len, changes.values())), 0)
    assert sorted((c["was"], c["rule"], c["is"], c["by"], c["count"], c["first"]) for c in got["changes"]) == \
        sorted((*subject[2:], len(seqs), seqs[0]) for subject, seqs in changes.items())
    assert got["same"] + got["changed"] > 60 and bool(changes) == (other != "default")


def check_monitor(command: List[str], folder: Path, wanted: Dict[str, Any]) -> None:
    """The machine is live at that decision: its operator is asked before the verdict takes effect, and it goes on to
    its end."""
    console = Console(command)
    console.expect(rf"r{wanted['rule']} policy/default.yaml:\d+ is about to DENY")
    console.expect(PROMPT)
    assert f"pc  0x{int(wanted['pc'], 16):016x}" in console.command("regs")
    assert f"@D {wanted['seq']} " in console.command("why")
    console.command("mark before")
    console.send("e\r")  # another verdict than the recorded one ends the replay's likeness
    console.expect("why=pause")  # at the guest's end
    console.expect(PROMPT)
    console.send("poweroff\r")
    assert console.end() == 0
    recorded, lived = (folder / "uart.log").read_bytes(), (folder / "replay.log").read_bytes()
    asked = lived.index(f"\x1e@E {wanted['seq'] + 1} ".encode())
    trap = lived.rindex(b"\x1e@", 0, asked)
    assert recorded.startswith(lived[:trap]) and lived[trap:asked].startswith(f"\x1e@D {wanted['seq']} ".encode())
    assert decode(folder / "replay.log", "check", "--require", 'mark=="before"').returncode == 0
    overruled = rf"overruled rule=r{wanted['rule']} pc={wanted['pc']} (\(\S+\) )?by=monitor answer=emulate"
    assert re.search(overruled, decode(folder / "replay.log", "show").stdout)


def test_no_recording_is_a_clear_line(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "replay.py"), str(tmp_path), "5"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False)
    assert done.returncode == 2 and done.stdout.count("\n") == 1 and "no recording" in done.stdout
