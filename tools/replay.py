#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a recording again up to one decision, and opens the monitor there: before the verdict takes effect, with the
whole machine as it was. The guest can go on from there, with you at the console; --gdb opens gdb instead, inside the
recording. `make record` makes the recording; nothing but the recording's own files is used."""
from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hvl.handover import find_decision, hand_over  # noqa: E402
from hvl.record import Rec  # noqa: E402
from hvl.source import UsageError  # noqa: E402
import qemu_state  # noqa: E402

# Up to the trap: the number's turn first, which is seldom, and then the time at which the trap was taken. $hvcpu is
# EL2's struct cpu.
GO = """
set pagination off
set confirm off
set architecture aarch64
set remotetimeout 60
target remote | exec {qemu}
watch cpus[{cpu}] if cpus[{cpu}] != 0
continue
delete
set $hvcpu = cpus[{cpu}]
watch $hvcpu->log.seq if $hvcpu->log.seq == {seq}
continue
delete
watch $hvcpu->entered if $hvcpu->entered == log_epoch + {ticks}
continue
delete
printf "stopped before decision %lu\\n", $hvcpu->log.seq
"""
# `rule rN stop` for once (overrule_rule(): ROW_STOP and ROW_ONCE, lookups_forget()), and whoever is there now may type.
ASK = """
set $i = 0
while $i < policy_n_rows
  if policy_rows[$i].rule == {rule}
    set $hvcpu->rows[$i].flags |= 8 | 16
    set $hvcpu->rows[$i].path = ACT_COUNT
  end
  set $i = $i + 1
end
set $i = 0
while $i < sizeof($hvcpu->lookup_cache) / sizeof($hvcpu->lookup_cache[0])
  set $hvcpu->lookup_cache[$i].hvc.key = $i ^ 1
  set $hvcpu->lookup_cache[$i].smc.key = $i ^ 1
  set $hvcpu->lookup_cache[$i].mmio.key = ($i ^ 1) << 2
  set $i = $i + 1
end
set bootargs.unattended = 0
set bootargs.init_size = 0
monitor savevm decision
printf "kept\\n"
kill
"""
# What is said of the guest where gdb stops.
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
printf "try `guest' and `bt'\n"
guest
"""


def machine(folder: Path) -> List[str]:
    return shlex.split((folder / "qemu").read_text(encoding="utf-8"))


def script(folder: Path, rec: Rec, cntfrq: int, gdb: bool) -> str:
    qemu = [*machine(folder), "-S", "-gdb", "stdio", "-serial", f"file:{folder}/replay.log",
            "-drive", f"if=none,id=state,format=qcow2,file={folder}/state.qcow2",
            "-icount", f"shift=auto,rr=replay,rrfile={folder}/rr.bin"]
    ticks = -(-(rec.t or 0) * cntfrq // 1_000_000_000)  # the log cuts fractions of a nanosecond off
    go = GO.format(qemu=shlex.join(qemu), cpu=rec.cpu, seq=rec.seq, ticks=ticks)
    return go + (GUEST if gdb else ASK.format(rule=rec.f.rule))


def why(rec: Rec, seq: str, log: Path) -> None:
    """What `why` says in the monitor and of a log; the bare record where policygen cannot say more."""
    try:
        told = hand_over("why", "explain", [seq, str(log)]) == 0
    except UsageError:
        told = False
    if not told:
        print(rec.text())
    sys.stdout.flush()


def go_there(words: List[str], folder: Path, seq: str) -> None:
    """The machine at that decision, in the file `state`; what it had written until then is what was recorded."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if "\nkept\n" not in done.stdout:
        raise UsageError(f"the recording does not come to decision {seq}:\n{done.stdout[-2000:]}")
    disk = folder / "state.qcow2"
    (folder / "state").write_bytes(qemu_state.live(qemu_state.saved(disk.read_bytes(), b"decision")))
    disk.unlink()
    again = (folder / "replay.log").read_bytes()
    if not (folder / "uart.log").read_bytes().startswith(again):
        raise UsageError(f"{folder}/replay.log is not how {folder}/uart.log begins")
    print(f"replay: {len(again)} bytes of the line came again as recorded; they and what follows: {folder}/replay.log\n"
          "replay: the machine is live from here; [m] for the monitor's prompt, `poweroff` there ends it", flush=True)


def main(argv: List[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="what `make record` made")
    parser.add_argument("seq", metavar="SEQ", help="the decision: 12098, or 12098.1 for CPU 1")
    parser.add_argument("--gdb", action="store_true", help="gdb on EL2, inside the recording")
    parser.add_argument("--batch", action="store_true", help="... say where it stopped, and end")
    args = parser.parse_args(argv)
    folder: Path = args.folder
    gdb = shutil.which("gdb-multiarch") or shutil.which("gdb")
    try:
        if not (folder / "rr.bin").is_file():
            raise UsageError(f"{folder}: no recording; `make record` makes one")
        if gdb is None:
            raise UsageError("gdb-multiarch is missing: run make setup")
        rec, session, _, _ = find_decision(str(folder / "uart.log"), args.seq)
        why(rec, args.seq, folder / "uart.log")
        qemu_state.empty_disk(folder / "state.qcow2")
        commands = folder / "replay.gdb"
        commands.write_text(script(folder, rec, session.cntfrq, args.gdb), encoding="utf-8")
        words = [gdb, "-q", "-nx", "-x", str(commands), str(folder / "hypervisor.elf")]
        if args.gdb:
            os.execv(gdb, [*words, *(["-batch"] if args.batch else [])])
        go_there([*words, "-batch"], folder, args.seq)
    except (UsageError, KeyError, ValueError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    words = [*machine(folder), "-incoming", f"exec:cat {shlex.quote(str(folder / 'state'))}", "-icount", "shift=auto",
             "-chardev", f"stdio,id=uart,signal=off,logfile={folder}/replay.log,logappend=on",
             "-serial", "chardev:uart"]
    os.execvp(words[0], words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
