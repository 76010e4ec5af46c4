# SPDX-License-Identifier: Apache-2.0
"""Register accesses of a kernel's boot, measured with everything trapped (policy/arch/census.csv)."""
from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Dict, Mapping, Tuple

from policygen.facts.arch import DEFAULT_CPU, load_arch
from policygen.text import paths

WHAT = "a boot of Debian's kernel 6.1 to a small /init, one CPU"


@dataclass(frozen=True)
class Touched:
    """One access."""
    counts: Mapping[str, int]           # CPU model that was measured -> how often in the boot
    switch: bool                        # at each switch between tasks, too

    def count(self, cpu: str) -> int:
        """Of a model that was not measured: as the default one."""
        return self.counts.get(cpu, self.counts[DEFAULT_CPU])


def load_census() -> Mapping[Tuple[int, str], Touched]:
    """By register key and direction."""
    return _load(paths.facts_dir())


@lru_cache(maxsize=None)
def _load(folder: Path) -> Dict[Tuple[int, str], Touched]:
    with (folder / "arch" / "census.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    models = [name for name in rows[0] if name not in ("register", "direction", "when")]
    return {(load_arch().registers[row["register"]].key, row["direction"]): Touched(
        {name: int(row[name]) for name in models}, row["when"] == "switch") for row in rows}
