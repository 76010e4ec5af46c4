# SPDX-License-Identifier: Apache-2.0
"""The parts that tools need of a 64-bit little-endian ELF file: a section by its name, and its symbols.

policygen reads images with pyelftools (policygen/text/elf.py); here the standard library must do. A file is data:
nothing is read beyond its end, and a ValueError says what is wrong with it.
"""
from __future__ import annotations

import struct
from typing import Iterator, List, Tuple

MAGIC = b"\x7fELF"
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMTAB, _NOBITS, _COMPRESSED = 2, 8, 0x800
_SECTIONS, _SYMBOLS = 1 << 12, 1 << 20
_NAME = 512         # bytes of a symbol's name


class Elf:
    """`data` is the whole file."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(MAGIC + b"\x02\x01") or len(data) < _HEADER.size:
            raise ValueError("not a 64-bit little-endian ELF file")
        self._data = data
        header = _HEADER.unpack_from(data)
        at, size, count, names = header[6], header[11], header[12], header[13]
        if count > _SECTIONS or count and size != _SECTION.size:
            raise ValueError(f"it has {count} section headers of {size} bytes")
        self._sections: List[Tuple[int, ...]] = list(_SECTION.iter_unpack(self._slice(at, size * count)))
        self._names = self._contents(self._sections[names]) if names < count else b""

    def section(self, name: str) -> bytes:
        """The contents of the section of that name; there must be one."""
        found = [each for each in self._sections if self._text(self._names, each[0]) == name.encode()]
        if len(found) != 1:
            raise ValueError(f"it has {'several sections' if found else 'no section'} {name}")
        return self._contents(found[0])

    def symbols(self) -> Iterator[Tuple[int, int, int, bytes]]:
        """Address, size, type (STT_FUNC is 2) and name of each symbol that is defined in a section."""
        for table in self._sections:
            if table[1] != _SYMTAB:
                continue
            if table[9] != _SYMBOL.size or table[5] > _SYMBOLS * _SYMBOL.size or table[5] % _SYMBOL.size:
                raise ValueError(f"it has {table[5]} bytes of symbols of {table[9]} each")
            if table[6] >= len(self._sections):
                raise ValueError("its symbols have no names")
            names = self._contents(self._sections[table[6]])
            for name, info, _, section, value, size in _SYMBOL.iter_unpack(self._contents(table)):
                if 0 < section < 0xff00:
                    yield value, size, info & 15, self._text(names, name)

    def _contents(self, section: Tuple[int, ...]) -> bytes:
        if section[1] == _NOBITS or section[2] & _COMPRESSED:
            raise ValueError("a section of it is not in the file as it is")
        return self._slice(section[4], section[5])

    def _slice(self, at: int, size: int) -> bytes:
        if at + size > len(self._data):
            raise ValueError("cut short or damaged: a part of it ends behind its end")
        return self._data[at:at + size]

    @staticmethod
    def _text(table: bytes, at: int) -> bytes:
        end = table.find(b"\0", at, at + _NAME)
        return table[at:end] if end >= 0 else b""
