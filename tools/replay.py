#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a recording again up to one decision, and opens the monitor there: before the verdict takes effect, with the
whole machine as it was. The guest can go on from there, with you at the console; --gdb opens gdb instead, inside the
recording. `make record` makes the recording. Its content is data: see recording.py; QEMU is the caller's."""
from __future__ import annotations

import os
import shlex
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import List

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hvl.entry import Parser, guarded  # noqa: E402
from hvl.escape import lines, terminal  # noqa: E402
from hvl.files import UsageError  # noqa: E402
from hvl.handover import find_decision, hand_over  # noqa: E402
from hvl.record import Rec  # noqa: E402
import qemu_state  # noqa: E402
import recording  # noqa: E402

# Files that a replay writes into the recording's folder.
LOG, STATE, DISK, COMMANDS = "replay.log", "state", "state.qcow2", "replay.gdb"
# An ELF file can make gdb run scripts, fetch files and show lines of others; gdb is told not to.
CAREFUL = ["-nx", "-iex", "set auto-load no", "-iex", "set debuginfod enabled off", "-iex", "set debug-file-directory"]

# gdb commands that run up to the trap: first to the number's turn, which is rare, and then to the time at which the
# trap was taken. $hvcpu is EL2's struct cpu.
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
# gdb commands for `rule rN stop`, once (rules_set(): ROW_STOP and ROW_ONCE, lookups_forget()), with an operator
# present.
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
# The text at gdb's stop.
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


def script(machine: List[str], rec: Rec, cntfrq: int, gdb: bool) -> str:
    """gdb's commands; `machine` starts with the QEMU."""
    qemu = [*machine, "-S", "-gdb", "stdio", "-serial", f"file:{LOG}",
            "-drive", f"if=none,id=state,format=qcow2,file={DISK}",
            "-icount", f"shift=auto,rr=replay,rrfile={recording.EVENTS}"]
    ticks = -(-(rec.t or 0) * cntfrq // 1_000_000_000)  # the log cuts fractions of a nanosecond off
    go = GO.format(qemu=shlex.join(qemu), cpu=rec.cpu, seq=rec.seq, ticks=ticks)
    return go + (GUEST if gdb else ASK.format(rule=rec.f.rule))


def why(rec: Rec, seq: str, session: int, log: Path) -> None:
    """The answer of `why` in the monitor and of a log; the bare record if policygen cannot say more."""
    try:
        told = hand_over("why", "explain", ["--session", str(session), seq, "--", str(log)]) == 0
    except UsageError:
        told = False
    if not told:
        print(terminal(rec.text()))
    sys.stdout.flush()


def go_there(words: List[str], folder: Path, seq: str) -> None:
    """Saves the machine at that decision in the file `state`; its output until then equals the recorded one."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=folder,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if "\nkept\n" not in done.stdout:
        raise UsageError(f"the recording does not come to decision {seq}:\n{lines(done.stdout[-2000:])}")
    disk = folder / DISK
    (folder / STATE).write_bytes(qemu_state.live(qemu_state.saved(disk.read_bytes(), b"decision")))
    disk.unlink()
    again = (folder / LOG).read_bytes()
    if not (folder / recording.LOG).read_bytes().startswith(again):
        raise UsageError(f"{folder}/{LOG} is not how {folder}/{recording.LOG} begins")
    print(f"replay: {len(again)} bytes of the line came again as recorded; they and what follows: "
          f"{terminal(str(folder))}/{LOG}\n"
          "replay: the machine is live from here, at the monitor's prompt; `poweroff` ends it", flush=True)


def main(argv: List[str]) -> int:
    parser = Parser(prog="replay.py", description=__doc__)
    parser.add_argument("folder", type=Path, help="what `make record` made")
    parser.add_argument("seq", metavar="SEQ", help="the decision: 12098, or 12098.1 for CPU 1")
    parser.add_argument("--session", type=int, metavar="N", help="this boot, from 1, where there were several")
    parser.add_argument("--gdb", action="store_true", help="gdb on EL2, inside the recording")
    parser.add_argument("--batch", action="store_true", help="... say where it stopped, and end")
    parser.add_argument("--qemu", default="qemu-system-aarch64", metavar="FILE", help="the one that recorded")
    args = parser.parse_args(argv)
    folder: Path = args.folder
    recording.check(folder)
    machine = [recording.program(args.qemu, "qemu-system-arm"), *recording.described(folder)]
    gdb = recording.program("gdb-multiarch" if shutil.which("gdb-multiarch") else "gdb", "gdb-multiarch")
    rec, session, _, _ = find_decision(str(folder / recording.LOG), args.seq, args.session)
    why(rec, args.seq, session.number, folder / recording.LOG)
    recording.make_way(folder, LOG, STATE, DISK, COMMANDS)
    qemu_state.empty_disk(folder / DISK)
    (folder / COMMANDS).write_text(script(machine, rec, session.cntfrq, args.gdb), encoding="utf-8")
    words = [gdb, "-q", *CAREFUL, "-x", COMMANDS, recording.IMAGE]
    if args.gdb:
        os.chdir(folder)
        os.execv(gdb, [*words, *(["-batch"] if args.batch else [])])
    try:
        go_there([*words, "-iex", "set source open off", "-batch"], folder, args.seq)
    except (KeyError, ValueError, struct.error) as error:
        raise UsageError(f"the machine's state at decision {args.seq} is not as QEMU saves it: {error}") from None
    words = [*machine, "-incoming", f"exec:cat {STATE}", "-icount", "shift=auto",
             "-chardev", f"stdio,id=uart,signal=off,logfile={LOG},logappend=on", "-serial", "chardev:uart"]
    os.chdir(folder)
    os.execv(words[0], words)


if __name__ == "__main__":
    sys.exit(guarded("replay", main, sys.argv[1:]))
