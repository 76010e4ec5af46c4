# SPDX-License-Identifier: Apache-2.0
"""Reads assertions and tests: `operation: target` with `never:`, `always:` or `expect:`."""
from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Callable, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

from policygen.facts import ranges
from policygen.facts.board import Board
from policygen.facts.names import CALL_IDS, ENCODING, EXCEPTIONS, SYSREGS, SPELLINGS, Names, describe_register
from policygen.facts.ranges import Ranges
from policygen.language import schema
from policygen.language.conditions import LEVELS
from policygen.language.model import Assertion, Entry, Test, Window
from policygen.text import words
from policygen.text.diag import Diagnostics, Span, quoted
from policygen.text.nodes import alternatives, as_list, as_map, as_number, as_text, keys_of, pick
from policygen.text.source import Mapping as MapNode, Node, Scalar, kind


def regions_of(entries: Sequence[Entry]) -> Dict[str, Ranges]:
    """The names of a policy's parts of memory, and `memory` for all of it."""
    return {"memory" if entry.name == "default" else entry.name: entry.ranges for entry in entries
            if entry.section == "memory"}


@dataclass(frozen=True)
class Speaks:
    """The accesses that a target names."""
    section: str
    ranges: Ranges
    single: bool


@dataclass(frozen=True)
class Claim:
    operation: str
    target: str
    section: str
    ranges: Ranges
    span: Span
    never: Optional[str]
    always: Optional[str]
    expect: Optional[Dict[str, object]]
    given: Optional[int]
    width: Optional[int]
    args: Optional[Tuple[Tuple[str, int], ...]]
    origin: Optional[str]
    spared: Tuple[str, ...]

    def assertion(self, name: str, waived: Optional[str]) -> Assertion:
        return Assertion(name, self.span.place, self.operation, self.target, self.never, self.always, self.ranges,
                         self.section, waived, self.expect, self.given, self.width, self.args, self.origin, self.spared)

    def test(self) -> Test:
        return Test(self.span.place, self.operation, self.target, self.expect or {}, self.given, self.width or 4,
                    self.args or (), self.origin, self.never, self.always, self.ranges, self.section)


