# SPDX-License-Identifier: Apache-2.0
"""`memory:` on the machine: what it refuses is the permission fault that a guest's own tables would give, and is in the log."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest

import vm
from vm import CROSS, FAST_CLOCK, ROOT, bootargs, build, decode, machine, run

GUARDED = ROOT / "tests" / "qemu" / "guarded.yaml"
CPUS = ("cortex-a57", "neoverse-n1", "max")
# Pages that guest/diag tries (guards.c), in each way.
PAGES = """\
policy: 1
name: pages
about: default, and four pages that a guest may not use as it likes
extends: {}
memory:
  default: rwx
  text: {{ at: 0x4e000000, size: 4K, may: rx }}
  ro: {{ at: 0x4e001000, size: 4K, may: r, log: always }}
  data: {{ at: 0x4e200000, size: 2M, may: rw, why: no code is here }}
  patched: {{ at: 0x4e3ff000, size: 4K, write: {{ do: allow, log: always }} }}
"""


def compiled(out: Path, *flags: str) -> Path:
    subprocess.run([CROSS + "gcc", "-O1", "-ffreestanding", "-nostdlib", "-static", "-mgeneral-regs-only", "-Wall", "-Werror",
                    "-Wl,-Ttext=0x40200000", "-Wl,--build-id=none", *flags, "tests/qemu/guarded.c", "-o", str(out)],
                   cwd=ROOT, check=True)
    return out


def said(output: bytes) -> List[str]:
    return [line for line in output.decode(errors="replace").replace("\r", "").splitlines()
            if line == "end" or len(line.split(" ")) == 6 and not line.startswith("@")]


def natively(cpu: str, folder: Path) -> List[str]:
    """The guest's own tables forbid it, on a machine without EL2."""
    own = compiled(folder / "own.elf", "-DOWN")
    return said(run([vm.QEMU, "-M", "virt,gic-version=3", "-cpu", cpu, "-m", "768M", "-nographic", "-nic", "none",
                     "-kernel", str(own)]).stdout)


@pytest.mark.parametrize("cpu", CPUS)
def test_a_refusal_is_the_fault_of_a_guests_own_tables(tmp_path: Path, cpu: str) -> None:
    """Each form of a store and a call, at two addresses of a page: ESR, FAR, how many, and what the page holds then."""
    guest, policy = compiled(tmp_path / "guarded.elf"), str(GUARDED.relative_to(ROOT))
    elf = build(policy, f"CPU={cpu}", tag=f"-{cpu}")
    subprocess.run([sys.executable, "tools/guest_prep.py", "--elf", str(guest), "--policy-windows",
                    str(elf.parent / "gen/windows.json"), "--cpu", cpu, "--unattended", "--out", str(tmp_path / "out")],
                   cwd=ROOT, check=True)
    done = run(machine(elf, *(tmp_path / "out/qemu.args").read_text().split(), cpu=cpu))
    native, ours = natively(cpu, tmp_path), said(done.stdout)
    assert native[-1] == "end" and len(native) == 3 * 2 * 13 - 2 + 1
    assert ours == native
    log = tmp_path / "log"
    log.write_bytes(done.stdout)
    rows = decode(log, "csv", "--fields", "verdict,class,op,addr").stdout.splitlines()
    stores = [row for row in rows if row.startswith("DENY,mem,w")]
    calls = [row for row in rows if row.startswith("DENY,mem,x")]
    refused: Dict[str, int] = {"stores": sum(int(line.split(" ")[4], 16) for line in native[:-1] if "call" not in line),
                               "calls": sum(int(line.split(" ")[4], 16) for line in native[:-1] if "call" in line)}
    assert refused["stores"] == 2 * 2 * 12 + 2 and refused["calls"] == 2 * 2    # STTR as EL0 is refused on each page
    assert 0 < len(stores) <= refused["stores"] - 2 and 0 < len(calls) <= refused["calls"]      # equal ones are one record


@pytest.mark.parametrize("cpu, mode", [("cortex-a57", "enforce"), ("neoverse-n1", "enforce"), ("max", "enforce"),
                                       ("cortex-a57", "audit")])
def test_the_diagnostic_guest_finds_what_the_policy_says(tmp_path: Path, cpu: str, mode: str) -> None:
    policy = ROOT / "build" / "pages.yaml"
    policy.write_text(PAGES.format(ROOT / "policy" / "default.yaml"), encoding="utf-8")
    elf = build(str(policy), f"CPU={cpu}", f"MODE={mode}", tag=f"-{cpu}-{mode}")
    done = run(machine(elf, *bootargs(tmp_path, "unattended=1 log=full"), *FAST_CLOCK, cpu=cpu))
    text = done.stdout.decode("latin-1")
    assert " 0 failed" in text and "changed since boot" not in text, text[-2000:]       # stage 2 changes, and EL2 is whole
    assert "RAM: 0x4e000000: stores " + ("refused" if mode == "enforce" else "allowed") in text
    log = tmp_path / "log"
    log.write_bytes(done.stdout)
    rows = decode(log, "csv", "--fields", "verdict,rule,class,op,addr,val").stdout.splitlines()
    mine = [row.split(",") for row in rows if ",mem," in row]
    verdict = "DENY" if mode == "enforce" else "WOULD"
    assert {(row[0], row[3]) for row in mine} == {(verdict, "w"), (verdict, "x"), ("ALLOW", "w")}
    if mode == "audit":             # once a page, and then it is open
        pages = [(row[3], int(row[4], 16) >> 12) for row in mine if row[0] == "WOULD"]
        assert sorted(pages) == sorted(set(pages))
