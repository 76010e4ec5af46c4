# SPDX-License-Identifier: Apache-2.0
"""`pip install .` from a clone gives a command that works without the clone."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_installed_command_works_without_the_clone(tmp_path: Path) -> None:
    clone, target, elsewhere = tmp_path / "clone", tmp_path / "target", tmp_path / "elsewhere"
    clone.mkdir()
    shutil.copy(ROOT / "pyproject.toml", clone)
    for name in ("policygen", "policy", "tools"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps",
                    "--disable-pip-version-check", "--no-compile", "--target", str(target), "."], cwd=clone, check=True,
                   stderr=subprocess.DEVNULL)
    shutil.rmtree(clone)
    (elsewhere / "policy").mkdir(parents=True)
    shutil.copy(ROOT / "policy" / "strict.yaml", elsewhere / "policy")
    environment = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run([str(target / "bin" / "policygen"), "--check"], cwd=elsewhere, env=environment, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0 and "strict" in done.stdout and "ok:" in done.stdout, done.stderr
    done = subprocess.run([str(target / "bin" / "policygen"), "strict", "-o", "gen"], cwd=elsewhere, env=environment,
                          text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (elsewhere / "gen" / "policy_tables.c").stat().st_size > 10000
    (elsewhere / "uart.log").write_bytes(b"no records\n")
    for words, said in ((["replay", "strict", "uart.log"], "no HVL1 record"),
                        (["verify", "strict"], "takes gcc, and hv/ of a clone")):    # what is not there is told
        done = subprocess.run([str(target / "bin" / "policygen"), *words], cwd=elsewhere, env=environment, text=True,
                              capture_output=True, check=False)
        assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr
