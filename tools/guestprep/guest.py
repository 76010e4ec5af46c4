# SPDX-License-Identifier: Apache-2.0
"""Turns a machine's device tree into the guest's, which is Linux or another kernel."""
from __future__ import annotations

from dataclasses import dataclass
from typing import FrozenSet, List, Optional

from guestprep import cpus, layout
from guestprep.devices import MAX_ROUNDS, Removal, TooDeep, translate
from guestprep.fdt import Node, Tree, to_cells
from guestprep.report import Report
from guestprep.windows import GIVING, Windows

COMMAND_LINE_MAX = 2047         # COMMAND_LINE_SIZE of arm64 with its NUL is 2048
SEEDS = ("kaslr-seed", "rng-seed")
# Properties of /chosen that a boot loader, EFI or kexec leaves: the kernel believes them, and they describe another
# boot.
STALE = ("linux,uefi-", "linux,elfcorehdr", "linux,usable-memory-range", "linux,booted-from-kexec", "linux,ima-kexec",
         "linux,initrd-", "linux,stdout-path", "bootsource", "xen,")


@dataclass(frozen=True)
class Wanted:
    """The guest to be described."""
    cpus: int
    windows: Windows
    cmdline: Optional[str]          # None: the DTB's own
    initrd: Optional[layout.Span]
    seeds: bool
    occupied: List[layout.Span]     # Image, initrd, DTB: no reserved-memory may lie there
    transports: Optional[FrozenSet[int]] = None     # virtio-mmio transports with a device; None: all of them
    hidden: FrozenSet[str] = frozenset()            # features that the policy hides
    panic_resets: bool = False      # a kernel that panics must not wait for a reader
    linux: bool = True              # devices that Linux needs must be there, and its command line has an end


def make_guest(where: str, tree: Tree, wanted: Wanted, report: Report) -> List[str]:
    """Edits `tree`, complains to `report`. Returns the removed nodes, a line each."""
    root = tree.root
    if root.address_cells not in (1, 2) or root.size_cells not in (1, 2):
        report.error(where, f"the root's #address-cells {root.address_cells} and #size-cells {root.size_cells}: "
                            "only 1 and 2 are known")
        return []
    if not _compatible(tree, "arm,gic-v3"):
        _no_gic(where, tree, report)
        return []                               # another machine: whatever else differs follows from that
    removal = Removal(tree, wanted.windows, wanted.transports, wanted.hidden)
    removal.devices()
    cpus.trim(where, tree, wanted.cpus, removal, report)
    _reserved_memory(where, tree, wanted, removal, report)
    try:
        removed = removal.apply()
    except TooDeep:
        report.error(where, f"devices need each other more than {MAX_ROUNDS} deep")
        return []
    _check_gic(where, tree, wanted, report)
    _memory(tree)
    _psci(where, tree, report)
    _chosen(where, tree, wanted, report)
    return removed


def _compatible(tree: Tree, word: str) -> List[Node]:
    return [node for node in tree.root.walk() if word in node.strings("compatible")]


def _no_gic(where: str, tree: Tree, report: Report) -> None:
    found = [node.string("compatible") for node in tree.root.walk() if "interrupt-controller" in node.props
             and "#interrupt-cells" in node.props and node.cell("#interrupt-cells", 0) >= 3]
    what = f"its interrupt controller is {found[0]}" if found else "it has no GICv3 that works"
    report.error(where, f"{what}, and the machine has a GICv3; dump the DTB with -M virt,gic-version=3")


def _check_gic(where: str, tree: Tree, wanted: Wanted, report: Report) -> None:
    """Keeps the machine's GICv3, the only controller that the hypervisor has."""
    gics = _compatible(tree, "arm,gic-v3")
    if not gics:
        _no_gic(where, tree, report)
        return
    gic = gics[0]
    reg, parent = gic.reg(), gic.parent
    if reg is None or len(reg) < 2 or parent is None:
        report.error(where, f"{gic.path} does not name a distributor and redistributors")
        return
    for name, base, need, (address, size) in (("distributor", layout.GICD_BASE, layout.GICD_SIZE, reg[0]),
                                              ("redistributors", layout.GICR_BASE,
                                               wanted.cpus * layout.GICR_STRIDE, reg[1])):
        if translate(gic, address, size) != base or size < need:
            report.error(where, f"{gic.path}: {name} at {address:#x}..{address + size:#x}, and the machine has them at "
                                f"{base:#x} with {need:#x} bytes for {wanted.cpus} CPUs")
        else:
            refused = [word for word in wanted.windows.actions(base, need) if word not in GIVING]
            if refused:
                told = f"does not give the GIC's {name} {base:#x}..{base + need:#x} ({'/'.join(refused)})"
                if wanted.linux:
                    report.error("policy", f"{told}: Linux cannot boot without")
                else:
                    report.notice("policy", told)
    # Second regions (more than 123 CPUs), GICC, GICH and GICV do not exist.
    gic.set_cells("reg", [cell for address, size in reg[:2]
                          for cell in to_cells(address, parent.address_cells) + to_cells(size, parent.size_cells)])
    if "#redistributor-regions" in gic.props:
        gic.set_cells("#redistributor-regions", [1])
    for name in ("mbi-ranges", "mbi-alias", "msi-controller"):      # GICD_TYPER.MBIS is 0
        gic.props.pop(name, None)
    if wanted.linux:
        _check_timer(where, tree, gic, report)


