# SPDX-License-Identifier: Apache-2.0
"""A kernel that is no Linux Image: an ELF file, a raw binary or an image of U-Boot's, as bytes at guest addresses.

The rules are those of `qemu-system-aarch64 -kernel`, so that a kernel that runs there runs here.
"""
from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import List, Optional, Tuple

from guestprep import image, layout, uboot, unpack
from guestprep.report import Report
from policygen.text.elf import Elf, Segment

RAW_OFFSET = 0x8_0000           # from the start of RAM: where QEMU puts what says nothing of itself
UNIT = 64                       # EL2 clears memory in such pieces: parts begin and end with one
MAX_GAP = 0x1_0000              # between segments, to be filled rather than made a part of
MAX_PARTS = 7                   # EL2 takes 8; one is the DTB
MAX_FILLED = 64 << 20           # bytes of gaps, when there are more parts than that

ELF_MAGIC = b"\x7fELF"
AARCH64, DYN, EXEC = 183, 3, 2
MACHINES = {3: "a 32-bit x86", 62: "an x86-64", 40: "a 32-bit Arm", 243: "a RISC-V", 8: "a MIPS", 20: "a PowerPC",
            21: "a PowerPC", 22: "an s390", 258: "a LoongArch"}

# Places at which other machines link their kernels: base, end, machine.
ELSEWHERE: Tuple[Tuple[int, int, str], ...] = (
    (0x0000_0000, 0x0000_1000, "a program for flash or position-independent"),
    (0x0008_0000, 0x0010_0000, "a Raspberry Pi kernel"),
    (0x0020_0000, 0x0020_1000, "a Raspberry Pi kernel"),
    (0x0040_0000, 0x0041_0000, "a program for Linux"),
    (0x0e00_0000, 0x0f00_0000, "an EL3 payload (TF-A), for secure memory"),
    (0x8000_0000, 0xc000_0000, "a kernel for a board whose RAM begins at 0x80000000"),
    (1 << 63, 1 << 64, "at virtual addresses alone"),
)

# Raw files that are something else: offset, bytes, what it is, what to do.
NOT_RAW: Tuple[Tuple[int, bytes, str, str], ...] = (
    (0, b"\x01\x00\x64\xaa", "a firmware package of TF-A", "that runs at EL3, and a guest at EL1: give what it would start"),
    (0x4_0000, b"\x01\x00\x64\xaa", "TF-A for flash", "that runs at EL3, and a guest at EL1: give what it would start"),
    (0x28, b"_FVH", "UEFI firmware for flash", "no guest has flash: give what it would start"),
    (0x1028, b"_FVH", "UEFI firmware for flash", "no guest has flash: give what it would start"),
    (0, b"OPTE", "OP-TEE", "that runs in the secure world, where no guest is"),
    (36, b"\x18\x28\x6f\x01", "a 32-bit Arm zImage", "give a 64-bit kernel"),
    (514, b"HdrS", "an x86 bzImage", "give an arm64 kernel"),
    (257, b"ustar", "a tar archive", "unpack it first"),
    (0, b"!<arch>\n", "an ar archive", "unpack it first"),
    (0, b"070701", "a cpio archive", "it is an initrd, and no kernel"),
    (0, b"S0", "text of S-records", "make it binary first: objcopy -I srec -O binary"),
    (0, b":10", "text in Intel's hexadecimal form", "make it binary first: objcopy -I ihex -O binary"),
)


@dataclass(frozen=True)
class Part:
    """Bytes at a guest address, a multiple of UNIT; their number is one, too."""
    base: int
    data: bytes


@dataclass
class Kernel:
    parts: List[Part]
    spans: List[layout.Span]        # all that it occupies: also what is zero, and in no part
    entry: int                      # IPA
    takes_dtb: bool                 # x0 is the DTB's address, as QEMU has it for what is no ELF file
    tree: Optional[bytes] = None    # a DTB that came with it
    notes: List[str] = field(default_factory=list)


def in_units(span: layout.Span) -> layout.Span:
    """The span and the units that it touches: nothing else may lie there, since EL2 clears memory in units."""
    base = span.base & -UNIT
    return layout.Span(span.what, base, (span.end + UNIT - 1 & -UNIT) - base)


@dataclass(frozen=True)
class Place:
    """Where a person wants it; None: where it says, or where QEMU would put it."""
    load: Optional[int]
    entry: Optional[int]


