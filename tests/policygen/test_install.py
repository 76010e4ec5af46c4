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
    """An environment with the command, made from a clone that is gone."""
    clone, target = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("target")
    shutil.copy(ROOT / "pyproject.toml", clone)
    for name in ("policygen", "policy", "tools", "hv"):
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
                        (["verify", "strict"], "takes gcc, and hv/ of a clone")):    # a missing part is named
        done = run(["policygen", *words], tmp_path, installed)
        assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr


def committed(repository: Path) -> Path:
    """A repository of policies: its strict.yaml."""
    path = repository / "policy" / "strict.yaml"
    path.parent.mkdir(parents=True)
    shutil.copy(ROOT / "policy" / "strict.yaml", path)
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "one"],
                  ["update-ref", "refs/remotes/origin/main", "HEAD"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    return path


def test_pre_commit_runs_the_hooks(tmp_path: Path) -> None:
    """The real pre-commit installs the hooks from a clone of this tree, and they stop the commits that they should. The
    package's own needs (PyYAML, Jinja2, setuptools) are this machine's: nothing comes from a network."""
    if shutil.which("pre-commit") is None:
        pytest.fail("pre-commit is missing: run make setup (Debian package pre-commit)")
    charter, home = tmp_path / "charter", tmp_path / "home"
    for name in ("pyproject.toml", ".pre-commit-hooks.yaml", "policygen", "policy", "tools", "hv"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, charter / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            charter.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, charter)
    path = committed(tmp_path / "repository")
    repository, good = path.parents[1], path.read_text(encoding="utf-8")
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
                   "HOME": str(home), "PRE_COMMIT_HOME": str(home / "cache"), "PIP_NO_INDEX": "1",
                   "PIP_NO_BUILD_ISOLATION": "0", "VIRTUALENV_SYSTEM_SITE_PACKAGES": "1"}
    environment.update({f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")})

    def git(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
        return run(["git", *words], folder, environment)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        assert git(charter, *words).returncode == 0
    hooks = ["policygen-check", "policygen-fmt"]
    (repository / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [{
        "repo": str(charter), "rev": git(charter, "rev-parse", "HEAD").stdout.strip(),
        "hooks": [{"id": name} for name in hooks]}]}), encoding="utf-8")
    installed = run(["pre-commit", "install", "--install-hooks"], repository, environment)
    assert installed.returncode == 0, installed.stdout + installed.stderr

    def commit(text: str) -> "subprocess.CompletedProcess[str]":
        path.write_text(text, encoding="utf-8")
        assert git(repository, "add", ".").returncode == 0
        return git(repository, "commit", "-m", "two")
    (path.parent / "examples").mkdir()
    for other in (path.parent / "examples" / "flow.yaml", repository / "other.yaml"):
        other.write_text("nothing: of ours\n", encoding="utf-8")
    assert commit(good).stderr.count("Skipped") == 2, "no policy among what is committed"
    done = commit(good.replace("HV_GET_ID", "HV_GET_IT"))
    assert done.returncode == 1 and "did you mean HV_GET_ID" in done.stderr and "policy/strict.yaml:" in done.stderr
    done = commit(good.replace("  HV_GET_ID: allow\n", "  HV_GET_ID:   {do: allow}\n"))
    assert done.returncode == 1 and "files were modified by this hook" in done.stderr, done.stderr
    done = commit(path.read_text(encoding="utf-8"))
    assert done.returncode == 0 and done.stderr.count("Passed") == 2, "what fmt wrote is committed"


def test_the_workflow_to_copy_does_what_it_says(tmp_path: Path, installed: Dict[str, str]) -> None:
    """The workflow's steps in a repository of policies: a pull request that opens nothing passes, one that does is
    stopped."""
    flow = yaml.safe_load((ROOT / "policy" / "examples" / "github-workflow.yml").read_text(encoding="utf-8"))
    steps = {step["name"]: step["run"] for step in flow["jobs"]["policy"]["steps"] if "run" in step and "name" in step}
    summary, repository = tmp_path / "summary", tmp_path / "repository"
    environment = {**installed, "GITHUB_BASE_REF": "main", "GITHUB_STEP_SUMMARY": str(summary)}
    path = committed(repository)

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
    assert run(["git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "-m", "opens"], repository,
               environment).returncode == 0
    done = step("what this pull request opens up")
    assert done.returncode == 1 and "LOOSER" in done.stdout and "HV_DUMP_LOG" in summary.read_text(encoding="utf-8")
    path.write_text(text.replace("  HV_GET_ID: allow\n", "  HV_GET_IT: allow\n"), encoding="utf-8")
    done = step("check")
    assert done.returncode == 1 and "::error file=policy/strict.yaml,line=" in done.stdout
