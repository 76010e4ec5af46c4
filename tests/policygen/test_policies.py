# SPDX-License-Identifier: Apache-2.0
"""Good policies pass; bad ones get the complaints of their first lines (`# says: CODE PLACE WORDS`), and no others."""
from __future__ import annotations

import random
import re
from pathlib import Path
from typing import List, Tuple

import pytest

from policygen.language import entries, overlap
from policygen.language.actions import ActionReader
from policygen.language.claims import ClaimReader
from policygen.language.conditions import ConditionReader
from policygen.language.entries import EntryReader
from policygen.meaning import coherence, judge
from policygen.meaning.load import load_policy
from policygen.target.review import review
from policygen.text import codes, paths

HERE = Path(__file__).parent
BAD = sorted(path for path in (HERE / "bad").glob("*.yaml") if path.stem != "base")
GOOD = sorted((HERE / "good").glob("*.yaml")) + [HERE / "bad" / "base.yaml"]
SAYS = re.compile(r"# says: (PG\d\d\d) (\S+) (.*)")


def wanted(path: Path) -> List[Tuple[str, str, str]]:
    return [match.groups() for line in path.read_text(encoding="utf-8").splitlines()     # type: ignore[misc]
            if (match := SAYS.match(line))]


def said(path: Path) -> List[Tuple[str, str, str]]:
    found = []
    for item in review(str(path)).diags.sorted():
        if item.severity == "error":
            span = item.span
            own = span is not None and Path(span.file).name == path.name
            place = f"{span.line}:{span.col}" if span else "-"
            if span is not None and not own:
                place = f"{Path(span.file).name}:{place}"
            found.append((item.code, place, " | ".join((*item.helps, item.message))))
    return found


def agrees(path: Path) -> bool:
    want, got = wanted(path), said(path)
    return [w[:2] for w in want] == [g[:2] for g in got] and all(w[2] in g[2] for w, g in zip(want, got))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_policy_says_so(path: Path) -> None:
    want, got = wanted(path), said(path)
    assert want, "a bad policy says what it expects"
    assert [w[:2] for w in want] == [g[:2] for g in got], got
    for (_, _, words), (_, _, text) in zip(want, got):
        assert words in text


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_policy_passes(path: Path) -> None:
    assert said(path) == []


def test_the_smallest_policy_of_the_readme_passes(tmp_path: Path) -> None:
    readme = (HERE.parents[1] / "policy" / "README.md").read_text(encoding="utf-8")
    path = tmp_path / "tiny.yaml"
    path.write_text(readme.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert said(path) == []
    path.write_text(path.read_text(encoding="utf-8").replace(", pmu: hide", ""), encoding="utf-8")
    assert [code for code, _, _ in said(path)] == ["PG402"]


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_an_error_or_nothing_but_never_a_crash(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    text = (HERE.parents[1] / "policy" / "default.yaml").read_text(encoding="utf-8")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text))
        piece = chance.choice(["", ":", "{", "}", "[", "]", " ", "\n", "- ", "0x", "~", "'", "*", text[at:at + 9] * 2])
        text = text[:at] + piece + text[at + chance.randint(0, 6):]
    path = tmp_path / "damaged.yaml"
    path.write_text(text, encoding="utf-8")
    _, diags = load_policy(str(path))
    diags.render()
    for item in diags.items:
        assert item.span is not None, item


def test_every_code_is_provoked_and_has_a_page() -> None:
    provoked = {code for path in BAD for code, _, _ in wanted(path)}
    source = "".join(path.read_text(encoding="utf-8") for path in paths.PACKAGE.rglob("*.py")
                     if path.stem != "codes")
    used = set(re.findall(r'"(PG\d\d\d)"', source))
    assert used <= set(codes.CODES)
    # Notes, and codes that only a broken file or another process provokes (test_policygen_source.py). test_diff.py and
    # test_image.py provoke those of images and changes, test_strength.py those of flips.
    assert used - provoked <= {"PG500", "PG606", "PG002", "PG009", "PG502", "PG012", "PG013", "PG014", "PG605", "PG610",
                               "PG611", "PG612", "PG613", "PG614", "PG615"}


def _nothing(*_: object, **__: object) -> None:
    return None


# (where, text, replacement, the policy that must notice): each check, when switched off, is missed by the corpus.
FAULTS = [
    (overlap, "innermost", lambda together, direction: [], "ambiguous"),
    (overlap, "twins", _nothing, "twins"),
    (overlap, "report", _nothing, "dead-entry"),
    (coherence, "hidden_but_advertised", _nothing, "advertised-constant"),
    (coherence, "denied_but_advertised", _nothing, "advertised-denied"),
    (judge, "is_word", lambda decision, word: True, "test-fails"),
    (judge, "from_there", lambda claim, decision: True, "test-from"),
    (entries, "drops", lambda node: False, "drops-nothing"),
    (EntryReader, "place_window", lambda *_: True, "window-on-device"),
    (ActionReader, "fits", lambda *_: True, "raw-uart"),
    (ActionReader, "check_use", _nothing, "over-nothing"),
    (ConditionReader, "tells", lambda *_: True, "where-always"),
    (ConditionReader, "written", lambda *_: True, "where-of-a-read"),
    (ClaimReader, "less", lambda self, operation, target, node: target.ranges, "test-of-nothing"),
]


@pytest.mark.parametrize("where, what, fault, name", FAULTS, ids=[f"{what}" for _, what, _, _ in FAULTS])
def test_a_check_that_is_switched_off_is_missed(monkeypatch: pytest.MonkeyPatch, where: object, what: str,
                                                fault: object, name: str) -> None:
    path = HERE / "bad" / f"{name}.yaml"
    assert agrees(path)
    monkeypatch.setattr(where, what, fault)
    assert not agrees(path)
