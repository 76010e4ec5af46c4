# SPDX-License-Identifier: Apache-2.0
"""Decisions of policies: the shipped profiles as wholes, small ones access by access."""
from __future__ import annotations

import random
import re
import zlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policygen.language.flat import flat as expand
from policygen.facts import virtio
from policygen.facts.arch import load_arch
from policygen.facts.board import load_board
from policygen.facts.names import known_names
from policygen.language import store
from policygen.language.model import Access, Policy
from policygen.meaning.digest import meaning_hash
from policygen.meaning.evaluate import decide, evaluator
from policygen.meaning.load import load_policy
from policygen.meaning.layout_map import layout_map
from policygen.meaning.say import told
from policygen.target.review import review
from policygen.text import source
from policygen.text.diag import Diagnostics

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("default", "strict", "permissive")
GOOD = [str(path) for path in sorted((Path(__file__).parent / "good").glob("*.yaml"))]


def loaded(name: str, mode: str = "enforce") -> Policy:
    policy, diags = load_policy(name, mode=mode)
    assert policy is not None, diags.render()
    return policy


@lru_cache(maxsize=None)
def kept(name: str, mode: str) -> Policy:
    return loaded(name, mode)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("cpu", ["cortex-a57", "max"])
def test_shipped_profiles_pass(name: str, cpu: str) -> None:
    found = review(name, cpu=cpu)
    assert found.good, found.diags.render()
    assert found.policy is not None and found.policy.asserts and found.policy.tests


@pytest.mark.parametrize("name", SHIPPED)
def test_audit_keeps_every_assertion(name: str) -> None:
    assert review(name, "audit").good


@pytest.mark.parametrize("name", [*SHIPPED, *GOOD])
def test_the_flat_form_means_the_same(name: str, tmp_path: Path) -> None:
    policy, _ = load_policy(name)
    assert policy is not None
    flat = tmp_path / "flat.yaml"
    flat.write_text(expand(policy), encoding="utf-8")
    again, diags = load_policy(str(flat))
    assert again is not None, diags.render()
    assert meaning_hash(again) == meaning_hash(policy)
    assert [entry.name for entry in again.entries] == [entry.name for entry in policy.entries]


def sections(text: str) -> List[List[str]]:
    """Top-level blocks of a file."""
    blocks: List[List[str]] = [[]]
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            blocks.append([])
        blocks[-1].append(line)
    return blocks


@pytest.mark.parametrize("name", ("strict", "permissive"))
def test_order_does_not_matter(name: str, tmp_path: Path) -> None:
    text = (ROOT / "policy" / f"{name}.yaml").read_text(encoding="utf-8")
    shuffled = random.Random(7)
    blocks = []
    for head, *body in (block for block in sections(text) if block):
        entries = [line for line in body if line.strip() and not line.strip().startswith("#")]
        shuffled.shuffle(entries)
        blocks.append("\n".join([head, *entries]))
    shuffled.shuffle(blocks)
    path = tmp_path / "shuffled.yaml"
    path.write_text("\n".join(blocks) + "\n", encoding="utf-8")
    assert meaning_hash(loaded(str(path))) == meaning_hash(loaded(name))


Words = Dict[Tuple[str, ...], source.Scalar]            # by the places that lead to them


@lru_cache(maxsize=None)
def spelled(name: str) -> Tuple[str, source.Source, Words]:
    """A shipped policy and its words, keys and values alike: not numbers, encodings, text for people, or names that it
    chooses. A word at the same place of another entry is taken once."""
    text = (ROOT / "policy" / f"{name}.yaml").read_text(encoding="utf-8").replace(f"name: {name}", "name: slip")
    found = source.parse(text.encode(), "t.yaml", Diagnostics())
    assert found is not None and found.root is not None
    words: Words = {}

    def add(scalar: source.Scalar, place: Tuple[str, ...]) -> None:
        if re.fullmatch(r"(?!S\d_)[A-Za-z][A-Za-z0-9_-]{2,}", scalar.text):
            words[(*place, scalar.text)] = scalar

    def walk(node: source.Node, place: Tuple[str, ...]) -> None:
        if isinstance(node, source.Mapping):
            for key, value in node.items:
                own = place in (("assert",), ("waive",)) or isinstance(value, source.Mapping) and value.get("at")
                if not own:
                    add(key, (*place, "key"))
                if key.text not in ("name", "about", "why"):
                    walk(value, (place or (key.text,)) if own or not place or place[0] != "tests" else place)
        elif isinstance(node, source.Sequence):
            for item in node.items:
                walk(item, place)
        elif isinstance(node, source.Scalar):
            add(node, (*place, "value"))

    walk(found.root, ())
    return text, found, words


