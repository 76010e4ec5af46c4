#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Says how an unattended Linux ended, from its console log: one line, and an exit status for scripts."""
from __future__ import annotations

import re
import sys
from typing import Sequence, Tuple

USAGE = """usage: linux_end.py FILE
exit status: 0 powered off, 3 reset (a reboot or a kernel panic), 4 stopped by the policy or a fault of EL2,
5 the log has no end (QEMU was stopped, or the guest hung until it was), 2 wrong usage or unreadable file"""
END = re.compile(rb"\x1e@Z [^\r\n]* reason=([a-z-]+) \*[0-9a-f]{8}\r?\n")
PANIC = re.compile(rb"Kernel panic - not syncing: ([^\r\n]*)")
STATUS = {"poweroff": 0, "reset": 3}


def verdict(log: bytes) -> Tuple[int, str]:
    """The exit status, and what to say."""
    ends = END.findall(log)
    panics = [text.decode("ascii", "replace") for text in PANIC.findall(log) if not text.startswith(b"]")]
    panic = f"; kernel panic: {''.join(char for char in panics[0] if char.isprintable())}" if panics else ""
    if not ends:
        return 5, f"the log has no end{panic}"
    reason = ends[-1].decode("ascii")
    return STATUS.get(reason, 4), f"{reason}{panic}"


def main(argv: Sequence[str]) -> int:
    if len(argv) != 1 or argv[0].startswith("-"):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        with open(argv[0], "rb") as file:
            status, text = verdict(file.read())
    except OSError as error:
        print(f"linux_end: {argv[0]}: {error.strerror}", file=sys.stderr)
        return 2
    print(f"linux_end: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