def load_elf(where: str, data: bytes, place: Place, report: Report) -> Optional[Kernel]:
    """A kernel by the program headers of its ELF file."""
    problem = _not_an_elf(data)
    if problem:
        report.error(where, problem)
        return None
    try:
        file = Elf(data)
        segments = file.segments(empty=True)
        interpreted = next(file.file.iter_segments("PT_INTERP"), None) is not None
    except ValueError as error:
        report.error(where, str(error))
        return None
    kind, entry = struct.unpack_from("<H", data, 16)[0], struct.unpack_from("<Q", data, 24)[0]
    wrong = _wrong_segments(segments) or ("a program for Linux, not a kernel: it names a dynamic loader" if interpreted else "")
    if not wrong and kind == EXEC and place.load is not None:
        wrong = "not position-independent: it lies where it is linked; GUEST_LOAD= is for a PIE or a raw binary"
    if wrong:
        report.error(where, wrong)
        return None
    notes: List[str] = []
    placed = _placed(kind, segments if kind == DYN else _kernels_own(segments, file, notes), place)
    if isinstance(placed, str):
        report.error(where, placed)
        return None
    pieces = sorted((address, part) for address, part in placed)
    spans = [layout.Span(f"segment {number} of {where}", address, part.memory)
             for number, (address, part) in enumerate(pieces, 1)]
    for clash in layout.clashes(spans)[:1]:
        report.error("layout", clash)
        return None
    starts = [address + entry - part.virtual for address, part in placed
              if part.virtual <= entry < part.virtual + part.memory]
    if place.entry is None and not starts:
        report.error(where, f"its entry {entry:#x} lies in none of its segments: give GUEST_ENTRY=, or name the symbol in "
                            "ENTRY() of the linker script")
        return None
    files = [(address, data[part.offset:part.offset + part.size]) for address, part in pieces if part.size]
    parts = _parts(where, files, report)
    return Kernel(parts, spans, place.entry if place.entry is not None else starts[0], False, notes=notes) if parts else None


def _not_an_elf(data: bytes) -> str:
    """Why `data` is no 64-bit little-endian ELF file for AArch64; empty if it is."""
    if not data:
        return "the file is empty"
    if image.is_image(data) or image.is_zboot(data):
        return "an arm64 Image, not an ELF file: make run-linux LINUX_IMAGE="
    if not data.startswith(ELF_MAGIC):
        form = unpack.form_of(data)
        if form is not None:
            return f"{form.name}-compressed, not an ELF file; unpack it first"
        return f"not an ELF file (it begins with {data[:4].hex()}): a raw binary is GUEST_BIN= with GUEST_LOAD="
    if len(data) < 64:
        return f"{len(data)} bytes, less than an ELF header: cut short"
    order = "<" if data[5] == 1 else ">"
    kind, machine = struct.unpack_from(f"{order}HH", data, 16)
    if machine in MACHINES:
        return f"{MACHINES[machine]} program, and the machine is AArch64: use the compiler aarch64-linux-gnu-gcc"
    if data[4] != 2:
        return "a 32-bit ELF file: compile for AArch64, without -mabi=ilp32"
    if data[5] != 1:
        return "a big-endian ELF file; the hypervisor serves little-endian guests only: compile with -mlittle-endian"
    if machine != AARCH64:
        return f"an ELF file for another machine (e_machine {machine}), and this one is AArch64"
    if kind == 1:
        return "an object file that is not linked: link it, at 0x40080000 say (ld -Ttext=0x40080000)"
    if kind not in (EXEC, DYN):
        return f"an ELF file of type {kind}, not a program"
    return ""


def _wrong_segments(segments: List[Segment]) -> str:
    if not segments:
        return "it has no segment that is loaded (PT_LOAD)"
    for part in segments:
        if part.size > part.memory:
            return f"its segment at {part.address:#x} has {part.size:#x} bytes in the file, {part.memory:#x} in memory: damaged"
        if max(part.address, part.virtual) + part.memory > 1 << 64:
            return f"its segment at {part.address:#x} goes beyond the last address: damaged"
    return ""


def _kernels_own(segments: List[Segment], file: Elf, notes: List[str]) -> List[Segment]:
    """The segments, less what a linker puts before RAM and no kernel there could read: the file's own headers, a page of
    64 KiB in front of the text, and its notes (a build ID)."""
    table, = struct.unpack_from("<Q", file.data, 32)
    count, = struct.unpack_from("<H", file.data, 56)
    idle = [(0, table + 56 * count)] + [(note["p_offset"], note["p_filesz"]) for note in file.file.iter_segments("PT_NOTE")]
    data = bytearray(file.data)
    for offset, size in idle:
        data[offset:offset + size] = bytes(len(data[offset:offset + size]))
    out = []
    for part in segments:
        cut = part.size - len(data[part.offset:part.offset + part.size].lstrip(b"\0"))
        if not cut or part.address >= layout.RAM_BASE or layout.RAM_BASE <= part.virtual < layout.RAM_END:
            out.append(part)
        elif cut == part.memory:
            notes.append(f"left out: {part.memory} bytes of headers and notes at {part.address:#x}, outside guest RAM")
        else:
            cut = min(cut & -4, layout.RAM_BASE - part.address)
            out.append(Segment(part.address + cut, part.offset + cut, part.size - cut, part.virtual + cut, part.memory - cut))
    return out


