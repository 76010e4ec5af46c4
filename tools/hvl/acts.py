# SPDX-License-Identifier: Apache-2.0
"""The operator's acts in a run: when the guest stood, and what was changed."""
from __future__ import annotations

from bisect import bisect_right
from typing import List, Optional, Tuple

from .record import Rec

_STOPS = 1 << 16        # of one session
_BRIEF = ("keys", "watch")      # a table on the line: nobody stands
_SETTINGS = ("set esc=", "set live=", "set time.hide=on")       # of the line and the clock as it is built


def change(rec: Rec) -> Optional[str]:
    """The change of the policy or the guest that a record tells of; None: none."""
    if rec.kind == "P":
        f = rec.f.kv
        return f"{f.get('rule', '?')}: {f.get('old', '?')} -> {f.get('new', '?')} by {f.get('by', '?')}"
    if rec.kind != "E":
        return None
    event, body = rec.f.event, rec.body
    if event == "overruled":
        f = rec.f.kv
        return f"{f.get('rule', '?')} overruled once: {f.get('answer', '?')} at pc {f.get('pc', '?')}"
    if event == "write":
        return f"memory {rec.f.kv.get('addr', '?')} = {rec.f.kv.get('value', '?')}"
    if event == "set" and not body.startswith(_SETTINGS) or event == "inject":
        return body
    return None


class Stops:
    """When the guest stood, on all of its CPUs, and its own time: that of the log without these."""

    def __init__(self) -> None:
        self.spans: List[Tuple[int, int, str]] = []     # since, until, why; in order, disjoint
        self._since: List[int] = []
        self._stood: List[int] = [0]                    # before each of them, and after all
        self._own: List[int] = []                       # when they are in the guest's time
        self._open: Optional[Tuple[int, str]] = None

    def event(self, rec: Rec, paused: int) -> None:
        """A mon+ or mon-; `paused`: nanoseconds that the latter tells."""
        if rec.t is None:
            return
        if rec.f.event == "mon+":
            why = rec.f.kv.get("why", "?")
            self._open = None if why in _BRIEF else (rec.t, why)
        elif self._open is not None:
            (since, why), self._open = self._open, None
            if paused and len(self.spans) < _STOPS:
                self._add(since, rec.t, why)

    def _add(self, since: int, until: int, why: str) -> None:
        since = max(since, self.spans[-1][1] if self.spans else 0)
        if until > since:
            self.spans.append((since, until, why))
            self._since.append(since)
            self._own.append(since - self._stood[-1])
            self._stood.append(self._stood[-1] + until - since)

    def own(self, t: int) -> int:
        """The guest's time at `t` of the log: where it stands, that at which it stopped."""
        if self._open is not None:
            t = min(t, self._open[0])
        at = bisect_right(self._since, t)
        if not at:
            return t
        return max(t, self.spans[at - 1][1]) - self._stood[at]

    def real(self, own: int) -> int:
        """The time of the log at which the guest had had so much."""
        return own + self._stood[bisect_right(self._own, own)]

    def marks(self) -> List[Tuple[int, int, int, str]]:
        """For each stop: the guest's time, the log's, how long, and why."""
        return [(own, since, until - since, why) for own, (since, until, why) in zip(self._own, self.spans)]
