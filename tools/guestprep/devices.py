# SPDX-License-Identifier: Apache-2.0
"""Removes from a device tree the devices that the policy does not give, and the nodes that need them."""
from __future__ import annotations

from typing import Dict, FrozenSet, Iterator, List, Optional, Tuple

from guestprep import layout
from guestprep.fdt import Node, Tree, number
from guestprep.windows import GIVING, Windows

# With `allow` the real device is the guest's, and whatever DMA it does takes guest addresses for real ones.
# So only devices that do none are passed through; all others must be emulated.
WITHOUT_DMA = ("arm,pl011", "arm,pl031", "arm,pl061", "arm,sp804", "cfi-flash")

# Nodes without an address, which no policy needs to give.
HARMLESS = ("fixed-clock", "fixed-factor-clock", "regulator-fixed", "arm,psci", "arm,psci-0.2", "arm,psci-1.0",
            "arm,armv8-timer", "arm,armv7-timer", "arm,armv8-pmuv3", "gpio-keys", "gpio-leds", "gpio-poweroff",
            "gpio-restart", "simple-bus", "shared-dma-pool", "restricted-dma-pool")
PMUS = ("arm,armv8-pmuv3",)
STRUCTURE = ("chosen", "aliases", "cpus", "memory", "reserved-memory", "psci")

# Properties that refer to other nodes -> the property there that counts the cells of an argument.
REFERENCES: Dict[str, str] = {
    "interrupt-parent": "", "interrupts-extended": "#interrupt-cells", "clocks": "#clock-cells",
    "gpios": "#gpio-cells", "resets": "#reset-cells", "power-domains": "#power-domain-cells", "phys": "#phy-cells",
    "assigned-clocks": "#clock-cells", "assigned-clock-parents": "#clock-cells", "dmas": "#dma-cells",
    "iommus": "#iommu-cells", "msi-parent": "#msi-cells", "mboxes": "#mbox-cells", "memory-region": "",
    "next-level-cache": "", "interrupt-affinity": "", "affinity": "", "operating-points-v2": "", "cpu-idle-states": "",
}
# Properties that a device can lose; without any other it does not work.
OPTIONAL: Dict[str, Tuple[str, ...]] = {
    "assigned-clocks": ("assigned-clock-parents", "assigned-clock-rates"), "assigned-clock-parents": (),
    "dmas": ("dma-names",), "iommus": (), "msi-parent": (), "mboxes": ("mbox-names",), "memory-region": (),
    "next-level-cache": (), "operating-points-v2": (), "cpu-idle-states": (),
}
MAPS = ("msi-map", "iommu-map")         # (id, phandle, base, length)...; each has a -mask beside it
LISTS = ("interrupt-affinity", "affinity")     # of CPUs: the removed ones leave the list
NOT_IN_MACHINE = "the hypervisor serves no such device"


MAX_ROUNDS = 64        # how deep devices may need each other


class TooDeep(Exception):
    """More than MAX_ROUNDS."""


