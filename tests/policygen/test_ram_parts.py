# SPDX-License-Identifier: Apache-2.0
"""`memory:` of the language: decisions page by page, and what each verb says of them."""
from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Callable, List, Optional, Tuple

import pytest

from policygen.__main__ import main
from policygen.facts.board import load_board
from policygen.language.flat import flat
from policygen.language.model import Access, Policy
from policygen.language.reread import compare as same_words, hold
from policygen.meaning import canonical
from policygen.meaning.compare import compare
from policygen.meaning.digest import meaning_hash
from policygen.meaning.evaluate import decide, evaluator
from policygen.meaning.layout_map import layout_map
from policygen.meaning.load import load_policy
from policygen.meaning.say import told
from policygen.target import verify
from policygen.target.reach import reached

DENY = "deny (PERMISSION)"
PolicyFile = Callable[[str], str]
LOW, HIGH = load_board("qemu-virt").ram
BODY = """\
memory:
  default: rwx
  text: { at: 0x40210000, size: 2M, may: rx, write: { do: allow, where: { pc: 0x40210000..0x4021ffff }, log: always } }
  stub: { at: 0x40300000, size: 4K, may: rwx }
  ro: { at: 0x50000000, size: 8K, may: r, do: kill, log: always, why: constants stay }
  half: { at: 0x50001000, size: 4K, exec: allow }
  heap: { at: 0x60000000, size: 64M, may: rw, why: no code }
"""


def fresh(path: str, mode: Optional[str] = None) -> Policy:
    policy, diags = load_policy(path, mode=mode)
    assert policy is not None, diags.render()
    return policy


def says(policy: Policy, direction: str, ipa: int, pc: int = 0) -> str:
    return told(decide(policy, Access("memory", ipa, direction, pc=pc)))


def test_the_narrower_part_decides_each_direction_alone(policy_file: PolicyFile) -> None:
    policy = fresh(policy_file(BODY))
    table = {0x40000000: ("allow", "allow"), 0x4020ffff: ("allow", "allow"), 0x40210000: (DENY, "allow"),
             0x40300000: ("allow", "allow"), 0x40301000: (DENY, "allow"), 0x4040ffff: (DENY, "allow"),
             0x40410000: ("allow", "allow"), 0x50000fff: ("kill", "kill"), 0x50001000: ("kill", "allow"),
             0x50002000: ("allow", "allow"), 0x60000000: ("allow", DENY), HIGH: ("allow", "allow")}
    assert {ipa: (says(policy, "write", ipa), says(policy, "exec", ipa)) for ipa in table} == table
    assert says(policy, "write", 0x40210000, pc=0x4021fffc) == "allow"
    assert says(policy, "write", 0x40300000, pc=0x4021fffc) == "allow"
    audited = fresh(policy.file, "audit")
    assert says(audited, "write", 0x40210000) == "allow, audited (would be denied)"
    assert says(audited, "write", 0x50000000) == "kill"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", ["enforce", "audit"])
