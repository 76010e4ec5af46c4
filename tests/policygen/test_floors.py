# SPDX-License-Identifier: Apache-2.0
"""The rooms of policygen/README.md: every module is in one of them, and imports run downward."""
from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Dict, Iterator, List, Set

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP = ("__init__", "__main__")          # modules of the package itself, above every room
Imports = Dict[str, Set[str]]           # module -> modules of policygen that it imports: "language.check"


def rooms() -> List[str]:
    """From the ground, as the README lists them."""
    return re.findall(r"^- `(\w+)/`: \S", (ROOT / "policygen" / "README.md").read_text(encoding="utf-8"), re.M)


def sources(package: Path) -> Dict[str, str]:
    """Every module's text by its name without the package's: `language.check`."""
    return {".".join(path.relative_to(package).with_suffix("").parts): path.read_text(encoding="utf-8")
            for path in sorted(package.rglob("*.py"))}


def imported(text: str, modules: Set[str]) -> Iterator[str]:
    """Modules of policygen that a text imports, at any place."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in (name for name in names if name.split(".")[0] == "policygen"):
            parts = name.split(".")[1:]
            while parts and ".".join(parts) not in modules:
                parts.pop()
            yield ".".join(parts) if parts else "__init__"


def complaints(texts: Dict[str, str], order: List[str]) -> List[str]:
    """Complaints about modules (name -> text) in rooms of this order."""
    imports: Imports = {name: set(imported(text, set(texts))) - {name} for name, text in texts.items()}
    out = []
    floor = {room: at for at, room in enumerate(order)}
    for name in texts:
        room = name.split(".")[0]
        if "." not in name and name not in TOP:
            out.append(f"policygen/{name}.py is in no room")
        elif "." in name and room not in floor:
            out.append(f"policygen/README.md does not list the room of policygen/{name.replace('.', '/')}.py")
    level = {name: floor.get(name.split(".")[0], len(order)) for name in texts}
    out += [f"{name} imports {other}: upward" for name, others in imports.items() for other in sorted(others)
            if level[other] > level[name]]
    return out + [f"a circle: {' -> '.join(circle)}" for circle in circles(imports)]


def circles(imports: Imports) -> Iterator[List[str]]:
    """Circles of imports, each once."""
    done: Set[str] = set()

    def follow(name: str, way: List[str]) -> Iterator[List[str]]:
        if name in way:
            yield [*way[way.index(name):], name]
        elif name not in done:
            done.add(name)
            for other in sorted(imports[name]):
                yield from follow(other, [*way, name])
    for name in sorted(imports):
        yield from follow(name, [])


def test_every_module_has_its_room_and_no_import_runs_up() -> None:
    texts, order = sources(ROOT / "policygen"), rooms()
    assert {name.split(".")[0] for name in texts if "." in name} == set(order), "rooms are folders"
    assert not complaints(texts, order)


@pytest.mark.parametrize("name, text, said", [
    ("text.diag", "from policygen.language import schema", "text.diag imports language.schema: upward"),
    ("text.diag", "def f():\n    import policygen.language.schema", "upward"),
    ("attic.dust", "", "does not list the room of policygen/attic/dust.py"),
    ("dust", "", "policygen/dust.py is in no room"),
    ("language.schema", "from policygen.language.model import Policy", "a circle: language.model -> language.schema"),
])
def test_what_breaks_the_order_is_told(name: str, text: str, said: str) -> None:
    texts = {"text.words": "", "language.schema": "from policygen.text import words",
             "language.model": "from policygen.language import schema", name: text}
    found = complaints(texts, ["text", "language"])
    assert len(found) == 1 and said in found[0], found
