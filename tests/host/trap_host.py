# SPDX-License-Identifier: Apache-2.0
"""Builds the trap path for this machine (tests/host/trap_host.c), for the tables in any folder's gen/."""
from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Sequence

from hvl_host import FLAGS, ROOT, src

TRAP = ["trap", "trap_sysreg", "trap_mem", "trap_ram", "trap_insn", "insn_access", "trap_call", "trap_wait", "hvcall", "psci",
        "decide", "narrow", "policy", "where", "inject", "replay", "cache", "guestmem", "vtime", "locks", "drain", "overrule",
        "rules", "log", "log_text", "log_batch", "log_describe", "crc32", "print"]
DEVICES = ["vgic", "vgic_regs", "vgic_icc", "vuart", "vrtc", "console", "output"]
GCC = ("gcc", *FLAGS)


def parts(out: Path, real_devices: bool = False, compiler: Sequence[str] = GCC) -> Path:
    """Everything but the tables, in one object."""
    sources = ["tests/host/trap_host.c", *(src(part) for part in TRAP + (DEVICES if real_devices else []))]
    subprocess.run([*compiler, *(["-DREAL_DEVICES"] if real_devices else []), "-r", "-nostdlib", *sources,
                    "-o", str(out / "parts.o")], cwd=ROOT, check=True)
    return out / "parts.o"


def link(common: Path, out: Path, compiler: Sequence[str] = GCC) -> Path:
    tables = out / "gen" / "policy_tables.c"
    subprocess.run([*compiler, str(common), str(tables), "-o", str(out / "trap_host")], cwd=ROOT, check=True)
    return out / "trap_host"
