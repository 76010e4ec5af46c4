#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds a small initramfs: a static busybox that runs commands and powers the machine off."""
from __future__ import annotations

import argparse
import gzip
import stat
import sys
from pathlib import Path
from typing import List, Sequence

PRELUDE = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec </dev/console >/dev/console 2>&1
"""
EPILOGUE = "\necho INIT-DONE\nexec poweroff -f\n"
DIRECTORIES = ("bin", "dev", "proc", "sys", "tmp", "mnt", "lib")


class Cpio:
    """A "newc" archive. Times, owners and inode numbers are fixed: the same input gives the same bytes."""

    def __init__(self) -> None:
        self._parts: List[bytes] = []
        self._entries = 0

    def add(self, name: str, mode: int, data: bytes = b"", device: Sequence[int] = (0, 0)) -> None:
        self._entries += 1
        path = name.encode("utf-8") + b"\0"
        fields = (self._entries, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._parts += [_padded(header + path), _padded(data)]

    def finish(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return b"".join(self._parts)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def build(busybox: bytes, commands: str, modules: Sequence[Path] = ()) -> bytes:
    """A gzipped archive whose /init loads `modules` in order, runs the shell text `commands` and powers off."""
    archive = Cpio()
    for name in DIRECTORIES:
        archive.add(name, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add("bin/busybox", stat.S_IFREG | 0o755, busybox)
    load = ""
    for module in modules:
        archive.add(f"lib/{module.name}", stat.S_IFREG | 0o644, module.read_bytes())
        load += f"insmod /lib/{module.name}\n"
    archive.add("init", stat.S_IFREG | 0o755, (PRELUDE + load + commands + EPILOGUE).encode("utf-8"))
    return gzip.compress(archive.finish(), compresslevel=6, mtime=0)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--busybox", type=Path, required=True, metavar="FILE", help="static arm64 busybox")
    parser.add_argument("--run", action="append", default=[], metavar="COMMAND", help="shell text; may be repeated")
    parser.add_argument("--module", action="append", type=Path, default=[], metavar="FILE", help="module to load")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(argv)
    try:
        options.out.write_bytes(build(options.busybox.read_bytes(), "\n".join(options.run), options.module))
    except OSError as error:
        print(f"initramfs: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
