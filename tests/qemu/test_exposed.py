# SPDX-License-Identifier: Apache-2.0
"""Features that a policy exposes work for a guest as on bare QEMU at EL1, and hold nothing of EL2 or of who was before."""
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

import vm
from vm import CROSS, ROOT, build, machine, run

sys.path.insert(0, str(ROOT / "tests" / "linux"))
from artifacts import newest_qemu  # noqa: E402

POLICY = ROOT / "tests" / "qemu" / "exposed.yaml"


def said(text: bytes) -> List[str]:
    return [line for line in text.decode(errors="replace").replace("\r", "").splitlines()
            if line.split(" ")[0] in ("sve", "pac", "bti", "mte")]


@pytest.mark.parametrize("cpu, newer", [("max", False), ("neoverse-n2", True)])
def test_what_is_exposed_is_the_guests(tmp_path: Path, cpu: str, newer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors, keys, landing pads and tags, with the machine's mte=on: EL2 reads no other facts than the machine's."""
    qemu = str(newest_qemu(ROOT / "build" / "linux")) if newer else vm.QEMU
    monkeypatch.setattr(vm, "QEMU", qemu)
    guest, policy = tmp_path / "exposed.elf", str(POLICY.relative_to(ROOT))
    elf = build(policy, f"CPU={cpu}", "GUEST_MACHINE=mte=on", tag=f"-{cpu}")
    subprocess.run([CROSS + "gcc", "-O1", "-ffreestanding", "-nostdlib", "-static", "-mgeneral-regs-only",
                    "-mbranch-protection=none", "-Wl,-Ttext=0x40200000", "-Wl,--build-id=none", "tests/qemu/exposed.c",
                    "-o", str(guest)], cwd=ROOT, check=True)
    native = said(run([qemu, "-M", "virt,gic-version=3,mte=on", "-cpu", cpu, "-m", "768M", "-nographic", "-nic", "none",
                       "-kernel", str(guest)]).stdout)
    subprocess.run([sys.executable, "tools/guest_prep.py", "--elf", str(guest), "--policy-windows",
                    str(elf.parent / "gen/windows.json"), "--cpu", cpu, "--machine", "mte=on", "--unattended", "--qemu", qemu,
                    "--out", str(tmp_path / "out")], cwd=ROOT, check=True)
    ours = said(run(machine(elf, *(tmp_path / "out/qemu.args").read_text().split(), cpu=cpu,
                            shape="virt,virtualization=on,gic-version=3,mte=on")).stdout)
    found = dict(line.rsplit(" ", 1) for line in ours)
    assert len(ours) == 14 and found.pop("sve length at first") == found.pop("pac key at first") == "0" * 16
    assert {name: value for name, value in found.items()} == {
        name: value for name, value in (line.rsplit(" ", 1) for line in native) if not name.endswith("at first")}
    assert int(found["sve bytes"], 16) >= 16 and int(found["pac signed"], 16) != 0x40123450
    assert int(found["bti elsewhere"], 16) >> 26 == 0xd and int(found["mte wrong"], 16) & 0x3f == 0x11
