# SPDX-License-Identifier: Apache-2.0
"""Proposals: the edit of a file, against PyYAML; its meaning, against the policy that learn writes."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, Dict, List

import pytest
import yaml

from cockpit.edit import with_entry
from cockpit.proposal import Proposal, evidence, read
from cockpit.state import State
from hvl.rules import Places
from policygen.meaning.digest import meaning_hash
from policygen.meaning.load import load_policy

ROOT = Path(__file__).resolve().parents[2]
PROFILES = sorted((ROOT / "policy").glob("*.yaml"))
MINE = """# SPDX-License-Identifier: Apache-2.0
policy: 1
name: mine
about: A policy of a test.
platform: qemu-virt
mode: enforce

features:
  fp: hide
  pmu: hide

sysregs:
  default: deny
  core: allow
  mmu: allow
  id: allow
  cache: allow
  tlb: allow
  timer-virt: allow
  gic: allow
  AFSR0_EL1: { do: deny, log: always }   # a remark
  # the last remark of this section

mmio:
  default: deny
  gicd: { emulate: vgic-dist }
  gicr: { emulate: vgic-redist }
  uart0:
    emulate: pl011
    width: [1, 2, 4]
hvc:
  default: deny
smc:
  default: deny
exceptions:
  default: deny
"""


def plain(text: str) -> Dict[str, Any]:
    return dict(yaml.load(text, Loader=yaml.BaseLoader))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_an_edit_changes_one_entry_and_no_other_line(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    before = plain(text)
    for section in ("sysregs", "mmio", "hvc", "smc", "exceptions", "features"):
        entries: List[str] = list(before.get(section) or {})
        for name in [*entries, "NEW_ONE"]:
            after = with_entry(text, section, name, [f"{name}: {{ do: deny, why: seen }}"])
            wanted = {**before, section: {**(before.get(section) or {}), name: {"do": "deny", "why": "seen"}}}
            assert plain(after) == wanted, (section, name)
            kept = [line for line in text.split("\n") if line.lstrip().startswith("#")]
            assert [line for line in after.split("\n") if line.lstrip().startswith("#")] == kept


def test_an_entry_of_several_lines_goes_and_comes_whole() -> None:
    after = with_entry(MINE, "mmio", "uart0", ["uart0:", "  read: allow", "  write: deny"])
    assert plain(after)["mmio"]["uart0"] == {"read": "allow", "write": "deny"}
    assert with_entry(after, "mmio", "uart0", ["uart0:", "  emulate: pl011", "  width: [1, 2, 4]"]) == MINE
    child = "policy: 1\nname: child\nextends: ./mine\n"
    assert plain(with_entry(child, "hvc", "0x1", ["0x1: allow"])) == {**plain(child), "hvc": {"0x1": "allow"}}


def wire(lines: List[str]) -> bytes:
    texts = [line.encode() + b" " for line in lines]
    return b"".join(b"\x1e" + text + b"*%08x\r\n" % zlib.crc32(text) for text in texts)


def state_of(path: Path, body: str) -> State:
    policy, _ = load_policy(str(path))
    assert policy is not None
    state = State(Places(None), None)
    state.feed(wire([f"@H 0 0.000000000 hvl=1 build=t policy={policy.name}#{meaning_hash(policy) >> 32:08x} guest=t#00000001 "
                     "cpu=1 cntfrq=62500000 ring=16384 esc=^] log=text", f"@D 1.1 0.100000000 {body}"]))
    state.idle()
    return state


def ask(path: Path, state: State, folder: Path) -> Proposal:
    log = folder / "one.log"
    log.write_bytes(evidence(state, list(state.records)[-1]))
    done = subprocess.run([sys.executable, str(ROOT / "tools/cockpit/ask_policygen.py"), str(path), str(log)], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)
    return read(done.stdout, done.stderr)


BODIES = {
    "an entry that refuses": ("DENY r8 msr.r AFSR0_EL1 pc=0x40001000 el=1 cost=9 esr=0x62301423", "AFSR0_EL1"),
    "a default": ("DENY r0 msr.w CNTP_CTL_EL0=0x1 pc=0x40001000 el=1 cost=9 esr=0x6232f804", "CNTP_CTL_EL0"),
    "a call": ("DENY r99 hvc 0x84000000 x1=0x0 x2=0x0 pc=0x40001000 el=1 cost=9 esr=0x5a000000", "PSCI_VERSION"),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_proposal_means_what_learn_writes_and_is_written_when_accepted(case: str, tmp_path: Path) -> None:
    body, name = BODIES[case]
    mine = tmp_path / "mine.yaml"
    mine.write_text(MINE, encoding="utf-8")
    mine.chmod(0o640)
    state = state_of(mine, body)
    proposal = ask(mine, state, tmp_path)
    assert any(line.startswith("+") and name in line for line in proposal.lines()), proposal.lines()
    learned = tmp_path / "learned.yaml"
    subprocess.run([sys.executable, "-m", "policygen", "learn", str(mine), str(tmp_path / "one.log"), "--no-tighten", "-o",
                    str(learned)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=300)
    one = load_policy(str(learned))[0]
    assert mine.read_text(encoding="utf-8") == MINE
    assert "is written" in proposal.write() and "already" in proposal.write()
    assert mine.stat().st_mode & 0o777 == 0o640 and sorted(os.listdir(tmp_path)) == ["learned.yaml", "mine.yaml", "one.log"]
    written = load_policy(str(mine))[0]
    before = state.session.policy_hash()
    assert written is not None and one is not None and meaning_hash(written) == meaning_hash(one)
    assert f"{meaning_hash(written) >> 32:08x}" != before


def test_an_assertion_that_forbids_it_is_named(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(MINE + "\nassert:\n  no-afsr: { access: AFSR0_EL1, always: deny }\n", encoding="utf-8")
    if load_policy(str(mine))[0] is None:
        pytest.fail(str([item.message for item in load_policy(str(mine))[1].items]))
    proposal = ask(mine, state_of(mine, BODIES["an entry that refuses"][0]), tmp_path)
    assert not proposal.after and any("assertion no-afsr" in line for line in proposal.lines()), proposal.lines()


def test_an_access_that_the_file_allows_needs_no_edit(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(MINE, encoding="utf-8")
    state = state_of(mine, BODIES["an entry that refuses"][0])
    mine.write_text(MINE.replace("  AFSR0_EL1: { do: deny, log: always }   # a remark\n", ""), encoding="utf-8")    # mmu has it
    proposal = ask(mine, state, tmp_path)
    assert not proposal.after and "refused for its rate alone" in proposal.lines()[1]


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("policy: 2\n", encoding="utf-8")
    proposal = read(json.dumps({"path": str(path), "shown": "mine.yaml", "before": "policy: 1\n", "after": "x\n"}).encode(), b"")
    assert "changed meanwhile" in proposal.write() and path.read_text(encoding="utf-8") == "policy: 2\n"


def test_an_answer_that_is_none_is_said() -> None:
    for data in (b"", b"[]", b"{", b"\xff"):
        assert read(data, b"policygen: no\x1b[31m such policy\n").lines() == [
            "There is no proposal:", "  policygen: no\\x1b[31m such policy"]
