# SPDX-License-Identifier: Apache-2.0
"""The one ELF reader: files of binutils read back, and a damaged one is one complaint, never a traceback."""
from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import seal  # noqa: E402
from policygen.meaning import canonical, image  # noqa: E402
from policygen.meaning.digest import meaning_hash  # noqa: E402
from policygen.meaning.load import load_policy  # noqa: E402
from policygen.text.elf import Elf  # noqa: E402

NAMES = ("__text_start", "__text_end", "__rodata_start", "__image_end", "integrity_image")
# Of Elf64_Ehdr and Elf64_Shdr: offset and size.
HEADER = {"e_phoff": (0x20, 8), "e_shoff": (0x28, 8), "e_phentsize": (0x36, 2), "e_phnum": (0x38, 2),
          "e_shentsize": (0x3a, 2), "e_shnum": (0x3c, 2), "e_shstrndx": (0x3e, 2)}
SECTION = {"sh_name": (0x00, 4), "sh_type": (0x04, 4), "sh_flags": (0x08, 8), "sh_offset": (0x18, 8),
           "sh_size": (0x20, 8), "sh_link": (0x28, 4), "sh_entsize": (0x38, 8)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small image: symbols and a segment as seal.py needs them, and a policy."""
    folder = tmp_path_factory.mktemp("elf")
    policy, _ = load_policy("strict")
    assert policy is not None
    (folder / "policy.json").write_text(canonical.dump(policy, meaning_hash(policy)), encoding="utf-8")
    (folder / "a.S").write_text(
        '.globl _start, __text_start, __text_end, __rodata_start, __image_end, integrity_image\n'
        '.text\n_start: __text_start: .ascii "the text"\n.balign 8\n__text_end:\n'
        '__rodata_start: .ascii "constants"\n.balign 8\n__image_end:\n'
        '.data\nintegrity_image: .long 0\n', encoding="utf-8")
    subprocess.run(["gcc", "-nostdlib", "-static", "-Wl,--build-id=none", "-o", "a.elf", "a.S"], cwd=folder, check=True)
    subprocess.run(["objcopy", f"--add-section={image.SECTION}=policy.json", "a.elf"], cwd=folder, check=True)
    return folder / "a.elf"


def by_nm(path: Path) -> Dict[str, int]:
    lines = subprocess.run(["nm", str(path)], capture_output=True, text=True, check=True).stdout.splitlines()
    return {name: int(value, 16) for value, _, name in (line.split() for line in lines)}


def test_it_reads_what_binutils_read(built: Path, tmp_path: Path) -> None:
    file = Elf(built.read_bytes())
    assert file.symbols(NAMES) == {name: by_nm(built)[name] for name in NAMES}
    assert file.section(image.SECTION) == (built.parent / "policy.json").read_bytes()
    out = tmp_path / "text"
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", str(built), str(out)], check=True)
    text = next(part for part in file.segments() if part.address <= by_nm(built)["_start"] < part.address + part.size)
    at = text.offset + by_nm(built)["_start"] - text.address
    assert built.read_bytes()[at:at + len(out.read_bytes())] == out.read_bytes()


def test_seal_changes_one_word(built: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.elf"
    path.write_bytes(built.read_bytes())
    assert seal.main([str(path)]) == 0
    changed = [at for at, (old, new) in enumerate(zip(built.read_bytes(), path.read_bytes())) if old != new]
    assert changed and changed[-1] - changed[0] < 4 and path.stat().st_size == built.stat().st_size


def put(data: bytes, at: int, size: int, value: int) -> bytes:
    out = bytearray(data)
    out[at:at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
    return bytes(out)


def one_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both users of the ELF reader read the file or refuse it in one line."""
    policy, diags = load_policy(str(path))
    assert policy is not None or (diags.unreadable and [item.code for item in diags.items] == ["PG012"]
                                  and len(diags.items[0].notes) == 1 and "\n" not in diags.items[0].notes[0])
    status, said = seal.main([str(path)]), capsys.readouterr().err
    assert status == 0 and not said or status == 1 and said.count("\n") == 1 and said.startswith("seal: "), said


@pytest.mark.parametrize("field", HEADER)
def test_damaged_headers_are_told(built: Path, tmp_path: Path, field: str,
                                  capsys: pytest.CaptureFixture[str]) -> None:
    at, size = HEADER[field]
    for value in (0, 1, 3, 0x40, -1, 1 << 8 * size - 1, 1 << 8 * size - 2):
        path = tmp_path / "a.elf"
        path.write_bytes(put(built.read_bytes(), at, size, value))
        one_line(path, capsys)


@pytest.mark.parametrize("field", SECTION)
def test_damaged_sections_are_told(built: Path, tmp_path: Path, field: str,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    data = built.read_bytes()
    start, = struct.unpack_from("<Q", data, 0x28)
    count, = struct.unpack_from("<H", data, 0x3c)
    at, size = SECTION[field]
    for number in range(count):
        for value in (0, -1, 1 << 8 * size - 2):
            path = tmp_path / "a.elf"
            path.write_bytes(put(data, start + 64 * number + at, size, value))
            policy, diags = load_policy(str(path))
            assert policy is not None or diags.unreadable and "\n" not in diags.items[0].notes[0]
    one_line(path, capsys)


@pytest.mark.parametrize("change, said", [
    (lambda data: data[:-1000], "cut short or damaged"), (lambda data: data[:4], "not a 64-bit"),
    (lambda data: data[:40], "ELF headers are damaged"), (lambda data: put(data, 4, 1, 1), "not a 64-bit"),
    (lambda data: put(data, 5, 1, 2), "not a 64-bit little-endian"), (lambda data: put(data, 0x28, 8, -1), "cut short"),
    (lambda data: data.replace(b".charter.policy", b".charter.polics"), "no section .charter.policy: not built by"),
])
def test_the_complaint_names_the_cause(built: Path, tmp_path: Path, change: object, said: str) -> None:
    path = tmp_path / "a.elf"
    path.write_bytes(change(built.read_bytes()))        # type: ignore[operator]
    policy, diags = load_policy(str(path))
    assert policy is None and said in diags.render() and len(diags.items) == 1, diags.render()


def test_random_damage_is_told(built: Path, tmp_path: Path) -> None:
    chance, data = random.Random(12), built.read_bytes()
    start, = struct.unpack_from("<Q", data, 0x28)
    for number in range(300):
        out = bytearray(data)
        for _ in range(chance.randint(1, 8)):
            out[chance.choice((chance.randrange(4, 64), chance.randrange(start, len(out))))] = chance.randrange(256)
        path = tmp_path / f"{number % 2}.elf"
        path.write_bytes(out)
        policy, diags = load_policy(str(path))
        assert policy is not None or diags.unreadable and "\n" not in diags.items[0].notes[0]
