# SPDX-License-Identifier: Apache-2.0
"""An arm64 Image with a kallsyms table, written as scripts/kallsyms.c of Linux writes it: compressed by tokens, in the order
of Linux 4.20 to 6.3 or in that since 6.4. Knows nothing of the decoder."""
from __future__ import annotations

import struct
from collections import Counter
from typing import Dict, List, Optional, Tuple

Symbol = Tuple[int, str, str]       # offset from the first, type, name


def _align(data: bytearray, to: int) -> None:
    data.extend(bytes(-len(data) % to))


def compressed(texts: List[bytes], rounds: int = 60) -> Tuple[List[bytes], List[bytes]]:
    """Tokens by number, and each text in them: the commonest pair gets a number that no text uses, again and again."""
    rows = [list(text) for text in texts]
    tokens: List[bytes] = [bytes([n]) for n in range(256)]
    used = {byte for row in rows for byte in row}
    free = [n for n in range(255, -1, -1) if n not in used]
    for number in range(256):
        if number not in used:
            tokens[number] = b""
    for number in free[:rounds]:
        pairs: Counter[Tuple[int, int]] = Counter(pair for row in rows for pair in zip(row, row[1:]))
        if not pairs:
            break
        (first, second), _ = pairs.most_common(1)[0]
        tokens[number] = tokens[first] + tokens[second]
        for row in rows:
            at = 0
            while at + 1 < len(row):
                if row[at] == first and row[at + 1] == second:
                    row[at:at + 2] = [number]
                at += 1
    # The kernel's table has no empty tokens: all numbers are taken by pairs.
    for number in range(256):
        tokens[number] = tokens[number] or b"zz%02x" % number
    return tokens, [bytes(row) for row in rows]


def kallsyms(symbols: List[Symbol], new_order: bool, base: int = 0, seqs: bool = False, before: bytes = b"\1") -> bytes:
    texts = [kind.encode() + name.encode() for _, kind, name in symbols]
    tokens, rows = compressed(texts)
    names, markers = bytearray(), []
    for number, row in enumerate(rows):
        if number % 256 == 0:
            markers.append(len(names))
        names += (bytes([len(row)]) if len(row) < 128 else bytes([len(row) & 0x7f | 0x80, len(row) >> 7])) + row
    offsets = struct.pack(f"<{len(symbols)}I", *(offset for offset, _, _ in symbols))
    index, table = [], bytearray()
    for token in tokens:
        index.append(len(table))
        table += token + b"\0"
    parts: Dict[str, bytes] = {
        "offsets": offsets, "base": struct.pack("<Q", base), "num": struct.pack("<I", len(symbols)), "names": bytes(names),
        "markers": struct.pack(f"<{len(markers)}I", *markers), "tokens": bytes(table),
        "index": struct.pack("<256H", *index), "seqs": b"\x11\x22\x33" * len(symbols)}
    order = ["num", "names", "markers", "tokens", "index", "offsets", "base", "seqs"] if new_order else \
        ["offsets", "base", "num", "names", "markers", *(["seqs"] if seqs else []), "tokens", "index"]
    out = bytearray(before)
    for part in order:
        _align(out, 8)
        out += parts[part]
    return bytes(out)


def image(symbols: List[Symbol], new_order: bool = True, base: int = 0, seqs: bool = False, text_offset: int = 0,
          first: int = 0x10000, entry: Optional[int] = None) -> bytes:
    """An Image whose first symbol lies at `first`; the branch in its header leads to `primary_entry`, or to `entry`."""
    where = dict((name, first + offset) for offset, _, name in symbols)
    target = entry if entry is not None else where["primary_entry"]
    head = struct.pack("<IIQQQQQQ4sI", 0xfa405a4d, 5 << 26 | (target - 4) // 4 & 0x3ffffff, text_offset, 0x200000, 0xa, 0, 0, 0,
                       b"ARM\x64", 64)
    body = bytearray(head.ljust(4096, b"\0")) + bytes(range(256)) * 8 + b"0\x001\x002\x003\0no table\0" * 3
    _align(body, 8)
    return bytes(body) + kallsyms(symbols, new_order, base, seqs) + bytes(64) + b"behind" * 100


def symbols(count: int = 900) -> List[Symbol]:
    """As a kernel has them: sorted, some at one address, data among them, one with a long name."""
    out: List[Symbol] = [(0, "T", "_stext"), (0, "t", "bcm_handle_irq"), (0x800, "T", "vectors"), (0x1000, "t", "do_idle")]
    for n in range(count):
        out.append((0x2000 + 0x40 * n, "tTdDrRW"[n % 7], f"function_{n * 7919 % 100003}_of_{'driver' * (1 + n % 3)}"))
    end = out[-1][0]
    return out + [(end + 0x40, "t", "x" * 300), (end + 0x1000, "T", "primary_entry"), (end + 0x1100, "B", "_end")]
