# SPDX-License-Identifier: Apache-2.0
"""The tool as the Makefile and a person use it: status, messages, files."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, List

import pytest
from prep_inputs import ROOT, make_image, small_tree
from guestprep import fdt, windows
from guestprep.report import Report


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    (tmp_path / "Image").write_bytes(make_image())
    (tmp_path / "initrd").write_bytes(b"070701" + bytes(94))
    (tmp_path / "virt.dtb").write_bytes(fdt.save(small_tree()))
    return tmp_path


def run(where: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(ROOT / "tools" / "linux_prep.py"), *arguments], cwd=where, text=True,
                          capture_output=True, timeout=600, check=False)


USUAL = ["--image", "Image", "--initrd", "initrd", "--dtb", "virt.dtb", "--out", "out"]


def test_what_is_written(inputs: Path) -> None:
    done = run(inputs, *USUAL, "--cmdline", "console=ttyAMA0", "--log", "full", "--unattended", "--hv-init",
               "traps; cont")
    assert done.returncode == 0, done.stderr
    out = inputs / "out"
    assert sorted(path.name for path in out.iterdir()) == ["Image", "bootargs", "guest.dtb", "initrd", "qemu.args"]
    size = (out / "guest.dtb").stat().st_size
    assert (out / "bootargs").read_bytes() == (
        f"charter1 guest=linux image=4096 initrd=100 dtb={size} log=full unattended=1 hv.init=\"traps; cont\""
        .encode() + b"\0")
    assert (out / "qemu.args").read_text().splitlines() == [
        "-device", "loader,file=out/Image,addr=0x42000000,force-raw=on",
        "-device", "loader,file=out/initrd,addr=0x46000000,force-raw=on",
        "-device", "loader,file=out/guest.dtb,addr=0x71e00000,force-raw=on",
        "-device", "loader,file=out/bootargs,addr=0x4007f000,force-raw=on"]
    assert "Image at IPA 0x40000000..0x40200000 (2097152 bytes), PA 0x42000000" in done.stdout


def test_an_old_initrd_does_not_stay(inputs: Path) -> None:
    assert run(inputs, *USUAL).returncode == 0
    assert run(inputs, "--image", "Image", "--dtb", "virt.dtb", "--out", "out").returncode == 0
    assert not (inputs / "out" / "initrd").exists()
    assert "initrd=0 " in (inputs / "out" / "bootargs").read_text()


def test_the_image_of_an_old_kernel_is_not_at_the_start_of_ram(inputs: Path) -> None:
    (inputs / "Image").write_bytes(make_image(text_offset=0x8_0000))
    assert run(inputs, *USUAL).returncode == 0
    kernel = make_image(text_offset=0x8_0000)
    assert (inputs / "out" / "Image").read_bytes() == kernel and (inputs / "out" / "header").read_bytes() == kernel[:64]
    words = (inputs / "out" / "qemu.args").read_text()
    assert "loader,file=out/header,addr=0x42000000" in words and "loader,file=out/Image,addr=0x42080000" in words
    assert " image=4096 " in (inputs / "out" / "bootargs").read_text()
    (inputs / "Image").write_bytes(make_image())
    assert run(inputs, *USUAL).returncode == 0 and not (inputs / "out" / "header").exists()


def test_all_problems_in_one_run(inputs: Path) -> None:
    (inputs / "Image").write_bytes(make_image(flags=0xb))
    (inputs / "initrd").write_bytes(b"")
    (inputs / "virt.dtb").write_bytes(b"\xd0\x0d\xfe\xed" + bytes(40))
    (inputs / "w.json").write_text("{}")
    done = run(inputs, *USUAL, "--policy-windows", "w.json")
    assert done.returncode == 1 and not (inputs / "out").exists()
    lines = done.stderr.splitlines()
    assert [line.split(": ")[2] for line in lines] == ["Image", "initrd", "w.json", "virt.dtb"]


def test_an_initrd_makes_room_for_a_large_kernel(inputs: Path) -> None:
    """The contract's place when it fits; else behind Image and BSS, and boot arguments and DTB say where."""
    for size, place in ((0x0400_0000, 0x4400_0000), (0x0400_1001, 0x4400_2000), (0x2000_0000, 0x6000_0000)):
        (inputs / "Image").write_bytes(make_image(image_size=size))
        done = run(inputs, *USUAL)
        assert done.returncode == 0, done.stderr
        assert (f" initrd_at={place} " in (inputs / "out" / "bootargs").read_text()) == (place != 0x4400_0000)
        assert f"loader,file=out/initrd,addr={place + 0x200_0000:#x}," in (inputs / "out" / "qemu.args").read_text()
        tree = fdt.load("x", (inputs / "out" / "guest.dtb").read_bytes(), Report())
        chosen = tree.at("/chosen") if tree else None
        assert chosen and chosen.props["linux,initrd-start"] == place.to_bytes(8, "big")
        assert chosen.props["linux,initrd-end"] == (place + 100).to_bytes(8, "big")
    (inputs / "Image").write_bytes(make_image(image_size=0x2fdf_ffff))
    assert "initrd at IPA 0x6fe00000..0x6fe00064 (100 bytes) overlaps DTB at IPA 0x6fe00000" in run(inputs, *USUAL).stderr