def test_tables_and_the_map_agree_with_the_reference(policy_file: PolicyFile, seed: int, mode: str) -> None:
    """Random parts, nested and beside each other, by verify (the compiled tables) and by the layout map, page by page."""
    lines = "".join(f"  {line}\n" for line in parts(random.Random(seed)))
    policy = fresh(policy_file(f"memory:\n  default: rwx\n{lines}"), mode)
    assert not verify.verify(policy).differences
    layout, reference = layout_map(policy), evaluator(policy)
    for part in layout.memory:
        for ipa in (part.base, part.last, (part.base + part.last) // 2):
            for outcome, direction in zip(part.rows, ("write", "exec")):
                decision = reference.decide(Access("memory", ipa, direction, pc=1 << 47))
                while outcome.otherwise is not None:            # no condition holds there
                    outcome = outcome.otherwise
                assert (outcome.rule, outcome.do, outcome.verdict) == (decision.entry.rule, decision.do, decision.verdict)
    assert (layout.memory[0].base, layout.memory[-1].last) == (LOW, HIGH)
    assert all(one.last + 1 == other.base for one, other in zip(layout.memory, layout.memory[1:]))


def parts(pick: random.Random) -> List[str]:
    """Disjoint ranges, each with or without one inside."""
    out, at = [], LOW
    for number in range(pick.randint(1, 6)):
        at += pick.choice((0, 0x1000, 0x200000, 0x345000))
        pages = pick.choice((1, 2, 511, 512, 513, 1024, 2000))
        out.append(f"p{number}: {{ at: {at:#x}, size: {pages * 4096:#x}, {action(pick)}, why: outside }}")
        if pages > 2 and pick.random() < 0.5:
            inside = at + pick.randrange(pages - 1) * 4096
            out.append(f"p{number}-in: {{ at: {inside:#x}, size: 4K, {action(pick)}, why: inside }}")
        at += pages * 4096
    return out


def action(pick: random.Random) -> str:
    return pick.choice(("may: r", "may: rx", "may: rw", "may: rwx", "may: r, do: kill", "may: rx, log: always",
                        "may: rw, where: { from: el0 }, else: { do: kill }", "write: deny", "exec: kill",
                        "may: rx, write: { do: allow, where: { pc: 0x40000000..0x4000ffff }, log: always }",
                        "write: { do: allow, log: always }, exec: { do: deny, log: never }"))


def test_words_and_forms_keep_the_meaning(policy_file: PolicyFile, tmp_path: Path) -> None:
    policy = fresh(policy_file(BODY))
    expanded, form = tmp_path / "flat.yaml", tmp_path / "form.json"
    expanded.write_text(flat(policy), encoding="utf-8")
    form.write_text(canonical.dump(policy, meaning_hash(policy)), encoding="utf-8")
    hold(policy)
    for other in (fresh(str(expanded)), fresh(str(form))):
        same_words(policy, other)
        assert not compare(policy, other) and meaning_hash(policy) == meaning_hash(other)
    assert "may: r, do: kill, log: always, why: constants stay" in flat(policy) and "default: rwx" in flat(policy)


def test_a_policy_without_the_section_gives_all_of_ram(policy_file: PolicyFile, capsys: pytest.CaptureFixture[str]) -> None:
    path = policy_file("")
    without = fresh(path)
    assert main(["explain", path, "write", "0x48000000"]) == 2
    assert "PG603" in capsys.readouterr().err
    free = fresh(policy_file("memory: { default: rwx, spot: { at: 0x48000000, size: 4K, may: rwx, why: nothing } }\n"))
    assert not compare(without, free)


def test_the_hash_changes_with_every_border_and_letter(policy_file: PolicyFile) -> None:
    policy = fresh(policy_file(BODY))
    for old, new in (("size: 8K", "size: 16K"), ("may: rw,", "may: r,"), ("do: kill", "do: deny"), ("0x4021ffff", "0x4021fffe"),
                     ("log: always, why", "log: once, why"), ("at: 0x60000000", "at: 0x60001000")):
        other = fresh(policy_file(BODY.replace(old, new)))
        assert meaning_hash(policy) != meaning_hash(other) and compare(policy, other), old
    again = fresh(policy_file(BODY.replace("text:", "kernel:").replace("constants stay", "so be it")))
    assert meaning_hash(policy) == meaning_hash(again) and not compare(policy, again)


@pytest.mark.parametrize("old, new, kinds", [
    ("may: rw,", "may: rwx,", {"LOOSER"}), ("may: rwx }", "may: rx }", {"TIGHTER"}), ("do: kill", "do: deny", {"LOOSER"}),
    ("pc: 0x40210000..0x4021ffff", "pc: 0x40210000..0x4021efff", {"TIGHTER"})])
def test_diff_says_what_opens(policy_file: PolicyFile, old: str, new: str, kinds: set) -> None:     # type: ignore[type-arg]
    before, after = fresh(policy_file(BODY)), fresh(policy_file(BODY.replace(old, new)))
    changes = compare(before, after)
    assert {change.kind for change in changes} == kinds and {change.section for change in changes} == {"memory"}
    for change in changes:
        access = change.sample
        assert decide(before, access).do != decide(after, access).do


def test_the_gate_stops_a_page_that_opens(policy_file: PolicyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = str(tmp_path / "before.yaml"), str(tmp_path / "after.yaml")
    Path(before).write_text(Path(policy_file(BODY)).read_text(encoding="utf-8"), encoding="utf-8")
    Path(after).write_text(Path(before).read_text(encoding="utf-8").replace("may: rw,", "may: rwx,"), encoding="utf-8")
    assert main(["diff", before, after, "--gate", "looser"]) == 1
    assert "exec heap" in capsys.readouterr().out
    assert main(["diff", after, before, "--gate", "looser"]) == 0


def test_explain_names_the_part_and_who_enforces_it(policy_file: PolicyFile, capsys: pytest.CaptureFixture[str]) -> None:
    path = policy_file(BODY)

    def answer(*words: str) -> str:
        assert main(["explain", path, *words]) == 0
        return capsys.readouterr().out
    assert "write 0x50000010 (ro+0x10)" in answer("write", "ro+0x10") and "constants stay" in answer("write", "ro")
    assert "stage 2 gives it" in answer("exec", "0x40210000") and "each access faults" in answer("exec", "heap+0x1000")
    assert "pc: 0x40210000..0x4021ffff holds: pc is 0x40210004" in answer("write", "text+0x10", "pc=0x40210004")
    line = "@D 5 1.000000000 KILL r999 mem.w 0x50000008/4=0x1 held=0x2 pc=0x40000000 el=1 cost=1 esr=0x9397004f"
    said = answer(line)
    assert "(ro+0x8)" in said and "kill" in said
    assert json.loads(answer("exec", "ro", "--format", "json"))["decisions"]


def test_claims_speak_of_parts(policy_file: PolicyFile, capsys: pytest.CaptureFixture[str]) -> None:
    good = BODY + ("assert:\n  w-xor-x: { exec: heap, never: allow }\n  stays: { write: text, never: kill, except: [stub] }\n"
                   "tests:\n  - { write: 0x50000000, expect: kill }\n  - { exec: text+0x10, expect: allow }\n"
                   "  - { write: text+0x10, args: { pc: 0x40210000 }, expect: allow }\n  - { access: ro+0x0, always: kill }\n")
    assert main(["test", policy_file(good)]) == 0
    bad = BODY + "assert: { text-stays: { write: text, never: allow, except: [stub] } }\n"
    assert main(["check", policy_file(bad)]) == 1
    assert "PG601" in capsys.readouterr().err                   # by the instructions of `pc:`
    measured = policy_file(BODY + "tests: [ { exec: heap+0x0, expect: deny } ]\n")
    assert main(["test", measured, "--strength"]) == 0
    out = capsys.readouterr().out
    assert "- { write: 0x50000000, expect: kill }" in out and "heap: exec" not in out


def test_an_assertion_keeps_a_refusal_in_audit_mode(policy_file: PolicyFile) -> None:
    policy = fresh(policy_file(BODY + "assert: { no-code-there: { exec: heap, always: deny } }\n"), "audit")
    assert says(policy, "exec", 0x60000000) == "deny (PERMISSION)" and "audited" in says(policy, "write", 0x40301000)
    assert not verify.verify(policy).differences


def test_reach_says_which_pages_run_unseen(policy_file: PolicyFile) -> None:
    policy = fresh(policy_file(BODY))
    ways: List[Tuple[str, str, int]] = []
    for item in reached(policy, "cortex-a57"):
        if item.accesses.section == "memory":
            ways += [(item.way, item.accesses.direction, high - low + 1) for low, high in item.accesses.keys]
    for direction in ("write", "exec"):
        sizes = [size for way, side, size in ways if side in (direction, "access")]
        assert sum(sizes) == HIGH - LOW + 1 + (0x1ff000 if direction == "write" else 0)        # text has two ways
    assert {way for way, side, _ in ways if side == "write"} == {"native", "through", "refused"}


def test_learn_proposes_the_instructions_that_patch(tmp_path: Path) -> None:
    """From a log with every refusal: the page, and the PCs of its stores. The proposal is a policy, and gives them."""
    from policygen.evidence.learn import Learned, Want, propose_page
    from policygen.evidence.log import Seen
    store = Access("memory", 0x40301008, "write")
    wants = [Want(store, Seen(3, 1, 9, 30, {0x40000100: 2, 0x40000104: 1}), True),
             Want(replace(store, key=0x40301ff8, direction="exec"), Seen(1, 4, 4, 5, {0x40301ff8: 1}), True)]
    learned = Learned()
    propose_page(wants, learned)
    line = str(learned.proposals[0].lines[0])
    assert "at: 0x40301000, size: 0x1000" in line and "exec: allow" in line
    path = tmp_path / "learned.yaml"
    path.write_text("policy: 1\nname: learned\nplatform: qemu-virt\nextends: strict\n" + BODY + f"  {line}\n", encoding="utf-8")
    policy = fresh(str(path))
    assert [says(policy, "write", 0x40301008, pc=pc) for pc in (0x40000100, 0x40000104, 0x40000108)] == \
        ["allow", "allow", "deny (PERMISSION)"]
    assert says(policy, "exec", 0x40301ff8) == "allow" and says(policy, "write", 0x40302000) == "deny (PERMISSION)"


def test_documents_know_the_section(policy_file: PolicyFile, capsys: pytest.CaptureFixture[str]) -> None:
    path = policy_file(BODY)
    assert main(["doc", path]) == 0
    out = capsys.readouterr().out
    assert "## Guest RAM" in out and "constants stay" in out
    assert main(["fmt", "--check", path]) in (0, 1) and main(["code", "PG125"]) == 0
    assert "EL2 does not execute" in capsys.readouterr().out
