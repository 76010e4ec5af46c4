# SPDX-License-Identifier: Apache-2.0
"""Filter expressions: `verdict==DENY and class==msr and reg~PM and t>1.5 and cost>2us`.

    expr    = term *("or" term)          term = factor *(("and" / "&") factor)
    factor  = "not" factor / "(" expr ")" / field [ op value / ["not"] "in" "(" value *("," value) ")" ]
    op      = "==" "=" "!=" "<" "<=" ">" ">=" "~" "!~"       (~ searches a regular expression)
    value   = "quoted" / 'quoted' / word / number with an optional unit (ns us ms s k M)

The monitor's `log grep deny & msr.r pmcr & pc 0x1000 0x2000` is one, too:

    factor  = "pc" low high / word *word        (text that the record's line has, in either case)

A field that a record does not have makes every comparison false, `!=` too; a field alone asks whether it is there.
A bare number is seconds for t and last, nanoseconds for cost.
"""
from __future__ import annotations

import difflib
import re
from decimal import Decimal
from typing import Callable, List, Optional, Tuple, Union

from .fields import FIELDS, TIMES, View
from .source import UsageError

Test = Callable[[View], bool]
Value = Union[int, str, None]

_TOKEN = re.compile(r"""\s*(?:
    (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*') |
    (?P<op>==|!=|<=|>=|!~|[<>=~(),&]) |
    (?P<word>[^\s"'()<>=!~,&]+) )""", re.VERBOSE)
_JOINS = ("and", "or", "not", "in")
_NUMBER = re.compile(r"(?:0x(?P<hex>[0-9a-fA-F]+)|(?P<dec>[0-9]+(?:\.[0-9]+)?)(?P<unit>ns|us|ms|s|k|M)?)\Z")
_UNIT = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "k": 1_000, "M": 1_000_000}
_DEPTH = 50
_FOLDED = {"verdict": str.upper, "kind": str.upper}


