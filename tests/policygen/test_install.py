# SPDX-License-Identifier: Apache-2.0
"""`pip install .` from a clone gives a command that works without the clone, and in the CI of others."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    """An environment that has the command, made from a clone that is gone."""
    clone, target = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("target")
    shutil.copy(ROOT / "pyproject.toml", clone)
    for name in ("policygen", "policy", "tools"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps",
                    "--disable-pip-version-check", "--no-compile", "--target", str(target), "."], cwd=clone, check=True,
                   stderr=subprocess.DEVNULL)
    shutil.rmtree(clone)
    return {**os.environ, "PYTHONPATH": str(target), "PATH": f"{target / 'bin'}:{os.environ['PATH']}"}


def run(words: List[str], folder: Path, environment: Dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, cwd=folder, env=environment, text=True, capture_output=True, check=False)


def test_the_installed_command_works_without_the_clone(tmp_path: Path, installed: Dict[str, str]) -> None:
    (tmp_path / "policy").mkdir()
    shutil.copy(ROOT / "policy" / "strict.yaml", tmp_path / "policy")
    done = run(["policygen", "--check"], tmp_path, installed)
    assert done.returncode == 0 and "strict" in done.stdout and "ok:" in done.stdout, done.stderr
    done = run(["policygen", "strict", "-o", "gen"], tmp_path, installed)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "gen" / "policy_tables.c").stat().st_size > 10000
    (tmp_path / "uart.log").write_bytes(b"no records\n")
    for words, said in ((["replay", "strict", "uart.log"], "no HVL1 record"),
                        (["verify", "strict"], "takes gcc, and hv/ of a clone")):    # what is not there is told
        done = run(["policygen", *words], tmp_path, installed)
        assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_the_workflow_to_copy_does_what_it_says(tmp_path: Path, installed: Dict[str, str]) -> None:
    """Its steps in a repository of policies: a pull request that opens nothing passes, one that does is stopped."""
    flow = yaml.safe_load((ROOT / "policy" / "examples" / "github-workflow.yml").read_text(encoding="utf-8"))
    steps = {step["name"]: step["run"] for step in flow["jobs"]["policy"]["steps"] if "run" in step and "name" in step}
    summary, repository = tmp_path / "summary", tmp_path / "repository"
    path = repository / "policy" / "strict.yaml"
    environment = {**installed, "GITHUB_BASE_REF": "main", "GITHUB_STEP_SUMMARY": str(summary)}
    path.parent.mkdir(parents=True)
    shutil.copy(ROOT / "policy" / "strict.yaml", path)
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "one"],
                  ["update-ref", "refs/remotes/origin/main", "HEAD"]):
        subprocess.run(["git", *words], cwd=repository, check=True)

    def step(name: str) -> "subprocess.CompletedProcess[str]":
        return run(["bash", "-eo", "pipefail", "-c", steps[name]], repository, environment)    # as GitHub does
    assert list(steps) == ["check", "SARIF", "what this pull request opens up"]
    for name in steps:
        done = step(name)
        assert done.returncode == 0, (name, done.stdout, done.stderr)
    sarif = json.loads((repository / "policygen.sarif").read_text(encoding="utf-8"))
    assert sarif["version"] == "2.1.0" and sarif["runs"][0]["results"]
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  HV_GET_ID: allow\n", "  HV_GET_ID: allow\n  HV_DUMP_LOG: allow\n").replace(
        "  - { hvc: HV_DUMP_LOG, expect: deny }\n", ""), encoding="utf-8")
    done = step("what this pull request opens up")
    assert done.returncode == 1 and "LOOSER" in done.stdout and "HV_DUMP_LOG" in summary.read_text(encoding="utf-8")
    path.write_text(text.replace("  HV_GET_ID: allow\n", "  HV_GET_IT: allow\n"), encoding="utf-8")
    done = step("check")
    assert done.returncode == 1 and "::error file=policy/strict.yaml,line=" in done.stdout
