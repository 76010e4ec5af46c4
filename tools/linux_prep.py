#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks an arm64 Linux (Image, initrd, DTB) and prepares it to be booted by Charter."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List, Optional, Sequence

from guestprep import fdt, guest, image, layout, machine, output, virtio, windows
from guestprep.report import Report, read_file, tell
from hvl.entry import Parser, guarded
from hvl.symbols import image_hash, map_of_image

OUTPUTS = ("header", "Image", "initrd", "guest.dtb", "bootargs")
INITRD_ALIGN = 0x1000


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="linux_prep.py", description=__doc__, epilog="Exit status: 0 prepared, 1 an input is refused "
                    "(nothing is written), 2 wrong usage.")
    parser.add_argument("--image", required=True, metavar="FILE", help="arm64 Image: raw, packed or EFI zboot")
    parser.add_argument("--dtb", metavar="FILE", help="DTB of QEMU virt; without it one is dumped from --qemu")
    parser.add_argument("--initrd", metavar="FILE", help="initial RAM disk, in any form that the kernel reads")
    parser.add_argument("--cmdline", metavar="TEXT", help="kernel command line; without it the DTB's is kept")
    parser.add_argument("--unattended", action="store_true", help="no monitor: the end of the guest ends QEMU, and a "
                        "panic is an end (panic=-1 unless the command line has another)")
    parser.add_argument("--verbatim", action="store_true", help="the command line as it stands, also when unattended")
    parser.add_argument("--legacy-virtio", action="store_true", help="virtio devices with the legacy interface")
    machine.add_arguments(parser)
    parser.add_argument("--symbols", metavar="DIR", help="where the names of the kernel's functions are kept, for the tools "
                        "that read logs")
    options = parser.parse_args(argv)
    machine.check_text(parser, "--cmdline", options.cmdline)
    machine.check(parser, options)
    return options


def initrd_place(kernel: layout.Span, size: int) -> layout.Span:
    """Where the board has it, unless the kernel with its BSS reaches there: then behind that."""
    behind = (kernel.end + INITRD_ALIGN - 1) // INITRD_ALIGN * INITRD_ALIGN
    return layout.Span("initrd", max(layout.INITRD_IPA, behind), size)


def keep_symbols(folder: Optional[str], loaded: bytes, kernel: bytes, report: Report) -> None:
    """The kernel's functions under the hash that EL2 has of what is loaded; a kernel without kallsyms has no names."""
    if folder is None:
        return
    try:
        symbols = map_of_image(kernel)
    except ValueError as error:
        report.notice("names of functions", str(error))
        return
    output.store(Path(folder), {f"{image_hash(loaded):08x}.map": symbols}, report)


def prepare(options: argparse.Namespace, report: Report) -> List[str]:
    """Everything: checks all inputs, then writes if there was no complaint. Returns what to tell."""
    raw = read_file(options.image, image.MAX_UNPACKED, "guest RAM below the DTB", report)
    kernel = image.load_image(options.image, raw, machine.cpu_model(options.machine), report) if raw is not None else None
    initrd = b""
    if options.initrd is not None:
        room = f"guest RAM from the initrd's IPA {layout.INITRD_IPA:#x} to the DTB at {layout.DTB_IPA:#x}"
        data = read_file(options.initrd, layout.DTB_IPA - layout.INITRD_IPA, room, report)
        if data is not None:
            image.check_initrd(options.initrd, data, report)
        initrd = data or b""
    given = windows.of_policy(options.policy_windows, report)
    added = virtio.devices(options.disk, options.net, given, report)

    spans = [kernel.span] if kernel else []
    initrd_span = initrd_place(spans[0] if spans else layout.Span("", 0, 0), len(initrd)) if initrd else None
    spans += [initrd_span] if initrd_span else []
    dtb_area = layout.Span("DTB", layout.DTB_IPA, layout.DTB_MAX)
    for clash in layout.clashes([*spans[:1], dtb_area]) or layout.clashes([*spans, dtb_area]):
        report.error("layout", clash)

    where = options.dtb if options.dtb is not None else f"DTB of {options.qemu}"
    blob = (read_file(options.dtb, fdt.MAX_INPUT, "a DTB that could be cut to size", report) if options.dtb is not None
            else machine.dump_dtb(options.qemu, options.machine, options.smp, report))
    tree = fdt.load(where, blob, report) if blob is not None else None
    removed: List[str] = []
    dtb = b""
    if tree:
        removed = guest.make_guest(where, tree, guest.Wanted(
            options.smp, given, options.cmdline, initrd_span, not options.no_seeds,
            [*spans, dtb_area], frozenset(device.base for device in added),
            windows.hidden_features(options.policy_windows, report), options.unattended and not options.verbatim), report)
        dtb = fdt.save(tree)
        if len(dtb) > layout.DTB_MAX:
            report.error(where, f"the guest's DTB has {len(dtb)} bytes; from IPA {layout.DTB_IPA:#x} to the end of RAM "
                                f"{layout.RAM_END:#x} there are {layout.DTB_MAX}")
    out = Path(options.out)
    output.check(out, OUTPUTS, [options.image, options.initrd, options.dtb, options.disk], report)
    if report.errors or kernel is None:
        return []

    # EL2 reads the header at the start of RAM wherever the kernel is: a copy of it goes there.
    loaded = [output.Loaded("Image", kernel.span.base, kernel.data)]
    if kernel.text_offset:
        loaded.insert(0, output.Loaded("header", layout.RAM_BASE, kernel.data[:image.HEADER_SIZE]))
    words = ["guest=linux", f"image={len(kernel.data)}", f"initrd={len(initrd)}", f"dtb={len(dtb)}"]
    if initrd_span:
        loaded.append(output.Loaded("initrd", initrd_span.base, initrd))
        words += [f"initrd_at={initrd_span.base}"] if initrd_span.base != layout.INITRD_IPA else []
    loaded.append(output.Loaded("guest.dtb", layout.DTB_IPA, dtb))
    keep_symbols(options.symbols, loaded[0].data, kernel.data, report)
    output.write(out, OUTPUTS, loaded, output.boot_arguments(words, options.log, options.unattended, options.hv_init),
                 virtio.arguments(added, options.legacy_virtio), report)
    return [f"{span}, PA {span.base + layout.BACKING:#x}" for span in [
        *spans, layout.Span("DTB", layout.DTB_IPA, len(dtb))]] + [f"removed {line}" for line in removed]


def main(argv: Sequence[str]) -> int:
    options = parse(argv)
    report = Report()
    return tell("linux_prep", report, prepare(options, report), options.quiet)


if __name__ == "__main__":
    sys.exit(guarded("linux_prep", main, sys.argv[1:]))
