# SPDX-License-Identifier: Apache-2.0
"""`where:` as written: what a part of the access has to be, for an action to hold."""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Dict, List, Optional, Sequence as Sequence_, Tuple

from policygen.facts import ranges
from policygen.facts.arch import Register, load_arch
from policygen.facts.board import Board
from policygen.facts.names import SMC32, Target
from policygen.facts.ranges import Ranges
from policygen.language import schema
from policygen.language.model import IN, SAME, STICKY, Condition
from policygen.language.shapes import Json, closed
from policygen.text import words
from policygen.text.diag import Diagnostics, quoted
from policygen.text.nodes import alternatives, as_map, pick
from policygen.text.source import Node, Scalar, Sequence, kind

ABOUT = {SAME: "a write does not change it", STICKY: "a write may set bits of it, never clear one"}
LEVELS = {"el0": 0, "el1": 1}
MOST = 200                              # numbers and ranges of one condition: the tables count them in a byte


@dataclass
class ConditionReader:
    """`directions`: of the access that the action speaks of; empty for calls and exceptions."""
    section: str
    target: Target
    directions: Tuple[str, ...]
    board: Board
    diags: Diagnostics

    def read(self, node: Node) -> Tuple[Condition, ...]:
        """The conditions, by name; none after a complaint."""
        written = as_map(node, "`where`", self.diags)
        if written is None:
            return ()
        if not written.items:
            self.diags.refuse("PG124", written.span, "an empty `where`", "no condition")
        found = [self.condition(key, value) for key, value in written.items]
        return tuple(sorted((each for each in found if each is not None), key=lambda each: each.name)) \
            if all(found) else ()

    @property
    def register(self) -> Optional[Register]:
        return self.target.register if self.section == "sysregs" else None

    def condition(self, key: Scalar, value: Node) -> Optional[Condition]:
        fields = fields_of(self.register.name) if self.register else {}
        parts = [name for name, part in schema.PARTS.items() if self.section in part.sections]
        if key.text in schema.PARTS and key.text not in parts:
            self.diags.refuse("PG124", key.span, f"`{key.text}` is nothing that an access of {self.section} has",
                              "not here", helps=[f"here: {alternatives(parts)}"])
            return None
        elsewhere = [f"{name}.{field}" for name, field in load_arch().fields if field == key.text]
        helps = [f"here: {alternatives(parts)}" + (f", or a field: {', '.join(fields)}" if fields else "")]
        helps += [f"there is {alternatives(elsewhere[:3])}"] if elsewhere else []
        name = pick(key, [*parts, *fields], "PG124", "condition", self.diags, "no such part", helps=helps)
        if name is None or not self.written(name, key, value):
            return None
        if isinstance(value, Scalar) and value.text in ABOUT:
            return self.against(name, key, value)
        return self.among(name, key, value, fields)

    def written(self, name: str, key: Scalar, value: Node) -> bool:
        """Complains of a condition on the written value where a read is meant, too."""
        part = schema.PARTS.get(name)
        if part is None or part.directions != schema.BOTH:
            if "read" in self.directions:
                self.diags.refuse("PG124", key.span, f"`{name}` is of what is written, and this speaks of a read",
                                  "not of a read", helps=["write: { do: ..., where: ..., else: ... }; what a read shows, "
                                                          "`mask:` and `fields:` say"])
                return False
        return True

    def against(self, name: str, key: Scalar, value: Scalar) -> Optional[Condition]:
        """`same` and `sticky`: EL2 reads the register before it decides."""
        register = self.register
        if name in schema.PARTS and name != "value":
            self.diags.refuse("PG124", value.span, f"`{value.text}` compares with what a register holds; `{name}` is no "
                              "part of one", "nothing to compare with")
        elif register is None:
            what = "reading may change a device" if self.section == "mmio" else f"{self.target.name} is many"
            self.diags.refuse("PG124", value.span, f"`{value.text}` compares with what one register holds: {what}",
                              "nothing to compare with")
        elif register.access != "rw" or register.replay != "plain":
            why = "it cannot be read" if register.access != "rw" else "EL2 cannot read it in the guest's place"
            self.diags.refuse("PG124", value.span, f"`{value.text}` needs to know what {register.name} holds, and {why}",
                              "nothing to compare with")
        else:
            return Condition(name, (), value.text)
        return None

    def among(self, name: str, key: Scalar, value: Node, fields: Dict[str, Tuple[int, int]]) -> Optional[Condition]:
        items = value.items if isinstance(value, Sequence) else (value,)
        spans = [self.span(name, item) for item in items]
        found = ranges.merge(span for span in spans if span is not None)
        if not found or None in spans:
            if not items:
                self.diags.refuse("PG124", value.span, f"an empty list: nothing is a `{name}` that would do", "never holds")
            return None
        if len(found) > MOST:
            self.diags.refuse("PG124", value.span, f"{len(found)} numbers and ranges: a condition holds {MOST}", "too long")
            return None
        return Condition(name, found) if self.tells(name, key, value, found, fields) else None

    def span(self, name: str, node: Node) -> Optional[Tuple[int, int]]:
        """A number, a range, or a word that stands for one."""
        if name == "from":
            level = pick(node, LEVELS, "PG124", "exception level", self.diags, helps=["from: el0, or from: el1"]) \
                if isinstance(node, Scalar) else None
            if not isinstance(node, Scalar):
                self.diags.refuse("PG109", node.span, f"`from` is el0 or el1, this is {kind(node)}")
            return (LEVELS[level], LEVELS[level]) if level else None
        if isinstance(node, Scalar):
            if node.text == "ram":
                return self.board.ram
            span = words.number_range(node.text)
            if span is not None and span[1] < 1 << 64:
                return span
        shown = quoted(node.text) if isinstance(node, Scalar) else kind(node)
        form = "a number, a range 1..3, ram" + (", same or sticky" if self.register else "")
        known = ["ram", *(ABOUT if self.register else ())]
        close = words.nearest(node.text, known) if isinstance(node, Scalar) else []
        self.diags.refuse("PG109", node.span, f"a condition is {form}, or a list; this is {shown}",
                          helps=[f"did you mean {close[0]}?"] if close else [])
        return None

    def tells(self, name: str, key: Scalar, value: Node, spans: Ranges, fields: Dict[str, Tuple[int, int]]) -> bool:
        """Whether some accesses meet it and others do not."""
        low, high = self.whole(name, fields)
        if spans[0][0] <= low and spans[0][1] >= high:
            why = f"{self.target.name} is not there from el0" if name == "from" and low else f"{name} is {low}..{high:#x}"
            self.diags.refuse("PG124", key.span, f"every access has it: {why}", "always holds", helps=["leave it out"])
            return False
        if spans[-1][1] > high and not (name in schema.PARTS and spans[-1][0] <= high):
            limit = f"{self.target.name} takes 32 bits in {name}" if high == 0xffffffff and name in schema.ARGUMENTS else \
                f"{name} comes from el1 alone" if name == "from" else f"{name} is {low}..{high:#x}"
            self.diags.refuse("PG124", value.span, f"no access has it: {limit}", "never holds")
            return False
        if not any(a <= high and b >= low for a, b in spans):
            self.diags.refuse("PG124", value.span, f"no access has it: {self.target.name} is not there from el0",
                              "never holds")
            return False
        return True

    def whole(self, name: str, fields: Dict[str, Tuple[int, int]]) -> Tuple[int, int]:
        """The lowest and the highest that an access may have."""
        if name == "from":
            register = self.register
            el0 = register is None or any(side[0] in register.el0 for side in self.directions)
            return (0 if el0 else 1), 1
        if name in fields and name not in schema.PARTS:
            return 0, (1 << fields[name][1]) - 1
        if name in schema.ARGUMENTS and all(low >= SMC32[0] and high <= SMC32[-1] for low, high in self.target.ranges):
            return 0, 0xffffffff
        return 0, (1 << 64) - 1


