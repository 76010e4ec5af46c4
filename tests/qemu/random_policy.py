# SPDX-License-Identifier: Apache-2.0
"""Random policies: always the same for a seed, legal in form, in chains of parents, with every kind of entry.

Lines that policygen refuses are taken out one by one, until it accepts the policy for a CPU model.
"""
from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from policygen.facts.arch import Register, load_arch
from policygen.facts.board import load_board
from policygen.language.model import Policy
from policygen.target.review import review

# The sweep needs these to print, to count, and to survive its exceptions.
NEEDED = ("ESR_EL1", "ELR_EL1", "SPSR_EL1", "VBAR_EL1", "SCTLR_EL1", "CPACR_EL1", "SP_EL0", "SPSel", "FAR_EL1", "DAIF",
          "CurrentEL", "CNTVCT_EL0", "CNTFRQ_EL0")
SURE = ("core", "timer-virt")
PARENTS = ("default", "strict", "permissive", "")
BROKEN = re.compile(r"assertion (\S+) does not hold")
ROUNDS = 16
PLAIN = ("do: allow", "do: deny", "do: allow")
BASE = """\
features: {{ {features} }}
mmio: {{ default: {mmio} }}
hvc: {{ default: deny }}
smc: {{ default: {{ do: deny, as: undef }} }}
exceptions: {{ default: forward }}
sysregs:
  default: {sysregs}
  core: allow
  timer-virt: allow
"""


def make(seed: int, cpu: str, folder: Path) -> Optional[Policy]:
    """Writes a policy and its parents that policygen accepts for this CPU model; None: nothing of this seed was left."""
    pick = random.Random(seed)
    parent = pick.choice(PARENTS)
    for number in range(pick.randint(1, 3)):
        name = f"random-{seed}-{number}"
        path = folder / f"{name}.yaml"
        lines = written(pick, name, parent, number)
        policy = settled(path, lines, cpu)
        if policy is None:
            return None
        parent = name
    return policy


def settled(path: Path, lines: List[str], cpu: str) -> Optional[Policy]:
    """Takes out the lines that are complained of until none is."""
    for _ in range(ROUNDS):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        found = review(str(path), cpu=cpu)
        bad = {item.span.line for item in found.diags.items if item.severity == "error" and item.span is not None
               and Path(item.span.file).name == path.name}
        if found.good:
            return found.policy
        broken = {match.group(1) for item in found.diags.items if item.code == "PG601" and item.span is not None
                  and Path(item.span.file).name != path.name and (match := BROKEN.match(item.message))}
        if broken:                      # the parents' promises that this child breaks
            lines += [*([] if "waive:" in lines else ["waive:"]), *(f"  {name}: random policy" for name in sorted(broken))]
            continue
        before, sections = len(lines), {"sysregs:", "mmio:", "memory:", "hvc:", "smc:", "exceptions:", "assert:", "waive:"}
        lines = [line for number, line in enumerate(lines, 1) if number not in bad or not line.startswith("  ")]
        lines = [line for at, line in enumerate(lines)
                 if line not in sections or at + 1 < len(lines) and lines[at + 1].startswith("  ")]
        if len(lines) == before:
            return None
    return None


def written(pick: random.Random, name: str, parent: str, depth: int) -> List[str]:
    lines = ["policy: 1", f"name: {name}", "platform: qemu-virt", f"mode: {pick.choice(('enforce', 'enforce', 'audit'))}"]
    names = ("sysregs", "mmio", "memory", "hvc", "smc", "exceptions", "assert")
    sections: Dict[str, List[str]] = {section: [] for section in names}
    if parent:
        lines.append(f"extends: {parent}")
    else:
        shown = {feature: pick.choice(("hide", "hide", "expose")) for feature in load_arch().features if feature != "gicv3"}
        for feature, word in shown.items():
            if any(shown[needed] == "hide" for needed in load_arch().features[feature].needs):
                shown[feature] = "hide"
        features = ", ".join(f"{feature}: {word}" for feature, word in shown.items())
        base = BASE.format(features=features, mmio=pick.choice(("deny", "raz-wi")), sysregs=pick.choice(("deny", "raz-wi")))
        head, rest = base.split("sysregs:\n")
        for line in head.splitlines():
            section, _, body = line.partition(": { default: ")
            if body:
                sections[section].append(f"  default: {body[:-2]}")
            else:
                lines.append(line)
        sections["sysregs"] += rest.splitlines()
    sections["hvc"] += ["  HV_GET_STATUS: allow", "  HV_CONSOLE_WRITE: allow", "  PSCI_SYSTEM_OFF: allow"]
    sections["sysregs"] += unique(registers(pick)) + [f"  {name}: allow" for name in NEEDED]
    sections["mmio"] += unique(devices(pick, depth))
    sections["memory"] += ([] if depth else ["  default: rwx"]) + memory(pick, depth)
    sections["hvc"] += unique(calls(pick, "hvc"))
    sections["smc"] += unique(calls(pick, "smc"))
    sections["exceptions"] += unique(exceptions(pick))
    sections["assert"] += unique(claims(pick, depth))
    for section, entries in sections.items():
        if entries:
            lines += [f"{section}:", *entries]
    return lines


