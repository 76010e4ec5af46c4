# SPDX-License-Identifier: Apache-2.0
"""Traps by the guest's functions: a flame graph, as a drawing for the report and in folded form for others' tools.

A stack is: where it ran, the callers that `@E trace` tells (of `log: { always, trace }`), the function, and what it asked for.
"""
from __future__ import annotations

from typing import Dict, Iterator, List, Optional, Tuple

from .escape import Html, markup, together
from .fields import CALL, View
from .record import DECISIONS, Body, Rec, callers, group, touched
from .run import Output, Run
from .sequence import End, Start

_STACKS = 20_000        # told apart; a guest that jumps about must not cost memory
_WIDTH, _ROW, _LEAST = 1000.0, 17, 0.6       # of the drawing, in units; a frame that is narrower is left out
_COLOURS = {"DENY": "#e57368", "KILL": "#a04a44", "WOULD": "#efb15c", "INJECT": "#b7a8dc", "": "#f2cf8d"}

Key = Tuple[Optional[int], Optional[int], Tuple[int, ...], str, str]     # EL, pc, callers, verdict, what
Weight = Tuple[int, int]        # decisions, ticks


class Flame:
    """One session."""

    def __init__(self) -> None:
        self._held: Dict[int, Rec] = {}         # by CPU: a decision whose callers may come next
        self._stacks: Dict[Key, Weight] = {}
        self.other: Weight = (0, 0)

    def add(self, rec: Rec) -> None:
        before = self._held.pop(rec.cpu, None)
        if before is not None:
            same = rec.kind == "E" and rec.f.event == "trace" and rec.seq == before.seq + before.span
            self._count(before, tuple(callers(rec.f.kv.get("lr", ""))) if same else ())
        if rec.kind in DECISIONS:
            self._held[rec.cpu] = rec

    def _count(self, rec: Rec, stack: Tuple[int, ...]) -> None:
        f = rec.f
        key = f.el, f.pc, stack, f.verdict or "?", _subject(f)
        known = self._stacks.get(key)
        weight = f.n, f.cost or 0
        if known is None and len(self._stacks) >= _STACKS:
            self.other = _sum(self.other, weight)
        else:
            self._stacks[key] = _sum(known or (0, 0), weight)

    def folded(self, view: View) -> Dict[Tuple[str, ...], Weight]:
        """By frames, the outermost first; the last one begins with the verdict."""
        for rec in self._held.values():
            self._count(rec, ())
        self._held.clear()
        out: Dict[Tuple[str, ...], Weight] = {}
        for (el, pc, stack, verdict, what), weight in self._stacks.items():
            own = None if pc is None else view.function(pc, el)
            if stack and own is not None and view.function(stack[0], back=CALL) == own:
                stack = stack[1:]       # X30 is old: it was saved, and the function has called others since
            frames = ["EL?" if el is None else f"EL{el}"]
            frames += [view.function(address, back=CALL) or hex(address) for address in reversed(stack)]
            frames.append("?" if pc is None else own or hex(pc))
            key = (*frames, f"{verdict} {what}")
            out[key] = _sum(out.get(key, (0, 0)), weight)
        if self.other[0]:
            out[("(other)",)] = self.other
        return out


def _subject(f: Body) -> str:
    name = touched(f) or group(f)
    return f"{f.cls or '?'}{'.' + f.op if f.op else ''} {name}"


def _sum(a: Weight, b: Weight) -> Weight:
    return a[0] + b[0], a[1] + b[1]


def write_folded(run: Run, out: Output, by_cost: bool) -> None:
    """A line for each stack, as flamegraph.pl, speedscope and inferno read them."""
    flame = Flame()
    for event, view in run.events():
        if isinstance(event, Start):
            flame = Flame()
        elif isinstance(event, Rec) and (run.passes(event, view) or event.f.event == "trace"):
            flame.add(event)
        elif isinstance(event, End):
            for frames, weight in sorted(flame.folded(view).items()):
                if weight[by_cost]:
                    out.line(f"{';'.join(frame.replace(';', ':') for frame in frames)} {weight[by_cost]}")


# --- the drawing --------------------------------------------------------------------------------------------

class _Node:
    __slots__ = ("weight", "below")

    def __init__(self) -> None:
        self.weight: Weight = (0, 0)
        self.below: Dict[str, _Node] = {}


def drawing(stacks: Dict[Tuple[str, ...], Weight]) -> Html:
    """An SVG whose widths are decisions; the outermost frame is at the bottom."""
    top = _Node()
    for frames, weight in stacks.items():
        node = top
        node.weight = _sum(node.weight, weight)
        for frame in frames:
            node = node.below.setdefault(frame, _Node())
            node.weight = _sum(node.weight, weight)
    depth = max((len(frames) for frames in stacks), default=0)
    if not top.weight[0]:
        return Html("")
    parts = [markup("<svg viewBox='0 0 {} {}' width='100%' font-size='11' font-family='monospace'>", int(_WIDTH),
                    depth * _ROW)]
    parts += _boxes(top, 0.0, depth, top.weight[0])
    return together([*parts, markup("</svg>")])


def _boxes(node: _Node, left: float, level: int, whole: int) -> Iterator[Html]:
    """Without recursion: who makes a log chooses how deep a stack is."""
    todo: List[Tuple[_Node, float, int]] = [(node, left, level)]
    while todo:
        node, left, level = todo.pop()
        for name, below in sorted(node.below.items()):
            width = _WIDTH * below.weight[0] / whole
            if width >= _LEAST:
                verdict = name.partition(" ")[0] if not below.below else ""
                room = int(width / 6.8)
                text = name if len(name) <= room else name[:room - 1] + "…" if room > 3 else ""
                yield markup("<g><title>{}: {} decisions, {} %</title><rect x='{}' y='{}' width='{}' height='{}' fill='{}' "
                             "stroke='#fff'/><text x='{}' y='{}'>{}</text></g>", name, below.weight[0],
                             f"{100 * below.weight[0] / whole:.1f}", f"{left:.1f}", (level - 1) * _ROW, f"{width:.1f}", _ROW,
                             _COLOURS.get(verdict, "#9ec5e0" if verdict else _COLOURS[""]), f"{left + 3:.1f}",
                             level * _ROW - 5, text)
                todo.append((below, left, level - 1))
            left += width
