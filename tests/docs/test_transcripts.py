# SPDX-License-Identifier: Apache-2.0
"""Every transcript (```console) of a README happens as printed: commands, words at `hv>`, output."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "qemu"))
from vm import sources  # noqa: E402

# Parts that differ from run to run: times, costs, checksums, addresses of code, numbers of records.
CHANGING = re.compile(r"\b\d+\.\d{9}\b|(?<=cost=)\d+|(?<=\*)[0-9a-f]{8}\b|(?<=pc=)0x[0-9a-f]+|(?<=^@[A-Z] )\d+", re.M)


def transcripts() -> Iterator[Tuple[str, str]]:
    """Each page with its blocks in one text, since one goes on from where the one before it has ended."""
    names = subprocess.run(["git", "ls-files", "*README.md"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in names.stdout.split():
        blocks = re.findall(r"```console\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.S)
        if blocks:
            yield name, "".join(blocks)


def commands(block: str) -> List[Tuple[str, List[str], List[str]]]:
    """Each command, the words for its monitor, and the expected lines, in this order."""
    found: List[Tuple[str, List[str], List[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], [], []))
        elif line.startswith("hv> "):
            found[-1][1].append(line[4:])
            found[-1][2].append(line)
        elif line.strip():
            found[-1][2].append(line)
    return found


def missing(expected: List[str], said: str) -> List[str]:
    """Lines of `expected` that are missing after the ones before them."""
    lines = [CHANGING.sub("-", line.strip()) for line in said.replace("\r", "").replace("\x1e", "").splitlines()]
    at, out = 0, []
    for line in expected:
        try:
            at = lines.index(CHANGING.sub("-", line.strip()), at) + 1
        except ValueError:
            out.append(line)
    return out


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sources(tmp_path_factory.mktemp("transcripts") / "charter")


@pytest.mark.parametrize("name, block", list(transcripts()), ids=lambda value: value if "\n" not in value else "")
def test_it_happens_as_it_stands_there(tree: Path, name: str, block: str) -> None:
    del name
    for command, typed, expected in commands(block):
        done = subprocess.run(command, shell=True, cwd=tree, input="".join(f"{line}\n" for line in typed), text=True,
                              errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
                              check=False)
        assert done.returncode == 0, done.stdout[-3000:]
        assert not missing(expected, done.stdout), done.stdout[-6000:]


def test_the_first_readme_has_a_session_and_is_short() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "```console" in text and len(text.splitlines()) <= 130


def test_what_is_not_said_is_missed() -> None:
    assert missing(["b", "a"], "a\nb\n") == ["a"]
    assert missing(["@D 4 0.312468736 DENY cost=154 *9851dd18"], "\x1e@D 7 1.000000000 DENY cost=9 *00000000\r\n") == []
