# SPDX-License-Identifier: Apache-2.0
"""The symbol table that an arm64 Linux Image carries for itself (scripts/kallsyms.c of Linux 4.20 and later).

Nothing in the Image says where it lies. It is found from its token table, whose tokens for the digits stand in a row, and
each part is held against the others: the index against the tokens, the markers against the lengths of the names, the number
of symbols against both.

    4.20 to 6.3   offsets, relative_base, num_syms, names, markers, [seqs_of_names], token_table, token_index
    since 6.4     num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs_of_names
"""
from __future__ import annotations

import struct
from typing import Iterator, List, Optional, Tuple

MAGIC_AT, MAGIC = 56, b"ARM\x64"
MOST = 1 << 20              # symbols
_TOKENS = 256
_DIGITS = b"".join(b"%d\0" % n for n in range(10))
_BETWEEN = 3 * MOST + 64    # of markers and token table: seqs_of_names, three bytes a symbol
_STEP = 256                 # symbols for each marker
_TABLES = 64                # places that look like a token table


def is_image(data: bytes) -> bool:
    return data[MAGIC_AT:MAGIC_AT + 4] == MAGIC


def symbols(image: bytes) -> List[Tuple[int, str, str]]:
    """Address, type and name of each symbol, in the order of addresses. Addresses are those of the link, or offsets from the
    Image's start where a KASLR kernel leaves the base to its relocation. ValueError: there is no table that can be read."""
    for table, index, tokens in _token_tables(image):
        found = _names_before(image, table)
        if found is None:
            continue
        count_at, lengths = found
        offsets = _offsets(image, count_at, index, len(lengths))
        if offsets is not None:
            texts = _expand(image, lengths, tokens)
            return [(address, text[:1], text[1:]) for address, text in zip(offsets, texts)]
    raise ValueError("no kallsyms table in it (CONFIG_KALLSYMS)")


def _token_tables(image: bytes) -> Iterator[Tuple[int, int, List[bytes]]]:
    """Where a token table begins, where its index ends, and its tokens."""
    zero, seen = image.find(_DIGITS), 0         # the token of "0" is number 0x30
    while 0 <= zero and seen < _TABLES:
        tokens: List[int] = []
        end = zero
        while len(tokens) < _TOKENS - ord("0"):
            stop = image.find(b"\0", end, end + 256)
            if stop < 0:
                break
            tokens.append(end - zero)
            end = stop + 1
        for at in range(end, end + 16):
            if len(tokens) < _TOKENS - ord("0") or at + 2 * _TOKENS > len(image):
                break
            index = struct.unpack_from(f"<{_TOKENS}H", image, at)
            if not index[0] and [place - index[ord("0")] for place in index[ord("0"):]] == tokens:
                begin = zero - index[ord("0")]
                texts = [image[begin + place:image.find(b"\0", begin + place)] for place in index]
                yield begin, at + 2 * _TOKENS, texts
                break
        seen += 1
        zero = image.find(_DIGITS, zero + 1)


def _names_before(image: bytes, table: int) -> Optional[Tuple[int, List[Tuple[int, int]]]]:
    """Where the number of symbols stands, and place and length of each name behind it."""
    for start, marks in _markers(image, table):
        last = marks[-1]
        # The names end where the markers begin, but for padding; the last marker is at most 256 names before that.
        for count_at in range((start - last - 8) & ~7, max(0, start - last - 8 - _STEP * 300), -8):
            count, zero = struct.unpack_from("<II", image, count_at)
            if zero or not (len(marks) - 1) * _STEP < count <= len(marks) * _STEP:
                continue
            lengths = _lengths(image, count_at + 8, start, count, marks)
            if lengths is not None:
                return count_at, lengths
    return None


def _markers(image: bytes, table: int) -> Iterator[Tuple[int, List[int]]]:
    """Rows of rising numbers before the token table that begin with 0: offsets of each 256th name."""
    least = max(0, table - _BETWEEN)
    at = table & ~3
    while True:
        at = image.rfind(b"\0\0\0\0", least, at + 3)
        if at < 0:
            return
        start = at & ~3
        at -= 1
        if image[start:start + 4] != b"\0\0\0\0":
            continue
        marks, place = [0], start + 4
        while place + 4 <= table and len(marks) <= MOST // _STEP:
            mark, = struct.unpack_from("<I", image, place)
            if not _STEP < mark - marks[-1] < _STEP * 130:
                break
            marks.append(mark)
            place += 4
        if len(marks) > 3 and start - marks[-1] > 0:
            yield start, marks


def _lengths(image: bytes, at: int, end: int, count: int, marks: List[int]) -> Optional[List[Tuple[int, int]]]:
    """Place and length of each name, if every marker is met and the last one ends where the markers begin."""
    names, begin = [], at
    for number in range(count):
        if not number % _STEP and at - begin != marks[number // _STEP]:
            return None
        if at + 2 > end:
            return None
        size = image[at]
        at += 1
        if size & 0x80:             # since 6.1 a long name has two bytes of length
            size = size & 0x7f | image[at] << 7
            at += 1
        names.append((at, size))
        at += size
        if at > end or not size:
            return None
    return names if end - at < 8 else None


def _offsets(image: bytes, count_at: int, index_end: int, count: int) -> Optional[List[int]]:
    """Addresses; they stand before the number of symbols or behind the index of tokens."""
    size = (4 * count + 7) & ~7
    for base_at, at in ((count_at - 8, count_at - 8 - size), (((index_end + 7) & ~7) + size, (index_end + 7) & ~7)):
        if at < 0 or base_at + 8 > len(image):
            continue
        offsets = struct.unpack_from(f"<{count}I", image, at)
        base, = struct.unpack_from("<Q", image, base_at)
        if offsets[-1] and all(a <= b for a, b in zip(offsets, offsets[1:])) and (not base or base >> 47 == 0x1ffff):
            return [base + offset for offset in offsets]
    return None


def _expand(image: bytes, lengths: List[Tuple[int, int]], tokens: List[bytes]) -> Iterator[str]:
    texts = [token.decode("latin-1") for token in tokens]
    for at, size in lengths:
        yield "".join([texts[byte] for byte in image[at:at + size]])
