# SPDX-License-Identifier: Apache-2.0
"""The strict loader: places are right, and no input makes it crash or crawl."""
from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policygen.text import source
from policygen.text.diag import Diagnostics


def parse(data: bytes) -> "tuple[source.Source | None, Diagnostics]":
    diags = Diagnostics()
    return source.parse(data, "t.yaml", diags), diags


@pytest.mark.parametrize("data, code, place", [
    (b"", "PG010", "1:1"), (b"a: \x00b\n", "PG002", "1:4"), (b"a: 1\nb: \xff\n", "PG002", "2:4"),
    (b"a: 1\n\tb: 2\n", "PG011", "2:1"), (b"x" * (source.MAX_BYTES + 1), "PG002", "1:1"),
    (b"[" * 100000, "PG009", "1:13"), (b"a: {" * 100, "PG009", "1:48"), (b"a: \x1b[2J\n", "PG002", "1:4"),
    (b"a: '\n", "PG001", "1:4"), (b"a: 1\na: 2\n", "PG003", "2:1"), (b"a: 1\r\nb: on\r\n", "PG007", "2:4"),
    ("\ufeffé: yes\n".encode(), "PG007", "1:4"), (b"a: 0o10\nb: 08\n", "PG008", "2:4"),
])
def test_refused(data: bytes, code: str, place: str) -> None:
    start = time.process_time()
    _, diags = parse(data)
    found = [(item.code, f"{item.span.line}:{item.span.col}") for item in diags.items if item.span]
    assert found == [(code, place)]
    assert "\x1b" not in diags.render()
    assert time.process_time() - start < 5


def test_ignore_comments_stand_in_comments_only() -> None:
    text = b"a: x # ignore PG501: one\n# ignore PG502: two\n\nb: '# ignore PG503: no'\nc: |\n  # ignore PG504: no\n" \
           b"d: 1 # ignore writes that nobody needs\n"
    found, diags = parse(text)
    assert not diags.items and found is not None
    assert [(ignore.code, ignore.line, ignore.reason) for ignore in found.ignores] == \
        [("PG501", 1, "one"), ("PG502", 4, "two")]


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=80),
                 st.text(alphabet="a: {}[],-#&*!|>'\"\t\n\r<%@0x1é", max_size=60).map(str.encode)))
def test_no_input_breaks_it(data: bytes) -> None:
    found, diags = parse(data)
    assert found is not None or diags.items
    for item in diags.items:
        assert item.span is not None and item.span.line >= 1 and item.span.col >= 1 and item.span.end > item.span.col
    diags.render()


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.text("abcxyz", min_size=2, max_size=4).filter(lambda s: s != "no"), lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(st.text("abcxyz", min_size=2, max_size=4), inner, max_size=3)),
    max_leaves=8).filter(lambda value: isinstance(value, dict)), st.booleans())
def test_reads_what_yaml_writes(value: object, flow: bool) -> None:
    """Same structure as PyYAML's, and each scalar stands where its span says."""
    text = yaml.safe_dump(value, default_flow_style=flow)
    found, diags = parse(text.encode())
    assert not diags.items and found is not None and found.root is not None
    lines = text.splitlines()

    def plain(node: source.Node) -> object:
        if isinstance(node, source.Scalar):
            if node.plain:
                assert lines[node.span.line - 1][node.span.col - 1:node.span.end - 1] == node.text
            return node.text
        if isinstance(node, source.Sequence):
            return [plain(item) for item in node.items]
        return {str(plain(key)): plain(inner) for key, inner in node.items}

    assert plain(found.root) == value
