#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Says how an unattended guest ended, by its console log: one line, and an exit status for scripts."""
from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Iterable, List, Optional, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hvl.entry import guarded, say  # noqa: E402
from hvl.record import Rec  # noqa: E402
from hvl.source import Notes, chunks_of  # noqa: E402
from hvl.wire import Scanner, Text, Token  # noqa: E402

USAGE = """usage: linux_end.py FILE
exit status: 0 powered off, 3 reset (a reboot or a kernel panic), 4 stopped by the policy or a fault of EL2,
5 the log has no end (QEMU was stopped, or the guest hung until it was), 2 wrong usage or unreadable file"""
PANIC = re.compile(rb"Kernel panic - not syncing: ([^\]\r\n][^\r\n]{0,200})")
STATUS = {"poweroff": 0, "reset": 3}
LINE = 4096     # bytes of a line of the guest; a longer one is looked at in pieces


class End:
    """Marks seen so far."""

    def __init__(self) -> None:
        self.reason: Optional[str] = None
        self.panic: Optional[str] = None
        self._line = b""

    def feed(self, tokens: Iterable[Token]) -> None:
        for token in tokens:
            if isinstance(token, Rec) and token.kind == "Z":
                self.reason = token.f.kv.get("reason", "?")
            elif isinstance(token, Text) and self.panic is None:
                self._line += token.data
                *lines, self._line = self._line.split(b"\n")
                for line in lines:
                    self.look(line)
                if len(self._line) > LINE:
                    self.finish()

    def look(self, line: bytes) -> None:
        found = PANIC.search(line)
        if found is not None and self.panic is None:
            self.panic = found.group(1).decode("utf-8", "replace")

    def finish(self) -> None:
        self.look(self._line)
        self._line = b""

    def verdict(self) -> Tuple[int, str]:
        """The exit status, and the sentence."""
        panic = f"; kernel panic: {self.panic}" if self.panic is not None else ""
        if self.reason is None:
            return 5, f"the log has no end{panic}"
        return STATUS.get(self.reason, 4), f"{self.reason}{panic}"


def main(argv: List[str]) -> int:
    if len(argv) != 1 or argv[0].startswith("-"):
        print(USAGE, file=sys.stderr)
        return 2
    scanner, end = Scanner(), End()
    for data in chunks_of(argv[0], Notes()):
        end.feed(scanner.feed(data))
    end.feed(scanner.feed(b"", True))
    end.finish()
    status, text = end.verdict()
    say("linux_end", text)
    return status


if __name__ == "__main__":
    sys.exit(guarded("linux_end", main, sys.argv[1:]))
