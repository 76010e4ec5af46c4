# SPDX-License-Identifier: Apache-2.0
"""The device addresses that the policy gives to the guest (build/gen/windows.json)."""
from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import FrozenSet, List, Mapping, Optional, Tuple

from guestprep import layout
from guestprep.report import Report, read_file

GIVING = ("allow", "emulate")
# Devices with some bits or constants only are not given: they would be probed and found broken.
ACTIONS = GIVING + ("deny", "value", "ignore", "raz-wi", "mask", "fields", "forward", "pause", "kill")
MAX_JSON = 4 << 20
MAX_WINDOWS = 256


@dataclass(frozen=True)
class Window:
    name: str
    base: int
    size: int
    actions: Tuple[str, ...]    # a word, or one each for read and write


class Windows:
    """Looks up addresses; of two windows the narrower decides, as in the policy."""

    def __init__(self, windows: List[Window]) -> None:
        self._windows = sorted(windows, key=lambda window: window.size)

    def actions(self, base: int, size: int) -> Tuple[str, ...]:
        """The words that decide in a range, each once; addresses outside all windows are denied."""
        end = base + max(size, 1)
        cuts = {base}
        for window in self._windows:
            cuts.update(cut for cut in (window.base, window.base + window.size) if base < cut < end)
        found: List[str] = []
        for cut in sorted(cuts):
            found += next((window.actions for window in self._windows
                           if window.base <= cut < window.base + window.size), ("deny",))
        return tuple(dict.fromkeys(found))


DEFAULT = Windows([
    Window("gicd", layout.GICD_BASE, layout.GICD_SIZE, ("emulate",)),
    Window("gicr", layout.GICR_BASE, layout.GICR_SIZE, ("emulate",)),
    Window("uart0", layout.UART_BASE, layout.UART_SIZE, ("emulate",)),
])


def load(where: str, text: bytes, report: Report) -> Optional[Windows]:
    """Reads the list that policygen writes."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        report.error(where, f"not JSON: {error}")
        return None
    if not isinstance(rows, list):
        report.error(where, f"holds a {type(rows).__name__}, not a list of windows")
        return None
    if len(rows) > MAX_WINDOWS:
        report.error(where, f"{len(rows)} windows; at most {MAX_WINDOWS} are read")
        return None
    windows: List[Window] = []
    for index, row in enumerate(rows):
        window = _window(f"{where}: window {index}", row, report)
        if window:
            windows.append(window)
    return Windows(windows)


def of_policy(file: Optional[str], report: Report) -> Windows:
    """The windows of windows.json; without a file, those of every guest."""
    if file is None:
        return DEFAULT
    text = read_file(file, MAX_JSON, "a list of windows", report)
    return (load(file, text, report) if text is not None else None) or DEFAULT


def hidden_features(file: Optional[str], report: Report) -> FrozenSet[str]:
    """The features that the policy hides, by the file that policygen wrote beside the windows."""
    if file is None:
        return frozenset()
    canonical = os.path.join(os.path.dirname(file), "policy.canonical.json")
    if not os.path.lexists(canonical):
        return frozenset()
    text = read_file(canonical, MAX_JSON, "a policy's canonical form", report)
    return hidden(text) if text is not None else frozenset()


def hidden(text: bytes) -> FrozenSet[str]:
    """The features that the policy hides, by policygen's policy.canonical.json; none if the file is something else."""
    try:
        features = json.loads(text)["features"]
        return frozenset(name for name, word in features.items() if word == "hide")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return frozenset()


def _window(where: str, row: object, report: Report) -> Optional[Window]:
    if not isinstance(row, dict):
        report.error(where, "not an object with name, base, size and action")
        return None
    name, base, size = row.get("name"), row.get("base"), row.get("size")
    if not isinstance(name, str):
        report.error(where, "has no name")
        return None
    where = f"{where} ({name})"
    if type(base) is not int or type(size) is not int or base < 0 or size <= 0:
        report.error(where, f"base {base!r} and size {size!r} are no address and length")
        return None
    actions = _actions(row)
    unknown = [action for action in actions if action not in ACTIONS]
    if unknown or not actions:
        report.error(where, f"action {row.get('action')!r} is none of {', '.join(ACTIONS)}")
        return None
    return Window(name, base, size, actions)


def _actions(row: Mapping[str, object]) -> Tuple[str, ...]:
    """`action` is a word, or {"read": word, "write": word}."""
    action = row.get("action")
    words = list(action.values()) if isinstance(action, dict) else [action]
    return tuple(dict.fromkeys(str(word) for word in words))