@pytest.mark.parametrize("size, words", [
    (0x2fe0_1000, "overlaps DTB at IPA 0x6fe00000"), (1 << 63, "does not fit in guest RAM 0x40000000..0x70000000")])
def test_image_beyond_its_space(inputs: Path, size: int, words: str) -> None:
    (inputs / "Image").write_bytes(make_image(image_size=size))
    done = run(inputs, "--image", "Image", "--dtb", "virt.dtb", "--out", "out")
    assert done.returncode == 1 and words in done.stderr


def test_initrd_beyond_its_space(inputs: Path) -> None:
    os.truncate(inputs / "initrd", 0x2be0_0001)         # sparse
    done = run(inputs, *USUAL)
    assert done.returncode == 1
    assert "736100353 bytes, more than the 736100352 bytes of guest RAM from the initrd's IPA 0x44000000" in done.stderr


def test_a_tree_beyond_its_space(inputs: Path) -> None:
    tree = small_tree()
    tree.root.props["blob"] = bytes(0x20_0000)
    (inputs / "virt.dtb").write_bytes(fdt.save(tree))
    done = run(inputs, *USUAL)
    assert done.returncode == 1 and "from IPA 0x6fe00000 to the end of RAM 0x70000000 there are 2097152" in done.stderr


@pytest.mark.parametrize("name", ["nothing", ".", "fifo", "/dev/zero"])
def test_no_file(inputs: Path, name: str) -> None:
    os.mkfifo(inputs / "fifo")
    done = run(inputs, "--image", name, "--dtb", "virt.dtb", "--out", "out")
    assert done.returncode == 1 and done.stderr.count(" error: ") == 1


@pytest.mark.parametrize("arguments", [
    ["--smp", "0"], ["--smp", "9"], ["--smp", "two"], ["--log", "loud"], ["--what"], ["--cmdline", "a\nb"],
    ["--qemu-args", "'"]])
def test_usage(inputs: Path, arguments: List[str]) -> None:
    assert run(inputs, *USUAL, *arguments).returncode == 2


def test_dtb_of_the_qemu_that_runs(inputs: Path) -> None:
    done = run(inputs, "--image", "Image", "--out", "out", "--smp", "3")
    assert done.returncode == 0, done.stderr
    tree = fdt.load("x", (inputs / "out" / "guest.dtb").read_bytes(), Report())
    assert tree is not None and tree.at("/cpus/cpu@2") is not None and tree.at("/pcie") is None


@pytest.mark.parametrize("line", [b"x=\xff\xfe \xc3\xa4", b" lead  tail ", b"a=\"b c\" d='e' $HOME `id` \\", b"#%~;&|<>*?"])
def test_a_command_line_stays_as_it_is(inputs: Path, line: bytes) -> None:
    """Byte for byte; of what is added to it a notice tells, and how it is left out."""
    for more, end, notices in (([], b"", 0), (["--unattended"], b" panic=-1", 1), (["--unattended", "--verbatim"], b"", 0)):
        done = run(inputs, *USUAL, "--cmdline", os.fsdecode(line), *more)
        assert done.returncode == 0 and done.stderr.count("panic=-1 is added") == notices, done.stderr
        tree = fdt.load("x", (inputs / "out" / "guest.dtb").read_bytes(), Report())
        chosen = tree.at("/chosen") if tree else None
        assert chosen and chosen.props["bootargs"] == line + end + b"\0"
    assert "panic=-1 is added" not in run(inputs, *USUAL, "--cmdline", "panic=5", "--unattended").stderr


