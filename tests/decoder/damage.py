# SPDX-License-Identifier: Apache-2.0
"""Damage to a capture on its way, with an account of the records that came through untouched."""
from __future__ import annotations

from random import Random
from typing import Callable, Dict, List, Set, Tuple

from encoder import Encoder

Byte = Tuple[int, int]  # value, tag: the place in the clean capture, or -1 for a byte that was not sent so
FOREIGN = (b"qemu-system-aarch64: warning: TCG doesn't support requested feature\n",
           b"make: *** [Makefile:12: run] Error 1\n", b"make[1]: Leaving directory '/tmp'\n")


def tagged(wire: bytes) -> List[Byte]:
    return [(value, at) for at, value in enumerate(wire)]


def cut(data: List[Byte], r: Random) -> List[Byte]:
    """The capture starts late or ends early."""
    at = r.randrange(len(data) + 1)
    return data[:at] if r.random() < 0.7 else data[at:]


def flip(data: List[Byte], r: Random) -> List[Byte]:
    """Single bits."""
    out = list(data)
    for _ in range(r.randrange(1, 12)):
        if out:
            at = r.randrange(len(out))
            out[at] = (out[at][0] ^ 1 << r.randrange(8), -1)
    return out


def delete(data: List[Byte], r: Random) -> List[Byte]:
    """One byte, or an overrun's worth."""
    out = list(data)
    for _ in range(r.randrange(1, 8)):
        at = r.randrange(len(out) + 1)
        del out[at:at + r.choice((1, 1, 1, 2, 16, 300))]
    return out


def insert(data: List[Byte], r: Random) -> List[Byte]:
    """Noise, with RS, US and line ends more often than chance has them."""
    out = list(data)
    for _ in range(r.randrange(1, 8)):
        noise = bytes(r.choice((0x1e, 0x1f, 0x0a, 0x0d, 0x40, r.randrange(256))) for _ in range(r.choice((1, 2, 40))))
        at = r.randrange(len(out) + 1)
        out[at:at] = [(value, -1) for value in noise]
    return out


def splice(data: List[Byte], r: Random) -> List[Byte]:
    """Lines that `2>&1` mixed in."""
    out = list(data)
    for _ in range(r.randrange(1, 6)):
        at = r.randrange(len(out) + 1)
        out[at:at] = [(value, -1) for value in r.choice(FOREIGN)]
    return out


def unstamp(data: List[Byte], r: Random) -> List[Byte]:
    """Some sentinels are stripped."""
    return [byte for byte in data if byte[0] != 0x1e or r.random() < 0.7]


def repeat(data: List[Byte], r: Random) -> List[Byte]:
    """A piece arrives twice."""
    at = r.randrange(len(data) + 1)
    end = min(len(data), at + r.randrange(1, 2000))
    return data[:end] + data[at:end] + data[end:]


def line_ends(data: List[Byte], r: Random) -> List[Byte]:
    """Every LF becomes CR LF, as a terminal may have it."""
    out: List[Byte] = []
    for byte in data:
        if byte[0] == 0x0a:
            out.append((0x0d, -2))
        out.append(byte)
    return out


KINDS: Dict[str, Callable[[List[Byte], Random], List[Byte]]] = {
    f.__name__: f for f in (cut, flip, delete, insert, splice, unstamp, repeat, line_ends)}


def untouched(encoder: Encoder, data: List[Byte]) -> Set[int]:
    """The records of which every byte, from RS to LF, still stands in its order with nothing between."""
    starts: Dict[int, List[int]] = {}
    for at, owner in enumerate(encoder.owner):
        if owner >= 0:
            starts.setdefault(owner, []).append(at)
    spans = {}
    for owner, places in starts.items():
        first = next(at for at in places if encoder.wire[at] == 0x1e)
        spans[first] = (owner, places[-1])
    whole: Set[int] = set()
    kept = [byte for byte in data if byte[1] != -2]
    for at, (_, tag) in enumerate(kept):
        if tag in spans:
            owner, last = spans[tag]
            length = last - tag + 1
            if [t for _, t in kept[at:at + length]] == list(range(tag, last + 1)):
                whole.add(owner)
    return whole
