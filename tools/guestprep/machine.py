# SPDX-License-Identifier: Apache-2.0
"""The machine that a guest gets, as a person says it: arguments that every preparing tool takes, and its DTB."""
from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import List, Optional

from guestprep import layout
from guestprep.report import Report
from hvl.names import MODES

QEMU = "qemu-system-aarch64"
MACHINE = "-M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -m 1G"
DUMP_SECONDS = 30
# QEMU's options go through a shell that splits words; `guestfwd=` and `smb=` would run or give more than a network.
NAME = re.compile(r"[A-Za-z0-9._/+,:=@%~-]+")
NET = re.compile(r"user(,(restrict|net|host|dns|dhcpstart|hostname|ipv4|ipv6|hostfwd)=[A-Za-z0-9.:/_-]+)*")
COMMANDS = re.compile(r"[ !#-~]*")
# Options that add to the CPU or to the board; RAM, firmware and exception levels are the platform's.
OPTIONS = re.compile(r"(mte|acpi|dtb-randomness|highmem|its|ras)=(on|off)(,(mte|acpi|dtb-randomness|highmem|its|ras)=(on|off))*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--smp", type=int, default=1, metavar="N", help=f"CPUs, 1 to {layout.MAX_CPUS} (default 1)")
    parser.add_argument("--policy-windows", metavar="FILE", help="windows.json of policygen: which devices the guest "
                        "gets (and policy.canonical.json beside it: which features it hides); without it only the GIC "
                        "and uart0")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the result goes")
    parser.add_argument("--no-seeds", action="store_true", help="drop kaslr-seed and rng-seed (reproducible runs)")
    parser.add_argument("--log", choices=MODES, default="notable", help="decisions to print (default notable)")
    parser.add_argument("--hv-init", metavar="COMMANDS", help="what the monitor does before the guest starts, "
                        "separated by ;")
    parser.add_argument("--qemu", default=QEMU, metavar="FILE", help=f"the QEMU that will run (default {QEMU})")
    parser.add_argument("--cpu", metavar="MODEL", help="its -cpu, instead of the one in --qemu-args")
    parser.add_argument("--qemu-args", metavar="TEXT", help=f"its machine (default {MACHINE!r}, or the board's)")
    parser.add_argument("--machine", metavar="mte=on[,...]", help="options of its machine that come on top")
    parser.add_argument("--board", metavar="FILE", help="platform.json of policygen: where things lie "
                        "(default: qemu-virt)")
    parser.add_argument("--disk", metavar="FILE", help="a raw disk image, /dev/vda if the policy gives virtio-disk")
    parser.add_argument("--net", metavar="user[,...]", help="a network card, if the policy gives virtio-net: QEMU's "
                        "user network and its options")
    parser.add_argument("-q", "--quiet", action="store_true", help="errors and notices only")


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Ends in a line about what is not one of these arguments; `options.machine` is then QEMU's words."""
    if not 1 <= options.smp <= layout.MAX_CPUS:
        parser.error(f"--smp {options.smp}: must be 1 to {layout.MAX_CPUS}")
    if options.net is not None and not NET.fullmatch(options.net):
        parser.error(f"--net {options.net}: only QEMU's user network, with restrict=, net=, host=, dns=, dhcpstart=, "
                     "hostname=, ipv4=, ipv6=, hostfwd=")
    if options.machine is not None and not OPTIONS.fullmatch(options.machine):
        parser.error(f"--machine {options.machine}: mte=on, acpi=, dtb-randomness=, highmem=, its=, ras=, on or off, "
                     "separated by commas; the rest of the machine is the platform's")
    if options.hv_init is not None and not COMMANDS.fullmatch(options.hv_init):
        parser.error(f"--hv-init {options.hv_init}: commands are printable ASCII without '\"'")
    for name in ("out", "disk"):
        if not NAME.fullmatch(getattr(options, name) or "x"):
            parser.error(f"--{name} {getattr(options, name)}: a name for QEMU's options has letters, digits and "
                         "._/+,:=@%~- alone")
    words = MACHINE
    try:
        words = layout.take(Path(options.board)) if options.board else words
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"--board {options.board}: no platform.json of policygen: {error}")
    more = ["-machine", options.machine] if options.machine else []
    try:
        options.machine = shlex.split(options.qemu_args if options.qemu_args is not None else words)
    except ValueError as error:
        parser.error(f"--qemu-args: {error}")
    if options.cpu is not None:
        options.machine += ["-cpu", options.cpu]        # of two, QEMU takes the last
    options.machine += more


def check_text(parser: argparse.ArgumentParser, name: str, text: Optional[str]) -> None:
    """A kernel's arguments are one line."""
    if text is not None and any(ord(char) < 32 and char != "\t" for char in text):
        parser.error(f"{name} holds a control character")


def dump_dtb(qemu: str, machine: List[str], cpus: int, report: Report) -> Optional[bytes]:
    """The DTB of the machine that will run, which QEMU writes instead of starting it."""
    with tempfile.TemporaryDirectory(prefix="charter-") as scratch:
        target = Path(scratch, "virt.dtb")
        command = [qemu, *machine, *([] if "-smp" in machine else ["-smp", str(cpus)]),
                   "-display", "none", "-machine", f"dumpdtb={str(target).replace(',', ',,')}"]
        try:
            run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DUMP_SECONDS,
                                 check=False)
        except subprocess.TimeoutExpired:
            report.error(qemu, f"did not dump its DTB within {DUMP_SECONDS} s; give one with --dtb")
            return None
        except OSError as error:
            report.error(qemu, f"cannot be run: {error.strerror}")
            return None
        if not target.is_file():
            said = run.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
            report.error(qemu, f"dumped no DTB (exit status {run.returncode}): {said[-1]}")
            return None
        return target.read_bytes()


def cpu_model(machine: List[str]) -> str:
    """The value of -cpu without its features."""
    pairs = [value for option, value in zip(machine, machine[1:]) if option == "-cpu"]
    return pairs[-1].split(",")[0] if pairs else ""
