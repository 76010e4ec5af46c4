# SPDX-License-Identifier: Apache-2.0
"""`policygen new NAME --for-elf`: what a kernel's instructions name, against binutils, and a policy that passes."""
from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Set

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]
from policygen.__main__ import main  # noqa: E402
from policygen.evidence.instructions import Named, named  # noqa: E402
from policygen.facts.arch import load_arch, make_key  # noqa: E402

CROSS = "aarch64-linux-gnu-"


def assembled(folder: Path, text: str) -> Path:
    (folder / "k.S").write_text(f".text\n.global _start\n_start:\n{text}\n")
    subprocess.run([CROSS + "gcc", "-nostdlib", "-static", "-march=armv8-a", "-Wl,-Ttext=0x40080000", "-Wl,--build-id=none",
                    "k.S", "-o", "k.elf"], cwd=folder, check=True)
    return folder / "k.elf"


def scanned(folder: Path, text: str) -> Named:
    return named(assembled(folder, text).read_bytes())


def test_every_register_and_direction_that_binutils_shows(tmp_path: Path) -> None:
    """Encodings at random, and all of the example kernel's."""
    r = random.Random(1)
    lines, want = [], {}            # type: list[str], Dict[int, Set[str]]
    for _ in range(3000):
        op0, op1, n, m, op2 = r.choice((1, 2, 3, 3, 3)), r.randrange(8), r.randrange(16), r.randrange(16), r.randrange(8)
        read, key = r.random() < 0.5, make_key(op0, op1, n, m, op2)
        want.setdefault(key, set()).add("read" if read else "write")
        lines.append({(1, False): f"sys #{op1}, C{n}, C{m}, #{op2}, x3", (1, True): f"sysl x3, #{op1}, C{n}, C{m}, #{op2}"}.get(
            (op0, read), f"mrs x3, S{op0}_{op1}_C{n}_C{m}_{op2}" if read else f"msr S{op0}_{op1}_C{n}_C{m}_{op2}, x3"))
    assert scanned(tmp_path, "\n".join(lines)).registers == want

    elf = tmp_path / "hello.elf"
    subprocess.run(["make", "--no-print-directory", f"B={tmp_path}/b", f"{tmp_path}/b/hello.elf"], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    elf = tmp_path / "b" / "hello.elf"
    listing = subprocess.run([CROSS + "objdump", "-d", str(elf)], check=True, stdout=subprocess.PIPE, text=True).stdout
    shown: Set[str] = {f"{name.upper()} read" for name in re.findall(r"\bmrs\s+x\d+, (\w+)", listing)}
    shown |= {f"{name.upper()} write" for name in re.findall(r"\bmsr\s+(\w+), x\w+", listing)}
    found = named(elf.read_bytes())
    ours = {f"{load_arch().name(key)} {side}" for key, sides in found.registers.items() for side in sides}
    assert ours - shown == {"TLBI_VMALLE1 write"} and shown <= ours
    assert found.calls == {"hvc": {0x84000008}, "smc": set()} and not found.fp


@pytest.mark.parametrize("before, number", [
    ("mov w0, #0x84000000\nadd w0, w0, #8", 0x84000008), ("movz w0, #0x8400, lsl #16\nmovk w0, #9", 0x84000009),
    ("ldr w0, =0x8400000a", 0x8400000a), ("ldr x0, =0xc4000003\nmov x1, #5\nstr x0, [sp]\nldr x2, [x1]", 0xc4000003),
    ("mov x0, #4", 4), ("mov x0, x19", None), ("ldr x0, [x1]", None), ("mov w0, #9\nbl _start", None),
    ("mov w0, #9\nmrs x0, midr_el1", None), ("mov x0, #-1", 0xffffffff), ("", None)])
def test_the_number_of_a_call(tmp_path: Path, before: str, number: "int | None") -> None:
    for name in ("hvc", "smc"):
        found = scanned(tmp_path, f"b 1f\n.ltorg\n1:\n{before}\n{name} #0\n{name} #7\nb _start")
        assert found.calls[name] == ({number} if number is not None else set())
        assert found.computed[name] == (number is None)


@pytest.mark.parametrize("text, fp", [("fadd d0, d1, d2", True), ("ldr q0, [x1]", True), ("ldp d0, d1, [sp]", True),
                                      ("add v0.4s, v1.4s, v2.4s", True), ("fmov x0, d0", True), ("ldr x0, [x1]", False),
                                      ("ldp x0, x1, [sp]\nmadd x0, x1, x2, x3\nmsr daifclr, #2\nbr x1", False)])
def test_floating_point(tmp_path: Path, text: str, fp: bool) -> None:
    assert scanned(tmp_path, text).fp == fp


def test_data_in_the_text_is_no_instruction(tmp_path: Path) -> None:
    found = scanned(tmp_path, "nop\n.word 0xd5380000\n.word 0xd4000002\nmrs x0, mpidr_el1\n.quad 0x1e602820\nnop")
    assert [load_arch().name(key) for key in found.registers] == ["MPIDR_EL1"] and not found.fp and not found.computed["hvc"]
    assert found.words == 3


def test_a_section_for_each_function_costs_its_instructions(tmp_path: Path) -> None:
    """NuttX is built with -ffunction-sections and keeps them: 1,245 sections, each with mapping symbols."""
    seconds = []
    for count in (100, 1000):
        text = "".join(f'.section f{number},"ax"\nmrs x0, mpidr_el1\n.word 0xd5380000\nb .\n' for number in range(count))
        data = assembled(tmp_path, text).read_bytes()
        start = time.process_time()
        assert named(data).words == 2 * count
        seconds.append(time.process_time() - start)
    assert seconds[1] < 25 * seconds[0], seconds


def test_a_policy_for_it_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    elf = assembled(tmp_path, "mrs x0, midr_el1\nmsr vbar_el2, x0\nmrs x1, pmccntr_el0\nmsr S3_0_C15_C2_4, x0\nfadd d0, d0, d0\n"
                              "ldr w0, =0xc4000003\nhvc #0\nldr w0, =0x86000001\nsmc #0\nmov x0, x1\nsmc #0\n"
                              "mrs x2, cntp_ctl_el0")
    monkeypatch.setattr("policygen.text.paths.project_root", lambda: tmp_path)
    assert main(["new", "fresh", "--for-elf", str(elf)]) == 0
    text = (tmp_path / "policy" / "fresh.yaml").read_text(encoding="utf-8")
    for line in ("  fp: expose", "  MIDR_EL1: allow", "  PMCCNTR_EL0: { read: allow }", "  CNTP_CTL_EL0: { read: allow }",
                 "  0xc4000003: allow", "  uart0: { emulate: pl011 }",
                 "#   1 registers of EL2 and EL3 that it names, and no guest has", "#   smc 0x86000001: nobody serves this call",
                 "#   1 SMC whose number is computed: a run in audit mode shows it"):
        assert f"{line}\n" in text, text
    assert "  pmu: hide" not in text and "VBAR_EL2" not in text and "  sve: hide\n" in text
    capsys.readouterr()
    assert main(["--check", "fresh"]) == 0 and main(["fmt", "--check"]) == 0, capsys.readouterr()
    assert main(["new", "fresh", "--for-elf", str(elf)]) == 2
    assert (tmp_path / "policy" / "fresh.yaml").read_text(encoding="utf-8") == text


def test_what_is_no_kernel_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = bytearray(assembled(tmp_path, "mrs x0, midr_el1").read_bytes())
    x86 = bytes(whole[:18]) + b"\x3e" + bytes(whole[19:])
    for data in (b"", b"text", bytes(whole[:70]), bytes(whole[:200]), x86, b"\x7fELF\x02\x01" + bytes(300)):
        (tmp_path / "odd").write_bytes(data)
        assert main(["new", "never-made", "--for-elf", str(tmp_path / "odd")]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and said.startswith(f"policygen: {tmp_path}/odd: "), said
    assert main(["new", "never-made", "--for-elf", str(tmp_path / "none")]) == 2
    assert not (ROOT / "policy" / "never-made.yaml").exists()
