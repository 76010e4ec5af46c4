#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Splits the hypervisor's one line: console on this terminal, everything in a log file, gdb on a loopback TCP port.

    tools/hvmux.py [--port 1234] [--log uart.log] [--records] -- make run

Then, elsewhere: gdb-multiarch -ex 'target remote :1234'. Standard library only.
"""
from __future__ import annotations

import argparse
import os
import selectors
import signal
import socket
import subprocess
import sys
import termios
import time
import tty
from typing import BinaryIO, List, Optional

RS, US, ESCAPE = 0x1E, 0x1F, b"\x1d"
BREAK = b"\x01b"  # the key of QEMU's console for a BREAK
RECORD_MAX = 2048
GRACE = 1.0  # seconds in which the answer to a detach is on its way


class Splitter:
    """One line in, three streams out: console text, records, gdb's packets (hv/log/README.md)."""

    def __init__(self) -> None:
        self.gdb = False        # between @E gdb+ and @E gdb-
        self.prompt = False     # the monitor has the line
        self.console = bytearray()
        self.records: List[bytes] = []
        self.packets = bytearray()
        self._record: Optional[bytearray] = None
        self._us = False
        self._packet = 0        # bytes of a packet still expected: 3 behind '#', -1: until then

    def _event(self, record: bytes) -> None:
        words = record.split()
        if not words or not words[0].startswith(b"@E") or len(words) < 4:
            return
        if words[3] in (b"gdb+", b"gdb-"):
            self.gdb, self._packet = words[3] == b"gdb+", 0
        elif words[3] in (b"mon+", b"mon-"):
            self.prompt = words[3] == b"mon+"

    def _byte(self, b: int) -> None:
        if b == RS:
            self._record = bytearray()
        elif self._record is not None:
            self._record.append(b)
            if b == 0x0A or len(self._record) > RECORD_MAX:
                line, self._record = bytes(self._record), None
                self._event(line)
                self.records.append(line)
        elif self.gdb:
            self._gdb_byte(b)
        elif self._us:
            self._us = False
            self.console.append({0x65: RS, 0x66: US}.get(b, b))
        elif b == US:
            self._us = True
        else:
            self.console.append(b)

    def _gdb_byte(self, b: int) -> None:
        if self._packet == 0 and b not in b"+-$":
            return
        self.packets.append(b)
        if b == ord("$"):
            self._packet = -1
        elif self._packet < 0:
            self._packet = 2 if b == ord("#") else -1
        elif self._packet > 0:
            self._packet -= 1

    def feed(self, data: bytes) -> None:
        for b in data:
            self._byte(b)


class Mux:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.split = Splitter()
        self.child = subprocess.Popen(args.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, start_new_session=True)
        self.log: Optional[BinaryIO] = open(args.log, "wb") if args.log else None
        self.server = socket.create_server(("127.0.0.1", args.port))
        self.client: Optional[socket.socket] = None
        self.waiting = bytearray()  # what gdb has said before the line was its own
        self.was_gdb = False
        self.left = 0.0             # when gdb went without a word
        self.select = selectors.DefaultSelector()

    def type(self, data: bytes) -> None:
        assert self.child.stdin is not None
        try:
            self.child.stdin.write(data)
            self.child.stdin.flush()
        except OSError:
            pass

    def output(self, data: bytes) -> None:
        if self.log:
            self.log.write(data)
            self.log.flush()
        self.split.feed(data)
        if self.split.gdb and not self.was_gdb:
            self.type(bytes(self.waiting))
            self.waiting.clear()
        self.was_gdb = self.split.gdb
        if self.args.records:
            for record in self.split.records:
                os.write(1, record)
        self.split.records.clear()
        if self.split.console:
            os.write(1, bytes(self.split.console))
            self.split.console.clear()
        if self.split.packets:
            if self.client:
                try:
                    self.client.sendall(bytes(self.split.packets))
                except OSError:
                    self.drop()
            self.split.packets.clear()

    def accept(self) -> None:
        client, _ = self.server.accept()
        if self.client:
            client.close()  # one gdb at a time
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client = client
        self.select.register(client, selectors.EVENT_READ)
        self.type(b"\x15gdb\r" if self.split.prompt else ESCAPE + b"g")

    def drop(self) -> None:
        """gdb is gone: if it did not detach, a BREAK gives the line back to the monitor (see loop())."""
        if self.client:
            self.select.unregister(self.client)
            self.client.close()
        self.client = None
        self.waiting.clear()
        self.left = time.monotonic()

    def gdb_says(self) -> None:
        assert self.client is not None
        try:
            data = self.client.recv(4096)
        except OSError:
            data = b""
        if not data:
            self.drop()
        elif self.split.gdb:
            # Ctrl-A is QEMU's own key on this line.
            self.type(data.replace(b"\x01", b"\x01\x01"))
        else:
            self.waiting += data

    def keyboard(self) -> bool:
        data = os.read(0, 4096)
        if data and self.split.gdb:
            os.write(2, b"\a[hvmux: gdb has the line; detach it first]\r\n")
        elif data:
            self.type(data)
        return bool(data)

    def loop(self) -> int:
        assert self.child.stdout is not None
        out = self.child.stdout.fileno()
        self.select.register(out, selectors.EVENT_READ)
        self.select.register(self.server, selectors.EVENT_READ)
        try:
            self.select.register(0, selectors.EVENT_READ)
        except (PermissionError, ValueError):
            pass  # a file as stdin: nothing to wait for
        while True:
            events = self.select.select(GRACE if self.left else None)
            if self.left and time.monotonic() - self.left >= GRACE:
                if self.split.gdb and not self.client:
                    self.type(BREAK)
                self.left = 0.0
            for key, _ in events:
                if key.fileobj == out:
                    data = os.read(out, 65536)
                    if not data:
                        return self.child.wait()
                    self.output(data)
                elif key.fileobj is self.server:
                    self.accept()
                elif key.fileobj == 0:
                    if not self.keyboard():
                        self.select.unregister(0)
                elif key.fileobj is self.client:
                    self.gdb_says()

    def close(self) -> None:
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGTERM)
            self.child.wait()
        if self.client:
            self.client.close()
        self.server.close()
        if self.log:
            self.log.close()


def main() -> int:
    parser = argparse.ArgumentParser(description="one line into console, log file and gdb port")
    parser.add_argument("--port", type=int, default=1234, help="gdb's TCP port on 127.0.0.1 (1234)")
    parser.add_argument("--log", metavar="FILE", help="every byte of the line, for tools/log_decode.py")
    parser.add_argument("--records", action="store_true", help="show records on the console, too")
    parser.add_argument("command", nargs="+", help="what runs the machine, behind --")
    try:
        mux = Mux(parser.parse_args())
    except OSError as e:
        print(f"hvmux: {e}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))  # through finally: the machine goes with us
    saved = termios.tcgetattr(0) if os.isatty(0) else None
    if saved is not None:
        tty.setraw(0)
    try:
        return mux.loop()
    except KeyboardInterrupt:
        return 130
    finally:
        if saved is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
        mux.close()


if __name__ == "__main__":
    sys.exit(main())
