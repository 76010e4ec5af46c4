# SPDX-License-Identifier: Apache-2.0
"""learn, replay, cover and cost over logs made by the reference evaluator, and the decoder's way to them."""
from __future__ import annotations

import hashlib
import io
import json
import random
import re
import subprocess
import sys
import zlib
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
from policygen.__main__ import main  # noqa: E402
from policygen.commands import cli  # noqa: E402
from policygen.evidence import log as evidence  # noqa: E402
from policygen.evidence.replay import replayed  # noqa: E402
from policygen.facts import ranges  # noqa: E402
from policygen.facts.arch import load_arch, split_key  # noqa: E402
from policygen.facts.board import load_board  # noqa: E402
from policygen.language.model import Access, Policy  # noqa: E402
from policygen.meaning.digest import meaning_hash  # noqa: E402
from policygen.meaning.evaluate import evaluator  # noqa: E402
from policygen.meaning.load import load_policy  # noqa: E402

PROFILES = ["default", "strict", "permissive"]


def policygen(*args: str) -> "subprocess.CompletedProcess[str]":
    """In this process: the facts are read once."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(list(args))
    return subprocess.CompletedProcess(list(args), status, out.getvalue(), err.getvalue())


def decoder(*args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(ROOT / "tools/log_decode.py"), *args], cwd=ROOT, text=True,
                          capture_output=True, timeout=6000)


def profile(name: str, mode: Optional[str] = None) -> Policy:
    policy, diags = load_policy(name, mode=mode)
    assert policy is not None, diags.render()
    return policy


def wire(access: Access) -> Tuple[str, int]:
    """A log line's words for an access, and its syndrome."""
    if access.section == "sysregs":
        op0, op1, crn, crm, op2 = split_key(access.key)
        read = access.direction == "read"
        esr = 0x18 << 26 | 1 << 25 | op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1 | read
        name = load_arch().name(access.key)
        return f"{'sys' if op0 == 1 else 'msr.r' if read else 'msr.w'} {name}=0x5", esr
    if access.section == "mmio":
        op = access.direction[0]
        esr = 0x24 << 26 | 1 << 25 | 1 << 24 | {1: 0, 2: 1, 4: 2, 8: 3}[access.width] << 22 | (op == "w") << 6
        return f"mmio.{op} {access.key:#x}/{access.width}=0x5", esr
    if access.section == "exceptions":
        name = next((n for n, number in load_arch().classes.items() if number == access.key), f"{access.key:#x}")
        return f"exc {name}", (access.key & 0x3f) << 26
    ec = {"hvc": 0x16, "smc": 0x17}[access.section]
    return f"{access.section} {access.key:#x} x1={access.args[0]:#x} x2={access.args[1]:#x}", ec << 26


class Wire:
    """A log as the hypervisor writes it."""

    def __init__(self, policy: Policy) -> None:
        self.policy, self.seq, self.out, self.hits = policy, 0, bytearray(), {}  # type: ignore[var-annotated]
        self.line("H", f"hvl=1 build=t policy={policy.name}#{meaning_hash(policy) >> 32:08x} guest=t#00000001 cpu=1 "
                       "cntfrq=62500000 ring=16384 esc=^] log=text")

    def line(self, kind: str, body: str) -> None:
        text = f"@{kind} {self.seq} {self.seq}.000000000 {body} ".encode()
        self.out += b"\x1e" + text + b"*%08x\r\n" % zlib.crc32(text)
        self.seq += 1

    def decide(self, access: Access, pc: int = 0x40001000) -> None:
        decision = evaluator(self.policy).decide(access)
        what, esr = wire(access)
        rule = decision.entry.rule
        self.hits[rule] = self.hits.get(rule, 0) + 1
        self.line("D", f"{decision.verdict} r{rule} {what} pc={pc:#x} el=1 cost=70 esr={esr:#x}")

    def end(self, path: Path) -> Path:
        totals = " ".join(f"r{rule}={hits}/{70 * hits}" for rule, hits in sorted(self.hits.items()))
        self.line("S", f"dec={sum(self.hits.values())} rules={len(self.policy.entries)} {totals}")
        self.line("Z", f"seq={self.seq} records={self.seq + 1} lost=0 guestbytes=0 reason=poweroff")
        path.write_bytes(self.out)
        return path


