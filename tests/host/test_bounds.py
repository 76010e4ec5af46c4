# SPDX-License-Identifier: Apache-2.0
"""Bounds, enumerated: every combination of values at and around each border, against arithmetic without a width."""
from __future__ import annotations

import itertools
import re
import struct
import subprocess
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from hvl_host import FLAGS, ROOT, run, src

RAM, PA, SIZE = 0x40000000, 0x42000000, 0x30000000          # hv/README.md, "Memory"
INITRD, DTB, DTB_MAX = 0x44000000, 0x6fe00000, 0x200000
IMAGE_MAGIC, DTB_MAGIC = 0x644d5241, 0xd00dfeed
QUESTION, ANSWER = struct.Struct("<14Q"), struct.Struct("<10Q")
Case = Tuple[int, ...]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bounds") / "bounds_host"
    subprocess.run(["gcc", *FLAGS, "tests/host/bounds_host.c",
                    *map(src, ("guestload", "guestmem", "crc32", "bootargs")), "-o", str(out)], cwd=ROOT, check=True)
    return out


def ask(program: Path, cases: List[Case]) -> List[Case]:
    wire, _ = run(program, b"".join(QUESTION.pack(*case, *[0] * (14 - len(case))) for case in cases))
    answers = list(ANSWER.iter_unpack(wire))
    assert len(answers) == len(cases)
    return [answer[:3] if not any(answer[3:]) else answer for answer in answers]


def around(*borders: int) -> List[int]:
    return sorted({border + d for border in borders for d in (-1, 0, 1) if 0 <= border + d < 1 << 64})


def ram_cases() -> List[Case]:
    values = around(0, 8, 4096, SIZE, RAM, PA, RAM + SIZE // 2, RAM + SIZE, PA + SIZE, 1 << 31, 1 << 32, 1 << 63,
                    1 << 64, (1 << 64) - RAM, (1 << 64) - SIZE, (1 << 64) - RAM - SIZE, (1 << 64) - 4096)
    return [(0, ipa, size) for ipa, size in itertools.product(values, values)]


def test_guest_ram_is_the_guests_and_nothing_else(program: Path) -> None:
    cases, accepted = ram_cases(), 0
    for (_, ipa, size), answer in zip(cases, ask(program, cases)):
        inside = RAM <= ipa and ipa + size <= RAM + SIZE
        assert answer == ((1, ipa - RAM + PA, 0) if inside else (0, 0, 0)), f"{ipa:#x} + {size:#x}: {answer}"
        accepted += inside
    assert 50 < accepted < len(cases) / 2


def test_what_is_read_by_va_ends_where_the_guests_memory_does(program: Path) -> None:
    """Two pages that are the same RAM, then a device's: bounds_host.c. The guest's PAR_EL1 must stay."""
    cases = [(3, va, size) for va in around(0x1000, 0x1ff8, 0x2000, 0x2ff8, 0x3000, 0x4000) for size in (
        0, 1, 4, 8, 4096, 8192, 12288)]
    for (_, va, size), answer in zip(cases, ask(program, cases)):
        there = [(at % 4096 * 7 >> 3) & 255 for at in range(va, min(va + size, 0x3000)) if va >= 0x1000]
        assert answer == (len(there), sum(n * byte for n, byte in enumerate(there, 1)), 0x777), (hex(va), size)


# --- a console write: the same memory, at most 4096 bytes of it ------------------------------------------------------

INVALID_PARAMETERS = (1 << 64) - 2


def write_cases() -> List[Case]:
    """The third value is SCTLR_EL1: with MMU or caches off the lines are cleaned first."""
    values = sorted({*(value for case in ram_cases() for value in case[1:]), *around(
        1, 63, 64, 65, 4095, 4097, 8192, RAM + 64, RAM + 4096, RAM + SIZE - 64, RAM + SIZE - 4096, RAM + SIZE - 4160,
        SIZE - 64, SIZE - 4096, (1 << 64) - RAM - 4096)})
    return list(itertools.product(values, values, [0, 1, 4, 5]))


def write_answer(case: Case) -> Case:
    ipa, size, _ = case
    inside = RAM <= ipa and ipa + size <= RAM + SIZE
    return (min(size, 4096),) * 2 if inside else (INVALID_PARAMETERS, 0)


def test_a_console_write_reads_what_it_names(tmp_path: Path) -> None:
    program = tmp_path / "write_host"
    subprocess.run(["gcc", *FLAGS, "tests/host/write_host.c", *map(src, ("hvcall", "guestmem", "locks")), "-o", str(program)],
                   cwd=ROOT, check=True)
    cases = write_cases()
    wire, _ = run(program, b"".join(struct.pack("<3Q", *case) for case in cases))
    answers, written = list(struct.iter_unpack("<2Q", wire)), 0
    assert len(answers) == len(cases)
    for case, answer in zip(cases, answers):
        assert answer == write_answer(case), f"{case[0]:#x} + {case[1]:#x}"
        written += answer[1] != 0 or answer == (0, 0)
    assert 1000 < written < len(cases) / 2


# --- the syndrome ----------------------------------------------------------------------------------------------------

