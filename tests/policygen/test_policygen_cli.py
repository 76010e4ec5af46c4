# SPDX-License-Identifier: Apache-2.0
"""The command line as people and CI see it: exit status, streams, formats."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Callable, List

import jsonschema
import pytest

from policygen.__main__ import main
from policygen.commands.verbs import VERBS
from policygen.language import schema, store
from policygen.language.json_schema import json_schema
from policygen.text import source
from policygen.text.diag import Diagnostics

ROOT = Path(__file__).resolve().parents[2]
BAD = str(Path(__file__).parent / "bad" / "unknown-register.yaml")


@pytest.mark.parametrize("words, status", [
    (["--check"], 0), (["--check", "strict", "-q"], 0), (["--check", BAD], 1), (["--check", "nosuch"], 2), ([], 2),
    (["strict"], 2), (["--cpu", "z80", "--check"], 2), (["explain", "strict", "read", "PMCR_EL0"], 0),
    (["explain", "strict", "read", "PMCR_EL1"], 2), (["explain", "strict", "nonsense"], 2), (["test"], 0),
    (["list", "pmu"], 0), (["list", "zzzzzzzz"], 1), (["code", "PG301"], 0), (["code", "PG999"], 2), (["schema"], 0),
    (["expand", "strict"], 0), (["traps", "strict", "--cpu", "max"], 0), (["explain", BAD, "read", "PMCR_EL0"], 1),
    (["strict", "explain"], 2),
])
def test_status(words: List[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert main(words) == status
    except SystemExit as stop:
        assert stop.code == status
    out = capsys.readouterr()
    assert "Traceback" not in out.err and str(ROOT) not in out.out + out.err


# Verb -> words that ask a policy: those that any valid policy can answer.
ASKED = {"build": ["-o", "out"], "check": [], "explain": ["read", "PMCR_EL0"], "traps": [], "test": [], "doc": [],
         "expand": [], "verify": [], "diff": ["strict"]}


@pytest.mark.parametrize("verb", ASKED)
@pytest.mark.parametrize("name, status", [("strict", 0), (BAD, 1), ("nosuch", 2)])
def test_every_verb_has_the_same_status_for_the_same(verb: str, name: str, status: int, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(tmp_path / word) if word == "out" else word for word in ASKED[verb]]
    assert main([verb, name, *words]) == status, capsys.readouterr().err


@pytest.mark.parametrize("line, said", [
    ("expalin strict read X", "expalin is no verb, did you mean explain?"), ("strict", "-o DIR is missing"),
    ("strict explain", "the verb comes first: policygen explain"), ("--frmat json", "did you mean --format?"),
    ("test strict --stregth", "did you mean --strength?"), ("traps strict default", "default is too much here"),
    ("diff strict", "required: NEW"), ("--check --format sari", "invalid choice: 'sari' (choose from 'text'"),
    ("code PG301 --cpu z80", "unknown CPU model z80; known: cortex-a57"),
    ("explain strict read X --gate", "too much here"),
    ("schema -o /nonexistent/file", "No such file or directory"), ("doc strict -o /", "Is a directory"),
    ("completion fish", "invalid choice: 'fish'"), ("test strict --min many", "invalid int value: 'many'"),
])
def test_wrong_usage_is_one_line_and_status_2(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status: object = main(line.split())
    except SystemExit as stop:
        status = stop.code
    out = capsys.readouterr()
    assert status == 2 and said in out.err and out.err.count("\n") == 1 and not out.out, out


@pytest.mark.parametrize("words", ["{0} {1}", "{1} {0}", "{0} {1} {2}", "{2} {0} {1}", "{1} {2} {0}"])
def test_options_go_anywhere(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = words.format("code PG301", "--format json", "--cpu max")
    assert main(line.split()) == 0 and json.loads(capsys.readouterr().out)["codes"]
    line = words.format("--check strict", "--format json", "-q")
    assert main(line.split()) == 0 and json.loads(capsys.readouterr().out)["policies"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_helps(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    out = capsys.readouterr()
    assert stop.value.code == 0 and f"usage: policygen {verb}" in out.out and "--format" in out.out and not out.err


def test_a_bug_is_status_3(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("policygen.language.store.policy_names", lambda: 1 / 0)
    assert main(["--check"]) == 3
    assert "internal error" in capsys.readouterr().err


def test_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", BAD, "--format", "json"]) == 1
    out = capsys.readouterr()
    found = json.loads(out.out)["diagnostics"]
    errors = [item for item in found if item["severity"] == "error"]
    assert [(item["code"], item["column"], item["file"]) for item in errors] == \
        [("PG101", 3, "tests/policygen/bad/unknown-register.yaml")]
    assert not out.err


def test_the_message_of_the_specification(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--check", BAD, "-q", "--color", "never"])
    assert capsys.readouterr().err.splitlines()[:6] == [
        'error[PG101]: unknown system register "PMCCNTR_EL1"',
        " --> tests/policygen/bad/unknown-register.yaml:7:3",
        "  |",
        "7 |   PMCCNTR_EL1: allow",
        "  |   ^^^^^^^^^^^ no such register",
        "  = help: did you mean PMCCNTR_EL0 (S3_3_C9_C13_0)?"]


@pytest.mark.parametrize("access, words", [
    (["read", "PMCCNTR_EL0"], ["deny (UNDEF)", "pmu: hide", "below features", "MDCR_EL2.TPM=1"]),
    (["write", "uart0+0x18"], ["emulate pl011", "uart0:"]),
    (["write", "uart0+0x18/8"], ["deny (SEA)", "width"]),
    (["hvc", "HV_PAUSE"], ["pause", "HV_PAUSE: pause"]),
    (["hvc", "PSCI_CPU_ON", "x1=9"], ["deny (INVALID_PARAMETERS)"]),
    (["read", "0x70000000/1"], ["deny (SEA)", "default: deny"]),
    (["exception", "WFX"], ["allow"]),
    (["0x62380405"], ["SMPRI_EL1 (S3_0_C1_C2_4), Rt = x0", "sme: hide"]),
    (["write", "uart0+0x18"], ["enforced  stage 2 does not map it"]),
    (["hvc", "HV_PAUSE"], ["enforced  HVC always comes to EL2"]), (["smc", "PSCI_VERSION"], ["HCR_EL2.TSC=1"]),
    (["exception", "SVE", "--cpu", "max"], ["CPTR_EL2.TZ=1"]), (["exception", "SVE"], ["which lacks CPTR_EL2.TZ"]),
    (["exception", "FP_ASIMD"], ["never comes to EL2: CPTR_EL2.TFP=0"]), (["exception", "SERROR"], ["always comes"]),
    (["exception", "SYSREG"], ["decided one by one in sysregs"]), (["exception", "ILLEGAL"], ["never comes to EL2"]),
    (["read", "S3_1_C15_C2_0"], ["deny (UNDEF)", "enforced  NOT on cortex-a57: no effect:", "HCR_EL2.TIDCP"]),
    (["0x07e00000"], ["exception WFX", "HCR_EL2.TWI=1"]),
    (["0x5a000000", "x0=0x84000003", "x1=9"], ["(PSCI_CPU_ON) x1=0x9", "INVALID_PARAMETERS"]),
    (["0x5a000000"], ["all of them", "pause", "deny (NOT_SUPPORTED)"]), (["0x5e000001", "x0=3"], ["smc 0xffffffff"]),
    (["0x93800046", "0x09010000"], ["write rtc+0x0, 4 bytes", "deny (SEA)"]),
    (["0x93800006"], ["all addresses", "read rtc+0x0", "emulate pl011"]),
    (["0x92000046"], ["exception DABT_NO_SYNDROME", "access by access"]), (["0x92000086"], ["exception DABT_WALK"]),
    (["@D 7 0.000001 DENY r1 msr.r PMCR_EL0=0x0 pc=0x40000000 el=1 cost=9 esr=0x62333001 *00000000"],
     ["read PMCR_EL0", "DENY by r1: the same"]),
    (["@D 7.1 0.000001 EMUL r2 mmio.w uart0+0x18/4=0x41 pc=0x40000000 el=1 cost=9 esr=0x0 *00000000"],
     ["write uart0+0x18", "another policy"]),
    (["@D 9 0.1 DENY r99 smc 0x84000003 x1=0x1 x2=0x0 pc=0x0 el=1 cost=1 esr=0x0 *00000000"], ["smc 0x84000003"]),
    (["@D 9 0.1 DENY r99 hvc 0x0 x1=0x0 x2=0x0 pc=0x0 el=1 cost=1 esr=0x5a000001 *00000000"],
     ["hvc 0x0 names no function, with #0x1 in the instruction", "deny (NOT_SUPPORTED)"]),
])
def test_explain(access: List[str], words: List[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "strict", *access]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in words), out


@pytest.mark.parametrize("access", [["0x0"], ["0x62380405", "3"], ["0x5a000000", "x9=1"], ["0x93800006", "here"],
                                    ["smc"], ["hvc", "HV_PAUSE", "x1=y"], ["read", "uart0+0x18/3"], ["@E 1 0.1 boot"]])
def test_explain_says_what_it_needs(access: List[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "strict", *access]) == 2
    out = capsys.readouterr()
    assert not out.out and out.err.count("\n") == 1, out


def test_what_runs_without_a_trap_is_told(policy_file: Callable[[str], str],
                                          capsys: pytest.CaptureFixture[str]) -> None:
    path = policy_file("mmio: { default: deny, rtc: { read: allow, write: deny } }\n")
    assert main(["explain", path, "read", "rtc+0x0"]) == 0 and main(["explain", path, "write", "rtc+0x0"]) == 0
    out = capsys.readouterr().out
    assert "maps the real device: runs without a trap" in out and "does not map it for writing" in out


def test_every_verb_is_in_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in VERBS)


def test_render_writes_once(tmp_path: Path) -> None:
    assert main(["strict", "-o", str(tmp_path), "-q"]) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert main(["strict", "-o", str(tmp_path), "-q"]) == 0
    assert before and before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert not any(str(ROOT) in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())


def plain(node: source.Node) -> object:
    """A node as an editor's YAML reader takes it."""
    if isinstance(node, source.Mapping):
        return {key.text: plain(value) for key, value in node.items}
    if isinstance(node, source.Sequence):
        return [plain(item) for item in node.items]
    try:
        return int(node.text, 0)
    except ValueError:
        return node.text


@pytest.mark.parametrize("name", store.policy_names())
def test_the_schema_accepts_the_profiles(name: str) -> None:
    found = source.parse((ROOT / "policy" / f"{name}.yaml").read_bytes(), name, Diagnostics())
    assert found is not None and found.root is not None
    jsonschema.Draft7Validator(json_schema()).validate(plain(found.root))


@pytest.mark.parametrize("slip", [("sysregs", "PMCCNTR_EL1", "allow"), ("sysregs", "core", "alow"), ("log", "x", "y"),
                                  ("hvc", "HV_PAUSED", "deny"), ("exceptions", "WFXX", "deny")])
def test_the_schema_refuses_slips(slip: List[str]) -> None:
    section, name, action = slip
    policy = {"policy": 1, section: {name: action}}
    assert not jsonschema.Draft7Validator(json_schema()).is_valid(policy)
    assert set(schema.TOP) == set(json_schema()["properties"])