def test_the_rules_that_travel_are_those_of_the_image(tmp_path: Path, built: Callable[[Policy, Path], Path]) -> None:
    """Rules in rules.json and in the image, with their text; a change in one of them is refused."""
    child = tmp_path / "child.yaml"
    child.write_text("policy: 1\nextends: strict\nsysregs:\n  AFSR0_EL1: { do: deny, log: always }\n")
    policy = profile(str(child))
    image, rules = built(policy, tmp_path), tmp_path / "rules.json"
    log = Wire(policy)
    log.out, log.seq = bytearray(), 0
    said = json.loads(rules.read_text())
    assert f"policy_wording = 0x{said['wording']};" in (tmp_path / "policy_tables.c").read_text()
    log.line("H", f"hvl=1 build=t policy={policy.name}#{meaning_hash(policy) >> 32:08x} rules={said['wording']} "
                  "guest=t#00000001 cpu=1 cntfrq=62500000 ring=16384 esc=^] log=text")
    path = str(log.end(tmp_path / "uart.log"))
    assert [source["file"] for source in said["sources"]][:1] == ["policy/strict.yaml"] and \
        said["sources"][1]["file"].endswith("child.yaml")
    for source in said["sources"]:
        data = (ROOT / source["file"]).read_bytes()
        assert source["sha256"] == hashlib.sha256(data).hexdigest() and source["text"] == data.decode()
    for given in (rules, image):
        done = decoder("summary", "--policy", str(given), path)
        assert done.returncode == 0 and f"of {len(policy.entries)} rules" in done.stdout, done
    rules.write_text(rules.read_text().replace("do: deny", "do: allow"))
    done = decoder("summary", "--policy", str(rules), path)
    assert done.returncode == 2 and "were changed since" in done.stderr


def accesses(policy: Policy, seed: int, count: int) -> List[Access]:
    """Any access of a guest, preferably where entries begin and end."""
    chance, arch, board = random.Random(seed), load_arch(), load_board(policy.platform)
    registers = sorted(arch.by_key)
    spots = [edge for entry in policy.entries if entry.section == "mmio" for pair in entry.ranges for edge in pair]
    calls = [number for call in board.calls.values() for number in call.ids]
    out = []
    for _ in range(count):
        section = chance.choice(("sysregs", "sysregs", "mmio", "mmio", "hvc", "smc", "exceptions"))
        direction = chance.choice(("read", "write"))
        if section == "sysregs":
            key = chance.choice(registers)
            directions = [side for side in ("read", "write") if arch.by_key[key].has(side)]
            out.append(Access(section, key, chance.choice(directions)))
        elif section == "mmio":
            width = chance.choice((1, 2, 4, 8))
            place = min(chance.choice((chance.choice(spots), chance.randrange(1 << 30))) & -width, (1 << 30) - 8)
            out.append(Access(section, place, direction, width))
        elif section == "exceptions":
            numbers = [n for n in arch.classes.values() if ranges.contains(evidence.EXCEPTIONS, n)]
            out.append(Access(section, chance.choice(numbers)))
        else:
            out.append(Access(section, chance.choice([*calls, chance.randrange(1 << 32)]),
                              args=(chance.choice((0, 1, 3, 4)), chance.choice((0, 0x40000000, 0x70000000)), 0)))
    return out


@pytest.fixture
def make_log(tmp_path: Path) -> Callable[[Policy, List[Access]], Path]:
    def make(policy: Policy, found: List[Access]) -> Path:
        log = Wire(policy)
        for access in found:
            log.decide(access)
        return log.end(tmp_path / f"{policy.name}.log")
    return make


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("mode", ["enforce", "audit"])
def test_replay_reads_every_access_back(name: str, mode: str, make_log: Any) -> None:
    policy = profile(name, mode)
    found = accesses(policy, 1, 600)
    log = evidence.read(str(make_log(policy, found)), policy)
    assert log.ran(policy) and log.strange == 0
    assert {access for access, _, _ in log.seen} == set(found)
    changes, alike = replayed(policy, log)
    assert not changes and alike == len(found)
    for (access, verdict, rule) in log.seen:                # record by record
        decision = evaluator(policy).decide(access)
        assert (decision.verdict, decision.entry.rule) == (verdict, rule)


@pytest.mark.parametrize("name", PROFILES)
def test_whatif_agrees_with_the_evaluator(name: str, make_log: Any) -> None:
    policy = profile("default")
    found = accesses(policy, 2, 400)
    path = make_log(policy, found)
    other = profile(name)
    want = sum(evaluator(policy).decide(access).verdict != evaluator(other).decide(access).verdict for access in found)
    done = decoder("whatif", "--policy", name, "--exit-code", "--format", "json", str(path))
    assert done.returncode == (1 if want else 0), done.stderr
    got = json.loads(done.stdout)
    assert (got["changed"], got["same"], got["undecidable"]) == (want, len(found) - want, 0)


