# SPDX-License-Identifier: Apache-2.0
"""Reads a policy file and its parents into a checked model, or into diagnostics."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Set, Tuple

from policygen.facts import board as boards
from policygen.facts.board import Board
from policygen.language import schema
from policygen.language.claims import ClaimReader, regions_of
from policygen.language.entries import EntryReader, Raw, merge, raw_section, same
from policygen.language.model import Assertion, Policy, Test, Text
from policygen.language.overlap import check_overlaps, check_redundant
from policygen.language.store import PATH, Store
from policygen.text import words
from policygen.text.diag import BrokenFacts, Diagnostics, Ignore, Place, Span, quoted
from policygen.text.nodes import as_list, as_map, as_number, as_text, keys_of, pick
from policygen.text.source import Mapping as MapNode, Node, Scalar, Source

NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}\Z")
CLAIM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
SUPPRESSIBLE = ("PG2", "PG4", "PG5")
PER_CPU = ("PG402", "PG5")              # depend on the CPU model: target/review.py complains of them
MAX_PARENTS = 8
Judge = Callable[[Policy, Diagnostics], None]


@dataclass
class Family:
    """A file and its parents, oldest first, merged."""
    sources: List[Source]
    top: Dict[str, Tuple[Scalar, Node]] = field(default_factory=dict)       # from the youngest file that has the key
    sections: Dict[str, Dict[str, Raw]] = field(default_factory=dict)

    @property
    def own(self) -> Source:
        return self.sources[-1]


def check_file(path: Path, place: Store, mode: Optional[str], diags: Diagnostics, coherent: Judge,
               board: Optional[str] = None) -> Optional[Policy]:
    """The policy of a file that exists, or None after complaints. `coherent` adds complaints that need the whole
    policy's meaning; the file may accept them with a reason like any other. `board` replaces the platform that the file
    names."""
    policy = _Checker(diags, place, coherent).check(path, mode, board)
    return None if diags.failed else policy


class _Checker:
    def __init__(self, diags: Diagnostics, place: Store, coherent: Judge) -> None:
        self.diags, self.place, self.coherent = diags, place, coherent

    def check(self, path: Path, mode: Optional[str], on: Optional[str]) -> Optional[Policy]:
        diags = self.diags
        sources = self.family(path)
        if not sources:
            return None
        family = self.unite(sources)
        board = self.board(family, on)
        if board is None:
            return None
        reader = EntryReader(board, diags, family.own.file)
        reader.read(family.sections)
        self.defaults(family)
        check_overlaps(reader.entries, reader.windows, diags)
        if not diags.poisoned:
            hidden = {entry.name: entry.ranges for entry in reader.entries
                      if entry.section == "features" and entry.actions}
            check_redundant(reader.entries, self.new_places(family, reader), hidden, diags)
            self.repeated(family)
        claims = ClaimReader(board, reader.names, reader.windows, diags,
                             frozenset((*family.sections["mmio"], *family.sections["memory"])), regions_of(reader.entries))
        asserts, tests = self.asserts(family, claims), self.tests(family, claims)
        if diags.poisoned:
            self.settle(family, diags, keep_unused=True)
            return None
        policy = Policy(name=self.name(family, path), about=self.text(family, "about") or "", file=family.own.file,
                        platform=board.name, mode=mode or self.mode(family), entries=tuple(reader.entries),
                        windows=tuple(sorted(reader.windows, key=lambda window: window.base)),
                        features=dict(reader.features), asserts=asserts, tests=tests,
                        files=tuple(source.file for source in family.sources), accepted=self.accepted(family),
                        sources={source.file: Text(source.lines, source.sha256) for source in family.sources})
        self.coherent(policy, diags)
        self.settle(family, diags)
        return None if diags.failed else policy

    # --- files --------------------------------------------------------------------------------------------------

    def family(self, path: Path) -> List[Source]:
        """The file after its parents; an empty list if one of them cannot be used."""
        chain: List[Source] = []
        seen: Set[str] = set()
        span: Optional[Span] = None
        place, tree = self.place, self.place.tree(path)
        while True:
            real = place.identity(path)
            if real in seen or len(chain) >= MAX_PARENTS:
                what = "extends itself" if real in seen else f"has more than {MAX_PARENTS - 1} parents"
                label = "leads back here" if real in seen else ""
                self.diags.refuse("PG117", span, f"{place.display(path)} {what}", label)
                return []
            if span is not None and not place.is_file(path):
                close = words.nearest(path.stem, place.stems(path.parent))
                self.diags.refuse("PG117", span, f"no policy {quoted(path.stem)} to extend", "not found",
                                  helps=[f"did you mean {close[0]}?"] if close else [])
                return []
            source = place.read(path, self.diags)
            if source is None or source.root is None:
                return []
            chain.insert(0, source)
            seen.add(real)
            node = source.root.get("extends")
            if node is None:
                return chain
            name = as_text(node, "`extends`", self.diags)
            if name is None:
                return []
            span = node.span
            if not PATH.match(name):
                self.diags.refuse("PG123", span, f"{quoted(name)} cannot name a parent", "not a path",
                                  helps=["a profile, or a path of letters, digits, `.`, `_`, `-` and `/`"])
                return []
            path = path.parent / (name if name.endswith(".yaml") else f"{name}.yaml")
            if "/" not in name and not place.is_file(path) and place.is_file(place.policy_dir() / path.name):
                path = place.policy_dir() / path.name
                tree = place.tree(path)
            if place.leaves(path, tree):
                self.diags.refuse("PG123", span, f"{quoted(name)} is a file outside of the policy's tree", "leads out",
                                  helps=["a parent is a profile, or lies in the policy's folder or below"])
                return []

    def unite(self, sources: List[Source]) -> Family:
        family = Family(sources, sections={section: {} for section in schema.SECTIONS})
        for source in sources:
            assert source.root is not None
            pairs = keys_of(source.root, schema.TOP, "top-level", self.diags)
            here = {name: (key, value) for name, key, value in pairs}
            self.version(source, here)
            family.top.update(here)
            for section in schema.SECTIONS:
                child = raw_section(here[section][1] if section in here else None, section, source, self.diags)
                family.sections[section] = merge(family.sections[section], child, self.diags)
        return family

    def version(self, source: Source, here: Mapping[str, Tuple[Scalar, Node]]) -> None:
        assert source.root is not None
        start = Span(source.file, source.root.span.line, source.root.span.col, source.root.span.col + 1)
        if "policy" not in here:
            if not self.diags.poisoned:
                self.diags.refuse("PG113", start, "`policy: 1` is missing: the version of the language")
        elif (number := as_number(here["policy"][1], "`policy`", self.diags)) is not None and number != 1:
            self.diags.refuse("PG111", here["policy"][1].span,
                              f"this policygen knows version 1 of the language, not {number}")

    def board(self, family: Family, on: Optional[str]) -> Optional[Board]:
        if "platform" not in family.top:
            start = Span(family.own.file, 1, 1, 2)
            if not self.diags.poisoned:
                self.diags.refuse("PG113", start, f"`platform:` is missing, for example {boards.names()[0]}")
            return None
        node = family.top["platform"][1]
        if not isinstance(node, Scalar):
            as_text(node, "`platform`", self.diags)
            return None
        name = pick(node, boards.names(), "PG120", "platform", self.diags)
        if name is None:
            return None
        try:
            return boards.load_board(on or name)
        except BrokenFacts:
            return boards.read_board(on or name, self.diags)    # complains with the place

    # --- top level ----------------------------------------------------------------------------------------------

    def text(self, family: Family, name: str) -> Optional[str]:
        assert family.own.root is not None
        node = family.own.root.get(name)
        return as_text(node, f"`{name}`", self.diags) if node is not None else None

    def name(self, family: Family, path: Path) -> str:
        name = self.text(family, "name") or path.stem
        node = family.own.root.get("name") if family.own.root else None
        if not NAME.match(name):
            span = node.span if node is not None else Span(family.own.file, 1, 1, 2)
            self.diags.error("PG122", span, f"{quoted(name)} cannot name a policy",
                             helps=["lower-case letters, digits, `-` and `_`; at most 31"])
        elif node is not None and path.stem != name and path.parent == self.place.policy_dir():
            self.diags.error("PG122", node.span,
                             f"policy {name} is in {self.place.display(path)}: logs would name the wrong file",
                             helps=[f"name: {path.stem}"])
        return name

    def mode(self, family: Family) -> str:
        if "mode" not in family.top:
            return "enforce"
        node = family.top["mode"][1]
        if not isinstance(node, Scalar):
            as_text(node, "`mode`", self.diags)
            return "enforce"
        return pick(node, ("enforce", "audit"), "PG109", "mode", self.diags) or "enforce"

    def defaults(self, family: Family) -> None:
        if self.diags.poisoned:
            return
        missing = [section for section in schema.DECIDING if "default" not in family.sections[section]
                   and (section in schema.NEEDS_DEFAULT or family.sections[section])]
        for section in missing:
            at = family.top.get(section)
            span = at[0].span if at else Span(family.own.file, 1, 1, 2)
            self.diags.refuse("PG113", span, f"`{section}` has no `default`: what holds where no entry speaks?",
                              helps=[f"{section}: {{ default: {'rwx' if section == 'memory' else 'deny'} }}"])

    @staticmethod
    def new_places(family: Family, reader: EntryReader) -> Set[Place]:
        """Places where the youngest file adds an entry. An entry that replaces a parent's, or one that a feature
        exposes, is needed even if it decides as the wider one does."""
        said = {(section, key.text) for source in family.sources[:-1] for section in schema.SECTIONS
                for key in keys_in(source.root.get(section) if source.root else None)}
        return {entry.place for entry in reader.entries if entry.place.file == family.own.file
                and (entry.section, entry.name.split("+")[0]) not in said and entry.rule not in reader.against_features}

    def repeated(self, family: Family) -> None:
        """Complains of an entry of the child that equals the parent's."""
        if len(family.sources) < 2:
            return
        older: Dict[str, Dict[str, Raw]] = {section: {} for section in schema.SECTIONS}
        quiet = Diagnostics()
        for source in family.sources[:-1]:
            for section in schema.SECTIONS:
                node = source.root.get(section) if source.root else None
                older[section] = merge(older[section], raw_section(node, section, source, quiet), quiet)
        for section, entries in family.sections.items():
            for name, raw in entries.items():
                parent = older[section].get(name)
                if raw.source is family.own and parent is not None and same(raw.node, parent.node):
                    self.diags.error("PG203", raw.key.span, f"{name} says what the parent says", "changes nothing",
                                     also=[(parent.key.span, "the parent's entry")], helps=["remove it"])

    # --- assertions and tests -----------------------------------------------------------------------------------

    def asserts(self, family: Family, reader: ClaimReader) -> Tuple[Assertion, ...]:
        found: Dict[str, Tuple[Scalar, Node, Source]] = {}
        for source in family.sources:
            node = source.root.get("assert") if source.root else None
            written = as_map(node, "`assert`", self.diags) if node is not None else None
            for key, value in written.items if written else ():
                if not CLAIM_NAME.match(key.text):
                    self.diags.refuse("PG122", key.span, f"{quoted(key.text)} cannot name an assertion",
                                      helps=["letters, digits, `-`, `_` and `.`; at most 63"])
                elif key.text in found:
                    self.diags.refuse("PG604", key.span,
                                      f"assertion {key.text} is the parent's: a child cannot rewrite it",
                                      "taken", also=[(found[key.text][0].span, "the parent's")],
                                      helps=["choose another name, or waive the parent's with a reason"])
                else:
                    found[key.text] = (key, value, source)
        waived = self.waivers(family, found)
        out = []
        for name, (key, value, _) in found.items():
            claim = reader.read(value, f"assertion {name}", key)
            if claim is not None:
                out.append(claim.assertion(name, waived.get(name)))
        return tuple(out)

    def waivers(self, family: Family, found: Mapping[str, Tuple[Scalar, Node, Source]]) -> Dict[str, str]:
        out: Dict[str, str] = {}
        for source in family.sources:
            node = source.root.get("waive") if source.root else None
            written = as_map(node, "`waive`", self.diags) if node is not None else None
            for key, value in written.items if written else ():
                inherited = [name for name, (_, _, origin) in found.items() if origin is not source]
                if key.text in found and key.text not in inherited:
                    self.diags.refuse("PG118", key.span,
                                      f"{key.text} is this policy's own assertion: remove it instead",
                                      "nothing to waive")
                    continue
                if not inherited:
                    why = "its parents assert nothing" if len(family.sources) > 1 else "this policy extends none"
                    self.diags.refuse("PG118", key.span, f"{quoted(key.text)} cannot be waived: {why}", "nothing to waive",
                                      helps=["remove the waiver, or name the parent: `extends: NAME`"])
                    continue
                name = pick(key, inherited, "PG118", "inherited assertion", self.diags, "nothing to waive")
                reason = as_text(value, "the reason of a waiver", self.diags)
                if name is not None and reason is not None:
                    out[name] = reason
        return out

    def tests(self, family: Family, reader: ClaimReader) -> Tuple[Test, ...]:
        node = family.own.root.get("tests") if family.own.root else None
        out = []
        for item in as_list(node, "`tests`", self.diags) if node is not None else []:
            claim = reader.read(item, "a test")
            if claim is not None:
                out.append(claim.test())
        return tuple(out)

    # --- suppressions -------------------------------------------------------------------------------------------

    def accepted(self, family: Family) -> Dict[str, str]:
        """The `# ignore PG501: reason` comments, by "PG501 file:line", for the planner and the checks."""
        return {f"{ignore.code} {source.file}:{ignore.line}": ignore.reason
                for source in family.sources for ignore in source.ignores}

    def settle(self, family: Family, diags: Diagnostics, keep_unused: bool = False) -> None:
        """Drops complaints that the policy accepts with a reason, and complains of an ignore without a complaint (for
        PG5xx target/review.py does)."""
        drop_consequences(diags)
        own = [ignore for source in family.sources for ignore in source.ignores]
        usable = {(ignore.code, ignore.span.file, ignore.line): ignore for ignore in own
                  if ignore.code.startswith(SUPPRESSIBLE)}
        used, kept = set(), []
        for item in diags.items:
            ignored = usable.get((item.code, item.span.file, item.span.line)) if item.span is not None else None
            used.update([ignored] if ignored else [])
            kept += [] if ignored else [item]
        diags.items = kept
        for ignore in own:
            if not ignore.code.startswith(SUPPRESSIBLE):
                diags.error("PG902", ignore.span, f"{ignore.code} cannot be ignored", "a mistake stays a mistake",
                            helps=["PG2xx, PG4xx and PG5xx can be ignored with a reason"])
            elif ignore not in used and not keep_unused and not ignore.code.startswith(PER_CPU) \
                    and ignore.span.file == family.own.file:
                unused(ignore, diags)


def drop_consequences(diags: Diagnostics) -> None:
    """Drops complaints that follow from another on the same line: a misspelt entry is read as the likely one, whose
    faults are not the author's."""
    for weaker, stronger in ((("PG2", "PG3", "PG4"), ("PG0", "PG1")), (("PG2",), ("PG3",))):
        lines = {(item.span.file, item.span.line) for item in diags.items
                 if item.span and item.code.startswith(stronger)}
        diags.items = [item for item in diags.items if item.span is None or not item.code.startswith(weaker)
                       or (item.span.file, item.span.line) not in lines]


def keys_in(node: Optional[Node]) -> List[Scalar]:
    return [key for key, _ in node.items] if isinstance(node, MapNode) else []


def unused(ignore: Ignore, diags: Diagnostics) -> None:
    diags.error("PG901", ignore.span, f"nothing to ignore here: {ignore.code} is not reported for line {ignore.line}",
                "unused", helps=["remove the comment"])