def unique(lines: List[str]) -> List[str]:
    return list({line.split(":")[0]: line for line in lines}.values())


def modifiers(pick: random.Random, limits: Tuple[int, ...] = (5000, 10000)) -> str:
    """A limit shared by many accesses is high: the sweep keeps to it, and waits."""
    out = pick.choice(("", "", ", log: always", ", log: once", ", log: never"))
    if limits and pick.random() < 0.15:
        out += f", limit: {pick.choice(limits)}/s"
        out += pick.choice(("", ", over: deny", ", over: kill"))
    return out + pick.choice(("", "", f", why: because of {pick.randrange(99)}"))


def conditional(pick: random.Random, said: str, *inputs: str) -> str:
    """An action with a condition on one of these inputs, and another action, which may have a condition as well. The sweep
    comes from EL1, at a PC that the generator does not know."""
    known = {"from": "el1", "from ": "[el0]", "pc": pick.choice(("0x40000000..0x40004fff", "0..0xffff", "[0x40001000, ram]")),
             "value": pick.choice(("0", "1..0xffffffff", "[0, 2, 0x80000000..0xffffffffffff]", "ram")),
             "x1": pick.choice(("0", "1..3", "[0, 0x100000000]", "ram")), "x2": pick.choice(("0", "1", "0..0xffff"))}
    parts = {name.strip(): f"{name.strip()}: {known.get(name, name)}" for name in pick.sample(inputs, min(len(inputs), 2))}
    return f"{said}, where: {{ {', '.join(parts.values())} }}"


def chained(pick: random.Random, actions: Tuple[str, ...], *inputs: str) -> str:
    """`do: A, where: ..., else: B`, with or without one more step."""
    one, two, three = (pick.choice(actions) for _ in range(3))
    end = f"{{ {conditional(pick, two, *inputs)}, else: {{ {three} }} }}" if pick.random() < 0.3 else f"{{ {two} }}"
    return f"{conditional(pick, one, *inputs)}{pick.choice(('', ', log: always', ', log: once'))}, else: {end}"


def registers(pick: random.Random) -> List[str]:
    arch, out = load_arch(), []
    named = [register for register in arch.by_key.values() if register.name not in NEEDED]
    for group in pick.sample([group for group in arch.groups if group not in (*SURE, "el2")], 6):
        out.append(f"  {group}: {{ do: {pick.choice(('allow', 'deny', 'raz-wi', 'allow', 'deny'))}{modifiers(pick)} }}")
    for register in pick.sample(named, 24):
        out.append(f"  {register.name}: {action(pick, register)}")
    readable = [register for register in named if register.access == "rw" and register.replay == "plain"]
    for register in pick.sample(readable, 8):
        out.append(f"  {register.name}: {written_where(pick, register)}")
    for register in pick.sample(named, 4):
        out.append(f"  {register.name}: {{ {chained(pick, (*PLAIN, 'do: raz-wi'), *levels(register), 'pc')} }}")
    for _ in range(2):
        space = f"S3_{pick.randrange(4)}_C15_C{pick.randrange(16)}_*"
        out.append(f"  {space}: {pick.choice(('raz-wi', 'deny', '{ write: { mask: 0x1 } }', '{ read: { value: 5 } }'))}")
    return out


def levels(register: Register) -> Tuple[str, ...]:
    return ("from", "from ") if "w" in register.el0 else ()


def written_where(pick: random.Random, register: Register) -> str:
    """Conditions on the value that is written, and on the value that it replaces."""
    fields = [field for name, field in load_arch().fields if name == register.name]
    inputs = ["value", "pc", *levels(register)]
    if pick.random() < 0.6:
        part = pick.choice([*fields, "value"])
        wanted = pick.choice(("same", "sticky", "0", "1", "[0, 1]"))
        inputs = [f"{part}: {wanted}", pick.choice(inputs)] if part != "value" or wanted[0] == "s" else inputs
    actions = (*PLAIN, f"mask: {pick.getrandbits(64):#x}", "do: ignore")
    plain = [name for name in inputs if ":" not in name]
    text = chained(pick, actions, *plain)
    special = [name for name in inputs if ":" in name]
    if special and f"{special[0].split(':')[0]}:" not in text:
        text = text.replace("where: {", f"where: {{ {special[0]},", 1)
    return f"{{ write: {{ {text} }} }}"


def action(pick: random.Random, register: Register) -> str:
    fields = [(field, width) for (name, field), (_, width) in load_arch().fields.items() if name == register.name]
    if fields and pick.random() < 0.5:
        field, width = pick.choice(fields)
        return f"{{ read: {{ fields: {{ {field}: {pick.randrange(1 << width)} }} }} }}"
    kinds = ["allow", "deny", "mask"]
    kinds += ["value", "allow-read"] if register.access != "wo" else []
    kinds += ["raz-wi", "ignore"] if register.access == "rw" else []
    kind = pick.choice(kinds)
    more = modifiers(pick, (1, 5, 100, 10000))
    return {"mask": f"{{ mask: {pick.getrandbits(64):#x}{more} }}",
            "value": f"{{ read: {{ value: {pick.getrandbits(64):#x} }} }}",
            "allow-read": "{ read: allow, write: deny }", "ignore": f"{{ write: ignore{more} }}"}.get(
                kind, f"{{ do: {kind}{more} }}")