def test_why_agrees_with_the_evaluator(make_log: Any) -> None:
    policy = profile("strict")
    found = accesses(policy, 3, 6)
    path = make_log(policy, found)
    for seq, access in enumerate(found, 1):
        done = decoder("why", str(seq), str(path))
        rule = evaluator(policy).decide(access).entry
        assert done.returncode == 0 and str(rule.place) in done.stdout and "the same" in done.stdout, done.stdout
        assert "1 time in this log" in done.stdout
    assert decoder("why", "0", str(path)).returncode == 2 and decoder("why", "x", str(path)).returncode == 2
    assert "no record 999" in decoder("why", "999", str(path)).stderr


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("seed", range(2))
def test_what_is_learned_opens_that_and_nothing_else(name: str, seed: int, make_log: Any, tmp_path: Path) -> None:
    policy = profile(name, "audit")
    found = accesses(policy, 10 + seed, 200)
    target = tmp_path / "learned.yaml"
    done = policygen("learn", name, str(make_log(policy, found)), "-o", str(target), "--no-tighten")
    assert done.returncode == 0, done.stderr
    assert policygen("--check", str(target)).returncode == 0, "assertions hold, entries can be enforced"
    before, after = profile(name, "enforce"), profile(str(target))
    seen = {(access.section, access.key & (-4 if access.section == "mmio" else -1), access.direction)
            for access in found}
    words = {(s, k + 4, d) for s, k, d in seen if s == "mmio"}      # the other half of eight bytes
    for access in accesses(policy, 99, 1500) + found:
        old, new = evaluator(before).decide(access), evaluator(after).decide(access)
        if old.verdict != new.verdict:
            call = load_board(policy.platform).call_at(access.section, access.key)
            for at in [int(register[1:]) - 1 for register in call.args] if call else []:
                args = [it.args[at] for it in found if (it.section, it.key) == (access.section, access.key)]
                assert min(args) <= access.args[at] <= max(args), access
            key = access.key & (-4 if access.section == "mmio" else -1)
            assert {(access.section, k, access.direction) for k in (key, key + 4)} & (seen | words), access
            assert old.verdict == "DENY" and new.verdict != "DENY"


def test_learn_says_what_it_leaves_refused_and_why(make_log: Any) -> None:
    policy = profile("strict", "audit")
    keys = {name: load_arch().registers[name].key for name in ("PMCCNTR_EL0", "MDSCR_EL1", "CNTPCT_EL0")}
    log = make_log(policy, [Access("sysregs", key, "read") for key in keys.values()] * 3
                   + [Access("hvc", 0x86000001), Access("hvc", 0xc4000003, args=(9, 0, 0)),
                      Access("mmio", 0x0c000000, "write"), Access("mmio", 0x0c000000, "read")])
    text = policygen("learn", "strict", str(log)).stdout
    assert "CNTPCT_EL0: allow  # 3 x, seq 3..9, pc 0x40001000 (3)" in text
    for part in ("assertion no-debug (policy/strict.yaml:", "assertion no-pmu (policy/strict.yaml:",
                 "nobody serves this call", "its `where` leaves these arguments out", "assertion no-raw-writes"):
        assert part in text, text
    assert "CNTPCT_EL0" not in policygen("learn", "strict", str(log), "--min", "4").stdout.split("# Refused")[0]
    assert policygen("learn", "strict", str(log), "--from", "sometimes").returncode == 2


