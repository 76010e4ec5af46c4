# SPDX-License-Identifier: Apache-2.0
"""Loads and stores as binutils' disassembler spells them: what hv/trap/insn_access.c must say, told from the text alone."""
from __future__ import annotations

import re
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

MASK = (1 << 64) - 1
INSN = re.compile(r"(ldr|str|ldur|stur|ldp|stp|ldnp|stnp)(b|h|sb|sh|sw)? ([a-z0-9]+), (?:([a-z0-9]+), )?\[([a-z0-9]+)"
                  r"(?:, #(-?\d+)|, ([xw](?:\d+|zr))(?:, (lsl|uxtw|sxtw|sxtx)(?: #(\d+))?)?)?\](!|, #-?\d+)?")
WIDTHS = {"b": 1, "h": 2, "s": 4, "d": 8, "q": 16, "w": 4, "x": 8}


@dataclass(frozen=True)
class Form:
    """One instruction. `size` is a register's, in bytes; `step` is None where the base stays."""
    load: bool
    size: int
    signed: bool
    wide: bool                      # into X, or a V register
    vector: bool
    registers: Tuple[int, ...]
    base: int                       # 31: SP
    first: int
    step: Optional[int]

    @property
    def iss(self) -> int:
        """Of one access (Arm ARM, "ISS encoding for an exception from a Data Abort"), XZR as its register."""
        sas = (min(self.size, 8)).bit_length() - 1
        return 1 << 24 | sas << 22 | self.signed << 21 | 31 << 16 | self.wide << 15 | (0 if self.load else 1 << 6)


def register(name: str) -> int:
    return 31 if name in ("sp", "xzr", "wzr") else int(name[1:])


def read(text: str, x: Sequence[int]) -> Optional[Form]:
    """None: no load or store without a syndrome, or one whose effect the architecture leaves open. `x`: X0 to X30."""
    m = INSN.fullmatch(re.sub(r"\s+", " ", text.partition("//")[0]).strip())
    if not m:
        return None
    name, suffix, rt, rt2, base, offset, index, extend, amount, behind = m.groups()
    if (rt2 is not None) != name.endswith("p"):
        return None
    load, vector, suffix = name.startswith("ld"), rt[0] in "bhsdq" and rt != "sp", suffix or ""
    size = WIDTHS[suffix[-1] if suffix else rt[0]]
    first = step = int(offset or 0)
    if index:
        value = ([*x, 0][register(index)]) & (MASK if index[0] == "x" else 0xffffffff)
        if extend == "sxtw" and value >> 31:
            value -= 1 << 32
        first = value << int(amount or 0)
    if behind and behind != "!":
        first, step = 0, int(behind.partition("#")[2])
    if not vector and not behind and rt2 is None:
        return None                             # a syndrome describes these
    registers = tuple(register(r) for r in (rt, rt2) if r is not None)
    if load and len(registers) == 2 and registers[0] == registers[1]:
        return None
    if behind and not vector and base != "sp" and register(base) in registers:
        return None
    return Form(load, size, suffix.startswith("s"), vector or rt[0] == "x", vector, registers, register(base),
                first & MASK, step & MASK if behind else None)


def disassembled(words: Sequence[int], out: Path) -> List[str]:
    """binutils' text of each."""
    image = out / "words.bin"
    image.write_bytes(struct.pack(f"<{len(words)}I", *words))
    text = subprocess.run(["aarch64-linux-gnu-objdump", "-D", "-z", "-b", "binary", "-m", "aarch64", str(image)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    found = re.findall(r"^ *[0-9a-f]+:\t([0-9a-f]{8}) \t(.*)$", text, re.M)
    assert [int(word, 16) for word, _ in found] == list(words)
    return [line for _, line in found]


def assembled(lines: Sequence[str], out: Path) -> List[int]:
    """The words of each line."""
    source, obj, image = out / "lines.s", out / "lines.o", out / "lines.bin"
    source.write_text(".arch armv8.2-a+lse+sve\n" + "\n".join(lines) + "\n", encoding="ascii")
    subprocess.run(["aarch64-linux-gnu-as", str(source), "-o", str(obj)], check=True)
    subprocess.run(["aarch64-linux-gnu-objcopy", "-O", "binary", str(obj), str(image)], check=True)
    return list(struct.unpack(f"<{len(lines)}I", image.read_bytes()))
