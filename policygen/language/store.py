# SPDX-License-Identifier: Apache-2.0
"""Sources of policy files: the working tree, or a git revision, which brings its own facts about machines."""
from __future__ import annotations

import os
import re
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict, List, Optional

from policygen.text import paths
from policygen.text.diag import Diagnostics
from policygen.text.source import MAX_BYTES, Source, parse, read


PATH = re.compile(r"[A-Za-z0-9._/-]{1,200}\Z")
FACTS = ("arch", "platform")                        # folders of policy/
CODE = ("hv", "policygen", "linker", "Makefile")    # all else that has a part in what a guest gets
MAX_FACTS = 4 << 20


class Store:
    """The working tree."""

    def is_file(self, path: Path) -> bool:
        try:
            return path.is_file()
        except (OSError, ValueError):               # a path that is too long, or has a NUL or half a surrogate pair
            return False

    def tree(self, path: Path) -> Path:
        """The folder that a policy's parents must lie in: the project's, or else the policy's own."""
        here, root = Path(os.path.abspath(path)), paths.project_root()
        return root if _inside(here, root) else here.parent

    def leaves(self, path: Path, tree: Path) -> bool:
        """Whether the file behind this path is outside of that folder."""
        return not (_inside(Path(os.path.abspath(path)), tree) and _inside(path.resolve(), tree.resolve()))

    def read(self, path: Path, diags: Diagnostics) -> Optional[Source]:
        return read(path, self.display(path), diags)

    def stems(self, folder: Path) -> List[str]:
        """The policies in a folder, by name."""
        return sorted(path.stem for path in folder.glob("*.yaml"))

    def policy_dir(self) -> Path:
        return paths.policy_dir()

    def identity(self, path: Path) -> str:
        return str(path.resolve())

    def display(self, path: Path) -> str:
        return paths.display(path)


