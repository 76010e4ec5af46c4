# SPDX-License-Identifier: Apache-2.0
"""`policygen test --strength`: what it calls noticed is noticed, what it suggests works, the profiles are complete."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from policygen.__main__ import main
from policygen.language import store
from policygen.language.model import Policy
from policygen.meaning import strength
from policygen.meaning.judge import judge
from policygen.meaning.load import load_policy
from policygen.text.diag import Diagnostics

ROOT = Path(__file__).resolve().parents[2]
GOOD = [str(path) for path in sorted((Path(__file__).parent / "good").glob("*.yaml"))]


def loaded(name: str) -> Policy:
    policy, diags = load_policy(name, mode="enforce")
    assert policy is not None, diags.render()
    return policy


@pytest.mark.parametrize("name", store.policy_names())
def test_shipped_profiles_notice_every_flip(name: str) -> None:
    found = strength.measure(loaded(name))
    assert found.percent == 100 and found.flips > 60 and not found.unreachable, strength.report(name, found)


@pytest.mark.parametrize("name", GOOD[:1] + ["permissive"])
def test_what_is_noticed_fails_and_what_survives_passes(name: str) -> None:
    """Against the judge, with the entry really replaced."""
    policy = loaded(name)
    found = strength.measure(policy)
    survivors = {(flip.entry.rule, flip.what, flip.direction) for flip, _ in found.survivors}
    measure = strength._Measure(policy)
    for entry in policy.entries[::3]:
        for flip in measure.flips(entry):
            if entry.section == "features":
                other = replace(policy, features={**policy.features, entry.name: "expose"})
            else:
                entries = tuple(flip.flipped if item is entry else item for item in policy.entries)
                other = replace(policy, entries=entries)
            diags = Diagnostics()
            judge(other, diags)
            alive = (entry.rule, flip.what, flip.direction) in survivors or measure.sample(flip, measure.evaluator(flip)) is None
            assert diags.failed != alive, (entry.name, flip.what)


@pytest.mark.parametrize("name", [*GOOD, "strict"])
def test_the_suggested_tests_notice(name: str, tmp_path: Path) -> None:
    path = ROOT / "policy" / "strict.yaml" if name == "strict" else Path(name)
    text = path.read_text(encoding="utf-8").replace("name: strict\n", "").split("\ntests:")[0] + "\ntests:\n"
    copy = tmp_path / "copy.yaml"
    (tmp_path / "parent.yaml").write_text((Path(GOOD[2])).read_text(encoding="utf-8"), encoding="utf-8")
    copy.write_text(text.replace("\ntests:\n", "\n"), encoding="utf-8")
    weak = strength.measure(loaded(str(copy)))
    assert weak.survivors and weak.percent < 60
    copy.write_text(text + "".join(f"  {test}\n" for _, test in strength.paired(weak.survivors)), encoding="utf-8")
    strong = loaded(str(copy))
    diags = Diagnostics()
    judge(strong, diags)
    assert not diags.failed, diags.render()
    assert strength.measure(strong).percent == 100, strength.report(name, strength.measure(strong))


def test_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "strict", "--strength", "--min", "100"]) == 0
    assert "100 %" in capsys.readouterr().out
    assert main(["test", GOOD[2], "--min", "90", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["strength"][0]["percent"] < 90 and found["strength"][0]["survivors"][0]["test"].startswith("- {")
    assert [item["code"] for item in found["diagnostics"] if item["severity"] == "error"] == ["PG605"]