def test_a_syndrome_is_its_fields(tmp_path: Path) -> None:
    """Every ISS of a data abort and of a register access; every class and length with each bit of the ISS."""
    program = tmp_path / "esr_host"
    subprocess.run(["gcc", *FLAGS, "tests/host/esr_host.c", "-o", str(program)], cwd=ROOT, check=True)
    wire, _ = run(program, b"")
    assert int(wire) == 2 * (1 << 25) + 64 * 2 * 27 * 2


def loads() -> Iterator[Case]:
    """text_offset, image_size, flags, magic, image, initrd, dtb, dtb_magic, totalsize."""
    offsets = [0, 0x80000, 0x80001, INITRD - RAM - 1, *around(DTB - RAM, SIZE), 1 << 63, (1 << 64) - 1,
               (1 << 64) - SIZE]
    sizes = [0, 1, 0x80000, *around(INITRD - RAM, INITRD - RAM - 0x80000, DTB - RAM, SIZE, DTB - RAM - 0x80000),
             1 << 63, (1 << 64) - 1, (1 << 64) - 0x80000]
    initrds = [0, *around(DTB - INITRD, RAM + SIZE - INITRD), 0xffffffff]
    totals = [0, *around(40, DTB_MAX, 0x1000), 0xffffffff]
    for offset, size, initrd, image in itertools.product(offsets, sizes, initrds, [0, 1, INITRD - RAM + 1, 0xffffffff]):
        yield 1, offset, size, 0, IMAGE_MAGIC, image, initrd, 0, DTB_MAGIC, 0x1000
    for total, dtb, size in itertools.product(totals, [0, *around(40, 0x1000, DTB_MAX), 0xffffffff], [0, DTB - RAM]):
        yield 1, 0, size, 0, IMAGE_MAGIC, 0, 0, dtb, DTB_MAGIC, total
    for flags, magic, mark in itertools.product([0, 1, 2, 0xa, 0xb, 1 << 63], [IMAGE_MAGIC, IMAGE_MAGIC ^ 1, 0],
                                                [DTB_MAGIC, 0xedfe0dd0, DTB_MAGIC ^ 1 << 31, 0]):
        yield 1, 0x80000, 0x1000000, flags, magic, 0x100, 0x100, 0x1000, mark, 0x1000


def acceptable(case: Case) -> bool:
    _, offset, size, flags, magic, image, initrd, dtb, mark, total = case
    parts = [(RAM, RAM + max(size, image) + offset), (INITRD, INITRD + initrd), (DTB, DTB + total)]
    taken = [part for part in parts if part[0] < part[1]]
    return magic == IMAGE_MAGIC and not flags & 1 and mark == DTB_MAGIC \
        and 40 <= total <= min(DTB_MAX, dtb or DTB_MAX) \
        and all(RAM <= low and high <= RAM + SIZE for low, high in taken) \
        and all(one[1] <= other[0] for one, other in itertools.combinations(taken, 2))


def test_the_loader_takes_what_fits_and_nothing_else(program: Path) -> None:
    cases, accepted = list(loads()), 0
    for case, (taken, entry, context) in zip(cases, ask(program, cases)):
        assert bool(taken) == acceptable(case), [hex(v) for v in case]
        accepted += bool(taken)
        if taken == 1:                              # 2: it went on to clear the rest of RAM
            assert not case[5] and (entry, context) == (RAM + case[1], DTB), [hex(v) for v in case]
    assert 100 < accepted < len(cases) / 2


def parts() -> Iterator[Case]:
    """Three parts (base, size) and where the kernel is entered."""
    end = RAM + SIZE
    bases, sizes = [0, RAM - 1, RAM, end - 8, end, 1 << 63, (1 << 64) - 8], [0, 1, 8, 0x1000, SIZE, 1 << 63, (1 << 64) - 1]
    middle = [(RAM + 0x1000, size) for size in (0, 1, 0xff8, 0x1000, 0x1001)]
    for base, size, (at, long), last in itertools.product(bases, sizes, middle, [RAM + 0x2000, RAM + 0x2004, RAM + 0x1ffc]):
        yield 4, base, size, at, long, last, 0x800, RAM + 0x1000
    for entry in (0, RAM, *around(RAM + 0x1000, RAM + 0x2000, RAM + 0x3000), RAM + 0x1004, RAM + 0x2ffc, RAM + 0x1800, 1 << 63):
        yield 4, RAM + 0x1000, 0x800, RAM + 0x2000, 0, RAM + 0x2008, 0xff8, entry


