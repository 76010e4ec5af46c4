# SPDX-License-Identifier: Apache-2.0
"""Kernels and device trees to try linux_prep with."""
from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Dict, List, Optional

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from guestprep import fdt, guest, layout, windows  # noqa: E402  (the path above is needed first)
from guestprep.report import Report  # noqa: E402

MACHINES: Dict[str, str] = {
    "plain": "-M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -smp 1",
    "no-el2": "-M virt,virtualization=off,gic-version=3 -cpu cortex-a57 -smp 2",
    "smmu-16": "-M virt,virtualization=on,gic-version=3,iommu=smmuv3 -cpu cortex-a57 -smp 16",
    "gicv2": "-M virt,virtualization=on,gic-version=2 -cpu cortex-a57 -smp 1",
    "secure": "-M virt,virtualization=on,gic-version=3,secure=on -cpu cortex-a57 -smp 1",
}


def make_image(text_offset: int = 0, image_size: int = 0x20_0000, flags: int = 0xa, length: int = 0x1000,
               start: bytes = b"\x00\x00\x00\x14") -> bytes:
    """An arm64 Image with a valid header and nothing to run."""
    header = struct.pack("<4s4xQQQ24x4s4x", start, text_offset, image_size, flags, b"ARM\x64")
    return header.ljust(length, b"\0")


def small_tree(address_cells: int = 2, size_cells: int = 2) -> fdt.Tree:
    """The least that Linux needs, in any cell size."""
    def reg(*pairs: int) -> List[int]:
        return [cell for index, value in enumerate(pairs)
                for cell in fdt.to_cells(value, size_cells if index % 2 else address_cells)]

    root = fdt.Node("")
    root.set_cells("#address-cells", [address_cells])
    root.set_cells("#size-cells", [size_cells])
    root.set_cells("interrupt-parent", [1])
    gic = root.add("intc@8000000")
    gic.set_strings("compatible", "arm,gic-v3")
    gic.set_cells("phandle", [1])
    gic.set_cells("#interrupt-cells", [3])
    gic.props["interrupt-controller"] = b""
    gic.set_cells("reg", reg(layout.GICD_BASE, layout.GICD_SIZE, layout.GICR_BASE, layout.GICR_SIZE))
    timer = root.add("timer")
    timer.set_strings("compatible", "arm,armv8-timer")
    cpus = root.add("cpus")
    cpus.set_cells("#address-cells", [1])
    cpus.set_cells("#size-cells", [0])
    cpu = cpus.add("cpu@0")
    cpu.set_strings("device_type", "cpu")
    cpu.set_cells("reg", [0])
    uart = root.add("pl011@9000000")
    uart.set_strings("compatible", "arm,pl011", "arm,primecell")
    uart.set_cells("reg", reg(layout.UART_BASE, layout.UART_SIZE))
    return fdt.Tree(root)


class Prepared:
    """A guest tree, and the complaints about it."""

    def __init__(self, tree: fdt.Tree, cpus: int = 1, given: windows.Windows = windows.DEFAULT,
                 cmdline: Optional[str] = None, initrd: Optional[layout.Span] = None, seeds: bool = True) -> None:
        self.report = Report()
        self.tree = tree
        occupied = [layout.Span("Image", layout.RAM_BASE, 0x20_0000),
                    layout.Span("DTB", layout.DTB_IPA, layout.DTB_MAX)] + ([initrd] if initrd else [])
        self.removed = guest.make_guest("x.dtb", tree, guest.Wanted(cpus, given, cmdline, initrd, seeds, occupied),
                                        self.report)
        again = fdt.load("again", fdt.save(tree), Report())
        assert again is not None
        self.saved = again

    def node(self, path: str) -> fdt.Node:
        found = self.saved.at(path)
        assert found is not None, path
        return found

    @property
    def names(self) -> List[str]:
        return [node.name for node in self.saved.root.walk()]
