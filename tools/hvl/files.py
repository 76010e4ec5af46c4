# SPDX-License-Identifier: Apache-2.0
"""Reads foreign files within bounds; writes files without destroying others."""
from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Optional

from .escape import terminal


class UsageError(Exception):
    """The command cannot be carried out: exit 2 with this line."""


def complaint(name: str, error: Exception) -> UsageError:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UsageError(f"{terminal(name)}: {text}")


def read_all(name: str, limit: int, what: str) -> bytes:
    """A whole file. Raises UsageError if it cannot be read, or has more than `limit` bytes."""
    try:
        with open(name, "rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:      # ValueError: a NUL in the name
        raise complaint(name, error) from None
    if len(data) > limit:
        raise UsageError(f"{terminal(name)}: more than {limit} bytes, the most that {what} may have")
    return data


def create(name: str, begins: bytes = b"") -> BinaryIO:
    """A file to write into: a new one, an empty one, a device or pipe, or older output of the same kind, which begins
    with `begins`. Raises UsageError for any other: it may be evidence."""
    try:
        try:
            mode = os.stat(name).st_mode
        except FileNotFoundError:
            return open(name, "xb")
        if stat.S_ISREG(mode):
            with open(name, "rb") as old:
                head = old.read(len(begins) or 1)
            if head and (not begins or head != begins):
                raise UsageError(f"{terminal(name)}: exists, and is not an older output of this command; remove it, or "
                                 "name another file")
        return open(name, "wb")
    except (OSError, ValueError) as error:
        raise complaint(name, error) from None


def inside(folder: Path, name: str, limit: int) -> Optional[bytes]:
    """The file `name` below `folder`, without links that lead out; None if there is none, or it has more than `limit`
    bytes."""
    try:
        root, path = folder.resolve(), (folder / name).resolve()
        if root not in path.parents or not path.is_file() or path.stat().st_size > limit:
            return None
        return path.read_bytes()
    except (OSError, ValueError, RuntimeError):     # RuntimeError: a circle of links
        return None
