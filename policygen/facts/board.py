# SPDX-License-Identifier: Apache-2.0
"""The platform file: devices, calls, models, CPU models and measured gaps. Facts, not policy."""
from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from policygen.facts import ranges
from policygen.facts.arch import load_arch
from policygen.facts.ranges import Ranges
from policygen.text import paths
from policygen.text.diag import BrokenFacts, Diagnostics, quoted
from policygen.text.nodes import as_list, as_map, as_number, as_text, as_texts, pick
from policygen.text.source import Mapping as MapNode, Node, read
from policygen.text.words import size as parse_size

CONDUITS = ("hvc", "smc")
MMIO_SIZE = 0x40000000          # the windows' share of the IPA space, as in hv/policy/policy.h
BLOCK = 0x200000
EL2_SIZE = 32 << 20             # EL2's image and boot memory, at the start of RAM
SERVES = {"mmio": ("read", "write"), "calls": ("serve",), "sysregs": ("serve",)}   # parts of a model for a section


@dataclass(frozen=True)
class Device:
    name: str
    base: int
    size: int
    model: Optional[str] = None
    keep: Optional[str] = None          # reason why no guest may reach the real device
    about: str = ""
    others: Tuple[str, ...] = ()        # further models that it can have
    irq: Optional[int] = None           # INTID of its first interrupt

    @property
    def models(self) -> Tuple[str, ...]:
        return (self.model, *self.others) if self.model else ()

    @property
    def last(self) -> int:
        return self.base + self.size - 1


@dataclass(frozen=True)
class Call:
    name: str
    ids: Tuple[int, ...]
    by: Tuple[str, ...]
    model: Optional[str] = None
    args: Tuple[str, ...] = ()          # argument registers, of x1 and x2

    @property
    def ranges(self) -> Ranges:
        return ranges.of_keys(self.ids)


@dataclass(frozen=True)
class Model:
    name: str
    section: str                        # sysregs mmio calls
    registers: Tuple[str, ...] = ()
    about: str = ""
    header: str = ""                    # header of hv/ that declares the C calls
    serves: Mapping[str, str] = field(default_factory=dict)    # one of SERVES -> the C call


@dataclass(frozen=True)
class Gap:
    control: str
    seen: str
    effect: str
    cpus: Tuple[str, ...] = ()          # empty: all models
    registers: Tuple[str, ...] = ()     # which it does not catch; none: all
    exceptions: Tuple[str, ...] = ()
    also: Tuple[str, ...] = ()          # encodings that it catches although they are UNDEFINED: patterns of fnmatch

    def on(self, version: str) -> bool:
        """Whether it was measured on this version of QEMU, `7.2`; empty: on any."""
        return not version or version in self.versions

    @property
    def versions(self) -> Tuple[str, ...]:
        return tuple(re.findall(r"\d+\.\d+", self.seen))


@dataclass(frozen=True)
class Board:
    name: str
    file: str
    machine: str                        # QEMU's options, without CPUs and memory
    drivers: str                        # EL2's own: a folder of hv/board/
    memory: Tuple[int, int]             # first and last PA of memory
    ram: Tuple[int, int]                # first and last IPA of the guest's RAM
    backing: int                        # its first PA
    interrupts: Mapping[str, int]       # INTIDs of EL2's and each CPU's own
    devices: Mapping[str, Device]
    calls: Mapping[str, Call]
    groups: Mapping[str, Tuple[str, ...]]
    models: Mapping[str, Model]
    cpus: Tuple[str, ...]               # CPU models; the first is the default
    gaps: Tuple[Gap, ...]

    @property
    def default_cpu(self) -> str:
        return self.cpus[0]

    def call_at(self, section: str, number: int) -> Optional[Call]:
        return next((c for c in self.calls.values() if number in c.ids and section in c.by), None)

    def device_at(self, ipa: int) -> Optional[Device]:
        return next((d for d in self.devices.values() if d.base <= ipa <= d.last), None)

    def real(self, low: int, high: int) -> bool:
        """Whether a guest may reach the hardware here: the whole range is one device that is not kept for EL2."""
        device = self.device_at(low)
        return device is not None and device.keep is None and high <= device.last


