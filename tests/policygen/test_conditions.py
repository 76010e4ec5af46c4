# SPDX-License-Identifier: Apache-2.0
"""Conditions (`where:`): what they tell apart, against every input of small ones; and what each verb says of them."""
from __future__ import annotations

import io
import json
import random
import re
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import List, Tuple

import pytest

from policygen.__main__ import main
from policygen.facts.arch import load_arch
from policygen.language.flat import flat
from policygen.language.model import Access, Policy
from policygen.language.reread import compare as same_words
from policygen.meaning.compare import compare
from policygen.meaning.digest import meaning_hash
from policygen.meaning.evaluate import decide, evaluator
from policygen.meaning.load import load_policy
from policygen.meaning.layout_map import Look
from policygen.meaning.regions import BITS, Inputs, asked_of, borders, cases, meets
from policygen.meaning.say import told

HERE = Path(__file__).parent
README = (HERE.parents[1] / "policy" / "README.md").read_text(encoding="utf-8")
HEAD = "policy: 1\nname: conditional\nplatform: qemu-virt\nfeatures: { pmu: hide, sve: hide, sme: hide, mte: hide, " \
       "pauth: hide, ras: hide, lor: hide, spe: hide, fp: expose }\n"
BASE = "sysregs:\n  default: deny\n  core: allow\n  mmu: allow\n  id: allow\n{}mmio:\n  default: deny\n{}" \
       "hvc:\n  default: deny\n{}smc: {{ default: deny }}\nexceptions:\n  default: forward\n{}"


def policy(path: Path, sysregs: str = "", mmio: str = "", hvc: str = "", exceptions: str = "") -> Policy:
    path.write_text(HEAD + BASE.format(*("".join(f"  {line}\n" for line in text.splitlines())
                                         for text in (sysregs, mmio, hvc, exceptions))), encoding="utf-8")
    found, diags = load_policy(str(path))
    assert found is not None, diags.render()
    return found


def key(name: str) -> int:
    return load_arch().registers[name].key


def said(*words: str) -> Tuple[int, str]:
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        status = main(list(words))
    return status, out.getvalue()


# --- what conditions tell apart ---------------------------------------------------------------------------------

def some_look(pick: random.Random, bits: int) -> Look:
    part = pick.choice(("value", "value", "changed", "cleared", "x1", "from", "pc"))
    if part == "from":
        return Look(part, 0, 64, ((pick.randrange(2),) * 2,))
    if part in ("x1", "pc"):
        return Look(part, 0, 64, tuple((at, at + pick.randrange(2)) for at in sorted(pick.sample(range(0, 6, 3), 1))))
    shift = pick.randrange(bits)
    width = pick.randint(1, bits - shift)
    top = (1 << width) - 1
    if part != "value":
        return Look(part, shift, width, ((0, 0),))
    edges = sorted(pick.sample(range(top + 1), min(top + 1, pick.choice((1, 2, 4)))))
    spans = tuple(zip(edges[::2], edges[1::2])) or ((edges[0], edges[0]),)
    return Look(part, shift, width, spans)


@pytest.mark.parametrize("seed", range(60))
def test_the_cases_are_all_that_conditions_tell_apart(seed: int) -> None:
    """Against every value over every value of four bits, each level, and small arguments: overlapping fields, too."""
    pick, bits = random.Random(seed), 4
    wheres = [tuple(some_look(pick, bits) for _ in range(pick.randint(1, 3))) for _ in range(pick.randint(1, 3))]

    def truths(inputs: Inputs) -> Tuple[bool, ...]:
        return tuple(all(meets(look, inputs) for look in where) for where in wheres)
    every = {truths(Inputs(value, held, x1, 0, 0, level, pc)) for value, held, x1, level, pc in
             product(range(1 << bits), range(1 << bits), range(8), (0, 1), range(8))}
    found = [truths(inputs) for inputs in cases(wheres, bits)]
    assert sorted(found) == sorted(every) and len(set(found)) == len(found), wheres
    assert set(found) <= {truths(inputs) for inputs in borders(wheres, bits)} <= every


