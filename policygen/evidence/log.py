# SPDX-License-Identifier: Apache-2.0
"""A UART log as accesses, for learn, replay, cover and cost. tools/hvl decodes it."""
from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from policygen.facts.arch import load_arch, make_key
from policygen.facts.board import load_board
from policygen.facts.names import EXCEPTIONS, function_of
from policygen.language import schema, store
from policygen.language.model import Access, Decision, Policy
from policygen.meaning.digest import meaning_hash
from policygen.meaning.evaluate import evaluator
from policygen.meaning.load import load_policy
from policygen.meaning.regions import Where, asked_of, inputs_of, meets, relevant
from policygen.text import words
from policygen.text.paths import PACKAGE

if TYPE_CHECKING:
    from hvl.record import Body
    from hvl.sequence import Session
    from hvl.tally import Tally

TOOLS = PACKAGE.parent / "tools"
PCS = 16                        # different instructions kept for one access
REFUSALS = ("DENY", "KILL", "WOULD")
Range = Tuple[int, int, str]    # base, size, name


@dataclass
class Seen:
    """How often, when and by which instruction an access was decided in one way."""
    count: int = 0
    first: int = 0
    last: int = 0
    cost: int = 0               # ticks
    pcs: Dict[int, int] = field(default_factory=dict)

    def add(self, n: int, seq: int, cost: int, pc: Optional[int]) -> None:
        self.first = min(self.first, seq) if self.count else seq
        self.last = max(self.last, seq)
        self.count += n
        self.cost += cost
        if pc is not None and (pc in self.pcs or len(self.pcs) < PCS):
            self.pcs[pc] = self.pcs.get(pc, 0) + n

    def join(self, other: "Seen") -> None:
        self.first = min(self.first, other.first) if self.count else other.first
        self.last = max(self.last, other.last)
        self.count += other.count
        self.cost += other.cost
        for pc, n in other.pcs.items():
            self.pcs[pc] = self.pcs.get(pc, 0) + n

    def text(self) -> str:
        span = f"seq {self.first}" + (f"..{self.last}" if self.last > self.first else "")
        pcs = sorted(self.pcs.items(), key=lambda item: (-item[1], item[0]))
        shown = " ".join(f"{pc:#x} ({n})" for pc, n in pcs[:3]) + (" ..." if len(pcs) > 3 else "")
        return f"{self.count} x, {span}, pc {shown}"


Key = Tuple[Access, str, int]   # access, verdict word, rule


@dataclass
class Log:
    """One session of a log."""
    source: str
    session: "Session"
    tally: "Tally"
    seen: Dict[Key, Seen] = field(default_factory=dict)
    strange: int = 0            # decisions whose access the log does not name

    @property
    def policy(self) -> str:
        return self.session.name("policy")

    def ran(self, policy: Policy) -> bool:
        """Whether this policy made the log's decisions."""
        return self.policy.rpartition("#")[2] == f"{meaning_hash(policy) >> 32:08x}"

    def seconds(self) -> float:
        return self.session.guest_time / 1e9

    def ns(self, ticks: int) -> int:
        return self.session.ns(ticks) or 0

    def heading(self) -> str:
        from hvl.run import completeness
        state = completeness(self.session).split(" ", 1)[0]
        return f"{self.source}: policy {self.policy}, guest {self.session.name('guest')}, {state} log, " \
               f"{self.tally.total()} decisions, {sum(seen.count for seen in self.seen.values())} of them logged"


class Unreadable(Exception):
    """A log that cannot be used: exit 2 with this line."""


def another(policy: Policy, log: Log) -> str:
    return f"the log ran policy {log.policy}, this is {policy.name}#{meaning_hash(policy) >> 32:08x}"


def read(name: str, policy: Policy, number: Optional[int] = None) -> Log:
    if (TOOLS / "hvl").is_dir() and str(TOOLS) not in sys.path:         # installed beside policygen
        sys.path.insert(0, str(TOOLS))
    from hvl.record import DECISIONS, Rec
    from hvl.rules import Places
    from hvl.run import Options, Run
    from hvl.sequence import Start
    from hvl.source import Reader, UsageError
    from hvl.tally import Tally

    board = load_board(policy.platform)
    devices = [(device.base, device.size, device.name) for device in board.devices.values()]
    known, log = devices, None                                          # type: List[Range], Optional[Log]
    telling = Telling(policy)
    try:
        run = Run(Reader([name], False, number), Places(None), None, Options())
        for event, view in run.events():
            if isinstance(event, Start):
                log = Log(name, event.session, Tally(event.session, view.places))
                known = [*windows_that_ran(policy, log), *devices]
            elif isinstance(event, Rec) and log is not None:
                log.tally.add(event)
                if event.kind not in DECISIONS:
                    continue
                body = event.f
                access = access_of(body, [*log.session.windows, *known])
                if access is None or body.verdict is None or body.rule is None or \
                        access.section == "memory" and not telling.evaluating.by_section["memory"]:
                    log.strange += body.n
                    continue
                access = telling.access(access)
                seen = log.seen.setdefault((access, body.verdict, body.rule), Seen())
                seen.add(body.n, event.seq, body.cost or 0, body.pc)
        refusal = run.reader.refusal()
    except UsageError as error:
        raise Unreadable(str(error)) from None
    if log is None:
        raise Unreadable(f"{name}: {refusal or f'no session {number}'}")
    return log


