# SPDX-License-Identifier: Apache-2.0
"""The fields of a record by name, for filters, JSON and CSV, each with its meaning."""
from __future__ import annotations

import re
from typing import Any, Callable, Dict, Optional, Union

from .names import EVENTS, VERDICTS
from .record import Rec, call_name, callers, number, seconds, touched
from .rules import Places
from .sequence import Session
from .symbols import Symbols

Value = Union[int, str, None]
CALL = 4                   # bytes of a BL
_PLACE = re.compile(r"\b(?:pc|elr|entry|lr)=0x([0-9a-f]{1,16})\b")


class View:
    """A record with its surroundings: session, rules, symbols."""

    __slots__ = ("rec", "session", "places", "symbols")

    def __init__(self, session: Session, places: Places, symbols: Optional[Symbols]) -> None:
        self.rec: Rec = None  # type: ignore[assignment]  # set before each use; one View serves a whole session
        self.session = session
        self.places = places
        self.symbols = symbols

    def of(self, rec: Rec) -> "View":
        self.rec = rec
        return self

    def place(self) -> Optional[str]:
        rule = self.rec.f.rule
        return None if rule is None else self.places.place(self.session, rule)

    def sym(self, address: Optional[int], el: Optional[int] = 1, back: int = 0) -> Optional[str]:
        named = self.symbols.of(self.session) if self.symbols is not None and address is not None else None
        return named.name(address, el, back) if named is not None and address is not None else None

    def where(self, address: int, el: Optional[int] = 1) -> str:
        """An address of the guest for people."""
        return self.sym(address, el) or hex(address)

    def caller(self, address: int) -> str:
        """A return address for people."""
        return self.sym(address, 1, CALL) or hex(address)

    def function(self, address: Optional[int], el: Optional[int] = 1, back: int = 0) -> Optional[str]:
        name = self.sym(address, el, back)
        return name.partition("+")[0] if name is not None else None

    def told(self, body: str) -> str:
        """A record's text with the names of the addresses in it."""
        if self.symbols is None or "=0x" not in body:
            return body
        if body.startswith("trace lr="):
            return "called from " + " < ".join(self.caller(at) for at in callers(body[9:]))
        return _PLACE.sub(lambda found: f"{found.group()}{self._behind(int(found.group(1), 16))}", body)

    def _behind(self, address: int) -> str:
        name = self.sym(address)
        return f" ({name})" if name is not None else ""

    def cost_ns(self) -> Optional[int]:
        cost = self.rec.f.cost
        return None if cost is None else self.session.ns(cost)

    def ticks(self) -> Optional[int]:
        t, frequency = self.rec.t, self.session.cntfrq
        return None if t is None or not frequency else (t * frequency + 500_000_000) // 1_000_000_000


class Field:
    """How to get a field. `json` is its form there: addresses as hex text, as JSON numbers lose bits above 2^53."""

    def __init__(self, get: Callable[[View], Value], about: str, numeric: bool = False,
                 hexadecimal: bool = False) -> None:
        self.get = get
        self.about = about
        self.numeric = numeric
        self.hexadecimal = hexadecimal

    def __call__(self, view: View) -> Value:
        return self.get(view)

    def json(self, view: View) -> Any:
        value = self.get(view)
        return hex(value) if self.hexadecimal and isinstance(value, int) else value


def _kv(name: str) -> Callable[[View], Value]:
    return lambda v: v.rec.f.kv.get(name)


def _kv_number(name: str) -> Callable[[View], Value]:
    def get(v: View) -> Value:
        text = v.rec.f.kv.get(name)
        return None if text is None else number(text)
    return get


def _num(get: Callable[[View], Value], about: str) -> Field:
    return Field(get, about, numeric=True)


def _hex(get: Callable[[View], Value], about: str) -> Field:
    return Field(get, about, numeric=True, hexadecimal=True)


def _register(v: View) -> Value:
    return v.rec.f.name if v.rec.f.cls in ("msr", "sys") else None


def _exception_class(v: View) -> Value:
    esr = v.rec.f.esr
    return None if esr is None else esr >> 26 & 0x3f


def _function(v: View) -> Value:
    f = v.rec.f
    return number(f.name) if f.cls in ("hvc", "smc") and f.name is not None else None


def _device(v: View) -> Value:
    f = v.rec.f
    return f.name if f.cls == "mmio" and f.off is not None else None


