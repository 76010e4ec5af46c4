# SPDX-License-Identifier: Apache-2.0
"""CPU models: policy/arch/cpus.yaml, with every name in it checked."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Collection, Dict, List, Mapping, Tuple

from policygen.text import paths
from policygen.text.diag import BrokenFacts, Diagnostics
from policygen.text.nodes import as_map, as_texts, keys_of, pick
from policygen.text.source import Mapping as MapNode, Node, Scalar, read

KEYS = ("probe", "like", "has", "also", "lacks", "shows")
MTE = "+mte"                        # behind a model's name: on a machine that has memory for tags (QEMU's -M mte=on)
TAGS = ("FEAT_MTE", "FEAT_MTE2")    # features that a model on such a machine no longer lacks


@dataclass(frozen=True)
class Cpu:
    name: str
    probe: str                      # column of sysregs.csv
    features: Tuple[str, ...]       # of the architecture, in addition to the probe column's
    measured: bool                  # False: the probe column is of another model
    also: Tuple[str, ...]           # registers, in addition to all these
    lacks: Tuple[str, ...]          # less than the column: registers, and features with all of theirs
    shows: Tuple[str, ...]          # features of policies


@dataclass(frozen=True)
class Known:
    """The names that facts of CPU models may use."""
    probes: Collection[str]
    features: Collection[str]
    registers: Collection[str]
    shown: Collection[str]


def file() -> Path:
    return paths.facts_dir() / "arch" / "cpus.yaml"


def load_cpus(known: Known) -> Mapping[str, Cpu]:
    """Raises BrokenFacts with every complaint, each with its place."""
    diags = Diagnostics()
    source = read(file(), paths.display(file()), diags)
    node = source.root.get("cpus") if source is not None and source.root is not None else None
    written = as_map(node, "`cpus`", diags) if node is not None else None
    if written is None and not diags.failed:
        raise BrokenFacts(f"{paths.display(file())}: `cpus` is missing")
    found = _Reader(written, known, diags).cpus() if written is not None else {}
    if diags.failed:
        raise BrokenFacts(f"CPU models cannot be used:\n{diags.render()}")
    return found


def with_tags(cpu: Cpu) -> Cpu:
    """A model on a machine with memory for tags."""
    return replace(cpu, name=f"{cpu.name}{MTE}", features=tuple(dict.fromkeys((*cpu.features, *TAGS))),
                   lacks=tuple(word for word in cpu.lacks if word not in TAGS), shows=tuple(dict.fromkeys((*cpu.shows, "mte"))))


class _Reader:
    def __init__(self, written: MapNode, known: Known, diags: Diagnostics) -> None:
        self.written, self.known, self.diags = written, known, diags
        self.said: Dict[str, Tuple[Scalar, Dict[str, Node]]] = {}

    def cpus(self) -> Dict[str, Cpu]:
        for key, value in self.written.items:
            node = as_map(value, key.text, self.diags)
            pairs = keys_of(node, KEYS, "CPU model", self.diags) if node is not None else []
            self.said[key.text] = key, {name: item for name, _, item in pairs}
        found = {name: self.cpu(name, key, facts) for name, (key, facts) in self.said.items()}
        tagged = {f"{name}{MTE}": with_tags(cpu) for name, cpu in found.items() if TAGS[1] in cpu.lacks}
        return {**found, **tagged}

    def cpu(self, name: str, key: Scalar, facts: Dict[str, Node]) -> Cpu:
        for needed in ("has", "shows"):
            if needed not in facts:
                self.diags.refuse("PG113", key.span, f"`{needed}` of {name} is missing", helps=[f"{needed}: []"])
        measured = "probe" in facts
        if measured == ("like" in facts):
            self.diags.refuse("PG113", key.span, f"{name} has one of `probe` and `like`",
                              helps=["probe: a column of sysregs.csv that was measured", "like: another model"])
        probe = self.words(facts, "probe", self.known.probes, "column of sysregs.csv")
        for other in self.words(facts, "like", [other for other in self.said if other != name], "CPU model"):
            probe = self.words(self.said[other][1], "probe", self.known.probes, "column of sysregs.csv")
            if not probe:
                self.diags.refuse("PG113", facts["like"].span, f"{other} was not measured either", "no `probe`")
        return Cpu(name, probe[0] if probe else "", self.words(facts, "has", self.known.features, "feature"), measured,
                   self.words(facts, "also", self.known.registers, "register"),
                   self.words(facts, "lacks", [*self.known.registers, *self.known.features], "register or feature"),
                   self.words(facts, "shows", self.known.shown, "feature of policies"))

    def words(self, facts: Dict[str, Node], name: str, known: Collection[str], what: str) -> Tuple[str, ...]:
        """The names in a key's list, all of them known."""
        if name not in facts:
            return ()
        value = facts[name]
        items: List[Scalar] = [value] if isinstance(value, Scalar) else list(as_texts(value, f"`{name}`", self.diags))
        return tuple(word for item in items for word in [pick(item, known, "PG105", what, self.diags)] if word)
