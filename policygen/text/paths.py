# SPDX-License-Identifier: Apache-2.0
"""Places of files, and their names in output, which are never absolute paths."""
from __future__ import annotations

import os
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Iterator, List

from policygen.text.escape import printable

PACKAGE = Path(__file__).resolve().parents[1]


def project_root() -> Path:
    """The clone that this package belongs to; for an installed package, the working directory."""
    clone = PACKAGE.parent
    return clone if (clone / "policy" / "platform").is_dir() else Path.cwd()


_FACTS: List[Path] = []             # innermost last: see facts_from()


def facts_dir() -> Path:
    """The folder with arch/ and platform/: the clone's, else the copy installed with the package; inside of
    facts_from(), a revision's."""
    return _FACTS[-1] if _FACTS else _own_facts(PACKAGE)


@contextmanager
def facts_from(folder: str) -> Iterator[None]:
    """Facts are read from this folder inside the `with`; empty: no change."""
    _FACTS.append(Path(folder) if folder else facts_dir())
    try:
        yield
    finally:
        _FACTS.pop()


@lru_cache(maxsize=None)
def _own_facts(package: Path) -> Path:
    clone = package.parent / "policy"
    return clone if (clone / "platform").is_dir() else package / "installed"


def header(name: str = "policy/policy.h") -> Path:
    """hv/policy/policy.h of the clone, else the copy installed with the package."""
    clone = PACKAGE.parent / "hv" / name
    return clone if clone.is_file() else PACKAGE / "installed" / "hv" / clone.name


def policy_dir() -> Path:
    return project_root() / "policy"


def display(path: Path) -> str:
    """Relative to the project root, or to the working directory when outside of it."""
    resolved = Path(os.path.abspath(path))
    for base in (project_root(), PACKAGE):
        try:
            return printable(resolved.relative_to(base).as_posix())
        except ValueError:
            continue
    return printable(Path(os.path.relpath(resolved)).as_posix())


def shown(name: str) -> str:
    """A policy argument, with an absolute path in it shortened."""
    return display(Path(name)) if "/" in name and ":" not in name else printable(name)
