# SPDX-License-Identifier: Apache-2.0
"""Chromium without a window, asked over its debugging pipe; and Chrome's trace viewer, which it has no more: Go's tools
bring it along (Debian's golang-src)."""
from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, List

BROWSER = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
PAGE = ('<!doctype html><script src="webcomponents.min.js"></script><link rel="import" href="trace_viewer_full.html">')
LOOK = """(function() {
  const model = new tr.Model(), options = new tr.importer.ImportOptions();
  options.shiftWorldToZero = options.pruneEmptyContainers = options.showImportWarnings = false;
  new tr.importer.Import(model, options).importTraces([%s]);
  const threads = {};
  for (const thread of model.getAllThreads()) {
    const slices = thread.sliceGroup.slices;
    threads[thread.name] = {
      slices: slices.length, top: thread.sliceGroup.topLevelSlices.length,
      out: slices.filter(s => s.parentSlice && (s.start < s.parentSlice.start || s.end > s.parentSlice.end)).length };
  }
  const counters = [].concat(...model.getAllProcesses().map(p => Object.keys(p.counters)));
  return { warnings: model.importWarnings.map(w => w.type + ": " + w.message), threads, counters,
           processes: model.getAllProcesses().map(p => p.name), from: model.bounds.min, to: model.bounds.max };
})()"""


def viewer() -> List[Path]:
    """The folder with Chrome's trace viewer, if it is installed."""
    return [path.parent for path in sorted(Path("/usr/share").glob("go-1*/src/**/trace_viewer_full.html"))]


class Browser:
    """One page."""

    def __init__(self, home: Path, page: "Path | str") -> None:
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()

        def pipes() -> None:            # the protocol is spoken on descriptors 3 and 4
            read, write = os.dup(to_read), os.dup(to_write)
            os.dup2(read, 3)
            os.dup2(write, 4)
        self._process = subprocess.Popen([*BROWSER, "--allow-file-access-from-files", f"--user-data-dir={home}",
                                          "--remote-debugging-pipe"], close_fds=False, preexec_fn=pipes,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self._rest, self._number, self._session = b"", 0, ""
        target = self._ask("Target.createTarget", url=page if isinstance(page, str) else page.as_uri())["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def _ask(self, method: str, **params: Any) -> Dict[str, Any]:
        self._number += 1
        message: Dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data):]
        end = time.monotonic() + 300
        while True:
            while b"\0" in self._rest:
                text, _, self._rest = self._rest.partition(b"\0")
                answer = json.loads(text)
                if answer.get("id") == self._number:
                    return dict(answer["result"])
            assert select.select([self._from], [], [], end - time.monotonic())[0], "Chromium does not answer"
            self._rest += os.read(self._from, 1 << 16)

    def look_like(self, width: int, dark: bool) -> None:
        """A page of that width, for a person who likes it dark or light."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def value(self, expression: str) -> Any:
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")


def look(folder: Path, trace: bytes) -> Dict[str, Any]:
    """Chrome's viewer's reading of a trace."""
    source, = viewer()[-1:]
    for name in ("trace_viewer_full.html", "webcomponents.min.js"):
        shutil.copy(source / name, folder / name)
    (folder / "page.html").write_text(PAGE)
    with Browser(folder / "home", folder / "page.html") as browser:
        for _ in range(600):
            if browser.value("typeof tr == 'object' && !!tr.importer && !!tr.importer.Import && !!tr.Model"):
                break
            time.sleep(0.2)
        return dict(browser.value(LOOK % json.dumps(trace.decode())))
