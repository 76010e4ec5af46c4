# SPDX-License-Identifier: Apache-2.0
"""`policygen diff`: complete against the reference evaluator, sorted for reviewers, from every kind of source."""
from __future__ import annotations

import json
import random
import subprocess
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Callable, List, Set, Tuple

import pytest

from policygen.__main__ import main
from policygen.commands import diff
from policygen.facts.arch import load_arch
from policygen.facts.ranges import contains
from policygen.language.flat import flat as expand
from policygen.language.model import Access, Decision, Policy
from policygen.meaning import canonical, image
from policygen.meaning.compare import Change, compare
from policygen.meaning.digest import meaning_hash
from policygen.meaning.evaluate import decide, evaluator
from policygen.meaning.load import load_policy

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("default", "strict", "permissive")
GOOD = [str(path) for path in sorted((Path(__file__).parent / "good").glob("*.yaml"))]
PolicyFile = Callable[[str], str]


@lru_cache(maxsize=None)
def loaded(name: str, mode: str = "enforce") -> Policy:
    policy, diags = load_policy(name, mode=mode)
    assert policy is not None, diags.render()
    return policy


def fresh(name: str) -> Policy:
    policy, diags = load_policy(name)
    assert policy is not None, diags.render()
    return policy


# --- complete ---------------------------------------------------------------------------------------------------

def effect(decision: Decision) -> Tuple[object, ...]:
    value = decision.value if decision.do in ("value", "mask") else 0
    return (decision.do, decision.verdict == "WOULD", value, decision.mask if decision.do in ("mask", "emulate") else 0,
            decision.model, decision.refuse if decision.do == "deny" or decision.over == "deny" else None, decision.log,
            decision.limit, decision.over if decision.limit else None)


def covered(changes: List[Change], access: Access, crossing: bool) -> List[Change]:
    return [change for change in changes if change.section == access.section and contains(change.keys, access.key)
            and change.crossing == crossing and change.direction in ("access", access.direction)
            and (crossing or access.section != "mmio" or access.width in change.widths)]


def probes(old: Policy, new: Policy, pick: random.Random) -> List[Access]:
    """Accesses at and around the borders of both sides, and some in between."""
    out = []
    for section, last in (("sysregs", 0xffff), ("mmio", 0x3fffffff), ("hvc", 0xffffffff), ("smc", 0xffffffff),
                          ("exceptions", 65)):
        cells = [cell for policy in (old, new) for cell in evaluator(policy).cells(section, ((0, last),))]
        for low, high in pick.sample(cells, min(len(cells), 150)):
            for key in {low, high, pick.randint(low, high), max(low - pick.randint(1, 7), 0)}:
                direction = pick.choice(("read", "write")) if section in ("sysregs", "mmio") else ""
                width = pick.choice((1, 2, 4, 8)) if section == "mmio" else 4
                args = (pick.choice((0, 1, 3, 4, 9)), pick.choice((0, 0x40000000, 1 << 40)), 0)
                if section != "mmio" or key + width <= 1 << 30:
                    out.append(Access(section, key, direction, width, args if section in ("hvc", "smc") else (0, 0, 0)))
    return out


@pytest.mark.parametrize("seed, names", list(enumerate([
    ("strict", "default"), ("default", "permissive"), ("permissive", "strict"), (GOOD[0], GOOD[1]), (GOOD[2], "strict"),
    (GOOD[0], GOOD[2])])))
@pytest.mark.parametrize("mode", ["enforce", "audit"])
def test_every_difference_of_decisions_is_reported(seed: int, names: Tuple[str, str], mode: str) -> None:
    old, new = loaded(names[0]), loaded(names[1], mode)
    changes = compare(old, new)
    borders = {low for policy in (old, new) for low, _ in evaluator(policy).cells("mmio", ((0, 0x3fffffff),))}
    for access in probes(old, new, random.Random(seed)):
        before, after = decide(old, access), decide(new, access)
        crosses = access.section == "mmio" and any(access.key < border < access.key + access.width
                                                   for border in borders)
        told = covered(changes, access, crosses) or (covered(changes, access, False) if crosses else [])
        differs = effect(before) != effect(after)
        for change in told:
            if change.some and not crosses:             # inputs of conditions that differ
                seen = replace(change.sample, key=access.key, direction=access.direction, width=access.width)
                assert effect(decide(old, seen)) != effect(decide(new, seen)), seen
        if crosses or any(change.some for change in told):
            assert told or not differs, access          # some inputs or starts only: others may be alike
        else:
            assert bool(told) == differs, (access, before, after)


