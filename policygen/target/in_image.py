# SPDX-License-Identifier: Apache-2.0
"""The tables of a built image, read from its loaded bytes and looked up as hv/policy/policy.c does.

Symbols of the image, or the linker's map beside it, say where tables lie. Nothing of the image is run.
"""
from __future__ import annotations

import re
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from policygen.facts.arch import N_KEYS, make_key, split_key
from policygen.facts.board import MMIO_SIZE
from policygen.facts.contract import load_contract
from policygen.language.model import Access
from policygen.target.tables import HEADER_EL
from policygen.target.verify import CONTROLS, FREE, LIMIT, NO_ROW, ROW, Row, Said, Tables, row_at
from policygen.text.elf import Elf
from policygen.text.strict_json import Malformed

PAGE, BLOCK = 1 << 12, 1 << 21
RANGE, SLOT, SPAN, CALLS, CONDITION, NUMBERS, RULE, WINDOW = (struct.Struct(f"<{form}") for form in (
    "II2H2H2BH", "IHH", "IIHH", "QQQIIII", "BBBBHBxH6xQ", "QQ", "QQQQ", "IIQHBx4x"))
GUARDED = struct.Struct("<IIHHHxx")
MAX_TEXT, MAX_MAP = 1 << 16, 16 << 20
RET, ON_X0 = 0xd65f03c0, 0x1f
MAP_SYMBOL = re.compile(r"^ {16}0x([0-9a-f]{16}) {16}(__text_start|policy_[a-z_]+)$", re.M)
MAP_TEXT = re.compile(r"^\.text +0x([0-9a-f]{16}) ", re.M)
NEEDED = ("policy_rows", "policy_n_rows", "policy_limits", "policy_n_limits", "policy_conditions", "policy_spans",
          "policy_sysreg_page", "policy_sysreg_leaf", "policy_mmio_root", "policy_mmio_leaf", "policy_mmio_ranges",
          "policy_mmio_default",
          "policy_mmio_straddle", "policy_memory", "policy_n_memory", "policy_hvc", "policy_smc", "policy_exception",
          "policy_passthrough",
          "policy_n_passthrough", "policy_traps", "policy_replay", "policy_hash", "policy_name", "policy_rules",
          "policy_n_rules", "policy_windows", "policy_n_windows")


class Memory:
    """The bytes that a loader places, by address."""

    def __init__(self, parts: Iterable[Tuple[int, bytes]]) -> None:
        self.parts = sorted(parts)
        if any(at + len(data) > after for (at, data), (after, _) in zip(self.parts, self.parts[1:])):
            raise Malformed("two parts of it are loaded to one address")

    def read(self, at: int, size: int) -> bytes:
        for first, data in self.parts:
            if first <= at and at + size <= first + len(data):
                return data[at - first:at - first + size]
        raise Malformed(f"its tables lead to {at:#x}, where nothing is loaded")

    def text(self, at: int) -> str:
        """The C string at an address."""
        for first, data in self.parts:
            if first <= at < first + len(data):
                end = data.find(b"\0", at - first, at - first + MAX_TEXT)
                if end >= 0:
                    return data[at - first:end].decode("utf-8", "replace")
        raise Malformed(f"its words lead to {at:#x}, where no text is loaded")

    def numbers(self, at: int, kind: str, count: int) -> "array[int]":
        found = array(kind)
        found.frombytes(self.read(at, count * found.itemsize))
        return found

    def structs(self, at: int, form: struct.Struct, count: int) -> List[Tuple[int, ...]]:
        return list(form.iter_unpack(self.read(at, form.size * count)))


def open_elf(data: bytes, map_text: Optional[str]) -> "Reader":
    """`map_text` is used if the image has been stripped of symbols."""
    elf = Elf(data)
    memory = Memory((part.address, data[part.offset:part.offset + part.size]) for part in elf.segments())
    try:
        symbols = elf.symbols(NEEDED)
    except ValueError:
        if map_text is None:
            raise
        symbols = symbols_of(map_text)
    return Reader(memory, symbols)


def open_raw(data: bytes, map_text: str) -> "Reader":
    start = MAP_TEXT.search(map_text)
    if start is None:
        raise Malformed("the map does not say where the image is loaded")
    return Reader(Memory([(int(start.group(1), 16), data)]), symbols_of(map_text))


def symbols_of(map_text: str) -> Dict[str, int]:
    """The symbols of a GNU ld map."""
    return {name: int(value, 16) for value, name in MAP_SYMBOL.findall(map_text)}


def beside(path: Path) -> Path:
    """The path of the map beside an image: charter.map for charter.elf."""
    return path.with_suffix(".map")


