# SPDX-License-Identifier: Apache-2.0
"""Recognises a kernel or initrd file, unpacks it within bounds, checks the Image header."""
from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Optional, Tuple

from guestprep import layout, unpack
from guestprep.report import Report

HEADER_SIZE = 64
MAGIC_OFFSET, MAGIC = 56, b"ARM\x64"
MAX_UNPACKED = layout.DTB_IPA - layout.RAM_BASE
NO_16K_PAGES = ("cortex-a53", "cortex-a57", "cortex-a72")   # ID_AA64MMFR0_EL1.TGran16 = 0

FLAG_BIG_ENDIAN = 1 << 0
FLAG_ANYWHERE = 1 << 3          # any 2 MiB aligned base, or near the start of RAM: the guest's base is both
FLAGS_KNOWN = 0xf

# Files that are handed over in place of an Image: offset, bytes, their name, the way out.
NOT_AN_IMAGE: Tuple[Tuple[int, bytes, str, str], ...] = (
    (0, b"\x7fELF", "an ELF file (vmlinux)",
     "give arch/arm64/boot/Image of the same build, or another kernel to make run-guest GUEST_ELF="),
    (0, b"\xd0\x0d\xfe\xed", "a device tree or FIT image", "give the kernel's Image"),
    (0, b"\x27\x05\x19\x56", "a U-Boot legacy image", "take the payload out with dumpimage"),
    (36, b"\x18\x28\x6f\x01", "a 32-bit Arm zImage", "give a 64-bit kernel"),
    (514, b"HdrS", "an x86 bzImage", "give an arm64 kernel"),
    (257, b"ustar", "a tar archive", "unpack it first"),
    (0, b"!<arch>\n", "an ar archive (Debian package?)", "unpack it first: dpkg-deb -x"),
    (0, b"070701", "a cpio archive", "is it the initrd? Then give it as initrd"),
)