def test_a_hundred_conditions_are_told_apart_in_time() -> None:
    fields = [place for (name, _), place in load_arch().fields.items() if name == "SCTLR_EL1"]
    sticky = tuple(Look("cleared", shift, width, ((0, 0),)) for shift, width in fields)
    same = tuple(Look("changed", shift, width, ((0, 0),)) for shift, width in fields[::2])
    numbers = (Look("value", 0, 64, tuple((at * 1000, at * 1000 + 500) for at in range(100))),)
    assert len(cases((sticky, same, numbers), BITS)) == 8
    assert len(borders((sticky, same, numbers), BITS)) > 200


# --- decisions --------------------------------------------------------------------------------------------------

SCTLR = "SCTLR_EL1: { write: { do: allow, where: { M: sticky, WXN: sticky, EE: 0 }, else: deny, log: always } }"


def test_what_is_written_over_what_is_held(tmp_path: Path) -> None:
    found = policy(tmp_path / "p.yaml", SCTLR)

    def says(value: int, held: int) -> str:
        return told(decide(found, Access("sysregs", key("SCTLR_EL1"), "write", value=value, held=held)))
    assert says(1, 0) == says(1, 1) == says(0, 0) == says(1 | 1 << 19, 1) == "allow"
    assert says(0, 1) == says(1, 1 | 1 << 19) == says(1 << 25, 0) == "deny (UNDEF)"
    assert says(0xc, 0xffffffff & ~(1 | 1 << 19)) == "allow", "what no condition is about may change"


def test_chains_lists_levels_and_the_pc(tmp_path: Path) -> None:
    found = policy(tmp_path / "p.yaml", "CNTPCT_EL0: { read: { do: allow, where: { from: el1 }, else: { value: 0 } } }",
                   "w: { at: 0x0b000000, size: 4K, do: raz-wi, where: { pc: 0x40000000..0x40000fff }, else: { do: deny } }",
                   "0x86000001: { value: 0, where: { x1: [1, 2, 4], x3: 0 }, else: { do: kill, where: { x1: 5..7 }, "
                   "else: { value: 3 } } }\n0x06000001: { value: 0, where: { x2: [0, 0x100000000] } }",
                   "BRK64: { do: pause, where: { from: el1 }, else: forward }")
    call, far = Access("hvc", 0x86000001), Access("hvc", 0x06000001)
    args = ((1, 0, 0), (4, 9, 1 << 32), (4, 0, 1), (6, 0, 0), (3, 0, 0))
    assert [told(decide(found, replace(call, args=each))) for each in args] == \
        ["value 0x0", "value 0x0", "value 0x3", "kill", "value 0x3"]
    assert [told(decide(found, replace(far, args=(0, x2, 0)))) for x2 in (0, 1, 1 << 32)] == \
        ["value 0x0", "deny (NOT_SUPPORTED)", "value 0x0"]
    read = Access("sysregs", key("CNTPCT_EL0"), "read")
    assert [told(decide(found, replace(read, el=el))) for el in (0, 1)] == ["value 0x0", "allow"]
    window = Access("mmio", 0x0b000010, "write")
    assert [told(decide(found, replace(window, pc=pc))) for pc in (0x3fffffff, 0x40000000, 0x40000fff, 0x40001000)] == \
        ["deny (SEA)", "raz-wi", "raz-wi", "deny (SEA)"]
    brk = Access("exceptions", 0x3c)
    assert [told(decide(found, replace(brk, el=el))) for el in (0, 1)] == ["forward", "pause"]


def test_the_readme_means_what_it_says(tmp_path: Path) -> None:
    block = README.split("## Conditions\n\n```yaml\n")[1].split("```")[0].splitlines()
    found = policy(tmp_path / "p.yaml", "\n".join(line for line in block if line[0].isupper()), "",
                   next(line for line in block if line[0].isdigit()))
    assert told(decide(found, Access("hvc", 0x86000001, args=(9, 0, 0), pc=0x50000000))) == "kill"
    assert told(decide(found, Access("sysregs", key("TCR_EL1"), "write", value=26))) == "kill"
    assert told(decide(found, Access("sysregs", key("TCR_EL1"), "write", value=25 | 2 << 14))) == "allow"


