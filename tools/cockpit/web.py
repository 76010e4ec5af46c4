# SPDX-License-Identifier: Apache-2.0
"""The decoder's report of a log that grows, on the loopback: the page of `html`, made again when there is more, and an event
stream that says so. Nothing can be changed through it."""
from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable, Optional, Tuple

DECODER = Path(__file__).resolve().parents[1] / "log_decode.py"
_READERS = 8            # event streams at a time
_LOOK = 0.5             # seconds between two looks at the log
_SHARE = 4              # a page is made at most a quarter of the time
_SILENCE = 15.0         # seconds after which an empty remark shows that the reader is gone
_POLICY = ("default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; "
           "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
_TAG = b"<script src='/live.js'></script>"
_WAITING = (b"<!doctype html><html lang=en><meta charset=utf-8><title>Charter: what the hypervisor decided</title>"
            b"<body><p role=status>No record yet.</p>")
# The page keeps its place, and what was opened stays open.
_SCRIPT = b"""'use strict';
let busy = false, again = false;
const key = d => d.querySelector('summary') ? d.querySelector('summary').textContent : '';
async function renew() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch('/');
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const open = new Set(Array.from(document.querySelectorAll('details[open]'), key));
      page.querySelectorAll('details').forEach(d => { if (open.has(key(d))) d.open = true; });
      page.querySelectorAll('script').forEach(s => s.remove());
      const x = window.scrollX, y = window.scrollY;
      document.head.replaceChildren(...page.head.childNodes);
      document.body.replaceChildren(...page.body.childNodes);
      window.scrollTo(x, y);
      document.documentElement.dataset.renewed = Number(document.documentElement.dataset.renewed || 0) + 1;
    }
  } finally { busy = false; }
  if (again) { again = false; renew(); }
}
new EventSource('/events').onmessage = renew;
"""


class Page:
    """The report of the log as it is now; one is made at a time, and kept until the log has grown."""

    def __init__(self, log: str, begun: Callable[[], bool]) -> None:
        self._log, self._begun = log, begun
        self._lock = threading.Lock()
        self._made: Tuple[int, bytes] = (-1, b"")
        self._not_before = 0.0

    def size(self) -> int:
        """Of what there is to show; 0: nothing yet."""
        try:
            return os.path.getsize(self._log) if self._begun() else 0
        except OSError:
            return 0

    def due(self) -> bool:
        return time.monotonic() >= self._not_before

    def text(self) -> bytes:
        with self._lock:
            size = self.size()
            if size == self._made[0] or self._made[1] and not self.due():
                return self._made[1]
            if not size:
                return _WAITING + _TAG
            begin = time.monotonic()
            done = subprocess.run([sys.executable, str(DECODER), "html", "-o", "-", self._log], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
            end = time.monotonic()
            self._not_before = end + _SHARE * (end - begin)
            if done.returncode in (0, 3, 4, 5) and done.stdout:
                self._made = size, done.stdout + _TAG
            return self._made[1] or _WAITING + _TAG


class Web:
    """Serves until it is closed. `address` is what to open."""

    def __init__(self, log: str, begun: Callable[[], bool], port: int = 0) -> None:
        page, closed, readers = Page(log, begun), threading.Event(), threading.Semaphore(_READERS)
        hosts = set()

        class Handler(BaseHTTPRequestHandler):
            server_version, sys_version = "Charter", ""
            timeout = 30

            def log_message(self, format: str, *args: object) -> None:
                pass            # the terminal is the cockpit's

            def do_GET(self) -> None:
                if self.headers.get("Host", "") not in hosts:       # another name may be a page of somebody else's
                    self.send_error(421)
                elif self.path == "/":
                    self._answer("text/html; charset=utf-8", page.text())
                elif self.path == "/live.js":
                    self._answer("text/javascript; charset=utf-8", _SCRIPT)
                elif self.path == "/events":
                    self._events()
                else:
                    self.send_error(404)

            def _head(self, kind: str, size: Optional[int]) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                if size is not None:
                    self.send_header("Content-Length", str(size))
                for name, value in (("Cache-Control", "no-store"), ("Content-Security-Policy", _POLICY),
                                    ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
                                    ("Cross-Origin-Resource-Policy", "same-origin")):
                    self.send_header(name, value)
                self.end_headers()

            def _answer(self, kind: str, data: bytes) -> None:
                try:
                    self._head(kind, len(data))
                    self.wfile.write(data)
                except OSError:
                    pass        # the reader is gone

            def _events(self) -> None:
                if not readers.acquire(blocking=False):
                    self.send_error(503)
                    return
                try:
                    self._head("text/event-stream", None)
                    told, last = -1, time.monotonic()
                    while not closed.wait(_LOOK):
                        size, now = page.size(), time.monotonic()
                        if size and size != told and page.due():
                            self.wfile.write(b"data: %d\n\n" % size)
                            told, last = size, now
                        elif now - last > _SILENCE:
                            self.wfile.write(b": \n\n")
                            last = now
                except OSError:
                    pass
                finally:
                    readers.release()

        self._closed = closed
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        port = self._server.server_address[1]
        hosts.update({f"127.0.0.1:{port}", f"localhost:{port}"})
        self.address = f"http://127.0.0.1:{port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