class ClaimReader:
    def __init__(self, board: Board, names: Names, windows: Sequence[Window], diags: Diagnostics,
                 written: FrozenSet[str] = frozenset(), regions: Mapping[str, Ranges] = MappingProxyType({})) -> None:
        self.board, self.names, self.windows, self.diags = board, names, windows, diags
        self.regions = regions          # of `memory`, by name; empty without that section
        self.written = written          # windows in the text, including those that were refused

    def read(self, node: Node, what: str, key: Optional[Scalar] = None) -> Optional[Claim]:
        """One claim, or None after a complaint. A claim without a name is named by its place."""
        written = as_map(node, what, self.diags)
        if written is None:
            return None
        pairs = keys_of(written, tuple(schema.OPERATIONS) + tuple(schema.CLAIM), "", self.diags)
        parts = {name: value for name, _, value in pairs}
        operations = [(name, item, value) for name, item, value in pairs if name in schema.OPERATIONS]
        if len(operations) != 1:
            span = operations[1][1].span if operations else written.span
            self.diags.refuse("PG119", span, f"{what} has one operation, this has {len(operations) or 'none'}",
                              helps=[f"operations: {', '.join(schema.OPERATIONS)}"])
            return None
        operation, operation_key, target_node = operations[0]
        target = self.target(operation, target_node)
        if target is None:
            return None
        covers = self.less(operation, target, parts.get("except"))
        outcome = self.outcome(parts, written, target, what)
        if covers is None or outcome is None:
            return None
        never, always, expect = outcome
        name = target_node.text.strip() if isinstance(target_node, Scalar) else ""
        width = as_number(parts["width"], "`width`", self.diags, low=1, high=8) if "width" in parts else None
        if width is not None and (width not in (1, 2, 4, 8) or target.section != "mmio"):
            self.diags.refuse("PG111", parts["width"].span, "`width` is 1, 2, 4 or 8, for addresses only")
        given = as_number(parts["given"], "`given`", self.diags) if "given" in parts else None
        origin = as_text(parts["from"], "`from`", self.diags) if "from" in parts else None
        span = key.span if key else operation_key.span
        spared = tuple(item.text.strip() for item in as_list(parts["except"], "`except`", self.diags)
                       if isinstance(item, Scalar)) if "except" in parts else ()
        return Claim(operation, name, target.section, covers, span, never, always, expect, given, width,
                     self.args(parts.get("args"), target), origin, spared)

    # --- target -------------------------------------------------------------------------------------------------

    def target(self, operation: str, node: Node) -> Optional[Speaks]:
        if not isinstance(node, Scalar):
            self.diags.refuse("PG119", node.span, f"a target is one name, this is {kind(node)}")
            return None
        if not schema.TARGET.match(node.text.strip()):
            self.diags.refuse("PG119", node.span, f"{quoted(node.text)} is no target", "not a name",
                              helps=["letters, digits, blanks, `_`, `.`, `*`, `+` and `-`"])
            return None
        meant = self.meant(operation, node)
        return self.known_target(operation, meant) if meant is not None else None

    def meant(self, operation: str, node: Scalar) -> Optional[Scalar]:
        """The target with its name spelled right, if only one name is near."""
        base, plus, offset = node.text.partition("+")
        name = base.strip().replace(" ", "_")
        arch, board = self.names.arch, self.board
        code, what, others = "PG101", self.names.kind_of(name), [*arch.el2_names, *self.written]
        describe: Callable[[str], str] = describe_register
        help_text = SPELLINGS
        if operation in schema.CALLS:
            known, others = [operation, *self.names.calls_of(operation)], list(board.calls)
            code, what, describe = "PG103", f"{operation} call", str
            help_text = "a function name, a group, 0x86000001 or 0x86000000..0x8600ffff: see `policygen list`"
        elif operation == "exception":
            known, others = ["exceptions", *arch.classes], []
            code, what, describe, help_text = "PG104", "exception class", str, "see `policygen list class`"
        else:
            known = [*board.devices, *(window.name for window in self.windows), *self.regions]
            known += [] if plus else ["sysregs", "mmio", *arch.registers, *arch.groups]
            code, what = ("PG102", "window") if plus else (code, what)
        if name in known or name in others or name[:1].isdigit() or ENCODING.match(name):
            return node
        stem = Scalar(Span(node.span.file, node.span.line, node.span.col, node.span.col + len(base)), name, True)
        guess = pick(stem, known, code, what, self.diags, describe=describe, helps=[help_text])
        return Scalar(node.span, guess + plus + offset, True) if guess is not None else None

    def known_target(self, operation: str, node: Scalar) -> Optional[Speaks]:
        text = node.text
        if operation in schema.CALLS:
            if text == operation:
                return Speaks(operation, CALL_IDS, False)
            call = self.names.call(operation, node)
            return Speaks(operation, call.ranges, call.single) if call else None
        if operation == "exception":
            if text == "exceptions":
                return Speaks("exceptions", EXCEPTIONS, False)
            found = self.names.exception(node, claim=True)
            return Speaks("exceptions", found.ranges, True) if found else None
        if text == "sysregs":
            return Speaks("sysregs", SYSREGS, False)
        if text == "mmio":
            return Speaks("mmio", self.names.whole_mmio(), False)
        if text in self.regions:
            return self.in_memory(operation, node, self.regions[text])
        return self.address(operation, node) if text[:1].isdigit() else self.access_name(operation, node)

    def in_memory(self, operation: str, node: Scalar, covers: Ranges) -> Optional[Speaks]:
        if operation == "read":
            self.diags.refuse("PG603", node.span, f"{node.text} is guest RAM, which can always be read", "nothing decides here",
                              helps=["write: or exec:"])
            return None
        return Speaks("memory", covers, covers[0][0] == covers[0][1])

    def address(self, operation: str, node: Scalar) -> Optional[Speaks]:
        span = words.number_range(node.text if ".." in node.text else node.text.replace("-", ".."))
        if span is None:
            self.diags.refuse("PG119", node.span, f"{quoted(node.text)} is no address", "not a target",
                              helps=["write 0x09000000, or 0x09000000..0x09000fff"])
            return None
        low, high = self.board.ram
        if self.regions and low <= span[0] and span[1] <= high:
            return self.in_memory(operation, node, (span,))
        if operation == "exec":
            self.diags.refuse("PG603", node.span, f"{node.text}: `exec` speaks of guest RAM under `memory:`", "not there")
            return None
        if span[1] >= self.board.ram[0]:
            inside = span[0] <= self.board.ram[1]
            what = "guest RAM, which is always mapped" if inside else "above RAM"
            self.diags.refuse("PG603", node.span, f"{node.text} is {what}: no entry speaks of it",
                              "nothing decides here")
            return None
        return Speaks("mmio", (span,), span[0] == span[1])

    def access_name(self, operation: str, node: Scalar) -> Optional[Speaks]:
        """A register, a group, an encoding, a device, a window, or a place in one: uart0+0x18."""
        base, _, offset = node.text.partition("+")
        if base in self.regions:
            number = words.number_range(offset.replace("-", ".."))
            first, last = self.regions[base][0]
            if number is not None and first + number[1] <= last:
                return self.in_memory(operation, node, ((first + number[0], first + number[1]),))
            self.diags.refuse("PG119", node.span, f"{quoted(node.text)}: no such offset", "not an offset")
            return None
        if operation == "exec":
            self.diags.refuse("PG603", node.span, f"{base}: `exec` speaks of guest RAM under `memory:`", "not there",
                              helps=[f"parts: {', '.join(self.regions)}"] if self.regions else [])
            return None
        places = {device.name: (device.base, device.last) for device in self.board.devices.values()}
        places.update({window.name: (window.base, window.base + window.size - 1) for window in self.windows})
        if base in self.written and base not in places:
            return None                 # the window's own complaint is enough
        if base in places:
            return self.place(node, places[base], offset, "+" in node.text)
        found = self.names.sysreg(node, claim=True)
        if found is None:
            return None
        register = found.register
        if register is not None and operation in ("read", "write") and not register.has(operation):
            verb = {"read": "read", "write": "written"}[operation]
            self.diags.refuse("PG603", node.span, f"{register.name} cannot be {verb}: UNDEFINED on the CPU itself",
                              "never decided")
            return None
        return Speaks("sysregs", found.ranges, found.single)

    def place(self, node: Scalar, span: Tuple[int, int], offset: str, inside: bool) -> Optional[Speaks]:
        if not inside:
            return Speaks("mmio", (span,), False)
        number = words.number_range(offset.replace("-", ".."))
        if number is None or span[0] + number[1] > span[1]:
            self.diags.refuse("PG119", node.span, f"{quoted(node.text)}: no such offset, the window has "
                              f"{span[1] - span[0] + 1:#x} bytes", "outside" if number else "not an offset")
            return None
        return Speaks("mmio", ((span[0] + number[0], span[0] + number[1]),), number[0] == number[1])

    def less(self, operation: str, target: Speaks, node: Optional[Node]) -> Optional[Ranges]:
        """The target less its `except`."""
        covers = target.ranges
        for item in as_list(node, "`except`", self.diags) if node is not None else []:
            spared = self.target(operation, item)
            if spared is None:
                return None
            if spared.section != target.section or not ranges.intersect(covers, spared.ranges):
                self.diags.refuse("PG603", item.span, "an exception that is not part of the target",
                                  "takes nothing away")
                return None
            covers = ranges.subtract(covers, spared.ranges)
        if not covers and node is not None:
            self.diags.refuse("PG603", node.span, "nothing is left of the target", "takes everything away")
            return None
        return covers

    # --- outcome ------------------------------------------------------------------------------------------------

    def outcome(self, parts: Mapping[str, Node], node: MapNode, target: Speaks, what: str
                ) -> Optional[Tuple[Optional[str], Optional[str], Optional[Dict[str, object]]]]:
        said = [name for name in ("never", "always", "expect") if name in parts]
        if len(said) != 1:
            self.diags.refuse("PG119", node.span, f"{what} says one of never, always, expect; this says "
                              f"{' and '.join(said) or 'none'}")
            return None
        value = parts[said[0]]
        if said[0] == "expect":
            if not target.single:
                self.diags.refuse("PG119", value.span, "`expect` speaks of one access, the target is many",
                                  "which one?", helps=["name one register or offset, or use `always:`"])
                return None
            expect = self.expect(value, target)
            return (None, None, expect) if expect is not None else None
        if not isinstance(value, Scalar):
            self.diags.refuse("PG109", value.span, f"`{said[0]}` is an action word, this is {kind(value)}")
            return None
        word = pick(value, schema.CLAIM_WORDS, "PG106", "action", self.diags)
        return None if word is None else (word, None, None) if said[0] == "never" else (None, word, None)

    def expect(self, node: Node, target: Speaks) -> Optional[Dict[str, object]]:
        """{"do": word} with "value", "mask", "model", "refuse" or "fields"."""
        if isinstance(node, Scalar):
            word = pick(node, schema.CLAIM_WORDS, "PG106", "action", self.diags)
            return {"do": word} if word else None
        written = as_map(node, "`expect`", self.diags)
        if written is None or len(written.items) != 1:
            if written is not None:
                self.diags.refuse("PG109", node.span, "`expect` is one action")
            return None
        key, value = written.items[0]
        word = pick(key, ("value", "mask", "emulate", "deny", "fields"), "PG106", "expected action", self.diags)
        if word in ("value", "mask"):
            number = as_number(value, f"`{word}`", self.diags)
            return {"do": word, "value" if word == "value" else "mask": number} if number is not None else None
        if word == "emulate" and isinstance(value, Scalar):
            model = pick(value, self.board.models, "PG114", "model", self.diags)
            return {"do": word, "model": model} if model else None
        if word == "deny" and isinstance(value, Scalar):
            return self.expect_refusal(value, target)
        if word == "fields":
            return self.expect_fields(value, target)
        if word is not None:
            self.diags.refuse("PG109", value.span, f"`{word}` is one word here, this is {kind(value)}")
        return None

    def expect_refusal(self, node: Scalar, target: Speaks) -> Optional[Dict[str, object]]:
        spelled = dict(schema.AS_WORDS.get(target.section, {}))
        usual = schema.REFUSAL[target.section]
        spelled[usual if target.section in schema.CALLS else usual.lower()] = usual
        word = pick(node, spelled, "PG116", "refusal", self.diags, helps=[f"here: {alternatives(list(spelled))}"])
        return {"do": "deny", "refuse": spelled[word]} if word else None

    def expect_fields(self, node: Node, target: Speaks) -> Optional[Dict[str, object]]:
        register = self.names.arch.by_key.get(target.ranges[0][0]) if target.section == "sysregs" else None
        written = as_map(node, "`fields`", self.diags)
        layout = {field: bits for (name, field), bits in self.names.arch.fields.items()
                  if register is not None and name == register.name}
        out: Dict[str, int] = {}
        for key, value in written.items if written else ():
            field = pick(key, layout, "PG109", "field", self.diags)
            number = as_number(value, "a field", self.diags, high=(1 << layout[field][1]) - 1) if field else None
            if field is None or number is None:
                return None
            out[field] = number
        return {"do": "fields", "fields": out} if out else None

    def args(self, node: Optional[Node], target: Speaks) -> Optional[Tuple[Tuple[str, int], ...]]:
        if node is None:
            return None
        known = [name for name, part in schema.PARTS.items() if target.section in part.sections and name != "value"]
        known += ["held"] if target.section == "sysregs" else []
        out: List[Tuple[str, int]] = []
        written = as_map(node, "`args`", self.diags)
        for key, value in written.items if written else ():
            if key.text == "value":
                self.diags.refuse("PG116", key.span, "what is written is `given`, beside `args`", "not here")
                continue
            name = pick(key, known, "PG116", "argument", self.diags)
            if name == "from" and isinstance(value, Scalar):
                level = pick(value, LEVELS, "PG116", "exception level", self.diags)
                number = LEVELS[level] if level is not None else None
            else:
                number = as_number(value, "an argument", self.diags)
            if name is not None and number is not None:
                out.append((name, number))
        return tuple(out)
