# SPDX-License-Identifier: Apache-2.0
"""A 64-bit little-endian ELF file, read by pyelftools: sections, symbols, segments, or one ValueError with the reason.
Whatever the file's headers say, nothing beyond its end is read and nothing is unpacked."""
from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Collection, Dict, Iterator, List, Tuple

MAGIC = b"\x7fELF"
SYMBOL = 24             # bytes of an Elf64_Sym
MAX_HEADERS, MAX_SYMBOLS = 1 << 12, 1 << 17


@dataclass(frozen=True)
class Segment:
    """A PT_LOAD segment: its places in memory (physical address) and in the file."""
    address: int
    offset: int
    size: int           # bytes in the file
    virtual: int        # address
    memory: int         # bytes in memory


class Elf:
    """`data` is the whole file. Raises ValueError, as every method does."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        if not data.startswith(MAGIC + b"\x02\x01"):
            raise ValueError("not a 64-bit little-endian ELF file")
        with _told():
            self.file = _reader().ELFFile(io.BytesIO(data))
            header = self.file.header
            for what, at, size, count in (
                    ("section headers", header.e_shoff, header.e_shentsize, self.file.num_sections()),
                    ("segment headers", header.e_phoff, header.e_phentsize, self.file.num_segments())):
                if count and not size or count > MAX_HEADERS:
                    raise ValueError(f"it has {count} {what} of {size} bytes")
                self.slice(at, size * count, f"its {what}")

    def slice(self, at: int, size: int, what: str) -> bytes:
        if at + size > len(self.data):
            raise ValueError(f"{what} end at {at + size:#x} and the file at {len(self.data):#x}: cut short or damaged")
        return self.data[at:at + size]

    def section(self, name: str) -> bytes:
        """The contents of a section."""
        with _told():
            count, header = self.file.num_sections(), self.file.header
            parsed = [self.file.structs.Elf_Shdr.parse(self.data[at:at + header.e_shentsize]) for at in
                      range(header.e_shoff, header.e_shoff + count * header.e_shentsize, header.e_shentsize)]
            table = parsed[self.file.get_shstrndx()] if count else None
            names = self.slice(table.sh_offset, table.sh_size, "its names of sections") if table else b""
            wanted = name.encode("ascii") + b"\0"
            of_it = [part for part in parsed if names[part.sh_name:part.sh_name + len(wanted)] == wanted]
            if len(of_it) != 1:
                raise ValueError(f"it has {'several sections' if of_it else 'no section'} {name}")
            found = of_it[0]
            if found.sh_type == "SHT_NOBITS" or found.sh_flags & 0x800:         # SHF_COMPRESSED
                raise ValueError(f"its section {name} is not in the file as it is")
            return self.slice(found.sh_offset, found.sh_size, f"its section {name}")

    def symbols(self, names: Collection[str]) -> Dict[str, int]:
        """Values of those symbols, of all of them; raises ValueError if one is missing."""
        found: Dict[str, int] = {}
        with _told():
            for table in self.file.iter_sections("SHT_SYMTAB"):
                if table["sh_entsize"] != SYMBOL:
                    raise ValueError(f"its symbols are {table['sh_entsize']} bytes each instead of {SYMBOL}")
                self.slice(table["sh_offset"], table["sh_size"], "its symbols")
                if table.num_symbols() > MAX_SYMBOLS:
                    raise ValueError(f"it has {table.num_symbols()} symbols")
                for symbol in table.iter_symbols():
                    if symbol.name in names and symbol["st_shndx"] != "SHN_UNDEF" and \
                            found.setdefault(symbol.name, symbol["st_value"]) != symbol["st_value"]:
                        raise ValueError(f"it has two symbols {symbol.name}")
        missing = sorted(set(names) - set(found))
        if missing:
            raise ValueError(f"it has no symbol {missing[0]}")
        return found

    def marks(self) -> List[Tuple[int, str]]:
        """Address and kind, `x` or `d`, of each mapping symbol."""
        found: List[Tuple[int, str]] = []
        with _told():
            for table in self.file.iter_sections("SHT_SYMTAB"):
                self.slice(table["sh_offset"], table["sh_size"], "its symbols")
                if table["sh_entsize"] != SYMBOL or table.num_symbols() > MAX_SYMBOLS:
                    raise ValueError(f"it has {table.num_symbols()} symbols of {table['sh_entsize']} bytes")
                found += [(symbol["st_value"], symbol.name[1]) for symbol in table.iter_symbols()
                          if symbol.name[:2] in ("$x", "$d")]
        return found

    def segments(self, empty: bool = False) -> List[Segment]:
        """Sections that are loaded; `empty`: those too that are zero in memory and have no byte in the file."""
        with _told():
            out = [Segment(part["p_paddr"], part["p_offset"], part["p_filesz"], part["p_vaddr"], part["p_memsz"])
                   for part in self.file.iter_segments("PT_LOAD") if part["p_filesz"] or empty and part["p_memsz"]]
        for segment in out:
            self.slice(segment.offset, segment.size, f"its segment at {segment.address:#x}")
        return out


def _reader() -> Any:
    """Imports pyelftools, which only readers of an image need."""
    try:
        from elftools.elf import elffile
    except ImportError:
        raise ValueError("to read an ELF file takes pyelftools (Debian: apt install python3-pyelftools)") from None
    return elffile


@contextmanager
def _told() -> Iterator[None]:
    """Turns any error of the library over a file's headers into a ValueError about the file."""
    try:
        yield
    except ValueError:
        raise
    except Exception as problem:
        text = str(problem).split("\n", maxsplit=1)[0]
        raise ValueError(f"its ELF headers are damaged ({text or type(problem).__name__})") from None
