# SPDX-License-Identifier: Apache-2.0
"""Counts the decisions of a session in constant memory: the numbers behind summary, diff and the report."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from .fields import View
from .quick import Block
from .record import Body, Rec, VERDICTS, group, immediate, number, touched
from .rules import Places
from .sequence import Session

_ROWS = 10_000      # rows of one table: a guest that scans addresses must not cost memory
_RULES = 1 << 18    # totals of rules, over all CPUs
_EACH = 1 << 16     # costs and instructions told apart before they are summed up
_PCS = 64           # instructions shown in one row of refusals
_EL0 = " (EL0)"
OTHER = "(other)"
_NO_COUNTER = ("part", "rules", "waiting", "vbar")


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

    def add_equal(self, cost: int, times: int) -> None:
        """The same as add(cost, 1), so many times."""
        self.count += times
        self.total += cost * times
        self.most = max(self.most, cost)
        shift = max(0, cost.bit_length() - 5)
        bucket = shift << 5 | cost >> shift
        self._buckets[bucket] = self._buckets.get(bucket, 0) + times

    def merge(self, other: "Costs") -> None:
        for bucket, n in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + n
        self.count += other.count
        self.total += other.total
        self.most = max(self.most, other.most)

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

    def add_equal(self, body: Body, n: int) -> Costs:
        """The same as add(), n times; the costs are left to the caller."""
        self.count += n
        if body.rule is not None and len(self.rules) < 64:
            self.rules.add(body.rule)
        if body.verdict is not None:
            word = body.verdict if body.verdict in VERDICTS else "?"
            self.verdicts[word] = self.verdicts.get(word, 0) + n
        return self.costs

    def merge(self, other: "Row") -> None:
        self.count += other.count
        self.costs.merge(other.costs)
        self.rules |= other.rules
        for word, n in other.verdicts.items():
            self.verdicts[word] = self.verdicts.get(word, 0) + n


class Refusal:
    """Denials of one subject, and the instructions that wanted it."""

    def __init__(self, seq: int) -> None:
        self.count = 0
        self.first = self.last = seq
        self.pcs: Dict[Tuple[Optional[int], Optional[int]], int] = {}     # by pc and EL


def _bounded(table: Dict[Any, Any], key: Any, other: Any) -> Any:
    return key if key in table or len(table) < _ROWS else other


def by_pc(body: Body) -> str:
    return "?" if body.pc is None else f"{body.pc:#x}{_EL0 if body.el == 0 else ''}"


KEYS: Dict[str, Callable[[Body], str]] = {
    "class": group,
    "rule": lambda b: "?" if b.rule is None else f"r{b.rule}",
    "pc": by_pc,
    "function": by_pc,      # sorted_rows() has the names
    "reg": lambda b: touched(b) or "?",
}


class Counts:
    """Counts of logged records."""

    def __init__(self) -> None:
        self.decisions = 0
        self.verdicts: Dict[str, int] = {}
        self.rules: Dict[int, Tuple[int, int]] = {}     # decisions, ticks


class Counters:
    """Of one CPU: the last word of EL2 on each, and what was logged since then."""

    def __init__(self) -> None:
        self.told: Optional[int] = None                 # when
        self.totals: Dict[str, int] = {}
        self.rules: Dict[int, Tuple[int, int]] = {}     # hits, ticks; a rule that no @S names has none
        self.since = Counts()


class _Alike:
    """Decisions of one CPU whose lines are alike up to their first number: counted now, understood once."""

    __slots__ = ("rec", "call", "refused", "costs", "pcs", "first", "last")

    def __init__(self, rec: Rec, refused: bool) -> None:
        self.rec = rec
        self.call = rec.f.cls in ("hvc", "smc")
        self.refused = refused
        self.clear()

    def clear(self) -> None:
        self.costs: Dict[bytes, int] = {}       # by `cost=70`
        self.pcs: Dict[bytes, int] = {}
        self.first = self.last = 0


class Tally:
    """One session's decisions. `partial`: not all records come here, so that @S, which speaks of all, is no help."""

    def __init__(self, session: Session, places: Places, by: str = "class", partial: bool = False) -> None:
        self.session = session
        self._places = places
        self._key = KEYS[by]
        self.rows: Dict[str, Row] = {}
        self.by_rule: Dict[int, Costs] = {}
        self.refused: Dict[Tuple[str, str, str, Optional[int]], Refusal] = {}
        self.decisions = 0      # logged
        self.exceptions = 0
        self.marks = 0
        self.partial = partial
        self._cpus: Dict[int, Counters] = {}
        self._rules_kept = 0
        self._alike: Dict[int, Dict[bytes, _Alike]] = {}    # by CPU
        self._pending = False
        self._plain: Set[bytes] = set()
        self.takes_blocks = by in ("class", "rule", "reg") and not partial

    def block(self, block: Block) -> None:
        """A row of decisions, each as add() would count it."""
        before, memo = -1, {}       # type: int, Dict[bytes, _Alike]
        self._pending = True
        for line in block.lines:
            _, _, seq, cpu, _, rest = line
            if cpu != before:
                memo, before = self._alike.setdefault(cpu, {}), cpu
            key = rest[:rest.find(b"=")]
            try:
                head, cost, syndrome, _ = rest.rsplit(b" ", 3)
                alike = memo[key]
                costs = alike.costs
                costs[cost] += 1
            except KeyError:        # the first of its kind, or the first with this cost
                odd = not (cost.startswith(b"cost=") and cost[5:].isdigit()) or len(cost) > 24
                if odd or key not in memo:
                    rec = block.record(line)
                    if odd or immediate(rec.f):
                        self.add(rec)       # @A, or none of EL2's
                        continue
                    self._understood(memo, key, rec)
                alike = memo[key]
                costs = alike.costs
                costs[cost] = 1
            except ValueError:
                self.add(block.record(line))
                continue
            if b" n=" in head or alike.call and syndrome not in self._plain and not self._is_plain(block.record(line), syndrome):
                costs[cost] -= 1
                self.add(block.record(line))
            elif alike.refused:
                pc = head[head.find(b" pc="):]
                alike.pcs[pc] = alike.pcs.get(pc, 0) + 1
                alike.first = alike.first or seq
                alike.last = seq
        if sum(len(alike.costs) + len(alike.pcs) for memo in self._alike.values() for alike in memo.values()) > _EACH:
            self._fold()

    def _is_plain(self, rec: Rec, syndrome: bytes) -> bool:
        """Is a call's name that of its number alone? Behind `hvc #1` it has none."""
        if immediate(rec.f):
            return False
        if len(self._plain) < _PCS:
            self._plain.add(syndrome)
        return True

    def _understood(self, memo: Dict[bytes, _Alike], key: bytes, rec: Rec) -> None:
        if len(memo) > _ROWS:
            self._fold()
            self._pending = True
            memo.clear()
        verdict = rec.f.verdict if rec.f.verdict in VERDICTS else "?"
        memo[key] = _Alike(rec, self._places.refuses(self.session, verdict, rec.f.rule))

    def _fold(self) -> None:
        """Counts the rest of the blocks."""
        self._pending = False
        for cpu, memo in self._alike.items():
            for alike in memo.values():
                if alike.costs:
                    self._settle(self._counters(cpu).since, alike)
                    alike.clear()

    def _settle(self, since: Counts, alike: _Alike) -> None:
        body, n = alike.rec.f, sum(alike.costs.values())
        if not n:
            return
        verdict = body.verdict if body.verdict in VERDICTS else "?"
        ticks_of = [(int(text[5:]), times) for text, times in alike.costs.items() if times]
        total = sum(cost * times for cost, times in ticks_of)
        self.decisions += n
        since.decisions += n
        since.verdicts[verdict] = since.verdicts.get(verdict, 0) + n
        costs = [self._row(body).add_equal(body, n)]
        if body.rule is not None and body.rule < 1 << 16:
            hits, ticks = since.rules.get(body.rule, (0, 0))
            since.rules[body.rule] = hits + n, ticks + total
            costs.append(self.by_rule.setdefault(body.rule, Costs()))
        for each in costs:
            for cost, times in ticks_of:
                each.add_equal(cost, times)
        if alike.refused:
            found = self._refusal_of(alike.rec, body, verdict)
            found.count += n
            found.first, found.last = min(found.first, alike.first), max(found.last, alike.last)
            for text, times in alike.pcs.items():
                kv = dict(word.split("=") for word in text.decode("latin-1").split() if word.count("=") == 1)
                place = number(kv.get("pc", "")), number(kv.get("el", ""))
                if place[0] is not None and (place in found.pcs or len(found.pcs) < _PCS):
                    found.pcs[place] = found.pcs.get(place, 0) + times

    def add(self, rec: Rec) -> None:
        kind = rec.kind
        if kind == "D" or kind == "A":
            self._decision(rec)
        elif kind == "X":
            self.exceptions += 1
        elif kind == "E":
            self.marks += rec.f.event == "mark"
        elif kind == "S" and not self.partial:
            if self._pending:
                self._fold()
            self._totals(rec)

    def _decision(self, rec: Rec) -> None:
        body = rec.f
        n = body.n
        self.decisions += n
        verdict = body.verdict if body.verdict in VERDICTS else "?"
        cpu = self._counters(rec.cpu)
        if cpu.told is None or rec.t is None or rec.t > cpu.told:
            self._since(cpu.since, body, verdict)
        self._row(body).add(body)
        if body.rule is not None and body.cost is not None and body.rule < 1 << 16:
            costs = self.by_rule.get(body.rule)
            if costs is None:
                costs = self.by_rule[body.rule] = Costs()
            costs.add(body.cost, n)
        if self._places.refuses(self.session, verdict, body.rule):
            self._refusal(rec, body, verdict)

    def _since(self, counts: Counts, body: Body, verdict: str) -> None:
        counts.decisions += body.n
        counts.verdicts[verdict] = counts.verdicts.get(verdict, 0) + body.n
        if body.rule is not None and body.rule < 1 << 16:
            hits, cost = counts.rules.get(body.rule, (0, 0))
            counts.rules[body.rule] = hits + body.n, cost + (body.cost or 0)

    def _row(self, body: Body) -> Row:
        key = _bounded(self.rows, self._key(body), OTHER)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = Row()
        return row

    def _refusal_of(self, rec: Rec, body: Body, verdict: str) -> Refusal:
        name = touched(body) or group(body)
        if body.cls == "mmio" and body.off is not None:
            name += f"+0x{body.off:x}"
        subject = f"{name} {body.op}" if body.op else f"{body.cls} {name}" if body.cls else name
        key = (subject, verdict, body.cls or "?", body.rule)
        key = _bounded(self.refused, key, (OTHER, verdict, "?", None))
        found = self.refused.get(key)
        if found is None:
            found = self.refused[key] = Refusal(rec.seq)
        return found

    def _refusal(self, rec: Rec, body: Body, verdict: str) -> None:
        found = self._refusal_of(rec, body, verdict)
        found.count += body.n
        found.last = max(found.last, rec.seq)
        found.first = min(found.first, rec.seq)
        place = body.pc, body.el
        if body.pc is not None and (place in found.pcs or len(found.pcs) < _PCS):
            found.pcs[place] = found.pcs.get(place, 0) + body.n

    def _totals(self, rec: Rec) -> None:
        """@S: what EL2 counted on this CPU up to then, logged or not."""
        cpu = self._counters(rec.cpu)
        for key, value in rec.f.kv.items():
            if key[:1] == "r" and key[1:].isdigit() and len(key) < 7:
                hits, _, cost = value.partition("/")
                h, c = number(hits), number(cost)
                rule = int(key[1:])
                if h is not None and (rule in cpu.rules or self._rules_kept < _RULES):
                    self._rules_kept += rule not in cpu.rules
                    cpu.rules[rule] = (h, c or 0)
            elif key not in _NO_COUNTER:
                total = number(value)
                if total is not None and (key in cpu.totals or len(cpu.totals) < 64):
                    cpu.totals[key] = total
        if rec.t is not None and "dec" in cpu.totals:
            cpu.told = rec.t
            cpu.since = Counts()

    def _counters(self, cpu: int) -> "Counters":
        found = self._cpus.get(cpu)
        if found is None:
            found = self._cpus[cpu] = Counters()
        return found

    # --- results ----------------------------------------------------------------------------------------

    def settle(self) -> None:
        """To be called before results are asked for."""
        if self._pending:
            self._fold()

    @property
    def told(self) -> bool:
        """Do totals of EL2 stand for every CPU that logged a decision?"""
        return bool(self._cpus) and all(cpu.told is not None for cpu in self._cpus.values())

    @property
    def exact(self) -> bool:
        """... and is there nothing that came after them?"""
        return self.told and not any(cpu.since.decisions for cpu in self._cpus.values())

    @property
    def totals_at(self) -> int:
        """Since when the first CPU has no totals."""
        return min((cpu.told or 0 for cpu in self._cpus.values()), default=0)

    def total(self) -> int:
        return sum(cpu.totals.get("dec", 0) + cpu.since.decisions for cpu in self._cpus.values())

    def verdict(self, word: str) -> int:
        return sum(cpu.totals.get(word.lower(), 0) + cpu.since.verdicts.get(word, 0) for cpu in self._cpus.values())

    def rule_counts(self) -> Dict[int, Tuple[int, int]]:
        """Decisions and ticks of each rule."""
        out: Dict[int, Tuple[int, int]] = {}
        for cpu in self._cpus.values():
            for counts in (cpu.rules, cpu.since.rules):
                for rule, (hits, cost) in counts.items():
                    before = out.get(rule, (0, 0))
                    out[rule] = before[0] + hits, before[1] + cost
        return out

    def cost_ticks(self) -> int:
        return sum(cost for _, cost in self.rule_counts().values())

    def never_hit(self, view: View) -> List[int]:
        counts = self.rule_counts()
        return [rule for rule in view.places.numbers(self.session) if not counts.get(rule, (0, 0))[0]]

    def sorted_rows(self, name: Callable[[str], str] = str) -> List[Tuple[str, Row]]:
        """By count. `name`: rows that it calls alike become one."""
        rows: Dict[str, Row] = {}
        for key, row in self.rows.items():
            rows.setdefault(name(key), Row()).merge(row)
        return sorted(rows.items(), key=lambda item: (-item[1].count, item[0]))

    def sorted_refusals(self) -> List[Tuple[Tuple[str, str, str, Optional[int]], Refusal]]:
        """By count."""
        return sorted(self.refused.items(), key=lambda item: (-item[1].count, *map(str, item[0])))
