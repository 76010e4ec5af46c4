# SPDX-License-Identifier: Apache-2.0
"""Which loads and stores EL2 makes in the guest's place: every encoding of their class, against binutils."""
from __future__ import annotations

import random
import struct
import subprocess
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from a64_access import MASK, disassembled, read
from hvl_host import FLAGS, ROOT, run, src

ANSWER = struct.Struct("<10Q")
DICE = random.Random(3)
X = tuple(DICE.getrandbits(64) >> DICE.choice((0, 0, 32, 33)) for _ in range(31))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("insn") / "insn_host"
    subprocess.run(["gcc", *FLAGS, "tests/host/insn_host.c", src("insn_access"), "-o", str(out)], cwd=ROOT, check=True)
    return out


def wire(words: List[int]) -> bytes:
    return struct.pack("<31Q", *X) + struct.pack(f"<{len(words)}I", *words)


def ours(program: Path, words: List[int]) -> List[Tuple[int, ...]]:
    return [*ANSWER.iter_unpack(run(program, wire(words))[0])]


def encodings() -> Iterator[int]:
    """Of the class (op0<28:25> = x1x0): all of [31:21] with all of [15:10], each with a few of what is left."""
    for above, middle in product(range(1 << 11), range(64)):
        if above >> 6 & 1 and not above >> 4 & 1:
            rest = [(DICE.randrange(32), DICE.randrange(32), DICE.randrange(32)) for _ in range(2)]
            rt2 = middle & 31
            rest += [(DICE.randrange(32), rt2, DICE.randrange(32)), (DICE.randrange(32), DICE.randrange(32), rt2)]
            same = DICE.randrange(32)
            rest += [(DICE.choice((0, 15, 16, 31)), same, same), (DICE.randrange(32), 31, DICE.choice((31, 5)))]
            for high, rn, rt in rest:
                yield above << 21 | high << 16 | middle << 10 | rn << 5 | rt


def test_it_is_what_binutils_says(program: Path, tmp_path: Path) -> None:
    words = [*encodings()]
    names: Counter[str] = Counter()
    for word, text, said in zip(words, disassembled(words, tmp_path), ours(program, words)):
        form = read(text, X)
        known, iss, rn, rt, rt2, pair, quad, vector, first, step = said
        assert known == (form is not None), f"{word:08x} {text}: {said}"
        if form is None:
            continue
        names[text.split()[0]] += 1
        assert (iss, rn, rt, pair, quad, vector, first, step) == \
            (form.iss, form.base, form.registers[0], len(form.registers) - 1, form.size == 16, form.vector, form.first,
             form.step or 0), f"{word:08x} {text}: {said}"
        assert not pair or rt2 == form.registers[1], text
    assert sorted(names) == sorted(["ldr", "str", "ldrb", "strb", "ldrh", "strh", "ldrsb", "ldrsh", "ldrsw", "ldur",
                                    "stur", "ldp", "stp", "ldpsw", "ldnp", "stnp"]) and min(names.values()) > 100, names


def test_of_other_classes_it_knows_none(program: Path) -> None:
    words = [DICE.getrandbits(32) for _ in range(50000)]
    words = [word for word in words if not word >> 27 & 1 or word >> 25 & 1]
    assert not any(said[0] for said in ours(program, words))
    assert MASK == X[0] | MASK
