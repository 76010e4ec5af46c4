# SPDX-License-Identifier: Apache-2.0
"""An entry in a policy's file, line by line, so that its comments and its order stay."""
from __future__ import annotations

import re
from typing import List

_SECTION = re.compile(r"([A-Za-z_]+):[ \t]*(#.*)?$")


def with_entry(text: str, section: str, name: str, lines: List[str]) -> str:
    """The text with these lines as that section's entry `name`: in the place of the one that it has, or at its end."""
    rows = text.rstrip("\n").split("\n")
    entry = ["  " + line for line in lines]
    begin = next((at for at, row in enumerate(rows) for found in [_SECTION.match(row)] if found and found.group(1) == section),
                 None)
    if begin is None:
        return "\n".join([*rows, "", f"{section}:", *entry]) + "\n"
    end = next((at for at in range(begin + 1, len(rows)) if rows[at][:1] not in ("", " ", "#")), len(rows))
    last = max((at for at in range(begin, end) if rows[at].strip() and not rows[at].lstrip().startswith("#")), default=begin)
    own = re.compile(r"  " + re.escape(name) + r"[ \t]*:(?=[ \t]|$)")
    for at in range(begin + 1, end):
        if own.match(rows[at]):
            behind = next((after for after in range(at + 1, end) if rows[after].strip() and
                           not rows[after].startswith("   ")), end)
            while behind > at + 1 and (not rows[behind - 1].strip() or rows[behind - 1].lstrip().startswith("#")):
                behind -= 1
            return "\n".join([*rows[:at], *entry, *rows[behind:]]) + "\n"
    return "\n".join([*rows[:last + 1], *entry, *rows[last + 1:]]) + "\n"
