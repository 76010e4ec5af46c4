# SPDX-License-Identifier: Apache-2.0
"""`policygen reach`: each access is reached by one way, and by which one. That a machine agrees, tests/qemu/many.py sees."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Set, Tuple

import pytest

from policygen.__main__ import main
from policygen.facts import ranges
from policygen.facts.arch import load_arch
from policygen.facts.board import load_board
from policygen.meaning.load import load_policy
from policygen.meaning.layout_map import layout_map
from policygen.target.reach import WAYS, Reached, reached
from policygen.target.tables import passthrough

PROFILES = ("default", "strict", "permissive", "linux-strict")
CPUS = ("cortex-a57", "neoverse-n1", "max")


def of(name: str, cpu: str = "cortex-a57") -> List[Reached]:
    policy, _ = load_policy(name)
    assert policy is not None
    return reached(policy, cpu)


def sides(item: Reached) -> Tuple[str, ...]:
    return ("read", "write") if item.accesses.direction == "access" else (item.accesses.direction,)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("cpu", CPUS)
def test_each_access_has_one_way(name: str, cpu: str) -> None:
    arch, seen = load_arch(), {}    # type: ignore[var-annotated]
    for item in of(name, cpu):
        for side in sides(item):
            seen.setdefault((item.accesses.section, side), []).extend(item.accesses.keys)
    policy, _ = load_policy(name)
    assert policy is not None
    layout = layout_map(policy)
    for at, side in enumerate(("read", "write")):
        here = sorted(key for key, register in arch.by_key.items() if arch.exists(register, side, cpu))
        found = sorted(key for low, high in seen["sysregs", side] for key in range(low, high + 1))
        assert sorted(set(found)) == here
        assert all(layout.sysregs[side][key].where for key in here if found.count(key) > 1)
        assert ranges.merge(seen["mmio", side]) == ((0, (1 << 30) - 1),)
        twice = sum(high - low + 1 for low, high in seen["mmio", side]) - (1 << 30)
        assert twice == sum(cell.last - cell.base + 1 for cell in layout.mmio if cell.rows[at].where)
    for section in ("hvc", "smc"):          # an access with conditions may end by two ways
        assert ranges.merge(seen[section, ""]) == ((0, (1 << 32) - 1),)


def test_the_way_is_the_one_that_it_is() -> None:
    arch = load_arch()
    ways: Dict[Tuple[str, str], Set[Tuple[str, str]]] = {}
    for item in of("strict"):
        for side in sides(item):
            for low, high in item.accesses.keys if item.accesses.section == "sysregs" else ():
                for key in range(low, high + 1):
                    ways.setdefault((side, arch.name(key)), set()).add((item.way, item.by))
    for access, way in {("write", "TTBR0_EL1"): ("native", ""), ("read", "MIDR_EL1"): ("answered", "VPIDR_EL2"),
                        ("read", "ID_AA64PFR0_EL1"): ("through", "HCR_EL2.TID3"), ("write", "ICC_DIR_EL1"): ("handler", "vgic"),
                        ("write", "ICC_SGI1R_EL1"): ("handler", "vgic-sgi"), ("read", "PMCCNTR_EL0"): ("refused", "MDCR_EL2.TPM"),
                        ("read", "L2CTLR_EL1"): ("native", "not enforced")}.items():
        assert ways[access] == {way}, (access, ways[access])


@pytest.mark.parametrize("name", PROFILES)
def test_what_the_host_keeps_is_never_reached(name: str) -> None:
    policy, _ = load_policy(name)
    assert policy is not None
    kept = ranges.merge((device.base, device.last) for device in load_board(policy.platform).devices.values() if device.keep)
    for item in reached(policy, "cortex-a57"):
        if item.accesses.section == "mmio" and item.way in ("native", "through"):
            assert not ranges.intersect(item.accesses.keys, kept), item
    native = [part for item in reached(policy, "cortex-a57") for part in item.accesses.keys
              if item.way == "native" and item.accesses.section == "mmio"]
    assert ranges.merge(native) == ranges.merge((page.base, page.last) for page in passthrough(layout_map(policy)))


def test_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reach", "strict", "handler", "native"]) == 0
    text = capsys.readouterr().out
    assert text.index("native: ") < text.index("handler: ") and "answered:" not in text and "access uart0" in text
    assert "policy/strict.yaml" in text and "not enforced" in text
    assert main(["reach", "strict", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.pop("version") == 1 and list(found) == ["policy", "cpu", "ways"]
    assert {item["way"] for item in found["ways"]} == set(WAYS) - {"refused"}
    assert main(["reach", "strict", "sideways"]) == 2 and '"sideways" is no way' in capsys.readouterr().err


def test_conditions_may_lead_to_two_ways(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("policy: 1\nname: two\nplatform: qemu-virt\nextends: strict\nsysregs:\n"
                    "  SCTLR_EL1: { write: { do: allow, where: { M: sticky }, else: deny } }\nmmio:\n"
                    "  gpio: { do: raz-wi, where: { from: el1 }, else: deny }\n", encoding="utf-8")
    ways: Dict[str, Set[Tuple[str, str]]] = {}
    for item in of(str(path)):
        for section, name, at in (("sysregs", "SCTLR_EL1", load_arch().registers["SCTLR_EL1"].key), ("mmio", "gpio", 0x09030000)):
            if item.accesses.section == section and "write" in sides(item) and ranges.contains(item.accesses.keys, at):
                ways.setdefault(name, set()).add((item.way, item.by))
    assert ways["SCTLR_EL1"] == {("through", "HCR_EL2.TVM"), ("refused", "HCR_EL2.TVM")}
    assert ways["gpio"] == {("answered", "stage 2"), ("refused", "stage 2")}
