# SPDX-License-Identifier: Apache-2.0
"""Merges the sections of a file and its parents key by key, and numbers the entries."""
from __future__ import annotations

import re
from bisect import bisect_right, insort
from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, Optional, Set, Tuple

from policygen.facts import ranges, virtio
from policygen.facts.board import Board, Device
from policygen.facts.names import CALL_IDS, EXCEPTIONS, SYSREGS, Names, Target
from policygen.facts.ranges import Ranges
from policygen.language import schema
from policygen.language.actions import ActionReader, Context
from policygen.language.model import Action, Entry, Window
from policygen.language.modifiers import Modifiers, modifiers_of, read_modifiers
from policygen.language.spelling import written_in
from policygen.text import words
from policygen.text.diag import Diagnostics, quoted
from policygen.text.nodes import alternatives, as_map, as_number, find, keys_of, pick
from policygen.text.source import Mapping as MapNode, Node, Scalar, Source, kind, last_line

WINDOW_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")
SPAN = re.compile(r"([^\s-]+) *- *([^\s-]+)\Z")
RAM_PAGE = 4096


@dataclass(frozen=True)
class Raw:
    """An entry as written, before it is read."""
    key: Scalar
    node: Node
    source: Source


def drops(node: Node) -> bool:
    """`NAME: inherit` (or `{ inherit: drop }`): drops the parent's entry, so that the next wider one decides."""
    if isinstance(node, Scalar):
        return node.text == "inherit"
    if isinstance(node, MapNode) and len(node.items) == 1:
        value = node.get("inherit")
        return isinstance(value, Scalar) and value.text == "drop"
    return False


def merge(parent: Dict[str, Raw], child: Dict[str, Raw], diags: Diagnostics) -> Dict[str, Raw]:
    """The parent's entries without those that the child replaces, then the child's."""
    out = {name: raw for name, raw in parent.items() if name not in child}
    for name, raw in child.items():
        if not drops(raw.node):
            out[name] = raw
        elif name not in parent:
            close = words.nearest(name, parent)
            diags.refuse("PG204", raw.key.span, f"no parent has an entry {quoted(name)} to drop", "drops nothing",
                         helps=[f"did you mean {close[0]}?"] if close else [])
    return out


def same(a: Node, b: Node) -> bool:
    """Whether two nodes have the same content, wherever they stand."""
    if isinstance(a, Scalar) and isinstance(b, Scalar):
        return a.text == b.text
    if isinstance(a, MapNode) and isinstance(b, MapNode):
        return {k.text for k, _ in a.items} == {k.text for k, _ in b.items} and \
            all(same(value, other) for key, value in a.items if (other := b.get(key.text)) is not None)
    if isinstance(a, Scalar) or isinstance(b, Scalar) or isinstance(a, MapNode) or isinstance(b, MapNode):
        return False
    return len(a.items) == len(b.items) and all(same(x, y) for x, y in zip(a.items, b.items))


