# SPDX-License-Identifier: Apache-2.0
"""`make coverage`: what the host tests reach of hv/, by line and branch (gcov), and the lines they do not.

argv: folder [tests].

A program a test, many programs a file: a line or branch counts as reached when any of them reached it.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Set

ROOT = Path(__file__).resolve().parents[1]


def run_tests(out: Path) -> int:
    env = {**os.environ, "HOST_CFLAGS": "--coverage"}
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={out / 'runs'}",
                           "-o", "tmp_path_retention_policy=all", *(sys.argv[2:] or ["tests/host"])], cwd=ROOT, env=env,
                          check=False).returncode


def collect(out: Path) -> Dict[str, Dict[int, List[Any]]]:
    """File -> line -> [times, {branch: times}]."""
    found: Dict[str, Dict[int, List[Any]]] = {}
    for data in sorted((out / "runs").rglob("*.gcda")):
        text = subprocess.run(["gcov", "-b", "-t", "--json-format", str(data)], cwd=ROOT, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        for part in text.splitlines():
            for file in json.loads(part)["files"]:
                name = os.path.relpath(ROOT / file["file"], ROOT)
                if name.startswith("hv/"):
                    for line in file["lines"]:
                        here = found.setdefault(name, {}).setdefault(line["line_number"], [0, {}])
                        here[0] += line["count"]
                        for n, branch in enumerate(line["branches"]):
                            here[1][n] = here[1].get(n, 0) + branch["count"]
    return found


def spans(lines: Set[int]) -> str:
    out: List[str] = []
    for n in sorted(lines):
        if out and int(out[-1].split("-")[-1]) == n - 1:
            out[-1] = f"{out[-1].split('-')[0]}-{n}"
        else:
            out.append(str(n))
    return " ".join(out)


def main() -> int:
    out = Path(sys.argv[1]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    failed = run_tests(out)
    found = collect(out)
    report = [f"{'':28}{'lines':>12}{'branches':>14}  lines not reached"]
    for name in sorted(found) + sorted({f"hv/{p.name}" for p in (ROOT / "hv").glob("*.c")} - set(found)):
        lines = found.get(name)
        if lines is None:
            report.append(f"{name:28}{'no host test':>26}")
            continue
        branches = [times for _, here in lines.values() for times in here.values()]
        report.append(f"{name:28}{sum(1 for n, _ in lines.values() if n):5} /{len(lines):5}"
                      f"{sum(1 for n in branches if n):7} /{len(branches):5}  "
                      f"{spans({n for n, (times, _) in lines.items() if not times})}")
    (out / "host.txt").write_text("\n".join(report) + "\n", encoding="utf-8")
    print("\n".join(report))
    return failed


if __name__ == "__main__":
    sys.exit(main())