INITRD_FORMS: Tuple[Tuple[bytes, str], ...] = (
    (b"070701", "cpio"), (b"070702", "cpio"), (b"\x1f\x8b", "gzip"), (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\x02\x21\x4c\x18", "lz4"),
    (b"\x5d\x00\x00", "lzma"), (b"\x89LZO", "lzo"),
)


@dataclass(frozen=True)
class Image:
    """An arm64 Image whose header has been checked. `size`: the memory that it takes, with BSS."""
    data: bytes
    text_offset: int
    size: int
    flags: int

    @property
    def span(self) -> layout.Span:
        return layout.Span("Image", layout.RAM_BASE + self.text_offset, self.size)


def load_image(where: str, data: bytes, cpu: str, report: Report) -> Optional[Image]:
    """Reads a raw, packed or EFI-zboot kernel."""
    unpacked = unpacked_kernel(where, data, report)
    return _check_header(*unpacked, cpu, report) if unpacked else None


def unpacked_kernel(where: str, data: bytes, report: Report) -> Optional[Tuple[str, bytes]]:
    """Contents of a packed file or of an EFI zboot image, and a name for them."""
    form = unpack.form_of(data)
    if form is not None:
        data, complaint = form.unpack(data, MAX_UNPACKED)
        if complaint:
            report.error(where, complaint)
            return None
        where = f"{where} (unpacked)"
    if is_zboot(data):
        payload = _zboot_payload(where, data, report)
        return (f"{where} (unpacked)", payload) if payload is not None else None
    return where, data


def is_zboot(data: bytes) -> bool:
    """An EFI zboot image is a small EFI program around a packed Image (since Linux 6.1)."""
    return data[:2] == b"MZ" and data[4:8] == b"zimg"


def _zboot_payload(where: str, data: bytes, report: Report) -> Optional[bytes]:
    if len(data) < HEADER_SIZE:
        report.error(where, f"EFI zboot image of {len(data)} bytes, less than its header of {HEADER_SIZE}")
        return None
    offset, size = struct.unpack_from("<II", data, 8)
    if offset < HEADER_SIZE or offset + size > len(data):
        report.error(where, f"EFI zboot image: its payload {offset:#x}..{offset + size:#x} lies outside "
                            f"the file of {len(data):#x} bytes")
        return None
    payload = data[offset:offset + size]
    form = unpack.form_of(payload)
    if form is None:
        packing = data[24:56].split(b"\0")[0].decode("ascii", "replace")
        known = ", ".join(dict.fromkeys(form.name for form in unpack.FORMS))
        report.error(where, f"EFI zboot image with a {packing!r} payload, and only {known} are unpacked here; the Image "
                            f"inside: tail -c +{offset + 1} | head -c {size}, then unpack that")
        return None
    # All but gzip have the size of what is packed behind it (cmd_*_with_size of the kernel's build).
    plain, complaint = form.unpack(payload if form.name == "gzip" else payload[:-4], MAX_UNPACKED)
    if complaint:
        report.error(where, f"EFI zboot image: {complaint}")
        return None
    return plain


def is_image(data: bytes) -> bool:
    """Whether there is the header of an arm64 Image."""
    return data[MAGIC_OFFSET:HEADER_SIZE - 4] == MAGIC


def _check_header(where: str, data: bytes, cpu: str, report: Report) -> Optional[Image]:
    if not is_image(data):
        report.error(where, _what_it_is(data))
        return None
    if len(data) < HEADER_SIZE:
        report.error(where, f"{len(data)} bytes, less than the Image header of {HEADER_SIZE}")
        return None
    text_offset, image_size, flags = struct.unpack_from("<QQQ", data, 8)
    before = len(report.errors)
    if image_size == 0:
        # Then text_offset and flags mean nothing either, and such a kernel cannot use the addresses that it gets.
        report.error(where, "image_size is 0 in the header: a kernel before Linux 3.17, which has no GICv3 driver")
    elif flags & FLAG_BIG_ENDIAN:
        report.error(where, "big-endian kernel (flags bit 0); the hypervisor serves little-endian guests only")
    else:
        if text_offset % 0x1000:
            report.error(where, f"text_offset {text_offset:#x} is not a multiple of 4 KiB")
        if image_size < len(data):
            report.error(where, f"the header's image_size {image_size:#x} is less than the file's {len(data):#x} bytes")
        need = _file_size_by_pe_header(data)
        if need > len(data):
            report.error(where, f"truncated: {len(data):#x} bytes, and its section table needs {need:#x}")
        if flags >> 1 & 3 == 2 and cpu in NO_16K_PAGES:
            report.error(where, f"kernel with 16 KiB pages (flags {flags:#x}), which {cpu} does not have")
        if flags & ~FLAGS_KNOWN:
            report.notice(where, f"unknown bits in the header's flags {flags:#x} are ignored")
    if len(report.errors) > before:
        return None
    return Image(data, text_offset, image_size, flags)


def _what_it_is(data: bytes) -> str:
    for offset, magic, what, remedy in NOT_AN_IMAGE:
        if data[offset:offset + len(magic)] == magic:
            return f"{what}, not an arm64 Image; {remedy}"
    found = data[MAGIC_OFFSET:HEADER_SIZE - 4].hex() or "nothing"
    return f"not an arm64 Image: at offset {MAGIC_OFFSET} is {found}, not {MAGIC.hex()} (file of {len(data)} bytes)"


def _file_size_by_pe_header(data: bytes) -> int:
    """The end of the last section in the EFI stub's PE header; 0 without a header. Shows an incomplete download."""
    if data[:2] != b"MZ":
        return 0
    header = int(struct.unpack_from("<I", data, 60)[0])
    if data[header:header + 4] != b"PE\0\0" or header + 24 > len(data):
        return 0
    count, = struct.unpack_from("<H", data, header + 6)
    optional, = struct.unpack_from("<H", data, header + 20)
    need = 0
    for index in range(count):
        at: int = header + 24 + optional + index * 40
        if at + 40 > len(data):
            return at + 40
        size, offset = struct.unpack_from("<II", data, at + 16)
        need = max(need, offset + size)
    return need


def check_initrd(where: str, data: bytes, report: Report) -> None:
    """Warns of an initrd that no kernel can use; its content is not looked at otherwise."""
    if not data:
        report.error(where, "the initrd is empty")
        return
    if data.startswith(b"\x27\x05\x19\x56"):
        report.error(where, "a U-Boot legacy image, which the kernel cannot unpack; see dumpimage")
        return
    if is_image(data):
        report.error(where, "this is an arm64 Image, not an initrd")
        return
    if not any(data.startswith(magic) for magic, _ in INITRD_FORMS):
        report.notice(where, f"initrd of unknown form ({data[:6].hex()}...); the kernel may refuse it")