@pytest.mark.parametrize("seed", range(4))
def test_the_hash_is_equal_exactly_if_nothing_changed(seed: int, tmp_path: Path) -> None:
    """Leaves out lines of a shipped policy, or doubles their width; compares each result that loads."""
    pick, path = random.Random(seed), tmp_path / "other.yaml"
    name = SHIPPED[seed % 3]
    lines = (ROOT / "policy" / f"{name}.yaml").read_text(encoding="utf-8").replace(f"name: {name}\n", "").splitlines()
    old, tried = loaded(name), 0
    for _ in range(12):
        at = pick.randrange(len(lines))
        path.write_text("\n".join(lines[:at] + lines[at + 1:]) + "\n", encoding="utf-8")
        new, _ = load_policy(str(path))
        if new is not None:
            tried += 1
            assert (meaning_hash(new) == meaning_hash(old)) == (not compare(old, new)), lines[at]
    assert tried > 2


def test_a_border_that_nobody_can_tell_is_none(policy_file: PolicyFile) -> None:
    text = "mmio:\n  default: deny\n" \
           "  w: { at: 0x0b000000, size: 4K, default: deny, regs: { 0x0-0x4: { do: raz-wi } } }\n"
    one = fresh(policy_file(text.replace("default: deny, regs", "default: { do: deny, why: kept }, regs")))
    two = fresh(policy_file(text.replace("default: deny, regs: { 0x0-0x4: { do: raz-wi } }",
                                         "regs: { 0x0-0x4: { do: raz-wi } }")))
    assert meaning_hash(one) == meaning_hash(two) and not compare(one, two)
    split = fresh(policy_file(text.replace("default: deny, regs: { 0x0-0x4: { do: raz-wi } }",
                                           "regs: { 0x0: { do: raz-wi }, 0x4: { do: raz-wi } }")))
    changes = compare(two, split)               # an access of 8 bytes is refused now
    assert [(change.kind, change.crossing) for change in changes] == [("TIGHTER", True)]
    assert meaning_hash(two) != meaning_hash(split)


@pytest.mark.parametrize("name", [*SHIPPED, *GOOD])
def test_another_form_is_no_change(name: str, tmp_path: Path) -> None:
    policy = fresh(name)
    flat = tmp_path / "flat.yaml"
    flat.write_text(expand(policy), encoding="utf-8")
    image = tmp_path / "policy.json"
    image.write_text(canonical.dump(policy, meaning_hash(policy)), encoding="utf-8")
    for other in (flat, image):
        again, diags = load_policy(str(other))
        assert again is not None, diags.render()
        assert not diags.items and not compare(policy, again) and meaning_hash(policy) == meaning_hash(again)
    assert [claim.name for claim in again.asserts] == [claim.name for claim in policy.asserts]


# --- sorted -----------------------------------------------------------------------------------------------------

BASE = """
sysregs: { default: deny, core: allow, AFSR0_EL1: { mask: 0xf0 }, imp-def: { do: deny, limit: 5/s, over: kill } }
mmio: { default: deny, uart0: { emulate: pl011 }, rtc: { read: allow, write: deny, width: [4] },
        virtio-net: { emulate: virtio-net, offer: 0x20, requests: 50/s } }
hvc: { default: deny, PSCI_CPU_ON: { do: allow, where: { x1: 1..3 }, as: DENIED }, 0x86000001: { value: 3 } }
features: { pmu: hide }
"""


