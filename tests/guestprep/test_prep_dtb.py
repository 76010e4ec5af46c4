# SPDX-License-Identifier: Apache-2.0
"""Device trees with and without surprises become the guest's, or are refused with a reason."""
from __future__ import annotations

import struct
from typing import Callable, List

import libfdt
import pytest
from prep_inputs import Prepared, small_tree
from hypothesis import HealthCheck, given, settings, strategies
from guestprep import fdt, guest, layout, windows
from guestprep.report import Report

Load = Callable[[str], fdt.Tree]
Dump = Callable[[str], bytes]
RTC = windows.Window("rtc", 0x0901_0000, 0x1000, ("allow",))
BASE = [windows.Window("gicd", layout.GICD_BASE, layout.GICD_SIZE, ("emulate",)),
        windows.Window("gicr", layout.GICR_BASE, layout.GICR_SIZE, ("emulate",)),
        windows.Window("uart0", layout.UART_BASE, layout.UART_SIZE, ("emulate",))]


def complaints(blob: bytes) -> List[str]:
    report = Report()
    assert fdt.load("x.dtb", blob, report) is None
    return report.errors


def test_plain_dump(load: Load) -> None:
    made = Prepared(load("plain"), initrd=layout.Span("initrd", layout.INITRD_IPA, 0x1234), cmdline="quiet")
    assert not made.report.errors and not made.report.notices
    assert sorted(made.names) == sorted([
        "", "psci", "memory@40000000", "pl011@9000000", "pmu", "intc@8000000", "cpus", "cpu-map", "socket0", "cluster0",
        "core0", "cpu@0", "timer", "apb-pclk", "chosen"])
    assert made.node("/memory").cells("reg") == [0, 0x4000_0000, 0, 0x3000_0000]
    chosen = made.node("/chosen")
    assert chosen.cells("linux,initrd-start") == [0, 0x4400_0000]
    assert chosen.cells("linux,initrd-end") == [0, 0x4400_1234]
    assert chosen.string("bootargs") == "quiet" and chosen.string("stdout-path") == "/pl011@9000000"
    assert "kaslr-seed" in chosen.props and "rng-seed" in chosen.props
    assert made.node("/psci").string("method") == "smc"


def test_without_seeds_two_runs_are_equal(load: Load) -> None:
    first, second = (Prepared(load("plain"), seeds=False).tree for _ in range(2))
    chosen = first.at("/chosen")
    assert chosen is not None and "kaslr-seed" not in chosen.props and "rng-seed" not in chosen.props
    assert fdt.save(first) == fdt.save(second)


def test_hvc_is_kept(load: Load) -> None:
    assert Prepared(load("no-el2")).node("/psci").string("method") == "hvc"


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_cpus_are_trimmed_with_their_topology(load: Load, count: int) -> None:
    made = Prepared(load("smmu-16"), cpus=count)
    assert not made.report.errors
    cpus = [node for node in made.node("/cpus").children if node.name.startswith("cpu@")]
    assert sorted(node.cells("reg") for node in cpus) == [[index] for index in range(count)]
    handles = {node.phandle for node in cpus}
    cores = [node for node in made.node("/cpus/cpu-map").walk() if "cpu" in node.props]
    assert {node.cell("cpu", 0) for node in cores} == handles and len(cores) == count
    assert not any("smmu" in name or "pci" in name or "its" in name for name in made.names)


def test_too_few_cpus(load: Load) -> None:
    errors = Prepared(load("plain"), cpus=4).report.errors
    assert errors == ["x.dtb: describes 1 CPU, and 4 are asked for; dump it with -smp 4"]


def test_another_machines_cpus() -> None:
    tree = small_tree()
    cpu = tree.at("/cpus/cpu")
    assert cpu is not None
    cpu.set_cells("reg", [0x100])
    assert "has affinity 0x100" in Prepared(tree).report.errors[0]


def test_gicv2_with_v2m_is_refused(load: Load) -> None:
    assert "its interrupt controller is arm,cortex-a15-gic" in Prepared(load("gicv2")).report.errors[0]


def test_v2m_in_a_gicv3_goes() -> None:
    tree = small_tree()
    gic = tree.at("/intc")
    assert gic is not None
    gic.props["ranges"] = b""
    gic.set_cells("#address-cells", [2])
    gic.set_cells("#size-cells", [2])
    frame = gic.add("v2m@8020000")
    frame.set_strings("compatible", "arm,gic-v2m-frame")
    frame.set_cells("reg", [0, 0x0802_0000, 0, 0x1000])
    assert "v2m@8020000" not in Prepared(tree).names


