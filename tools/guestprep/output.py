# SPDX-License-Identifier: Apache-2.0
"""The folder that a preparing tool fills: files for QEMU's loader, EL2's boot arguments, QEMU's words."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Sequence

from guestprep import layout
from guestprep.report import Report

ARGS = b"-device\nloader,file="     # how qemu.args begins


@dataclass(frozen=True)
class Loaded:
    """A file for the guest's memory."""
    name: str
    address: int            # IPA
    data: bytes


def boot_arguments(words: Sequence[str], log: str, unattended: bool, hv_init: Optional[str]) -> bytes:
    """EL2's boot arguments, none of which it trusts."""
    text = ["charter1", *words, f"log={log}"]
    if unattended:
        text.append("unattended=1")
    if hv_init:
        text.append(f'hv.init="{hv_init}"')
    return " ".join(text).encode("ascii") + b"\0"


def check(out: Path, names: Sequence[str], inputs: Sequence[Optional[str]], report: Report) -> None:
    """Only what an earlier run wrote, which are files of these names, is written over: an input, or somebody's Image and
    initrd, is not."""
    there = [out / name for name in [*names, "qemu.args"] if os.path.lexists(out / name)]
    for name in inputs:
        if name is not None and os.path.exists(name) and any(os.path.exists(path) and os.path.samefile(name, path)
                                                             for path in there):
            report.error(name, f"an input in {out}, where the result goes")
    args = out / "qemu.args"
    ours = args.is_file() and args.read_bytes()[:len(ARGS)] == ARGS
    if there and not ours:
        report.error(str(there[0]), "exists, and was not written here before; name another --out, or remove it")


def write(out: Path, names: Sequence[str], loaded: Sequence[Loaded], arguments: bytes, more: Sequence[str],
          report: Report, beside: Optional[Dict[str, bytes]] = None) -> None:
    """All files: those that are loaded, the boot arguments, those `beside`, and QEMU's words. Of `names`, those that are
    not written are what an earlier run left, and go."""
    if len(arguments) > layout.BOOTARGS_MAX:
        report.error("--hv-init", f"the boot arguments have {len(arguments)} bytes; EL2 reads {layout.BOOTARGS_MAX}")
        return
    places = {file.name: file.address + layout.BACKING for file in loaded}
    places["bootargs"] = layout.BOOTARGS_PA
    loaders = [f"-device\nloader,file={str(out / name).replace(',', ',,')},addr={place:#x},force-raw=on\n"
               for name, place in places.items()]
    words = "".join(loaders + [f"{word}\n" for word in more]).encode("utf-8", "surrogateescape")
    files = {**{file.name: file.data for file in loaded}, "bootargs": arguments, **(beside or {}), "qemu.args": words}
    gone: Dict[str, Optional[bytes]] = {name: None for name in names if name not in files}
    store(out, {**gone, **files}, report)


def store(out: Path, files: Dict[str, Optional[bytes]], report: Report) -> None:
    """Each file appears whole or not at all."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            if data is None:
                (out / name).unlink(missing_ok=True)
                continue
            scratch = out / f"{name}.new"
            scratch.write_bytes(data)
            os.replace(scratch, out / name)
    except OSError as error:
        report.error(str(error.filename or out), error.strerror or str(error))