@pytest.mark.parametrize("before, after, kind, words", [
    ("core: allow", "core: allow, mmu: allow", "LOOSER", "access mmu but for AFSR0_EL1 (21)"),
    ("core: allow, ", "", "TIGHTER", "access core"),
    ("mask: 0xf0", "mask: 0xff", "LOOSER", "AFSR0_EL1"), ("mask: 0xf0", "mask: 0x70", "TIGHTER", "AFSR0_EL1"),
    ("mask: 0xf0", "mask: 0x0f", "LOOSER", "AFSR0_EL1"),
    ("limit: 5/s", "limit: 9/s", "LOOSER", "imp-def"), ("limit: 5/s", "limit: 2/s", "TIGHTER", "imp-def"),
    ("over: kill", "over: deny", "LOOSER", "imp-def"),
    ("{ do: deny, limit: 5/s, over: kill }", "deny", None, ""),           # the same as default: an error
    ("width: [4]", "width: [1, 4]", "LOOSER", "rtc/1"), (", width: [4]", "", "LOOSER", "rtc/1,2,8"),
    ("read: allow, write: deny", "read: allow, write: ignore", "LOOSER", "write rtc"),
    ("emulate: pl011", "emulate: pl011, log: always", "REPORTING", "uart0"),
    ("emulate: pl011", "emulate: pl011, log: { once, trace }", "REPORTING", "uart0"),
    ("offer: 0x20", "offer: 0x21", "LOOSER", "virtio-net"), ("offer: 0x20", "offer: 0", "TIGHTER", "virtio-net"),
    (", offer: 0x20", "", "LOOSER", "virtio-net"), ("requests: 50/s", "requests: 51/s", "LOOSER", "virtio-net"),
    ("requests: 50/s", "requests: 9/s", "TIGHTER", "virtio-net"), (", requests: 50/s", "", "LOOSER", "virtio-net"),
    ("x1: 1..3", "x1: 1..4", "LOOSER", "PSCI_CPU_ON, for some arguments"),
    ("x1: 1..3", "x1: 2..3", "TIGHTER", "PSCI_CPU_ON, for some arguments"),
    ("as: DENIED", "as: INVALID_PARAMETERS", "CHANGED", "PSCI_CPU_ON"),
    ("value: 3", "value: 4", "CHANGED", "0x86000001"),
    ("default: deny, PSCI", "default: pause, PSCI", "TIGHTER", "hvc 0x0.."),
    ("features: { pmu: hide }", "features: { pmu: hide }\nexceptions: { default: forward, BRK64: kill }", "TIGHTER",
     "BRK64"),
    ("features: { pmu: hide }", "features: { pmu: expose }", "LOOSER", "pmu"),
])
def test_a_small_edit(before: str, after: str, kind: str, words: str, policy_file: PolicyFile, tmp_path: Path,
                      capsys: pytest.CaptureFixture[str]) -> None:
    old = Path(policy_file(BASE)).rename(tmp_path / "old.yaml")
    new = policy_file(BASE.replace(before, after))
    status = main(["diff", str(old), new, "--format", "json", "--gate", "looser"])
    out = capsys.readouterr().out
    if kind is None:
        assert status == 1          # a policy with an error is not compared
        return
    found = json.loads(out)
    first = found["changes"][0]
    assert first["kind"] == kind.lower() and words in first["accesses"], first
    assert status == (1 if kind == "LOOSER" else 0) == int(found["gate"])
    assert first["old_line"].startswith(("old.yaml", "../")) or "old.yaml" in first["old_line"]
    assert found["meaning"][0] != found["meaning"][1]


def test_what_people_read(policy_file: PolicyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "policy" / "strict.yaml").read_text(encoding="utf-8").replace("name: strict\n", "")
    new = tmp_path / "new.yaml"
    new.write_text(text.replace("  timer-virt: allow\n", "  timer-virt: allow\n  timer-phys: allow\n"),
                   encoding="utf-8")
    assert main(["diff", "strict", str(new)]) == 0
    out = capsys.readouterr().out
    for words in ("LOOSER", "access timer-phys (5)", "deny UNDEF -> allow", "read CNTPCT_EL0", "default: deny",
                  "timer-phys: allow", "-CNTHCTL_EL2.EL1PCEN=0", "looser 1  tighter 0  changed 0  reporting 0"):
        assert words in out, out
    assert main(["diff", str(new), "strict", "--gate", "looser"]) == 0
    assert main(["diff", str(new), "strict", "--gate", "any", "-q"]) == 1
    assert main(["diff", "strict", "strict", "--gate", "any"]) == 0
    assert "decided alike" in capsys.readouterr().out


def test_id_registers_are_told_by_field(policy_file: PolicyFile, tmp_path: Path) -> None:
    base = "sysregs: { default: deny, core: allow, id: allow }\nfeatures: { pmu: hide, sve: hide }\n"
    old = fresh(str(Path(policy_file(base)).rename(tmp_path / "old.yaml")))
    new = fresh(policy_file(base.replace("sve: hide", "sve: expose")))
    shown = [diff.sides(change) for change in compare(old, new) if change.sample.key == load_arch().registers[
        "ID_AA64PFR0_EL1"].key]
    assert shown == [("SVE 0x0", "SVE real")]