@dataclass
class Reader:
    memory: Memory
    symbols: Mapping[str, int]

    def __post_init__(self) -> None:
        missing = [name for name in NEEDED if name not in self.symbols]
        if missing:
            raise Malformed(f"its map does not say where {missing[0]} is")

    def number(self, name: str, kind: str) -> int:
        return self.memory.numbers(self.symbols[name], kind, 1)[0]

    @property
    def hash(self) -> int:
        return self.number("policy_hash", "Q")

    @property
    def name(self) -> str:
        return self.memory.text(self.symbols["policy_name"])

    @property
    def rules(self) -> List[Tuple[Optional[str], ...]]:
        """Place, text and reason of each rule."""
        found = self.memory.structs(self.symbols["policy_rules"], RULE, self.number("policy_n_rules", "H"))
        return [tuple(self.memory.text(at) if at else None for at in row[:3]) for row in found]

    @property
    def windows(self) -> List[Tuple[object, ...]]:
        found = self.memory.structs(self.symbols["policy_windows"], WINDOW, self.number("policy_n_windows", "H"))
        return [(base, last, self.memory.text(name), rule, bool(registers)) for base, last, name, rule, registers in found]

    @property
    def controls(self) -> Tuple[int, ...]:
        return CONTROLS.unpack(self.memory.read(self.symbols["policy_traps"], CONTROLS.size))

    def said(self, questions: Iterable[Access], pages: Iterable[Access]) -> Said:
        """`pages`: a read and a write of a byte at the start of each page."""
        memory, symbols, words = self.memory, self.symbols, load_contract()
        raw = memory.read(symbols["policy_rows"], self.number("policy_n_rows", "H") * ROW.size)
        rows = tuple(row_at(raw, at, words) for at in range(0, len(raw), ROW.size))
        limits = memory.structs(symbols["policy_limits"], LIMIT, self.number("policy_n_limits", "H"))
        free = memory.structs(symbols["policy_passthrough"], FREE, self.number("policy_n_passthrough", "H"))
        look, narrow = self.lookups(rows), self.conditions(rows)
        answers = array("H", [narrow(look[access.section](access), access) for access in questions])
        answers.extend(map(look["mmio"], pages))
        return Said(Tables(rows, tuple((rate, over) for rate, over, _ in limits), self.stubs(rows)), self.controls,
                    free, answers)

    # --- as hv/policy/policy.c ----------------------------------------------------------------------------------

    def lookups(self, rows: Tuple[Row, ...]) -> Dict[str, Callable[[Access], int]]:
        exceptions = self.memory.numbers(self.symbols["policy_exception"], "H", load_contract().classes)
        registers = self.registers()
        calls = {name: self.calls(name) for name in ("hvc", "smc")}
        return {"sysregs": lambda access: registers[access.direction][access.key], "mmio": self.addresses(),
                "memory": self.guarded(), "hvc": calls["hvc"], "smc": calls["smc"],
                "exceptions": lambda access: exceptions[access.key]}

    def registers(self) -> Dict[str, List[int]]:
        page = self.memory.numbers(self.symbols["policy_sysreg_page"], "H", 4096)
        leaf = self.memory.numbers(self.symbols["policy_sysreg_leaf"], "H", 32 * (max(page) + 1))
        out: Dict[str, List[int]] = {"read": [], "write": []}
        for key in range(N_KEYS):
            op0, op1, crn, crm, op2 = split_key(key)
            at = page[op0 << 10 | op2 << 7 | op1 << 4 | crn] * 32 + 2 * crm
            out["write"].append(leaf[at])
            out["read"].append(leaf[at + 1])
        return out

    def addresses(self) -> Callable[[Access], int]:
        memory, symbols = self.memory, self.symbols
        root = memory.numbers(symbols["policy_mmio_root"], "B", MMIO_SIZE // BLOCK)
        leaf = memory.numbers(symbols["policy_mmio_leaf"], "H", (max(root) + 1) * (BLOCK // PAGE))
        last = max(leaf)
        more = memory.structs(symbols["policy_mmio_ranges"] + last * RANGE.size, RANGE, 1)[0][-1]
        ranges = memory.structs(symbols["policy_mmio_ranges"], RANGE, last + more + 1)
        beyond = memory.numbers(symbols["policy_mmio_default"], "H", 2)
        straddle = memory.numbers(symbols["policy_mmio_straddle"], "H", 2)

        def find(ipa: int) -> Tuple[int, ...]:
            at = leaf[root[ipa >> 21 & 511] << 9 | ipa >> 12 & 511]
            while ranges[at][8] and ipa > ranges[at][1]:
                at += 1
                if at == len(ranges):
                    raise Malformed("the ranges of its address map have no end")
            return ranges[at]

        def look(access: Access) -> int:
            write, after = int(access.direction == "write"), access.key + access.width - 1
            if access.key >= MMIO_SIZE:
                return beyond[write]
            if after >= MMIO_SIZE:
                return straddle[write]
            found = find(access.key)
            for _ in range(8):
                if found[1] >= after:
                    break
                following = find(found[1] + 1)
                if found[2:8] != following[2:8]:
                    return straddle[write]
                found = following
            listed = found[6 + write] >> access.width.bit_length() - 1 & 1
            return found[2 + write] if listed else found[4 + write]
        return look

    def guarded(self) -> Callable[[Access], int]:
        parts = self.memory.structs(self.symbols["policy_memory"], GUARDED, self.number("policy_n_memory", "H"))

        def look(access: Access) -> int:
            at = int(access.direction == "exec")
            for base, last, write, fetch, may in parts:
                if base <= access.key <= last:
                    return NO_ROW if may >> at & 1 else (write, fetch)[at]
            return NO_ROW
        return look

    def conditions(self, rows: Tuple[Row, ...]) -> Callable[[int, Access], int]:
        """As policy_where(), which hv/trap/narrow.c asks."""
        memory, words, tests = self.memory, load_contract().words, load_contract().tests
        known: Dict[int, Tuple[Tuple[int, ...], List[Tuple[int, ...]]]] = {}

        def at(number: int) -> Tuple[Tuple[int, ...], List[Tuple[int, ...]]]:
            if number not in known:
                found = memory.structs(self.symbols["policy_conditions"] + number * CONDITION.size, CONDITION, 1)[0]
                known[number] = found, memory.structs(self.symbols["policy_spans"] + found[4] * NUMBERS.size, NUMBERS, found[5])
            return known[number]

        def holds(number: int, asked: Mapping[str, int]) -> bool:
            (word, test, shift, more, _, _, _, mask), spans = at(number)
            if word >= len(words) or test >= len(tests) or words[word] not in asked:
                raise Malformed("a condition looks at nothing that there is")
            value, held = asked[words[word]], asked["addr"]
            value = {"changed": value ^ held, "cleared": held & ~value}.get(tests[test], value) >> shift & mask
            return any(low <= value <= high for low, high in spans) and (not more or holds(number + 1, asked))

        def narrow(row: int, access: Access) -> int:
            while row < len(rows) and rows[row].where:
                value = access.value & (1 << 8 * access.width) - 1 if access.section == "mmio" else access.value
                x1, x2, x3 = access.args
                first, second = {0: (x1, x2), 1: (x1, x3)}.get(rows[row].tells, (x2, x3))
                asked = {"value": value, "pc": access.pc + (4 if access.section == "hvc" else 0),
                         "header": access.el << HEADER_EL, "aux": second,
                         "addr": first if access.section in ("hvc", "smc") else access.held}
                if holds(rows[row].where, asked):
                    break
                if rows[row].otherwise >= row:
                    raise Malformed("its conditions have no end")
                row = rows[row].otherwise
            return row
        return narrow

    def calls(self, section: str) -> Callable[[Access], int]:
        memory = self.memory
        disp_at, slots_at, spans_at, disp_mask, slot_mask, count, _ = memory.structs(
            self.symbols[f"policy_{section}"], CALLS, 1)[0]
        if max(disp_mask, slot_mask, count) > 1 << 20 or not count or disp_mask & disp_mask + 1 or \
                slot_mask & slot_mask + 1:
            raise Malformed(f"its table of {section} has no size that one can have")
        disp = memory.numbers(disp_at, "H", disp_mask + 1)
        slots = memory.structs(slots_at, SLOT, slot_mask + 1)
        spans = memory.structs(spans_at, SPAN, count)

        def asked(access: Access) -> int:
            mixed = (access.key ^ access.key >> 16) * 0x9e3779b1 & 0xffffffff
            mixed ^= mixed >> 15
            number, row, used = slots[(mixed >> 16 ^ disp[mixed & disp_mask]) & slot_mask]
            if not used or number != access.key:
                low, high = 0, count - 1
                while low < high:
                    middle = low + (high - low + 1) // 2
                    low, high = (middle, high) if spans[middle][0] <= access.key else (low, middle - 1)
                row = spans[low][2]
            return row
        return asked

    def stubs(self, rows: Tuple[Row, ...]) -> Tuple[Tuple[Optional[int], Optional[int]], ...]:
        """The registers that each stub reads and writes, decoded from its instructions, for stubs that rows name."""
        held = self.memory.structs(self.symbols["policy_conditions"], CONDITION, max((row.where for row in rows), default=0) + 1)
        used = [row.arg for row in rows if row.action in ("allow", "mask", "pause")] + [found[6] for found in held]
        code = self.memory.structs(self.symbols["policy_replay"], struct.Struct("<2I"), max(used, default=0) + 2)
        return tuple((_register(first[0], first[1], True), _register(second[0], second[1], False))
                     for first, second in zip(code, code[1:]))


def _register(instruction: int, following: int, read: bool) -> Optional[int]:
    """The key of the register in `MRS x0, REG; RET` (or MSR, or SYS)."""
    op0 = instruction >> 19 & 3
    if following != RET or instruction >> 22 != 0xd5000000 >> 22 or instruction & ON_X0 or \
            bool(instruction >> 21 & 1) != read or not op0 or read and op0 == 1:
        return None
    return make_key(op0, instruction >> 16 & 7, instruction >> 12 & 15, instruction >> 8 & 15, instruction >> 5 & 7)