FIELDS: Dict[str, Field] = {
    "s": _num(lambda v: v.session.number, "session, from 1"),
    "cpu": _num(lambda v: v.rec.cpu, "virtual CPU"),
    "seq": _num(lambda v: v.rec.seq, "sequence number, one counter per CPU"),
    "t": _num(lambda v: v.rec.t, "seconds since boot"),
    "ticks": _num(View.ticks, "the same in ticks of the counter"),
    "kind": Field(lambda v: v.rec.kind, "H D A B E X L S P Z"),
    "verdict": Field(lambda v: v.rec.f.verdict, " ".join(VERDICTS)),
    "rule": _num(lambda v: v.rec.f.rule, "the rule that decided"),
    "src": Field(View.place, "its place in the policy"),
    "class": Field(lambda v: v.rec.f.cls, "msr sys mmio mem hvc smc exc"),
    "op": Field(lambda v: v.rec.f.op, "r w x"),
    "name": Field(lambda v: touched(v.rec.f), "what was touched: register, window, function, exception"),
    "reg": Field(_register, "the register"),
    "dev": Field(_device, "the window"),
    "call": Field(lambda v: call_name(v.rec.f), "the function's name, or SERVICE+OFFSET"),
    "fid": _hex(_function, "the function's number, as x0 had it"),
    "off": _hex(lambda v: v.rec.f.off, "offset in the window"),
    "size": _num(lambda v: v.rec.f.size, "bytes"),
    "esr": _num(lambda v: v.rec.f.esr, "the syndrome"),
    "ec": _num(_exception_class, "ESR.EC"),
    "val": _hex(lambda v: v.rec.f.val, "value read or written"),
    "addr": _hex(lambda v: v.rec.f.addr, "intermediate physical address"),
    "x1": _hex(_kv_number("x1"), "argument of a call"),
    "x2": _hex(_kv_number("x2"), "argument of a call"),
    "x3": _hex(_kv_number("x3"), "argument of a call, where a condition of the policy looks at it"),
    "held": _hex(_kv_number("held"), "what the register held, where a condition of the policy looks at it and it is not 0"),
    "pc": _hex(lambda v: v.rec.f.pc, "the guest's instruction"),
    "sym": Field(lambda v: v.sym(v.rec.f.pc, v.rec.f.el), "its place in a function: do_idle+0x1c"),
    "fn": Field(lambda v: v.function(v.rec.f.pc, v.rec.f.el), "the function"),
    "el": _num(lambda v: v.rec.f.el, "exception level it came from"),
    "cost": _num(View.cost_ns, "time in EL2, nanoseconds"),
    "cost_ns": _num(View.cost_ns, "time in EL2, nanoseconds"),
    "cost_ticks": _num(lambda v: v.rec.f.cost, "time in EL2, ticks"),
    "n": _num(lambda v: v.rec.f.n if v.rec.kind in "DA" else None, "identical decisions in this record"),
    "last": _num(lambda v: v.rec.f.last, "time of the last of them"),
    "event": Field(lambda v: v.rec.f.event, f"E: {' '.join(EVENTS)} ..."),
    "mark": Field(lambda v: v.rec.f.mark, "E: a mark's text"),
    "why": Field(_kv("why"), "E, L: the reason"),
    "reason": Field(_kv("reason"), "Z: the reason"),
    "entry": _hex(_kv_number("entry"), "E: where the guest starts"),
    "far": _hex(_kv_number("far"), "fault address"),
    "insn": _hex(_kv_number("insn"), "an access that neither its syndrome nor its instruction described: the instruction"),
    "elr": _hex(_kv_number("elr"), "X: return address"),
    "spsr": _hex(_kv_number("spsr"), "X: saved state"),
    "lost": _num(_kv_number("lost"), "L: records lost"),
    "dec": _num(_kv_number("dec"), "S: decisions so far"),
    "old": Field(_kv("old"), "P: before"),
    "new": Field(_kv("new"), "P: after"),
    "auth": Field(lambda v: v.rec.auth, "ok, or weak: could be forged"),
    "body": Field(lambda v: v.rec.body, "the record's text"),
}
# Fields whose bare numbers have a unit of their own.
TIMES = {"t": 1_000_000_000, "last": 1_000_000_000}
# Fields of a decision in JSON, in order, and the columns of CSV unless told otherwise.
JSON_FIELDS = ["s", "cpu", "seq", "t", "ticks", "kind", "verdict", "rule", "src", "class", "op", "name", "reg", "off",
               "size", "esr", "val", "held", "addr", "x1", "x2", "x3", "pc", "sym", "el", "cost_ns", "n", "last", "auth"]
JSON_OTHER = ["s", "cpu", "seq", "t", "ticks", "kind", "event", "mark", "auth", "body"]
CSV_FIELDS = ["s", "cpu", "seq", "t", "kind", "verdict", "rule", "src", "class", "op", "name", "val", "addr", "pc",
              "el", "cost_ns", "n", "auth"]


def shown(name: str, view: View) -> str:
    """A field as text, for CSV."""
    field = FIELDS[name]
    value = field(view)
    if value is None:
        return ""
    if isinstance(value, int):
        if name in TIMES:
            return seconds(value)
        return hex(value) if field.hexadecimal else str(value)
    return value