class Edited(Store):
    """The working tree, with other text in the place of one file."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text

    def read(self, path: Path, diags: Diagnostics) -> Optional[Source]:
        return parse(self.text.encode("utf-8"), self.display(path), diags) if path == self.path else \
            super().read(path, diags)


class Draft(Store):
    """The working tree with one more file, not yet on disk: a child of `parent`, in a folder of its own."""

    def __init__(self, parent: Path, name: str, text: str = "") -> None:
        self.parent, self.path, self.text = parent, parent.parent / "draft" / f"{name}.yaml", text

    def is_file(self, path: Path) -> bool:
        return path == self.path or super().is_file(Path(os.path.normpath(path)))

    def read(self, path: Path, diags: Diagnostics) -> Optional[Source]:
        return parse(self.text.encode("utf-8"), self.display(path), diags) if path == self.path else \
            super().read(Path(os.path.normpath(path)), diags)

    def tree(self, path: Path) -> Path:
        return super().tree(self.parent)


class Revision(Store):
    """A commit of the repository that the working directory is in; paths are relative to its top."""

    def __init__(self, revision: str, top: Path) -> None:
        self.revision, self.top = revision, top
        self.folders: Dict[str, List[str]] = {}
        self.unpacked: Optional["TemporaryDirectory[str]"] = None

    def files(self, folder: Path) -> List[str]:
        name = os.path.normpath(folder)
        if name not in self.folders:
            listed = _git(self.top, "ls-tree", "--name-only", "-z", f"{self.revision}:{'' if name == '.' else name}")
            self.folders[name] = [item for item in (listed or b"").decode("utf-8", "replace").split("\0") if item]
        return self.folders[name]

    def is_file(self, path: Path) -> bool:
        return path.name in self.files(path.parent)

    def read(self, path: Path, diags: Diagnostics) -> Optional[Source]:
        name = os.path.normpath(path)
        size = _git(self.top, "cat-file", "-s", f"{self.revision}:{name}")
        # Reads one byte more than parse() takes, so that it refuses an oversized file.
        data = b" " * (MAX_BYTES + 1) if size and int(size) > MAX_BYTES else \
            _git(self.top, "cat-file", "blob", f"{self.revision}:{name}")
        if data is None:
            diags.unreadable = True
            diags.error("PG001", None, f"cannot read {self.display(path)}")
            return None
        return parse(data, self.display(path), diags)

    def tree(self, path: Path) -> Path:
        return Path(".")

    def leaves(self, path: Path, tree: Path) -> bool:
        """Refuses links: git stores the path that they lead to, and it is not followed."""
        return os.path.isabs(path) or os.path.normpath(path).split(os.sep)[0] == ".."

    def stems(self, folder: Path) -> List[str]:
        return sorted(name[:-5] for name in self.files(folder) if name.endswith(".yaml"))

    def policy_dir(self) -> Path:
        return Path("policy")

    def identity(self, path: Path) -> str:
        return os.path.normpath(path)

    def display(self, path: Path) -> str:
        return f"{self.revision}:{os.path.normpath(path)}"

    def facts(self) -> str:
        """A folder with the commit's policy/arch and policy/platform, kept until the process ends; empty: the commit
        has none."""
        if self.unpacked is None:
            self.unpacked = TemporaryDirectory(prefix="policygen-")
            for part in FACTS:
                folder = Path(self.unpacked.name) / part
                folder.mkdir()
                for name in self.files(self.policy_dir() / part):
                    data = _git(self.top, "cat-file", "blob", f"{self.revision}:{self.policy_dir() / part / name}")
                    if data is not None and len(data) <= MAX_FACTS and PATH.match(name):
                        (folder / name).write_bytes(data)
        return self.unpacked.name if all(self.files(self.policy_dir() / part) for part in FACTS) else ""


def revision(text: str) -> Optional[Revision]:
    """The commit's hash, or None: no repository here, or no such commit in it."""
    here = paths.project_root()
    top = _git(here, "rev-parse", "--show-toplevel")
    if top is None or text.startswith("-") or _git(here, "rev-parse", "--verify", "-q", f"{text}^{{commit}}") is None:
        return None
    return _revision(text, Path(top.decode().strip()), _git(here, "rev-parse", f"{text}^{{commit}}") or b"")


@lru_cache(maxsize=None)
def _revision(text: str, top: Path, commit: bytes) -> Revision:
    """One Revision for each commit, by whichever name; a branch may move between two calls."""
    del commit
    return Revision(text, top)


def changed_code(old: Revision, new: Optional[Revision] = None) -> List[str]:
    """The project's files of CODE that differ between two commits, or between a commit and the tracked files of today."""
    command = ["diff-tree", "-r", old.revision, new.revision] if new is not None else ["diff-index", old.revision]
    listed = _git(paths.project_root(), *command, "--name-only", "--relative", "-z", "--", *CODE)
    return [item for item in (listed or b"").decode("utf-8", "replace").split("\0") if item]


def _inside(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _git(folder: Path, *words: str) -> Optional[bytes]:
    """Runs plumbing that reads objects: no hook, filter or helper of the repository is started."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, check=False,
                              env={**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"})
    except (OSError, ValueError):
        return None
    return done.stdout if done.returncode == 0 else None


def leads_out(path: Path, place: Store, diags: Diagnostics) -> bool:
    """Complains, and returns True, if the policy of this name is a link to a file outside of the tree."""
    if not place.leaves(path, place.tree(path)):
        return False
    diags.unreadable = True
    diags.error("PG123", None, f"{place.display(path)} is a link to a file outside of its tree",
                helps=["name the file that it leads to"])
    return True


def find(name: str, place: Store = Store()) -> Path:
    """policy/NAME.yaml, or the path itself if the name is one."""
    return Path(name) if "/" in name or name.endswith((".yaml", ".yml")) else place.policy_dir() / f"{name}.yaml"


def policy_names() -> List[str]:
    return sorted(path.stem for path in paths.policy_dir().glob("*.yaml"))