def _check_timer(where: str, tree: Tree, gic: Node, report: Report) -> None:
    timers = _compatible(tree, "arm,armv8-timer")
    if not timers:
        report.error(where, "has no arm,armv8-timer node: Linux would have no clock")
    for timer in timers[:1]:
        node: Optional[Node] = timer
        while node is not None and "interrupt-parent" not in node.props:
            node = node.parent
        if node is None or not gic.phandle or node.cell("interrupt-parent", 0) != gic.phandle:
            report.error(where, f"the interrupt-parent of {timer.path} is not {gic.path}: Linux would have no clock")


def _reserved_memory(where: str, tree: Tree, wanted: Wanted, removal: Removal, report: Report) -> None:
    """Refuses reservations outside guest RAM, which mean another machine, and inside it on the guest's own files."""
    kept = []
    for base, size in tree.reservations:
        if layout.Span("", base, size).inside(layout.RAM_BASE, layout.RAM_END):
            kept.append((base, size))
        else:
            report.notice(where, f"memory reservation {base:#x}..{base + size:#x} is outside guest RAM and dropped")
    tree.reservations = kept
    area = tree.at("/reserved-memory")
    for node in area.children if area else []:
        if "reg" not in node.props:
            continue                            # a kernel picks the place itself
        for address, size in node.reg() or [(0, 0)]:
            span = layout.Span(node.path, translate(node, address, size) or 0, size)
            if not span.inside(layout.RAM_BASE, layout.RAM_END):
                removal.remove(node, f"{address:#x}..{address + size:#x} is not in guest RAM")
                continue
            for other in wanted.occupied:
                if span.overlaps(other):
                    report.error(where, f"{span} overlaps {other}")
    if area and all(node in removal.reasons for node in area.children):
        removal.remove(area, "nothing is left in it")


def _memory(tree: Tree) -> None:
    """Writes one memory node with the guest's RAM; NUMA distances go with the others."""
    root = tree.root
    old = [node for node in root.children
           if node.string("device_type") == "memory" or node.name.split("@")[0] == "memory"]
    at = root.children.index(old[0]) if old else 0
    memory = Node(f"memory@{layout.RAM_BASE:x}", parent=root)
    memory.set_strings("device_type", "memory")
    memory.set_cells("reg", to_cells(layout.RAM_BASE, root.address_cells) + to_cells(layout.RAM_SIZE, root.size_cells))
    root.children.insert(at, memory)
    for node in old:
        node.drop()
    for node in root.walk():
        node.props.pop("numa-node-id", None)
    for node in _compatible(tree, "numa-distance-map-v1") + [child for child in root.children
                                                             if child.name == "distance-map"]:
        if node.parent is not None and node in node.parent.children:
            node.drop()


def _psci(where: str, tree: Tree, report: Report) -> None:
    """Keeps the method: the hypervisor answers both."""
    found = [node for node in tree.root.walk()
             if any(word.startswith("arm,psci") for word in node.strings("compatible"))]
    if not found:
        report.notice(where, "has no PSCI node; one is added, method smc")
    node = found[0] if found else tree.root.add("psci")
    if node.string("method") not in ("smc", "hvc"):
        if found:
            report.notice(where, f"{node.path}: method {node.string('method')!r} becomes smc")
        node.set_strings("method", "smc")
    if not {"arm,psci-0.2", "arm,psci-1.0"} & set(node.strings("compatible")):
        node.set_strings("compatible", "arm,psci-1.0", "arm,psci-0.2")


def _chosen(where: str, tree: Tree, wanted: Wanted, report: Report) -> None:
    root = tree.root
    aliases = tree.at("/aliases")
    for name in list(aliases.props) if aliases else []:
        if aliases and aliases.string(name).startswith("/") and tree.at(aliases.string(name)) is None:
            del aliases.props[name]
    chosen = root.child("chosen") or root.add("chosen")
    for name in list(chosen.props):
        if name.startswith(STALE) or (name in SEEDS and not wanted.seeds):
            del chosen.props[name]
    if wanted.initrd:
        chosen.set_u64("linux,initrd-start", wanted.initrd.base)
        chosen.set_u64("linux,initrd-end", wanted.initrd.end)
    if wanted.cmdline is not None:
        chosen.props.pop("bootargs", None)
        if wanted.cmdline:
            chosen.set_strings("bootargs", wanted.cmdline)
    given = chosen.props.get("bootargs", b"").rstrip(b"\0")
    if wanted.panic_resets and not any(word.startswith(b"panic=") for word in given.split()):
        chosen.props["bootargs"] = given + b" panic=-1\0" if given else b"panic=-1\0"
        report.notice(where, "panic=-1 is added to the command line, since nobody attends: a panic ends the run "
                             "(LINUX_VERBATIM=1 leaves it out)")
    length = len(chosen.props.get("bootargs", b"")) - 1
    if wanted.linux and length > COMMAND_LINE_MAX:
        report.error(where, f"the command line has {length} bytes; the kernel takes {COMMAND_LINE_MAX}")
    _console(where, tree, chosen, aliases, report)


def _console(where: str, tree: Tree, chosen: Node, aliases: Optional[Node], report: Report) -> None:
    """Points stdout-path at a node that exists, else at the PL011, else at nothing."""
    for name in ("stdout-path", "stdin-path"):
        path = chosen.string(name).split(":")[0]
        if path and not path.startswith("/"):
            head, slash, rest = path.partition("/")
            path = f"{aliases.string(head)}{slash}{rest}" if aliases and aliases.string(head) else ""
        if path and tree.at(path) is not None:
            continue
        chosen.props.pop(name, None)
        if name == "stdout-path":
            uarts = _compatible(tree, "arm,pl011")
            if uarts:
                chosen.set_strings(name, uarts[0].path)
            else:
                report.notice(where, "no console is left: the policy does not give the PL011 "
                                     f"at {layout.UART_BASE:#x}, or the DTB has none")
