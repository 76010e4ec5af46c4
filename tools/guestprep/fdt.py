# SPDX-License-Identifier: Apache-2.0
"""A device tree as Python objects, read from and written to a blob by libfdt."""
from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional, Tuple

import libfdt

from guestprep.report import Report

MAGIC = 0xd00d_feed
HEADER_SIZE = 40
MAX_DEPTH = 60                  # Linux gives up at 64
MAX_INPUT = 16 << 20
MAX_NODES = 2048                # QEMU virt with 8 CPUs has about 120
MAX_RESERVATIONS = 1024
MAX_RANGES = 256                # of one reg property


@dataclass(eq=False)
class Node:
    """One node; equality is identity."""
    name: str
    props: Dict[str, bytes] = field(default_factory=dict)
    children: List["Node"] = field(default_factory=list)
    parent: Optional["Node"] = None

    @property
    def path(self) -> str:
        if self.parent is None:
            return "/"
        return f"{self.parent.path.rstrip('/')}/{self.name}"

    @property
    def phandle(self) -> int:
        return self.cell("phandle", self.cell("linux,phandle", 0))

    def walk(self) -> Iterator["Node"]:
        """This node and all below it, parents first."""
        pending = [self]
        while pending:
            node = pending.pop()
            yield node
            pending += reversed(node.children)

    def child(self, name: str) -> Optional["Node"]:
        """A child by name; the unit address may be left out, as in a path."""
        exact = [node for node in self.children if node.name == name]
        return next(iter(exact + [node for node in self.children if node.name.split("@")[0] == name]), None)

    def add(self, name: str) -> "Node":
        node = Node(name, parent=self)
        self.children.append(node)
        return node

    def drop(self) -> None:
        assert self.parent is not None
        self.parent.children.remove(self)

    def cells(self, name: str) -> List[int]:
        """A property as 32-bit cells, without a remainder of fewer bytes."""
        value = self.props.get(name, b"")
        return list(struct.unpack_from(f">{len(value) // 4}I", value))

    def cell(self, name: str, default: int) -> int:
        cells = self.cells(name)
        return cells[0] if len(cells) == 1 else default

    def strings(self, name: str) -> List[str]:
        value = self.props.get(name, b"")
        return [text.decode("utf-8", "replace") for text in value.split(b"\0") if text]

    def string(self, name: str) -> str:
        return next(iter(self.strings(name)), "")

    def set_cells(self, name: str, cells: List[int]) -> None:
        self.props[name] = struct.pack(f">{len(cells)}I", *cells)

    def set_u64(self, name: str, value: int) -> None:
        self.props[name] = struct.pack(">Q", value)

    def set_strings(self, name: str, *texts: str) -> None:
        self.props[name] = b"".join(text.encode("utf-8", "surrogateescape") + b"\0" for text in texts)

    @property
    def address_cells(self) -> int:
        return self.cell("#address-cells", 2)

    @property
    def size_cells(self) -> int:
        return self.cell("#size-cells", 1)

    def reg(self) -> Optional[List[Tuple[int, int]]]:
        """(address, size) pairs in the parent's address space; None if the property is malformed."""
        assert self.parent is not None
        address, size = self.parent.address_cells, self.parent.size_cells
        width, cells = address + size, self.cells("reg")
        if (not 0 < address <= 4 or size > 4 or not cells or len(self.props["reg"]) % (4 * width)
                or len(cells) > width * MAX_RANGES):
            return None
        return [(number(cells[at:at + address]), number(cells[at + address:at + width]))
                for at in range(0, len(cells), width)]


@dataclass
class Tree:
    root: Node
    reservations: List[Tuple[int, int]] = field(default_factory=list)

    def at(self, path: str) -> Optional[Node]:
        node: Optional[Node] = self.root
        for name in filter(None, path.split("/")):
            node = node.child(name) if node else None
        return node


def number(cells: List[int]) -> int:
    """Big-endian cells as one number."""
    value = 0
    for cell in cells:
        value = value << 32 | cell
    return value


def to_cells(value: int, count: int) -> List[int]:
    return [value >> 32 * index & 0xffff_ffff for index in reversed(range(count))]


