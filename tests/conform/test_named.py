# SPDX-License-Identifier: Apache-2.0
"""Guests of one file make the same observations under Charter as on bare QEMU, except for those in differences.txt."""
from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Dict, List, Set, Tuple

import pytest

import conform
import programs

MANUAL = re.compile(r"\((Arm ARM|IHI 0069|DEN 00(22|28)|DDI 0(183|224)|virtio 1\.[12]), .+\)")      # a section follows
DEVICES = ("-drive", "if=none,format=raw,id=disk,file.driver=null-co,file.size=1M,file.read-zeroes=on",
           "-device", "virtio-blk-device,drive=disk", "-device", "virtio-rng-device", "-device", "virtio-serial-device",
           "-chardev", "null,id=sink", "-device", "virtconsole,chardev=sink", "-netdev", "user,id=net",
           "-device", "virtio-net-device,netdev=net,mac=52:54:00:12:34:56")
MODERN = ("-global", "virtio-mmio.force-legacy=false")


@dataclass(frozen=True)
class Machine:
    """The machine that a guest needs."""
    smp: int = 1
    stdin: bytes = b""
    options: Tuple[Tuple[str, ...], ...] = ((),)    # further ones of QEMU: each makes a machine
    newest_cpu: bool = False                        # features of `-cpu max` are looked at


GUESTS: Dict[str, Machine] = {
    "cpu_interface": Machine(newest_cpu=True), "cpu_state": Machine(smp=2), "debug": Machine(newest_cpu=True),
    "el0": Machine(newest_cpu=True), "encodings": Machine(), "forms": Machine(smp=8), "gic_lines": Machine(),
    "gic_space": Machine(smp=2),
    "ids": Machine(), "mmio": Machine(), "pl011": Machine(stdin=b"abc"), "pl031": Machine(),
    "pmu": Machine(newest_cpu=True), "psci": Machine(smp=2), "timers": Machine(newest_cpu=True),
    "virtio": Machine(options=(DEVICES, (*MODERN, *DEVICES))),
}


def told(guest: conform.Guest, machine: Machine, cpu: str = "cortex-a57") -> List[str]:
    """The differences, on each of its machines."""
    out: List[str] = []
    for options in machine.options:
        reference = conform.observe(conform.bare(guest, machine.smp, cpu, options), machine.stdin)
        assert reference[-1] == ("end", 0), reference[-1]
        elf = conform.hypervisor(cpu=None if cpu == "cortex-a57" else cpu)
        under = conform.observe(conform.charter(guest, elf, machine.smp, cpu, options), machine.stdin)
        out += conform.differences(reference, under)
    return out


@pytest.mark.parametrize("name", sorted(GUESTS))
def test_it_finds_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Debian's own QEMU and on the newest of its backports."""
    guest, machine = conform.build(conform.HERE / "guests" / f"{name}.c", tmp_path), GUESTS[name]
    found = [("", line) for line in told(guest, machine)]
    with monkeypatch.context() as context:
        context.setattr(conform.vm, "QEMU", str(conform.newest_qemu(conform.ROOT / "build" / "linux")))
        found += [("newest QEMU: ", line) for line in told(guest, machine)]
        found += [("newest QEMU, max: ", line) for line in told(guest, machine, "max")] if machine.newest_cpu else []
    known = {said for guest_name, said in conform.explained() if guest_name == name}
    unexplained = [where + line for where, line in found if not any(fnmatchcase(line, said) for said in known)]
    assert not unexplained, "\n".join(unexplained)
    vain = [said for said in known if not any(fnmatchcase(line, said) for _, line in found)]
    assert not vain, f"explained, but it does not differ: {vain}"


def test_each_difference_has_a_reason_and_a_section() -> None:
    """... and is of a guest, or of programs that are compared."""
    explained = conform.explained()
    without = {reason for reason in explained.values() if not MANUAL.search(reason)}
    assert not without, without
    of_programs: Set[str] = {said for guest, said in explained if guest == "programs"}
    assert of_programs == set(programs.AVOIDED), of_programs ^ set(programs.AVOIDED)
    assert {guest for guest, _ in explained} <= {*GUESTS, "programs"}


def test_the_first_page_leads_to_them() -> None:
    assert "(tests/conform/differences.txt)" in (conform.ROOT / "README.md").read_text(encoding="utf-8")