class Removal:
    """The nodes to remove, with reasons. They stay in the tree until apply(), since references are resolved through
    them."""

    def __init__(self, tree: Tree, windows: Windows, transports: Optional[FrozenSet[int]] = None,
                 hidden: FrozenSet[str] = frozenset()) -> None:
        self.tree = tree
        self.windows = windows
        self.transports = transports
        self.hidden = hidden
        self.reasons: Dict[Node, str] = {}
        self.notes: List[str] = []
        self._by_phandle: Dict[int, Node] = {}
        for node in tree.root.walk():
            if node.phandle:
                self._by_phandle.setdefault(node.phandle, node)

    def remove(self, node: Node, why: str) -> None:
        """`node` and all below it."""
        for gone in node.walk():
            self.reasons.setdefault(gone, why)

    def devices(self) -> None:
        """Decides on every node of the tree by the policy."""
        for node in self.tree.root.walk():
            if node.parent is not None and node not in self.reasons:
                why = self._why_not(node)
                if why:
                    self.remove(node, why)
        for node in self.tree.root.walk():      # a bus without children left
            if "simple-bus" in node.strings("compatible") and all(child in self.reasons for child in node.children):
                self.remove(node, "nothing is left on this bus")

    def apply(self) -> List[str]:
        """Removes the nodes, then the references to them; returns the report's lines."""
        rounds = 0
        while self._references():
            rounds += 1
            if rounds > MAX_ROUNDS:
                raise TooDeep
        for node in list(self.reasons):
            if node.parent is not None and node.parent not in self.reasons:
                node.drop()
        return self.notes + [f"{path}: {why}" for path, why in self._grouped()]

    def _grouped(self) -> Iterator[Tuple[str, str]]:
        """QEMU has 32 virtio transports: one line for all of them."""
        tops = [node for node in self.reasons if node.parent is not None and node.parent not in self.reasons]
        groups: Dict[Tuple[Optional[Node], str], List[Node]] = {}
        for node in tops:
            groups.setdefault((node.parent, node.name.split("@")[0]), []).append(node)
        for nodes in groups.values():
            more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
            yield nodes[0].path + more, self.reasons[nodes[0]]

    def _why_not(self, node: Node) -> str:
        """The reason why a node must go; empty if it stays."""
        parent = node.parent
        assert parent is not None
        compatible = node.strings("compatible")
        top = parent.parent is None
        if top and node.name.split("@")[0] in STRUCTURE or node.string("device_type") in ("memory", "cpu"):
            return ""
        if self._below(node, "cpus"):
            return ""                           # cpus.py decides on CPUs
        if self._below(node, "chosen"):
            return "left by another boot loader"
        if top and node.name in ("firmware", "hypervisor", "__symbols__", "__fixups__", "__local_fixups__", "options"):
            return "describes other firmware"
        if node.string("status") not in ("", "okay", "ok"):
            return f"its status is {node.string('status')!r}"
        if "reg" in node.props and self._is_bus(parent) and not self._below(node, "reserved-memory"):
            return self._why_not_device(node, compatible)
        if "pmu" in self.hidden and any(word in PMUS or word.endswith("-pmu") for word in compatible):
            return "the policy hides the feature pmu"
        if compatible and "reg" not in node.props and not self._harmless(compatible):
            return f"{compatible[0]}: {NOT_IN_MACHINE}"
        return ""

    @staticmethod
    def _harmless(compatible: List[str]) -> bool:
        return any(word in HARMLESS or word.endswith("-pmu") or word.endswith("cache") for word in compatible)

    @staticmethod
    def _below(node: Node, name: str) -> bool:
        """Whether a node lies below the root's child of that name."""
        while node.parent is not None and node.parent.parent is not None:
            node = node.parent
            if node.parent is not None and node.parent.parent is None and node.name.split("@")[0] == name:
                return True
        return False

    @staticmethod
    def _is_bus(node: Node) -> bool:
        return node.parent is None or "ranges" in node.props or "simple-bus" in node.strings("compatible")

    def _why_not_device(self, node: Node, compatible: List[str]) -> str:
        if any(word.startswith("arm,gic-v3") and "its" not in word for word in compatible):
            return ""                           # guest.py checks the GIC
        ranges = node.reg()
        if ranges is None:
            return "its reg property is malformed"
        model = compatible[0] if compatible else node.name
        for address, size in ranges:
            base = translate(node, address, size)
            if base is None:
                return "its address cannot be translated to the CPU's"
            actions = self.windows.actions(base, size)
            where = f"{model} at {base:#x}..{base + size:#x}"
            if any(action not in GIVING for action in actions):
                return f"the policy does not give {where} ({'/'.join(actions)})"
            if self.transports is not None and "virtio,mmio" in compatible and base not in self.transports:
                return "no device is on it"
            if base + size > layout.RAM_BASE:
                return f"{where} is not below guest RAM"
            if "allow" in actions and not any(word in WITHOUT_DMA for word in compatible):
                return f"{where} is passed through, but may do DMA, to addresses that are not the guest's"
        return ""

    def _references(self) -> bool:
        """One round over the remaining nodes; true if another node had to go."""
        again = False
        for node in self.tree.root.walk():
            for name in [] if node in self.reasons else list(node.props):
                why = self._dangling(node, name)
                if not why:
                    continue
                if name in MAPS:
                    for gone in (name, f"{name}-mask"):
                        node.props.pop(gone, None)
                elif name in LISTS:
                    node.set_cells(name, [cell for cell in node.cells(name) if not self._gone(cell)])
                    if not node.props[name]:
                        del node.props[name]
                elif name in OPTIONAL or self._below(node, "cpus"):
                    for gone in (name,) + OPTIONAL.get(name, ()):
                        node.props.pop(gone, None)
                elif node.parent is not None:
                    self.remove(self._device_of(node), why)
                    again = True
                    break
        return again

    def _device_of(self, node: Node) -> Node:
        """A gpio-key without its GPIO would make the whole gpio-keys node fail to probe."""
        while node.parent is not None and not node.props.get("compatible"):
            if node.parent.parent is None:
                break
            node = node.parent
        return node

    def _gone(self, phandle: int) -> bool:
        target = self._by_phandle.get(phandle)
        return target is None or target in self.reasons

    def _dangling(self, node: Node, name: str) -> str:
        """The reason why a property cannot stay as it is; empty if it can."""
        for phandle in self._phandles(node, name):
            target = self._by_phandle.get(phandle)
            if target is None:
                return f"{name} refers to phandle {phandle:#x}, which no node has"
            if target in self.reasons:
                return f"{name} refers to {target.path}, which is not there"
        return ""

    def _phandles(self, node: Node, name: str) -> List[int]:
        if name in MAPS:
            return node.cells(name)[1::4]
        counter = REFERENCES.get(name)
        if name.endswith("-gpios") or name.endswith("-gpio"):
            counter = "#gpio-cells"
        elif name.endswith("-supply"):
            counter = ""
        if counter is None:
            return []
        cells = node.cells(name)
        found: List[int] = []
        at = 0
        while at < len(cells):
            if cells[at]:                       # 0 stands for "none here"
                found.append(cells[at])
            target = self._by_phandle.get(cells[at])
            at += 1 + (target.cell(counter, 0) if target and counter else 0)
        return found


def translate(node: Node, address: int, size: int) -> Optional[int]:
    """A bus address as the CPU sees it; None if a bus on the way does not lead there."""
    bus = node.parent
    while bus is not None and bus.parent is not None:
        if "ranges" not in bus.props:
            return None
        cells = bus.cells("ranges")
        child, parent, length = bus.address_cells, bus.parent.address_cells, bus.size_cells
        row = child + parent + length
        if not 0 < row <= 16:
            return None
        for at in range(0, len(cells) - row + 1, row):
            start, to = number(cells[at:at + child]), number(cells[at + child:at + child + parent])
            if start <= address and address + size <= start + number(cells[at + child + parent:at + row]):
                address = to + address - start
                break
        else:
            if cells:                           # an empty `ranges` means the same addresses
                return None
        bus = bus.parent
    return address