def load(where: str, blob: bytes, report: Report) -> Optional[Tree]:
    """Reads a blob that may hold anything."""
    if len(blob) < HEADER_SIZE:
        report.error(where, f"{len(blob)} bytes, less than a DTB's header of {HEADER_SIZE}")
        return None
    magic, total = struct.unpack_from(">II", blob)
    if magic != MAGIC:
        hint = "; if it is source, compile it with dtc" if blob.lstrip().startswith(b"/") else ""
        report.error(where, f"not a DTB: starts with {magic:#010x}, not {MAGIC:#x} (file of {len(blob)} bytes){hint}")
        return None
    if total > len(blob):
        report.error(where, f"truncated: its header says {total} bytes, the file has {len(blob)}")
        return None
    data = bytearray(blob[:total])
    status = libfdt.fdt_check_full(data, total)
    if status < 0:
        report.error(where, f"damaged DTB: libfdt says {libfdt.strerror(status)}")
        return None
    reservations = _reservations(blob[:total])
    if reservations is None:
        report.error(where, f"more than {MAX_RESERVATIONS} memory reservations")
        return None
    if total < len(blob):
        report.notice(where, f"{len(blob) - total} bytes after the DTB's own {total} are ignored")
    try:
        tree = _read(where, libfdt.FdtRo(data), report)
    except (libfdt.FdtException, SystemError, UnicodeError) as error:     # UnicodeDecodeError: a name that is not UTF-8
        report.error(where, f"damaged DTB: libfdt says {error}")
        return None
    if tree is not None and any(child.child("__overlay__") for child in tree.root.children):
        report.error(where, "an overlay (.dtbo), to be put over a DTB by fdtoverlay; give the result")
        return None
    if tree is not None:
        tree.reservations = reservations
    return tree


def _reservations(blob: bytes) -> Optional[List[Tuple[int, int]]]:
    """(address, size) up to one without size; None: too many. The wrapper of libfdt takes an address of 0 for none."""
    at, = struct.unpack_from(">I", blob, 16)
    found: List[Tuple[int, int]] = []
    while at + 16 <= len(blob):
        address, size = struct.unpack_from(">QQ", blob, at)
        if not size:
            break
        found.append((address, size))
        if len(found) > MAX_RESERVATIONS:
            return None
        at += 16
    return found


def _read(where: str, fdt: "libfdt.FdtRo", report: Report) -> Optional[Tree]:
    tree = Tree(Node(""))
    lineage, nodes = [tree.root], 1
    _read_props(fdt, 0, tree.root)
    offset, depth = fdt.next_node(0, 0)
    while offset >= 0 and depth > 0:
        if depth > MAX_DEPTH:
            report.error(where, f"nodes are nested more than {MAX_DEPTH} deep, which Linux does not read")
            return None
        nodes += 1
        if nodes > MAX_NODES:
            report.error(where, f"more than {MAX_NODES} nodes")
            return None
        del lineage[depth:]
        node = lineage[-1].add(fdt.get_name(offset))
        lineage.append(node)
        _read_props(fdt, offset, node)
        offset, depth = fdt.next_node(offset, depth)
    for node in tree.root.walk():
        for name in [node.name, *node.props]:
            if not (name.isascii() and name.isprintable()):
                report.error(where, f"damaged DTB: a node or property is called {ascii(name)}")
                return None
    return tree


def _read_props(fdt: "libfdt.FdtRo", offset: int, node: Node) -> None:
    at = fdt.first_property_offset(offset, quiet=[libfdt.NOTFOUND])
    while at >= 0:
        prop = fdt.get_property_by_offset(at)
        node.props.setdefault(prop.name, bytes(prop))   # of two equal names Linux takes the first
        at = fdt.next_property_offset(at, quiet=[libfdt.NOTFOUND])


def save(tree: Tree) -> bytes:
    """The blob of a tree, as short as it can be."""
    hint = 4096 + sum(64 + len(node.name) + sum(64 + len(name) + len(value) for name, value in node.props.items())
                      for node in tree.root.walk())
    writer = libfdt.FdtSw(hint)
    for address, size in tree.reservations:
        writer.add_reservemap_entry(address, size)
    writer.finish_reservemap()
    _write(writer, tree.root)
    fdt = writer.as_fdt()
    fdt.pack()
    return bytes(fdt.as_bytearray()[:fdt.totalsize()])


def _write(writer: "libfdt.FdtSw", node: Node) -> None:
    writer.begin_node(node.name)
    for name, value in node.props.items():
        writer.property(name, value)
    for child in node.children:
        _write(writer, child)
    writer.end_node()
