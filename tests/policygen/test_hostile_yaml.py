# SPDX-License-Identifier: Apache-2.0
"""Files made to do harm end in a clear error, soon, in little memory; large ones in near-linear time."""
from __future__ import annotations

import re
import resource
import time
import tracemalloc
from pathlib import Path
from typing import Callable, Dict

import bench_scale
import pytest

from policygen.__main__ import main
from policygen.meaning.load import load_policy
from policygen.text import source
from policygen.text.diag import MOST, Diagnostics

HEAD = "policy: 1\nname: t\nplatform: qemu-virt\n"
REST = "sysregs: { default: deny }\nmmio: { default: deny }\nhvc: { default: deny }\nsmc: { default: deny }\n" \
       "exceptions: { default: forward }\n"
MANY = 2000


def entries(section: str, line: Callable[[int], str], count: int = MANY) -> str:
    body = "".join(f"  {line(number)}\n" for number in range(count))
    return HEAD + REST.replace(f"{section}: {{ default: deny }}", f"{section}:\n  default: deny\n{body}".rstrip("\n"))


HOSTILE: Dict[str, str] = {
    "laughs": "a0: &a0 lol\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 60)),
    "merges": "a: &a { x: 1 }\n" + "".join(f"b{n}: {{ <<: *a }}\n" for n in range(2000)),
    "deep-flow": "a: " + "[" * 200000,
    "deep-map": "a: " + "{b: " * 100000,
    "deep-block": "".join(" " * n + "a:\n" for n in range(1000)),
    "deep-list": "a: " + "- " * 50000,
    "long-line": "about: " + "x" * 1000000 + "\n" + HEAD,
    "long-key": "x" * 100000 + ": 1\n" + HEAD,
    "digits": HEAD + "hvc: { default: deny, 0x86000001: { value: " + "9" * 100000 + " } }\n",
    "hex": HEAD + "hvc: { default: deny, 0x86000001: { value: 0x" + "f" * 100000 + " } }\n",
    "underscores": HEAD + "hvc: { default: deny, 0x86000001: { value: 1" + "_" * 50000 + "x } }\n",
    "unknown-registers": entries("sysregs", lambda n: f"PMCCNTR{n}_EL1: allow", 600),
    "unknown-groups": entries("sysregs", lambda n: f"grup-{n}: allow"),
    "unknown-calls": entries("hvc", lambda n: f"PSCI_CPU_ONN{n}: allow"),
    "unknown-devices": entries("mmio", lambda n: f"uart-{n}: allow"),
    "unknown-keys": HEAD + "".join(f"sysreg{n}: allow\n" for n in range(MANY)),
    "unknown-modifiers": entries("hvc", lambda n: "PSCI_VERSION: { " + ", ".join(f"lo{m}: 1" for m in range(MANY // 2))
                                 + " }", 1),
    "same-key": entries("hvc", lambda n: "0x86000001: deny"),
    "tricks": entries("hvc", lambda n: f"0x{0x86000000 + n:x}: yes"),
    "overlaps": entries("hvc", lambda n: f"0x{0x86000000 + n:x}..0x{0x86010000 + n:x}: {{ value: {n} }}", 1200),
    "onions": entries("hvc", lambda n: f"0x{0x86000000 + n:x}..0x{0x86010000 - n:x}: {{ value: {n} }}", 1200),
    "windows": entries("mmio", lambda n: f"w{n}: {{ at: 0x0b000000, size: 4K, do: raz-wi }}"),
    "ignores": HEAD + "".join(f"# ignore PG201: {n}\n" for n in range(MANY)) + REST,
    "quotes": HEAD + "about: '#'\n" + "".join(f"'q{n}': '# ignore PG502: x'  # ignore\n" for n in range(MANY)),
    "tests": HEAD + REST + "tests:\n" + "  - { read: PMCCNTR_EL1, expect: deny }\n" * MANY,
    "colons": HEAD + ":" * 200000,
    "comments": "#\n" * 200000 + HEAD,
    "documents": "---\n" * 20000,
    "extends-itself": HEAD + "extends: t\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_ends_soon_with_a_clear_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(HOSTILE[name], encoding="utf-8")
    start = time.process_time()
    policy, diags = load_policy(str(path))
    text = diags.render()
    assert time.process_time() - start < 8
    assert policy is None and diags.failed and len(diags.items) <= MOST and len(text) < 2 << 20
    assert "\x1b" not in text and all(item.span is not None or item.code == "PG001" for item in diags.items)


@pytest.mark.parametrize("data", [b"a: b\n" * (2 << 20), b"\xff" * (10 << 20), b"[" * (10 << 20), b"\0" * (10 << 20)],
                         ids=["text", "bytes", "brackets", "zeros"])
def test_ten_megabytes_are_refused_unread(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(data)
    tracemalloc.start()
    start = time.process_time()
    policy, diags = load_policy(str(path))
    seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert policy is None and [item.code for item in diags.items] == ["PG002"]
    assert seconds < 2 and peak < 3 * source.MAX_BYTES


def test_an_endless_file_is_refused_too() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, diags = load_policy("/dev/zero.yaml")
    assert diags.unreadable
    found = Diagnostics()
    assert source.read(Path("/dev/zero"), "zero", found) is None and found.failed
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_time_grows_with_the_entries_and_not_with_their_square(tmp_path: Path) -> None:
    bench_scale.measure(30, tmp_path)                           # imports and facts
    small, large = bench_scale.measure(200, tmp_path), bench_scale.measure(1600, tmp_path)
    for stage in bench_scale.STAGES:
        assert large[stage] < 8 * 2 * max(small[stage], 0.02), (stage, small, large)


def test_a_page_takes_no_more_than_three_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 2,500 entries; a check of 10,000 takes 3 to 4 s of CPU time, of these a quarter: the bound leaves room for a busy
    machine."""
    path = tmp_path / "scale.yaml"
    path.write_text(re.sub("  # ignore PG501.*", "", bench_scale.policy(2500)), encoding="utf-8")
    seconds = {}
    for words in ("--check strict", "doc strict", f"--check {path}", f"doc {path}"):    # the first two: imports and facts
        start = time.process_time()
        assert main(words.split()) == 0, capsys.readouterr().err[-1000:]
        seconds[words.split()[0]] = time.process_time() - start
    assert seconds["--check"] < 2 and seconds["doc"] < 3 * seconds["--check"], seconds
