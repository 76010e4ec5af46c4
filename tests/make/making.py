# SPDX-License-Identifier: Apache-2.0
"""A copy of the tree in which a hostile name may stand, and make in it, with a canary."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Dict, List, Optional

ROOT = Path(__file__).resolve().parents[2]


def environment() -> Dict[str, str]:
    """The environment, without the settings of a make around the tests."""
    return {**{name: value for name, value in os.environ.items()
               if not name.startswith(("MAKE", "CHARTER_")) and name not in ("POLICY", "MODE", "B", "QEMU", "CC")},
            "CCACHE_DIR": str(ROOT / "build" / "ccache")}


def run_make(tree: Path, *words: str,
             env: Optional[Dict[str, str]] = None) -> "subprocess.CompletedProcess[str]":
    """`make words...`, without a terminal."""
    return subprocess.run(["make", "--no-print-directory", *words], cwd=tree, text=True,
                          env={**environment(), **(env or {})},
                          errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, check=False)


def canaries(tree: Path) -> List[Path]:
    """Canaries that exist, and that a name would have made if it had been run: in the tree, or in a recipe's folder."""
    return [*tree.glob("CANARY*"), *tree.glob("build/**/CANARY*")]