class Telling:
    """Of accesses that the policy's conditions cannot tell apart the first stands for all, without what nobody asks."""

    def __init__(self, policy: Policy) -> None:
        self.evaluating = evaluator(policy)
        self.asked: Dict[Tuple[str, int, str], Tuple[Where, ...]] = {}
        self.met: Dict[object, Access] = {}

    def access(self, access: Access) -> Access:
        place = access.section, access.key, access.direction
        if place not in self.asked:
            self.asked[place] = asked_of(self.evaluating, access)
        if not self.asked[place]:
            return Access(access.section, access.key, access.direction, access.width, (*access.args[:2], 0))
        inputs, told = inputs_of(access), relevant(self.evaluating, access)
        ways = tuple(all(meets(look, inputs) for look in where) for where in self.asked[place])
        args = access.args if access.section in schema.CALLS else ()
        return self.met.setdefault((place, access.width, args, ways), told)


def windows_that_ran(policy: Policy, log: Log) -> List[Range]:
    """The windows of the policy that ran, by whose names log lines speak: of this one, or of the profile with the log's
    name and hash."""
    if not log.ran(policy):
        name = log.policy.rpartition("#")[0]
        for mode in ("enforce", "audit") if name in store.policy_names() else ():
            other, _ = load_policy(name, mode=mode)
            if other is not None and log.ran(other):
                return [(window.base, window.size, window.name) for window in other.windows]
        return []
    return [(window.base, window.size, window.name) for window in policy.windows]


def access_of(body: "Body", known: Sequence[Range]) -> Optional[Access]:
    """The access of a log line; None if the line does not tell (a window whose address is unknown)."""
    esr, iss = body.esr or 0, (body.esr or 0) & 0x1ffffff
    x1, x2, x3, held = (words.number(body.kv.get(name, "")) or 0 for name in ("x1", "x2", "x3", "held"))
    given = Access("", 0, args=(x1, x2, x3), value=body.val or 0, held=held, el=0 if body.el == 0 else 1, pc=body.pc or 0)
    if body.cls in ("msr", "sys"):
        key = make_key(iss >> 20 & 3, iss >> 14 & 7, iss >> 10 & 15, iss >> 1 & 15, iss >> 17 & 7)
        return replace(given, section="sysregs", key=key, direction="read" if iss & 1 else "write")
    if body.cls == "mmio":
        address = body.addr
        if address is None and body.off is not None:
            base = next((base for base, _, name in known if name == body.name), None)
            address = None if base is None else base + body.off
        if address is None:
            return None
        return replace(given, section="mmio", key=address, direction="write" if body.op == "w" else "read",
                       width=body.size or 4)
    if body.cls == "mem":
        return None if body.addr is None else \
            replace(given, section="memory", key=body.addr, direction="write" if body.op == "w" else "exec", held=0, value=0)
    if body.cls in ("hvc", "smc"):
        x0 = words.number(body.name or "")
        if x0 is None:
            return None
        pc = (given.pc - 4) % (1 << 64) if body.cls == "hvc" and given.pc else given.pc     # ELR stands behind an HVC
        return replace(given, section=body.cls, key=function_of(x0, esr), pc=pc)
    if body.cls == "exc" and body.name:
        number = words.number(body.name)
        number = load_arch().classes.get(body.name) if number is None else number
        return None if number is None or not EXCEPTIONS[0][0] <= number <= EXCEPTIONS[-1][1] else \
            replace(given, section="exceptions", key=number)
    return None


def same(decision: Decision, verdict: str) -> bool:
    """Whether the decision is as logged. Beyond a rate limit `over` decides, which a log alone cannot tell. A register
    that was let through and is UNDEFINED on the machine is logged as INJECT."""
    return verdict == decision.verdict or limited(decision, verdict) or \
        verdict == "INJECT" and decision.do in ("allow", "mask", "pause")


def limited(decision: Decision, verdict: str) -> bool:
    return decision.limit is not None and verdict == schema.ACTIONS[decision.over].verdict


def complete(log: Log) -> Set[int]:
    """The rules of which the log shows every decision: as many as the hypervisor counted until the end."""
    shown: Dict[int, int] = {}
    for (_, _, rule), seen in log.seen.items():
        shown[rule] = shown.get(rule, 0) + seen.count
    totals = log.tally.rule_counts() if log.session.ended and log.tally.exact else {}
    return {rule for rule, count in shown.items() if totals.get(rule, (0, 0))[0] == count}


def by_rule(log: Log) -> Mapping[int, Tuple[int, int]]:
    """Hits and ticks of each rule: the hypervisor's own totals, and what was logged since."""
    return log.tally.rule_counts()
