# SPDX-License-Identifier: Apache-2.0
"""How much of the guest's text came through: a trailer says how many bytes EL2 sent."""
from __future__ import annotations

import re

_SAID = re.compile(rb"\$O((?:[0-9a-f]{2})+)#")
_PACKET = 1 << 13       # of gdb's


class GuestText:
    """Bytes of one session. Line ends may be changed, if all are."""

    def __init__(self) -> None:
        self.size = 0
        self.altered = False    # on the way: bytes can not be counted
        self._bare = 0          # LF without CR
        self._doubled = 0       # CR CR LF
        self._packet = b""      # of gdb's, so far
        self._until = 0         # the last trailer: what there was then
        self._bare_until = 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        self._bare += data.count(b"\n") - data.count(b"\r\n")
        self._doubled += data.count(b"\r\r\n")

    def gdb(self, data: bytes) -> None:
        """gdb has the line: the guest's text comes in packets."""
        data = self._packet + data
        for said in _SAID.finditer(data):
            self.size += len(said.group(1)) // 2
        at = data.rfind(b"$")
        self._packet = data[at:] if at >= 0 and b"#" not in data[at:] and len(data) - at < _PACKET else b""

    def ends(self, end: bytes) -> None:
        """A trailer, whose line ends with `end`."""
        self._until = self.size - (self._doubled if end.startswith(b"\r\r") else 0)
        self._bare_until = self._bare if end == b"\n" else 0

    def short(self, sent: int) -> int:
        """How many of `sent` bytes are not here. Foreign text between the records can hide some."""
        lack = max(0, sent - self._until)
        return 0 if self.altered or lack <= self._bare_until else lack
