# SPDX-License-Identifier: Apache-2.0
"""The folder of a recording, and the machine that it describes: data, of which nothing is run as it stands.

`machine.json` is a list of QEMU's options and their values, of the few kinds in _GRAMMAR; the QEMU to run, and all file
names, come from here. QEMU and gdb are started inside the folder, so that its own name is in no command.
"""
from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
from pathlib import Path
from typing import Any, List

from guestprep.layout import BOOTARGS_PA
from hvl.escape import terminal
from hvl.files import UsageError, read_all

IMAGE, BOOTARGS, LOG, EVENTS, MACHINE = "hypervisor.elf", "bootargs", "uart.log", "rr.bin", "machine.json"
_INPUTS = (IMAGE, BOOTARGS, LOG, EVENTS, MACHINE)
_GRAMMAR = {
    "-M": re.compile(r"virt(,(virtualization|secure|mte|highmem|gic-version)=[a-z0-9]{1,8}){0,8}"),
    "-cpu": re.compile(r"[a-z0-9][a-z0-9.-]{0,31}(,[a-z0-9][a-z0-9_.-]{0,31}=[a-z0-9]{1,8}){0,64}"),
    "-smp": re.compile(r"[1-8]"),
    "-m": re.compile(r"[1-9][0-9]{0,3}[MG]"),
}
_QUIET = ["-display", "none", "-monitor", "none", "-nic", "none"]


def options(where: str, words: Any) -> List[str]:
    """The machine's options, if all are of the known kinds."""
    if not isinstance(words, list) or len(words) % 2 or not all(isinstance(word, str) for word in words):
        raise UsageError(f"{terminal(where)}: not a list of QEMU's options and their values")
    for option, value in zip(words[::2], words[1::2]):
        form = _GRAMMAR.get(option)
        if form is None or not form.fullmatch(value):
            raise UsageError(f"{terminal(where)}: '{terminal(option[:40])} {terminal(value[:80])}' is no option that "
                             f"describes a machine (known are {', '.join(_GRAMMAR)})")
    if len(set(words[::2])) * 2 != len(words):
        raise UsageError(f"{terminal(where)}: an option stands twice")
    return words


def parse(text: str) -> List[str]:
    """The same from a command line."""
    try:
        return options("--machine", shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--machine: {error}") from None


def described(folder: Path) -> List[str]:
    """The machine of a recording, with its image and boot arguments; the caller adds a console and -icount."""
    name = str(folder / MACHINE)
    try:
        words = json.loads(read_all(name, 1 << 16, "a machine"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{terminal(name)}: not JSON ({error})") from None
    return [*options(name, words), *_QUIET, "-kernel", IMAGE,
            "-device", f"loader,file={BOOTARGS},addr={BOOTARGS_PA:#x},force-raw=on"]


def check(folder: Path) -> None:
    """Checks that every file exists, and none is a link: a tool must not read files that the recording names."""
    for name in _INPUTS:
        try:
            if not stat.S_ISREG(os.lstat(folder / name).st_mode):
                raise UsageError(f"{terminal(str(folder / name))}: not a regular file")
        except FileNotFoundError:
            raise UsageError(f"{terminal(str(folder))}: no recording ({name} is missing); `make record` makes one"
                             ) from None


def make_way(folder: Path, *names: str) -> None:
    """For files that a replay writes: removes those of an older one; a link must not lead out of the folder."""
    for name in names:
        (folder / name).unlink(missing_ok=True)


def program(name: str, package: str) -> str:
    """The path of a program that is started in another folder."""
    found = shutil.which(name)
    if found is None:
        raise UsageError(f"{terminal(name)} is missing: run make setup (Debian package {package})")
    found = os.path.abspath(found)
    if not found.isprintable():
        raise UsageError(f"{terminal(found)}: a name that no command can hold")
    return found
