# SPDX-License-Identifier: Apache-2.0
"""Every accepted policy boots: each pair of features, hidden and exposed, is refused by policygen or entered."""
import itertools
import random
import re
import sys
from pathlib import Path
from typing import Dict, List, Set, Tuple

import pytest

from vm import ROOT, attacker, bootargs, build, machine, run

sys.path.insert(0, str(ROOT))
from policygen.facts import controls  # noqa: E402
from policygen.facts.arch import load_arch  # noqa: E402
from policygen.facts.cpus import MTE  # noqa: E402
from policygen.meaning.load import load_policy  # noqa: E402
from policygen.target.traps import plan  # noqa: E402

CHOICES = ("hide", "expose")
Choice = Tuple[str, str]
POLICY = """\
policy: 1
name: pairs
platform: qemu-virt
features: {{ {} }}
sysregs: {}
mmio: {{ default: deny, uart0: {{ emulate: pl011 }} }}
hvc: {{ default: deny, HV_CONSOLE_WRITE: allow, HV_GET_STATUS: allow }}
smc: {{ default: deny }}
exceptions: {{ default: forward, WFX: allow }}
"""
SYSREGS = ("{ default: allow }",
           "{ default: deny, core: allow, mmu: allow, id: allow, cache: allow, tlb: allow, timer-virt: allow }")
# The guest asks for the next controls by writing 77 bytes, begins again under them, and uses each exposed feature.
HOOK = """
static const struct trap_controls sets[] = {
%s};
const struct trap_controls *controls = sets;
static void next_controls(struct cpu *c)
{
    static unsigned n;

    if (++n >= ARRAY_SIZE(sets)) {
        kprintf("pairs: %%u controls entered\\n", n);
        machine_off("poweroff");
    }
    controls = &sets[n];
    vcpu_controls();
    vcpu_reset(c, GUEST_IPA, n);
}
"""
GUEST = """
#include "cpu.h"
#include "guest.h"
void main(void);
void main(void)
{
    cpu_hvc(4, (u64)main, 77, 0);
    for (;;)
        ;
}
"""


def refused(pair: Tuple[Choice, Choice]) -> bool:
    """Pairs that the architecture's facts (`needs`) rule out: one hidden, the other, built on it, exposed."""
    features = load_arch().features
    return any(a[1] == "hide" and b[1] == "expose" and a[0] in features[b[0]].needs
               for a, b in (pair, pair[::-1]))


def policy_of(folder: Path, row: Dict[str, str], sysregs: str) -> Tuple[object, str]:
    path = folder / "pairs.yaml"
    path.write_text(POLICY.format(", ".join(f"{name}: {choice}" for name, choice in row.items()), sysregs))
    policy, diags = load_policy(str(path))
    return policy, diags.render()


def covering() -> List[Dict[str, str]]:
    """Choices for all features, such that each pair that is not refused stands in one of them."""
    names = list(load_arch().features)
    pairs: Set[Tuple[Choice, Choice]] = {
        pair for a, b in itertools.combinations(names, 2) for pair in itertools.product(
            [(a, choice) for choice in CHOICES], [(b, choice) for choice in CHOICES]) if not refused(pair)}
    dice, rows = random.Random(1), []
    while pairs:
        best: Dict[str, str] = {}
        most = 0
        first = min(pairs)
        for _ in range(60):
            row = {**{name: dice.choice(CHOICES) for name in names}, **dict(first)}
            for a, b in itertools.permutations(names, 2):
                if refused(((a, row[a]), (b, row[b]))):
                    loser = b if row[b] == "expose" and b not in dict(first) else a
                    row[loser] = "hide" if row[loser] == "expose" else "expose"
            if any(refused(pair) for pair in itertools.combinations(row.items(), 2)):
                continue
            new = sum(pair in pairs for pair in itertools.combinations(row.items(), 2))
            if new > most:
                best, most = row, new
        assert best, first
        rows.append(best)
        pairs -= set(itertools.combinations(best.items(), 2))
    return [*rows, {"fp": "hide"}]                  # a feature that the policy does not name is there


def test_what_is_built_on_something_hidden_is_refused(tmp_path: Path) -> None:
    found = 0
    for name, feature in load_arch().features.items():
        for needed in feature.needs:
            policy, said = policy_of(tmp_path, {needed: "hide", name: "expose"}, SYSREGS[0])
            assert policy is None and "PG404" in said and name in said, said
            found += 1
    assert found >= 2


@pytest.fixture(scope="module")
def rows() -> List[Dict[str, str]]:
    found = covering()
    assert len(found) < 40
    return found


# cortex-a35 has the facts of cortex-a57; the others have their models in newer QEMUs alone, or are one with another board.
@pytest.mark.parametrize("cpu", [cpu for cpu in load_arch().cpus if cpu not in (
    "cortex-a35", "cortex-a55", "cortex-a710", "neoverse-v1", "neoverse-n2") and not cpu.endswith(MTE)])
def test_every_pair_is_entered(tree: Path, tmp_path: Path, rows: List[Dict[str, str]], cpu: str) -> None:
    """One image, which takes one set of trap controls after the other and enters the guest under each."""
    sets: Dict[Tuple[int, ...], Dict[str, str]] = {}
    for row in rows:
        for default in SYSREGS:
            policy, said = policy_of(tmp_path, row, default)
            assert policy is not None, said
            values = plan(policy, cpu).controls      # type: ignore[arg-type]
            sets.setdefault(tuple(values[register] for register in controls.MEMBERS), row)
    lines = "".join("    { " + ", ".join(f".{member} = {value:#x}" for member, value in
                                         zip(controls.MEMBERS.values(), values)) + " },\n" for values in sets)
    call, vcpu = tree / "hv/trap/hvcall.c", tree / "hv/vm/vcpu.c"
    text = call.read_text()
    mark = "\nCOLD bool hvcall_console_write(struct cpu *c)\n{\n"
    assert text.count(mark) == 1 and "policy_traps" in vcpu.read_text()
    hooked = mark + "\tif (c->frame.x[2] == 77) {\n\t\tnext_controls(c);\n\t\treturn true;\n\t}\n"
    call.write_text('#include "log/power.h"\n#include "vm/vcpu.h"\n#include "lib/print.h"\n#include "board/board.h"\n' +
                    text.replace(mark, HOOK % lines + hooked))
    vcpu.write_text("extern const struct trap_controls *controls;\n".join(
        re.split(r"(?m)(?=^#define HCR_TLOR)", vcpu.read_text().replace("policy_traps", "(*controls)"))))
    attacker(tree, GUEST)
    policy_of(tree / "policy", {name: "hide" for name in load_arch().features}, SYSREGS[0])     # any accepted choice
    elf = build("pairs", "GUEST=attack", f"CPU={cpu}", tree=tree)
    done = run(machine(elf, "-no-reboot", *bootargs(tmp_path, "unattended=1 log=quiet"), cpu=cpu))
    said = re.search(rb"pairs: (\d+) controls entered", done.stdout)
    assert said and int(said.group(1)) == len(sets) > 8, done.stdout[-3000:]
