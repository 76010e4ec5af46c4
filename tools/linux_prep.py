#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks an arm64 Linux (Image, initrd, DTB) and prepares it to be booted by Charter."""
from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, FrozenSet, List, Optional, Sequence

from guestprep import fdt, guest, image, layout, virtio, windows
from guestprep.report import Report, read_file
from hvl.entry import Parser, guarded, say
from hvl.escape import terminal
from hvl.names import MODES
from hvl.symbols import image_hash, map_of_image

QEMU = "qemu-system-aarch64"
MACHINE = "-M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -m 1G"
DUMP_SECONDS = 30
# Options pass through a shell that splits words; `guestfwd=` and `smb=` would run programs or open more than a network.
NAME = re.compile(r"[A-Za-z0-9._/+,:=@%~-]+")
NET = re.compile(r"user(,(restrict|net|host|dns|dhcpstart|hostname|ipv4|ipv6|hostfwd)=[A-Za-z0-9.:/_-]+)*")
COMMANDS = re.compile(r"[ !#-~]*")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="linux_prep.py", description=__doc__, epilog="Exit status: 0 prepared, 1 an input is refused "
                    "(nothing is written), 2 wrong usage.")
    parser.add_argument("--image", required=True, metavar="FILE", help="arm64 Image: raw, gzipped or EFI zboot")
    parser.add_argument("--dtb", metavar="FILE", help="DTB of QEMU virt; without it one is dumped from --qemu")
    parser.add_argument("--initrd", metavar="FILE", help="initial RAM disk, in any form that the kernel reads")
    parser.add_argument("--cmdline", metavar="TEXT", help="kernel command line; without it the DTB's is kept")
    parser.add_argument("--smp", type=int, default=1, metavar="N", help=f"CPUs, 1 to {layout.MAX_CPUS} (default 1)")
    parser.add_argument("--policy-windows", metavar="FILE", help="windows.json of policygen: which devices the guest "
                        "gets (and policy.canonical.json beside it: which features it hides); without it only the GIC "
                        "and uart0")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the result goes")
    parser.add_argument("--no-seeds", action="store_true", help="drop kaslr-seed and rng-seed (reproducible runs)")
    parser.add_argument("--log", choices=MODES, default="notable", help="decisions to print (default notable)")
    parser.add_argument("--unattended", action="store_true", help="no monitor: the end of the guest ends QEMU, and a "
                        "panic is an end (panic=-1 unless the command line has another)")
    parser.add_argument("--hv-init", metavar="COMMANDS", help="what the monitor does before the guest starts, "
                        "separated by ;")
    parser.add_argument("--qemu", default=QEMU, metavar="FILE", help=f"the QEMU that will run (default {QEMU})")
    parser.add_argument("--cpu", metavar="MODEL", help="its -cpu, instead of the one in --qemu-args")
    parser.add_argument("--qemu-args", metavar="TEXT", help=f"its machine (default {MACHINE!r}, or the board's)")
    parser.add_argument("--board", metavar="FILE", help="platform.json of policygen: where things lie "
                        "(default: qemu-virt)")
    parser.add_argument("--disk", metavar="FILE", help="a raw disk image, /dev/vda if the policy gives virtio-disk")
    parser.add_argument("--net", metavar="user[,...]", help="a network card, if the policy gives virtio-net: QEMU's "
                        "user network and its options")
    parser.add_argument("--legacy-virtio", action="store_true", help="virtio devices with the legacy interface")
    parser.add_argument("--symbols", metavar="DIR", help="where the names of the kernel's functions are kept, for the tools "
                        "that read logs")
    parser.add_argument("-q", "--quiet", action="store_true", help="errors and notices only")
    options = parser.parse_args(argv)
    if not 1 <= options.smp <= layout.MAX_CPUS:
        parser.error(f"--smp {options.smp}: must be 1 to {layout.MAX_CPUS}")
    if options.cmdline is not None and any(ord(char) < 32 and char != "\t" for char in options.cmdline):
        parser.error("--cmdline holds a control character")
    if options.net is not None and not NET.fullmatch(options.net):
        parser.error(f"--net {options.net}: only QEMU's user network, with restrict=, net=, host=, dns=, dhcpstart=, "
                     "hostname=, ipv4=, ipv6=, hostfwd=")
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
    try:
        options.machine = shlex.split(options.qemu_args if options.qemu_args is not None else words)
    except ValueError as error:
        parser.error(f"--qemu-args: {error}")
    if options.cpu is not None:
        options.machine += ["-cpu", options.cpu]        # of two, QEMU takes the last
    return options


