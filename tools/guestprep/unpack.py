# SPDX-License-Identifier: Apache-2.0
"""Unpacks what a kernel may be packed with: by Python's modules, or by the packer's own program if it is there."""
from __future__ import annotations

import bz2
import lzma
import shutil
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from typing import Callable, List, Optional, Tuple

MAX_MEMBERS = 64                # of gzip, one behind the other; each copies what is behind it
MAX_DICTIONARY = 256 << 20      # bytes of memory that unpacking may take
SECONDS = 120
UNPACKED = Tuple[bytes, str]    # the bytes and "", or b"" and a complaint


@dataclass(frozen=True)
class Form:
    """A way to pack: its name, how such data begins, and what unpacks it to at most so many bytes."""
    name: str
    magic: bytes
    unpack: Callable[[bytes, int], UNPACKED]


def gunzip(data: bytes, limit: int) -> UNPACKED:
    """All members of gzip data."""
    out: List[bytes] = []
    room = limit
    while data.startswith(b"\x1f\x8b"):
        if len(out) == MAX_MEMBERS:
            return b"", f"gzip data of more than {MAX_MEMBERS} members"
        unpacker = zlib.decompressobj(wbits=31)
        try:
            part = unpacker.decompress(data, room + 1)
        except zlib.error as error:
            return b"", f"damaged gzip data ({error})"
        if len(part) > room:
            return b"", _too_much("gzip", data, limit)
        if not unpacker.eof:
            return b"", _cut_short("gzip", sum(map(len, out)) + len(part))
        out.append(part)
        room -= len(part)
        data = unpacker.unused_data
    return b"".join(out), ""


def _too_much(name: str, data: bytes, limit: int) -> str:
    return f"{len(data)} bytes of {name} unpack to more than the {limit} bytes there are for the kernel"


def _cut_short(name: str, count: int) -> str:
    return f"truncated {name} data: it ends after {count} unpacked bytes"


def _unlzma(name: str, form: int) -> Callable[[bytes, int], UNPACKED]:
    def unpack(data: bytes, limit: int) -> UNPACKED:
        try:
            unpacker = lzma.LZMADecompressor(format=form, memlimit=MAX_DICTIONARY)
            out = unpacker.decompress(data, limit + 1)
        except lzma.LZMAError as error:
            return b"", f"damaged {name} data ({error})"
        if len(out) > limit:
            return b"", _too_much(name, data, limit)
        return (out, "") if unpacker.eof else (b"", _cut_short(name, len(out)))
    return unpack


def _bunzip2(data: bytes, limit: int) -> UNPACKED:
    unpacker = bz2.BZ2Decompressor()
    try:
        out = unpacker.decompress(data, limit + 1)
    except (OSError, ValueError) as error:
        return b"", f"damaged bzip2 data ({error})"
    if len(out) > limit:
        return b"", _too_much("bzip2", data, limit)
    return (out, "") if unpacker.eof else (b"", _cut_short("bzip2", len(out)))


def _by_program(name: str) -> Callable[[bytes, int], UNPACKED]:
    """A program that reads from its standard input with -dc; also the name of Debian's package."""
    def unpack(data: bytes, limit: int) -> UNPACKED:
        program = shutil.which(name)
        if program is None:
            return b"", f"{name}-compressed, and there is no {name} here to unpack it: install Debian's package {name}"
        with tempfile.TemporaryFile() as packed:
            packed.write(data)
            packed.seek(0)
            with subprocess.Popen([program, "-dc"], stdin=packed, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
                assert run.stdout is not None
                out = run.stdout.read(limit + 1)
                if len(out) > limit:
                    run.kill()
                try:
                    _, said = run.communicate(timeout=SECONDS)
                except subprocess.TimeoutExpired:
                    run.kill()
                    return b"", f"{name} did not end within {SECONDS} s"
        if len(out) > limit:
            return b"", _too_much(name, data, limit)
        if run.returncode:
            lines = said.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
            return b"", f"damaged {name} data ({lines[-1]})"
        return out, ""
    return unpack


FORMS = (
    Form("gzip", b"\x1f\x8b", gunzip),
    Form("xz", b"\xfd7zXZ\x00", _unlzma("xz", lzma.FORMAT_XZ)),
    Form("lzma", b"\x5d\x00\x00", _unlzma("lzma", lzma.FORMAT_ALONE)),
    Form("bzip2", b"BZh", _bunzip2),
    Form("zstd", b"\x28\xb5\x2f\xfd", _by_program("zstd")),
    Form("lz4", b"\x04\x22\x4d\x18", _by_program("lz4")),
    Form("lz4", b"\x02\x21\x4c\x18", _by_program("lz4")),
)


def form_of(data: bytes) -> Optional[Form]:
    """How `data` is packed; None: not in a way known here."""
    return next((form for form in FORMS if data.startswith(form.magic)), None)
