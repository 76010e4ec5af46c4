# SPDX-License-Identifier: Apache-2.0
"""One record and the meaning of its body.

A record's body is parsed on first use: most views need it for few records. Parsing never fails: parts that are not
understood stay None, or remain in `kv` and `body`.
"""
from __future__ import annotations

import re
from typing import Dict, List, Optional

from . import names

VERDICTS = names.VERDICTS
DECISIONS = "DA"  # kinds whose body is a decision
REFUSED = ("DENY", "KILL", "INJECT")  # a read without a value

# The word after a class belongs to it, even if it holds '='.
_TARGETED = {"msr", "sys", "mmio", "mem"}
_CALLERS = 8
_CALLS = (0x12, 0x13, 0x16, 0x17)       # ESR.EC of HVC and SMC
_KEY = re.compile(r"[a-z_][a-z0-9_]*\Z")
_ESCAPE = re.compile(r'\\(x[0-9a-fA-F]{2}|["\\])')


def number(text: str) -> Optional[int]:
    """'0x1f' or '31'; None for anything else (Python's int() also takes '1_0' and blanks)."""
    if not text.isascii() or "_" in text or len(text) > 40:
        return None
    try:
        return int(text, 16) if text[:2] == "0x" else int(text) if text.isdigit() else None
    except ValueError:
        return None


def nanoseconds(text: str) -> Optional[int]:
    """'12.345' seconds as integral nanoseconds."""
    whole, _, part = text.partition(".")
    if not (whole.isascii() and whole.isdigit()) or len(whole) > 12 or not part.isascii() or len(part) > 9:
        return None
    if part and not part.isdigit():
        return None
    return int(whole) * 1_000_000_000 + int((part + "000000000")[:9])


class Body:
    """The parsed body. `name` is the subject: a register, a window, a function, a class of exception."""

    __slots__ = ("verdict", "rule", "cls", "op", "name", "val", "addr", "off", "size", "pc", "el", "cost", "esr",
                 "n", "last", "event", "mark", "kv")

    def __init__(self) -> None:
        self.verdict: Optional[str] = None
        self.rule: Optional[int] = None
        self.cls: Optional[str] = None
        self.op: Optional[str] = None
        self.name: Optional[str] = None
        self.val: Optional[int] = None
        self.addr: Optional[int] = None
        self.off: Optional[int] = None
        self.size: Optional[int] = None
        self.pc: Optional[int] = None
        self.el: Optional[int] = None
        self.cost: Optional[int] = None
        self.esr: Optional[int] = None
        self.n: int = 1
        self.last: Optional[int] = None
        self.event: Optional[str] = None
        self.mark: Optional[str] = None
        self.kv: Dict[str, str] = {}


def _pairs(words: List[str], kv: Dict[str, str]) -> None:
    for word in words:
        key, eq, value = word.partition("=")
        if eq and _KEY.match(key):
            kv[key] = value


def _target(body: Body, word: str) -> None:
    """NAME=0xV, WINDOW+0xOFF/SIZE=0xV, 0xIPA/SIZE=0xV"""
    where, eq, value = word.partition("=")
    if eq:
        body.val = number(value)
    if body.cls not in ("mmio", "mem"):
        body.name = where
        return
    where, slash, size = where.partition("/")
    if slash:
        body.size = number(size)
    window, plus, off = where.rpartition("+")
    if plus:
        body.name = window
        body.off = number(off)
    else:
        body.addr = number(where)
        body.name = where


def parse_decision(text: str) -> Body:
    """VERDICT rN WHAT k=v..."""
    body = Body()
    words = text.split(" ")
    body.verdict = words[0]
    at = 1
    if len(words) > at and words[at][:1] == "r":
        body.rule = number(words[at][1:])
        at += 1
    if len(words) > at and "=" not in words[at]:
        cls, _, op = words[at].partition(".")
        body.cls, body.op = cls, op or None
        at += 1
        if len(words) > at and (cls in _TARGETED or "=" not in words[at]):
            _target(body, words[at])
            at += 1
    kv = body.kv
    _pairs(words[at:], kv)
    if "pc" in kv:
        body.pc = number(kv["pc"])
    if "cost" in kv:
        body.cost = number(kv["cost"])
    if "el" in kv:
        body.el = number(kv["el"])
    if "esr" in kv:
        body.esr = number(kv["esr"])
    if "ipa" in kv:
        body.addr = number(kv["ipa"])
    if "n" in kv:
        body.n = max(1, number(kv["n"]) or 1)
    if "last" in kv:
        body.last = nanoseconds(kv["last"])
    if body.cls in ("hvc", "smc") and body.name is not None:
        ident = number(body.name)
        if ident is not None:  # one spelling for one function, whichever form the line has
            body.name = hex(ident)
    return body


