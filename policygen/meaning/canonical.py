# SPDX-License-Identifier: Apache-2.0
"""A policy as JSON and back. The ELF embeds this form, so that a built image can be explained without its sources.

Both directions follow the fields of the model's dataclasses: a field that is added there is in the form, too.
"""
from __future__ import annotations

import json
import re
from collections import abc
from dataclasses import MISSING, Field, astuple, fields, is_dataclass
from functools import lru_cache
from typing import Any, Dict, List, Mapping, Tuple, Type, Union, get_args, get_origin, get_type_hints

from policygen.language.model import Action, Assertion, Entry, Policy, Window
from policygen.text.diag import Place
from policygen.text.strict_json import Malformed

VERSION = 2
HASH = re.compile(r"0x[0-9a-f]{16}\Z")
SPELLED = {"otherwise": "else", "origin": "from", "spared": "except"}       # field -> its name in the form
# Said by the order of the list; tests, facts and their text are the sources' matter.
LEFT_OUT: Mapping[Type[Any], Tuple[str, ...]] = {Entry: ("rule",), Policy: ("tests", "facts", "sources")}
LISTS: Tuple[Tuple[str, Type[Any]], ...] = (("entries", Entry), ("windows", Window), ("asserts", Assertion))
# Of an action, only fields with other than the usual value are written, but for these; `over` goes with a limit.
ALWAYS = ("do", "place", "log")


def dump(policy: Policy, meaning: int) -> str:
    """Deterministic text, one entry a line, so that two can be compared."""
    head: Dict[str, Any] = {"canonical": VERSION, "hash": f"{meaning:#018x}", **_put(policy)}
    lists = [(name, head.pop(name)) for name, _ in LISTS]
    lines = [f"{_json(key)}:{_json(head[key])}" for key in sorted(head, key=_order)]
    lines += [f"{_json(name)}:[\n" + ",\n".join(_json(item) for item in items) + "]" for name, items in lists]
    return "{" + ",\n".join(lines) + "}\n"


def load(form: Mapping[str, Any]) -> Policy:
    """The policy that dump() wrote, without its tests. Raises Malformed for text of another form; whether the language
    can express the policy, reread.hold() checks."""
    data = dict(form)
    if data.pop("canonical", None) != VERSION:
        raise Malformed("not the canonical form of a policy, or of another version")
    data.pop("hash", None)
    written = enumerate(_list(data.pop("entries", ())))
    entries = tuple(_build(Entry, _map(item), {"rule": rule}) for rule, item in written)
    policy: Policy = _build(Policy, data, {"entries": entries}, entries)
    return policy


def claimed_hash(form: Mapping[str, Any]) -> int:
    """The meaning hash that the form was written with."""
    text = form.get("hash")
    if not isinstance(text, str) or not HASH.match(text):
        raise Malformed("its hash is none")
    return int(text, 16)


# --- writing ----------------------------------------------------------------------------------------------------

def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _order(key: str) -> Tuple[int, str]:
    """The head: format, name and file."""
    first = ("canonical", "name", "about", "file", "mode", "platform", "hash", "files", "features", "accepted")
    return (first.index(key), "") if key in first else (len(first), key)


def _put(item: Any) -> Dict[str, Any]:
    said = [field for field, _ in _fields(type(item)) if _is_said(item, field)]     # type: ignore[arg-type]
    return {SPELLED.get(field.name, field.name): _value(field.name, getattr(item, field.name)) for field in said}


def _is_said(item: Any, field: "Field[Any]") -> bool:
    if not isinstance(item, Action) or field.name in ALWAYS:
        return True
    if field.name == "over":
        return item.limit is not None
    return bool(getattr(item, field.name) != field.default)


def _value(name: str, value: Any) -> Any:
    if isinstance(value, Place):
        return list(astuple(value))
    if name == "fields":
        return dict(value)
    if isinstance(value, tuple):
        return [item.rule if name == "regs" else _value("", item) for item in value]
    if isinstance(value, Entry) and name == "entry":
        return value.rule
    if is_dataclass(value):
        return _put(value)
    return {key: _value("", item) for key, item in value.items()} if isinstance(value, abc.Mapping) else value


# --- reading ----------------------------------------------------------------------------------------------------

@lru_cache(maxsize=None)
def _fields(kind: Any) -> Tuple[Tuple["Field[Any]", Any], ...]:
    """The fields of a dataclass that the form has, each with its type."""
    hints = get_type_hints(kind)
    return tuple((field, hints[field.name]) for field in fields(kind) if field.name not in LEFT_OUT.get(kind, ()))


def _build(kind: Type[Any], data: Mapping[str, Any], given: Dict[str, Any], entries: Tuple[Entry, ...] = ()) -> Any:
    """One dataclass; `given` has the fields that the form leaves out, `entries` those that windows refer to."""
    written = _fields(kind)         # type: ignore[arg-type]
    known = {SPELLED.get(field.name, field.name): (field, hint) for field, hint in written}
    strange = sorted(set(data) - set(known))
    if strange:
        raise Malformed(f"`{strange[0][:40]}` is no part of {kind.__name__}: the form is of another version")
    for name, (field, hint) in known.items():
        if name in data:
            given[field.name] = _read(hint, data[name], entries)
        elif field.name not in given and field.default is MISSING and field.default_factory is MISSING:
            raise Malformed(f"`{name}` of {kind.__name__} is missing")
    return kind(**given)


def _read(hint: Any, data: Any, entries: Tuple[Entry, ...]) -> Any:
    """A JSON value as the type of a field."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Union:
        return None if data is None else _read(inner[0], data, entries)
    if origin is tuple and inner[-1] is Ellipsis:
        items = sorted(data.items()) if isinstance(data, dict) else _list(data)
        return tuple(_read(inner[0], item, entries) for item in items)
    if origin is tuple:
        if len(_list(data)) != len(inner):
            raise Malformed(f"{_json(data)[:40]} are not {len(inner)} values")
        return tuple(_read(part, item, entries) for part, item in zip(inner, data))
    if origin is abc.Mapping:
        return {key: _read(inner[1], item, entries) for key, item in _map(data).items()}
    if hint is Place:
        return Place(*_read(Tuple[str, int, int], data, entries))
    if hint is Entry:
        if not isinstance(data, int) or not 0 <= data < len(entries):
            raise Malformed(f"{_json(data)[:40]} is no entry's number")
        return entries[data]
    if is_dataclass(hint):
        return _build(hint, _map(data), {}, entries)
    if hint is not object and type(data) is not hint:
        raise Malformed(f"{_json(data)[:40]} is no {hint.__name__}")
    return data


def _list(data: Any) -> List[Any]:
    if not isinstance(data, (list, tuple)):
        raise Malformed(f"{_json(data)[:40]} is no list")
    return list(data)


def _map(data: Any) -> Dict[str, Any]:
    if not isinstance(data, dict):
        raise Malformed(f"{_json(data)[:40]} is no map")
    return data