def test_a_call_is_learned_with_the_arguments_that_were_seen(policy_file: Any, tmp_path: Path) -> None:
    path = policy_file("hvc: { default: deny, HV_GET_ID: { do: deny, log: always } }\n")
    policy, cpu_on = profile(path, "audit"), 0xc4000003
    for hidden in (0, 1):                   # a call of the entry of HV_PAUSE and PSCI_CPU_ON that the log lacks
        log = Wire(policy)
        for x1 in (2, 0, 2):
            log.decide(Access("hvc", 0, args=(x1, 0x999, 0)))
        log.decide(Access("hvc", 3, args=(7, 7, 0)))
        for x1 in (1, 3):
            log.decide(Access("hvc", cpu_on, args=(x1, 0x40080000 + x1, 0)))
        log.hits[evaluator(policy).decide(Access("hvc", 3)).entry.rule] += hidden
        target = tmp_path / f"learned{hidden}.yaml"
        done = policygen("learn", path, str(log.end(tmp_path / "uart.log")), "--format", "json", "-o", str(target))
        text, found = target.read_text(encoding="utf-8"), {p["name"]: p for p in json.loads(done.stdout)["entries"]}
        assert policygen("--check", str(target)).returncode == 0
        assert "  HV_GET_ID: { do: allow, where: { x1: 0..2 } }  # 3 x, seq 1..3, pc 0x40001000 (3)\n" in text, text
        assert "  HV_PAUSE: allow  # 1 x, seq 4, pc 0x40001000 (1)\n" in text, text
        lines = [f"{cpu_on:#x}: " + ("allow" if hidden else
                                     "{ do: allow, where: { x1: 1..3, x2: 0x40080001..0x40080003 } }")]
        assert found[f"{cpu_on:#x}"]["lines"] == lines and f"  {lines[0]}  # 2 x, seq 5..6, pc" in text, text
        assert ("any arguments: the log lacks some" in text) == bool(hidden)


def test_an_entry_of_ones_own_keeps_its_other_direction(policy_file: Any, make_log: Any) -> None:
    path = policy_file("sysregs: { default: deny, mmu: allow, SCTLR_EL1: { read: { value: 5 }, write: deny } }\n")
    policy = profile(path)
    log = make_log(policy, [Access("sysregs", load_arch().registers["SCTLR_EL1"].key, "write")])
    text = policygen("learn", path, str(log)).stdout
    assert "SCTLR_EL1: { read: { value: 5 }, write: allow }  # 1 x" in text, text


def test_what_was_never_hit_is_dropped_only_where_that_denies(policy_file: Any, make_log: Any) -> None:
    path = policy_file("sysregs: { default: deny, mmu: allow, fp: allow, ACTLR_EL1: raz-wi, "
                       "REVIDR_EL1: { read: { value: 7 } }, id: allow }\n"
                       "mmio: { default: deny, rtc: allow, gicd: { emulate: vgic-dist } }\n"
                       "hvc: { default: deny, HV_GET_ID: allow, HV_PAUSE: allow }\n")
    policy = profile(path)
    log = make_log(policy, [Access("hvc", 0), Access("mmio", 0x08000000, "read")])
    text = policygen("learn", path, str(log)).stdout
    dropped = {line.split(":")[0].strip() for line in text.splitlines() if ": inherit" in line}
    assert dropped == {"ACTLR_EL1", "rtc", "HV_PAUSE"}, text
    assert "REVIDR_EL1: never hit, but without it a wider entry would not deny" in text
    cut = Path(log).read_bytes()
    Path(log).write_bytes(cut[:cut.rindex(b"\x1e")])
    assert ": inherit" not in policygen("learn", path, str(log)).stdout, "a log without an end proves no absence"


def test_one_bad_proposal_does_not_throw_away_the_others(make_log: Any) -> None:
    """permissive shows a PMU: to drop `pmu`, which no run without one hits, is an error, and on a line of permissive."""
    timer = [load_arch().registers[name].key for name in ("CNTP_CTL_EL0", "CNTP_TVAL_EL0", "CNTP_CVAL_EL0")]
    log = make_log(profile("permissive", "audit"), [Access("sysregs", key, side) for key in timer for side in ("read", "write")])
    text = policygen("learn", "permissive", str(log)).stdout
    entries, _, left = text.partition("# Not tightened:")
    assert all(f"  {name}: allow  # " in entries for name in ("CNTP_CTL_EL0", "CNTP_TVAL_EL0", "CNTP_CVAL_EL0")), text
    assert "  debug: inherit" in entries and "pmu: inherit" not in entries and "pmu: never hit, but PG4" in left, text
    assert "MODE=audit sees more" not in text


def test_learning_from_a_run_that_was_refused_says_so(make_log: Any) -> None:
    key = load_arch().registers["CNTP_CTL_EL0"].key
    for mode, said in (("enforce", True), ("audit", False)):
        log = make_log(profile("strict", mode), [Access("sysregs", key, "read")])
        assert ("MODE=audit sees more" in policygen("learn", "strict", str(log)).stdout) == said
    log = make_log(profile("strict"), [Access("hvc", 0)])
    assert "MODE=audit sees more" not in policygen("learn", "strict", str(log)).stdout


