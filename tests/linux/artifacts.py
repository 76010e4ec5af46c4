# SPDX-License-Identifier: Apache-2.0
"""Fetches Debian's arm64 files for the Linux tests through the machine's own apt, and checks them against a pin."""
from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, FrozenSet, List, Optional

PINS = Path(__file__).resolve().with_name("artifacts.json")
INSTALLER, BUSYBOX = "debian-installer-12-netboot-arm64", "busybox-static"
KERNEL = "linux-image-6.1.0-50-arm64"      # the installer's, with the modules that its initrd lacks
APT_SECONDS = 900


class Unavailable(Exception):
    """What was wanted cannot be had; the text says why."""


@dataclass(frozen=True)
class Package:
    """An unpacked package: the files that its pin names, by their last path component."""
    name: str
    files: Dict[str, Path]
    tested: bool                # it is the version and content that the pin records


def fetch(name: str, where: Path, foreign: bool = False) -> Package:
    """Downloads (unless `where` has it) and unpacks a package. `foreign`: an arm64 package on another machine."""
    pin = json.loads(PINS.read_text("utf-8"))[name]
    where.mkdir(parents=True, exist_ok=True)
    archives = sorted(where.glob(f"{name}_*.deb"))
    archive = next((path for path in archives if _sha256(path) == pin["sha256"]), None)
    if archive is None:
        options = _arm64_apt(where / "apt") if foreign else []
        archive = (_download(f"{name}={pin['version']}", where, options)
                   or _download(name, where, options, must=True))
    if archive is None:
        raise Unavailable(f"apt-get download {name} left no file in {where}")
    tree = where / name
    tested = _sha256(archive) == pin["sha256"]
    if not (tested and all(_is(tree / path, digest) for path, digest in pin["files"].items())):
        _unpack(archive, tree, frozenset(pin["files"]))
    if not tested:
        print(f"notice: {archive.name} is not the tested version {pin['version']}; going on with it", file=sys.stderr)
    files: Dict[str, Path] = {}
    for path, digest in pin["files"].items():
        file = tree / path
        if not file.is_file():
            raise Unavailable(f"{archive.name} holds no {path}")
        if tested and _sha256(file) != digest:
            raise Unavailable(f"{file}: not what {archive.name} should hold; remove {tree}")
        files[file.name] = file
    return Package(name, files, tested)


def _arm64_apt(state: Path) -> List[str]:
    """apt options for arm64 packages from the machine's own sources, without changing the machine's settings."""
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    state = state.resolve()
    options = ["-oAPT::Architecture=arm64", "-oAPT::Architectures::=arm64", f"-oDir::State::lists={state / 'lists'}",
               f"-oDir::Cache={state / 'cache'}", "-oDir::State::status=/dev/null"]
    # An old list names files that the mirror no longer has.
    _run(["apt-get", *options, "-qq", "-oAPT::Update::Error-Mode=any", "update"])
    return options


def _download(what: str, where: Path, options: List[str], must: bool = False) -> Optional[Path]:
    """A package file in `where`; None if there is none of that version (an error with `must`)."""
    with tempfile.TemporaryDirectory(dir=where) as scratch:
        try:
            _run(["apt-get", *options, "-qq", "download", what], scratch)
        except Unavailable:
            if must:
                raise
            return None
        found = next(iter(Path(scratch).glob("*.deb")), None)
        return found.rename(where / found.name) if found else None


def _run(command: List[str], directory: Optional[str] = None) -> None:
    try:
        run = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=APT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} did not end within {APT_SECONDS} s: does the mirror answer?") from None
    except OSError as error:
        raise Unavailable(f"{command[0]} cannot be run: {error.strerror}") from None
    if run.returncode:
        complaints = [line for line in run.stderr.splitlines() if line.startswith("E:")] or run.stderr.splitlines()
        hint = " (are the package lists there? apt-get update)" if "Unable to locate" in run.stderr else ""
        raise Unavailable(f"{' '.join(command[:1] + command[-2:])}: {' '.join(complaints)[:500]}{hint}")


def _unpack(archive: Path, tree: Path, wanted: FrozenSet[str]) -> None:
    """Those files alone: a kernel package has thousands."""
    with tempfile.TemporaryFile() as spool:
        try:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=spool, stdin=subprocess.DEVNULL,
                           timeout=APT_SECONDS, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise Unavailable(f"{archive} cannot be unpacked: {error}") from None
        spool.seek(0)
        with tarfile.open(fileobj=spool) as files:
            for member in files:
                name = member.name[2:] if member.name.startswith("./") else member.name
                data = files.extractfile(member) if name in wanted and member.isfile() else None
                if data is not None:
                    (tree / name).parent.mkdir(parents=True, exist_ok=True)
                    (tree / name).write_bytes(data.read())


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and _sha256(path) == digest


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