def respelled(node: source.Node, word: source.Scalar, other: source.Scalar) -> source.Node:
    """The tree with a word replaced."""
    if isinstance(node, source.Mapping):
        items = tuple((other if key is word else key, respelled(value, word, other)) for key, value in node.items)
        return node if all(a[0] is b[0] and a[1] is b[1] for a, b in zip(items, node.items)) else \
            source.Mapping(node.span, items)
    if isinstance(node, source.Sequence):
        parts = tuple(respelled(item, word, other) for item in node.items)
        return node if all(a is b for a, b in zip(parts, node.items)) else source.Sequence(node.span, parts)
    return other if node is word else node


def slip(word: str) -> str:
    """A letter too many, one too few, two swapped, one doubled, or a wrong one."""
    at, odd = len(word) // 2, "q" if word.islower() else "Q"
    return (word[:at] + odd + word[at:], word[:at] + word[at + 1:], word[:at] + word[at] + word[at:],
            word[:at - 1] + word[at] + word[at - 1] + word[at + 1:],
            word[:at] + odd + word[at + 1:])[zlib.crc32(word.encode()) % 5]


def said(path: Path, instead: Optional[source.Source]) -> Diagnostics:
    """The complaints of check about a file; with `instead`, as if the file had that tree."""
    with pytest.MonkeyPatch.context() as patch:
        if instead is not None:
            real = store.Store.read

            def read(self: store.Store, asked: Path, diags: Diagnostics) -> Optional[source.Source]:
                if asked != path:
                    return real(self, asked, diags)
                shown = instead.file
                diags.sources[shown], diags.ignores[shown] = list(instead.lines), instead.ignores
                return instead
            patch.setattr(store.Store, "read", read)
        return load_policy(str(path))[1]


def told_of(diags: Diagnostics) -> List[Tuple[object, ...]]:
    return [(item.code, item.severity, item.span and (item.span.line, item.span.col, item.span.end), item.message,
             item.helps) for item in diags.sorted()]


@pytest.mark.parametrize("name", store.policy_names())
def test_a_slip_in_any_word_is_one_error_with_the_right_word(name: str, tmp_path: Path) -> None:
    """Seven in eight are put into the parsed file (parsing it again takes half of the time), the others are written."""
    text, found, words = spelled(name)
    assert len(words) > 150 and found.root is not None
    taken = {word for word, _, _ in known_names(load_board("qemu-virt"))} | {word.text for word in words.values()}
    for other in store.policy_names()[:store.policy_names().index(name)]:       # these words have been tried above
        theirs = spelled(other)[2]
        words = {place: word for place, word in words.items() if place not in theirs}
    path, lines, written = tmp_path / "slip.yaml", text.split("\n"), 0
    path.write_text(text, encoding="utf-8")
    for number, word in enumerate(words.values()):
        wrong, before = slip(word.text), lines[word.span.line - 1]
        if wrong in taken:
            continue
        after = before[:word.span.col - 1] + wrong + before[word.span.end - 1:]
        new = [*lines[:word.span.line - 1], after, *lines[word.span.line:]]
        span = replace(word.span, end=word.span.col + len(wrong))
        root = respelled(found.root, word, source.Scalar(span, wrong, word.plain))
        assert root is not found.root and isinstance(root, source.Mapping)
        there = said(path, replace(found, lines=tuple(new), root=root))
        if number % 8 == 0:
            path.write_text("\n".join(new), encoding="utf-8")
            written += 1
            assert told_of(said(path, None)) == told_of(there), "as if it were written"
        errors = [item for item in there.items if item.severity == "error"]
        assert len(errors) == 1, (wrong, there.render())
        assert errors[0].span is not None and errors[0].span.line == word.span.line
        assert any(word.text in text for text in errors[0].helps), (wrong, there.render())
    assert written > 5 or len(words) < 60


# --- one access at a time ---------------------------------------------------------------------------------------

