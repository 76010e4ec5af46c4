# SPDX-License-Identifier: Apache-2.0
"""A kernel of any kind lies where it says, or is refused with one sentence and the way out."""
from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from kernels import CODE, RAM, Load, elf, simple, spans
from prep_inputs import ROOT, make_image, small_tree

sys.path.insert(0, str(ROOT))

import guest_prep  # noqa: E402
from guestprep import fdt, kernel  # noqa: E402
from guestprep.report import Report  # noqa: E402

FAR_DTB = 0x6fe0_0000
NOWHERE = kernel.Place(None, None)


class Made:
    """Output and files of the tool."""

    def __init__(self, folder: Path, status: object, told: str, said: str) -> None:
        self.status, self.told, self.said = status, told, said
        self.errors = [line for line in said.splitlines() if ": error: " in line]
        self.words = (folder / "out/bootargs").read_text().rstrip("\0") if status == 0 else ""
        self.memory: Dict[int, bytes] = {}
        if status == 0:
            for line in (folder / "out/qemu.args").read_text().splitlines():
                if line.startswith("loader,file=out/part") or line.startswith("loader,file=out/guest.dtb"):
                    name, at = line[len("loader,file="):].split(",")[:2]
                    self.memory[int(at[len("addr="):], 16) - 0x200_0000] = (folder / name).read_bytes()

    def word(self, name: str) -> int:
        return int(dict(word.split("=", 1) for word in self.words.split()[1:])[name])


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "virt.dtb").write_bytes(fdt.save(small_tree()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prepare(folder: Path, data: bytes, *words: str, by: str = "--elf", dtb: str = "virt.dtb") -> Made:
    (folder / "k").write_bytes(data)
    told, said, status = io.StringIO(), io.StringIO(), None     # type: io.StringIO, io.StringIO, object
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(said):
        try:
            status = guest_prep.main([by, "k", "--dtb", dtb, "--out", "out", *words])
        except SystemExit as end:
            status = end.code
    return Made(folder, status, told.getvalue(), said.getvalue())


def test_an_elf_file_is_where_its_program_headers_say(inputs: Path) -> None:
    data = CODE * 40
    made = prepare(inputs, elf((RAM + 0x8_0000, RAM + 0x8_0000, data, 0x9000), (RAM + 0x10_0000, RAM + 0x10_0000, b"d" * 33, 33)),
                   "--args", "a=b", "--log", "full", "--unattended")
    assert made.status == 0, made.said
    dtb = made.memory[RAM]
    assert made.words == (f"charter1 part={RAM}+{len(dtb)} part={RAM + 0x8_0000}+192 part={RAM + 0x10_0000}+64 "
                          f"entry={RAM + 0x8_0000} x0=0 log=full unattended=1")
    assert made.memory[RAM + 0x8_0000] == data.ljust(192, b"\0") and made.memory[RAM + 0x10_0000] == (b"d" * 33).ljust(64, b"\0")
    tree = fdt.load("x", dtb, Report())
    chosen = tree.at("/chosen") if tree else None
    assert chosen and chosen.props["bootargs"] == b"a=b\0"
    told = json.loads((inputs / "out/kernel.json").read_text())
    assert told["file"] == str(inputs / "k") and told["kind"] == "elf"
    assert told["guest"] == f"kernel#{zlib.crc32(data.ljust(192, bytes(1))):08x}" and told["guest"] in made.told


def test_the_files_own_headers_may_lie_before_ram(inputs: Path) -> None:
    """GNU ld puts them there, with -Ttext=0x40000000."""
    whole = bytearray(elf((RAM - 0x1_0000, RAM - 0x1_0000, b"", 0x1_0010), entry=RAM).ljust(0x1_0010, b"\0"))
    struct.pack_into("<Q", whole, 64 + 8, 0)                    # p_offset
    struct.pack_into("<Q", whole, 64 + 32, 0x1_0010)            # p_filesz
    whole[0x1_0000:] = CODE * 4
    made = prepare(inputs, bytes(whole))
    assert made.status == 0 and sorted(made.memory) == [RAM, FAR_DTB] and made.memory[RAM] == (CODE * 4).ljust(64, b"\0")
    whole[0xfffc] = 1
    assert "linked at 0x3ffffffc, outside guest RAM" in prepare(inputs, bytes(whole)).errors[0]


@pytest.mark.parametrize("at, says", [(RAM + 0x8_0000, ""), (RAM, ""), (0x8_0000, "linked at 0x80000: a Raspberry Pi kernel")])
def test_a_first_kernel_linked_by_the_compiler(inputs: Path, at: int, says: str) -> None:
    """GCC gives it a build ID in a segment of its own at 0x400000, where a program of Linux has it."""
    (inputs / "k.S").write_text(".global _start\n_start: b .\n")
    subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", f"-Wl,-Ttext={at:#x},--build-id", "k.S", "-o", "linked"],
                   cwd=inputs, check=True)
    made = prepare(inputs, (inputs / "linked").read_bytes())
    if says:
        assert says in made.errors[0] and len(made.errors) == 1, made.said
    else:
        assert made.status == 0 and made.memory[at][:4] == CODE, made.said
        assert "left out: 268 bytes of headers and notes at 0x400000, outside guest RAM" in made.said or at == RAM, made.said


HIGH = 0xffff_0000_0000_0000


@pytest.mark.parametrize("loads, entry, words, places, starts", [
    ([(HIGH, RAM + 0x8_0000, CODE, 4)], HIGH, [], [RAM + 0x8_0000], RAM + 0x8_0000),            # linked high, loaded low
    ([(RAM + 0x8_0000, 0, CODE, 4), (RAM + 0x9_1000, 0x1000, CODE, 4)], RAM + 0x8_0000, [], [RAM + 0x8_0000, RAM + 0x9_1000],
     RAM + 0x8_0000),                                                                           # p_paddr that nobody set
    ([(RAM, RAM, CODE, 4)], RAM, [], [RAM], RAM),
    ([(RAM + 0x8_0000, RAM + 0x8_0000, CODE * 4, 16)], 0, ["--entry", "0x40080008"], [RAM + 0x8_0000], RAM + 0x8_0008),
    ([(RAM + 0x8_0000, RAM + 0x8_0000, CODE, 4), (RAM + 0x8_1000, RAM + 0x8_1000, b"", 0x2000_0000)], RAM + 0x8_0000, [],
     [RAM + 0x8_0000], RAM + 0x8_0000),                                                         # half a GiB that is zero
])
def test_where_it_lies_and_begins(inputs: Path, loads: List[Load], entry: int, words: List[str], places: List[int],
                                  starts: int) -> None:
    made = prepare(inputs, elf(*loads, entry=entry), *words)
    assert made.status == 0, made.said
    dtb = FAR_DTB if places[0] == RAM else RAM
    assert sorted(made.memory) == sorted([*places, dtb]) and made.word("entry") == starts
    assert spans(made.words) == sorted(spans(made.words))


@pytest.mark.parametrize("words, at", [([], RAM + 0x8_0000), (["--load", "0x48000000"], 0x4800_0000)])
def test_a_pie_goes_where_it_is_put(inputs: Path, words: List[str], at: int) -> None:
    made = prepare(inputs, elf((0, 0, CODE * 4, 16), (0x2_0000, 0x2_0000, b"data", 4), entry=8, kind=3), *words)
    assert made.status == 0 and sorted(made.memory) == [RAM, at, at + 0x2_0000] and made.word("entry") == at + 8


def test_segments_in_many_places_become_few_parts(inputs: Path) -> None:
    """EL2 takes eight; the bytes between them are zero."""
    loads = [(at, at, bytes([n]) * 5, 5) for n in range(1, 21) for at in [RAM + 0x8_0000 + n * n * 0x1_0000]]
    made = prepare(inputs, elf((RAM + 0x8_0000, RAM + 0x8_0000, CODE, 4), *loads))
    assert made.status == 0, made.said
    parts = spans(made.words)
    assert len(parts) <= 8 and parts == sorted(parts)
    memory = bytearray(0x300_0000)
    for base, data in made.memory.items():
        memory[base - RAM:base - RAM + len(data)] = data
    for at, _, data, _ in loads:
        assert memory[at - RAM - 1:at - RAM + 6] == b"\0" + data + b"\0"
    far = [(at, at, CODE, 4) for n in range(1, 12) for at in [RAM + 0x8_0000 + n * 0x100_0000]]
    made = prepare(inputs, elf((RAM + 0x8_0000, RAM + 0x8_0000, CODE, 4), *far))
    assert made.status == 1 and "more than 7 places that are far apart" in made.errors[0]


GOOD = simple()
INTERP = struct.pack("<IIQQQQQQ", 3, 4, 64, 0, 0, 4, 4, 1)


@pytest.mark.parametrize("data, said", [
    (b"", "the file is empty"),
    (b"\x7fELF", "4 bytes, less than an ELF header: cut short"),
    (elf(bits=1, machine=40), "a 32-bit Arm program, and the machine is AArch64: use the compiler aarch64-linux-gnu-gcc"),
    (elf(machine=62), "an x86-64 program"), (elf(machine=3, bits=1), "a 32-bit x86 program"),
    (elf(machine=243), "a RISC-V program"),
    (elf(machine=999), "another machine (e_machine 999)"), (elf(bits=1), "a 32-bit ELF file"),
    (elf(order=2), "a big-endian ELF file"), (elf(machine=40, order=2, bits=1), "a 32-bit Arm program"),
    (elf(kind=1), "an object file that is not linked: link it"), (elf(kind=4), "of type 4, not a program"),
    (elf(), "no segment that is loaded"),
    (simple(0x8_0000), "linked at 0x80000: a Raspberry Pi kernel, outside guest RAM 0x40000000..0x70000000; link it at "
     "0x40080000"),
    (simple(0x8000_0000), "linked at 0x80000000: a kernel for a board whose RAM begins at 0x80000000"),
    (simple(0x0e0a_0000), "an EL3 payload (TF-A)"), (simple(0x40_0000), "a program for Linux"), (simple(0), "for flash"),
    (simple(HIGH), "give the Image to make run-linux"), (simple(0x7000_0000), "linked at 0x70000000, outside guest RAM"),
    (simple(RAM + 0x2fff_f000, memory=0x2000), "ends beyond guest RAM 0x40000000..0x70000000"),
    (simple(memory=1), "in the file, 0x1 in memory: damaged"), (simple((1 << 64) - 8, memory=64), "beyond the last address"),
    (GOOD[:-1], "cut short or damaged"), (GOOD[:100], "damaged"),
    (elf((RAM, RAM, CODE, 0x2000), (RAM + 0x1000, RAM + 0x1000, CODE, 4)), "overlaps segment 2"),
    (elf((RAM + 0x8_0000, RAM + 0x8_0000, CODE, 4), entry=0), "its entry 0x0 lies in none of its segments: give GUEST_ENTRY="),
    (elf((RAM + 0x8_0000, RAM + 0x8_0000, CODE, 4), entry=RAM + 0x8_0002), "the entry 0x40080002 is no instruction"),
    (elf((RAM + 0x8_0000, RAM + 0x8_0000, b"", 64)), "all of it is zero"),
    (elf((RAM + 0x8_0000, RAM + 0x8_0000, CODE, 4), more=INTERP), "a program for Linux, not a kernel"),
    (make_image(), "an arm64 Image, not an ELF file: make run-linux LINUX_IMAGE="),
    (b"MZ\0\0zimg".ljust(4096, b"\0"), "an arm64 Image, not an ELF file"),
    (gzip.compress(GOOD), "gzip-compressed, not an ELF file; unpack it first"),
    (CODE * 100, "not an ELF file (it begins with 00000014): a raw binary is GUEST_BIN= with GUEST_LOAD="),
    (elf((RAM, RAM, CODE, 0x2fe1_0000), entry=RAM), "overlaps DTB at IPA 0x6fe00000"),
], ids=lambda part: part if isinstance(part, str) else "")
def test_a_wrong_elf_file_is_told_what_to_do(inputs: Path, data: bytes, said: str) -> None:
    made = prepare(inputs, data)
    assert made.status == 1 and len(made.errors) == 1 and said in made.errors[0], made.said
    assert not (inputs / "out").exists()


UEFI = bytes(16) + bytes(range(16)) + bytes(8) + b"_FVH" + bytes(100)


@pytest.mark.parametrize("data, words, said", [
    (b"", [], "the file is empty"), (GOOD, [], "an ELF file, not a raw binary: GUEST_ELF="),
    (make_image(), [], "make run-linux LINUX_IMAGE="), (gzip.compress(make_image()), [], "make run-linux LINUX_IMAGE="),
    (UEFI, [], "UEFI firmware for flash; no guest has flash"), (bytes(4096) + UEFI, [], "UEFI firmware"),
    (b"\x01\x00\x64\xaa" + bytes(100), [], "a firmware package of TF-A; that runs at EL3"),
    (CODE.ljust(0x4_0000, b"\0") + b"\x01\x00\x64\xaa", [], "TF-A for flash"), (b"OPTE" + bytes(60), [], "secure world"),
    (fdt.save(small_tree()), [], "a device tree, not a kernel: GUEST_DTB= takes it"),
    (gzip.compress(CODE)[:-6], [], "truncated gzip"), (b"070701" + bytes(100), [], "it is an initrd"),
    (CODE, ["--load", "0x3fffffff"], "does not fit in guest RAM 0x40000000..0x70000000; give another GUEST_LOAD="),
    (CODE, ["--load", "0x6fffffff"], "does not fit"), (CODE, ["--load", "0xffffffffffffffff"], "does not fit"),
    (CODE, ["--entry", "0x40080004"], None),
    (CODE, ["--entry", "0x400800c0"], "GUEST_ENTRY: the entry 0x400800c0 is no instruction"),
    (CODE, ["--dtb-at", "0x40080000"], "overlaps DTB at IPA 0x40080000"), (CODE, ["--dtb-at", "0x40000004"], "multiple of 8"),
    (CODE, ["--dtb-at", "0x6fffff00"], "does not fit in guest RAM"), (CODE, ["--disk", "none.img"], "none.img: No such file"),
    (CODE, ["--net", "user"], "policy: does not give virtio-net"),
], ids=lambda part: "" if isinstance(part, bytes) else str(part))
def test_a_wrong_binary_is_told_what_to_do(inputs: Path, data: bytes, words: List[str], said: Optional[str]) -> None:
    made = prepare(inputs, data, *words, by="--bin")
    assert made.status == bool(said) and len(made.errors) == bool(said), made.said
    assert not said or said in made.errors[0], made.said


@pytest.mark.parametrize("words, at, entry, dtb, x0", [
    ([], RAM + 0x8_0000, RAM + 0x8_0000, RAM, RAM), (["--load", "0x40200000"], RAM + 0x20_0000, RAM + 0x20_0000, RAM, RAM),
    (["--load", "0x40000000"], RAM, RAM, FAR_DTB, FAR_DTB), (["--load", "1073741824", "--x0", "0"], RAM, RAM, FAR_DTB, 0),
    (["--x0", "0xffffffffffffffff"], RAM + 0x8_0000, RAM + 0x8_0000, RAM, (1 << 64) - 1),
    (["--load", "0x40200000", "--entry", "0x40200004", "--dtb-at", "0x48000000", "--x0", "dtb"], RAM + 0x20_0000,
     RAM + 0x20_0004, 0x4800_0000, 0x4800_0000),
    (["--load", "0x40000f00"], RAM + 0xf00, RAM + 0xf00, RAM, RAM), (["--load", "0x40000004"], RAM, RAM + 4, FAR_DTB, FAR_DTB),
])
def test_a_raw_binary_is_where_it_is_put(inputs: Path, words: List[str], at: int, entry: int, dtb: int, x0: int) -> None:
    made = prepare(inputs, CODE * 10, *words, by="--bin")
    assert made.status == 0, made.said
    assert sorted(made.memory) == sorted([at, dtb]) and (made.word("entry"), made.word("x0")) == (entry, x0)
    assert prepare(inputs, bz2.compress(CODE * 10), *words, by="--bin").memory == made.memory


def test_a_disk_is_where_and_as_qemu_has_the_first(inputs: Path) -> None:
    (inputs / "disk.img").write_bytes(bytes(1024))
    window = {"name": "virtio-disk", "base": 0x0a00_3e00, "size": 0x200, "action": "emulate"}
    (inputs / "windows.json").write_text(json.dumps([window]))
    for more, legacy in (([], "on"), (["--modern-virtio"], "off")):
        made = prepare(inputs, CODE, "--disk", "disk.img", "--policy-windows", "windows.json", *more, by="--bin")
        assert made.status == 0, made.said
        words = (inputs / "out/qemu.args").read_text().split()
        assert f"virtio-mmio.force-legacy={legacy}" in words
        assert "virtio-blk-device,drive=charter-disk,bus=virtio-mmio-bus.31" in words


def test_without_a_dtb(inputs: Path) -> None:
    made = prepare(inputs, CODE, by="--bin", dtb="none")
    assert made.status == 0 and list(made.memory) == [RAM + 0x8_0000] and made.word("x0") == 0
    for more in (["--args", "x"], ["--x0", "dtb"], ["--dtb-at", "0x40000000"]):
        assert prepare(inputs, CODE, *more, by="--bin", dtb="none").status == 2


@pytest.mark.parametrize("words", [
    ["--load", "x"], ["--load", "0x1ffffffffffffffff"], ["--entry", "-1"], ["--x0", "dtbs"], ["--dtb-at", ""], ["--smp", "0"],
    ["--elf", "k"], ["--machine", "virt"], ["--machine", "gic-version=2"], ["--machine", "mte=on,secure=on"], ["--net", "tap"],
    ["--args", "a\nb"]])
def test_usage(inputs: Path, words: List[str]) -> None:
    assert prepare(inputs, CODE, *words, by="--bin").status == 2


def test_what_an_earlier_run_left_goes_and_nothing_else(inputs: Path) -> None:
    assert prepare(inputs, elf((RAM, RAM, CODE, 4), (RAM + 0x100_0000, RAM + 0x100_0000, CODE, 4), entry=RAM)).status == 0
    assert (inputs / "out/part2").exists()
    assert prepare(inputs, CODE, by="--bin", dtb="none").status == 0
    assert sorted(path.name for path in (inputs / "out").iterdir()) == ["bootargs", "kernel.json", "part1", "qemu.args"]
    (inputs / "out/qemu.args").write_text("mine")
    assert "exists, and was not written here before" in prepare(inputs, CODE, by="--bin").errors[0]


# --- U-Boot's images, as its own mkimage makes them -----------------------------------------------------------------

def mkimage(folder: Path, *words: str) -> bytes:
    subprocess.run(["mkimage", *words, "image"], cwd=folder, check=True, capture_output=True)
    return (folder / "image").read_bytes()


def test_a_legacy_image(inputs: Path) -> None:
    (inputs / "raw").write_bytes(CODE * 50)
    (inputs / "raw.gz").write_bytes(gzip.compress(CODE * 50))
    usual = ["-A", "arm64", "-O", "u-boot", "-T", "kernel", "-a", "0x41000000", "-e", "0x41000008", "-n", "k"]
    for words in ([*usual, "-C", "none", "-d", "raw"], [*usual, "-C", "gzip", "-d", "raw.gz"]):
        image = mkimage(inputs, *words)
        made = prepare(inputs, image, by="--bin")
        assert made.status == 0 and made.memory[0x4100_0000] == (CODE * 50).ljust(256, b"\0"), made.said
        assert made.word("entry") == 0x4100_0008
        made = prepare(inputs, image, "--load", "0x42000000", by="--bin")
        assert 0x4200_0000 in made.memory and made.word("entry") == 0x4200_0000
    for damage, said in ((image[:-1], "cut short"), (image[:40], "cut short"),
                         (image[:70] + b"\xff" + image[71:], "data is damaged"),
                         (image[:20] + b"\xff" + image[21:], "header is damaged"),
                         (mkimage(inputs, *usual[2:], "-A", "arm", "-C", "none", "-d", "raw"), "another architecture"),
                         (mkimage(inputs, *usual, "-T", "ramdisk", "-C", "none", "-d", "raw"), "of a RAM disk, not of a kernel"),
                         (mkimage(inputs, *usual, "-C", "lzo", "-d", "raw"), "no lzo data"),
                         (mkimage(inputs, *usual, "-C", "gzip", "-d", "raw"), "no gzip data")):
        made = prepare(inputs, damage, by="--bin")
        assert made.status == 1 and len(made.errors) == 1 and said in made.errors[0], made.said


FIT = """/dts-v1/;
/ { description = "f"; #address-cells = <1>;
  images {
    kernel { data = /incbin/("raw"); type = "kernel"; arch = "ARCH"; os = "u-boot"; compression = "none";
             load = <0x41000000>; entry = <0x41000004>; hash { algo = "crc32"; }; };
    other { data = /incbin/("other"); type = "standalone"; arch = "arm64"; os = "u-boot"; compression = "none"; };
    tree { data = /incbin/("virt.dtb"); type = "flat_dt"; arch = "arm64"; compression = "none"; };
    rd { data = /incbin/("other"); type = "ramdisk"; arch = "arm64"; os = "linux"; compression = "none"; };
  };
  configurations { default = "one"; one { kernel = "kernel"; fdt = "tree"; RAMDISK }; };
};
"""


@pytest.mark.parametrize("words", [[], ["-E"], ["-E", "-p", "0x4000"]], ids=["inside", "behind", "at a place"])
def test_a_fit(inputs: Path, words: List[str]) -> None:
    (inputs / "raw").write_bytes(CODE * 50)
    (inputs / "other").write_bytes(b"x" * 20)

    def fit(ramdisk: str = "", arch: str = "arm64") -> bytes:
        (inputs / "f.its").write_text(FIT.replace("RAMDISK", ramdisk).replace("ARCH", arch))
        return mkimage(inputs, *words, "-f", "f.its")

    image = fit()
    made = prepare(inputs, image, by="--bin", dtb="auto")
    assert made.status == 0 and made.memory[0x4100_0000] == (CODE * 50).ljust(256, b"\0"), made.said
    assert made.word("entry") == 0x4100_0004 and "hashes and signatures are not checked" in made.said
    for data, said in ((fit('ramdisk = "rd";'), "RAM disk"), (fit(arch="arm"), "is for arm, not arm64"),
                       (image[:-40], "cut short")):
        made = prepare(inputs, data, by="--bin", dtb="auto")
        assert made.status == 1 and (said in made.errors[0] or "truncated" in made.errors[0]), made.said


# --- hostile files ---------------------------------------------------------------------------------------------------

def outcome(data: bytes, load: Optional[int]) -> Tuple[Optional[kernel.Kernel], List[str]]:
    report = Report()
    reader = kernel.load_elf if data.startswith(b"\x7fELF") else kernel.load_binary
    return reader("k", data, kernel.Place(load, None), report), report.errors


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.lists(strategies.tuples(strategies.integers(0, 300), strategies.sampled_from(
    [0, 1, 0x40, 0x7f, 0x80, 0xff])), max_size=8), strategies.sampled_from([None, RAM, RAM + 0x1004, (1 << 64) - 1]))
def test_changed_bytes_are_a_kernel_inside_ram_or_one_complaint(changes: List[Tuple[int, int]], load: Optional[int]) -> None:
    legacy = b"\x27\x05\x19\x56" + bytes(300)
    for whole in (elf((RAM + 0x8_0000, RAM + 0x8_0000, CODE * 9, 99), (RAM + 0x9_0000, 0, CODE, 4)),
                  elf((0, 0, CODE * 9, 99), entry=0, kind=3), legacy, CODE * 80):
        data = bytearray(whole)
        for at, value in changes:
            data[at % len(data)] = value
        found, errors = outcome(bytes(data), load)
        assert (found is None) == (len(errors) == 1) and len(errors) <= 1
        taken = 0
        for part in found.parts if found else []:
            assert RAM <= part.base and part.base + len(part.data) <= RAM + 0x3000_0000 and part.base % 64 == 0
            assert part.base >= taken and len(part.data) % 64 == 0
            taken = part.base + len(part.data)
        assert taken == 0 or found is not None and len(found.parts) <= 7