def names() -> List[str]:
    return sorted(path.stem for path in (paths.facts_dir() / "platform").glob("*.yaml"))


def load_board(name: str) -> Board:
    """The facts of a platform that exists (see names()). Raises BrokenFacts: a broken platform file is a fault of the
    tree."""
    return _load_board(paths.facts_dir(), name)


@lru_cache(maxsize=None)
def _load_board(folder: Path, name: str) -> Board:
    assert folder == paths.facts_dir()
    diags = Diagnostics()
    board = read_board(name, diags)
    if board is None or diags.failed:
        raise BrokenFacts(f"platform {name} cannot be used:\n{diags.render()}")
    return board


def read_board(name: str, diags: Diagnostics) -> Optional[Board]:
    path = paths.facts_dir() / "platform" / f"{name}.yaml"
    source = read(path, paths.display(path), diags)
    if source is None or source.root is None:
        return None
    parent = source.root.get("extends")
    base: Optional[Board] = None
    if parent is not None:
        stem = as_text(parent, "`extends`", diags)
        if stem == name or stem not in names():
            diags.refuse("PG117", parent.span, f"no platform {quoted(str(stem))} to extend", "not found")
            return None
        base = read_board(str(stem), diags)
        if base is None:
            return None
    reader = _Reader(source.root, diags)
    board = reader.board(source.file, base)
    return None if diags.failed else board


