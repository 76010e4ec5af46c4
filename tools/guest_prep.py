#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks a kernel of any kind (ELF, raw binary, U-Boot's images) and prepares it to be booted by Charter."""
from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import zlib
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # policygen/text reads ELF files

from guestprep import fdt, guest, kernel, layout, machine, output, virtio, windows  # noqa: E402
from guestprep.report import Report, read_file, tell  # noqa: E402
from hvl.entry import Parser, guarded  # noqa: E402

OUTPUTS = (*(f"part{number}" for number in range(1, kernel.MAX_PARTS + 1)), "guest.dtb", "bootargs", "kernel.json")
NUMBER = re.compile(r"0[xX][0-9a-fA-F_]{1,16}|[0-9]{1,20}")
HASHED = 4 << 20                # bytes of the part that is entered, as EL2 has them in @H
DTB_ALIGN = 8                   # (Devicetree Specification, "DTB alignment")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="guest_prep.py", description=__doc__, epilog="Exit status: 0 prepared, 1 an input is refused "
                    "(nothing is written), 2 wrong usage.")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--elf", metavar="FILE", help="a 64-bit little-endian ELF file for AArch64, by its program headers")
    kind.add_argument("--bin", metavar="FILE", help="a raw binary, packed or not, or U-Boot's legacy or FIT image")
    parser.add_argument("--load", metavar="ADDRESS", help="where a raw binary or a PIE goes (default: as it says, else "
                        f"{layout.RAM_BASE + kernel.RAW_OFFSET:#x})")
    parser.add_argument("--entry", metavar="ADDRESS", help="where it begins (default: as it says, else where it lies)")
    parser.add_argument("--x0", metavar="dtb|0|N", help="what X0 holds then (default: 0 for ELF, else the DTB's address)")
    parser.add_argument("--dtb", metavar="auto|none|FILE", default="auto", help="its DTB (default: of the QEMU that runs)")
    parser.add_argument("--dtb-at", metavar="ADDRESS", help="where the DTB goes (default: the start of RAM, unless the "
                        f"kernel is there, else {layout.DTB_IPA:#x})")
    parser.add_argument("--args", metavar="TEXT", help="/chosen/bootargs, as it stands; without it the DTB's is kept")
    parser.add_argument("--unattended", action="store_true", help="no monitor: the end of the guest ends QEMU")
    parser.add_argument("--modern-virtio", action="store_true", help="virtio devices without the legacy interface, which is "
                        "QEMU's own choice")
    machine.add_arguments(parser)
    options = parser.parse_args(argv)
    machine.check_text(parser, "--args", options.args)
    for name in ("load", "entry", "dtb_at"):
        setattr(options, name, address(parser, f"--{name.replace('_', '-')}", getattr(options, name)))
    if options.x0 not in (None, "dtb"):
        options.x0 = address(parser, "--x0", options.x0)
    if options.dtb == "none" and (options.args is not None or options.x0 == "dtb" or options.dtb_at is not None):
        parser.error("--dtb none: and yet --args, --x0 dtb or --dtb-at speaks of one")
    machine.check(parser, options)
    return options


def address(parser: argparse.ArgumentParser, name: str, text: Optional[str]) -> Optional[int]:
    """A 64-bit number."""
    if text is None:
        return None
    if not NUMBER.fullmatch(text) or int(text, 0 if text[:2].lower() == "0x" else 10) >> 64:
        parser.error(f"{name} {text}: a number of 64 bits, like 0x40200000")
    return int(text, 0 if text[:2].lower() == "0x" else 10)


def dtb_of(options: argparse.Namespace, found: kernel.Kernel, report: Report) -> Tuple[str, Optional[fdt.Tree]]:
    """The DTB's name in complaints, and the machine's tree."""
    where, blob = options.dtb, found.tree
    if options.dtb != "auto":
        blob = read_file(options.dtb, fdt.MAX_INPUT, "a DTB that could be cut to size", report)
    elif blob is not None:
        where = "DTB of the FIT"
    else:
        where, blob = f"DTB of {options.qemu}", machine.dump_dtb(options.qemu, options.machine, options.smp, report)
    return where, fdt.load(where, blob, report) if blob is not None else None


