# SPDX-License-Identifier: Apache-2.0
"""The files of `make release` are complete, pass their checks, and are the same each time."""
import hashlib
import subprocess
import sys
from pathlib import Path

from vm import ROOT, make


def contents(folder: Path) -> "dict[str, str]":
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_release_is_complete_and_reproducible(tree: Path) -> None:
    first = make("release-files", "POLICY=strict", "B=build/one", tree=tree, cache=False)
    folder = tree / "build/one/release"
    assert "release:" in first.stdout
    names = set(contents(folder))
    assert {"charter.elf", "charter-debug.elf", "charter.bin", "charter.map", "VERSION", "SHA256SUMS",
            "policy-strict.json", "policy-strict.md", "policy-strict-verify.txt"} <= names
    assert "agrees with the reference evaluator" in (folder / "policy-strict-verify.txt").read_text()
    listed = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert listed == {name: digest for name, digest in contents(folder).items() if name != "SHA256SUMS"}
    for image in ("charter.elf", "charter-debug.elf", "policy-strict.json"):
        subprocess.run([sys.executable, "-m", "policygen", "diff", "strict", str(folder / image), "--gate", "any"],
                       cwd=ROOT, check=True)
    before = contents(folder)
    make("clean", "B=build/one", tree=tree)
    make("release-files", "POLICY=strict", "B=build/one", tree=tree, cache=False)
    assert contents(folder) == before
