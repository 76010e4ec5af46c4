# SPDX-License-Identifier: Apache-2.0
"""Foreign text stays text in every language that policygen writes, according to GCC, PyYAML and other readers."""
from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path
from typing import Callable, List

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policygen.language.flat import flat
from policygen.language.json_schema import json_schema
from policygen.meaning.load import load_policy
from policygen.target import render
from policygen.text import escape
from policygen.text.escape import C, Markdown, Raw, Word, Yaml

MEAN = ["*/", "/*", "//", "\\", "??/", '"', "\n", "\r", "#include \"/etc/hostname\"", "%:", "'", "$(id)", "`id`", "*",
        "/", "\0", "\x1b[2J", "\u202e", "\x85", "\u2028", "\ud800", "é", "a", "7", "\n#error x\n", "_Pragma(\"x\")",
        "]]>", "](http://x)", "|", "<b>", "&amp;", ": ", " #", "- ", "!!str", "*a", "&a", "{", "}", "[", "]", "@",
        "yes"]
text = st.one_of(st.lists(st.sampled_from(MEAN), max_size=8).map("".join), st.text(max_size=20))


def texts(seed: int, count: int) -> List[str]:
    choose = random.Random(seed)
    return ["".join(choose.choices(MEAN, k=choose.randrange(9))) for _ in range(count)]


@pytest.mark.parametrize("trigraphs", [(), ("-trigraphs",)], ids=["", "trigraphs"])
def test_c_strings_are_what_they_were_and_comments_are_nothing(tmp_path: Path, trigraphs: "tuple[str, ...]") -> None:
    """GCC compiles them; the program prints the strings back. A string in a comment leaves it a comment."""
    words = texts(1, 400)
    lines = [f"P({escape.c_string(word)}) {escape.c_comment(word)} /* {escape.c_string(word)} */" for word in words]
    lines.append(escape.c_comment_block("\n".join(words), words))
    (tmp_path / "t.c").write_text("#include <stdio.h>\n#define P(s) fwrite(s, 1, sizeof(s), stdout);\n"
                                  "int main(void)\n{\n" + "\n".join(lines) + "\nreturn 0;\n}\n", encoding="utf-8")
    subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", *trigraphs, "-o", str(tmp_path / "t"),
                    str(tmp_path / "t.c")], check=True)
    said = subprocess.run([str(tmp_path / "t")], stdout=subprocess.PIPE, check=True).stdout
    assert said == b"".join(word.encode("utf-8", "replace") + b"\0" for word in words)