def place_dtb(options: argparse.Namespace, found: kernel.Kernel, size: int, report: Report) -> layout.Span:
    """The start of RAM unless the kernel lies there."""
    taken = [kernel.in_units(span) for span in found.spans]
    at, remedy = options.dtb_at, "give another GUEST_DTB_AT=, or none for one that fits"
    if at is None:
        free = not any(kernel.in_units(layout.Span("", layout.RAM_BASE, size)).overlaps(other) for other in taken)
        at, remedy = (layout.RAM_BASE if free else layout.DTB_IPA,
                      "link the kernel elsewhere, or give GUEST_DTB_AT= or GUEST_DTB=none")
    elif at % DTB_ALIGN:
        report.error("--dtb-at", f"{at:#x} is not a multiple of {DTB_ALIGN}")
    span = layout.Span("DTB", at, size)
    for clash in layout.clashes([*taken, span]):
        report.error("layout", f"{clash}; {remedy}")
    return span


def prepare(options: argparse.Namespace, report: Report) -> List[str]:
    """Everything: checks all inputs, then writes if there was no complaint. Returns what to tell."""
    name = options.elf or options.bin
    raw = read_file(name, layout.RAM_SIZE, "guest RAM", report)
    load = kernel.load_elf if options.elf else kernel.load_binary
    found = load(name, raw, kernel.Place(options.load, options.entry), report) if raw is not None else None
    given = windows.of_policy(options.policy_windows, report)
    added = virtio.devices(options.disk, options.net, given, report)
    out = Path(options.out)
    output.check(out, OUTPUTS, [name, options.disk, options.dtb if options.dtb not in ("auto", "none") else None], report)
    if found is None:
        return []
    for note in found.notes:
        report.notice(name, note)
    if found.entry % 4 or not any(part.base <= found.entry < part.base + len(part.data) for part in found.parts):
        report.error("GUEST_ENTRY" if options.entry is not None else name,
                     f"the entry {found.entry:#x} is no instruction of what is loaded")

    dtb, removed, span = b"", [], None      # type: bytes, List[str], Optional[layout.Span]
    if options.dtb != "none":
        where, tree = dtb_of(options, found, report)
        if tree is not None:
            removed = guest.make_guest(where, tree, guest.Wanted(
                options.smp, given, options.args, None, not options.no_seeds, found.spans,
                frozenset(device.base for device in added), windows.hidden_features(options.policy_windows, report),
                linux=False), report)
            dtb = fdt.save(tree)
            span = place_dtb(options, found, len(dtb), report)
    if report.errors:
        return []

    x0 = span.base if span and (options.x0 == "dtb" or options.x0 is None and found.takes_dtb) else options.x0
    x0 = x0 if isinstance(x0, int) else 0
    loaded = [output.Loaded(f"part{number}", part.base, part.data) for number, part in enumerate(found.parts, 1)]
    if span:
        loaded.append(output.Loaded("guest.dtb", span.base, dtb))
    words = [f"part={file.address}+{len(file.data)}" for file in sorted(loaded, key=lambda file: file.address)]
    entered = next(part for part in found.parts if part.base <= found.entry < part.base + len(part.data))
    told = {"file": str(Path(name).resolve()), "kind": "elf" if options.elf else "bin", "entry": found.entry, "x0": x0,
            "sha256": hashlib.sha256(raw or b"").hexdigest(), "guest": f"kernel#{zlib.crc32(entered.data[:HASHED]):08x}"}
    output.write(out, OUTPUTS, loaded,
                 output.boot_arguments([*words, f"entry={found.entry}", f"x0={x0}"], options.log, options.unattended,
                                       options.hv_init),
                 virtio.arguments(added, not options.modern_virtio), report,
                 {"kernel.json": json.dumps(told, indent=1).encode("ascii") + b"\n"})
    return [str(one) for one in [*found.spans, *([span] if span else [])]] + \
        [f"entry {found.entry:#x}, x0 {x0:#x}; {told['guest']} in the log"] + [f"removed {line}" for line in removed]


def main(argv: Sequence[str]) -> int:
    options = parse(argv)
    report = Report()
    return tell("guest_prep", report, prepare(options, report), options.quiet)


if __name__ == "__main__":
    sys.exit(guarded("guest_prep", main, sys.argv[1:]))
