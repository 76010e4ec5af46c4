# SPDX-License-Identifier: Apache-2.0
"""Addresses of the guest as names: do_idle+0x1c.

A table comes from an ELF file, a System.map, the output of nm, or the kallsyms inside a Linux Image; or it was kept when the
guest was made or prepared, under the hash that @H has of it. Where KASLR put the kernel, VBAR_EL1 tells (`vbar=` of @S): the
vectors are a symbol.
"""
from __future__ import annotations

import hashlib
import re
import struct
import zlib
from bisect import bisect_right
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Tuple

from . import kallsyms
from .elf import MAGIC, Elf
from .escape import terminal
from .files import UsageError, read_all
from .sequence import Session

TOOL = Path(__file__).resolve().parents[1]
KEPT = (TOOL / "symbols", TOOL.parent / "build" / "symbols")     # HASH.map, of a release and of the Makefile
RAM = 0x40000000            # where a Linux runs before it has its MMU on
_RAM_SIZE = 0x30000000
_LARGEST = 256 << 20
_ROWS = 1 << 21
_LINE = re.compile(rb"^([0-9a-fA-F]{1,16})(?: [0-9a-fA-F]{1,16})? ([tTwW]) (\S{1,512})", re.M)
_FAR = 1 << 20              # behind a symbol: somebody else's code
_GRAIN = 1 << 16            # a kernel is moved by multiples of it
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.$]*\Z")

Row = Tuple[int, str, str]  # address, type as of nm, name


class Table:
    """Functions by address."""

    def __init__(self, rows: Iterable[Row]) -> None:
        best: Dict[int, Tuple[int, str]] = {}
        self.anchor: Optional[int] = None       # the vectors
        self.ram: Optional[int] = None          # where the RAM begins, before the MMU is on
        for address, kind, name in rows:
            if name == "vectors":
                self.anchor = address
            elif name == "_ram" or name == "_text" and self.ram is None:
                self.ram = address
            if kind not in "tTwW" or not name or name.startswith(("$", ".L")) or name == "_ram":
                continue
            rank = "TtWw".index(kind) * 2 + name.startswith("_"), name
            if address not in best or rank < best[address]:
                best[address] = rank
        self._at = sorted(best)
        self._names = [best[at][1] for at in self._at]

    def __len__(self) -> int:
        return len(self._at)

    def find(self, address: int, back: int = 0) -> Optional[str]:
        """`back`: of a call before a return address, behind which another function may begin."""
        at = bisect_right(self._at, address - back) - 1
        if at < 0 or address - self._at[at] > _FAR:
            return None
        off = address - self._at[at]
        return f"{self._names[at]}+{off:#x}" if off else self._names[at]

    def rows(self) -> List[Tuple[int, str]]:
        return list(zip(self._at, self._names))

    def holds(self, address: int) -> bool:
        return bool(self._at) and self._at[0] <= address <= self._at[-1] + _FAR


def load(name: str) -> Table:
    """The table of a file of any kind. UsageError: it has none."""
    data = read_all(name, _LARGEST, "a file with symbols")
    try:
        table = Table(rows_of(data))
    except ValueError as error:
        raise UsageError(f"{terminal(name)}: {error}") from None
    if not len(table):
        raise UsageError(f"{terminal(name)}: no symbol in it (an ELF file, a System.map, the output of nm or an arm64 Image "
                         "is expected)")
    return table


def rows_of(data: bytes) -> List[Row]:
    """ValueError says why there are none."""
    if data.startswith(b"\x1f\x8b"):
        unpack = zlib.decompressobj(31)
        try:
            data = unpack.decompress(data, _LARGEST)
        except zlib.error as error:
            raise ValueError(f"damaged gzip data ({error})") from None
        if unpack.unconsumed_tail:
            raise ValueError(f"unpacks to more than {_LARGEST} bytes")
    if data.startswith(MAGIC):
        return [(value, "T", name.decode("utf-8", "replace")) for value, _, kind, name in Elf(data).symbols() if kind in (0, 2)]
    if kallsyms.is_image(data):
        return of_image(data)
    found = [(int(at, 16), kind.decode(), name.decode("utf-8", "replace")) for at, kind, name in _LINE.findall(data)]
    if len(found) > _ROWS:
        raise ValueError(f"more than {_ROWS} symbols")
    return found


