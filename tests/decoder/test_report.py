# SPDX-License-Identifier: Apache-2.0
"""The report in a browser: refusals first, links both ways, any width, dark and light, by axe's rules for people with a screen
reader or a keyboard alone."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest
from chrome import Browser
from encoder import Encoder

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/policygen"))
from npm_packages import npm_packages  # noqa: E402

DEBIAN = "\nID=debian\n" in "\n" + Path("/etc/os-release").read_text(encoding="utf-8")
pytestmark = pytest.mark.skipif(not DEBIAN, reason="only Debian has a Chromium that is a package like others")
RULES = {"policy": "strict", "hash": "3b1c77aa00000000", "sources": [
    {"file": "policy/strict.yaml", "sha256": "0" * 64,
     "text": "sysregs:\n  PMCR_EL0: deny\n  default: deny\n" + "# a line\n" * 30}],
    "rules": [
        {"rule": 31, "place": "policy/strict.yaml:2", "text": "PMCR_EL0: { do: deny }", "section": "sysregs", "name": "PMCR_EL0",
         "why": "counters are a side channel"},
        {"rule": 32, "place": "policy/strict.yaml:3", "text": "default: deny", "section": "sysregs", "name": "default"},
        {"rule": 40, "place": "policy/parent.yaml:9", "text": "HV: allow", "section": "hvc", "name": "HV"}]}


@pytest.fixture(scope="module", name="page")
def _page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "rules.json").write_text(json.dumps(RULES), encoding="utf-8")
    (folder / "f.map").write_text("0000000040000f00 T a_function_with_a_long_name_that_asks\n", encoding="utf-8")
    log = Encoder(policy="strict#3b1c77aa")
    for _ in range(2):
        log.header()
        log.guest(b"<b>the guest's console</b>\r\n")
        for n in range(60):
            rule = [31, 31, 32, 40][n % 4]
            log.decision(rule, {31: "msr.r PMCR_EL0", 32: "msr.w ACTLR_EL1=0x1", 40: "hvc 0x3 x1=0x0"}[rule],
                         "ALLOW" if rule == 40 else "DENY", n * 10)
            log.now += 10_000_000
        log.record("P", "rule=r31 field=verdict old=DENY new=WOULD by=monitor hash=00000000")
        log.trailer()
        log.reboot()
    (folder / "uart.log").write_bytes(log.bytes())
    subprocess.run([sys.executable, str(ROOT / "tools/log_decode.py"), "html", "--policy", str(folder / "rules.json"), "--map",
                    str(folder / "f.map"), "-o", str(folder / "r.html"), str(folder / "uart.log")], check=True)
    return folder / "r.html"


@pytest.fixture(scope="module", name="browser")
def _browser(page: Path) -> Iterator[Browser]:
    with Browser(page.parent / "home", page) as browser:
        while not browser.value("document.readyState == 'complete' && document.querySelectorAll('h1').length == 2"):
            pass
        yield browser


def test_refusals_come_first_with_reason_function_and_change(browser: Browser) -> None:
    heads = browser.value("Array.from(document.querySelectorAll('h2'), h => h.textContent)")
    assert heads[0] == "Changed by the operator" and heads[1] == "Refused: 45, by 2 lines of the policy"
    text = browser.value("document.querySelector('.group').innerText")
    for said in ("30 times", "r31 policy/strict.yaml:2", "PMCR_EL0: { do: deny }", "counters are a side channel",
                 "PMCR_EL0 r DENY 30 times, by a_function_with_a_long_name_that_asks (30)", "in that line: `PMCR_EL0: allow`"):
        assert said in text, (said, text)


def test_links_lead_somewhere_and_back(page: Path, browser: Browser) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r" id='([^']*)'", text)
    links = re.findall(r"href='#([^']*)'", text)
    assert len(set(targets)) == len(targets) and set(links) <= set(targets) and len(links) > 20
    browser.value("location.hash = document.querySelector('.group a').hash")
    assert browser.value("document.querySelector(':target').innerText").split("\t")[-1].strip() == "PMCR_EL0: deny"
    browser.value("location.hash = document.querySelector(':target a').hash")
    assert "r31 policy/strict.yaml:2" in browser.value("document.querySelector(':target').innerText")
    browser.value("location.hash = document.querySelector(':target a').hash")
    assert "PMCR_EL0: deny" in browser.value("document.querySelector(':target').innerText")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_for_everybody(width: int, dark: bool, browser: Browser) -> None:
    browser.look_like(width, dark)
    browser.value("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert browser.value("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    assert browser.value("document.documentElement.scrollWidth") <= width, "nothing is wider than the page"
    if not browser.value("typeof axe == 'object'"):
        browser.value((npm_packages() / "axe-core/axe.min.js").read_text(encoding="utf-8") + ";0")
    found = browser.value("""axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}).then(r => ({
        passes: r.passes.map(p => p.id),
        broken: r.violations.map(v => [v.id, v.help, v.nodes.length, v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))])}))""")
    assert not found["broken"], json.dumps(found["broken"], indent=1)
    assert {"color-contrast", "html-has-lang", "document-title", "scrollable-region-focusable"} & set(found["passes"]) >= {
        "color-contrast", "html-has-lang", "document-title"}
