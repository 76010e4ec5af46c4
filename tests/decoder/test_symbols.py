# SPDX-License-Identifier: Apache-2.0
"""Names of the guest's addresses: where they come from, which guest's they are, and where KASLR put it."""
from __future__ import annotations

import gzip
import json
import re
import struct
import zlib
from pathlib import Path
from random import Random
from typing import Dict, List, Optional, Tuple

import pytest

import linux_image
from encoder import Encoder
from hvl import kallsyms
from hvl.files import UsageError
from hvl.sequence import Session
from hvl.symbols import Named, Symbols, Table, image_hash, load, map_of_image, of_image
from test_cli import run

KIMAGE = 0xffff800008000000


def elf(symbols: List[Tuple[int, int, str]]) -> bytes:
    """Address, type and name, as a linker writes them."""
    names, table = b"\0", bytes(24)
    for value, kind, name in symbols:
        table += struct.pack("<IBBHQQ", len(names), 0x10 | kind, 0, 1, value, 0)
        names += name.encode() + b"\0"
    strings = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
    at = [64, 64 + len(table), 64 + len(table) + len(names)]
    sections = [bytes(64), struct.pack("<IIQQQQIIQQ", 1, 1, 6, 0x1000, 64, 0, 0, 0, 4, 0),
                struct.pack("<IIQQQQIIQQ", 7, 2, 0, 0, at[0], len(table), 3, 1, 8, 24),
                struct.pack("<IIQQQQIIQQ", 15, 3, 0, 0, at[1], len(names), 0, 0, 1, 0),
                struct.pack("<IIQQQQIIQQ", 23, 3, 0, 0, at[2], len(strings), 0, 0, 1, 0)]
    body = table + names + strings
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 183, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, 5, 4)
    return header + body + b"".join(sections)


FILES: Dict[str, bytes] = {
    "System.map": b"ffff800008000000 T _text\nffff800008010800 T vectors\nffff800008011000 t do_idle\n"
                  b"ffff800008011000 d data_there\nffff800008011400 T next\n",
    "nm": b"                 U outside\nffff800008010800 T vectors\nffff800008011000 t do_idle\nffff800008011400 W next\n",
    "nm -S": b"ffff800008011000 0000000000000400 t do_idle\nffff800008011400 0000000000000010 T next\n",
    "/proc/kallsyms": b"ffff800008011000 t do_idle\nffff800008011400 t next\t[module]\n",
    "ELF": elf([(0xffff800008011000, 2, "do_idle"), (0xffff800008011400, 0, "next"), (0xffff800008011000, 0, "$x"),
                (0xffff800008011200, 1, "an_object")]),
    "gzip": gzip.compress(b"ffff800008011000 t do_idle\nffff800008011400 T next\n"),
}


@pytest.mark.parametrize("name", FILES)
def test_each_kind_of_table(name: str, tmp_path: Path) -> None:
    path = tmp_path / "symbols"
    path.write_bytes(FILES[name])
    table = load(str(path))
    assert table.find(KIMAGE + 0x1101c) == "do_idle+0x1c" and table.find(KIMAGE + 0x11000) == "do_idle"
    assert table.find(KIMAGE + 0x11210) == "do_idle+0x210", "data is no function"
    assert table.find(KIMAGE + 0x11404) == "next+0x4"
    assert table.find(KIMAGE + 0x11400 + (2 << 20)) is None and table.find(0x1000) is None


@pytest.mark.parametrize("data", [b"", b"hello", b"\x7fELF", b"\x7fELF\2\1" + bytes(100), b"\x1f\x8b\x08", b"\0" * 5000,
                                  bytes(56) + b"ARM\x64" + bytes(5000), b"0 T \n" * 10, elf([])])