def test_secure_devices_go(load: Load) -> None:
    made = Prepared(load("secure"))
    assert not made.report.errors
    assert not any(name in made.names for name in ("pl011@9040000", "pl061@90b0000", "gpio-restart", "secflash@0"))
    assert made.node("/psci").string("method") == "smc"


@pytest.mark.parametrize("name", ["plain", "smmu-16", "secure"])
def test_nothing_refers_to_what_is_gone(load: Load, name: str) -> None:
    made = Prepared(load(name), cpus=1, given=windows.Windows(BASE + [RTC]))
    handles = {node.phandle for node in made.saved.root.walk()}
    for node in made.saved.root.walk():
        for word in ("interrupt-parent", "clocks", "gpios", "msi-parent", "cpu"):
            assert set(node.cells(word)) <= handles, (node.path, word)
        assert not {"msi-map", "iommu-map", "iommus"} & set(node.props)


def test_given_devices_stay(load: Load) -> None:
    gpio = windows.Window("gpio", 0x0903_0000, 0x1000, ("emulate",))
    made = Prepared(load("plain"), given=windows.Windows(BASE + [RTC, gpio]))
    assert {"pl031@9010000", "pl061@9030000", "gpio-keys"} <= set(made.names)


def test_dma_is_never_passed_through(load: Load) -> None:
    whole = windows.Window("all", 0, 0x4000_0000, ("allow",))
    made = Prepared(load("plain"), given=windows.Windows([whole]))
    assert {"pl031@9010000", "pl061@9030000", "pl011@9000000", "flash@0"} <= set(made.names)
    assert not any(name.startswith(("virtio", "pcie", "its", "fw-cfg")) for name in made.names)
    slot = windows.Window("virtio0", 0x0a00_3e00, 0x200, ("emulate",))
    made = Prepared(load("plain"), given=windows.Windows(BASE + [slot]))
    assert [name for name in made.names if name.startswith("virtio")] == ["virtio_mmio@a003e00"]


def test_the_narrower_window_decides(load: Load) -> None:
    hole = windows.Window("hole", 0x0901_0800, 4, ("deny",))
    assert "pl031@9010000" not in Prepared(load("plain"), given=windows.Windows(BASE + [RTC, hole])).names
    wide = windows.Window("rest", 0, 0x4000_0000, ("raz-wi",))
    assert "pl031@9010000" in Prepared(load("plain"), given=windows.Windows(BASE + [RTC, wide])).names


def test_a_policy_without_gic_or_uart(load: Load) -> None:
    made = Prepared(load("plain"), given=windows.Windows([]))
    assert [error.split(":")[0] for error in made.report.errors] == ["policy", "policy"]
    made = Prepared(load("plain"), given=windows.Windows(BASE[:2]))
    assert not made.report.errors and "no console is left" in made.report.notices[0]
    assert "stdout-path" not in made.node("/chosen").props