def _unquote(text: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m.group(1)[1:], 16)) if m.group(1)[0] == "x" else m.group(1), text)


def parse_other(kind: str, text: str) -> Body:
    """Events, headers, totals and the rest: words and k=v."""
    body = Body()
    if kind == "E":
        event, _, rest = text.partition(" ")
        body.event = event
        if event == "mark":
            rest = rest.strip()
            closed = len(rest) >= 2 and rest[0] == '"' and rest[-1] == '"'
            body.mark = _unquote(rest[1:-1] if closed else rest)
            return body
    _pairs(text.split(" "), body.kv)
    kv = body.kv
    if "pc" in kv:
        body.pc = number(kv["pc"])
    if "esr" in kv:
        body.esr = number(kv["esr"])
    if kind == "P" and kv.get("rule", "")[:1] == "r":
        body.rule = number(kv["rule"][1:])
    return body


class Rec:
    """One record as on the line; `session` is set by sequence.py, which alone makes accepted ones."""

    __slots__ = ("kind", "plus", "seq", "cpu", "t", "body", "crc", "auth", "end", "foreign", "span", "session",
                 "late", "_parsed")

    def __init__(self, kind: str, plus: bool, seq: int, cpu: int, t: Optional[int], body: str, crc: int) -> None:
        self.kind = kind
        self.plus = plus
        self.seq = seq
        self.cpu = cpu
        self.t = t  # nanoseconds; None in a batch
        self.body = body
        self.crc = crc
        self.auth = "ok"
        self.end = b"\r\n"  # how the line ended, for a CR LF that EL2 inserted
        self.foreign: Optional[bytes] = None  # a foreign line that was cut out
        self.span = 1  # sequence numbers that it stands for
        self.session = 0
        self.late = False
        self._parsed: Optional[Body] = None

    @property
    def f(self) -> Body:
        if self._parsed is None:
            self._parsed = parse_decision(self.body) if self.kind in DECISIONS else parse_other(self.kind, self.body)
        return self._parsed

    def text(self) -> str:
        """The line again, without sentinel and checksum."""
        cpu = f".{self.cpu}" if self.cpu else ""
        t = "" if self.t is None else f" {seconds(self.t)}"
        return f"@{self.kind}{'+' if self.plus else ''} {self.seq}{cpu}{t} {self.body}"


def seconds(ns: int) -> str:
    return f"{ns // 1_000_000_000}.{ns % 1_000_000_000:09d}"


def group(body: Body) -> str:
    """A decision's row in a summary."""
    if body.cls == "mmio":
        return f"mmio.{body.name}" if body.off is not None else "mmio"
    if body.cls == "exc":
        return f"exc.{body.name}" if body.name else "exc"
    cls = body.cls or "?"
    return f"{cls}.{body.op}" if body.op else cls


def callers(text: str) -> List[int]:
    """Return addresses of an @E trace, the nearest first; 0 is none."""
    found = (number(word) for word in text.split(",")[:_CALLERS])
    return [address for address in found if address]


def immediate(body: Body) -> int:
    """The immediate of a call's instruction, from its syndrome."""
    esr = body.esr or 0
    return esr & 0xffff if body.cls in ("hvc", "smc") and esr >> 26 in _CALLS else 0


def call_name(body: Body) -> Optional[str]:
    if body.cls not in ("hvc", "smc") or body.name is None:
        return None
    ident = number(body.name)
    return None if ident is None else names.call_by(body.cls, ident, immediate(body))


def touched(body: Body) -> Optional[str]:
    """The name of what was touched, the same wherever it is shown."""
    return call_name(body) or body.name


def what(body: Body) -> str:
    """A decision's subject for people."""
    refused = body.verdict in REFUSED and body.op == "r"  # logs of older builds have the register's old value here
    value = "" if body.val is None or refused else f" = 0x{body.val:x}"
    if body.cls == "msr":
        held = f" over {body.kv['held']}" if "held" in body.kv else ""
        return f"{'mrs' if body.op == 'r' else 'msr'} {body.name}{value}{held}"
    if body.cls == "mem":
        held = f" over {body.kv['held']}" if "held" in body.kv else ""
        return f"{'store to' if body.op == 'w' else 'instruction at'} {body.name}{value}{held}"
    if body.cls == "mmio":
        off = "" if body.off is None else f"+0x{body.off:x}"
        return f"{body.name}{off} {body.op or '?'}{'' if body.size is None else body.size}{value}"
    words = [body.cls or "?"]
    if body.op:
        words[0] += "." + body.op
    if immediate(body):
        words.append(f"#{immediate(body)}")
    if body.name:
        words.append((body.name + value) if body.cls == "sys" else (call_name(body) or body.name))
    words += [f"{k}={body.kv[k]}" for k in ("ipa", "far", "insn", "x0", "x1", "x2", "x3") if k in body.kv]
    return " ".join(words)
