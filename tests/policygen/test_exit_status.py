# SPDX-License-Identifier: Apache-2.0
"""The exit status of every verb by the one rule that policygen/README.md gives, read from there."""
from __future__ import annotations

import contextlib
import io
import shutil
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest

from policygen.__main__ import main
from policygen.commands.verbs import VERBS
from policygen.language.model import Access
from test_evidence import Wire, profile

ROOT = Path(__file__).resolve().parents[2]
BAD, FAILING = (str(ROOT / "tests/policygen/bad" / f"{name}.yaml") for name in ("unknown-register", "test-fails"))
# Verb -> words that end with 0, with 1 and with 2. {} is a folder for what is written, with the files of made() in it. None: no
# words do, or none here: `probe` takes a machine (tests/qemu/test_probe.py), `new` writes into policy/ (test_layout.py).
ENDS: Dict[str, Tuple[Optional[str], Optional[str], str]] = {
    "build": ("strict -o {}/out", f"{BAD} -o {{}}/out", "strict -o {}/a-file/out"),
    "check": ("strict", BAD, "nosuch"),
    "explain": ("strict read PMCR_EL0", f"{BAD} read PMCR_EL0", "strict read PMCR_EL9"),
    "traps": ("strict", BAD, "nosuch"),
    "test": ("strict", FAILING, "nosuch"),
    "diff": ("strict permissive", "strict permissive --gate looser", "strict nosuch"),
    "fmt": ("--check strict", "--check {}/untidy.yaml", "--check nosuch"),
    "fix": ("{}/tidy.yaml", "{}/bad.yaml", "nosuch"),
    "doc": ("strict", BAD, "strict -o {}/a-file/page"),
    "new": (None, None, "Capital"),
    "completion": ("bash", None, "fish"),
    "expand": ("strict", BAD, "nosuch"),
    "list": ("pmu", "zzzzzzzz", "--nothing"),
    "reach": ("strict native", BAD, "strict sideways"),
    "schema": ("", None, "-o {}/a-file/schema"),
    "verify": ("strict", "strict --gen {}/other", "strict --run {}/a-file"),
    "probe": (None, None, "--run {}/a-file"),
    "code": ("PG301", None, "PG999"),
    "learn": ("strict {}/log", f"{BAD} {{}}/log", "strict {}/a-file"),
    "replay": ("permissive {}/log", "permissive {}/log --exit-code", "strict {}/a-file"),
    "cover": ("strict {}/log", f"{BAD} {{}}/log", "permissive {}/log"),
    "cost": ("strict {}/log", f"{BAD} {{}}/log", "permissive {}/log"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ends")
    (folder / "a-file").write_text("nothing that a verb reads\n", encoding="utf-8")
    shutil.copy(ROOT / "policy/strict.yaml", folder / "tidy.yaml")
    shutil.copy(BAD, folder / "bad.yaml")
    (folder / "untidy.yaml").write_text((ROOT / "policy/strict.yaml").read_text("utf-8").replace("policy: 1", "policy:    1"),
                                        encoding="utf-8")
    log = Wire(profile("strict"))
    log.decide(Access("hvc", 0x84000000))
    log.decide(Access("sysregs", 0xdce0, "read"))         # PMCR_EL0
    log.end(folder / "log")
    assert ended(f"build permissive -o {folder}/other") == 0
    return folder


def ended(line: str) -> int:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            return main(line.split())
        except SystemExit as stop:
            assert isinstance(stop.code, int)
            return stop.code


def test_every_verb_is_here() -> None:
    assert sorted(ENDS) == sorted(VERBS)


@pytest.mark.parametrize("verb", ENDS)
def test_a_verb_ends_by_the_rule(verb: str, made: Path) -> None:
    for status, words in enumerate(ENDS[verb]):
        if words is not None:
            assert ended(f"{verb} {words.format(made)}") == status, words


def test_the_readme_says_which_verbs_end_with_1() -> None:
    """Its table: what is found wrong, by verb; of the rest no words end so."""
    text = (ROOT / "policygen/README.md").read_text("utf-8")
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| `") and "ends with 1" not in line]
    told: List[str] = [verb.strip("` ") for cells in rows for verb in cells[0].split(",") if verb.strip("` ") in VERBS]
    assert sorted(told) == sorted([verb for verb in VERBS if ENDS[verb][1] is not None] + ["probe"])