class EntryReader:
    """Reads the raw entries of all sections into numbered entries and windows."""

    def __init__(self, board: Board, diags: Diagnostics, file: str) -> None:
        self.board, self.diags, self.file = board, diags, file
        self.names = Names(board, diags)
        self.actions = ActionReader(board, self.names, diags)
        self.entries: List[Entry] = []
        self.windows: List[Window] = []
        self.bases: List[int] = []                      # bases of the windows, sorted
        self.by_base: Dict[int, Window] = {}
        self.features: Dict[str, str] = {}
        self.against_features: Set[int] = set()         # rules of entries that replace what an exposed feature would allow

    def read(self, sections: Mapping[str, Dict[str, Raw]]) -> None:
        for section in schema.SECTIONS:
            entries = sections[section]
            if (section in schema.NEEDS_DEFAULT or entries and section == "memory") and "default" not in entries:
                self.slip(section, entries)
            for raw in entries.values():
                if section == "features":
                    self.feature(raw)
                elif section == "mmio":
                    self.mmio(raw)
                elif section == "memory":
                    self.memory(raw)
                else:
                    self.plain(section, raw)
        self.step_back()

    def slip(self, section: str, entries: Dict[str, Raw]) -> None:
        """Complains of a misspelt `default`, where a section has none."""
        for name, raw in entries.items():
            if words.nearest(name, ["default"]):
                self.diags.error("PG107", raw.key.span, f"unknown {section} key {quoted(name)}", "no such key here",
                                 helps=["did you mean default?"])
                entries["default"] = replace(raw, key=replace(raw.key, text="default"))
                del entries[name]
                return

    def add(self, section: str, name: str, raw: Raw, actions: Dict[str, Action], covers: Ranges) -> Entry:
        entry = Entry(len(self.entries), section, name, raw.key.span.place, raw.source.line(raw.key.span.line),
                      actions, covers, ranges.size(covers))
        self.entries.append(entry)
        return entry

    # --- features, sysregs, calls, exceptions -------------------------------------------------------------------

    def feature(self, raw: Raw) -> None:
        arch = self.names.arch
        name = pick(raw.key, arch.features, "PG105", "feature", self.diags)
        if name is None:
            return
        keys = [key for group in arch.features[name].groups for key in arch.groups.get(group, ())]
        target = Target(name, ranges.of_keys(keys), single=False)
        failed = len(self.diags.items)
        actions = self.actions.read(raw.node, Context("features", target))
        if len(self.diags.items) > failed and not actions:
            return
        self.features[name] = "hide" if actions else "expose"
        if actions or not keys:
            self.add("features", name, raw, actions, target.ranges if actions else ())
        else:                                   # an exposed feature allows its group
            allow = Action("allow", raw.key.span.place, why=f"features expose {name}")
            self.add("sysregs", name, raw, {"read": allow, "write": allow}, target.ranges)

    def step_back(self) -> None:
        """Allows the registers of an exposed feature, unless sysregs has an entry for the same registers under any
        name."""
        exposed = {entry.ranges for entry in self.entries if entry.section == "sysregs" and written_in(entry) == "features"}
        said: Dict[Ranges, Set[str]] = {}
        for entry in self.entries:
            if entry.section == "sysregs" and entry.ranges in exposed and written_in(entry) == "sysregs":
                said.setdefault(entry.ranges, set()).update(entry.actions)
                self.against_features.add(entry.rule)
        for entry in self.entries:
            if entry.section == "sysregs" and entry.ranges in said and written_in(entry) == "features":
                left = {side: action for side, action in entry.actions.items() if side not in said[entry.ranges]}
                self.entries[entry.rule] = replace(entry, actions=left) if left else \
                    replace(entry, section="features", actions={}, ranges=(), size=0)

    def plain(self, section: str, raw: Raw) -> None:
        default = raw.key.text == "default"
        target = self.default(section) if default else self.target(section, raw.key)
        if target is None:
            return
        actions = self.actions.read(raw.node, Context(section, target, default))
        if default and actions and section in schema.DIRECTED and len(actions) < 2:
            self.one_sided(raw, actions)
        elif actions:
            self.add(section, raw.key.text if default else target.name, raw, actions, target.ranges)

    def one_sided(self, raw: Raw, actions: Dict[str, Action]) -> None:
        missing = "write" if "read" in actions else "read"
        self.diags.refuse("PG113", raw.key.span, f"`default` says nothing of a {missing}: it is the widest entry",
                          "half a default", helps=["write { read: ..., write: ... }"])

    def default(self, section: str) -> Target:
        everything = {"sysregs": SYSREGS, "exceptions": EXCEPTIONS, "mmio": self.names.whole_mmio()}
        return Target("default", everything.get(section, CALL_IDS), single=False)

    def target(self, section: str, key: Scalar) -> Optional[Target]:
        if section == "sysregs":
            return self.names.sysreg(key)
        if section == "exceptions":
            return self.names.exception(key)
        return self.names.call(section, key)

    # --- memory -------------------------------------------------------------------------------------------------

    def memory(self, raw: Raw) -> None:
        """`NAME: { at:, size:, may: rx }`; `write:` and `exec:` say more of a direction. `default: rwx` is all of RAM."""
        default, node = raw.key.text == "default", raw.node
        covers = (self.board.ram,) if default else self.region(raw)
        if covers is None:
            return
        target = Target(raw.key.text, covers, single=False)
        if isinstance(node, Scalar):
            letters = pick(node, schema.MAY, "PG106", "permission", self.diags, helps=[f"here: {alternatives(list(schema.MAY))}"])
            actions = self.letters(letters, node, target, Modifiers(), None) if letters else {}
        else:
            actions = self.permissions(node, target, default)
        if default and actions and len(actions) < 2:
            self.diags.refuse("PG113", raw.key.span, "`default` says nothing of one direction: it is the widest entry",
                              "half a default", helps=["default: rwx"])
        elif actions:
            self.add("memory", raw.key.text, raw, actions, covers)

    def permissions(self, node: Node, target: Target, default: bool) -> Dict[str, Action]:
        place = () if default else ("at", "size")
        known = (*place, "may", "do", "write", "exec", *modifiers_of("memory"))
        written = as_map(node, "an entry of memory", self.diags)
        if written is None:
            return {}
        pairs = keys_of(written, known, "memory", self.diags)
        parts = {name: value for name, _, value in pairs}
        modifiers = read_modifiers(pairs, "memory", Modifiers(), self.board, self.diags)
        actions: Dict[str, Action] = {}
        may, do = parts.get("may"), parts.get("do")
        if may is not None:
            if not isinstance(may, Scalar):
                self.diags.refuse("PG109", may.span, f"`may` is letters, this is {kind(may)}")
                return {}
            letters = pick(may, schema.MAY, "PG106", "permission", self.diags, helps=[f"here: {alternatives(list(schema.MAY))}"])
            actions = self.letters(letters, may, target, modifiers, do) if letters is not None else {}
            if not actions:
                return {}
        elif do is not None:
            self.diags.refuse("PG113", do.span, "`do` without `may`: for which accesses?", "of what?", helps=["may: rx"])
            return {}
        for side in schema.SIDES["memory"]:
            if side in parts:
                found = self.actions.read(parts[side], Context("memory", target), modifiers, side)
                if not found:
                    return {}
                actions.update(found)
        if not actions and not self.diags.complained(node.span.file, node.span.line, last_line(node)):
            self.diags.refuse("PG106", node.span, f"{target.name} has no action", helps=["may: rx, or write: deny"])
        return actions

    def letters(self, letters: str, node: Scalar, target: Target, modifiers: Modifiers, do: Optional[Node]
                ) -> Dict[str, Action]:
        """Accesses that `may` leaves out are refused, or as `do` says."""
        word = do if do is not None else Scalar(node.span, "deny", True)
        if isinstance(do, Scalar) and do.text == "allow":
            self.diags.refuse("PG110", do.span, "`do` is for accesses that `may` leaves out", "allowed all the same")
            return {}
        out: Dict[str, Action] = {}
        for side in schema.SIDES["memory"]:
            if side in schema.MAY[letters]:
                out[side] = Action("allow", node.span.place, why=modifiers.why)
                continue
            found = self.actions.read(word, Context("memory", target), modifiers, side)
            if not found:
                return {}
            out.update(found)
        return out

    def region(self, raw: Raw) -> Optional[Ranges]:
        """The pages of an entry: inside of guest RAM."""
        key, node = raw.key, raw.node
        at, size = (node.get("at"), node.get("size")) if isinstance(node, MapNode) else (None, None)
        if not WINDOW_NAME.match(key.text) or key.text in self.board.devices or key.text == "memory" or \
                any(window.name == key.text for window in self.windows):
            self.diags.refuse("PG122", key.span, f"{quoted(key.text)} cannot name a part of memory",
                              helps=["lower-case letters, digits and `-`, starting with a letter; no device, no window"])
            return None
        if at is None or size is None:
            self.diags.refuse("PG113", key.span, f"{key.text} has no `{'at' if at is None else 'size'}:`",
                              helps=["{ at: 0x40210000, size: 64K, may: rx }"])
            return None
        base = as_number(at, "`at`", self.diags, high=(1 << 40) - 1, parse=words.size)
        length = as_number(size, "`size`", self.diags, low=1, high=(1 << 40) - 1, parse=words.size, form="a number of bytes")
        if base is None or length is None:
            return None
        low, high = self.board.ram
        if base < low or base + length - 1 > high:
            self.diags.refuse("PG112", at.span, f"{key.text} ({base:#x}..{base + length - 1:#x}) is not in guest RAM, "
                              f"{low:#x}..{high:#x}", "not in RAM")
            return None
        if base % RAM_PAGE or length % RAM_PAGE:
            self.diags.refuse("PG112", (at if base % RAM_PAGE else size).span, f"{key.text}: address and size are multiples "
                              "of 4K, the smallest that stage 2 tells apart", "unaligned")
            return None
        return ((base, base + length - 1),)

    # --- mmio ---------------------------------------------------------------------------------------------------

    def mmio(self, raw: Raw) -> None:
        if raw.key.text == "default":
            self.plain("mmio", raw)
            return
        target = self.window_target(raw)
        if target is None:
            return
        context = Context("mmio", target, extra=("at", "size", "regs", "default"))
        node = raw.node
        failed = len(self.diags.items)
        actions = self.actions.read(node, context)
        key, rest = self.window_key(node, "default")
        _, regs = self.window_key(node, "regs")
        if rest is not None and isinstance(node, MapNode):
            if actions:
                self.diags.refuse("PG106", key.span if key else rest.span,
                                  "an action and a `default`: both speak of the rest of the window", "a second action")
            else:
                actions = self.actions.read(rest, Context("mmio", target), self.modifiers(node))
        widths = Modifiers(widths=self.modifiers(node).widths) if isinstance(node, MapNode) else Modifiers()
        if not actions and regs is None:
            if len(self.diags.items) == failed:
                self.diags.refuse("PG106", raw.key.span, f"{target.name} has no action",
                                  helps=[self.actions.action_help("mmio")])
            return
        entry = self.add("mmio", target.name, raw, actions, target.ranges)
        low, high = target.ranges[0]
        window = Window(target.name, low, high - low + 1, entry,
                        self.regs(regs, raw, target, widths, actions) if regs is not None else ())
        self.windows.append(window)
        insort(self.bases, low)
        self.by_base[low] = window

    def modifiers(self, node: MapNode) -> Modifiers:
        pairs = [(key.text, key, value) for key, value in node.items if key.text in modifiers_of("mmio")]
        return read_modifiers(pairs, "mmio", Modifiers(), self.board, self.diags)

    @staticmethod
    def window_key(node: Node, name: str) -> Tuple[Optional[Scalar], Optional[Node]]:
        known = ("do", "read", "write", *schema.keyed_of("mmio"), *modifiers_of("mmio"), *schema.WINDOW)
        return find(node, name, known) if isinstance(node, MapNode) else (None, None)

    def window_target(self, raw: Raw) -> Optional[Target]:
        key, node = raw.key, raw.node
        at, size = self.window_key(node, "at")[1], self.window_key(node, "size")[1]
        if at is None and size is None:
            name = pick(key, self.board.devices, "PG102", "device", self.diags,
                        helps=["a new window needs `at:` and `size:`"])
            return self.device_target(self.board.devices[name]) if name else None
        if key.text in self.board.devices:
            self.diags.refuse("PG112", key.span,
                              f"the address of {key.text} is a fact of the platform ({self.board.file})",
                              "remove `at:` and `size:`, or choose another name")
            return None
        if not WINDOW_NAME.match(key.text):
            self.diags.refuse("PG122", key.span, f"{quoted(key.text)} cannot name a window",
                              helps=["lower-case letters, digits and `-`, starting with a letter; at most 63"])
            return None
        if at is None or size is None:
            if self.diags.complained(key.span.file, key.span.line, last_line(node)):
                self.diags.poisoned = True
                return None
            self.diags.refuse("PG113", key.span, f"window {key.text} has no `{'at' if at is None else 'size'}:`",
                              helps=["a window of your own has `at:` and `size:`"])
            return None
        base = as_number(at, "`at`", self.diags, high=(1 << 40) - 1, parse=words.size)
        length = as_number(size, "`size`", self.diags, low=1, high=(1 << 40) - 1, parse=words.size,
                           form="a number of bytes")
        if base is None or length is None or not self.place_window(key, at, size, base, length):
            return None
        return Target(key.text, ((base, base + length - 1),), device=None)

    def place_window(self, key: Scalar, at: Node, size: Node, base: int, length: int) -> bool:
        last, ram = base + length - 1, self.board.ram
        if last >= ram[0]:
            self.diags.refuse("PG112", at.span, f"window {key.text} ends at {last:#x}: guest RAM starts at "
                              f"{ram[0]:#x} and is no matter of policy", "not below RAM")
            return False
        if base % 4 or length % 4:
            self.diags.refuse("PG112", (at if base % 4 else size).span,
                              f"window {key.text}: address and size are multiples of 4", "unaligned")
            return False
        for device in self.board.devices.values():
            if base <= device.last and last >= device.base:
                self.diags.refuse("PG303", at.span, f"window {key.text} ({base:#x}..{last:#x}) overlaps the platform's "
                                  f"{device.name} ({device.base:#x}..{device.last:#x})", "somebody lives there",
                                  helps=[f"speak of it by its name: `{device.name}:`"])
                return False
        after = bisect_right(self.bases, base)
        for window in [self.by_base[other] for other in self.bases[max(0, after - 1):after + 1]]:
            if base < window.base + window.size and last >= window.base:
                self.diags.refuse("PG303", at.span, f"windows {key.text} and {window.name} overlap at "
                                  f"{max(base, window.base):#x} ({window.entry.place})", "taken")
                return False
        return True

    @staticmethod
    def device_target(device: Device) -> Target:
        return Target(device.name, ((device.base, device.last),), device=device)

    def regs(self, node: Node, raw: Raw, window: Target, base: Modifiers, rest: Dict[str, Action]) -> Tuple[Entry, ...]:
        out: List[Entry] = []
        device = next((action.mask for action in rest.values() if virtio.speaks_of(action.model)), None)
        written = as_map(node, "`regs`", self.diags)
        for key, value in written.items if written else ():
            offsets = self.offsets(key, value, window)
            if offsets is None:
                continue
            first = window.ranges[0][0]
            covers = ((first + offsets[0], first + offsets[1]),)
            target = replace(window, name=f"{window.name}+{key.text}", ranges=covers)
            actions = self.actions.read(value, Context("mmio", target, part=True), base)
            actions = {side: replace(action, mask=device) if virtio.speaks_of(action.model) else action
                       for side, action in actions.items()}
            if actions:
                out.append(self.add("mmio", target.name, replace(raw, key=key, node=value), actions, covers))
        if written is not None and not written.items:
            self.diags.refuse("PG106", written.span, "no register here")
        return tuple(out)

    def offsets(self, key: Scalar, value: Node, window: Target) -> Optional[Tuple[int, int]]:
        """First and last byte. A register has 4 bytes, or the width of its widest access."""
        match = SPAN.match(key.text)
        first = words.number(match.group(1) if match else key.text)
        last = words.number(match.group(2)) if match else first
        if first is None or last is None or last < first:
            self.diags.refuse("PG109", key.span, f"{quoted(key.text)} is no offset", "not an offset",
                              helps=["write 0x18, or 0x10-0x1c from the first to the last register"])
            return None
        unit = self.unit(value)
        size = window.ranges[0][1] - window.ranges[0][0] + 1
        if first % unit or last % unit:
            self.diags.refuse("PG112", key.span, f"offset {key.text} is not a multiple of the register size, {unit}",
                              "unaligned")
            return None
        if last + unit > size:
            self.diags.refuse("PG112", key.span, f"offset {last:#x} is beyond {window.name}, which has {size:#x} bytes",
                              "outside")
            return None
        return first, last + unit - 1

    @staticmethod
    def unit(value: Node) -> int:
        node = value.get("width") if isinstance(value, MapNode) else None
        items = getattr(node, "items", ()) if node is not None and not isinstance(node, (Scalar, MapNode)) else ()
        widths = [words.number(item.text) for item in items if isinstance(item, Scalar)]
        wide = max((width for width in widths if width in (1, 2, 4, 8)), default=4)
        return wide if wide is not None else 4


def raw_section(node: Optional[Node], name: str, source: Source, diags: Diagnostics) -> Dict[str, Raw]:
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        diags.refuse("PG109", node.span, f"`{name}` is a map of name: action, this is {kind(node)}")
        return {}
    return {key.text: Raw(key, value, source) for key, value in node.items}
