# SPDX-License-Identifier: Apache-2.0
"""A log line as people paste it: wrapped by a terminal, behind a time stamp, with the sentinel drawn as ^^ or U+241E."""
from __future__ import annotations

import re
import zlib
from itertools import product
from typing import List, Tuple

BEGIN = re.compile(r"@[A-Z]\+? +\d+(?:\.\d+)? ")
SUM = re.compile(r"(@.*) \*([0-9a-f]{8})\Z", re.S)
MOST_LINES = 12
CHANGED = "  (its check sum does not fit: something of this line is missing or was changed)"


def mended(text: str) -> Tuple[str, str]:
    """The record in one line, from its @ on, and a remark; the text as it is if there is no record in it."""
    begin = BEGIN.search(text.replace("\n", ""))
    if begin is None:
        return text, ""
    lines = [line.rstrip("\r") for line in text.strip().split("\n")]
    lines[0] = lines[0][lines[0].find("@"):] if "@" in lines[0] else lines[0]
    if not lines[0].startswith("@") or len(lines) > MOST_LINES:
        return text, ""
    sums = [found for found in map(SUM.match, _ways(lines)) if found is not None]
    for found in sums:
        if zlib.crc32(f"{found.group(1)} ".encode()) == int(found.group(2), 16):
            return found.group(1), ""
    return _joined(lines), CHANGED if sums else ""


def _ways(lines: List[str]) -> List[str]:
    """Lines put together: a terminal cuts anywhere, and whoever copies drops or adds blanks at the cut."""
    bare = [line.strip(" \t") for line in lines]
    ways = ["".join(lines).strip()]
    for between in product(("", " "), repeat=len(lines) - 1):
        ways.append(bare[0] + "".join(gap + line for gap, line in zip(between, bare[1:])))
    return [way.replace("^M", "") for way in ways]


def _joined(lines: List[str]) -> str:
    """Without a sum: lines of one width were cut, others were folded at a blank."""
    cut = len({len(line) for line in lines[:-1]}) <= 1 and len(lines[-1]) <= len(lines[0])
    return ("" if cut else " ").join(line if cut else line.strip() for line in lines).strip()
