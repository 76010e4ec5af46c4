# SPDX-License-Identifier: Apache-2.0
"""Guests of one file find under Charter what they find on bare QEMU, but for what differences.txt explains."""
from __future__ import annotations

from pathlib import Path

import pytest

import conform

GUESTS = {"psci": (2, b""), "pl011": (1, b"abc"), "pl031": (1, b""), "timers": (1, b""), "gic_lines": (1, b"")}


@pytest.mark.parametrize("name", sorted(GUESTS))
def test_it_finds_the_same(name: str, tmp_path: Path) -> None:
    smp, stdin = GUESTS[name]
    guest = conform.build(conform.HERE / "guests" / f"{name}.c", tmp_path)
    reference = conform.observe(conform.bare(guest, smp), stdin)
    assert reference[-1] == ("end", 0), reference[-1]
    found = conform.observe(conform.charter(guest, conform.hypervisor(), smp), stdin)
    told = conform.differences(reference, found)
    known = {said for guest_name, said in conform.explained() if guest_name == name}
    unexplained = [line for line in told if line not in known]
    assert not unexplained, "\n".join(unexplained)
    assert not known - set(told), "explained, but it does not differ"
