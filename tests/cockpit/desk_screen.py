# SPDX-License-Identifier: Apache-2.0
"""The cockpit on a pseudo terminal, and the screen that a terminal which is not ours (pyte) makes of it."""
from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Callable, List

import pexpect
import pyte

ROOT = Path(__file__).resolve().parents[2]
COCKPIT = [sys.executable, str(ROOT / "tools/cockpit")]
TIMEOUT = int(os.environ.get("VM_TIMEOUT", "600"))
SHELL = 'echo "stty-before=$(stty -g)"; "$@"; echo "exit-status=$?"; echo "stty-after=$(stty -g)"'
KEYS = {"F1": "\x1bOP", "F2": "\x1bOQ", "F3": "\x1bOR", "F4": "\x1bOS", "F5": "\x1b[15~", "F10": "\x1b[21~", "up": "\x1b[A",
        "down": "\x1b[B", "esc": "\x1b", "enter": "\r"}


class Desk:
    """A shell runs the cockpit between two looks at the terminal's settings."""

    def __init__(self, words: List[str], rows: int = 40, columns: int = 150) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self._child = pexpect.spawn("/bin/sh", ["-c", SHELL, "sh", *COCKPIT, *words], timeout=TIMEOUT, dimensions=(rows, columns),
                                    env={**os.environ, "TERM": "xterm"})

    @property
    def pid(self) -> int:
        """The cockpit's."""
        children = Path(f"/proc/{self._child.pid}/task/{self._child.pid}/children").read_text(encoding="ascii").split()
        return int(children[0])

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def read(self, seconds: float) -> bool:
        """False: the terminal is closed."""
        try:
            data = self._child.read_nonblocking(1 << 16, seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True

    def until(self, what: "str | Callable[[str], bool]", limit: float = TIMEOUT) -> str:
        """Waits for a text, or for what is asked, on the screen. A screen may come in two reads: both are waited for."""
        end, whole = time.monotonic() + limit, False
        while True:
            text = self.text()
            if what in text if isinstance(what, str) else what(text):
                if whole:
                    return text
                whole = True
                self.read(0.1)
                continue
            whole = False
            open_ = self.read(0.2)
            assert open_ and time.monotonic() < end, f"{what}: not on the screen:\n{self.text()}"

    def type(self, *keys: str) -> None:
        for key in keys:
            self._child.send(KEYS.get(key, key))
            if key == "esc":
                time.sleep(0.3)     # so that the next key is no part of a sequence
                self.read(0)

    def resize(self, rows: int, columns: int) -> None:
        self.screen.resize(rows, columns)
        self._child.setwinsize(rows, columns)

    def end(self) -> str:
        """Waits for the shell; the status stands between the two looks. The terminal must be as it was."""
        while self.read(1.0):
            pass
        self._child.close()
        text = self.raw.decode("utf-8", "replace")
        before, after = (text.rpartition(word)[2].split("\r\n")[0] for word in ("stty-before=", "stty-after="))
        assert before == after and before.count(":") > 10, (before, after)
        for on, off in (("\x1b[?47h", "\x1b[?47l"), ("\x1b[?25l", "\x1b[?25h")):
            assert -1 < text.rfind(on) < text.rfind(off), f"{off!r} is missing"
        return text.rpartition("exit-status=")[2].split("\r\n")[0]