def test_what_is_no_table_is_told(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(UsageError):
        load(str(tmp_path / "x"))


def test_an_elf_is_read_as_binutils_read_it(tmp_path: Path) -> None:
    whole = FILES["ELF"]
    r = Random(1)
    for _ in range(400):        # no byte of it may lead outside
        data = bytearray(whole)
        for _ in range(r.randrange(1, 6)):
            data[r.randrange(len(data))] = r.randrange(256)
        (tmp_path / "x").write_bytes(data[:r.randrange(len(data) // 2, len(data) + 1)])
        try:
            load(str(tmp_path / "x"))
        except UsageError:
            pass


# --- kallsyms ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("new_order,seqs", [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("base", [0, KIMAGE + 0x10000])
@pytest.mark.parametrize("count", [900, 1100, 3000])
def test_the_table_inside_an_image(new_order: bool, seqs: bool, base: int, count: int) -> None:
    made = linux_image.symbols(count)
    found = kallsyms.symbols(linux_image.image(made, new_order, base, seqs))
    assert found == [(base + offset, kind, name) for offset, kind, name in made]


@pytest.mark.parametrize("before", [b"", b"\1", b"\0" * 9, b"\xff" * 17, b"abc\0" * 5])
def test_whatever_stands_before_it(before: bytes) -> None:
    made = linux_image.symbols()
    for new_order in (False, True):
        data = bytes(4096) + linux_image.kallsyms(made, new_order, before=before)
        assert kallsyms.symbols(data) == list(made)


def test_addresses_are_offsets_from_where_the_image_is_loaded() -> None:
    for text_offset in (0, 0x80000):
        rows = of_image(linux_image.image(linux_image.symbols(), text_offset=text_offset))
        where = {name: address for address, _, name in rows}
        assert where["_text"] == text_offset and where["vectors"] == text_offset + 0x10800


def test_a_damaged_image_gives_a_table_or_a_reason() -> None:
    whole = linux_image.image(linux_image.symbols(300))
    r = Random(4)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(r.randrange(1, 40)):
            data[r.randrange(4096, len(data))] = r.randrange(256)
        try:
            rows = kallsyms.symbols(bytes(data[:r.randrange(len(data))] if r.random() < 0.3 else data))
        except ValueError:
            continue
        assert all(a[0] <= b[0] for a, b in zip(rows, rows[1:]))


@pytest.mark.parametrize("data", [b"0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0" * 3000, bytes(1 << 20),
                                  struct.pack("<I", 0) + b"".join(struct.pack("<I", 300 * n) for n in range(200_000))])
def test_what_looks_like_tables_costs_little(data: bytes) -> None:
    with pytest.raises(ValueError):
        kallsyms.symbols(data)


# --- which guest, and where ----------------------------------------------------------------------------------

def linux_log(slide: int, digest: int, vbars: Optional[List[int]] = None) -> bytes:
    encoder = Encoder(mode="text")
    encoder.header()
    wire = encoder.bytes().replace(b"guest=diag#08c1d2ee", b"guest=linux#%08x" % digest)
    head = wire[wire.index(b"@"):wire.index(b" *") + 1]
    encoder.wire = bytearray(b"\x1e" + head + b"*%08x\r\n" % zlib.crc32(head))
    encoder.record("E", "guest+ entry=0x40010000 el=1")
    for pc in (slide + 0x1101c, slide + 0x12000, 0x4001101c):
        encoder.record("D", f"DENY r31 msr.r PMCR_EL0 pc={pc:#x} el=1 cost=70 esr=0x6230e419")
    encoder.record("D", "DENY r31 msr.r PMCR_EL0 pc=0x4001101c el=0 cost=70 esr=0x6230e419")
    for vbar in [slide + 0x10800] if vbars is None else vbars:
        encoder.record("S", f"dec=4 deny=4 r31=4/280 vbar={vbar:#x}")
    encoder.trailer()
    return encoder.bytes()


def places(wire: bytes, *more: str) -> List[str]:
    done = run("csv", "--fields", "sym", "-f", "kind==D", *more, stdin=wire)
    assert done.returncode == 0, done
    return [line.strip('"') for line in done.stdout.decode().splitlines()[1:]]


def test_kaslr_is_told_by_the_vectors(tmp_path: Path) -> None:
    """Of values that VBAR_EL1 had, that counts which moves the kernel by what kernels are moved by: while EL0 runs it is
    the trampoline's."""
    image = linux_image.image(linux_image.symbols())
    path = tmp_path / "Image"
    path.write_bytes(image)
    for slide in (KIMAGE, 0xffffb5af4be00000):
        for vbars in (None, [0xfffffbfffda11800, slide + 0x10800], [slide + 0x10800, 0xfffffbfffda11800]):
            seen = places(linux_log(slide, 1, vbars), "--map", str(path))
            assert seen[0] == "do_idle+0x1c" and seen[1].startswith("function_0_"), seen
            assert seen[2:] == ["do_idle+0x1c", ""], "before the MMU is on, and in EL0"
    assert places(linux_log(KIMAGE, 1, []), "--map", str(path))[:2] == ["", ""], "nobody knows where it lies"


def test_what_was_kept_is_found_by_the_guests_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = linux_image.image(linux_image.symbols())
    digest = image_hash(image)
    (tmp_path / f"{digest:08x}.map").write_bytes(map_of_image(image))
    session = Session("")
    for kept, guest, there in (((tmp_path,), digest, True), ((tmp_path,), digest ^ 1, False),
                               ((tmp_path / "no",), digest, False)):
        session.header = {"guest": f"linux#{guest:08x}"}
        session.vbars = [KIMAGE + 0x10800]
        named = Symbols(None, kept).of(session)
        assert (named is not None and named.name(KIMAGE + 0x1101c) == "do_idle+0x1c") == there
    session.header = {"guest": "linux#../../x"}
    assert Symbols(None, (tmp_path,)).of(session) is None


def test_a_table_of_another_kernel_names_nothing() -> None:
    """Its vectors are elsewhere: the distance is none that a kernel is moved by."""
    table = Table([(KIMAGE + 0x10800, "T", "vectors"), (KIMAGE + 0x11000, "t", "do_idle")])
    session = Session("")
    session.vbars = [KIMAGE + 0x12000]
    assert Symbols.of is not None
    from hvl.symbols import _slide
    assert _slide(table, session) is None and Named(table, None).name(KIMAGE + 0x1101c) is None


def test_names_are_everywhere(tmp_path: Path) -> None:
    image = linux_image.image(linux_image.symbols())
    (tmp_path / "Image").write_bytes(image)
    wire, given = linux_log(KIMAGE, 1), ("--map", str(tmp_path / "Image"))
    assert b" do_idle+0x1c" in run("show", *given, stdin=wire).stdout
    assert b"entry=0x40010000 (_stext)" in run("show", *given, stdin=wire).stdout
    text = run("summary", *given, "--by", "function", stdin=wire).stdout.decode()
    assert re.search(r"^do_idle +2 ", text, re.M) and "do_idle+0x1c (1)" in text
    assert b"pc=do_idle+0x1c" in run("check", *given, "--fail-on", "fn==do_idle", stdin=wire).stderr
    assert run("check", *given, "--fail-on", "fn==other", stdin=wire).returncode == 0
    page = run("html", *given, stdin=wire).stdout.decode()
    assert "pc=do_idle+0x1c" in page and "entry=0x40010000 (_stext)" in page
    assert '"pc": "do_idle+0x1c"' in run("trace", *given, stdin=wire).stdout.decode()
    line = json.loads(run("json", *given, "-f", "seq==2", stdin=wire).stdout)
    assert line["sym"] == "do_idle+0x1c" and line["pc"] == hex(KIMAGE + 0x1101c)