def devices(pick: random.Random, depth: int) -> List[str]:
    out = []
    board = load_board("qemu-virt")
    for device in pick.sample(list(board.devices.values()), 6):
        kinds = ["deny", "raz-wi"] + ([f"emulate {device.model}"] * 2 if device.model else [])
        kind = pick.choice(kinds)
        said = f"emulate: {kind.split()[1]}" if kind.startswith("emulate") else f"do: {kind}"
        out.append(f"  {device.name}: {{ {said}{modifiers(pick)}{pick.choice(('', ', width: [4]', ', width: [1, 4]'))} }}")
    for device in pick.sample(list(board.devices.values()), 2):
        actions = ("do: deny", "do: raz-wi", *([f"emulate: {device.model}"] * 2 if device.model else []))
        out.append(f"  {device.name}: {{ {chained(pick, actions, 'from', 'from ', 'pc')} }}")
    at = 0x0b000000 + 0x100000 * depth + pick.randrange(64) * 0x1000 + pick.choice((0, 0, 0x1a0))
    out.append(f"  w{depth}: {{ at: {at:#x}, size: {pick.choice((0x20, 0x100, 0x1000))}, default: {{ read: {{ value: "
               f"{pick.randrange(1 << 8)} }}, write: {pick.choice(('deny', 'ignore'))} }}, regs: {{ 0x0: raz-wi, "
               f"0x8-0x10: {{ write: {{ {chained(pick, ('do: ignore', 'do: deny'), 'value', 'from', 'pc')} }} }} }} }}")
    return out


def memory(pick: random.Random, depth: int) -> List[str]:
    """Parts around the words that the sweep writes: the last of each 32 MiB."""
    kinds = ("may: r", "may: rx", "may: rw", "may: r, do: kill", "may: rw, log: always", "write: { do: allow, log: always }",
             "may: rx, write: { do: allow, where: { pc: 0x40000000..0x4007ffff }, log: once, else: deny }",
             "may: r, where: { from: el0 }, else: { do: deny, log: always }")
    out = []
    for at in pick.sample(range(20), 6):
        size = pick.choice((1, 8, 512, 600)) * 4096
        out.append(f"  ram{depth}-{at}: {{ at: {0x42000000 + at * 0x2000000 - size:#x}, size: {size:#x}, "
                   f"{pick.choice(kinds)}, why: {at} }}")
    return out


def calls(pick: random.Random, section: str) -> List[str]:
    out = []
    names = [call.name for call in load_board("qemu-virt").calls.values()
             if section in call.by and not call.name.startswith("HV_") and "OFF" not in call.name and "RESET" not in call.name]
    kinds = ("allow", "deny", "{ do: deny, as: DENIED }", "{ do: deny, as: INVALID_PARAMETERS, log: always }",
             "{ value: 7, limit: 100/s }", "{ value: 0x123456789abcdef }", "{ do: kill }")
    for name in pick.sample(names, 4):
        out.append(f"  {name}: {pick.choice(kinds)}")
    out.append(f"  {pick.choice((0x8600, 0xc600)):#x}{pick.randrange(0x20, 0x30):04x}: "
               f"{{ {chained(pick, ('value: 3', 'do: deny', 'value: 0x100000000'), 'x1', 'x2', 'pc')} }}")
    first = pick.choice((0x86000000, 0xc6000000, 0x80000000)) + pick.randrange(32, 200)
    return [*out, f"  {first:#x}..{first + pick.choice((1, 4, 255)):#x}: {pick.choice(kinds[1:])}"]


def exceptions(pick: random.Random) -> List[str]:
    names = [name for name, number in load_arch().classes.items() if number < 64]
    return [f"  {name}: {{ do: {pick.choice(('forward', 'deny', 'allow'))}{modifiers(pick, ())} }}"
            for name in pick.sample(names, 3)] + \
        [f"  {pick.choice(names)}: {{ {chained(pick, ('do: forward', 'do: deny', 'do: allow'), 'from', 'pc')} }}"]


def claims(pick: random.Random, depth: int) -> List[str]:
    arch, out = load_arch(), []
    targets = [group for group in arch.groups if group not in SURE]
    targets += [register.name for register in arch.by_key.values() if register.name not in NEEDED]
    for number, target in enumerate(pick.sample(targets, 8)):
        said: Tuple[str, str] = pick.choice((("always", "deny"), ("never", "allow"), ("never", "pause")))
        out.append(f"  a{depth}-{number}: {{ {pick.choice(('read', 'write', 'access'))}: {target}, {said[0]}: {said[1]} }}")
    return out
