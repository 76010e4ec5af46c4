# SPDX-License-Identifier: Apache-2.0
"""Names and what they cover: registers, groups, encodings, devices, calls and exception classes."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator, List, Optional, Tuple

from policygen.facts import ranges
from policygen.facts.arch import Arch, Register, encoding, load_arch, make_key
from policygen.facts.board import Board, Call, Device
from policygen.facts.ranges import Ranges
from policygen.text import words
from policygen.text.diag import Diagnostics, quoted
from policygen.text.nodes import alternatives, pick
from policygen.text.source import Scalar

ENCODING = re.compile(r"S([0-9*])_([0-9*])_(C[0-9]{1,2}|C?\*)_(C[0-9]{1,2}|C?\*)_([0-9*])\Z")
LIMITS = (3, 7, 15, 15, 7)
SYSREGS: Ranges = ((0, 0xffff),)
NO_FUNCTION = 0xffffffff        # hv/trap/hvcall.h: the number of HVC #1, or of a malformed x0
CALL_IDS: Ranges = ((0, 0xffffffff),)
WIDE = 1 << 30                  # the form of a function with 64-bit arguments
SMC32 = range(0x80000000, 0xc0000000)   # their arguments are W registers (SMCCC, "Function Identifiers")
EXCEPTIONS: Ranges = ((0, 65),)
ELSEWHERE = {0x16: "hvc", 0x17: "smc", 0x18: "sysregs", 0x24: "mmio"}   # classes that a section of their own decides


def call_name(board: Board, conduit: str, number: int) -> str:
    """The function's name; else that of the service whose number it is, with an offset (SDEI+0x1); else nothing.
    tools/hvl/names.py says the same."""
    call = board.call_at(conduit, number)
    if call is not None:
        return call.name
    plain = number & ~WIDE
    return next((f"{name}+{plain - low:#x}" for name, (low, high) in load_arch().services.items() if low <= plain <= high), "")


def arguments(number: int, given: Tuple[int, int, int]) -> Tuple[int, int, int]:
    """x1 to x3 as function `number` takes them: a 32-bit function ignores their upper halves."""
    x1, x2, x3 = given
    return (x1 & 0xffffffff, x2 & 0xffffffff, x3 & 0xffffffff) if number in SMC32 else given


@dataclass(frozen=True)
class Target:
    """The accesses that a name covers; `single`: one thing (a call may still have two numbers)."""
    name: str
    ranges: Ranges
    single: bool = True
    register: Optional[Register] = None
    device: Optional[Device] = None
    calls: Tuple[Call, ...] = ()


def describe_register(name: str) -> str:
    register = load_arch().registers.get(name)
    return f"{name} ({encoding(register.key)})" if register else name


SPELLINGS = "a register is UPPER_CASE, a group is lower-case, an encoding is S3_0_C15_C2_0: see `policygen list`"


class Names:
    def __init__(self, board: Board, diags: Diagnostics) -> None:
        self.arch: Arch = load_arch()
        self.board, self.diags = board, diags
        self.el2 = frozenset(self.arch.groups.get("el2", ()))

    # --- system registers ---------------------------------------------------------------------------------------

    def sysreg(self, node: Scalar, *, claim: bool = False) -> Optional[Target]:
        """Claims may speak of EL2's registers (that they are absent); entries may not."""
        text = node.text.strip().replace(" ", "_")
        if text in self.arch.registers:
            return self._register(text)
        if ENCODING.match(text):
            return self._encoding(node, text, claim)
        if text in self.arch.el2_names:
            return self._el2(node, text, claim)
        if text in self.arch.groups:
            if text == "el2" and not claim:
                return self._el2(node, text, claim)
            return Target(text, ranges.of_keys(self.arch.groups[text]), single=False)
        known = list(self.arch.registers) + [group for group in self.arch.groups if claim or group != "el2"]
        guess = pick(node, known, "PG101", self.kind_of(text), self.diags, "no such register",
                     describe_register, [SPELLINGS], self.fuller)
        if guess is None:
            return None
        return self._register(guess) if guess in self.arch.registers else \
            Target(guess, ranges.of_keys(self.arch.groups[guess]), single=False)

    def fuller(self, text: str) -> List[str]:
        """SCTLR for SCTLR_EL1; an encoding in lower case for a register's."""
        upper = text.upper()
        match = ENCODING.match(upper)
        if match is not None and "*" not in upper:
            key = make_key(*(int(part.lstrip("C")) for part in match.groups()))
            return [self.arch.by_key[key].name] if key in self.arch.by_key else []
        return [name for name in (f"{upper}_EL1", f"{upper}_EL0") if name in self.arch.registers][:1]

    @staticmethod
    def kind_of(text: str) -> str:
        return "register group" if text == text.lower() else "system register"

    def _register(self, name: str) -> Target:
        register = self.arch.registers[name]
        return Target(name, ((register.key, register.key),), register=register)

    def _el2(self, node: Scalar, text: str, claim: bool) -> Optional[Target]:
        if claim:
            keys = self.arch.groups["el2"] if text == "el2" else (self.arch.el2_names[text],)
            return Target(text, ranges.of_keys(keys), single=text != "el2")
        self.diags.refuse("PG108", node.span, f"{text} is not a register of EL1: a guest that names it gets UNDEFINED "
                          "from the CPU, whatever a policy says", "no rule can matter",
                          helps=[f"remove the entry; to state it: assert: {{ access: {text}, never: allow }}"])
        return None

    def _encoding(self, node: Scalar, text: str, claim: bool) -> Optional[Target]:
        match = ENCODING.match(text)
        assert match is not None
        choices: List[List[int]] = []
        parts = [part.lstrip("C") for part in match.groups()]
        for part, limit, field in zip(parts, LIMITS, ("op0", "op1", "CRn", "CRm", "op2")):
            if part != "*" and int(part) > limit:
                self.diags.refuse("PG111", node.span, f"{text}: {field} is 0..{limit}", "no such encoding")
                return None
            choices.append(list(range(limit + 1)) if part == "*" else [int(part)])
        keys = [make_key(a, b, c, d, e) for a in choices[0] for b in choices[1] for c in choices[2]
                for d in choices[3] for e in choices[4]]
        if len(keys) == 1 and keys[0] >> 14 == 0:
            self.diags.refuse("PG111", node.span, f"{text}: instructions with op0 = 0 never trap as accesses",
                              helps=["op0 is 1 (SYS), 2 (debug) or 3"])
            return None
        if len(keys) == 1 and keys[0] in self.el2 and not claim:
            return self._el2(node, text, claim)
        single = self.arch.by_key.get(keys[0]) if len(keys) == 1 else None
        return Target(text, ranges.of_keys(keys), single=len(keys) == 1, register=single)

    # --- calls and exceptions -----------------------------------------------------------------------------------

    def call(self, section: str, node: Scalar) -> Optional[Target]:
        board, text = self.board, node.text
        if text[:1].isdigit():
            return self._call_numbers(section, node)
        here = self.calls_of(section)
        if text in board.calls and text not in here:
            self.diags.refuse("PG103", node.span, f"{text} is a call by {', '.join(board.calls[text].by)} only",
                              f"never arrives by {section}")
            return None
        name = pick(node, here, "PG103", f"{section} call", self.diags, "no such call",
                    helps=["a function name, a group, 0x86000001 or 0x86000000..0x8600ffff: see `policygen list`"])
        if name is None:
            return None
        members = tuple(board.calls[member] for member in board.groups.get(name, (name,)) if member in here)
        return Target(name, ranges.of_keys(number for call in members for number in call.ids),
                      single=name in board.calls, calls=members)

    def calls_of(self, section: str) -> List[str]:
        """Calls that arrive by this instruction, and groups with one of them."""
        here = [name for name, call in self.board.calls.items() if section in call.by]
        return here + [name for name, members in self.board.groups.items() if any(item in here for item in members)]

    def _call_numbers(self, section: str, node: Scalar) -> Optional[Target]:
        span = words.number_range(node.text)
        if span is None or span[1] > 0xffffffff:
            ends = [words.number(part.strip()) for part in re.split(r"\.\.|-|:", node.text)]
            low_high = sorted(end for end in ends if end is not None and end <= 0xffffffff)
            helps = [f"did you mean {low_high[0]:#x}..{low_high[1]:#x}?"] if len(ends) == len(low_high) == 2 else \
                ["write 0x86000001, or 0x86000000..0x8600ffff"]
            self.diags.refuse("PG109", node.span, f"{quoted(node.text)} is no function number", helps=helps)
            return None
        known = self.board.call_at(section, span[0]) if span[0] == span[1] else None
        return Target(node.text, (span,), single=span[0] == span[1], calls=(known,) if known else ())

    def exception(self, node: Scalar, *, claim: bool = False) -> Optional[Target]:
        classes = self.arch.classes
        value = words.number(node.text) if node.text[:1].isdigit() else None
        if value is None:
            name = pick(node, classes, "PG104", "exception class", self.diags, "no such class")
            if name is None:
                return None
            value = classes[name]
        elif value > EXCEPTIONS[0][1]:
            self.diags.refuse("PG111", node.span, f"an exception class is 0..63, this is {value}")
            return None
        if value in ELSEWHERE and not claim:
            self.diags.refuse("PG121", node.span, f"class {value:#x} is decided by the section `{ELSEWHERE[value]}`",
                              "not here", helps=[f"write the entry under `{ELSEWHERE[value]}:`"])
            return None
        return Target(node.text, ((value, value),))

    # --- addresses ----------------------------------------------------------------------------------------------

    def whole_mmio(self) -> Ranges:
        return ((0, self.board.ram[0] - 1),)

    def served(self, section: str, target: Target) -> Tuple[int, Optional[int]]:
        """How many numbers of the target have a handler in the hypervisor, and the first one without."""
        with_model = ranges.of_keys(number for call in self.board.calls.values()
                                    if call.model and section in call.by for number in call.ids)
        missing = ranges.subtract(target.ranges, with_model)
        return ranges.size(target.ranges) - ranges.size(missing), missing[0][0] if missing else None


