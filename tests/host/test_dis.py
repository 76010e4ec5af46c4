# SPDX-License-Identifier: Apache-2.0
"""The disassembler agrees with binutils wherever it knows an instruction, and no word makes it fail."""
from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path
from typing import List

import pytest

from hvl_host import LOG, ROOT, build, run

SOURCE = """
mrs x3, midr_el1; msr sctlr_el1, x4; svc #1; hvc #0; smc #0; brk #0x800; eret; ret; br x3; blr x17; wfi; wfe
nop; isb; b .+8; bl .-16; b.ne .+32; cbz w3, .+8; cbnz x9, .-8; tbz w1, #3, .+12; tbnz x1, #40, .-12
adr x1, .+20; adrp x2, .; movz x1, #0x1234, lsl #16; movk w2, #7; movn x3, #0; mov x4, x5; mov w6, wzr
ldr x1, [x2]; ldr w1, [sp, #8]; str x3, [x4, #-8]!; ldrb w5, [x6], #1; strh w7, [x8, #2]; ldrsw x9, [x10, #4]
ldur x1, [x2, #-3]; ldr x1, [x2, x3, lsl #3]; ldr x1, [x2, x3]; ldr w1, [x2, w3, sxtw]
str w1, [x2, w3, uxtw #2]; ldr x7, .+16; ldp x29, x30, [sp], #32; stp x1, xzr, [sp, #-16]!
ldp w1, w2, [x3, #8]; ldxr x2, [x3]; stxr w4, x5, [x6]; ldaxrb w1, [x2]; stlxr w1, w2, [sp]; ldar x1, [x2]
stlr w3, [x4]; ldrsb w1, [x2]; ldrsh x1, [x2, #2]; hint #25; hint #29; hint #3; hint #48; hint #127
sub sp, sp, #0x120; add x29, sp, #16; add wsp, w1, #4; adds x1, sp, #4; sub x1, x2, xzr
"""


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("dis_host", [*LOG, "dis"], tmp_path_factory.mktemp("dis"))


def ours(program: Path, words: List[int]) -> List[str]:
    wire, _ = run(program, " ".join(f"{w:x}" for w in words).encode())
    lines = [line.partition(" to ") for line in wire.decode().splitlines()]
    for text, _, to in lines:                       # a branch goes where its text says
        direct = re.match(r"(?:b|bl|b\.\w+|cbn?z \w+,|tbn?z \w+, #\d+,) 0x(\w+)$", text)
        assert (direct.group(1) if direct else "") == to, (text, to)
    return [text for text, _, _ in lines]


def plain(text: str) -> str:
    """One spelling: no comments or symbols, numbers in hexadecimal, the aliases that binutils prefers undone."""
    text = re.sub(r"\s*(//|<).*", "", text.strip()).replace("\t", " ").lower()
    text = re.sub(r"#(-?)0x([0-9a-f]+)", lambda m: f"#{m.group(1)}{int(m.group(2), 16)}", text)
    text = re.sub(r"(?<![#\w])0x([0-9a-f]+)", r"\1", text)
    text = re.sub(r"^(ld|st)ur", r"\1r", text)
    return re.sub(r"^mov ([xw]\d+), #-1$", r"movn \1, #0", text)


def test_it_agrees_with_binutils(program: Path, tmp_path: Path) -> None:
    source, obj = tmp_path / "t.s", tmp_path / "t.o"
    source.write_text(".space 0x1000\n" + "\n".join(SOURCE.replace(";", "\n").splitlines()) + "\n")
    subprocess.run(["aarch64-linux-gnu-gcc", "-c", str(source), "-o", str(obj)], check=True)
    dump = subprocess.run(["aarch64-linux-gnu-objdump", "-d", str(obj)], check=True, text=True,
                          capture_output=True).stdout
    found = re.findall(r"^\s*([0-9a-f]+):\t([0-9a-f]{8}) \t(.*)$", dump, re.M)
    found = [f for f in found if int(f[0], 16) >= 0x1000]
    assert len(found) > 45
    for at, word, theirs in found:
        text, = ours(program, [int(word, 16)])
        # Targets are relative to the instruction's address.
        text = re.sub(r"\b0x([0-9a-f]+)$", lambda m, a=int(at, 16): f"0x{int(m.group(1), 16) - 0x1000 + a:x}", text) \
            if re.match(r"(b |bl |b\.|cb|tb|adr)", text) or re.match(r"ldr \w+, 0x", text) else text
        # Register names are the policy's; `mov` is an alias; ADRP has a relocation.
        if text.startswith(("mrs", "msr", "adrp", "mov")):
            assert text.split()[0].replace("movz", "mov").replace("movn", "mov") == theirs.split()[0]
            continue
        assert plain(text) == plain(theirs), word


def test_no_word_makes_it_fall(program: Path) -> None:
    dice = random.Random(1)
    words = [dice.getrandbits(32) for _ in range(20000)] + [0, 0xFFFFFFFF]
    out = ours(program, words)
    assert len(out) == len(words) and all(out) and max(map(len, out)) < 63


def test_the_whole_of_el2_can_be_read(program: Path) -> None:
    assert (ROOT / "hv/operator/dis.c").exists()
    assert ours(program, [0xD53B9C01, 0xD50B7E21, 0x1E204000]) == [
        "mrs x1, PMCR_EL0", "sys S1_3_C7_C14_1, x1", ".inst 0x1e204000"]
