# SPDX-License-Identifier: Apache-2.0
"""Names for what a batch holds as numbers: registers and exception classes, as hv/log/log_describe.c has them."""
from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Dict, Tuple

_FACTS = Path(__file__).resolve().parents[2] / "policy" / "arch" / "sysregs.csv"
_COLUMNS = ("op0", "op1", "crn", "crm", "op2")

CLASSES = {
    0x00: "UNKNOWN", 0x01: "WFX", 0x03: "CP15_32", 0x04: "CP15_64", 0x05: "CP14_32", 0x06: "CP14_LS",
    0x07: "FP_ASIMD", 0x08: "CP10_ID", 0x09: "PAUTH", 0x0a: "LS64", 0x0c: "CP14_64", 0x0d: "BTI", 0x0e: "ILLEGAL",
    0x11: "SVC32", 0x12: "HVC32", 0x13: "SMC32", 0x14: "SYSREG128", 0x15: "SVC64", 0x16: "HVC64", 0x17: "SMC64",
    0x18: "SYSREG", 0x19: "SVE", 0x1a: "ERET", 0x1b: "TME", 0x1c: "FPAC", 0x1d: "SME", 0x1e: "GPC", 0x20: "IABT",
    0x21: "IABT_EL2", 0x22: "PC_ALIGN", 0x24: "DABT", 0x25: "DABT_EL2", 0x26: "SP_ALIGN", 0x27: "MOPS",
    0x28: "FP32", 0x2c: "FP64", 0x2d: "GCS", 0x2f: "SERROR", 0x30: "BREAKPOINT", 0x32: "STEP", 0x34: "WATCHPOINT",
    0x38: "BKPT32", 0x3a: "VECTOR32", 0x3c: "BRK64", 0x3d: "PROFILING",
}


@lru_cache(maxsize=None)
def _names() -> Dict[Tuple[int, ...], str]:
    """Registers by encoding, from the facts beside the policies; empty where the decoder was copied without them."""
    out: Dict[Tuple[int, ...], str] = {}
    try:
        with open(_FACTS, encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(line for line in stream if not line.startswith("#")):
                out.setdefault(tuple(int(row[column]) for column in _COLUMNS), row["name"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return out


def sysreg_name(iss: int) -> str:
    """The register of an MSR, MRS or SYS from its syndrome."""
    op0, op1, crn, crm, op2 = iss >> 20 & 3, iss >> 14 & 7, iss >> 10 & 15, iss >> 1 & 15, iss >> 17 & 7
    return _names().get((op0, op1, crn, crm, op2)) or f"S{op0}_{op1}_C{crn}_C{crm}_{op2}"
