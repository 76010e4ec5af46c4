# SPDX-License-Identifier: Apache-2.0
"""U-Boot's images: the legacy one (include/image.h) and the Flattened Image Tree (doc/usage/fit/source_file_format.rst)."""
from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Dict, List, Optional

from guestprep import fdt, layout, unpack
from guestprep.fdt import Node, number
from guestprep.report import Report

LEGACY_MAGIC = b"\x27\x05\x19\x56"
LEGACY_HEADER = 64
ARM64 = 22                      # IH_ARCH_ARM64
RUNNABLE = {1: "standalone", 2: "kernel", 5: "firmware"}
LEGACY_TYPES = {3: "a RAM disk", 4: "several files", 6: "a script", 7: "a file system", 8: "a device tree"}
PACKED = {0: "none", 1: "gzip", 2: "bzip2", 3: "lzma", 4: "lzo", 5: "lz4", 6: "zstd"}


@dataclass(frozen=True)
class Payload:
    """Contents of an image, and their place."""
    data: bytes
    load: Optional[int]
    entry: Optional[int]
    tree: Optional[bytes] = None
    notes: List[str] = field(default_factory=list)


def is_legacy(data: bytes) -> bool:
    return data.startswith(LEGACY_MAGIC)


def is_fit(data: bytes) -> bool:
    return data.startswith(struct.pack(">I", fdt.MAGIC))


def legacy(where: str, data: bytes, report: Report) -> Optional[Payload]:
    """The payload of `mkimage`'s older form."""
    if len(data) < LEGACY_HEADER:
        report.error(where, f"a U-Boot image of {len(data)} bytes, less than its header of {LEGACY_HEADER}: cut short")
        return None
    header_sum, size, load, entry, data_sum = struct.unpack_from(">4xI4xIIII", data)
    _, arch, kind, packing = data[28:32]
    body = data[LEGACY_HEADER:LEGACY_HEADER + size]
    blank = data[:4] + bytes(4) + data[8:LEGACY_HEADER]
    if zlib.crc32(blank) != header_sum:
        problem = "a U-Boot image whose header is damaged (its checksum is another)"
    elif len(body) < size:
        problem = f"a U-Boot image that is cut short: its header says {size} bytes, and {len(body)} follow"
    elif zlib.crc32(body) != data_sum:
        problem = "a U-Boot image whose data is damaged (its checksum is another)"
    elif arch != ARM64:
        problem = f"a U-Boot image for another architecture (number {arch}, and arm64 is {ARM64})"
    elif kind not in RUNNABLE:
        problem = f"a U-Boot image of {LEGACY_TYPES.get(kind, f'type {kind}')}, not of a kernel"
    else:
        plain = _unpacked(where, body, PACKED.get(packing, str(packing)), report)
        return Payload(plain, load, entry) if plain is not None else None
    report.error(where, problem)
    return None


def _unpacked(where: str, data: bytes, packing: str, report: Report) -> Optional[bytes]:
    """`data` as it is, or by the form that its image names."""
    if packing == "none":
        return data
    form = next((form for form in unpack.FORMS if form.name == packing and data.startswith(form.magic)), None)
    if form is None:
        report.error(where, f"a U-Boot image whose payload is no {packing} data that can be unpacked here")
        return None
    plain, complaint = form.unpack(data, layout.RAM_SIZE)
    if complaint:
        report.error(where, complaint)
        return None
    return plain


def fit(where: str, data: bytes, report: Report) -> Optional[Payload]:
    """Kernel and DTB of the default configuration. Their hashes and signatures are not asked for."""
    tree = fdt.load(where, data, report)
    if tree is None:
        return None
    images, configurations = tree.at("/images"), tree.at("/configurations")
    if images is None:
        report.error(where, "a device tree, not a kernel: GUEST_DTB= takes it")
        return None
    chosen: Dict[str, str] = {}
    if configurations is not None and configurations.children:
        default = configurations.string("default")
        config = configurations.child(default) if default else configurations.children[0]
        if config is None:
            report.error(where, f"a FIT whose default configuration {default!r} is not there")
            return None
        chosen = {name: config.string(name) for name in ("kernel", "firmware", "standalone", "fdt", "ramdisk")}
    name = chosen.get("kernel") or chosen.get("firmware") or chosen.get("standalone")
    main = images.child(name) if name else next((node for node in images.children
                                                 if node.string("type") in RUNNABLE.values()), None)
    if main is None:
        report.error(where, "a FIT without a kernel" + (f" {name!r}, which its configuration names" if name else ""))
        return None
    if chosen.get("ramdisk"):
        report.error(where, "a FIT with a RAM disk: take kernel and RAM disk out with dumpimage, and give them to make run-linux")
        return None
    if main.string("arch") not in ("", "arm64"):
        report.error(where, f"a FIT whose {main.name} is for {main.string('arch')}, not arm64")
        return None
    body = _image_data(where, main, data, tree, report)
    plain = _unpacked(where, body, main.string("compression") or "none", report) if body is not None else None
    device_tree = images.child(chosen["fdt"]) if chosen.get("fdt") else None
    dtb = _image_data(where, device_tree, data, tree, report) if device_tree is not None else None
    if plain is None or report.errors:
        return None
    load, entry = (number(main.cells(key)) if key in main.props else None for key in ("load", "entry"))
    return Payload(plain, load, entry, dtb, ["the FIT's hashes and signatures are not checked"])


def _image_data(where: str, node: Node, file: bytes, tree: fdt.Tree, report: Report) -> Optional[bytes]:
    """In the tree, or behind it (mkimage -E), or at a place of the file."""
    if "data" in node.props:
        return node.props["data"]
    size = node.cell("data-size", 0)
    at = node.cell("data-position", -1)
    if at < 0:
        total, = struct.unpack_from(">I", file, 4)
        at = (total + 3 & -4) + node.cell("data-offset", 1 << 32)
    if at + size > len(file) or not size:
        report.error(where, f"a FIT whose {node.name} has no data, or is cut short")
        return None
    return file[at:at + size]