@pytest.mark.parametrize("arguments, words", [
    (["--qemu", "no-such-qemu"], "cannot be run"), (["--qemu", "true"], "dumped no DTB (exit status 0)"),
    (["--qemu-args", "-M nonsense"], "dumped no DTB (exit status 1)"),
    (["--cpu", "z80"], "dumped no DTB (exit status 1)")])
def test_no_dtb_to_dump(inputs: Path, arguments: List[str], words: str) -> None:
    done = run(inputs, "--image", "Image", "--out", "out", *arguments)
    assert done.returncode == 1 and words in done.stderr


def test_out_that_cannot_be_written(inputs: Path) -> None:
    (inputs / "out").write_text("a file")
    assert run(inputs, *USUAL).returncode == 1


def row(**changes: object) -> object:
    return {**{"name": "uart0", "base": 0x0900_0000, "size": 4096, "action": "emulate"}, **changes}


@pytest.mark.parametrize("rows, words", [
    ({}, "holds a dict"), ([3], "not an object"), ([{}], "has no name"), ([row(base="0x9000000")], "no address"),
    ([row(size=0)], "no address"), ([row(action="maybe")], "none of allow"), ([row(), row(size=True)], "window 1"),
])
def test_windows_that_make_no_sense(rows: object, words: str) -> None:
    report = Report()
    windows.load("w.json", json.dumps(rows).encode(), report)
    assert len(report.errors) == 1 and words in report.errors[0]


def test_windows_that_are_no_json() -> None:
    for text in (b"", b"[", b"\xff\xfe", b"[" * 100_000):
        report = Report()
        assert windows.load("w.json", text, report) is None and "not JSON" in report.errors[0]


def test_an_action_for_each_direction() -> None:
    split: Callable[[object], object] = lambda write: [row(action={"read": "allow", "write": write})]
    for write, expected in (("allow", ("allow",)), ("deny", ("allow", "deny"))):
        loaded = windows.load("w", json.dumps(split(write)).encode(), Report())
        assert loaded is not None and loaded.actions(0x0900_0000, 4096) == expected


def test_disk_and_network(inputs: Path) -> None:
    given = [{"name": name, "base": base, "size": size, "action": "emulate"} for name, base, size in (
        ("gicd", 0x0800_0000, 0x1_0000), ("gicr", 0x080a_0000, 0xf6_0000), ("uart0", 0x0900_0000, 0x1000),
        ("virtio-disk", 0x0a00_3e00, 0x200))]
    (inputs / "windows.json").write_text(json.dumps(given))
    (inputs / "a,b.img").write_bytes(bytes(1024))
    (inputs / "odd.img").write_bytes(bytes(1000))
    usual = [*USUAL, "--policy-windows", "windows.json"]
    assert run(inputs, *usual, "--disk", "a,b.img").returncode == 0
    assert (inputs / "out" / "qemu.args").read_text().splitlines()[-6:] == [
        "-global", "virtio-mmio.force-legacy=off", "-drive", "if=none,file=a,,b.img,format=raw,id=charter-disk",
        "-device", "virtio-blk-device,drive=charter-disk,bus=virtio-mmio-bus.31"]
    for words, complaint in ((["--disk", "none.img"], "none.img: No such file"),
                             (["--disk", "odd.img"], "a multiple of"),
                             (["--disk", "."], "regular file or a block device"),
                             (["--net", "user"], "policy: does not give virtio-net at 0xa003c00 (deny)")):
        done = run(inputs, *usual, *words)
        assert done.returncode == 1 and complaint in done.stderr, done.stderr
    assert run(inputs, *usual, "--net", "tap").returncode == 2
