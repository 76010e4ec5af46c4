#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Splits the hypervisor's one line: console on this terminal, everything in a log file, gdb on a loopback TCP port.

    tools/hvmux.py [--port 1234] [--log uart.log] [--records] -- make run

Then, elsewhere: gdb-multiarch -ex 'target remote :1234'. Standard library only.
"""
from __future__ import annotations

import argparse
import fcntl
import os
import selectors
import signal
import socket
import subprocess
import sys
import termios
import time
import tty
from pathlib import Path
from typing import BinaryIO, List, Optional

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hvl.entry import Parser, guarded  # noqa: E402
from hvl.escape import terminal  # noqa: E402
from hvl.files import UsageError, complaint  # noqa: E402

RS, US, ESCAPE = 0x1E, 0x1F, b"\x1d"
BREAK = b"\x01b"  # the key of QEMU's console for a BREAK
RECORD_MAX = 2048
GRACE = 1.0  # seconds for the answer to a detach
BREAKS = 4                  # of a machine that stays in gdb mode
EARLY = 1 << 16     # bytes that gdb may send before it has the line
UNREAD = 1 << 20    # bytes that may wait for a gdb that does not read
UNTYPED = 1 << 16   # bytes that may wait for the machine; senders of more are not read until it has taken them


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


def open_log(name: str, append: bool) -> BinaryIO:
    """The log: a new file, or an old one to be continued; never one that another machine writes into."""
    try:
        log = open(name, "ab", buffering=0)
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"{terminal(name)}: another hvmux writes this log") from None
    except (OSError, ValueError) as error:
        raise complaint(name, error) from None
    if log.seekable() and log.tell() and not append:
        raise UsageError(f"{terminal(name)}: exists; name another file, or go on in this one with --append")
    return log


class Machine:
    """The command that runs the machine: a process group of its own, whose console is a pair of pipes that never block."""

    def __init__(self, command: List[str]) -> None:
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       start_new_session=True)
        assert self._child.stdin is not None and self._child.stdout is not None
        self.into, self.out = self._child.stdin.fileno(), self._child.stdout.fileno()
        os.set_blocking(self.into, False)
        self.untyped = bytearray()  # bytes that the machine has not taken yet

    def type(self, data: bytes) -> None:
        self.untyped += data
        self.type_on()

    def type_on(self) -> None:
        try:
            del self.untyped[:os.write(self.into, self.untyped)]
        except BlockingIOError:
            pass
        except OSError:
            self.untyped.clear()    # the machine has ended, or has closed its input

    def wait(self) -> int:
        return self._child.wait()

    def end(self) -> int:
        """Its status; it is ended if it has not."""
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGTERM)
            try:
                self._child.wait(GRACE * 5)
            except subprocess.TimeoutExpired:
                os.killpg(self._child.pid, signal.SIGKILL)
        return self._child.wait()


class Mux:
    """Refuses what it can before the machine starts, and before any file of an older run is touched."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.split = Splitter()
        try:
            self.server = socket.create_server(("127.0.0.1", args.port))
        except OSError as error:
            raise UsageError(f"port {args.port}: {os.strerror(error.errno or 0)}") from None
        self.server.setblocking(False)
        self.log: Optional[BinaryIO] = open_log(args.log, args.append) if args.log else None
        self.client: Optional[socket.socket] = None
        self.early = bytearray()    # bytes from gdb before it has the line
        self.unread = bytearray()   # packets that gdb has not taken yet
        self.was_gdb = False
        self.left = 0.0             # when gdb went without a detach
        self.breaks = 0             # sent since then
        self.keys = True            # a person may type
        self.machine = Machine(args.command)
        self.type = self.machine.type
        self.select = selectors.DefaultSelector()

    # --- from the machine ----------------------------------------------------------------------------------

    def output(self, data: bytes) -> None:
        if self.log:
            put(self.log.fileno(), data)
        self.split.feed(data)
        if self.split.gdb and not self.was_gdb:
            self.type(bytes(self.early))
            self.early.clear()
        self.was_gdb = self.split.gdb
        if self.args.records:
            for record in self.split.records:
                put(1, terminal(record.rstrip().decode("utf-8", "backslashreplace")).encode() + b"\r\n")
        self.split.records.clear()
        put(1, self.split.console)
        self.split.console.clear()
        if self.client:
            self.unread += self.split.packets
            self.send_on()
        self.split.packets.clear()

    # --- gdb -----------------------------------------------------------------------------------------------

    def accept(self) -> None:
        try:
            client, _ = self.server.accept()
        except OSError:
            return          # gdb has gone again
        if self.client:
            client.close()  # one gdb at a time
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client = client
        self.type(b"\x15gdb\r" if self.split.prompt else ESCAPE + b"g")

    def drop(self, why: str = "") -> None:
        """gdb is gone: without a detach, a BREAK gives the line back to the monitor (see loop())."""
        if why:
            os.write(2, f"\a[hvmux: gdb is cut off: {why}]\r\n".encode())
        if self.client:
            if self.client.fileno() in self.select.get_map():
                self.select.unregister(self.client)     # the next file may get its number
            self.client.close()
        self.client = None
        self.early.clear()
        self.unread.clear()
        self.left = time.monotonic()

    def send_on(self) -> None:
        assert self.client is not None
        try:
            del self.unread[:self.client.send(self.unread)]
        except BlockingIOError:
            pass
        except OSError:
            self.drop()
        if len(self.unread) > UNREAD:
            self.drop(f"it has not read {UNREAD} bytes")

    def gdb_says(self) -> None:
        assert self.client is not None
        try:
            data = self.client.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.drop()
        elif self.split.gdb:
            # Ctrl-A is QEMU's own key on this line.
            self.type(data.replace(b"\x01", b"\x01\x01"))
        elif len(self.early) > EARLY:
            self.drop(f"it said more than {EARLY} bytes before the line was its own")
        else:
            self.early += data

    # --- the console ---------------------------------------------------------------------------------------

    def keyboard(self) -> None:
        data = os.read(0, 4096)
        if not data:
            self.keys = False
        elif self.split.gdb:
            os.write(2, b"\a[hvmux: gdb has the line; detach it first]\r\n")
        else:
            self.type(data)

    def listen(self) -> None:
        """Sources that are read: none whose bytes would only pile up."""
        machine = self.machine
        wanted = {machine.out: selectors.EVENT_READ}
        room = len(machine.untyped) < UNTYPED
        if room:
            wanted[self.server.fileno()] = selectors.EVENT_READ
        if machine.untyped:
            wanted[machine.into] = selectors.EVENT_WRITE
        if self.keys and room:
            wanted[0] = selectors.EVENT_READ
        if self.client:
            events = (selectors.EVENT_READ if room else 0) | (selectors.EVENT_WRITE if self.unread else 0)
            if events:
                wanted[self.client.fileno()] = events
        known = {key.fd: key.events for key in self.select.get_map().values()}
        for fd in known:
            if known[fd] != wanted.get(fd):
                self.select.unregister(fd)
        for fd, events in wanted.items():
            if known.get(fd) != events:
                try:
                    self.select.register(fd, events)
                except (PermissionError, ValueError):
                    self.keys = False       # a file as stdin never blocks

    def loop(self) -> int:
        while True:
            self.listen()
            events = self.select.select(GRACE if self.left else None)
            if self.left and time.monotonic() - self.left >= GRACE:
                # The first one stops a guest that runs, the next one ends gdb mode.
                again = self.split.gdb and not self.client and self.breaks < BREAKS
                if again:
                    self.type(BREAK)
                self.breaks = self.breaks + 1 if again else 0
                self.left = time.monotonic() if again else 0.0
            for key, event in events:
                if key.fd == self.machine.out:
                    data = os.read(self.machine.out, 65536)
                    if not data:
                        return self.machine.wait()
                    self.output(data)
                elif key.fd == self.machine.into:
                    self.machine.type_on()
                elif key.fd == self.server.fileno():
                    self.accept()
                elif key.fd == 0:
                    self.keyboard()
                elif self.client and key.fd == self.client.fileno():
                    if event & selectors.EVENT_WRITE:
                        self.send_on()
                    if self.client and event & selectors.EVENT_READ:
                        self.gdb_says()

    def close(self) -> None:
        self.machine.end()
        if self.client:
            self.client.close()
        self.server.close()
        if self.log:
            self.log.close()


def put(fd: int, data: bytes) -> None:
    """The whole of one run."""
    view = memoryview(bytes(data))
    while view:
        view = view[os.write(fd, view):]


def port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"'{text}' is no port")
    return int(text)


def run(argv: List[str]) -> int:
    parser = Parser(prog="hvmux.py", description="one line into console, log file and gdb port")
    parser.add_argument("--port", type=port, default=1234, help="gdb's TCP port on 127.0.0.1 (1234)")
    parser.add_argument("--log", metavar="FILE", help="every byte of the line, for tools/log_decode.py")
    parser.add_argument("--append", action="store_true", help="go on in a log that exists")
    parser.add_argument("--records", action="store_true", help="show records on the console, too")
    parser.add_argument("command", nargs="+", help="what runs the machine, behind --")
    mux = Mux(parser.parse_args(argv))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))  # runs `finally`: the machine ends with this process
    saved = termios.tcgetattr(0) if os.isatty(0) else None
    if saved is not None:
        tty.setraw(0)
    try:
        return mux.loop()
    finally:
        if saved is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
        mux.close()


if __name__ == "__main__":
    sys.exit(guarded("hvmux", run, sys.argv[1:]))