def test_assembler_comments_are_nothing(tmp_path: Path) -> None:
    words = texts(2, 400)
    (tmp_path / "t.S").write_text("".join(f"\t.byte {n & 255} {escape.c_comment(w)}\n" for n, w in enumerate(words)),
                                  encoding="utf-8")
    subprocess.run(["gcc", "-c", "-o", str(tmp_path / "t.o"), str(tmp_path / "t.S")], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", str(tmp_path / "t.o"), str(tmp_path / "t")], check=True)
    assert (tmp_path / "t").read_bytes() == bytes(n & 255 for n in range(400))


@settings(max_examples=400, deadline=None)
@given(text)
def test_yaml_reads_back(value: str) -> None:
    line = f"a: {escape.yaml(value)}  {escape.yaml_comment(value)}\nb: 1\n"
    if "\ud800" not in value and not any("\ud800" <= c <= "\udfff" for c in value):
        assert pyyaml.safe_load(line) == {"a": value, "b": 1}
    assert line.count("\n") == 2


@settings(max_examples=400, deadline=None)
@given(text)
def test_markdown_is_one_line_of_text(value: str) -> None:
    said, code = escape.markdown(value), escape.markdown_code(value)
    for line in (said, code):
        assert line.isprintable() and not re.search(r"(?<!\\)\|", line)
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", said)           # the rest has no markup
    assert not re.search(r"[`*\[\]<>#~|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", bare)
    fence = re.match(r"`+", code)
    assert fence and code.endswith(fence.group()) and fence.group() not in \
        re.findall(r"`+", code[len(fence.group()):-len(fence.group())])


@settings(max_examples=200, deadline=None)
@given(text)
def test_a_terminal_gets_lines_of_printable_text(value: str) -> None:
    from policygen.text.terminal import COLOURS, PLAIN, clean
    left = clean(value)
    for code in (*COLOURS.values(), PLAIN):
        left = left.replace(code, "")
    assert left.replace("\n", "").isprintable()


@pytest.mark.parametrize("value", ["x", "", None, True, 1.5, b"x", ["x"], Markdown("x"), Yaml("x")])
def test_what_nobody_escaped_is_not_written(value: object) -> None:
    with pytest.raises(Raw):
        escape.fill(C, "int x = {};", value)
    with pytest.raises(Raw):
        escape.joined(C, ", ", [Word("x"), value])          # type: ignore[list-item]


@pytest.mark.parametrize("word", ["", "a b", "a;", "a\n", "é", "-1", None, True])
def test_what_is_no_word_is_none(word: object) -> None:
    with pytest.raises(Raw):
        escape.word(word)


def test_a_template_that_writes_raw_text_fails(policy_file: Callable[[str], str]) -> None:
    policy, _ = load_policy(policy_file(""))
    assert policy is not None
    environment = render.environment(policy)
    for wrong in ("{{ name }}", "{{ name ~ '' }}", "{{ 'x' }}", "{{ name | c_string ~ name }}", "{{ rows | join }}",
                  "{{ name | upper }}", "{{ name | e }}", "{{ name | safe }}", "{{ nothing }}", "{{ true }}",
                  "{% for c in name %}{{ c }}{% endfor %}"):
        with pytest.raises(Exception, match="escaped|undefined|Undefined"):
            environment.from_string(wrong).render(name="x", rows=["a", "b"])
    for right in ("{{ name | c_string }}", "{{ name | word }}", "{{ 7 }}", "{{ name | comment }}"):
        assert environment.from_string(right).render(name="x")


def test_a_policy_full_of_code_is_rendered_as_text(policy_file: Callable[[str], str], tmp_path: Path) -> None:
    """Each place where a policy's words reach generated C and YAML: reasons, lines, names of files."""
    mean = '*/ int injected; /* \\" #include ??/ `x` | <b> ]( :: @{{ 7 }} {% x %}'
    folder = tmp_path / "q*" / "*x /*;"
    folder.mkdir(parents=True)
    path = folder / "*.yaml"
    quoted = mean.replace("'", "''")
    path.write_text(f"policy: 1\nname: t\nplatform: qemu-virt\nabout: '{quoted}'\nsysregs: {{ default: deny, "
                    f"PMCR_EL0: {{ do: allow, why: '{quoted}' }} }} # {mean}\nmmio: {{ default: deny }}\n"
                    f"hvc: {{ default: deny }}\nsmc: {{ default: deny }}\nexceptions: {{ default: forward }}\n"
                    f"assert: {{ a: {{ read: PMCR_EL0, never: deny }} }}\n", encoding="utf-8")
    policy, diags = load_policy(str(path))
    assert policy is not None, diags.render()
    out = render.texts(policy)
    for name in ("policy_tables.c", "replay.S", "guest_expect.h"):
        done = subprocess.run(["gcc", "-E", "-P", "-x", "c", "-Ihv", "-"], input=out[name].replace(
            '#include "policy/policy.h"', ""), stdout=subprocess.PIPE, text=True, check=True)
        bare = re.sub(r'"(\\.|[^"\\])*"', '""', done.stdout)
        assert "injected" not in bare and "include" not in bare
    assert pyyaml.safe_load(flat(policy))["about"] == mean
    assert json_schema()
