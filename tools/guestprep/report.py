# SPDX-License-Identifier: Apache-2.0
"""Collects complaints, so that one run shows all of them."""
from __future__ import annotations

import os
import stat
from typing import List, Optional

from hvl.entry import say
from hvl.escape import terminal


class Report:
    """Errors, which end the run, and notices, which do not."""

    def __init__(self) -> None:
        self.errors: List[str] = []
        self.notices: List[str] = []

    def error(self, where: str, what: str) -> None:
        self.errors.append(f"{where}: {what}")

    def notice(self, where: str, what: str) -> None:
        self.notices.append(f"{where}: {what}")


def read_file(path: str, limit: int, room: str, report: Report) -> Optional[bytes]:
    """The bytes of a regular file of at most `limit` bytes. `room` says what sets the limit."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                report.error(path, "not a regular file")
                return None
            if status.st_size > limit:
                report.error(path, f"{status.st_size} bytes, more than the {limit} bytes of {room}")
                return None
            return file.read(limit)
    except OSError as error:
        report.error(path, error.strerror or str(error))
        return None


def _open_without_waiting(path: str, flags: int) -> int:
    """Without blocking: a FIFO without a writer must be refused as "not a regular file", not waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def tell(tool: str, report: Report, told: List[str], quiet: bool) -> int:
    """Complaints to standard error, else what was done to standard output; the exit status."""
    for notice in report.notices:
        say(tool, f"notice: {terminal(notice)}")
    for error in report.errors:
        say(tool, f"error: {terminal(error)}")
    if report.errors:
        return 1
    if not quiet:
        print("\n".join(map(terminal, told)))
    return 0
