# SPDX-License-Identifier: Apache-2.0
"""An image's word for its policy counts only if its tables agree: read from its loaded bytes, compared access by
access."""
from __future__ import annotations

import json
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest

from policygen.__main__ import main
from policygen.language.model import Policy
from policygen.language.reread import hold
from policygen.meaning import canonical, image
from policygen.meaning.digest import meaning_hash
from policygen.meaning.load import load_policy
from policygen.target import bound, in_image
from policygen.target.in_image import Memory, Reader
from policygen.target.verify import Verifier
from policygen.text.elf import Elf
from policygen.text.strict_json import Malformed, parse

Build = Callable[[Policy, Path], Path]
SMALL = """
sysregs: { default: deny, core: allow, id: allow, AFSR0_EL1: { mask: 0xf0 }, imp-def: { do: deny, limit: 5/s } }
mmio: { default: deny, uart0: { emulate: pl011 }, rtc: { read: allow, write: deny },
        w: { at: 0x0b000000, size: 4K, regs: { 0x18: { do: raz-wi, width: [4] } } } }
hvc: { default: deny, PSCI_CPU_ON: { do: allow, where: { x1: 1..3 }, as: DENIED }, 0x86000001: { value: 3 } }
features: { pmu: hide }
"""


def fresh(name: str, mode: Optional[str] = None) -> Policy:
    policy, diags = load_policy(name, mode=mode)
    assert policy is not None, diags.render()
    return policy


@pytest.fixture
def small(policy_file: Callable[[str], str]) -> Policy:
    return fresh(policy_file(SMALL))


