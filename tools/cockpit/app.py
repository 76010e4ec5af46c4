# SPDX-License-Identifier: Apache-2.0
"""The loop: bytes from the machine into the state, keys to the machine, the screen at most some times a second."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import termios
import time
import tty
from pathlib import Path
from typing import Any, BinaryIO, List, Optional

import urwid

from hvl.files import UsageError
from hvl.rules import Places
from hvl.symbols import Symbols
from hvmux import Machine, open_log, put

from .desk import PALETTE, Desk
from .keys import Typist
from .proposal import ROOT, Proposal, evidence, policy_name, read
from .state import Item, State
from .web import Web

_CHUNK = 1 << 16
_BUSY, _PAUSE = 0.06, 0.01      # seconds of work on a flood, and for keys and screen in between
_GATHER = 0.02                  # seconds in which more may come before the screen is drawn
_IDLE = 0.05                    # seconds without input after which held text is shown
_TICK = 0.5
_LATEST = 30                    # seconds that a proposal may take


class Cockpit:
    def __init__(self, command: List[str], places: Places, symbols: Optional[Symbols], log: Optional[str], append: bool,
                 kept: Optional[str], web: Optional[int]) -> None:
        self._log: Optional[BinaryIO] = open_log(log, append) if log else None
        self.state = State(places, symbols)
        self.web: Optional[Web] = None
        if web is not None:
            seen = kept or log
            if seen is None:
                raise UsageError("--web: the report is of a log: --log or --kept")
            try:
                self.web = Web(seen, lambda: self.state.session.records > 0, web)
            except OSError as error:
                raise UsageError(f"port {web}: {os.strerror(error.errno or 0)}") from None
        self.typist = Typist(self.state)
        self.machine = Machine(command)
        os.set_blocking(self.machine.out, False)
        self.desk = Desk(self.state, self.typist, self._type, self._propose, self._leave)
        if self.web is not None:
            self.desk.message = f"the report: {self.web.address}"
        self.loop = urwid.MainLoop(self.desk, PALETTE, handle_mouse=False, event_loop=urwid.SelectEventLoop())
        self.loop.screen.register_palette(PALETTE)
        self.caught: List[int] = []     # signals
        self._watch: Any = None
        self._last = 0.0                # when something came
        self._asked: Optional["subprocess.Popen[bytes]"] = None

    def run(self) -> None:
        self._guard()
        saved = termios.tcgetattr(0)
        self._listen()
        self.loop.set_alarm_in(_TICK, self._tick)
        try:
            with self.loop.start():
                tty.setraw(0, termios.TCSANOW)      # no key is a signal, or holds the screen
                self.loop.event_loop.run()
        except urwid.ExitMainLoop:
            pass
        finally:
            termios.tcsetattr(0, termios.TCSAFLUSH, saved)

    def _guard(self) -> None:
        """A signal that ends the cockpit leaves by the same way as F10, so that the terminal is as it was: its handler only
        notes it, and a byte wakes the loop."""
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: self.caught.append(number))
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

        def look() -> None:
            os.read(woken, _CHUNK)      # other signals, as of a new size, wake too
            if self.caught:
                self._leave()
        self.loop.watch_file(woken, look)

    def close(self) -> int:
        if self._asked is not None and self._asked.poll() is None:
            self._asked.kill()
            self._asked.wait()
        status = self.machine.end()
        if self.web is not None:
            self.web.close()
        if self._log is not None:
            self._log.close()
        return status

    # --- from the machine -------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._watch = self.loop.watch_file(self.machine.out, self._readable)

    def _readable(self) -> None:
        self.loop.remove_watch_file(self._watch)
        self.loop.set_alarm_in(_GATHER, self._drain)

    def _drain(self, *_: Any) -> None:
        end = time.monotonic() + _BUSY
        while True:
            try:
                data = os.read(self.machine.out, _CHUNK)
            except BlockingIOError:
                self._listen()
                self.loop.set_alarm_in(_IDLE, self._quiet)
                break
            if not data:
                self._ended()
                break
            if self._log is not None:
                put(self._log.fileno(), data)
            self.state.feed(data)
            self._last = time.monotonic()
            if self._last > end:
                self.loop.set_alarm_in(_PAUSE, self._drain)
                break
        self._renew()

    def _quiet(self, *_: Any) -> None:
        if time.monotonic() - self._last >= _IDLE / 2 and self.state.ended is None:
            self.state.idle()
            self._renew()

    def _ended(self) -> None:
        status = self.machine.wait()
        how = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
        self.state.finish(how)
        self.desk.message = f"the machine has {how}; F10 leaves"

    def _renew(self) -> None:
        self._type(self.typist.next())
        self.desk.changed()

    def _tick(self, *_: Any) -> None:
        self.loop.set_alarm_in(_TICK, self._tick)
        self.state.sample(time.monotonic())
        self.machine.type_on()
        self.desk.changed()

    # --- to the machine ---------------------------------------------------------------------------------------------

    def _type(self, data: bytes) -> None:
        if data and self.state.ended is None:
            # Ctrl-A is QEMU's own key on this line; a BREAK (Ctrl-A b) is this program's.
            self.machine.type(data if data == b"\x01b" else data.replace(b"\x01", b"\x01\x01"))
            if self.machine.untyped:
                self.loop.set_alarm_in(_GATHER, lambda *_: self.machine.type_on())

    def _leave(self) -> None:
        raise urwid.ExitMainLoop()

    # --- proposals --------------------------------------------------------------------------------------------------

    def _propose(self, item: Item) -> Optional[str]:
        """Why there can be none; otherwise it comes."""
        name = policy_name(self.state)
        if self._asked is not None:
            return "one is on its way"
        if not item.refused():
            return "this was not refused"
        if name is None or self.state.header is None:
            return "the log does not say which policy ran"
        if not (ROOT / "policygen" / "__main__.py").is_file():
            return "policygen is not beside this program"
        with tempfile.TemporaryFile() as log:
            log.write(evidence(self.state, item))
            log.seek(0)
            process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("ask_policygen.py")), name, "-"], cwd=ROOT,
                                       stdin=log, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self._asked = process
        assert process.stdout is not None and process.stderr is not None
        os.set_blocking(process.stdout.fileno(), False)
        answer, watch = bytearray(), []     # type: bytearray, List[Any]
        late = self.loop.set_alarm_in(_LATEST, lambda *_: process.kill())

        def more() -> None:
            assert process.stdout is not None and process.stderr is not None
            data = os.read(process.stdout.fileno(), _CHUNK)
            answer.extend(data)
            if not data:
                self.loop.remove_watch_file(watch[0])
                self.loop.remove_alarm(late)
                errors = process.stderr.read()
                process.wait()
                self._asked = None
                self._proposed(read(bytes(answer), errors))
        watch.append(self.loop.watch_file(process.stdout.fileno(), more))
        return None

    def _proposed(self, proposal: Proposal) -> None:
        self.desk.proposed(proposal)