def dump_dtb(qemu: str, machine: List[str], cpus: int, report: Report) -> Optional[bytes]:
    """The DTB of the machine that will run, which QEMU writes and then exits."""
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


def at_start_of_ram(kernel: image.Image) -> bytes:
    """The file at the start of RAM, when the Image lies at a text_offset other than 0 (before Linux 5.8).

    EL2 reads the header at the start of RAM in any case: a copy of it goes there, into memory that is free.
    """
    if not kernel.text_offset:
        return kernel.data
    return kernel.data[:image.HEADER_SIZE].ljust(kernel.text_offset, b"\0") + kernel.data


def bootargs(kernel: bytes, initrd: bytes, dtb: bytes, options: argparse.Namespace) -> bytes:
    """The boot arguments; EL2 checks them again."""
    words = ["charter1", "guest=linux", f"image={len(kernel)}", f"initrd={len(initrd)}", f"dtb={len(dtb)}",
             f"log={options.log}"]
    if options.unattended:
        words.append("unattended=1")
    if options.hv_init:
        words.append(f'hv.init="{options.hv_init}"')
    return " ".join(words).encode("ascii") + b"\0"


def hidden_features(policy_windows: Optional[str], report: Report) -> FrozenSet[str]:
    """Features that the policy hides, from the canonical form beside the windows."""
    if policy_windows is None:
        return frozenset()
    canonical = os.path.join(os.path.dirname(policy_windows), "policy.canonical.json")
    if not os.path.lexists(canonical):
        return frozenset()
    text = read_file(canonical, windows.MAX_JSON, "a policy's canonical form", report)
    return windows.hidden(text) if text is not None else frozenset()


def check_out(out: Path, inputs: Sequence[Optional[str]], report: Report) -> None:
    """Refuses to overwrite a file that no earlier run wrote: it may be an input, or a person's Image or initrd."""
    there = [out / name for name in OUTPUTS if os.path.lexists(out / name)]
    for name in inputs:
        if name is not None and any(os.path.exists(path) and os.path.samefile(name, path) for path in there):
            report.error(name, f"an input in {out}, where the result goes")
    args = out / "qemu.args"
    ours = args.is_file() and args.read_bytes()[:len(ARGS)] == ARGS
    if there and not ours:
        report.error(str(there[0]), "exists, and was not written here before; name another --out, or remove it")


OUTPUTS = ("Image", "initrd", "guest.dtb", "bootargs", "qemu.args")
ARGS = b"-device\nloader,file="     # first bytes of qemu.args


def write(out: Path, files: Dict[str, Optional[bytes]], report: Report) -> None:
    """Writes each file whole or not at all; None removes an earlier run's file."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            if data is None:
                (out / name).unlink(missing_ok=True)
                continue
            scratch = out / f"{name}.new"
            scratch.write_bytes(data)
            os.replace(scratch, out / name)
    except OSError as error:
        report.error(str(error.filename or out), error.strerror or str(error))


def keep_symbols(folder: Optional[str], loaded: bytes, kernel: bytes, report: Report) -> None:
    """The kernel's functions under the hash that EL2 has of what is loaded; a kernel without kallsyms has no names."""
    if folder is None:
        return
    try:
        symbols = map_of_image(kernel)
    except ValueError as error:
        report.notice("names of functions", str(error))
        return
    write(Path(folder), {f"{image_hash(loaded):08x}.map": symbols}, report)