def of_image(image: bytes) -> List[Row]:
    """The kallsyms of an Image, as offsets from the start of the RAM that it is loaded to. Its second word is a branch to
    primary_entry."""
    rows = kallsyms.symbols(image)
    branch, offset = struct.unpack_from("<IQ", image, 4)
    entry = next((address for address, _, name in rows if name in ("primary_entry", "stext")), None)
    if branch >> 26 != 5 or entry is None or offset >= _RAM_SIZE:
        return rows
    begin = entry - 4 - 4 * (branch & 0x3ffffff) - offset
    return [(0, "T", "_ram"), (offset, "T", "_text"), *(
        (address - begin, kind, name) for address, kind, name in rows if name != "_text")]


def map_of_image(image: bytes) -> bytes:
    """The map of an Image that is kept under its hash. ValueError: it has no symbols."""
    rows = sorted(row for row in of_image(image) if row[1] in "tTwW" and _PLAIN.match(row[2]))
    head = f"# functions of the Image with sha256 {hashlib.sha256(image).hexdigest()}\n"
    return (head + "".join(f"{address:016x} {kind} {name}\n" for address, kind, name in rows if address >= 0)).encode()


def image_hash(image: bytes) -> int:
    """As guest_load_linux() of hv/boot/guestload.c has it."""
    return zlib.crc32(image[:4096].ljust(4096, b"\0"))


class Named:
    """A table where one guest has it."""

    def __init__(self, table: Table, slide: Optional[int]) -> None:
        self._table = table
        self.slide = slide

    def name(self, address: int, el: Optional[int] = 1, back: int = 0) -> Optional[str]:
        """The name of an instruction that EL1 ran; before its MMU is on, a Linux runs where RAM begins."""
        if el == 0:
            return None
        if self.slide is not None and self._table.holds(address - self.slide):
            return self._table.find(address - self.slide, back)
        if self._table.ram is not None and RAM <= address < RAM + _RAM_SIZE:
            return self._table.find(self._table.ram + address - RAM, back)
        return None


class Symbols:
    """For each session the names of its guest: of the file given, or of those kept."""

    def __init__(self, given: Optional[str] = None, kept: Tuple[Path, ...] = KEPT) -> None:
        self._given = None if given is None else load(given)
        self._kept = kept
        self._tables: Dict[str, Optional[Table]] = {}
        self._named: Dict[Tuple[int, int], Optional[Named]] = {}

    def of(self, session: Session) -> Optional[Named]:
        key = id(session), len(session.vbars)
        if key not in self._named:
            if len(self._named) > 64:
                self._named.clear()
            table = self._table(session)
            self._named[key] = None if table is None else Named(table, _slide(table, session))
        return self._named[key]

    def wait(self, session: Session) -> bool:
        """Must a name wait for VBAR_EL1?"""
        table = self._table(session)
        return table is not None and table.anchor is not None and not RAM <= table.anchor < RAM + _RAM_SIZE and \
            not _slides(table.anchor, session)

    def _table(self, session: Session) -> Optional[Table]:
        if self._given is not None:
            return self._given
        digest = session.header.get("guest", "").rpartition("#")[2].lower()
        if digest not in self._tables:
            if len(self._tables) > 16:
                return None
            self._tables[digest] = self._find(digest)
        return self._tables[digest]

    def _find(self, digest: str) -> Optional[Table]:
        if len(digest) != 8 or not set(digest) <= set("0123456789abcdef"):
            return None
        for folder in self._kept:
            try:
                return load(str(folder / f"{digest}.map"))
            except UsageError:
                continue
        return None


def _slide(table: Table, session: Session) -> Optional[int]:
    """How far the guest was moved."""
    if table.anchor is None:
        return 0
    found = _slides(table.anchor, session)
    if found:
        return found[0]
    return 0 if not session.vbars and table.holds(table.anchor) and table.anchor >= RAM else None


def _slides(anchor: int, session: Session) -> List[int]:
    """With page-table isolation VBAR_EL1 is elsewhere while EL0 runs: of the values that were seen, those that move a kernel
    by what kernels are moved by."""
    return [vbar - anchor for vbar in session.vbars if not (vbar - anchor) % _GRAIN]