@pytest.mark.parametrize("old, new, gates", [
    ("core: allow", "core: allow, mmu: allow", {"looser", "any"}), ("core: allow, mmu: allow", "core: allow", {"tighter", "any"}),
    ("ACTLR_EL1: { read: { value: 1 } }", "ACTLR_EL1: { read: { value: 2 } }", {"tighter", "any"}),
    ("core: allow", "core: { do: allow, log: once }", {"any"}), ("core: allow", "core: allow", set())])
def test_each_gate_stops_what_it_is_for(tmp_path: Path, old: str, new: str, gates: Set[str]) -> None:
    """`tighter` is about guests that work today: what they may miss, and what is another value."""
    policies = []
    for name, entries in (("old", old), ("new", new)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"policy: 1\nname: t\nplatform: qemu-virt\nsysregs: {{ default: deny, {entries} }}\n"
                        "mmio: { default: deny }\nhvc: { default: deny }\nsmc: { default: deny }\n"
                        "exceptions: { default: forward }\n", encoding="utf-8")
        policies.append(fresh(str(path)))
    found = diff.difference(policies[0], policies[1], "cortex-a57")
    assert {gate for gate in diff.GATES if found.trips(gate)} == gates and not found.trips(None)
    for gate in diff.GATES:
        assert any(item.severity == "error" for item in diff.diagnostics(found, gate).items) == (gate in gates), gate


def test_a_new_waiver_trips_the_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    child = "policy: 1\nname: child\nextends: strict\nsysregs: { timer-phys: { do: deny, log: never } }\n"
    old, new = tmp_path / "a.yaml", tmp_path / "b.yaml"
    old.write_text(child, encoding="utf-8")
    new.write_text(child + "waive: { no-smc: the firmware test }\n", encoding="utf-8")
    assert main(["diff", str(old), str(new), "--gate", "looser"]) == 1
    assert "waived no-smc: the firmware test" in capsys.readouterr().out


# --- from any source --------------------------------------------------------------------------------------------

def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *words], check=True,
                   stdout=subprocess.DEVNULL)


def test_revisions_and_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                              built: Callable[[Policy, Path], Path]) -> None:
    """A parent is read from the same revision; an image names the policy that it was built from."""
    folder = tmp_path / "policy"
    folder.mkdir()
    base = (ROOT / "policy" / "strict.yaml").read_text(encoding="utf-8")
    (folder / "strict.yaml").write_text(base, encoding="utf-8")
    (folder / "child.yaml").write_text("policy: 1\nname: child\nextends: strict\nhvc: { hv: allow }\n",
                                       encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    (folder / "strict.yaml").write_text(base.replace("  cache: allow\n", ""), encoding="utf-8")
    monkeypatch.setattr("policygen.text.paths.project_root", lambda: tmp_path)
    policy = fresh("HEAD:policy/child.yaml")
    assert policy.files == ("HEAD:policy/strict.yaml", "HEAD:policy/child.yaml")
    assert main(["diff", "HEAD:child", "child"]) == 0
    out = capsys.readouterr().out
    assert "TIGHTER" in out and "cache" in out and "HEAD:policy/strict.yaml" in out
    for wrong in ("HEAD:nosuch", "nosuch:strict", "--x:strict", "HEAD:policy/"):
        assert load_policy(wrong)[0] is None
    elf = built(policy, tmp_path / "gen")
    assert main(["diff", "HEAD:child", str(elf), "--gate", "any"]) == 0
    assert main(["--check", str(elf)]) == 0 and main(["explain", str(elf), "read", "PMCR_EL0"]) == 0
    data = elf.read_bytes()
    name = image.SECTION.encode() + b"\0"
    for damage in (data[:200], data.replace(name, b".charter.polics\0"), b"\x7fELF" + bytes(100),
                   data.replace(b'"canonical":2', b'"canonical":7'), data.replace(b'"sysregs"', b'"sysregz"'),
                   data.replace(b'"rule"', b'"rulx"').replace(b'"actions"', b'"actionz"')):
        elf.write_bytes(damage)
        assert main(["diff", "strict", str(elf)]) == 2
        assert "PG012" in capsys.readouterr().err
    elf.write_bytes(data.replace(b'"do":"pause"', b'"do":"allow"'))
    assert "PG013" in {item.code for item in load_policy(str(elf))[1].items}


def test_it_takes_less_than_a_second() -> None:
    """The best of three: CPU time too grows on a machine that others keep busy."""
    best = 9.0
    for _ in range(3):
        start = time.process_time()
        old, new = fresh("strict"), fresh("default")
        compare(old, new)
        meaning_hash(old), meaning_hash(new)
        best = min(best, time.process_time() - start)
    assert best < 1
