# SPDX-License-Identifier: Apache-2.0
"""The log in all its modes on the target; and a policy learned from a run, enforced in the next."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, Set, Tuple

import pytest

from vm import ROOT, TIMEOUT, bootargs, build, decode, machine, run

sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
from policygen.evidence import log as evidence  # noqa: E402
from policygen.meaning.evaluate import evaluator  # noqa: E402
from policygen.meaning.load import load_policy  # noqa: E402

COUNTING = """# SPDX-License-Identifier: Apache-2.0
policy: 1
name: counting
about: strict that only counts, and has nothing to assert.
platform: qemu-virt
extends: strict
mode: audit
features: { pmu: expose }
mmio: { default: { do: deny, log: always } }
waive: { no-pmu: counts, no-debug: counts, el2-not-there: counts, no-raw-writes: counts, no-smc: counts }
"""


def record(elf: Path, folder: Path, name: str, text: str = "unattended=1") -> Path:
    folder.mkdir(exist_ok=True)
    done = run(machine(elf, *bootargs(folder, text)))
    log = folder / name
    log.write_bytes(done.stdout)
    assert done.returncode == 0 and b" 0 failed" in done.stdout, done.stdout[-3000:].decode(errors="replace")
    return log


@pytest.mark.parametrize("mode", ["text", "notable", "full", "quiet"])
def test_every_mode_is_complete_and_says_the_same(tmp_path: Path, mode: str) -> None:
    log = record(build("default"), tmp_path, "uart.log", f"unattended=1 log={mode}")
    check_run = decode(log, "check")
    assert check_run.returncode == 0, check_run.stdout
    facts = json.loads(decode(log, "summary", "--json").stdout)["sessions"][0]
    assert facts["log"]["complete"] and facts["log"]["batched"] == 0
    assert facts["decisions"]["exact"] and facts["decisions"]["total"] > 1000
    wire = log.read_bytes()
    assert (b"\x1e@B" in wire) == (mode in ("full", "notable"))
    assert (b"\x1e@D" in wire) == (mode in ("text", "notable"))
    if mode != "quiet":
        strict, _ = load_policy("strict")        # default has none of these windows: the log says where they are
        assert strict is not None and evidence.read(str(log), strict).strange == 0
        shown = decode(log, "csv", "--fields", "verdict,class,name").stdout
        assert "DENY,msr,PMCCNTR_EL0" in shown and "RAZWI,mmio,scratch" in shown


def learn(tree: Path, name: str, log: Path, *words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "policygen", "learn", name, str(log), *words], cwd=tree, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_learned_then_enforced_nothing_more_is_denied_or_never_hit(tmp_path: Path, tree: Path) -> None:
    """Accesses stay refused that no policy can give: calls without a service, addresses where no window can be, and the
    limits that the guest runs into on purpose."""
    (tree / "policy" / "counting.yaml").write_text(COUNTING, encoding="utf-8")
    first = record(build("counting", tree=tree), tmp_path / "1", "uart.log")
    learned = tree / "policy" / "learned.yaml"
    learn(tree, "counting", first, "-o", str(learned), "--as", "learned")
    text = learned.read_text(encoding="utf-8")
    assert text.count("CNTP_CTL_EL0: allow  # read ") == 1 and "nobody serves this call" in text
    second = record(build("learned", tree=tree), tmp_path / "2", "uart.log")
    assert decode(second, "check").returncode == 0

    again = learn(tree, "learned", second)
    entries = [line for line in again.split("# Refused")[0].splitlines() if line.startswith("  ")]
    assert not entries, f"a second lesson has nothing to add or to drop:\n{again}"
    seen: Dict[str, evidence.Log] = {}
    for name, log in (("counting", first), ("learned", second)):
        policy, diags = load_policy(str(tree / "policy" / f"{name}.yaml"))
        assert policy is not None, diags.render()
        seen[name] = evidence.read(str(log), policy)
        assert seen[name].strange == 0
    refused: Set[Tuple[str, int]] = set()
    for (access, verdict, _) in seen["learned"].seen:
        if verdict in evidence.REFUSALS and not evidence.limited(evaluator(policy).decide(access), verdict):
            refused.add((access.section, access.key))
    assert all(section in ("hvc", "smc") or key >= 0x40000000 or key == 0x09010004 for section, key in refused), refused
    known = {(access.section, access.key) for access, verdict, _ in seen["counting"].seen
             if verdict in evidence.REFUSALS}
    assert refused <= known, "nothing is denied that was not, knowingly, left so"