def test_memory_is_learned_as_a_whole(policy_file: Any, make_log: Any) -> None:
    path = policy_file("mmio: { default: deny }\n")
    log = make_log(profile(path, "audit"), [Access("mmio", 0x04000000 + 4 * n, "read") for n in range(100)]
                   + [Access("mmio", 0x0b000000 + 4 * n, "write") for n in range(100)])
    text = policygen("learn", path, str(log)).stdout
    assert "  flash: { read: { value: 0 } }  # 100 words of it: 100 x" in text, text
    assert "  at-0b000000: { at: 0x0b000000, size: 0x1000, write: ignore }  # 100 words of it" in text, text


def test_cover_and_cost_add_up(make_log: Any) -> None:
    policy = profile("default")
    found = accesses(policy, 5, 300)
    path = str(make_log(policy, found))
    hits: Dict[int, int] = {}
    for access in found:
        rule = evaluator(policy).decide(access).entry.rule
        hits[rule] = hits.get(rule, 0) + 1
    got = json.loads(policygen("cover", "default", path, "--format", "json").stdout)
    assert {entry["rule"]: entry["hits"] for entry in got["entries"] if entry["hits"]} == hits
    assert len(got["entries"]) == len(policy.entries)
    lcov = policygen("cover", "default", path, "--lcov").stdout
    assert lcov == decoder("coverage", path, "--lcov").stdout
    assert sum(int(line.split(",")[1]) for line in lcov.splitlines() if line.startswith("DA:")) == len(found)
    cost = json.loads(policygen("cost", "default", path, "--format", "json").stdout)
    assert sum(entry["hits"] for entry in cost["entries"]) == len(found)
    assert abs(sum(bit["hits"] for bit in cost["bits"]) - len(found)) <= len(cost["bits"]) * 2
    assert "trap bit" in policygen("cost", "default", path).stdout


def test_the_rules_of_another_policy_are_not_mistaken(make_log: Any) -> None:
    path = str(make_log(profile("default"), [Access("hvc", 0)]))
    for verb in ("cover", "cost"):
        done = policygen(verb, "strict", path)
        assert done.returncode == cli.USAGE and "the log ran policy default#" in done.stderr
    assert "nothing is dropped: the log ran policy default#" in policygen("learn", "strict", path).stdout


def test_a_window_of_another_policy_is_found_where_it_was(make_log: Any, policy_file: Any) -> None:
    """`scratch` is a window of default alone; a window of the same name elsewhere is another one."""
    path = str(make_log(profile("default"), [Access("mmio", 0x0b000004, "read"), Access("hvc", 0)]))
    other = policy_file("mmio: { default: deny, scratch: { at: 0x0b008000, size: 4K, do: raz-wi } }\n")
    for name in ("strict", other):
        text = policygen("replay", name, path).stdout
        assert "2 decisions re-evaluated" in text and "0 undecidable" in text and "read 0xb000004" in text, text
        assert re.search(r"EMUL +-> +DENY", text), text


def test_json_is_as_documented(make_log: Any) -> None:
    """Keys in the order of policy/README.md."""
    path, text = str(make_log(profile("default"), [Access("hvc", 0)])), (ROOT / "policy/README.md").read_text("utf-8")
    for verb in ("learn", "replay", "cover", "cost"):
        found = json.loads(policygen(verb, "default", path, "--format", "json").stdout)
        assert found.pop("version") == 1 and ", ".join(f"`{key}`" for key in found) in text, found


@pytest.mark.parametrize("verb", ["learn", "replay", "cover", "cost"])
def test_no_log_is_a_clear_line(verb: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"no records\n")
    for name in ("empty", "nowhere"):
        done = policygen(verb, "strict", str(tmp_path / name))
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr, done.stderr


def test_without_pyyaml_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nreal = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'yaml' else real(n, *a)\n")
    done = subprocess.run([sys.executable, str(ROOT / "tools/log_decode.py"), "learn", "x.log"], text=True,
                          capture_output=True, env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}, timeout=600)
    assert done.returncode == 2 and "needs PyYAML" in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_enforced_policy_replays_its_audit(make_log: Any) -> None:
    """Audit's WOULD is enforce's DENY: no other difference."""
    audit = profile("strict", "audit")
    log = evidence.read(str(make_log(audit, accesses(audit, 7, 300))), audit)
    changes, _ = replayed(replace(audit, mode="enforce"), log)
    assert changes and {(c.verdict, c.decision.verdict) for c in changes} == {("WOULD", "DENY")}
