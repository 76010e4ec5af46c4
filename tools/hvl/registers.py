# SPDX-License-Identifier: Apache-2.0
"""Names for the register numbers in a batch."""
from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Dict, Tuple

_HERE = Path(__file__).resolve()
_FACTS = (_HERE.with_name("sysregs.csv"), _HERE.parents[2] / "policy" / "arch" / "sysregs.csv")    # of a release, of a clone
_COLUMNS = ("op0", "op1", "crn", "crm", "op2")


@lru_cache(maxsize=None)
def _names() -> Dict[Tuple[int, ...], str]:
    """Registers by encoding, from the facts beside the policies; empty where the decoder was copied without them."""
    out: Dict[Tuple[int, ...], str] = {}
    for path in _FACTS:
        try:
            with open(path, encoding="utf-8", newline="") as stream:
                for row in csv.DictReader(line for line in stream if not line.startswith("#")):
                    out.setdefault(tuple(int(row[column]) for column in _COLUMNS), row["name"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return out


def sysreg_name(iss: int) -> str:
    """The register of an MSR, MRS or SYS from its syndrome."""
    op0, op1, crn, crm, op2 = iss >> 20 & 3, iss >> 14 & 7, iss >> 10 & 15, iss >> 1 & 15, iss >> 17 & 7
    return _names().get((op0, op1, crn, crm, op2)) or f"S{op0}_{op1}_C{crn}_C{crm}_{op2}"
