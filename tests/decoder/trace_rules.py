# SPDX-License-Identifier: Apache-2.0
"""Readers of Chrome's trace event form and their rules, one function each.

The form is the Trace Event Format; its readers are Perfetto's trace processor, which computes in nanoseconds, and Chrome's
own viewer (catapult), which computes in binary fractions of a millisecond. Each rule says how they take its breach.
"""
from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterator, List, Tuple

Event = Dict[str, Any]
NEEDS = {"X": {"ts", "dur", "cat", "args"}, "i": {"ts", "s", "cat", "args"}, "C": {"ts", "cat", "args"}, "M": {"args"}}
MOST = 1 << 53          # a double holds integers exactly up to here


def load(text: bytes) -> List[Event]:
    """The events. NaN and Infinity are no JSON, though Python reads them."""
    def no(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")
    data = json.loads(text.decode("utf-8"), parse_constant=no)
    assert set(data) <= {"traceEvents", "displayTimeUnit", "otherData"} and data["displayTimeUnit"] in ("ms", "ns")
    events = data["traceEvents"]
    assert isinstance(events, list)
    return events


def perfetto(micro: float) -> int:
    """Nanoseconds, as `static_cast<int64_t>(value * 1000.0)` has them: cut off, not rounded."""
    return int(float(micro) * 1000.0)


def tracks(events: List[Event], ph: str) -> Iterator[Tuple[Tuple[int, int], List[Event]]]:
    found: Dict[Tuple[int, int], List[Event]] = {}
    for event in events:
        if event["ph"] == ph:
            found.setdefault((event["pid"], event["tid"]), []).append(event)
    yield from found.items()


def fields(events: List[Event]) -> Iterator[str]:
    """An event has the members of its phase and no others; a name is no empty text. (Skipped, or "undefined".)"""
    for event in events:
        ph = event.get("ph")
        if ph not in NEEDS or set(event) != {"ph", "name", "pid", "tid", *NEEDS[ph]}:
            yield f"members of {event}"
        elif not isinstance(event["name"], str) or not event["name"] or not isinstance(event["args"], dict):
            yield f"name of {event}"
        elif not isinstance(event.get("cat", "x"), str) or not event.get("cat", "x"):
            yield f"category of {event}"


def numbers_of_tracks(events: List[Event]) -> Iterator[str]:
    """Processes and threads are integers from 1 on: 0 is the idle thread, to which several things are ascribed."""
    for event in events:
        if not all(type(event[key]) is int and 0 < event[key] < 1 << 31 for key in ("pid", "tid")):
            yield f"track of {event}"


def times(events: List[Event]) -> Iterator[str]:
    """No time and no duration is negative, and each is exact as a double. (Negative: dropped; inexact: neighbours overlap
    by a nanosecond, and one of them is dropped.)"""
    for event in events:
        for key in ("ts", "dur"):
            value = event.get(key, 0)
            if type(value) not in (int, float) or not 0 <= value < MOST / 1000 or value * 8 != int(value * 8):
                yield f"{key} of {event}"


def nesting(events: List[Event]) -> Iterator[str]:
    """Slices of one track lie beside each other or one in the other, in the arithmetic of either reader.
    (Perfetto drops the second: slice_drop_overlapping_complete_event.)"""
    def whole(event: Event) -> Tuple[float, float]:
        return perfetto(event["ts"]), perfetto(event["ts"]) + perfetto(event["dur"])

    def binary(event: Event) -> Tuple[float, float]:
        return event["ts"] / 1000.0, event["ts"] / 1000.0 + event["dur"] / 1000.0

    for form in (whole, binary):
        for track, slices in tracks(events, "X"):
            stack: List[Tuple[float, float]] = []
            for start, end in sorted(map(form, slices), key=lambda pair: (pair[0], -pair[1])):
                while stack and stack[-1][1] <= start + (1e-9 if form is binary else 0):
                    stack.pop()
                if stack and end > stack[-1][1] + (1e-9 if form is binary else 0):
                    yield f"{track}: {start} to {end} overlaps what ends at {stack[-1][1]}"
                stack.append((start, end))


def beginnings(events: List[Event]) -> Iterator[str]:
    """No two slices of one track begin together: which one holds the other is then the order in the file, or chance."""
    for track, slices in tracks(events, "X"):
        seen: Dict[int, Event] = {}
        for event in slices:
            if seen.setdefault(perfetto(event["ts"]), event) is not event:
                yield f"{track}: two slices begin at {event['ts']}"


def instants(events: List[Event]) -> Iterator[str]:
    """An instant stands on no track that has slices: at the time at which one begins or ends it would not be drawn.
    Its scope is its thread, its process or all."""
    sliced = {track for track, _ in tracks(events, "X")}
    for track, found in tracks(events, "i"):
        if track in sliced:
            yield f"{track} has slices and instants"
        if any(event["s"] not in ("g", "p", "t") for event in found):
            yield f"{track}: scope"


def counters(events: List[Event]) -> Iterator[str]:
    """A counter's values are numbers, under the same names each time. (Another set of names is another counter.)"""
    series: Dict[Tuple[int, str], List[str]] = {}
    for event in events:
        if event["ph"] == "C":
            if not event["args"] or not all(type(value) in (int, float) for value in event["args"].values()):
                yield f"values of {event}"
            if series.setdefault((event["pid"], event["name"]), list(event["args"])) != list(event["args"]):
                yield f"series of {event}"


def named(events: List[Event]) -> Iterator[str]:
    """Each process and each thread that has something is named once."""
    seen: List[Tuple[object, ...]] = []
    for event in events:
        if event["ph"] == "M":
            if event["name"] not in ("process_name", "thread_name") or not isinstance(event["args"].get("name"), str):
                yield f"metadata {event}"
            seen.append((event["pid"], event["tid"]) if event["name"] == "thread_name" else (event["pid"],))
    if len(seen) != len(set(seen)):
        yield "named twice"
    for ph in "Xi":
        for track, _ in tracks(events, ph):
            if track not in seen or track[:1] not in seen:
                yield f"{track} has no name"


RULES: List[Callable[[List[Event]], Iterator[str]]] = [
    fields, numbers_of_tracks, times, nesting, beginnings, instants, counters, named]


def broken(events: List[Event]) -> List[str]:
    """Complaints of the rules."""
    return [f"{rule.__name__}: {text}" for rule in RULES for text in rule(events)]