def prepare(options: argparse.Namespace, report: Report) -> List[str]:
    """The whole run: checks all inputs, then writes if there was no complaint. Returns the lines to print."""
    room = "guest RAM below the DTB"
    raw = read_file(options.image, image.MAX_UNPACKED, room, report)
    kernel = image.load_image(options.image, raw, cpu_model(options.machine), report) if raw is not None else None
    initrd = b""
    if options.initrd is not None:
        room = f"guest RAM from the initrd's IPA {layout.INITRD_IPA:#x} to the DTB at {layout.DTB_IPA:#x}"
        data = read_file(options.initrd, layout.DTB_IPA - layout.INITRD_IPA, room, report)
        if data is not None:
            image.check_initrd(options.initrd, data, report)
        initrd = data or b""
    given: Optional[windows.Windows] = windows.DEFAULT
    if options.policy_windows is not None:
        text = read_file(options.policy_windows, windows.MAX_JSON, "a list of windows", report)
        given = windows.load(options.policy_windows, text, report) if text is not None else None

    added = virtio.devices(options.disk, options.net, given or windows.DEFAULT, report)

    initrd_span = layout.Span("initrd", layout.INITRD_IPA, len(initrd)) if initrd else None
    spans = [span for span in (kernel.span if kernel else None, initrd_span) if span]
    dtb_area = layout.Span("DTB", layout.DTB_IPA, layout.DTB_MAX)
    for clash in layout.clashes([*spans, dtb_area]):
        report.error("layout", clash)

    where = options.dtb if options.dtb is not None else f"DTB of {options.qemu}"
    blob = (read_file(options.dtb, fdt.MAX_INPUT, "a DTB that could be cut to size", report)
            if options.dtb is not None else dump_dtb(options.qemu, options.machine, options.smp, report))
    tree = fdt.load(where, blob, report) if blob is not None else None
    removed: List[str] = []
    dtb = b""
    if tree:
        removed = guest.make_guest(where, tree, guest.Wanted(
            options.smp, given or windows.DEFAULT, options.cmdline, initrd_span, not options.no_seeds,
            [*spans, dtb_area], frozenset(device.base for device in added),
            hidden_features(options.policy_windows, report), options.unattended), report)
        dtb = fdt.save(tree)
        if len(dtb) > layout.DTB_MAX:
            report.error(where, f"the guest's DTB has {len(dtb)} bytes; from IPA {layout.DTB_IPA:#x} to the end of RAM "
                                f"{layout.RAM_END:#x} there are {layout.DTB_MAX}")
    out = Path(options.out)
    if os.path.isdir(out):
        check_out(out, [name for name in (options.image, options.initrd, options.dtb, options.disk)
                        if name is not None and os.path.exists(name)], report)
    if report.errors or kernel is None:
        return []

    loaded = at_start_of_ram(kernel)
    arguments = bootargs(loaded, initrd, dtb, options)
    if len(arguments) > layout.BOOTARGS_MAX:
        report.error("--hv-init", f"the boot arguments have {len(arguments)} bytes; EL2 reads {layout.BOOTARGS_MAX}")
        return []
    addresses = {"Image": layout.RAM_BASE + layout.BACKING, "initrd": layout.INITRD_IPA + layout.BACKING,
                 "guest.dtb": layout.DTB_IPA + layout.BACKING, "bootargs": layout.BOOTARGS_PA}
    files: Dict[str, Optional[bytes]] = {"Image": loaded, "initrd": initrd or None, "guest.dtb": dtb,
                                         "bootargs": arguments}
    loaders = [f"-device\nloader,file={str(out / name).replace(',', ',,')},addr={addresses[name]:#x},force-raw=on\n"
               for name, data in files.items() if data is not None]
    lines = loaders + [f"{word}\n" for word in virtio.arguments(added, options.legacy_virtio)]
    keep_symbols(options.symbols, loaded, kernel.data, report)
    write(out, {**files, "qemu.args": "".join(lines).encode("utf-8", "surrogateescape")}, report)
    placed = [f"{span}, PA {span.base + layout.BACKING:#x}"
              for span in [*spans, layout.Span("DTB", layout.DTB_IPA, len(dtb))]]
    return placed + [f"removed {line}" for line in removed]


def main(argv: Sequence[str]) -> int:
    options = parse(argv)
    report = Report()
    told = prepare(options, report)
    for notice in report.notices:
        say("linux_prep", f"notice: {terminal(notice)}")
    for error in report.errors:
        say("linux_prep", f"error: {terminal(error)}")
    if report.errors:
        return 1
    if not options.quiet:
        print("\n".join(map(terminal, told)))
    return 0


if __name__ == "__main__":
    sys.exit(guarded("linux_prep", main, sys.argv[1:]))