def test_decisions(policy_file: Callable[[str], str]) -> None:
    policy = loaded(policy_file("""
features: { sve: hide, fp: expose }
sysregs:
  default: deny
  id: { do: allow, log: once }
  core: allow
  imp-def: raz-wi
  S3_0_C15_C2_0: { read: { value: 5 } }
  ID_AA64ISAR0_EL1: { fields: { AES: 1 } }
  AFSR0_EL1: { mask: 0xf0 }
mmio:
  default: deny
  uart0: { emulate: pl011, width: [1, 4] }
  rtc: { read: allow, write: { do: deny, as: serror } }
  w: { at: 0x0b000000, size: 4K, default: raz-wi, regs: { 0x10: { value: 9 }, 0x20-0x2c: kill } }
hvc:
  default: deny
  PSCI_CPU_ON: { do: allow, where: { x1: 1..3, x2: ram }, else: deny, as: DENIED }
  0x86000001: { value: -2 }
"""))
    key = load_arch().registers
    isar, pfr = key["ID_AA64ISAR0_EL1"].key, key["ID_AA64PFR0_EL1"].key

    def says(section: str, number: int, direction: str = "", **more: object) -> str:
        return told(decide(policy, Access(section, number, direction, **more)))      # type: ignore[arg-type]

    assert says("sysregs", key["ZCR_EL1"].key, "read") == "deny (UNDEF)"
    assert says("sysregs", key["VBAR_EL1"].key, "write") == "allow"
    assert says("sysregs", key["FPCR"].key, "write") == "allow"             # its feature is exposed
    assert says("sysregs", key["TTBR0_EL1"].key, "write") == "deny (UNDEF)"
    assert says("sysregs", isar, "read") == "mask 0xffffffffffffff0f with 0x10"
    assert says("sysregs", pfr, "read") == "mask 0xfffffff0ffffffff"
    assert says("sysregs", key["AFSR0_EL1"].key, "write") == "mask 0xf0"
    assert says("sysregs", 0xc790, "read") == "value 0x5" and says("sysregs", 0xc790, "write") == "raz-wi"
    assert says("exceptions", load_arch().classes["SVE"]) == "deny (UNDEF)"
    assert says("exceptions", 60) == "forward"
    assert says("mmio", 0x09000018, "write") == "emulate pl011"
    up, there, nowhere = 0xdeadbeef << 32, 0x40001000, 0x3ffff000       # SMC32 functions take W registers
    assert says("hvc", 0x84000003, args=(up | 1, up | there, 0)) == "allow" == says("hvc", 0xc4000003, args=(1, there, 0))
    for number, args in ((0x84000003, (up | 4, there)), (0x84000003, (1, up | nowhere)), (0xc4000003, (up | 1, there)),
                         (0xc4000003, (1, up | there))):
        assert says("hvc", number, args=(*args, 0)) == "deny (DENIED)", (hex(number), args)
    assert says("mmio", 0x09000018, "write", width=2) == "deny (SEA)"
    assert says("mmio", 0x09010000, "write") == "deny (SERROR)" and says("mmio", 0x09010000, "read") == "allow"
    assert says("mmio", 0x0b000010, "read") == "value 0x9" and says("mmio", 0x0b000010, "write") == "raz-wi"
    assert says("mmio", 0x0b00002c, "read") == "kill" and says("mmio", 0x0b000030, "read") == "raz-wi"
    assert says("mmio", 0x0b00000e, "read", width=4) == "deny (SEA)"        # touches two
    assert says("mmio", 0x0b000ffe, "read", width=4) == "deny (SEA)"        # leaves the window
    assert says("hvc", 0xc4000003, args=(1, 0x40000000, 0)) == "allow"
    assert says("hvc", 0xc4000003, args=(4, 0x40000000, 0)) == "deny (DENIED)"
    assert says("hvc", 0x86000001) == "value 0xfffffffffffffffe"
    assert decide(policy, Access("hvc", 0xc4000003, args=(1, 0x40000000, 0))).model == "psci-cpu-on"