class _Reader:
    def __init__(self, root: MapNode, diags: Diagnostics) -> None:
        self.root, self.diags = root, diags

    def section(self, name: str) -> List[Tuple[str, MapNode]]:
        node = self.root.get(name)
        section = as_map(node, name, self.diags) if node is not None else None
        out = []
        for key, value in section.items if section else ():
            inner = as_map(value, key.text, self.diags)
            if inner is not None:
                out.append((key.text, inner))
        return out

    def text(self, node: MapNode, key: str) -> Optional[str]:
        value = node.get(key)
        return as_text(value, key, self.diags) if value is not None else None

    def texts(self, node: MapNode, key: str) -> Tuple[str, ...]:
        value = node.get(key)
        return tuple(item.text for item in as_texts(value, key, self.diags)) if value is not None else ()

    def number(self, node: MapNode, key: str) -> int:
        value: Optional[Node] = node.get(key)
        if value is None:
            self.diags.refuse("PG113", node.span, f"`{key}` is missing")
            return 0
        return as_number(value, key, self.diags, parse=parse_size, high=(1 << 40) - 1) or 0

    def board(self, file: str, base: Optional[Board]) -> Board:
        """The platform of this file, on top of `base`'s."""
        memory, (ram, backing) = self.memory(base), self.ram(base)
        self.fits(memory, ram, backing)
        devices = {name: Device(name, self.number(node, "at"), self.number(node, "size"), self.text(node, "model"),
                                self.text(node, "keep"), self.text(node, "about") or "", self.texts(node, "or"),
                                self.number(node, "irq") if node.get("irq") is not None else None)
                   for name, node in self.section("devices")}
        models = {name: self.model(name, node) for name, node in self.section("models")}
        calls: Dict[str, Call] = {}
        for name, node in self.section("calls"):
            ids_node = node.get("id")
            ids = [as_number(item, "id", self.diags, high=0xffffffff)
                   for item in (as_list(ids_node, "id", self.diags) if ids_node is not None else [])]
            calls[name] = Call(name, tuple(number for number in ids if number is not None),
                               self.texts(node, "by") or CONDUITS, self.text(node, "model"), self.texts(node, "args"))
        group_node = self.root.get("groups")
        groups = {key.text: tuple(item.text for item in as_texts(value, key.text, self.diags))
                  for key, value in (group_node.items if isinstance(group_node, MapNode) else ())}
        found = self.root.get("interrupts")
        lines = as_map(found, "interrupts", self.diags) if found is not None else None
        interrupts = {key.text: self.number(lines, key.text) for key, _ in lines.items} if lines else {}
        own = Board(self.text(self.root, "name") or "", file, self.text(self.root, "machine") or "",
                    self.text(self.root, "drivers") or "", memory, ram, backing, interrupts, devices, calls, groups, models,
                    self.cpus(base), self.gaps())
        if base is None:
            return own
        merged = {part: {**getattr(base, part), **getattr(own, part)}
                  for part in ("interrupts", "devices", "calls", "groups", "models")}
        return replace(own, machine=own.machine or base.machine, drivers=own.drivers or base.drivers,
                       gaps=own.gaps or base.gaps, **merged)

    def place(self, name: str) -> Optional[MapNode]:
        node = self.root.get(name)
        return as_map(node, name, self.diags) if node is not None else None

    def memory(self, base: Optional[Board]) -> Tuple[int, int]:
        node = self.place("memory")
        if node is None:
            return base.memory if base else (0, 0)
        at, size = self.number(node, "at"), self.number(node, "size")
        return at, at + size - 1

    def ram(self, base: Optional[Board]) -> Tuple[Tuple[int, int], int]:
        node = self.place("ram")
        if node is None:
            return (base.ram, base.backing) if base else ((0, 0), 0)
        at, size = self.number(node, "at"), self.number(node, "size")
        return (at, at + size - 1), self.number(node, "real")

    def fits(self, memory: Tuple[int, int], ram: Tuple[int, int], backing: int) -> None:
        """Checks the limits that EL2's tables and the image rely on (hv/board/mmu.c, linker/hv.ld)."""
        node = self.root.get("ram") or self.root.get("memory") or self.root
        size = ram[1] - ram[0] + 1
        if ram[0] != MMIO_SIZE or memory[0] != MMIO_SIZE:
            self.diags.refuse("PG112", node.span, f"RAM begins at {MMIO_SIZE:#x}: below are the windows of devices, "
                              "which EL2 maps by one block and the tables of MMIO cover", "elsewhere")
        if backing % BLOCK or size % BLOCK:
            self.diags.refuse("PG112", node.span, "EL2 maps the guest's RAM by blocks of 2M: `size` and `real` are "
                              "multiples of it", "not aligned")
        if backing < memory[0] + EL2_SIZE or backing + size - 1 > memory[1]:
            self.diags.refuse("PG112", node.span, f"the guest's RAM, {backing:#x}..{backing + size - 1:#x}, lies in "
                              f"the memory, {memory[0]:#x}..{memory[1]:#x}, behind EL2's {EL2_SIZE >> 20}M",
                              "does not fit")

    def cpus(self, base: Optional[Board]) -> Tuple[str, ...]:
        node = self.root.get("cpus")
        items = as_texts(node, "`cpus`", self.diags) if node is not None else []
        found = [pick(item, load_arch().cpus, "PG105", "CPU model", self.diags, "no facts of it in arch/cpus.yaml")
                 for item in items]
        if node is None and base is not None:
            return base.cpus
        if not items:
            self.diags.refuse("PG113", self.root.span, "`cpus` is missing: the CPU models that the machine may have")
        return tuple(name for name in found if name is not None)

    def model(self, name: str, node: MapNode) -> Model:
        section = self.text(node, "for") or ""
        if section not in SERVES:
            self.diags.refuse("PG113", node.span, f"the model {name} is `for:` {' or '.join(SERVES)}")
        serves = {key: self.text(node, key) or "" for key in SERVES.get(section, ())}
        header = self.text(node, "in") or ""
        for key, value in {"in": header, **serves}.items():
            if not value:
                self.diags.refuse("PG113", node.span, f"the model {name} has no `{key}:`: " +
                                  ("the header of hv/ that declares its handler" if key == "in" else "its handler"))
        return Model(name, section, self.texts(node, "registers"), self.text(node, "about") or "", header, serves)

    def gaps(self) -> Tuple[Gap, ...]:
        node = self.root.get("gaps")
        out = []
        for item in as_list(node, "gaps", self.diags) if node is not None else []:
            gap = as_map(item, "a gap", self.diags)
            if gap is not None:
                out.append(Gap(self.text(gap, "control") or "", self.text(gap, "seen") or "",
                               self.text(gap, "effect") or "", self.texts(gap, "cpus"), self.texts(gap, "registers"),
                               self.texts(gap, "exceptions"), self.texts(gap, "also")))
        return tuple(out)