@pytest.mark.parametrize("mode", ["enforce", "audit"])
def test_an_image_is_the_policy_that_it_was_built_from(mode: str, small: Policy, built: Build, tmp_path: Path,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    """With symbols; stripped, with its map; as bytes, with its map; for another CPU model."""
    policy = fresh(small.file, mode)
    elf = built(policy, tmp_path / "gen")
    words = ["--mode", mode, "--image"]
    assert main(["diff", small.file, str(elf), "--mode", mode, "--gate", "any"]) == 0
    stripped, raw = tmp_path / "gen" / "stripped.elf", tmp_path / "gen" / "image.bin"
    subprocess.run(["aarch64-linux-gnu-strip", "-o", str(stripped), str(elf)], check=True)
    subprocess.run(["aarch64-linux-gnu-objcopy", "-O", "binary", str(elf), str(raw)], check=True)
    assert main(["verify", small.file, *words, str(raw)]) == 0              # image.map lies beside image.bin
    assert main(["verify", small.file, *words, str(stripped), "--map", str(elf.with_suffix(".map"))]) == 0
    capsys.readouterr()
    assert main(["explain", str(stripped), "read", "PMCR_EL0"]) == 2
    assert "PG014" in capsys.readouterr().err


def swapped(elf: Path, policy: Policy) -> Path:
    """The image with another policy's text."""
    form, out = elf.with_name("other.json"), elf.with_name("other.elf")
    form.write_text(canonical.dump(policy, meaning_hash(policy)), encoding="utf-8")
    subprocess.run(["aarch64-linux-gnu-objcopy", f"--update-section={image.SECTION}={form}", str(elf), str(out)],
                   check=True)
    return out


def test_an_image_with_another_text_is_neither(small: Policy, built: Build, tmp_path: Path,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    """`objcopy --update-section` with a profile's text: no verb takes the image for the profile."""
    other = swapped(built(small, tmp_path / "gen"), fresh("strict"))
    for words in (["diff", "strict", str(other), "--gate", "any"], ["explain", str(other), "read", "PMCR_EL0"],
                  [str(other), "-o", str(tmp_path / "out")]):
        assert main(words) == 1
        said = capsys.readouterr()
        assert "PG014" in said.err and "accesses otherwise than its text" in said.err
        assert "its log would call the policy 't', the text 'strict'" in said.err and "its log would say" in said.err
    assert not (tmp_path / "out").exists()


# Symbol, offset from it, planted bytes, and a word of the complaint.
@lru_cache(maxsize=None)
def spoiled() -> Tuple[Tuple[str, int, bytes, str], ...]:
    return (("policy_rows", 2, b"\x00", "accesses"), ("policy_rows", 32 + 3, b"\x07", "accesses"),
            ("policy_sysreg_page", 0, b"\x01\x00", "accesses"), ("policy_sysreg_leaf", 2, b"\xff\x7f", "accesses"),
            ("policy_mmio_root", 0x48, b"\x00", ""), ("policy_mmio_ranges", 8, b"\x00\x00", "accesses"),
            ("policy_mmio_default", 0, b"\x03\x00", "accesses"), ("policy_exception", 2, b"\x00\x00", "accesses"),
            ("policy_limits", 8, b"\xff", "accesses"), ("policy_spans", 8, b"\xff", "accesses"),
            ("policy_conditions", 24 + 16, b"\x02", "accesses"),
            ("policy_traps", 0, b"\0\0\0\0\0\0\0\0", "policy_traps.hcr"), ("policy_n_passthrough", 0, b"\0\0", "maps"),
            ("policy_replay", 16, b"\x00" * 2048, "stub"), ("policy_hvc", 0, b"\xff" * 8, "nothing is loaded"),
            ("policy_hvc", 24, b"\xfe\xff\xff\xff", "no size"), ("policy_hash", 0, b"\x00", "its log would say"),
            ("policy_name", 0, b"u", "'u'"), ("policy_rules", 8, b"\xff" * 8, "no text is loaded"),
            ("policy_windows", 0, b"\xff", "windows"), ("policy_n_rows", 0, b"\xff\xff", "nothing is loaded"))


def test_each_part_of_the_tables_counts(small: Policy, built: Build, tmp_path: Path) -> None:
    """Bytes of the loaded image are changed, one place at a time: the complaint names the part that is not the
    policy's."""
    data = bytearray(built(small, tmp_path / "gen").read_bytes())
    elf = Elf(bytes(data))
    symbols, segments = elf.symbols(in_image.NEEDED), elf.segments()
    verifier = Verifier(small)

    def complaints(changed: bytes) -> str:
        memory = Memory((part.address, changed[part.offset:part.offset + part.size]) for part in segments)
        try:
            found = bound.differences(Reader(memory, symbols), small, "cortex-a57", verifier)
        except Malformed as problem:
            return str(problem)
        return "\n".join(line for message, notes in found for line in (message, *notes))
    assert complaints(bytes(data)) == ""
    for symbol, behind, instead, word in spoiled():
        at = next(part.offset + symbols[symbol] + behind - part.address for part in segments
                  if part.address <= symbols[symbol] < part.address + part.size)
        changed = bytearray(data)
        changed[at:at + len(instead)] = instead
        assert changed != data, symbol
        said = complaints(bytes(changed))
        assert said and word in said, (symbol, behind, said)


# --- the text ---------------------------------------------------------------------------------------------------

def forms(data: Any, path: Tuple[Any, ...] = ()) -> "List[Tuple[Any, ...]]":
    """Places of values in a canonical form."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path] + [place for key, value in inner for place in forms(value, (*path, key))]


STRANGE: Tuple[Any, ...] = (None, True, -1, 1 << 63, 10 ** 19, "", "x", "a\nb", "*/ x /*", [], [[]], {}, {"x": 1},
                            [1, 2])


def test_a_form_with_one_value_changed_is_refused_or_reads_as_written(small: Policy) -> None:
    """An accepted form is written again as it was: the model has nothing that the form lacks."""
    good = json.loads(canonical.dump(small, meaning_hash(small)))
    accepted = 0
    for number, path in enumerate(forms(good)[1:]):
        for value in (STRANGE[number % len(STRANGE)], STRANGE[(number // len(STRANGE)) % len(STRANGE)]):
            changed = json.loads(json.dumps(good))
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            try:
                form = parse(json.dumps(changed).encode())
                policy = canonical.load(form)
                canonical.claimed_hash(form)
                hold(policy)
            except Malformed:
                continue
            accepted += 1
            again = json.loads(canonical.dump(policy, int(changed["hash"], 16)))
            assert again == changed, (path, value)
            assert path[0] in ("about", "accepted", "file", "files", "entries", "asserts", "hash", "mode"), path
    assert accepted < 200


@pytest.mark.parametrize("change", [
    {"name": "Not A Name"}, {"name": "x\"; system(\"id\"); //"}, {"platform": "../../etc"}, {"mode": "off"},
    {"features": {"pmu": "expose"}}, {"files": ["a\n#include x"]}, {"file": "x" * 5000}, {"about": "a\x1b[2J"},
    {"entries": []}, {"windows": []}, {"more": 1}, {"canonical": 1}])
def test_a_form_that_no_policy_has(change: Dict[str, Any], small: Policy, tmp_path: Path,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    good = json.loads(canonical.dump(small, meaning_hash(small)))
    path = tmp_path / "form.json"
    path.write_text(json.dumps({**good, **change}), encoding="utf-8")
    assert main(["explain", str(path), "read", "PMCR_EL0"]) == 2
    said = capsys.readouterr().err
    assert "PG012" in said and said.count("error[") == 1 and "Traceback" not in said


def test_ranges_are_those_of_the_name(small: Policy) -> None:
    """An entry that names one register and covers another, a window at another place: their words would be wrong."""
    for before, after in (('"size":1', '"size":2'), ('"base":150994944', '"base":150995200'),
                          ('"name":"uart0"', '"name":"rtc"'), ('"do":"deny"', '"do":"allow"')):
        text = canonical.dump(small, meaning_hash(small))
        assert before in text
        with pytest.raises(Malformed):
            hold(canonical.load(parse(text.replace(before, after, 1).encode())))


def test_a_form_has_bounds(tmp_path: Path) -> None:
    for data, word in ((b"{" + b" " * (17 << 20), "16 MiB"), (b'{"a":' + b"[" * 100000, "deep"),
                       (b"{" + b"[]," * (1 << 20), "lists and maps"), (b'{"a":' + b"9" * 90 + b"}", "90 digits"),
                       (b'{"a":1,"a":2}', "twice"), (b'{"a":1e9}', "no whole number"), (b'{"a":NaN}', "no whole"),
                       (b'{"\\ud800":1}', "U+D800"), (b"\xff", "UTF-8"), (b"[]", "not a map"), (b"", "line 1")):
        with pytest.raises(Malformed, match=word.replace("+", r"\+")):
            parse(data)