def test_what_is_written_back_is_what_was_read(tmp_path: Path) -> None:
    """`expand`, and the canonical form that is held to it: inherited modifiers of an `else`, both directions of a raz-wi."""
    path = tmp_path / "p.yaml"
    found = policy(path, f"{SCTLR}\nCONTEXTIDR_EL1: {{ do: raz-wi, where: {{ pc: [1, 3..4] }}, log: always, else: allow }}\n"
                   "AFSR0_EL1: { do: raz-wi, where: { pc: 0 }, else: { do: raz-wi, log: once, why: it is nothing } }\n"
                   "MAIR_EL1: { write: { do: allow, where: { value: same }, log: always, else: { mask: 1, log: never } } }",
                   "w: { at: 0x0b000000, size: 4K, do: raz-wi, where: { from: el0 }, width: [4], "
                   "else: { do: deny, as: serror } }",
                   "0x86000001: { do: deny, as: DENIED, where: { x1: 1 }, else: { do: deny, as: NOT_SUPPORTED, log: never } }")
    path.write_text(flat(found), encoding="utf-8")
    again, diags = load_policy(str(path))
    assert again is not None, diags.render()
    same_words(found, again)
    assert meaning_hash(found) == meaning_hash(again) and not compare(found, again)


# --- verbs ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("old, new, kind", [
    ("{ M: sticky }", "{ M: sticky, WXN: sticky }", "TIGHTER"), ("{ M: sticky }", "{ M: same }", "TIGHTER"),
    ("{ M: same }", "{ M: sticky }", "LOOSER"), ("{ TCF: 0..1 }", "{ TCF: [0, 1, 3] }", "LOOSER"),
    ("{ TCF: 0..1 }", "{ TCF: 1..2 }", "LOOSER"), ("{ value: 0..0xf }", "{ value: 0..0xe }", "TIGHTER"),
    ("{ M: 0 }", "{ value: 0 }", "TIGHTER"), ("{ pc: 0..0xfff }", "{ pc: 0..0x1fff }", "LOOSER")])
def test_diff_finds_what_a_condition_opens_and_its_gate_stops_it(tmp_path: Path, old: str, new: str, kind: str) -> None:
    paths = []
    for name, where in (("old", old), ("new", new)):
        paths.append(tmp_path / f"{name}.yaml")
        policy(paths[-1], f"SCTLR_EL1: {{ write: {{ do: allow, where: {where} }} }}")
    status, text = said("diff", *map(str, paths), "--gate", "looser")
    assert (status == 1) == (kind == "LOOSER") and text.startswith(kind), text
    assert "write SCTLR_EL1, for some accesses" in text
    one, two = (load_policy(str(path))[0] for path in paths)
    assert one and two and meaning_hash(one) != meaning_hash(two)
    for change in compare(one, two):            # the example is one
        assert told(decide(one, change.sample)) != told(decide(two, change.sample)), text


def test_what_is_written_otherwise_and_means_the_same_has_one_hash(tmp_path: Path) -> None:
    one = policy(tmp_path / "one.yaml", "SCTLR_EL1: { write: { do: allow, where: { TCF: [0, 1, 2..2], M: 1 } } }")
    two = policy(tmp_path / "two.yaml", "SCTLR_EL1: { write: { do: allow, where: { M: [1], TCF: 0..2 }, else: deny } }")
    assert meaning_hash(one) == meaning_hash(two) and not compare(one, two)


