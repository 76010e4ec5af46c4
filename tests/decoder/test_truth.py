# SPDX-License-Identifier: Apache-2.0
"""Nothing that a view shows did not happen, and nothing that happened is silent."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from encoder import Encoder
from hvl import rules as rules_module
from test_cli import run

TEXT = ["policy: 1", "sysregs:", "  PMCR_EL0: deny", "mmio:", "  uart0: emulate"]
PLACES = {3: "PMCR_EL0: deny", 5: "uart0: emulate"}


def rules_of(path: Path, lines: List[str] = TEXT, sign: bool = True, more: Optional[Dict[str, Any]] = None) -> str:
    """A rules.json as policygen writes it, with the text of the policy; returns its wording."""
    text = "\n".join(lines)
    said: Dict[str, Any] = {
        "rules": [{"rule": n, "place": f"policy/gone.yaml:{line}", "text": what, "why": None,
                   "section": "sysregs" if line == 3 else "mmio", "name": what.partition(":")[0]}
                  for n, (line, what) in enumerate(PLACES.items())],
        "sources": [{"file": "policy/gone.yaml", "sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text}]}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:8]
    path.write_text(json.dumps({"policy": "gone", "hash": "3b1c77aa00112233", "wording": digest, **said,
                                **(more or {})}))
    return digest


def html(path: Path, *more: str) -> str:
    done = run("html", *more, str(path))
    assert done.returncode == 0, done
    return done.stdout.decode()


# --- the policy that ran ----------------------------------------------------------------------------------

def test_the_report_shows_the_text_that_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It travels with the rules, and the tree of today has no say in it."""
    encoder = Encoder(policy="gone#3b1c77aa", wording=rules_of(tmp_path / "rules.json"))
    encoder.header()
    for _ in range(7):
        encoder.decision(0, "msr.r PMCR_EL0")
    encoder.trailer()
    log = tmp_path / "uart.log"
    log.write_bytes(encoder.bytes())
    text = html(log, "--policy", str(tmp_path / "rules.json"))
    assert "<tr class='refused'><td class=n>7<td class=n>3<td>  PMCR_EL0: deny</tr>" in text
    source = rules_module.Rules(tmp_path / "rules.json").sources[0]
    assert source.today() is None
    monkeypatch.setattr(rules_module, "ROOT", tmp_path)
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy/gone.yaml").write_text("\n".join(TEXT))
    assert source.today() is True
    (tmp_path / "policy/gone.yaml").write_text("sysregs:\n  PMCR_EL0: allow\n")
    assert source.today() is False


def test_rules_without_their_text_show_none(tmp_path: Path) -> None:
    """policy/strict.yaml is in the tree, and was perhaps not what ran."""
    (tmp_path / "rules.json").write_text(json.dumps({"policy": "strict", "hash": "3b1c77aa00112233", "rules": [
        {"rule": 0, "place": "policy/strict.yaml:32", "text": "x"}]}))
    encoder = Encoder(policy="strict#3b1c77aa")
    encoder.header()
    encoder.decision(0, "msr.r PMCR_EL0")
    encoder.trailer()
    (tmp_path / "uart.log").write_bytes(encoder.bytes())
    assert "class=src" not in html(tmp_path / "uart.log", "--policy", str(tmp_path / "rules.json"))


def test_rules_of_other_lines_are_not_those_that_ran(tmp_path: Path) -> None:
    """Two policies may decide alike and number their rules differently."""
    ran = rules_of(tmp_path / "ran.json", ["# a line more", *TEXT])
    other = rules_of(tmp_path / "other.json")
    assert ran != other
    encoder = Encoder(policy="gone#3b1c77aa", wording=ran)
    encoder.header()
    encoder.decision(0, "msr.r PMCR_EL0")
    encoder.trailer()
    log = tmp_path / "uart.log"
    log.write_bytes(encoder.bytes())
    assert run("summary", "--policy", str(tmp_path / "ran.json"), str(log)).returncode == 0
    done = run("summary", "--policy", str(tmp_path / "other.json"), str(log))
    assert done.returncode == 5 and f"ran policy gone#3b1c77aa with rules {ran}".encode() in done.stderr
    assert b"policy/gone.yaml" not in done.stdout


@pytest.mark.parametrize("more", [{"sources": []}, {"rules": []}, {"wording": "00000000"}, {"sources": [1]},
                                  {"sources": [{"file": "x", "sha256": "x", "text": "x"}] * 40}])
def test_rules_that_were_changed_are_refused(more: Dict[str, Any], tmp_path: Path) -> None:
    rules_of(tmp_path / "rules.json", more=more)
    done = run("summary", "--policy", str(tmp_path / "rules.json"), stdin=Encoder().bytes())
    assert done.returncode == 2 and b"were changed since" in done.stderr
