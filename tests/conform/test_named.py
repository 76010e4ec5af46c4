# SPDX-License-Identifier: Apache-2.0
"""Guests of one file make the same observations under Charter as on bare QEMU, except for those in differences.txt."""
from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

import conform

# CPUs and standard input
GUESTS = {"psci": (2, b""), "pl011": (1, b"abc"), "pl031": (1, b""), "timers": (1, b""), "gic_lines": (1, b""),
          "ids": (1, b""), "pmu": (1, b""), "debug": (1, b""), "mmio": (1, b""), "virtio": (1, b"")}
DISK = ("-drive", "if=none,format=raw,id=disk,file.driver=null-co,file.size=1M,file.read-zeroes=on",
        "-device", "virtio-blk-device,drive=disk")
MODERN = ("-global", "virtio-mmio.force-legacy=false")
MACHINES: Dict[str, Tuple[Tuple[str, ...], ...]] = {"virtio": (DISK, (*MODERN, *DISK))}       # further QEMU options


def told(guest: conform.Guest, extra: Tuple[str, ...], smp: int, stdin: bytes) -> List[str]:
    reference = conform.observe(conform.bare(guest, smp, extra=extra), stdin)
    assert reference[-1] == ("end", 0), reference[-1]
    command = conform.charter(guest, conform.hypervisor(), smp, extra=extra)
    return conform.differences(reference, conform.observe(command, stdin))


@pytest.mark.parametrize("name", sorted(GUESTS))
def test_it_finds_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Debian's own QEMU and on the newest of its backports."""
    guest = conform.build(conform.HERE / "guests" / f"{name}.c", tmp_path)
    machines = MACHINES.get(name, ((),))
    found: List[Tuple[str, str]] = [("", line) for extra in machines for line in told(guest, extra, *GUESTS[name])]
    with monkeypatch.context() as context:
        context.setattr(conform.vm, "QEMU", str(conform.newest_qemu(conform.ROOT / "build" / "linux")))
        found += [("newest QEMU: ", line) for extra in machines for line in told(guest, extra, *GUESTS[name])]
    known = {said for guest_name, said in conform.explained() if guest_name == name}
    unexplained = [where + line for where, line in found if not any(fnmatchcase(line, said) for said in known)]
    assert not unexplained, "\n".join(unexplained)
    vain = [said for said in known if not any(fnmatchcase(line, said) for _, line in found)]
    assert not vain, f"explained, but it does not differ: {vain}"
