# SPDX-License-Identifier: Apache-2.0
"""Kernel files: those that are taken, and those that are refused, with their words."""
from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import struct
import subprocess
from typing import Callable, Dict, List, Optional, Tuple

import pytest
from prep_inputs import make_image
from guestprep import image, unpack
from guestprep.report import Report


def load(data: bytes, cpu: str = "cortex-a57") -> Tuple[Optional[image.Image], List[str]]:
    report = Report()
    return image.load_image("k", data, cpu, report), report.errors


def zboot(payload: bytes, packing: bytes = b"gzip", offset: int = 64) -> bytes:
    header = struct.pack("<2s2x4sII8x32s4sI", b"MZ", b"zimg", offset, len(payload), packing, b"\xcd\x23\x82\x81", 0)
    return header + payload


@pytest.mark.parametrize("offset", [0, 0x8_0000, 0x20_0000, 0x48_0000, 0x108_0000])
def test_raw(offset: int) -> None:
    """The boot protocol sets text_offset no bound: NuttX has 0x480000."""
    kernel, errors = load(make_image(text_offset=offset))
    assert not errors and kernel
    assert (kernel.span.base, kernel.span.end) == (0x4000_0000 + offset, 0x4020_0000 + offset)


def by_program(*words: str) -> Callable[[bytes], bytes]:
    return lambda data: subprocess.run(words, input=data, stdout=subprocess.PIPE, check=True).stdout


PACKERS: Dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0), "xz": lzma.compress, "bzip2": bz2.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE), "zstd": by_program("zstd", "-c"),
    "lz4": by_program("lz4", "-c"), "lz4 as the kernel packs": by_program("lz4", "-lc")}


@pytest.mark.parametrize("packer", PACKERS)
def test_packed(packer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone, and in an EFI zboot image: there all but gzip have a size behind it."""
    packed = PACKERS[packer](make_image())
    for data in (packed, zboot(packed if packer == "gzip" else packed + struct.pack("<I", 4096), packer[:4].encode())):
        kernel, errors = load(data)
        assert not errors and kernel and kernel.data == make_image()
    for damaged in (packed[:-len(packed) // 3], packed[:20] + b"\xff" * 20 + packed[40:]):
        kernel, errors = load(damaged)
        assert kernel is None and len(errors) == 1 and f"d {packer[:4]}" in errors[0], errors
    monkeypatch.setattr(image, "MAX_UNPACKED", 4095)
    assert "unpack to more than the 4095 bytes" in load(packed)[1][0]


@pytest.mark.parametrize("packer", ["zstd", "lz4"])
def test_the_package_that_is_missing_is_named(packer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = PACKERS[packer](make_image())
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert f"install Debian's package {packer}" in load(packed)[1][0]


@pytest.mark.parametrize("data, words", [
    (b"", "not an arm64 Image"),
    (make_image()[:60], "less than the Image header"),
    (b"\0" * 4096, "at offset 56 is 00000000, not 41524d64"),
    (b"\x7fELF".ljust(4096, b"\0"), "vmlinux"),
    (b"\xfd7zXZ\x00".ljust(100, b"\0"), "damaged xz"),
    (b"\0" * 36 + b"\x18\x28\x6f\x01" + b"\0" * 60, "32-bit"),
    (b"\x27\x05\x19\x56" + make_image(), "U-Boot"),
    (b"070701" + b"0" * 200, "give it as initrd"),
    (make_image(image_size=0), "image_size is 0"),
    (make_image(image_size=0x800), "less than the file's 0x1000"),
    (make_image(flags=0xb), "big-endian"),
    (make_image(flags=0xc), "16 KiB pages"),
    (make_image(text_offset=0x10), "text_offset 0x10"),
    (gzip.compress(make_image(), mtime=0)[:-12], "truncated gzip"),
    (gzip.compress(make_image(), mtime=0)[:-8] + b"\0" * 8, "damaged gzip"),
    (b"\x1f\x8b" + b"\xff" * 100, "damaged gzip"),
    (gzip.compress(b"no kernel", mtime=0), "k (unpacked): not an arm64 Image"),
    (zboot(b"\x28\xb5\x2f\xfd", b"zstd22"), "damaged zstd"),
    (zboot(b"plain", b"lzo"), "'lzo' payload"),
    (zboot(b"", offset=0x8000_0000), "outside the file"),
    (b"MZ\0\0zimg", "less than its header"),
])
def test_refused(data: bytes, words: str) -> None:
    kernel, errors = load(data)
    assert kernel is None and len(errors) == 1
    assert words in errors[0]


def test_16k_pages_where_they_exist() -> None:
    assert load(make_image(flags=0xc), "max")[1] == []


def test_gzip_bomb_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "MAX_UNPACKED", 1 << 20)
    kernel, errors = load(gzip.compress(bytes(16 << 20)))
    assert kernel is None and "unpack to more than the 1048576 bytes" in errors[0]
    two = gzip.compress(bytes(600 << 10)) * 2
    assert "unpack to more" in load(two)[1][0]
    assert unpack.gunzip(gzip.compress(bytes(1 << 20)), 1 << 20)[1] == ""


def test_half_a_download_is_found_by_the_pe_header() -> None:
    whole = bytearray(make_image(length=0x3000, start=b"MZ\0\0"))
    struct.pack_into("<I", whole, 60, 0x80)
    struct.pack_into("<4sHH12xHH", whole, 0x80, b"PE\0\0", 0xaa64, 1, 0, 0)
    struct.pack_into("<8sIIII", whole, 0x98, b".text", 0x3000, 0, 0x2f00, 0x100)
    assert load(bytes(whole))[1] == []
    assert "section table needs 0x3000" in load(bytes(whole[:0x2000]))[1][0]


@pytest.mark.parametrize("data, error, notice", [
    (b"", "empty", ""), (make_image(), "not an initrd", ""), (b"\x27\x05\x19\x56", "U-Boot", ""),
    (b"what is this", "", "unknown form"), (gzip.compress(b"x", mtime=0), "", ""), (b"070701", "", ""),
])
def test_initrd(data: bytes, error: str, notice: str) -> None:
    report = Report()
    image.check_initrd("i", data, report)
    assert error in "".join(report.errors) and bool(error) == bool(report.errors)
    assert notice in "".join(report.notices) and bool(notice) == bool(report.notices)
