# SPDX-License-Identifier: Apache-2.0
"""Fetches Debian's packages for the Linux tests through the machine's own apt, and checks them against a pin."""
from __future__ import annotations

import fcntl
import hashlib
import json
import lzma
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

PINS = Path(__file__).resolve().with_name("artifacts.json")
INSTALLER, BUSYBOX = "debian-installer-12-netboot-arm64", "busybox-static"
KERNEL = "linux-image-6.1.0-50-arm64"      # packages of the installer, with modules that its initrd lacks
NEWEST_KERNEL, QEMU = "linux-image-arm64", "qemu-system-arm"   # of the suite's backports
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT_SECONDS = 900
DAY = 24 * 60 * 60              # seconds


class Unavailable(Exception):
    """A package cannot be had; the text has the reason."""


@dataclass(frozen=True)
class Package:
    """An unpacked package: the files that its pin names, by their last path component."""
    name: str
    files: Dict[str, Path]
    tested: bool                # the version and content that the pin records


def fetch(name: str, where: Path, foreign: bool = False) -> Package:
    """Downloads (unless `where` has it) and unpacks a package. `foreign`: an arm64 package on another machine."""
    pin = json.loads(PINS.read_text("utf-8"))[name]
    where.mkdir(parents=True, exist_ok=True)
    archives = sorted(where.glob(f"{name}_*.deb"))
    archive = next((path for path in archives if _sha256(path) == pin["sha256"]), None)
    if archive is None:
        options = _private_apt(where / "apt", "arm64") if foreign else []
        archive = _download(f"{name}={pin['version']}", where, options)
        if archive is None and not foreign:     # the machine's package lists may be old, or missing
            options = _private_apt(where / "apt-native")
            archive = _download(f"{name}={pin['version']}", where, options)
        archive = archive or _download(name, where, options, must=True)
    if archive is None:
        raise Unavailable(f"apt-get download {name} left no file in {where}")
    tree = where / name
    tested = _sha256(archive) == pin["sha256"]
    if not (tested and all(_is(tree / path, digest) for path, digest in pin["files"].items())):
        _unpack(archive, tree, lambda path: path in pin["files"])
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


def newest_kernel(where: Path, modules: Sequence[str]) -> Package:
    """The newest kernel that Debian has for this suite, backports included, with `modules` unpacked."""
    where.mkdir(parents=True, exist_ok=True)
    options = _private_apt(where / "apt-newest", "arm64", backports=True)
    meta = _download(NEWEST_KERNEL, where, options, must=True)
    name = _run(["dpkg-deb", "-f", str(meta), "Depends"]).split()[0]
    archive = next(iter(where.glob(f"{name}_*.deb")), None) or _download(name, where, options, must=True)
    assert archive is not None
    wanted = {module + packed for module in modules for packed in ("", ".xz")}
    tree = where / name
    _unpack(archive, tree, lambda path: path.startswith("boot/vmlinuz-") or path.split("/")[-1] in wanted)
    files = {path.name: path for path in tree.rglob("*.ko")}
    for path in tree.rglob("*.ko.xz"):
        path.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))
        files[path.stem] = path.with_suffix("")
    files["linux"] = next(tree.glob("boot/vmlinuz-*"))
    missing = [module for module in modules if module not in files]
    if missing:
        raise Unavailable(f"{archive.name} holds no {', '.join(missing)}")
    return Package(name, files, tested=False)


def newest_qemu(where: Path) -> Path:
    """The newest QEMU that Debian's backports have, looked for once a day: unpacked, not installed. Processes wait for
    each other here."""
    where.mkdir(parents=True, exist_ok=True)
    with open(where / "newest-qemu", "a+", encoding="utf-8") as found:
        fcntl.flock(found, fcntl.LOCK_EX)
        found.seek(0)
        program = Path(found.read())
        if not (program.is_file() and time.time() - os.fstat(found.fileno()).st_mtime < DAY):
            program = _newest_qemu(where)
            found.truncate(0)
            found.write(str(program))
    return program


def _newest_qemu(where: Path) -> Path:
    archive = _download(QEMU, where, _private_apt(where / "apt-qemu", backports=True), must=True)
    assert archive is not None
    tree = where / re.sub("[^A-Za-z0-9._+-]+", "-", archive.stem)      # make takes no other characters in QEMU=
    _unpack(archive, tree, lambda path: path == "usr/bin/qemu-system-aarch64")
    program = tree / "usr/bin/qemu-system-aarch64"
    program.chmod(0o755)
    _run([str(program), "--version"])
    return program


def _private_apt(state: Path, architecture: str = "", backports: bool = False) -> List[str]:
    """apt options for the machine's own sources, with fresh lists and without changing the machine's settings."""
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    state = state.resolve()
    options = [f"-oDir::State::lists={state / 'lists'}", f"-oDir::Cache={state / 'cache'}"]
    if architecture:
        options += [f"-oAPT::Architecture={architecture}", f"-oAPT::Architectures::={architecture}",
                    "-oDir::State::status=/dev/null"]
    if backports:
        suite, source = _backports()
        (state / "sources.list").write_text(source)
        options += [f"-oDir::Etc::sourcelist={state / 'sources.list'}", "-oDir::Etc::sourceparts=/dev/null",
                    f"-oAPT::Default-Release={suite}"]
    # An old list names files that the mirror no longer has.
    _run(["apt-get", *options, "-qq", "-oAPT::Update::Error-Mode=any", "update"])
    return options


def _backports() -> Tuple[str, str]:
    """The backports of the suite that this machine runs, where it has the suite itself from: name, sources.list."""
    suite = _run(["sh", "-c", '. /etc/os-release && echo "$VERSION_CODENAME"']).strip()
    rows = _run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)"]).splitlines()
    place = next((row.split()[2] for row in rows if row.startswith(f"Debian {suite} ")), None)
    if place is None:
        raise Unavailable(f"apt has no source of Debian's {suite!r}, so there is none to have backports from")
    trust = f" [signed-by={KEYRING}]" if KEYRING.is_file() else ""
    return f"{suite}-backports", "".join(f"deb{trust} {place} {name} main\n" for name in (suite, f"{suite}-backports"))


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


def _run(command: List[str], directory: Optional[str] = None) -> str:
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
    return run.stdout


def _unpack(archive: Path, tree: Path, wanted: Callable[[str], bool]) -> None:
    """Unpacks these files alone: a kernel package has thousands."""
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
                data = files.extractfile(member) if member.isfile() and wanted(name) else None
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


if __name__ == "__main__":
    try:
        print(newest_qemu(Path(sys.argv[1])))
    except Unavailable as error:
        sys.exit(f"artifacts: {error}")
