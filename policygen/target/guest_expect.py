# SPDX-License-Identifier: Apache-2.0
"""The reference's answers for the diagnostic guest's probes (guest/lib/probes.txt): its table of expectations."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Mapping, Tuple

from policygen.facts.arch import load_arch, make_key
from policygen.facts.board import load_board
from policygen.language.model import Access, Decision, Policy
from policygen.meaning import evaluate
from policygen.meaning.regions import asked_of
from policygen.text import paths, words

PROBES = "guest/lib/probes.txt"
ENCODING = re.compile(r"S([0-3])_([0-7])_C(\d+)_C(\d+)_([0-7])\Z")
LINE = re.compile(r"([A-Z0-9_]+)\s*=\s*(\S.*)\Z")


@dataclass(frozen=True)
class Expectation:
    """One initialiser of struct expect (guest/lib/expect.h)."""
    name: str
    action: str
    refusal: str
    model: str
    over: str
    limit: int
    value: int
    mask: int
    conditional: bool           # another value would be decided otherwise, and the probe names none
    what: str


def expectations(policy: Policy) -> List[Expectation]:
    """The answers in the order of the file; none without a file. A line that cannot be read is a fault of the tree."""
    path = paths.project_root() / PROBES
    if not path.is_file():
        return []
    out = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.split("#")[0].strip()
        if not text:
            continue
        match = LINE.match(text)
        try:
            if match is None:
                raise ValueError("not NAME = PROBE")
            access = parse(match.group(2), policy)
        except (KeyError, ValueError, IndexError) as problem:
            raise ValueError(f"{PROBES}:{number}: {text}: {problem}") from problem
        if access.section == "memory" and not evaluate.evaluator(policy).by_section["memory"]:
            out.append(Expectation(match.group(1), "ALLOW", "0", "MODEL_NONE", "0", 0, 0, 0, False, match.group(2)))
            continue
        looked = {look.part for where in asked_of(evaluate.evaluator(policy), access) for look in where}
        named = {"value", "changed", "cleared"} if " value=" in text else set()
        out.append(_expectation(match.group(1), match.group(2), evaluate.decide(policy, access),
                                bool(looked - named & {"value", "changed", "cleared", "pc"})))
    return out


def parse(text: str, policy: Policy) -> Access:
    """`read REG`, `write REG value=1 held=0`, `mmio-write uart0+0x18/4 value=1`, `hvc NAME x1=1`, `ram-exec 0x48000000`,
    `exception WFX`."""
    operation, target, *rest = text.split()
    given: Dict[str, int] = {key: _given(value, policy) for key, value in (item.split("=") for item in rest)}
    value, held = given.get("value", 0), given.get("held", 0)
    if operation in ("read", "write"):
        return Access("sysregs", _register(target), operation, value=value, held=held)
    if operation in ("mmio-read", "mmio-write"):
        place, _, width = target.partition("/")
        return Access("mmio", _address(place, policy), operation[5:], int(width), value=value)
    if operation in ("hvc", "smc"):
        args = given.get("x1", 0), given.get("x2", 0), given.get("x3", 0)
        return Access(operation, _function(target, policy, given), "", 4, args)
    if operation in ("ram-write", "ram-exec"):
        return Access("memory", int(target, 0), operation[4:])
    if operation == "exception":
        number = words.number(target)
        return Access("exceptions", load_arch().classes[target] if number is None else number)
    raise ValueError(f"no operation {operation}")


def _given(text: str, policy: Policy) -> int:
    """A number, or an address counted from the end of the guest's RAM: RAM_END-7."""
    if not text.startswith("RAM_END"):
        return int(text, 0)
    return load_board(policy.platform).ram[1] + 1 + int(text[len("RAM_END"):] or "0", 0)


def _register(text: str) -> int:
    match = ENCODING.match(text)
    if match:
        return make_key(*(int(part) for part in match.groups()))
    return load_arch().registers[text].key


def _address(text: str, policy: Policy) -> int:
    name, _, offset = text.partition("+")
    number = words.number(name)
    if number is None:
        windows: Mapping[str, int] = {window.name: window.base for window in policy.windows}
        number = windows[name] if name in windows else load_board(policy.platform).devices[name].base
    return number + (words.number(offset) or 0 if offset else 0)


def _function(text: str, policy: Policy, given: Mapping[str, int]) -> int:
    number = words.number(text)
    return load_board(policy.platform).calls[text].ids[0] if number is None else number


def _enumerator(prefix: str, name: str) -> str:
    return f"{prefix}_{name.upper().replace('-', '_')}"


def _expectation(name: str, what: str, decision: Decision, conditional: bool) -> Expectation:
    refusal, model = "0", "MODEL_NONE"
    if decision.do == "deny" and decision.refuse:
        refusal = _enumerator("REFUSE", decision.refuse)
    if decision.model:
        model = _enumerator("MODEL", decision.model)
    over: Tuple[str, int] = (_enumerator("ACT", decision.over), decision.limit) if decision.limit else ("0", 0)
    return Expectation(name, decision.do.upper(), refusal, model, over[0], over[1], decision.value, decision.mask,
                       conditional, what)
