# SPDX-License-Identifier: Apache-2.0
"""The npm packages that tests use: those of npm/package-lock.json, each checked against its hash there."""
from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

HERE, BUILD = Path(__file__).parent / "npm", Path(__file__).resolve().parents[2] / "build"
SCHEMA = "@datadog/datadog-ci-plugin-sarif/dist/json-schema/sarif-schema-2.1.0.json"


def npm_packages() -> Path:
    """The folder of the packages: build/npm/node_modules, as the lock has them. RuntimeError says what is missing."""
    target = BUILD / "npm"
    target.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "npm.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)                            # tests run in several processes
        wanted = "".join((HERE / name).read_text(encoding="utf-8") for name in ("package.json", "package-lock.json"))
        stamp = target / "stamp"
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            stamp.unlink(missing_ok=True)
            install(target)
            stamp.write_text(wanted, encoding="utf-8")
    return target / "node_modules"


def install(target: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, target)
    if shutil.which("npm") is None:
        raise RuntimeError("npm is missing: run make setup (Debian package npm)")
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"], cwd=target,
                          text=True, capture_output=True, timeout=600, check=False)
    if done.returncode:
        said = "\n".join(line for line in done.stderr.splitlines() if "error" in line)[:1500]
        raise RuntimeError(f"npm could not fetch the packages of tests/policygen/npm, which these tests run: is its "
                           f"registry reachable?\n{said or done.stderr[-1500:]}")
