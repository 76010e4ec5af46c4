# SPDX-License-Identifier: Apache-2.0
"""The live report in a browser without a window, and what the server refuses."""
from __future__ import annotations

import http.client
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, Tuple

import pytest
from chrome import Browser
from encoder import Encoder

from cockpit.web import Web

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(name="served")
def _served(tmp_path: Path) -> Iterator[Tuple[Web, Encoder, Path]]:
    log = Encoder()
    log.header()
    log.decision(3, "msr.r PMCR_EL0")
    path = tmp_path / "uart.log"
    path.write_bytes(log.bytes())
    web = Web(str(path), lambda: True)
    yield web, log, path
    web.close()


def get(web: Web, path: str, host: str = "") -> Tuple[int, bytes, http.client.HTTPMessage]:
    port = int(web.address.rstrip("/").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.msg


def test_the_page_is_that_of_html(served: Tuple[Web, Encoder, Path]) -> None:
    web, _, path = served
    page = subprocess.run([sys.executable, str(ROOT / "tools/log_decode.py"), "html", "-o", "-", str(path)], check=True,
                          stdout=subprocess.PIPE).stdout
    status, text, head = get(web, "/")
    assert status == 200 and text == page + b"<script src='/live.js'></script>"
    assert "script-src 'self'" in head["Content-Security-Policy"] and "unsafe-inline" not in \
        head["Content-Security-Policy"].partition("script-src")[2].partition(";")[0]
    port = web.address.rstrip("/").rpartition(":")[2]
    assert get(web, "/", f"localhost:{port}")[0] == 200
    assert get(web, "/", f"evil.example:{port}")[0] == 421      # a name that was bound anew to this address
    assert get(web, "/../uart.log")[0] == 404 and get(web, "/etc/passwd")[0] == 404


def test_without_a_record_the_page_says_so(tmp_path: Path) -> None:
    (tmp_path / "uart.log").write_bytes(b"an old log")
    web = Web(str(tmp_path / "uart.log"), lambda: False)
    try:
        assert b"No record yet" in get(web, "/")[1]
    finally:
        web.close()


def test_a_browser_sees_the_log_grow_and_keeps_what_was_opened(served: Tuple[Web, Encoder, Path], tmp_path: Path) -> None:
    web, log, path = served
    with Browser(tmp_path / "home", web.address) as browser:
        def until(expression: str) -> None:
            for _ in range(1500):
                if browser.value(expression):
                    return
                time.sleep(0.2)
            raise AssertionError((expression, browser.value("document.body.innerText")))
        until("document.body && document.body.innerText.includes('PMCR_EL0')")
        assert not browser.value("document.body.innerText.includes('PMCCNTR_EL0')")
        browser.value("document.querySelector('details').open = true; window.mine = 1")
        log.decision(3, "msr.r PMCCNTR_EL0")
        path.write_bytes(log.bytes())
        until("document.body.innerText.includes('PMCCNTR_EL0')")
        assert browser.value("window.mine") == 1                 # the same page
        assert browser.value("Array.from(document.querySelectorAll('details')).filter(d => d.open).length") == 1
        assert int(browser.value("document.documentElement.dataset.renewed")) >= 1
        log.decision(3, "msr.r PMINTENSET_EL1")
        path.write_bytes(log.bytes())
        until("document.body.innerText.includes('PMINTENSET_EL1')")
        assert browser.value("document.scripts.length") == 0