@pytest.mark.parametrize("address, size", [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_cell_sizes_and_no_chosen_no_psci_no_memory(address: int, size: int) -> None:
    made = Prepared(small_tree(address, size), initrd=layout.Span("initrd", layout.INITRD_IPA, 1))
    assert not made.report.errors
    assert made.node("/memory").cells("reg") == (fdt.to_cells(0x4000_0000, address) + fdt.to_cells(0x3000_0000, size))
    assert made.node("/chosen").string("stdout-path") == "/pl011@9000000"
    assert made.node("/psci").string("method") == "smc"
    assert "no PSCI node" in made.report.notices[0]


def test_three_cells_are_refused() -> None:
    tree = small_tree()
    tree.root.set_cells("#address-cells", [3])
    assert "#address-cells 3" in Prepared(tree).report.errors[0]


def test_what_another_loader_left_goes() -> None:
    tree = small_tree()
    chosen = tree.root.add("chosen")
    for name in ("linux,uefi-system-table", "linux,elfcorehdr", "linux,initrd-start", "linux,usable-memory-range"):
        chosen.set_u64(name, 0)
    chosen.set_strings("bootargs", "keep me")
    chosen.add("module@0")
    tree.root.add("firmware").add("optee").set_strings("compatible", "linaro,optee-tz")
    made = Prepared(tree)
    assert set(made.node("/chosen").props) == {"bootargs", "stdout-path"}
    assert not made.node("/chosen").children and "firmware" not in made.names


@pytest.mark.parametrize("path, stays", [
    ("serial0:115200n8", True), ("/pl011@9000000", True), ("/pl011", True), ("serial9", False), ("/rtc", False)])
def test_stdout_path(path: str, stays: bool) -> None:
    tree = small_tree()
    tree.root.add("aliases").set_strings("serial0", "/pl011@9000000")
    tree.root.add("chosen").set_strings("stdout-path", path)
    made = Prepared(tree).node("/chosen").string("stdout-path")
    assert made == (path if stays else "/pl011@9000000")


def test_a_long_command_line() -> None:
    assert Prepared(small_tree(), cmdline="x" * 2047).report.errors == []
    assert "2048 bytes; the kernel takes 2047" in Prepared(small_tree(), cmdline="x" * 2048).report.errors[0]


def test_reserved_memory() -> None:
    tree = small_tree()
    area = tree.root.add("reserved-memory")
    area.props.update({"ranges": b""})
    area.set_cells("#address-cells", [2])
    area.set_cells("#size-cells", [2])
    area.add("far@80000000").set_cells("reg", [0, 0x8000_0000, 0, 0x1000])
    area.add("near@50000000").set_cells("reg", [0, 0x5000_0000, 0, 0x1000])
    tree.reservations = [(0x5100_0000, 0x1000), (0x9000_0000, 0x1000)]
    made = Prepared(tree)
    assert not made.report.errors and "near@50000000" in made.names and "far@80000000" not in made.names
    assert made.saved.reservations == [(0x5100_0000, 0x1000)]
    area.add("clash@40001000").set_cells("reg", [0, 0x4000_1000, 0, 0x1000])
    assert "overlaps Image at IPA 0x40000000..0x40200000" in Prepared(tree).report.errors[0]


def test_a_bus_translates_addresses() -> None:
    tree = small_tree()
    bus = tree.root.add("soc")
    bus.set_strings("compatible", "simple-bus")
    bus.set_cells("#address-cells", [1])
    bus.set_cells("#size-cells", [1])
    bus.set_cells("ranges", [0, 0, 0x0901_0000, 0x1_0000])
    rtc = bus.add("rtc@0")
    rtc.set_strings("compatible", "arm,pl031")
    rtc.set_cells("reg", [0, 0x1000])
    assert "rtc@0" in Prepared(tree, given=windows.Windows(BASE + [RTC])).names
    made = Prepared(tree)
    assert "rtc@0" not in made.names and "soc" not in made.names


def test_memory_of_many_nodes_becomes_one() -> None:
    tree = small_tree()
    for base in (0x4000_0000, 0x8000_0000):
        node = tree.root.add(f"memory@{base:x}")
        node.set_strings("device_type", "memory")
        node.set_cells("numa-node-id", [base >> 31])
    tree.root.add("distance-map").set_strings("compatible", "numa-distance-map-v1")
    made = Prepared(tree)
    assert [name for name in made.names if "memory" in name] == ["memory@40000000"]
    assert "distance-map" not in made.names


def test_nop_tags_are_read_over(dump: Dump) -> None:
    blob = bytearray(dump("plain"))
    tree = libfdt.Fdt(blob)
    offset = tree.path_offset("/psci")
    data = tree.as_bytearray()
    assert libfdt.fdt_nop_property(data, offset, "migrate") == 0
    assert libfdt.fdt_nop_node(data, tree.path_offset("/gpio-keys")) == 0
    loaded = fdt.load("x", bytes(data), Report())
    assert loaded is not None and loaded.at("/gpio-keys") is None
    psci = loaded.at("/psci")
    assert psci is not None and "migrate" not in psci.props and psci.string("method") == "smc"
    assert not Prepared(loaded).report.errors


@pytest.mark.parametrize("change, words", [
    (lambda blob: b"", "0 bytes, less than a DTB's header"),
    (lambda blob: blob[:500], "truncated: its header says"),
    (lambda blob: b"garbage!" * 100, "not a DTB: starts with 0x67617262"),
    (lambda blob: b"/dts-v1/;\n/ { model = \"not compiled\"; };\n", "compile it with dtc"),
    (lambda blob: blob[:4] + struct.pack(">I", 64) + blob[8:], "damaged DTB"),
    (lambda blob: blob[:4] + struct.pack(">I", 1 << 31) + blob[8:], "truncated: its header says 2147483648"),
    (lambda blob: blob[:8] + struct.pack(">I", 1 << 20) + blob[12:], "damaged DTB"),
])
def test_damaged(change: Callable[[bytes], bytes], words: str) -> None:
    errors = complaints(change(fdt.save(small_tree())))
    assert len(errors) == 1 and words in errors[0]


def test_bytes_after_the_tree_are_no_harm() -> None:
    report = Report()
    assert fdt.load("x", fdt.save(small_tree()) + b"tail", report) is not None
    assert "4 bytes after" in report.notices[0]


def test_depth_is_bounded() -> None:
    tree = small_tree()
    node = tree.root
    for _ in range(fdt.MAX_DEPTH + 1):
        node = node.add("n")
    assert "nested more than" in complaints(fdt.save(tree))[0]


SEED = fdt.save(small_tree())


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.lists(strategies.tuples(strategies.integers(0, len(SEED) - 1), strategies.integers(0, 255)),
                        min_size=1, max_size=6), strategies.integers(0, len(SEED)))
def test_any_bytes_give_a_tree_or_a_reason(changes: List[List[int]], cut: int) -> None:
    blob = bytearray(SEED)
    for at, value in changes:
        blob[at] = value
    for candidate in (bytes(blob), bytes(blob[:cut])):
        report = Report()
        tree = fdt.load("x", candidate, report)
        if tree is None:
            assert report.errors
            continue
        guest.make_guest("x", tree, guest.Wanted(1, windows.DEFAULT, "a", None, True, []), report)
        if not report.errors:
            assert fdt.load("x", fdt.save(tree), Report()) is not None


def test_only_transports_with_a_device_stay(load: Load) -> None:
    bank = windows.Window("virtio", 0x0a00_0000, 0x4000, ("emulate",))
    for bases, kept in ((frozenset(), []), (frozenset({0x0a00_3c00}), ["virtio_mmio@a003c00"])):
        report = Report()
        tree = load("plain")
        wanted = guest.Wanted(1, windows.Windows(BASE + [bank]), None, None, True, [], bases)
        guest.make_guest("x", tree, wanted, report)
        assert [node.name for node in tree.root.walk() if node.name.startswith("virtio")] == kept and not report.errors


def test_a_hidden_pmu_is_not_in_the_tree(load: Load) -> None:
    for hidden in (frozenset(), frozenset({"pmu"})):
        tree = load("plain")
        wanted = guest.Wanted(1, windows.Windows(BASE), None, None, True, [], hidden=hidden)
        guest.make_guest("x", tree, wanted, Report())
        assert ("pmu" in [node.name for node in tree.root.walk()]) == (not hidden)


def test_an_unattended_panic_resets(load: Load) -> None:
    for cmdline, made in ((None, "panic=-1"), ("quiet", "quiet panic=-1"), ("panic=5 ro", "panic=5 ro")):
        tree = load("plain")
        wanted = guest.Wanted(1, windows.Windows(BASE), cmdline, None, True, [], panic_resets=True)
        guest.make_guest("x", tree, wanted, Report())
        chosen = tree.at("/chosen")
        assert chosen is not None and chosen.string("bootargs") == made


def test_a_reservation_at_0_is_one() -> None:
    """A Raspberry Pi 4's own DTB has it."""
    tree = small_tree()
    tree.reservations = [(0, 0x1000), (0x5000_0000, 0x1000)]
    report = Report()
    again = fdt.load("pi.dtb", fdt.save(tree), report)
    assert again and not report.errors and again.reservations == tree.reservations
    made = Prepared(again)
    assert made.report.notices[0] == "x.dtb: memory reservation 0x0..0x1000 is outside guest RAM and dropped"
    assert made.saved.reservations == [(0x5000_0000, 0x1000)]


def test_an_overlay_is_called_one() -> None:
    root = fdt.Node("")
    root.add("fragment@0").add("__overlay__")
    assert complaints(fdt.save(fdt.Tree(root))) == [
        "x.dtb: an overlay (.dtbo), to be put over a DTB by fdtoverlay; give the result"]


def test_one_cause_is_one_complaint(load: Callable[[str], fdt.Tree]) -> None:
    """Another machine differs in much; its interrupt controller is why."""
    other = load("gicv2")
    for node in list(other.root.walk()):
        if "arm,armv8-timer" in node.strings("compatible"):
            node.drop()
    assert len(Prepared(other, cpus=4).report.errors) == 1
    tree = small_tree()
    for index, affinity in enumerate((0x100, 0x101, 0x200)):
        cpu = tree.at("/cpus").add(f"cpu@{affinity:x}")       # type: ignore[union-attr]
        cpu.set_strings("device_type", "cpu")
        cpu.set_cells("reg", [affinity])
    assert len(Prepared(tree, cpus=4).report.errors) == 1
