# SPDX-License-Identifier: Apache-2.0
"""SARIF (by its published schema), GitHub annotations and JUnit: the properties that their readers rely on."""
from __future__ import annotations

import json
import re
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Callable, Dict, List
from urllib.parse import unquote

import jsonschema
import pytest
from npm_packages import SCHEMA, npm_packages

from policygen.__main__ import main
from policygen.text.codes import CODES
from policygen.text.diag import Diagnostics, Span
from policygen.text.formats import github, junit, sarif, uri

HERE = Path(__file__).parent
BAD = sorted(str(path) for path in (HERE / "bad").glob("*.yaml"))
OVERLAP = next(name for name in BAD if "PG301" in Path(name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def valid() -> Callable[[object], None]:
    """Raises unless this is SARIF by the published schema, without any other key in any object."""
    published = json.loads((npm_packages() / SCHEMA).read_text(encoding="utf-8"))
    assert published["title"].startswith("Static Analysis Results Format (SARIF) Version 2.1.0")
    assert published["$id"].endswith("/sarif-schema-2.1.0.json") and len(published["definitions"]) == 52
    jsonschema.Draft7Validator.check_schema(published)
    validator = jsonschema.Draft7Validator(published, format_checker=jsonschema.FormatChecker())

    def validate(found: object) -> None:
        validator.validate(found)
    return validate


TAB = str(HERE / "bad" / "tab.yaml")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> "tuple[int, str]":
    status = main(list(words))
    out = capsys.readouterr()
    assert not out.err
    return status, out.out


Valid = Callable[[object], None]


def test_sarif_of_every_bad_policy(capsys: pytest.CaptureFixture[str], valid: Valid) -> None:
    status, out = run(capsys, "--check", *BAD, "--format", "sarif")
    found = json.loads(out)
    valid(found)
    assert status == 1
    driver, results = found["runs"][0]["tool"]["driver"], found["runs"][0]["results"]
    assert len(results) > 60 and all(driver["rules"][item["ruleIndex"]]["id"] == item["ruleId"] for item in results)
    one = next(item for item in results if item["ruleId"] == "PG301")
    place = one["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].startswith("tests/policygen/bad/") and place["region"]["startColumn"] == 3
    assert one["relatedLocations"] and "help:" in one["message"]["text"]
    results[0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        valid(found)


@pytest.mark.parametrize("name", [
    "plain", "with space", "hash#1", "100%", "caf\u00e9", "a,b:c", "q?x=1", "[x]", "quo'te\"", "\U0001f600", "%3A",
    "\udcff", "back\\slash", "tab\t"])
def test_a_uri_is_a_relative_reference_that_names_the_file(name: str) -> None:
    """RFC 3986: path-noscheme. A byte of a file's name that is not UTF-8 is itself."""
    for file in (f"policy/{name}.yaml", f"{name}.yaml"):
        found = uri(file)
        assert re.fullmatch(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+(?:/(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+)*", found), found
        assert unquote(found, errors="surrogateescape") == file


def test_sarif_of_what_is_odd(valid: Valid) -> None:
    diags = Diagnostics()
    diags.error("PG001", None, "no place")
    diags.error("PG010", Span("main:policy/a b.yaml", 1, 1, 1), "odd name \x1b")
    found = sarif(diags)
    valid(json.loads(json.dumps(found)))
    assert "main%3Apolicy/a%20b.yaml" in json.dumps(found)
    valid(json.loads(json.dumps(sarif(Diagnostics()))))
    for wrong in ({"version": "2.1.0"}, {**found, "more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            valid(wrong)


def test_diff_is_for_code_scanning_too(capsys: pytest.CaptureFixture[str], valid: Valid) -> None:
    status, out = run(capsys, "diff", "strict", "default", "--gate", "looser", "--format", "sarif")
    found = json.loads(out)
    valid(found)
    assert status == 1 and {item["ruleId"] for item in found["runs"][0]["results"]} <= set(CODES)
    assert [item["level"] for item in found["runs"][0]["results"]].count("error") > 10


@pytest.mark.parametrize("words", [
    ["--check"], ["test", "default"], ["test", OVERLAP], ["explain", OVERLAP, "read", "PMCR_EL0"], ["traps", OVERLAP],
    ["expand", OVERLAP], ["doc", OVERLAP], ["verify", OVERLAP], ["diff", "strict", OVERLAP], ["fmt", "--check", TAB],
    ["fix", "--diff", TAB], ["diff", "strict", "strict"]], ids=lambda words: Path(" ".join(words)).name)
def test_whoever_complains_in_sarif_is_understood(words: List[str], capsys: pytest.CaptureFixture[str],
                                                  valid: Valid) -> None:
    status, out = run(capsys, *words, "--format", "sarif")
    found = json.loads(out)
    valid(found)
    assert bool(status) == any(item["level"] == "error" for item in found["runs"][0]["results"])


def test_github_annotations(capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, "--check", str(HERE / "bad" / "several.yaml"), "--format", "github")
    lines = out.splitlines()
    assert status == 1 and len(lines) >= 4
    assert all(re.match(r"::(error|warning|notice) ([a-zA-Z]+=[^,:]+,?)+::\S", line) for line in lines), lines
    assert lines[0].startswith("::error file=tests/policygen/bad/several.yaml,line=10,col=3,endColumn=13,title=PG101::"
                               "unknown system register")
    diags = Diagnostics()
    diags.error("PG001", Span("a,b:c.yaml", 2, 1, 2), "100 %\nnext")
    assert github(diags) == ["::error file=a%2Cb%3Ac.yaml,line=2,col=1,endColumn=1,title=PG001::100 %25%0Anext"]


def test_junit(capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, "--check", "strict", str(HERE / "bad" / "test-fails.yaml"), "--format", "junit")
    root = xml.fromstring(out)
    cases = root.findall("./testsuite/testcase")
    failed = [case for case in cases if case.find("failure") is not None]
    assert status == 1 and root.get("tests") == str(len(cases)) and root.get("failures") == str(len(failed)) == "2"
    assert failed[0].find("failure").get("type") == "PG602"         # type: ignore[union-attr]
    assert any("assertion no-pmu" in str(case.get("name")) for case in cases)
    diags = Diagnostics()
    diags.error("PG001", None, "<&\"' \x00\x1b \ud800")
    xml.fromstring(junit(diags, ["<a> & 'b' \x01"]))


def documented() -> Dict[str, List[str]]:
    """Command -> its keys, from policy/README.md."""
    rows, text = {}, (HERE.parents[1] / "policy" / "README.md").read_text(encoding="utf-8")
    for line in text[text.index("### JSON"):].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("| `") else []
        for command, keys in zip(cells[0].split(" · "), cells[1].split("; of revisions")[0].split(" · ")) if cells else ():
            rows[command.strip("`")] = re.findall(r"`([a-z_]+)`", keys)
    return rows


@pytest.mark.parametrize("command, words", [
    ("--check", ["--check", "strict"]), ("test", ["test", "strict"]), ("diff", ["diff", "strict", "default"]),
    ("explain", ["explain", "strict", "read", "PMCR_EL0"]), ("traps", ["traps", "strict"]),
    ("verify", ["verify", "strict"]), ("expand", ["expand", "strict"]), ("list", ["list", "pmu"]), ("code", ["code"])])
def test_json_is_as_documented(command: str, words: List[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, *words, "--format", "json")[1])
    assert found.pop("version") == 1
    assert list(found) == [key for key in documented()[command] if key != "strength"]
    if command == "diff":
        text = (HERE.parents[1] / "policy" / "README.md").read_text(encoding="utf-8")
        assert all(f"`{key}`" in text for change in found["changes"] for key in change)


def test_json_of_errors_is_as_documented(capsys: pytest.CaptureFixture[str]) -> None:
    text = (HERE.parents[1] / "policy" / "README.md").read_text(encoding="utf-8")
    for name in (OVERLAP, str(HERE / "bad" / "unknown-register.yaml")):
        found = json.loads(run(capsys, "expand", name, "--format", "json")[1])
        assert list(found) == ["version", "diagnostics"]
        assert all(f"`{key}`" in text for item in found["diagnostics"] for key in item)