def parse_number(text: str, bare_unit: int = 1) -> Optional[int]:
    m = _NUMBER.match(text)
    if m is None or len(text) > 40:
        return None
    if m.group("hex"):
        return int(m.group("hex"), 16)
    scale = _UNIT[m.group("unit")] if m.group("unit") else bare_unit
    value = Decimal(m.group("dec")) * scale
    return int(value) if value == int(value) or scale > 1 else None


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: List[Tuple[str, str, int]] = []
        at = 0
        while at < len(text.rstrip()):
            m = _TOKEN.match(text, at)
            if m is None or m.lastgroup is None:
                raise self._error(at, "not understood")
            self._tokens.append((m.lastgroup, m.group(m.lastgroup), m.start(m.lastgroup)))
            at = m.end()
        self._at = 0
        self._depth = 0

    def _error(self, at: int, message: str) -> UsageError:
        return UsageError(f"filter: {message}\n  {self._text}\n  {' ' * at}^")

    def _peek(self) -> Tuple[str, str, int]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "", len(self._text))

    def _next(self) -> Tuple[str, str, int]:
        token = self._peek()
        self._at += 1
        return token

    def _is(self, text: str) -> bool:
        kind, word, _ = self._peek()
        if kind != "string" and word == text:
            self._at += 1
            return True
        return False

    def parse(self) -> Test:
        test = self._any()
        kind, word, at = self._peek()
        if kind != "end":
            raise self._error(at, f"'{word}' is not expected here (and, or?)")
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._is("or"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda v: any(t(v) for t in tests)

    def _all(self) -> Test:
        tests = [self._factor()]
        while self._is("and") or self._is("&"):
            tests.append(self._factor())
        return tests[0] if len(tests) == 1 else lambda v: all(t(v) for t in tests)

    def _factor(self) -> Test:
        self._depth += 1
        try:
            if self._depth > _DEPTH:
                raise self._error(self._peek()[2], "nested too deep")
            if self._is("not"):
                inner = self._factor()
                return lambda v: not inner(v)
            if self._is("("):
                inner = self._any()
                if not self._is(")"):
                    raise self._error(self._peek()[2], "')' is missing")
                return inner
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Test:
        kind, name, at = self._next()
        if kind != "word":
            raise self._error(at, "a field's name is expected")
        if name == "pc" and self._peek()[0] == "word" and self._peek()[1] not in _JOINS:
            low, high = self._value(name), self._value(name)
            return lambda v: (lambda x: x is not None and low <= x <= high)(v.rec.f.pc)     # type: ignore[operator]
        if name not in FIELDS and (self._peek()[0] in ("word", "end") or self._peek()[1] in ("&", ")")) and \
                self._peek()[1] not in ("in", "not"):
            return self._text_term(name)
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, 1)
            raise self._error(at, f"no field '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
        negate = self._is("not")
        if self._is("in"):
            values = self._list(name)
            get = FIELDS[name]
            return lambda v: (lambda x: x is not None and (x in values) != negate)(get(v))
        if negate:
            raise self._error(self._peek()[2], "'in' is expected after 'not'")
        kind, op, at = self._peek()
        if kind != "op" or op in "(),":
            get = FIELDS[name]
            return lambda v: get(v) is not None
        self._at += 1
        return self._operator(name, op)

    def _text_term(self, first: str) -> Test:
        words = [first]
        while self._peek()[0] == "word" and self._peek()[1] not in _JOINS:
            words.append(self._next()[1])
        wanted = " ".join(words).lower()
        return lambda v: wanted in v.rec.text().lower()

    def _list(self, name: str) -> List[Value]:
        if not self._is("("):
            raise self._error(self._peek()[2], "'(' is expected after 'in'")
        values = [self._value(name)]
        while self._is(","):
            values.append(self._value(name))
        if not self._is(")"):
            raise self._error(self._peek()[2], "')' is missing")
        return values

    def _raw_value(self) -> Tuple[str, int, bool]:
        kind, text, at = self._next()
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1]), at, True
        if kind != "word":
            raise self._error(at, "a value is expected")
        return text, at, False

    def _value(self, name: str) -> Value:
        text, at, quoted = self._raw_value()
        if FIELDS[name].numeric:
            bare = text[1:] if name == "rule" and text[:1] == "r" else text
            value = parse_number(bare, TIMES.get(name, 1))
            if value is None:
                raise self._error(at, f"'{name}' is a number, '{text}' is not")
            return value
        fold = _FOLDED.get(name)
        return fold(text) if fold else text

    def _operator(self, name: str, op: str) -> Test:
        get = FIELDS[name]
        if op in ("~", "!~"):
            text, at, _ = self._raw_value()
            try:
                search = re.compile(text).search
            except (re.error, OverflowError, RecursionError) as error:
                raise self._error(at, f"not a regular expression: {error}") from None
            found = op == "~"

            def matches(v: View) -> bool:
                x = get(v)
                if x is None:
                    return False
                shown = x if isinstance(x, str) else hex(x) if get.hexadecimal else str(x)
                return (search(shown) is not None) == found
            return matches
        at = self._peek()[2]
        want = self._value(name)
        if op in ("==", "="):
            return lambda v: get(v) == want
        if op == "!=":
            return lambda v: (lambda x: x is not None and x != want)(get(v))
        if not isinstance(want, int):
            raise self._error(at, f"'{name}' is a word: '{op}' compares numbers")
        limit = want
        if op == "<":
            return lambda v: (lambda x: isinstance(x, int) and x < limit)(get(v))
        if op == "<=":
            return lambda v: (lambda x: isinstance(x, int) and x <= limit)(get(v))
        if op == ">":
            return lambda v: (lambda x: isinstance(x, int) and x > limit)(get(v))
        return lambda v: (lambda x: isinstance(x, int) and x >= limit)(get(v))


def compile_filter(text: str) -> Test:
    return _Parser(text).parse()
