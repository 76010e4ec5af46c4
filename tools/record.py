#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records a run of the diagnostic guest in a new folder, for tools/replay.py: `make record`."""
from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import List

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hvl.entry import Parser, guarded  # noqa: E402
from hvl.escape import terminal  # noqa: E402
from hvl.files import UsageError  # noqa: E402
import recording  # noqa: E402

PIPED = Path(__file__).resolve().with_name("piped.py")


def main(argv: List[str]) -> int:
    parser = Parser(prog="record.py", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the recording goes; nothing is there yet")
    parser.add_argument("--elf", type=Path, required=True, metavar="FILE", help="the hypervisor")
    parser.add_argument("--bootargs", type=Path, required=True, metavar="FILE", help="its boot arguments")
    parser.add_argument("--machine", required=True, metavar="TEXT", help="QEMU's options that describe the machine")
    parser.add_argument("--qemu", default="qemu-system-aarch64", metavar="FILE")
    args = parser.parse_args(argv)
    folder: Path = args.folder
    machine, qemu = recording.parse(args.machine), recording.program(args.qemu, "qemu-system-arm")
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{terminal(str(folder))}: exists, and a recording goes into a new folder: R=another, or "
                         "remove it")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(args.elf, folder / recording.IMAGE)
    shutil.copyfile(args.bootargs, folder / recording.BOOTARGS)
    (folder / recording.MACHINE).write_text(json.dumps(machine) + "\n", encoding="ascii")
    words = [sys.executable, str(PIPED), qemu, *recording.described(folder),
             "-chardev", f"stdio,id=uart,signal=off,logfile={recording.LOG}", "-serial", "chardev:uart",
             "-icount", f"shift=auto,rr=record,rrfile={recording.EVENTS}"]
    os.chdir(folder)
    os.execv(words[0], words)


if __name__ == "__main__":
    sys.exit(guarded("record", main, sys.argv[1:]))
