# SPDX-License-Identifier: Apache-2.0
"""JSON as strictly as YAML is read: no key twice, whole numbers, no invisible text; within bounds."""
from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple

from policygen.text.source import UNSPEAKABLE

MAX_BYTES = 16 << 20
MAX_NESTED = 1 << 20        # lists and maps: each takes far more memory than its two characters
MAX_DIGITS = 20


class Malformed(ValueError):
    """Data of another form; the message says where and how."""


def parse(data: bytes) -> Dict[str, Any]:
    """One map; `data` is at most MAX_BYTES and one more."""
    if len(data) > MAX_BYTES:
        raise Malformed(f"larger than {MAX_BYTES >> 20} MiB")
    if data.count(b"[") + data.count(b"{") > MAX_NESTED:
        raise Malformed(f"more than {MAX_NESTED} lists and maps")
    try:
        found = json.loads(data.decode("utf-8"), parse_int=_whole, parse_float=_float, parse_constant=_float,
                           object_pairs_hook=_map)
    except RecursionError:
        raise Malformed("nested too deep") from None
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    if not isinstance(found, dict):
        raise Malformed("not a map")
    _speakable(found)
    return found


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Malformed(f"a number of {len(text)} digits")
    return int(text)


def _float(text: str) -> int:
    raise Malformed(f"{text[:40]} is no whole number")


def _map(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        names = [name for name, _ in pairs]
        raise Malformed(f"{next(name for name in names if names.count(name) > 1)[:40]!r} is written twice in one map")
    return out


def _speakable(root: object) -> None:
    left: List[object] = [root]
    while left:
        item = left.pop()
        if isinstance(item, str) and (bad := UNSPEAKABLE.search(item)):
            raise Malformed(f"text with a control character: U+{ord(bad.group()):04X}")
        if isinstance(item, dict):
            left += [*item, *item.values()]
        elif isinstance(item, list):
            left += item