def known_names(board: Board) -> Iterator[Tuple[str, str, str]]:
    """All names of policies, as (name, kind, meaning)."""
    arch = load_arch()
    for name, register in arch.registers.items():
        yield name, "register", f"{encoding(register.key)} {register.access}"
    for name, keys in arch.groups.items():
        yield name, "group of registers", f"{len(keys)} encodings"
    for name in arch.features:
        yield name, "feature", ""
    for name, number in arch.classes.items():
        yield name, "exception class", f"{number:#x}"
    for device in board.devices.values():
        yield device.name, "device", f"{device.base:#010x}..{device.last:#010x} {device.about}"
    for call in board.calls.values():
        numbers = ", ".join(f"{number:#x}" for number in call.ids)
        yield call.name, "call", f"{numbers} by {', '.join(call.by)}{'' if call.model else ', not served'}"
    for name, members in board.groups.items():
        yield name, "group of calls", alternatives(list(members)).replace(" or ", ", ")
    for model in board.models.values():
        yield model.name, "model", f"for {model.section} {model.about}"


def function_of(x0: int, esr: int) -> int:
    """The function that a call is for: call_function() of hv/trap/hvcall.h."""
    return NO_FUNCTION if esr & 0xffff or x0 >> 32 and not x0 & 1 << 31 else x0 & 0xffffffff
