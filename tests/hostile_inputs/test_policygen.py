# SPDX-License-Identifier: Apache-2.0
"""Every verb of policygen over an attacker's input: it answers, and does nothing else (harness.py)."""
from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from random import Random
from typing import Any, Dict, List

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "policygen"), str(HERE.parents[1])]

import policies                                     # noqa: E402
from harness import CANARY, Cage, fresh             # noqa: E402
from policygen.meaning import canonical             # noqa: E402
from policygen.meaning.digest import meaning_hash   # noqa: E402
from policygen.meaning.load import load_policy      # noqa: E402

# Each verb that takes a policy, with options that make it do most. `F` is the policy.
CHEAP = ("--check F", "explain F read PMCR_EL0", "expand F", "fmt --check F", "fix --diff F")
VERBS = (*CHEAP, "explain F access pmu --format json", "explain F write uart0+0x18", "traps F", "doc F",
         "test F --strength", "fmt --diff F", "diff F F", "diff strict F --gate any", "F -o out",
         "expand F --format json", "--check F --format sarif", "--check F --format github", "--check F --format junit",
         "--check F --format json", "--check F --cpu max", "doc F -o page.md", "traps F --format json")
OUTPUTS = ("out/", "page.md")
HOLDS, NO, USAGE = 0, 1, 2


def runs(name: str, verbs: "tuple[str, ...]" = VERBS) -> List[List[str]]:
    return [[name if word == "F" else word for word in verb.split()] for verb in verbs]


@pytest.fixture
def cage(tmp_path: Path) -> Cage:
    return Cage(tmp_path / "cage")


def all_of(cage: Cage, words: List[List[str]], outputs: "tuple[str, ...]" = ()) -> List[Any]:
    return cage.many("policygen.__main__", words, outputs, (HOLDS, NO, USAGE), folder="", seconds=60)


@pytest.fixture(scope="module")
def form() -> Dict[str, Any]:
    policy, _ = load_policy("strict")
    assert policy is not None
    made: Dict[str, Any] = json.loads(canonical.dump(policy, meaning_hash(policy)))
    return made


def test_text_in_every_place(cage: Cage) -> None:
    """Texts that YAML itself refuses are left out; each other text goes through every verb."""
    words = []
    for number, text in enumerate(policies.EVIL):
        for at, data in enumerate(policies.everywhere(text)):
            name = cage.put(f"{number}-{at}.yaml", data)
            words += runs(name, VERBS if at == 0 and number % 3 == 1 else CHEAP[number % 5::5])
    said = all_of(cage, words, OUTPUTS)
    assert any(done.status == HOLDS for done in said)


@pytest.mark.parametrize("name", sorted(policies.RAW))
def test_bytes(name: str, cage: Cage) -> None:
    file = cage.put("p.yaml", policies.RAW[name]())
    all_of(cage, runs(file, ("--check F", "explain F read PMCR_EL0", "fmt --diff F", "F -o out")), OUTPUTS)


def test_parents(cage: Cage) -> None:
    """No file outside of the tree is read, by `..`, by a link or by a name that is a path."""
    (cage.work / "link.yaml").symlink_to(cage.secret)
    (cage.work / "folder.yaml").mkdir()
    words = runs("link.yaml", (*CHEAP, "fmt F", "fix F", "diff strict F"))
    for number, parent in enumerate(policies.PARENTS):
        words += runs(cage.put(f"{number}.yaml", policies.policy(extends=policies.quoted(parent))), CHEAP[:2])
    for done in all_of(cage, words):
        assert done.status in (NO, USAGE), done
        assert CANARY.encode() not in done.out + done.err and b"root:" not in done.out + done.err


def test_names_of_files(cage: Cage) -> None:
    words = []
    # A caller may name any file, and REVISION:FILE asks git.
    for text in (text.replace(":", ";") for text in policies.EVIL if not text.startswith(("/etc", ".."))):
        name = os.fsdecode(text.replace("/", "_").replace("\0", "_")[:60].encode("utf-8", "surrogatepass"))
        (cage.work / f"{name}.yaml").write_bytes(policies.policy(about="x"))
        words += runs(f"./{name}.yaml", (CHEAP[0], "F -o out", "doc F", "expand F"))
        words += [["explain", text, "read", "PMCR_EL0"], ["--check", f"./{text}"], ["code", text], ["list", text],
                  ["explain", "strict", text], ["explain", "strict", "read", text], ["explain", "strict", "hvc", text],
                  ["fmt", f"no/{text}"], ["fix", f"no/{text}"], ["new", text], ["--cpu", text, "list"], [text]]
    for name in (".", "/dev/null", "/dev/zero", "none/", "out"):
        words += runs(name, CHEAP)
    (cage.work / "locked.yaml").write_bytes(policies.policy())
    (cage.work / "locked.yaml").chmod(0)
    os.mkfifo(cage.work / "pipe.yaml")
    os.mkfifo(cage.work / "pipe.json")
    words += [*runs("./locked.yaml", CHEAP), *runs("./pipe.yaml", CHEAP), *runs("./pipe.json", CHEAP)]
    all_of(cage, words, OUTPUTS)


