# SPDX-License-Identifier: Apache-2.0
"""`policygen diff` of whole revisions: all profiles, parents included, each side judged by its own facts."""
from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Tuple

import pytest

from policygen.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *words], check=True,
                   stdout=subprocess.DEVNULL)


def commit(folder: Path, name: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", name)
    git(folder, "tag", name)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with this one's facts and one of its profiles, tagged `base`, and a child."""
    shutil.copytree(ROOT / "policy" / "arch", tmp_path / "policy" / "arch")
    shutil.copytree(ROOT / "policy" / "platform", tmp_path / "policy" / "platform")
    shutil.copy(ROOT / "policy" / "strict.yaml", tmp_path / "policy" / "strict.yaml")
    (tmp_path / "policy" / "child.yaml").write_text(
        "policy: 1\nname: child\nextends: strict\nhvc: { hv: allow }\n", encoding="utf-8")
    git(tmp_path, "init", "-q")
    commit(tmp_path, "base")
    monkeypatch.setattr("policygen.text.paths.project_root", lambda: tmp_path)
    return tmp_path


def edit(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / "policy" / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (name, old, text.count(old))
    path.write_text(text.replace(old, new), encoding="utf-8")
    commit(folder, "edited")


def compared(capsys: pytest.CaptureFixture[str], *words: str) -> Tuple[int, Dict[str, Dict[str, object]]]:
    capsys.readouterr()
    status = main(["diff", *words, "--gate", "looser", "--format", "json"])
    data = json.loads(capsys.readouterr().out)
    return status, {each["name"]: each for each in data["policies"]}


OPENS = [
    ("arch/sysregs.csv", "\nACTLR_EL1,3,0,1,0,1,rw,,,,v8.0,core,HCR_EL2.TACR,HCR_EL2.TACR,",
     "\nACTLR_EL1,3,0,1,0,1,rw,,,,v8.0,core,,,",
     "read ACTLR_EL1, write ACTLR_EL1: HCR_EL2.TACR takes them to EL2 no longer"),
    ("arch/sysregs.csv", "CNTPCT_EL0,3,3,14,0,1,ro,r,,,v8.0,timer-phys,", "CNTPCT_EL0,3,3,14,0,1,ro,r,,,v8.0,timer-virt,",
     "CNTPCT_EL0"),
    ("arch/sysregs.csv", "REVIDR_EL1,3,0,0,0,6,ro,,,,v8.0,", "REVIDR_EL1,3,0,0,0,7,ro,,,,v8.0,", "REVIDR_EL1"),
    ("arch/controls.csv", "HCR_EL2.TACR,HCR_EL2,21,1,1,,", "HCR_EL2.TACR,HCR_EL2,21,1,1,FEAT_NV,",
     "HCR_EL2.TACR takes them to EL2 no longer"),       # HFGRTR2_EL2 would, on a CPU that has it
    ("arch/controls.csv", "HCR_EL2.TSW,HCR_EL2,22,", "HCR_EL2.TSW,HCR_EL2,62,", "HCR_EL2.TSW was HCR_EL2 0x400000"),
    ("arch/controls.csv", "HCR_EL2.TSW,HCR_EL2,22,1,1,", "HCR_EL2.TSW,HCR_EL2,22,1,0,", "trapping when 0"),
    ("arch/arch.yaml", "ID_AA64PFR0_EL1: { RAS: 0 }", "ID_AA64PFR1_EL1: { RAS_frac: 0 }", "ID_AA64PFR0_EL1"),
    ("arch/arch.yaml", "SVE: { number: 0x19, from: CPTR_EL2.TZ }", "SVE: { number: 0x19, from: never }", "class SVE"),
    ("platform/qemu-virt.yaml", "size: 768M, real: 0x42000000", "size: 800M, real: 0x42000000", "ram of the platform was"),
    ("platform/qemu-virt.yaml", "size: 768M, real: 0x42000000", "size: 768M, real: 0x44000000", "backing of the platform"),
    ("platform/qemu-virt.yaml", "gaps:\n", "gaps:\n  - { control: HCR_EL2.TSW, seen: nowhere, effect: none at all }\n",
     "a gap of HCR_EL2.TSW is accepted"),
    ("platform/qemu-virt.yaml", 'read: "vrtc_read(offset)"', 'read: "vuart_read(offset)"',
     "model pl031 is served by read vuart_read(offset)"),
    ("strict.yaml", "  timer-virt: allow\n", "  timer-virt: allow\n  timer-phys: allow\n", "timer-phys"),
]


@pytest.mark.parametrize("name, old, new, says", OPENS, ids=[f"{name}-{number}" for number, (name, *_) in enumerate(OPENS)])
def test_what_opens_in_whatever_file_trips_the_gate(repository: Path, capsys: pytest.CaptureFixture[str], name: str, old: str,
                                                    new: str, says: str) -> None:
    edit(repository, name, old, new)
    status, found = compared(capsys, "base", "edited")
    assert status == 1 and set(found) == {"child", "strict"}, found
    for each in found.values():
        assert each["gate"] and says in json.dumps([each["facts"], each["changes"]]), each


def test_what_opens_nothing_passes(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(repository, "arch/sysregs.csv", "TPIDR_EL1,3,0,13,0,4,rw,,,,v8.0,core,,,", "TPIDR_EL1,3,0,13,0,4,rw,,,,v8.0,core,"
         "HCR_EL2.TRVM,HCR_EL2.TVM,")
    status, found = compared(capsys, "base", "edited")
    assert status == 0 and all(each["facts"] == [] for each in found.values()), found


def test_a_profile_on_one_side_is_told(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "policy" / "child.yaml").rename(repository / "policy" / "other.yaml")
    text = (repository / "policy" / "other.yaml").read_text(encoding="utf-8").replace("name: child", "name: other")
    (repository / "policy" / "other.yaml").write_text(text, encoding="utf-8")
    commit(repository, "edited")
    assert main(["diff", "base", "edited", "--gate", "looser"]) == 1
    out = capsys.readouterr().out
    assert "== child is gone" in out and "== other is new" in out and "3 profiles, 1 at the gate" in out
    status, found = compared(capsys, "base", "edited")
    assert [name for name, each in found.items() if each["gate"]] == ["other"]


def test_the_working_tree_is_the_other_side(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = repository / "policy" / "strict.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("  timer-virt: allow\n", ""), encoding="utf-8")
    assert main(["diff", "base", "--gate", "looser"]) == 0
    assert "TIGHTER" in capsys.readouterr().out
    assert main(["diff", "base", "--gate", "any", "-q"]) == 1
    assert main(["diff", "--all", "base", "nosuch"]) == 2
    assert '"nosuch" is none' in capsys.readouterr().err
    assert main(["diff", "strict"]) == 2            # one policy, and no other side


def test_code_that_changed_is_named(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No policy shows the effect of other code: its files are named, between commits and in the working tree."""
    for name in ("hv/trap/trap.c", "README.md", "Makefile"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("x", encoding="utf-8")
    commit(repository, "edited")
    assert main(["diff", "base", "edited", "--gate", "looser"]) == 0
    out = capsys.readouterr().out
    assert "code    Makefile, hv/trap/trap.c: what EL2" in out and "README" not in out
    (repository / "hv/trap/trap.c").write_text("y y", encoding="utf-8")
    assert main(["diff", "edited", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["code"] == ["hv/trap/trap.c"]
    assert main(["diff", "base", "edited", "--format", "github"]) == 0
    assert "PG615" in capsys.readouterr().out


@pytest.mark.parametrize("row", ["HCR_EL2.TSC", "CPTR_EL2.TZ", "HCR_EL2.TVM"])
def test_a_control_that_is_gone_is_named(repository: Path, capsys: pytest.CaptureFixture[str], row: str) -> None:
    """Controls of every policy, of an exception class, of a register."""
    path = repository / "policy" / "arch" / "controls.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(row + ",")]
    assert len(kept) == len(lines) - 1
    path.write_text("".join(kept), encoding="utf-8")
    commit(repository, "edited")
    assert main(["diff", "base", "edited", "--gate", "looser"]) > 1
    err = capsys.readouterr().err
    assert f"no row of controls.csv or fgt.csv for {row}" in err and "Traceback" not in err, err


def test_facts_that_cannot_be_read_are_a_complaint(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(repository, "arch/arch.yaml", "features:\n", "features: 7\nothers:\n")
    assert main(["diff", "base:strict", "edited:strict"]) == 2
    assert "the facts of \"edited\" cannot be read by this policygen" in capsys.readouterr().err.replace("`", '"')


def test_no_code_of_a_revision_runs(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a filter that its attributes name, nor a link, nor YAML that would build objects, has an effect."""
    mark = repository / "ran"
    git(repository, "config", "filter.run.smudge", f"touch {mark}; cat")
    (repository / ".gitattributes").write_text("* filter=run export-subst\n", encoding="utf-8")
    edit(repository, "arch/arch.yaml", "features:\n", f"x: !!python/object/apply:os.system ['touch {mark}']\nfeatures:\n")
    assert main(["diff", "base:strict", "edited:strict"]) == 2
    capsys.readouterr()
    assert not mark.exists()