@lru_cache(maxsize=64)
def fields_of(register: str) -> Dict[str, Tuple[int, int]]:
    """Field -> (shift, width)."""
    return {field: place for (name, field), place in load_arch().fields.items() if name == register}


def values(conditions: Sequence_[Condition], name: str) -> Ranges:
    """The numbers that a part may be; everything where no condition speaks of it."""
    return next((each.spans for each in conditions if each.name == name and each.test == IN), ((0, (1 << 64) - 1),))


# --- for editors ------------------------------------------------------------------------------------------------

NUMBERS: Json = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^(ram|[0-9][0-9a-fA-FxX_]*( *\.\. *"
                                                 r"[0-9][0-9a-fA-FxX_]*)?)$"}]}


def shape(section: str) -> Json:
    """A map of what the section's accesses have. The fields of all registers stand side by side: which of them a register
    has, ConditionReader says."""
    listed: Json = {"anyOf": [*NUMBERS["anyOf"], {"type": "array", "items": NUMBERS}]}
    against: Json = {"enum": list(ABOUT), "enumDescriptions": list(ABOUT.values())}
    level: Json = {"anyOf": [{"enum": list(LEVELS)}, {"type": "array", "items": {"enum": list(LEVELS)}}]}
    properties: Json = {}
    for name, part in schema.PARTS.items():
        if section in part.sections:
            own = level if name == "from" else \
                {"anyOf": [against, *listed["anyOf"]]} if (section, name) == ("sysregs", "value") else listed
            properties[name] = {**own, "description": part.about}
    if section == "sysregs":
        arch, found = load_arch(), {}                                   # type: ignore[var-annotated]
        for register, field in arch.fields:
            if arch.registers[register].has("write"):
                found.setdefault(field, []).append(register)
        properties.update({field: {"anyOf": [against, *listed["anyOf"]], "description": f"field of {listing(registers)}"}
                           for field, registers in found.items() if field not in properties})
    return closed(properties)


def listing(names: List[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