def acceptable_parts(case: Case) -> bool:
    """No two in one unit of eight bytes, which is what is cleared at a time; an instruction lies in one of them."""
    given = [(case[at], case[at] + case[at + 1]) for at in (1, 3, 5)]
    taken = [(low // 8 * 8, (high + 7) // 8 * 8) for low, high in given if low < high]
    return all(RAM <= low and high <= RAM + SIZE for low, high in given) \
        and all(one[1] <= other[0] for one, other in itertools.combinations(taken, 2)) \
        and case[7] % 4 == 0 and any(low <= case[7] < high for low, high in given)


def test_the_loader_takes_parts_that_are_apart_and_in_ram(program: Path) -> None:
    cases = list(parts())
    for case, answer in zip(cases, ask(program, cases)):
        assert answer[0] == (2 if acceptable_parts(case) else 0), [hex(v) for v in case]     # 2: it went on to clear the rest
    assert 10 < sum(map(acceptable_parts, cases)) < len(cases) / 2


def test_an_initrd_is_where_it_is_said_to_be(program: Path) -> None:
    places = [INITRD, INITRD + 0x200000, *around(RAM + 0x80000, DTB - 0x1000, DTB, RAM + SIZE), RAM, 8, (1 << 64) - 8]
    cases: List[Case] = [(1, 0, 0x80000, 0, IMAGE_MAGIC, 0x1000, 0x1000, 0, DTB_MAGIC, 0x1000, at) for at in places]
    for case, answer in zip(cases, ask(program, cases)):
        assert answer[0] == (2 if RAM + 0x80000 <= case[10] <= DTB - 0x1000 else 0), hex(case[10])


# --- boot arguments: every word, whole, cut short, and with more behind it ------------------------------------------

WORDS = ["unattended=1", "esc=none", "guest=linux", "log=text", "log=notable", "log=full", "log=quiet", "image=0",
         "image=4294967295", "initrd=10", "dtb=4096", "entry=1073741824", "x0=18446744073709551615", "initrd_at=8",
         "part=1+2"]
BAD = ["unattended=0", "esc=", "guest=linux2", "log=", "log=loud", "image=", "image=x", "image=18446744073709551616",
       "image=99999999999999999999", "part=1", "part=1+", "part=1-2", "part=+2", "part=1+2+3", "part=1+2" + " part=3+4" * 8,
       "dtb=-1", "initrd=0x10", 'hv.init="', "hv.init=a", "x", "="]


def texts() -> List[bytes]:
    words = [*WORDS, *BAD, 'hv.init="bp 1; cont"', 'hv.init=""']
    whole = ["", "charter", "charter2", "charter1", "charter1x", *(f"charter1 {w}" for w in words),
             *(f"charter1{gap}{one}{gap}{other}" for one, other in itertools.product(WORDS[:8], words)
               for gap in (" ", "\n", "  ")),
             *(f"charter1 {w}{tail}" for w in words for tail in ("x", "\0x", " ", "\n", '"', "=", "1"))]
    return [t.encode() for t in whole] + [t[:n].encode() for t in whole[::9] for n in range(len(t))]


MOST_PARTS = 8


def parsed(text: bytes) -> Case:
    """bootargs.h, told a second time."""
    flags, log, bad, init = 0, 0, 0xff, 0
    numbers = dict.fromkeys(("image", "initrd", "dtb", "initrd_at", "entry", "x0"), 0)
    loaded: List[Tuple[int, int]] = []
    if text.startswith(b"charter1"):
        known = text.partition(b"\0")[0]
        for m in re.finditer(rb'(?:hv\.init="[^"]*"|[^ \n])[^ \n]*', known[8:]):
            word, at = m.group(), 8 + m.start()
            name, _, value = word.partition(b"=")
            number = int(value) if re.fullmatch(rb"[0-9]+", value) else 1 << 64
            span = re.fullmatch(rb"part=([0-9]+)\+([0-9]+)", word)
            if word in (b"unattended=1", b"esc=none", b"guest=linux"):
                flags |= {b"unattended": 2, b"esc": 4, b"guest": 8}[name]
            elif name == b"log" and value in (b"text", b"notable", b"full", b"quiet"):
                log = 1 + [b"text", b"notable", b"full", b"quiet"].index(value)
            elif name.decode() in numbers and number < 1 << 64:
                numbers[name.decode()] = number
            elif span and len(loaded) < MOST_PARTS:
                loaded.append((int(span.group(1)), int(span.group(2))))
            elif re.fullmatch(rb'hv\.init="[^"]*"', word):
                init = at + 9 << 16 | len(word) - 10 << 24
            else:
                bad = at
                break
    answer = ((bad == 0xff) | flags | log << 4 | bad << 8 | init, *numbers.values(), len(loaded), *(loaded or [(0, 0)])[-1])
    return answer if any(answer[3:]) else answer[:3]


def parse_cases() -> List[Case]:
    return [(2 | len(text) << 8, *struct.unpack("<13Q", text.ljust(104, b"\0"))) for text in texts() if len(text) <= 104]


def test_boot_arguments_mean_what_they_say_or_are_refused(program: Path) -> None:
    cases, refused = parse_cases(), 0
    for case, answer in zip(cases, ask(program, cases)):
        text = struct.pack("<13Q", *case[1:])[:case[0] >> 8]
        expected = parsed(text)
        if not expected[0] & 1:                     # values before the refused word do not count
            assert (answer[0] & 0xff01) == (expected[0] & 0xff01), text
            refused += 1
        else:
            assert answer == expected, (text, [hex(v) for v in answer], [hex(v) for v in expected])
    assert 200 < refused < len(cases) - 200