def test_explain_says_which_condition_did_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    policy(path, SCTLR)
    _, text = said("explain", str(path), "write", "SCTLR_EL1", "value=0x80000", "held=0x1")
    assert re.search(r"decision +deny \(UNDEF\)", text) and "M: sticky does not hold: M is 0x0, and was 0x1" in text
    assert "WXN: sticky holds: WXN is 0x1, and was 0x0" in text and "enforced  HCR_EL2.TVM=1" in text
    line = "@D 4 0.312468736 DENY r12 msr.w SCTLR_EL1=0x0 held=0x1 pc=0x40004cb0 el=1 cost=154 esr=0x62301402 *00000000"
    _, text = said("explain", str(path), line)
    assert "M: sticky does not hold" in text and "log says" in text, text
    status, text = said("explain", str(path), "write", "SCTLR_EL1", "bits=1")
    assert status == 2 and "bits=1: behind the name comes what conditions look at" in text


def test_a_test_and_an_assertion_give_inputs(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    policy(path, SCTLR)
    text = path.read_text(encoding="utf-8")
    for claim, good in (("{ write: SCTLR_EL1, given: 0, args: { held: 1 }, expect: deny }", True),
                        ("{ write: SCTLR_EL1, given: 1, args: { held: 1 }, expect: deny }", False),
                        ("{ write: SCTLR_EL1, given: 1, args: { held: 1, from: el1, pc: 0x40000000 }, never: deny }", True)):
        path.write_text(f"{text}tests:\n  - {claim}\n", encoding="utf-8")
        status, out = said("test", str(path))
        assert (status == 0) == good, (claim, out)
    for claim, good in (("{ write: SCTLR_EL1, never: allow }", False), ("{ write: SCTLR_EL1, never: kill }", True),
                        ("{ write: SCTLR_EL1, given: 0, args: { held: 1 }, always: deny }", True)):
        path.write_text(f"{text}assert:\n  claim: {claim}\n", encoding="utf-8")
        status, out = said("--check", str(path))
        assert (status == 0) == good, (claim, out)


def test_cost_tells_before_anything_runs(tmp_path: Path) -> None:
    """SCTLR_EL1 cannot be watched without every switch between tasks before FEAT_FGT."""
    path = tmp_path / "p.yaml"
    policy(path, SCTLR)
    status, text = said("cost", str(path))
    assert status == 0 and re.search(r"^102\d +HCR_EL2.TVM ", text, re.M), text
    assert "at each switch between tasks, too: CONTEXTIDR_EL1, TTBR0_EL1, TTBR1_EL1 (HCR_EL2.TVM" in text
    data = json.loads(said("cost", str(path), "--format", "json")[1])
    assert next(bit for bit in data["bits"] if bit["name"] == "HCR_EL2.TVM")["accesses"]["write CONTEXTIDR_EL1"] == 1006
    assert "HCR_EL2.TVM catches CONTEXTIDR_EL1" in said("traps", str(path))[1]
    assert "HCR_EL2.TVM" not in said("cost", "permissive")[1]


def test_a_register_that_nothing_traps_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    policy(path, "VBAR_EL1: { write: { do: allow, where: { value: same } } }")
    status, text = said("--check", str(path))
    assert status == 1 and "PG501" in text and "no trap bit of cortex-a57 covers VBAR_EL1" in text, text


def test_every_side_of_a_border_is_a_question_of_verify(tmp_path: Path) -> None:
    found = policy(tmp_path / "p.yaml", "TCR_EL1: { write: { do: allow, where: { T0SZ: 16..25 } } }")
    access = Access("sysregs", key("TCR_EL1"), "write")
    asked = {inputs.value for inputs in borders(asked_of(evaluator(found), access))}
    assert {15, 16, 25, 26} <= asked


@pytest.mark.parametrize("what", ["where: { M: stiky }", "where: { Mm: 1 }", "where: { from: el2 }", "where: { value: rams }"])
def test_a_slip_is_one_error_with_the_word(tmp_path: Path, what: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + BASE.format(f"  SCTLR_EL1: {{ write: {{ do: allow, {what} }} }}\n", "", "", ""), encoding="utf-8")
    _, diags = load_policy(str(path))
    errors: List[str] = [text for item in diags.items if item.severity == "error" for text in item.helps]
    assert len([item for item in diags.items if item.severity == "error"]) == 1, diags.render()
    assert any(word in text for text in errors for word in ("sticky", "M, A", "el1", "ram", "M?")), diags.render()