def _placed(kind: int, segments: List[Segment], place: Place) -> "List[Tuple[int, Segment]] | str":
    """Each segment with its guest address: the physical one if all of those are in RAM, else the virtual one."""
    if kind == DYN:
        lowest = min(part.virtual for part in segments) & -0x1000
        base = place.load if place.load is not None else \
            lowest if lowest >= layout.RAM_BASE else layout.RAM_BASE + RAW_OFFSET
        return [(part.virtual - lowest + base, part) for part in segments]
    for addresses in ([part.address for part in segments], [part.virtual for part in segments]):
        if all(layout.Span("", at, part.memory).inside(layout.RAM_BASE, layout.RAM_END)
               for at, part in zip(addresses, segments)):
            return list(zip(addresses, segments))
    part = next(part for part in segments if not layout.Span("", part.address, part.memory).inside(
        layout.RAM_BASE, layout.RAM_END))
    return _elsewhere(part)


def _elsewhere(part: Segment) -> str:
    at = part.address
    ram = f"guest RAM {layout.RAM_BASE:#x}..{layout.RAM_END:#x}"
    if layout.RAM_BASE <= at < layout.RAM_END:
        return f"its segment at {at:#x} needs {part.memory:#x} bytes and ends beyond {ram}"
    what = next((f": {what}" for base, end, what in ELSEWHERE if base <= at < end), "")
    if at >> 63:
        return (f"linked at {at:#x}{what}, outside {ram}; of Linux, give the Image to make run-linux; else give the segments "
                "physical addresses (AT() in the linker script)")
    return f"linked at {at:#x}{what}, outside {ram}; link it at {layout.RAM_BASE + RAW_OFFSET:#x}"


def _parts(where: str, files: List[Tuple[int, bytes]], report: Report) -> List[Part]:
    """Units of memory, neighbours in one part; `files` are in the order of their addresses and apart."""
    runs: List[List[Tuple[int, bytes]]] = []
    for address, data in files:
        if runs and address - _end(runs[-1]) < MAX_GAP:
            runs[-1].append((address, data))
        else:
            runs.append([(address, data)])
    filled = 0
    while len(runs) > MAX_PARTS:
        gaps = [runs[at + 1][0][0] - _end(runs[at]) for at in range(len(runs) - 1)]
        at = gaps.index(min(gaps))
        filled += gaps[at]
        runs[at:at + 2] = [runs[at] + runs[at + 1]]
    if filled > MAX_FILLED:
        report.error(where, f"its segments lie in more than {MAX_PARTS} places that are far apart; link them together")
        return []
    parts = []
    for run in runs:
        base, end = run[0][0] & -UNIT, (_end(run) + UNIT - 1) & -UNIT
        memory = bytearray(end - base)
        for address, data in run:
            memory[address - base:address - base + len(data)] = data
        parts.append(Part(base, bytes(memory)))
    if not parts:
        report.error(where, "all of it is zero: there is nothing to run")
    return parts


def _end(run: List[Tuple[int, bytes]]) -> int:
    return run[-1][0] + len(run[-1][1])


def load_binary(where: str, data: bytes, place: Place, report: Report) -> Optional[Kernel]:
    """A raw binary, packed or not, or U-Boot's legacy or FIT image."""
    if not data:
        report.error(where, "the file is empty")
        return None
    if image.is_zboot(data):
        report.error(where, "an EFI zboot image of Linux: make run-linux LINUX_IMAGE=")
        return None
    form = unpack.form_of(data)
    if form is not None:
        data, complaint = form.unpack(data, layout.RAM_SIZE)
        if complaint:
            report.error(where, complaint)
            return None
        where = f"{where} (unpacked)"
    found = uboot.Payload(data, None, None)
    if uboot.is_legacy(data) or uboot.is_fit(data):
        payload = (uboot.legacy if uboot.is_legacy(data) else uboot.fit)(where, data, report)
        if payload is None:
            return None
        found, where = payload, f"{where} (its payload)"
    problem = _not_raw(found.data)
    if problem:
        report.error(where, problem)
        return None
    base = next(at for at in (place.load, found.load, layout.RAM_BASE + RAW_OFFSET) if at is not None)
    span = layout.Span(where, base, len(found.data))
    for clash in layout.clashes([span]):
        report.error("layout", f"{clash}; give another GUEST_LOAD=")
        return None
    entry = next(at for at in (place.entry, None if place.load is not None else found.entry, base) if at is not None)
    parts = _parts(where, [(base, found.data)], report)
    return Kernel(parts, [span], entry, True, found.tree, found.notes) if parts else None


def _not_raw(data: bytes) -> str:
    if data.startswith(ELF_MAGIC):
        return "an ELF file, not a raw binary: GUEST_ELF="
    if image.is_image(data):
        return "an arm64 Image, which says itself where it goes: make run-linux LINUX_IMAGE="
    return next((f"{what}; {remedy}" for offset, magic, what, remedy in NOT_RAW
                 if data[offset:offset + len(magic)] == magic), "")
