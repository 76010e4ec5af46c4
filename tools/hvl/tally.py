# SPDX-License-Identifier: Apache-2.0
"""Counts the decisions of a session in constant memory: the numbers behind summary, diff and the report."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from .fields import View
from .record import Body, Rec, VERDICTS, group, number
from .rules import Places
from .sequence import Session

_ROWS = 10_000      # rows of one table: a guest that scans addresses must not cost memory
_RULES = 1 << 18    # totals of rules, over all CPUs
_PCS = 64           # instructions shown in one row of refusals
OTHER = "(other)"
_NO_COUNTER = ("part", "rules", "waiting")


class Costs:
    """Percentiles of a stream: exact below 32 ticks, else to one part in 16."""

    def __init__(self) -> None:
        self._buckets: Dict[int, int] = {}
        self.count = 0
        self.total = 0
        self.most = 0

    def add(self, cost: int, n: int) -> None:
        self.count += n
        self.total += cost
        each = cost // n
        self.most = max(self.most, each)
        shift = max(0, each.bit_length() - 5)
        bucket = shift << 5 | each >> shift
        self._buckets[bucket] = self._buckets.get(bucket, 0) + n

    def percentile(self, p: float) -> int:
        want, seen = self.count * p / 100, 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= want:
                shift = bucket >> 5
                low = (bucket & 31) << shift
                return min(self.most, low + ((1 << shift) - 1) // 2)
        return self.most

    def histogram(self) -> List[Tuple[int, int]]:
        """(cost from, count), ascending."""
        return [((b & 31) << (b >> 5), self._buckets[b]) for b in sorted(self._buckets)]


class Row:
    """One line of a table of decisions."""

    def __init__(self) -> None:
        self.count = 0
        self.costs = Costs()
        self.rules: Set[int] = set()
        self.verdicts: Dict[str, int] = {}

    def add(self, body: Body) -> None:
        self.count += body.n
        if body.cost is not None:
            self.costs.add(body.cost, body.n)
        if body.rule is not None and len(self.rules) < 64:
            self.rules.add(body.rule)
        if body.verdict is not None:
            word = body.verdict if body.verdict in VERDICTS else "?"
            self.verdicts[word] = self.verdicts.get(word, 0) + body.n


class Refusal:
    """Denials of one subject, and the instructions that wanted it."""

    def __init__(self, seq: int) -> None:
        self.count = 0
        self.first = self.last = seq
        self.pcs: Dict[int, int] = {}


def _bounded(table: Dict[Any, Any], key: Any, other: Any) -> Any:
    return key if key in table or len(table) < _ROWS else other


def by_pc(body: Body) -> str:
    return "?" if body.pc is None else hex(body.pc)


KEYS: Dict[str, Callable[[Body], str]] = {
    "class": group,
    "rule": lambda b: "?" if b.rule is None else f"r{b.rule}",
    "pc": by_pc,
    "reg": lambda b: b.name or "?",
}


class Tally:
    """One session's decisions."""

    def __init__(self, session: Session, places: Places, by: str = "class") -> None:
        self.session = session
        self._places = places
        self._key = KEYS[by]
        self.rows: Dict[str, Row] = {}
        self.verdicts: Dict[str, int] = {}
        self.refused: Dict[Tuple[str, str, str, Optional[int]], Refusal] = {}
        self.hits: Dict[int, int] = {}
        self.decisions = 0
        self.cost = 0
        self.exceptions = 0
        self.marks = 0
        self.changes = 0
        # From @S: each CPU's last value of each counter, and of each rule's hits and cost. A rule without an @S has
        # none.
        self._totals_of: Dict[int, Dict[str, int]] = {}
        self._rules_of: Dict[int, Dict[int, Tuple[int, int]]] = {}
        self._rules_kept = 0
        self.totals_at: Optional[int] = None

    def add(self, rec: Rec) -> None:
        kind = rec.kind
        if kind == "D" or kind == "A":
            self._decision(rec)
        elif kind == "X":
            self.exceptions += 1
        elif kind == "E":
            self.marks += rec.f.event == "mark"
        elif kind == "S":
            self._totals(rec)
        elif kind == "P":
            self.changes += 1

    def _decision(self, rec: Rec) -> None:
        body = rec.f
        n = body.n
        self.decisions += n
        verdict = body.verdict if body.verdict in VERDICTS else "?"
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + n
        key = _bounded(self.rows, self._key(body), OTHER)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = Row()
        row.add(body)
        if body.cost is not None:
            self.cost += body.cost
        if body.rule is not None and body.rule < 1 << 16:
            self.hits[body.rule] = self.hits.get(body.rule, 0) + n
        if self._places.refuses(self.session, verdict, body.rule):
            self._refusal(rec, body, verdict)

    def _refusal(self, rec: Rec, body: Body, verdict: str) -> None:
        name = body.name or group(body)
        if body.cls == "mmio" and body.off is not None:
            name += f"+0x{body.off:x}"
        subject = f"{name} {body.op}" if body.op else f"{body.cls} {name}" if body.cls else name
        key = (subject, verdict, body.cls or "?", body.rule)
        key = _bounded(self.refused, key, (OTHER, verdict, "?", None))
        found = self.refused.get(key)
        if found is None:
            found = self.refused[key] = Refusal(rec.seq)
        found.count += body.n
        found.last = max(found.last, rec.seq)
        found.first = min(found.first, rec.seq)
        if body.pc is not None and (body.pc in found.pcs or len(found.pcs) < _PCS):
            found.pcs[body.pc] = found.pcs.get(body.pc, 0) + body.n

    @property
    def totals(self) -> Dict[str, int]:
        out: Dict[str, int] = {}
        for totals in self._totals_of.values():
            for key, n in totals.items():
                out[key] = out.get(key, 0) + n
        return out

    @property
    def rule_totals(self) -> Dict[int, Tuple[int, int]]:
        out: Dict[int, Tuple[int, int]] = {}
        for rules in self._rules_of.values():
            for rule, (hits, cost) in rules.items():
                before = out.get(rule, (0, 0))
                out[rule] = before[0] + hits, before[1] + cost
        return out

    def _totals(self, rec: Rec) -> None:
        totals, rules = self._totals_of.setdefault(rec.cpu, {}), self._rules_of.setdefault(rec.cpu, {})
        for key, value in rec.f.kv.items():
            if key[:1] == "r" and key[1:].isdigit() and len(key) < 7:
                hits, _, cost = value.partition("/")
                h, c = number(hits), number(cost)
                rule = int(key[1:])
                if h is not None and (rule in rules or self._rules_kept < _RULES):
                    self._rules_kept += rule not in rules
                    rules[rule] = (h, c or 0)
            elif key not in _NO_COUNTER:
                total = number(value)
                if total is not None and (key in totals or len(totals) < 64):
                    totals[key] = total
        self.totals_at = rec.t

    # --- results ----------------------------------------------------------------------------------------

    @property
    def exact(self) -> bool:
        """Whether EL2's totals count, and not the decisions counted here."""
        return self.totals.get("dec", -1) >= self.decisions

    def total(self) -> int:
        return self.totals["dec"] if self.exact else self.decisions

    def verdict(self, word: str) -> int:
        counted = self.verdicts.get(word, 0)
        return max(counted, self.totals.get(word.lower(), 0)) if self.exact else counted

    def cost_ticks(self) -> int:
        return max(self.cost, sum(cost for _, cost in self.rule_totals.values()))

    def rule_hits(self) -> Dict[int, int]:
        out = dict(self.hits)
        for rule, (hits, _) in self.rule_totals.items():
            out[rule] = max(hits, out.get(rule, 0))
        return out

    def never_hit(self, view: View) -> List[int]:
        hits = self.rule_hits()
        return [rule for rule in view.places.numbers(self.session) if not hits.get(rule)]

    def sorted_rows(self) -> List[Tuple[str, Row]]:
        return sorted(self.rows.items(), key=lambda item: (-item[1].count, item[0]))
