#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a recording again up to one decision, and opens gdb there: before the verdict takes effect, with every register
of the guest as it was. `make record` makes the recording; nothing but the recording's own files is used."""
from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import List

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hvl.handover import find_decision, hand_over  # noqa: E402
from hvl.record import Rec  # noqa: E402
from hvl.source import UsageError  # noqa: E402

# What is said of the guest where gdb stops. $hvcpu is EL2's struct cpu.
HELLO = r"""
printf "stopped before decision %lu takes effect; try `guest' and `bt'\n", $hvcpu->log.seq
guest
"""
GUEST = r"""
define guest
  set $f = $hvcpu->frame
  printf "pc  %016lx  spsr %08lx  esr %08lx\n", $f.elr_el2, $f.spsr_el2, $f.esr_el2
  set $i = 0
  while $i < 31
    printf "x%-2d %016lx  ", $i, $f.x[$i]
    set $i = $i + 1
    if $i % 4 == 0 || $i == 31
      printf "\n"
    end
  end
end
document guest
The guest's registers, as EL2 saved them at the trap.
end
"""


def script(folder: Path, seq: int, cpu: int) -> str:
    qemu = shlex.split((folder / "qemu").read_text(encoding="utf-8"))
    command = [*qemu, "-S", "-gdb", "stdio", "-serial", f"file:{folder}/replay.log",
               "-icount", f"shift=auto,rr=replay,rrfile={folder}/rr.bin"]
    return "\n".join([
        "set pagination off", "set confirm off", "set architecture aarch64", "set remotetimeout 60", GUEST,
        f"target remote | exec {shlex.join(command)}",
        f"break log_decision if ((struct cpu *)$x0)->log.seq == {seq} && ((struct cpu *)$x0)->index == {cpu}",
        "continue", "set $hvcpu = (struct cpu *)$x0", HELLO])


def why(rec: Rec, seq: str, log: Path) -> None:
    """What `why` says in the monitor and of a log; the bare record where policygen cannot say more."""
    try:
        told = hand_over("why", "explain", [seq, str(log)]) == 0
    except UsageError:
        told = False
    if not told:
        print(rec.text())
    sys.stdout.flush()


def main(argv: List[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="what `make record` made")
    parser.add_argument("seq", metavar="SEQ", help="the decision: 12098, or 12098.1 for CPU 1")
    parser.add_argument("--batch", action="store_true", help="say where it stopped, and end")
    args = parser.parse_args(argv)
    try:
        if not (args.folder / "rr.bin").is_file():
            raise UsageError(f"{args.folder}: no recording; `make record` makes one")
        log = args.folder / "uart.log"
        rec, _, _, _ = find_decision(str(log), args.seq)
    except UsageError as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    gdb = shutil.which("gdb-multiarch") or shutil.which("gdb")
    if gdb is None:
        print("replay: gdb-multiarch is missing: run make setup", file=sys.stderr)
        return 2
    why(rec, args.seq, log)
    commands = args.folder / "replay.gdb"
    commands.write_text(script(args.folder, rec.seq, rec.cpu), encoding="utf-8")
    words = [gdb, "-q", "-nx", *(["-batch"] if args.batch else []), "-x", str(commands),
             str(args.folder / "hypervisor.elf")]
    os.execv(gdb, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
