# SPDX-License-Identifier: Apache-2.0
"""Diagnostics for machines: SARIF 2.1.0 (code scanning), GitHub annotations, JUnit (test reports of CI)."""
from __future__ import annotations

from typing import Dict, List, Sequence
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from policygen.text.codes import CODES
from policygen.text.diag import Diagnostic, Diagnostics
from policygen.text.escape import printable

FORMATS = ("text", "json", "sarif", "github", "junit")
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "note": "note"}
GITHUB = {"error": "error", "warning": "warning", "note": "notice"}


def words(item: Diagnostic) -> str:
    """A complaint with its notes and helps as one text, without carets."""
    label = f" ({item.label})" if item.label else ""
    return "\n".join([item.message + label, *(f"note: {note}" for note in item.notes),
                      *(f"help: {text}" for text in item.helps)])


# --- SARIF ------------------------------------------------------------------------------------------------------

def uri(file: str) -> str:
    """A relative reference (RFC 3986); `main:policy/strict.yaml` would be one with the scheme `main`."""
    return quote(file, errors="surrogateescape")


def location(file: str, line: int, col: int, end: int, text: str = "") -> Dict[str, object]:
    out: Dict[str, object] = {"physicalLocation": {
        "artifactLocation": {"uri": uri(file)},
        "region": {"startLine": line, "startColumn": col, "endLine": line, "endColumn": max(end, col)}}}
    if text:
        out["message"] = {"text": message(text)}
    return out


def message(text: str) -> str:
    """Plain text for SARIF, where `[words](target)` of a policy would be a link."""
    return "\n".join(map(printable, text.split("\n"))).replace("](", "] (")


def sarif(diags: Diagnostics) -> Dict[str, object]:
    items = diags.sorted()
    codes = sorted({item.code for item in items})
    rules = [{"id": code, "shortDescription": {"text": CODES[code].split("\n")[0]},
              "fullDescription": {"text": CODES[code]},
              "help": {"text": f"policygen code {code}"}} for code in codes]
    results = []
    for item in items:
        result: Dict[str, object] = {"ruleId": item.code, "ruleIndex": codes.index(item.code),
                                     "level": LEVELS[item.severity], "message": {"text": message(words(item))}}
        if item.span is not None:
            span = item.span
            result["locations"] = [location(span.file, span.line, span.col, span.end)]
        if item.also:
            result["relatedLocations"] = [
                dict(location(span.file, span.line, span.col, span.end, label), id=number)
                for number, (span, label) in enumerate(item.also)]
        results.append(result)
    driver = {"name": "policygen", "rules": rules}
    return {"$schema": SCHEMA, "version": "2.1.0",
            "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}]}


# --- GitHub -----------------------------------------------------------------------------------------------------

def github(diags: Diagnostics) -> List[str]:
    """Workflow commands: one annotation a line, on the lines of the pull request."""
    out = []
    for item in diags.sorted():
        pairs = [f"title={property_text(item.code)}"]
        if item.span is not None:
            span = item.span
            pairs = [f"file={property_text(span.file)}", f"line={span.line}", f"col={span.col}",
                     f"endColumn={max(span.end - 1, span.col)}", *pairs]
        out.append(f"::{GITHUB[item.severity]} {','.join(pairs)}::{message_text(words(item))}")
    return out


def message_text(text: str) -> str:
    return "\n".join(map(printable, text.split("\n"))).replace("%", "%25").replace("\n", "%0A")


def property_text(text: str) -> str:
    return message_text(text).replace(":", "%3A").replace(",", "%2C")


# --- JUnit ------------------------------------------------------------------------------------------------------

def junit(diags: Diagnostics, passed: Sequence[str] = ()) -> str:
    """Each error is a failed case of its file; `passed` names the cases that passed."""
    cases: List[str] = []
    errors = [item for item in diags.sorted() if item.severity == "error"]
    for item in errors:
        where = f"{item.span.file}:{item.span.line}" if item.span else "policygen"
        name = f"{item.code} {where}"
        cases.append(f"    <testcase classname={attribute(where.split(':')[0])} name={attribute(name)}>\n"
                     f"      <failure type={attribute(item.code)} message={attribute(item.message)}>"
                     f"{escape(clean(words(item)))}</failure>\n    </testcase>")
    cases += [f'    <testcase classname="policygen" name={attribute(name)}/>' for name in passed]
    counts = f'tests="{len(cases)}" failures="{len(errors)}" errors="0"'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {counts}>",
                      f'  <testsuite name="policygen" {counts} skipped="0">', *cases,
                      "  </testsuite>", "</testsuites>"])


def clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return "".join(c if c in "\t\n" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c >= "\U00010000"
                   else "\ufffd" for c in text)


def attribute(text: str) -> str:
    return quoteattr(clean(text).replace("\n", " "))