def test_arguments(cage: Cage) -> None:
    numbers = ["9" * 5000, "0x" + "f" * 60, "-1", "1e9", "0x", "18446744073709551615", "\ud800", ""]
    words = [[*before.split(), text] for text in numbers for before in (
        "explain strict", "explain strict 0x5a000000", "explain strict read", "explain strict hvc",
        "explain strict exception", "learn strict none --session", "learn strict none --min")]
    words += [["explain", "strict", f"@D 1 1.0 DENY r{'9' * 40} msr.r {text}"] for text in policies.EVIL]
    all_of(cage, words)


@pytest.mark.parametrize("name", sorted(policies.FORMS))
def test_forms(name: str, form: Dict[str, Any], cage: Cage) -> None:
    file = cage.put("p.json", policies.FORMS[name](form))
    for done in all_of(cage, runs(file, (*CHEAP[:2], "doc F", "diff strict F", "F -o out")), OUTPUTS):
        assert done.status == USAGE and done.err.count(b"error[") == 1, done


def test_mutated_forms(form: Dict[str, Any], cage: Cage) -> None:
    """Either one complaint, or a policy for every verb."""
    r, words = Random(13), []
    for number in range(60):
        file = cage.put(f"{number}.json", policies.mutated(form, r))
        verbs = ("explain F read PMCR_EL0", "expand F", "traps F", "diff strict F", "F -o out")
        words += runs(file, verbs[number % 5:number % 5 + 1])
    for done in all_of(cage, words, OUTPUTS):
        assert done.status != USAGE or done.err.count(b"error[") == 1, done


def test_broken_elves(form: Dict[str, Any], cage: Cage) -> None:
    text, r = json.dumps(form).encode(), Random(7)
    words = []
    for number, data in enumerate(policies.broken_elves(text, r, 40)):
        words += runs(cage.put(f"{number}.elf", data), ("explain F read PMCR_EL0",))
    for done in all_of(cage, words):
        assert done.status == USAGE and done.err.count(b"error[") == 1, done


def test_an_image_without_tables_is_not_believed(form: Dict[str, Any], cage: Cage) -> None:
    file = cage.put("t.elf", policies.elf(json.dumps(form).encode()))
    for done in all_of(cage, runs(file, (*CHEAP[:3], "diff strict F --gate any", "F -o out", "doc F")), OUTPUTS):
        assert done.status == USAGE and b"PG014" in done.err, done
    assert not (cage.work / "out").exists()


def test_logs(cage: Cage) -> None:
    """Logs of the sweep and of the probe; the other tools' are in test_tools.py."""
    words = [["probe", "--run", cage.put(f"{name}.log", data)] for name, data in policies.PROBES.items()]
    for name, data in policies.SWEEPS.items():
        words += [["verify", cage.put("t.yaml", policies.policy()), "--run", cage.put(f"{name}.log", data)]]
    words += [[verb, "strict", "numbers.log"] for verb in ("learn", "replay", "cover", "cost")]
    for done in all_of(cage, words):
        assert done.status in (NO, USAGE), done


def test_what_is_started(cage: Cage, form: Dict[str, Any]) -> None:
    """`verify` starts the first compiler on the PATH, REVISION:FILE git; other verbs start no program."""
    launcher = "tests/hostile_inputs/policygen/run.py"
    name = cage.put("p.yaml", policies.policy(about=policies.quoted("*/ x /*")))
    cage.run(launcher, "verify", name, starts=("gcc",), statuses=(USAGE,))
    cage.run(launcher, "verify", cage.put("p.json", json.dumps(form).encode()), starts=("gcc",), statuses=(USAGE,))
    cage.run(launcher, "verify", cage.put("q.json", policies.FORMS["code"](form)), statuses=(USAGE,))
    for text in ("HEAD:policy/strict.yaml", "$(id):x", "a:b:c", "HEAD:../../../etc/passwd"):
        cage.run(launcher, "diff", "strict", text, starts=("git",), statuses=(USAGE,))
    for words in (("--check", name), ("doc", name), (name, "-o", "out"), ("completion", "bash"), ("schema",)):
        cage.run(launcher, *words, outputs=OUTPUTS, statuses=(HOLDS,))


PIECES = [": ", "{", "}", "[", "]", "\n", "default", "allow", "deny", "&a", "*a", "!!x", "<<", "'", '"', "#",
          *(text for text in policies.EVIL if text != "\ud800")]


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 1 << 30), st.sampled_from(PIECES)), max_size=6))
def test_spliced_policies(tmp_path_factory: pytest.TempPathFactory, splices: "list[tuple[int, str]]") -> None:
    """A valid policy with hostile pieces at any place."""
    cage = fresh(tmp_path_factory.getbasetemp() / "spliced")
    text = (HERE.parents[1] / "policy" / "strict.yaml").read_text(encoding="utf-8")
    for at, piece in splices:
        text = text[:at % len(text)] + piece + text[at % len(text):]
    words = runs(cage.put("p.yaml", text.encode("utf-8", "surrogatepass")), (*CHEAP, "F -o out"))
    all_of(cage, words, OUTPUTS)
