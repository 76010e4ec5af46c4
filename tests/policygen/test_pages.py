# SPDX-License-Identifier: Apache-2.0
"""Pages for people: every code's example is refused and its fix accepted; doc, new and completion are usable."""
from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import jsonschema
import pexpect
import pytest
import yaml

from policygen.__main__ import main
from policygen.commands.verbs import VERBS
from policygen.language import examples, store
from policygen.language.json_schema import json_schema
from policygen.meaning.load import load_policy
from policygen.target.review import review
from policygen.text.codes import CODES

ROOT = Path(__file__).resolve().parents[2]
HEAD = {"policy": "policy: 1", "name": "name: t", "platform": "platform: qemu-virt"}
REST = {"sysregs": "{ default: deny }", "mmio": "{ default: deny }", "hvc": "{ default: deny }",
        "smc": "{ default: deny }", "exceptions": "{ default: forward }"}


def written(text: str, path: Path) -> Path:
    said = {line.split(":")[0] for line in text.splitlines()}
    lines = [line for key, line in HEAD.items() if key not in said] + [text]
    path.write_text("\n".join(lines + [f"{key}: {body}" for key, body in REST.items() if key not in said]) + "\n",
                    encoding="utf-8")
    return path


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_a_page_and_every_example_fires(code: str, tmp_path: Path,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["code", code]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"{code}\n\n{CODES[code]}") and len(page.splitlines()) >= 7
    assert (code in examples.EXAMPLES) != (code in examples.CAUSES)
    if code not in examples.EXAMPLES:
        return
    wrong, right = examples.EXAMPLES[code]
    for text, fires in ((wrong, True), (right, False)):
        path = written(text, tmp_path / "t.yaml")
        found = review(str(path))
        codes = {item.code for item in found.diags.items if item.severity == "error"}
        assert (code in codes) == fires, found.diags.render()
        assert fires or not codes, found.diags.render()


def test_doc_of_the_profiles(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in store.policy_names():
        assert main(["doc", name]) == 0
        text = capsys.readouterr().out
        policy, _ = load_policy(name)
        assert policy is not None and text.startswith(f"# Policy {name}\n") and str(ROOT) not in text
        assert all(str(entry.place) in text for entry in policy.entries)
        assert all(claim.name in text for claim in policy.asserts)
        for block in re.findall(r"(?:^\|.*\n)+", text, re.M):       # every row of a table has the same number of columns
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block
        assert main(["doc", name, "-o", str(tmp_path / "page.md")]) == 0
        assert (tmp_path / "page.md").read_text(encoding="utf-8") == text


def test_new_passes_check_and_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("policygen.text.paths.project_root", lambda: tmp_path)
    assert main(["new", "fresh"]) == 0 and main(["new", "child", "--extends", "fresh"]) == 0
    assert main(["--check"]) == 0, capsys.readouterr().err
    assert main(["fmt", "--check"]) == 0
    before = (tmp_path / "policy" / "fresh.yaml").read_text(encoding="utf-8")
    assert main(["new", "fresh"]) == 2 and (tmp_path / "policy" / "fresh.yaml").read_text(encoding="utf-8") == before
    assert main(["new", "No Name"]) == 2 and main(["new", "x", "--extends", "nosuch"]) == 2
    assert "Traceback" not in capsys.readouterr().err


COMPLETIONS = [
    ("expl", "explain"), ("explain str", "strict"), ("explain strict re", "read"), ("code PG9", "PG901 PG902"),
    ("explain strict read PMCCNTR", "PMCCNTR_EL0"), ("explain strict hvc PSCI_VER", "PSCI_VERSION"),
    ("explain strict exception DABT_NO", "DABT_NO_SYNDROME"), ("--format sa", "sarif"), ("diff --ga", "--gate"),
    ("diff --gate lo", "looser"), ("learn --sess", "--session"), ("completion z", "zsh"), ("--che", "--check"),
    ("--check linux", "linux-strict"), ("probe --cpu neoverse-n", "neoverse-n1 neoverse-n2")]


def script(shell: str, capsys: pytest.CaptureFixture[str], folder: Path) -> Path:
    assert main(["completion", shell]) == 0
    path = folder / shell
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    return path


def test_bash_completes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = [f". {script('bash', capsys, tmp_path)}"]
    for line, _ in COMPLETIONS:
        words = ["policygen", *line.split()]
        lines.append(f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _policygen; echo ${{COMPREPLY[@]}}")
    done = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not done.stderr
    assert list(zip((line for line, _ in COMPLETIONS), done.stdout.splitlines())) == COMPLETIONS


def test_zsh_completes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """TAB at a terminal inserts the common beginning of all candidates, Enter runs a stand-in."""
    path = script("zsh", capsys, tmp_path)
    environment = {**os.environ, "TERM": "dumb", "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path)}
    shell = pexpect.spawn("zsh", ["-f", "-i"], cwd=str(ROOT), env=environment, encoding="utf-8", timeout=600,
                          dimensions=(50, 200))
    try:
        shell.sendline(f"PS1=; autoload -Uz compinit; compinit -u -D; . {path}; "
                       "policygen() { print -r -- \"<$*>\" }; print rea''dy")
        shell.expect_exact("ready\r\n")
        for line, wanted in COMPLETIONS:
            shell.send(f"policygen {line}\t\r")
            shell.expect_exact(f"<{' '.join([*line.split()[:-1], os.path.commonprefix(wanted.split())])}>")
    finally:
        shell.close(force=True)


def test_files_for_other_tools_are_what_they_read() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {hook["id"] for hook in hooks} == {"policygen-check", "policygen-fmt"}
    assert all({"id", "name", "entry", "language"} <= set(hook) and re.match(hook["files"], "policy/strict.yaml")
               for hook in hooks)
    flow = yaml.safe_load((ROOT / "policy" / "examples" / "github-workflow.yml").read_text(encoding="utf-8"))
    script = "\n".join(step["run"] for step in flow["jobs"]["policy"]["steps"] if "run" in step)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    verbs = set(re.findall(r"policygen (\w+)", script))
    assert verbs <= set(VERBS) and {"diff", "fmt", "test"} <= verbs
    jsonschema.Draft7Validator.check_schema(json_schema())
