# SPDX-License-Identifier: Apache-2.0
"""The rooms of hv/README.md: every file is in one, includes run down, and symbols that run up are declared needs."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Dict, List, Set, Tuple

import pytest

from hvl_host import ROOT

PROTOTYPE = re.compile(r"^(?:extern )?\w[\w *]*?\b(\w+)\([^;{}]*\)[^;{}]*;$", re.M)
Symbols = Dict[str, Tuple[Set[str], Set[str]]]  # object -> symbols defined, symbols wanted


def listed(section: str) -> List[str]:
    """The names of a section's list in hv/README.md, in its order."""
    text = (ROOT / "hv/README.md").read_text(encoding="utf-8").split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^- `([\w./]+?)/?`: \S", text, re.M)


def sources(hv: Path) -> Dict[str, str]:
    return {str(path.relative_to(hv)): path.read_text(encoding="utf-8") for path in sorted(hv.rglob("*.[chS]"))}


def symbols(build: Path, names: Dict[str, str]) -> Symbols:
    """Symbols of every object that is made of one of `names`, by the name of its source."""
    found: Symbols = {}
    for name in names:
        path = build / Path(name).with_suffix(".o")
        if name.endswith(".h") or not path.exists():
            continue
        defined: Set[str] = set()
        wanted: Set[str] = set()
        for line in subprocess.run(["aarch64-linux-gnu-nm", str(path)], check=True, capture_output=True, text=True
                                   ).stdout.splitlines():
            *_, kind, symbol = line.split()
            (wanted if kind == "U" else defined).add(symbol)
        found[name] = defined, wanted
    return found


def complaints(texts: Dict[str, str], objects: Symbols, order: List[str], needs: List[str]) -> List[str]:
    floor = {room: at for at, room in enumerate(order)}
    out = [f"hv/README.md does not list the room of hv/{name}" for name in texts if name.split("/")[0] not in floor]
    stems = [Path(name).name for name in texts if not re.match(r"board/\w+/", name)]
    out += [f"hv/: {stem} stands in several rooms" for stem in sorted({s for s in stems if stems.count(s) > 1})]
    out += [f"hv/README.md: the need {need} is no header" for need in needs if need not in texts]
    level = {name: floor.get(name.split("/")[0], 0) for name in texts}
    for name, text in texts.items():
        for header in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.M):
            if "/" not in header and f"{name.split('/')[0]}/{header}" not in texts:
                continue                            # generated: build.h's, the guest's binary
            other = header if "/" in header else f"{name.split('/')[0]}/{header}"
            if other in texts and level[other] > level[name]:
                out.append(f"hv/{name} includes {other}: upward")
    where = {symbol: name for name, (defined, _) in objects.items() for symbol in defined}
    for name, text in texts.items():
        for symbol in sorted(set(PROTOTYPE.findall(text)) & set(where)) if name.endswith(".h") and name not in needs else ():
            if level[where[symbol]] > level[name]:
                out.append(f"hv/{name} declares {symbol} of {where[symbol]}: it belongs there, or is a need of hv/README.md")
    for name, (_, wanted) in objects.items():
        for symbol in sorted(wanted & set(where)):
            if level[where[symbol]] > level[name] and not any(
                    re.search(rf"\b{symbol}\b", texts[need]) for need in needs if level[need] <= level[name]):
                out.append(f"hv/{name} uses {symbol} of {where[symbol]}: no need of hv/README.md declares it")
    return out


def test_every_file_has_its_room_and_nothing_runs_up() -> None:
    texts = sources(ROOT / "hv")
    objects = symbols(ROOT / "build/hv", texts)
    assert len(objects) > 50, "run make first: the linker's symbols come from its objects"
    assert {name.split("/")[0] for name in texts} == set(listed("Rooms")), "rooms are folders"
    assert not complaints(texts, objects, listed("Rooms"), listed("Needs"))


@pytest.mark.parametrize("name, text, wanted, said", [
    ("lib/a.c", '#include "trap/t.h"', "", "hv/lib/a.c includes trap/t.h: upward"),
    ("attic/a.c", "", "", "does not list the room of hv/attic/a.c"),
    ("lib/t.h", "", "", "t.h stands in several rooms"),
    ("board/other/t.h", "", "", ""),
    ("lib/a.c", "", "act", "hv/lib/a.c uses act of trap/t.c: no need of hv/README.md declares it"),
    ("lib/a.c", "", "rescue", ""),
    ("lib/a.h", "void act(void);\nvoid other(int);", "", "hv/lib/a.h declares act of trap/t.c: it belongs there, or is a need"),
    ("trap/a.c", '#include "lib/need.h"', "act", ""),
])
def test_what_breaks_the_order_is_told(name: str, text: str, wanted: str, said: str) -> None:
    texts = {"lib/need.h": "void rescue(void);", "trap/t.h": "void act(void);", "trap/t.c": "", name: text}
    objects: Symbols = {"trap/t.c": ({"act", "rescue"}, set()), name: (set(), {wanted} - {""})}
    found = complaints(texts, objects, ["lib", "board", "trap"], ["lib/need.h"])
    assert len(found) == bool(said) and said in "".join(found), found
