# SPDX-License-Identifier: Apache-2.0
"""What policygen and the tools take from the C of EL2: rows X(ENUMERATOR, "word") of its headers, in their order."""
from __future__ import annotations

import re
from typing import Tuple

from policygen.text import paths

FOLDER = paths.PACKAGE.parent / "hv"
ROW = re.compile(r'X\(\w+, "([^"]+)"')


def words(header: str, macro: str) -> Tuple[str, ...]:
    """The words of `#define MACRO(X) X(NAME, "word") ...` in hv/HEADER. Raises ValueError when there are none."""
    text = (FOLDER / header).read_text(encoding="utf-8")
    match = re.search(rf"^#define {macro}\(X\)((?:.*\\\n)*.*\n)", text, re.M)
    found = tuple(ROW.findall(match.group(1))) if match else ()
    if not found:
        raise ValueError(f"hv/{header}: no rows X(NAME, \"word\") of {macro}")
    return found


def verdicts() -> Tuple[str, ...]:
    """A decision's words in the log, by enum verdict_word."""
    return words("policy/policy.h", "VERDICT_WORDS")


def modes() -> Tuple[str, ...]:
    """What LOG= may be, by enum log_mode."""
    return words("cpu/log.h", "LOG_MODES")


def events() -> Tuple[str, ...]:
    """What records of kind E begin with, by enum log_event."""
    return words("cpu/log.h", "LOG_EVENTS")
