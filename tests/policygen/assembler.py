# SPDX-License-Identifier: Apache-2.0
"""Names of each MRS, MSR, SYS and SYSL encoding according to the distribution's assemblers."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

Named = Dict[int, Tuple[str, str]]          # register key -> its name, and the directions that the assembler has: "r", "w"
SPELLED = re.compile(r"s[0-3]_[0-7]_c\d+_c\d+_[0-7]\Z")
GENERIC = ("sys", "sysl", "msr", "mrs", ".inst", "udf", "xaflag", "axflag", "cfinv", "hint")


def keys() -> Iterator[int]:
    """op0 of 1 to 3."""
    yield from range(1 << 14, 1 << 16)


def instruction(key: int, read: bool, register: int) -> int:
    return 0xd5000000 | read << 21 | (key >> 14 & 3) << 19 | (key >> 11 & 7) << 16 | (key >> 7 & 15) << 12 | \
        (key >> 3 & 15) << 8 | (key & 7) << 5 | register


def instructions() -> Iterator[int]:
    """For each key a write and a read on x1, and for operations, of which some take no register, without one as well."""
    for key in keys():
        for register in (1, 31) if key >> 14 == 1 else (1,):
            yield from (instruction(key, read, register) for read in (False, True))


def collect(texts: List[str]) -> Named:
    """`texts`: instructions(), disassembled."""
    out: Named = {}
    shown = iter(texts)
    for key in keys():
        for register in (1, 31) if key >> 14 == 1 else (1,):
            for direction in ("w", "r"):
                name = named(next(shown), key >> 14 == 1)
                if name and direction not in out.get(key, ("", ""))[1]:
                    out[key] = name, out.get(key, ("", ""))[1] + direction
    return out


def named(text: str, operation: bool) -> str:
    """The name as the tables write it: TLBI_VMALLE1, PMCR_EL0; empty: the assembler has none."""
    words = text.split("//")[0].replace(",", " ").split()
    if not words or operation and words[0] in GENERIC or not operation and words[0] not in ("mrs", "msr"):
        return ""
    rest = [word for word in words if word not in ("x1", "w1", "xzr")]
    if operation:
        return "_".join(rest).upper()
    return rest[1].upper() if len(rest) > 1 and not SPELLED.match(rest[1].lower()) else ""


def gnu(folder: Path) -> Named:
    source, binary = folder / "all.s", folder / "all.o"
    source.write_text("".join(f".inst {word:#x}\n" for word in instructions()), encoding="ascii")
    subprocess.run(["aarch64-linux-gnu-as", "-o", str(binary), str(source)], check=True)
    done = subprocess.run(["aarch64-linux-gnu-objdump", "-d", str(binary)], check=True, stdout=subprocess.PIPE, text=True)
    return collect([line.split("\t", 2)[2].replace("\t", " ") for line in done.stdout.splitlines()
                    if re.match(r" +[0-9a-f]+:\t", line)])


def newest_llvm() -> str:
    """llvm-mc-22, where somebody has it, else the distribution's own: names of later architectures are in later ones."""
    found = [name for folder in os.get_exec_path() if os.path.isdir(folder) for name in os.listdir(folder)
             if re.match(r"llvm-mc-\d+\Z", name) and shutil.which(name)]
    return max(found, key=lambda name: int(name.rsplit("-", 1)[1]), default="llvm-mc")


def llvm(tool: str) -> Named:
    text = "".join(" ".join(f"{word >> shift & 0xff:#x}" for shift in (0, 8, 16, 24)) + "\n" for word in instructions())
    done = subprocess.run([tool, "--disassemble", "-triple=aarch64", "-mattr=+all"], input=text, check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = [line.strip().replace("\t", " ") for line in done.stdout.splitlines() if line.strip() and
             not line.strip().startswith(".")]
    return collect(lines)