def test_audit_performs_what_no_assertion_forbids(policy_file: Callable[[str], str]) -> None:
    policy = loaded(policy_file("""
sysregs: { default: deny, core: allow }
mmio: { default: deny, rtc: deny }
assert:
  no-pmu: { read: pmu, always: deny }
  no-cpus: { hvc: PSCI_CPU_ON, never: allow }
""".replace(", rtc: deny", ", rtc: { do: deny, log: always }")), "audit")
    arch = load_arch()

    def says(section: str, number: int, direction: str = "") -> str:
        decision = decide(policy, Access(section, number, direction))
        return f"{decision.verdict} {decision.do}"

    pmcr, ttbr = arch.registers["PMCR_EL0"].key, arch.registers["TTBR0_EL1"].key
    assert says("sysregs", pmcr, "read") == "DENY deny" and says("sysregs", pmcr, "write") == "WOULD allow"
    assert says("sysregs", ttbr, "read") == "WOULD allow"
    assert says("mmio", 0x0b000000, "read") == "WOULD value" and says("mmio", 0x0b000000, "write") == "WOULD ignore"
    assert says("mmio", 0x09010000, "read") == "WOULD allow"
    assert says("hvc", 0x84000003) == "DENY deny" and says("hvc", 0x84000000) == "WOULD allow"


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("mode", ["enforce", "audit"])
def test_pieces_are_decided_as_a_whole(name: str, mode: str) -> None:
    """Assertions rely on it: inside a piece, every key has the decision of the first."""
    policy = loaded(name, mode)
    pick = random.Random(3)
    for section, last in (("sysregs", 0xffff), ("hvc", 0xffffffff), ("exceptions", 65), ("mmio", 0x3fffffff)):
        for low, high in evaluator(policy).cells(section, ((0, last),)):
            direction = pick.choice(("read", "write")) if section in ("sysregs", "mmio") else ""
            for key in {high, pick.randint(low, high)}:
                assert decide(policy, Access(section, key, direction, 1)) == \
                    decide(policy, Access(section, low, direction, 1)), (section, hex(key))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SHIPPED), st.sampled_from(["enforce", "audit"]), st.integers(0, 0xffff), st.sampled_from([0, 1]))
def test_agrees_with_the_layout_map(name: str, mode: str, key: int, side: int) -> None:
    """Two implementations, one for a single access and one for all (`policygen verify` compares every access)."""
    direction = ("read", "write")[side]
    policy = kept(name, mode)
    decision, outcome = decide(policy, Access("sysregs", key, direction)), layout_map(policy).sysregs[direction][key]
    assert (decision.entry.rule, decision.do, decision.verdict) == (outcome.rule, outcome.do, outcome.verdict)


@pytest.mark.parametrize("model, names, bits", [
    ("virtio-blk", "[VIRTIO_BLK_F_SEG_MAX, VIRTIO_BLK_F_FLUSH]", 0x204),
    ("virtio-blk", "VIRTIO_BLK_F_RO", 0x20), ("virtio-blk", "[VIRTIO_F_VERSION_1]", 0),
    ("virtio-blk-ro", "[VIRTIO_BLK_F_RO, VIRTIO_F_ANY_LAYOUT]", 1 << 27),   # RO keeps its offer, whatever the policy says
    ("virtio-mmio", "[VIRTIO_NET_F_MAC, VIRTIO_BLK_F_DISCARD]", 0x2020),
])
def test_features_by_name_are_the_bits(model: str, names: str, bits: int,
                                       policy_file: Callable[[str], str]) -> None:
    def of(offer: str) -> Policy:
        return loaded(policy_file(
            f"mmio: {{ default: deny, virtio-disk: {{ emulate: {model}, offer: {offer} }} }}\n"))

    named = of(names)
    assert meaning_hash(named) == meaning_hash(of(hex(bits))) != meaning_hash(of("0xffffffff"))
    line = next(line for line in expand(named).splitlines() if "offer:" in line)
    assert meaning_hash(of(line.split("offer: ")[1].split(" }")[0])) == meaning_hash(named)
    assert ("VIRTIO_" in line) == (model != "virtio-mmio" and names != "[VIRTIO_F_VERSION_1]")


def test_el2_offers_what_policygen_says() -> None:
    text = (ROOT / "hv/dev/virtio.c").read_text(encoding="utf-8")
    offers = {name: int(value, 16) for name, value in re.findall(r"#define OFFER_(\w+) +(\w+?)u", text)}
    assert offers == {"NET": virtio.OFFERED["net"], "BLOCK": virtio.OFFERED["blk"],
                      "CONSOLE": virtio.OFFERED["console"], "VERSION_1": 1}
    assert virtio.OFFERED["any"] == 1 << 27 and "#define ANY_LAYOUT          BIT(27)" in text
