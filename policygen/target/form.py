# SPDX-License-Identifier: Apache-2.0
"""The Jinja environment of this room's templates, and the spelling of C values in them."""
from __future__ import annotations

import re
from typing import Callable, Dict

import jinja2

from policygen.text import escape, paths
from policygen.text.escape import C, Raw, Word, c_comment, c_string, hexadecimal, word

CALL = re.compile(r"[A-Za-z_]\w*(\(([A-Za-z_]\w*(, [A-Za-z_]\w*)*)?\))?\Z", re.ASCII)
HEADER = re.compile(r"[a-z0-9_]+/[a-z0-9_]+\.h\Z")


def environment() -> jinja2.Environment:
    """An environment that refuses every value that has not been escaped for C."""
    out = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(paths.PACKAGE / "target" / "templates")), undefined=jinja2.StrictUndefined,
        trim_blocks=True, keep_trailing_newline=True, autoescape=False,
        finalize=lambda value: escape.admitted(value, C))
    filters: Dict[str, Callable[..., escape.Piece]] = {
        "word": word, "c_string": c_string, "u8": lambda value: hexadecimal(value, 2),
        "u16": lambda value: hexadecimal(value, 4),
        "u32": lambda value: hexadecimal(value, 8), "u64": lambda value: hexadecimal(value, 16) if value else Word("0"),
        "hex": hexadecimal, "comment": c_comment,
        "call": lambda text: checked(text, CALL, "a C function, or a call of one with names"),
        "header": lambda text: checked(text, HEADER, "a header: room/name.h"),
    }
    out.filters.update(filters)
    return out


def checked(text: str, form: "re.Pattern[str]", what: str) -> C:
    if not form.match(text):
        raise Raw(f"{text!r} is not {what}")
    return C(text)
