# SPDX-License-Identifier: Apache-2.0
"""Words for numbers of the log: names.json, a copy of the build/gen/names.json that policygen renders.

The decoder needs no build, so the copy is shipped; a test names each word that is not current.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

_DATA: Dict[str, Any] = json.loads(Path(__file__).with_name("names.json").read_text(encoding="utf-8"))
_WIDE = 1 << 30  # bit of a function number: the form with 64-bit arguments

VERDICTS: Tuple[str, ...] = tuple(_DATA["verdicts"])
MODES: Tuple[str, ...] = tuple(_DATA["modes"])
EVENTS: Tuple[str, ...] = tuple(_DATA["events"])
CLASSES: Dict[int, str] = {int(number, 16): name for number, name in _DATA["classes"].items()}
_CALLS: Dict[Tuple[str, int], str] = {(by, int(number, 16)): name for name, call in _DATA["calls"].items()
                                      for by in call["by"] for number in call["id"]}
_SERVICES = [(int(low, 16), int(high, 16), name) for name, (low, high) in _DATA["services"].items()]


def call_by(conduit: str, number: int, immediate: int = 0) -> Optional[str]:
    """The function's name; else that of the service whose number it is, with an offset (SDEI+0x1); else None.

    `conduit`: hvc or smc, by which it came. A name is the same by both, but our own calls are none by smc, and behind
    `hvc #1` there is none. `number`: x0, as function_of() of policygen/facts/names.py reads it.
    """
    if immediate or number >> 32 and not number & 1 << 31:
        return None
    number &= 0xffffffff
    name = _CALLS.get((conduit, number))
    if name is not None:
        return name
    for low, high, service in _SERVICES:
        if low <= number & ~_WIDE <= high:
            return f"{service}+{(number & ~_WIDE) - low:#x}"
    return None
