# SPDX-License-Identifier: Apache-2.0
"""The canonical form: every field of the model is in it and comes back; text of another form is one complaint."""
from __future__ import annotations

import json
from collections import abc
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, List, Tuple, Type, Union, get_args, get_origin, get_type_hints

import pytest

from policygen.language.model import Action, Assertion, Condition, Entry, Policy, Window
from policygen.meaning import canonical
from policygen.meaning.load import load_policy
from policygen.text.diag import Place

EXAMPLE = str(Path(__file__).parent / "good" / "example.yaml")
KINDS: Tuple[Type[Any], ...] = (Policy, Entry, Action, Window, Assertion)
FIELDS = [(kind, field.name) for kind in KINDS for field in fields(kind)
          if field.name not in canonical.LEFT_OUT.get(kind, ())]


def policy() -> Policy:
    found, diags = load_policy(EXAMPLE)
    assert found is not None, diags.render()
    return found


def another(hint: Any, value: Any, model: Policy) -> Any:
    """Another value of this type than `value`; a type that is missing here has no place in the form yet."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Union:
        return another(inner[0], value, model)
    if origin is tuple and inner[-1] is Ellipsis:
        return (another(inner[0], None, model), *(value or ()))
    if origin is tuple:
        return tuple(another(part, None, model) for part in inner)
    if origin is abc.Mapping:
        return {**(value or {}), "new": another(inner[1], None, model)}
    if hint is Entry:
        return next(entry for entry in model.entries if entry is not value)
    if hint is Action:
        return replace(next(iter(model.entries[0].actions.values())), why="another")
    if is_dataclass(hint):
        return {Place: Place("new", 7, 8), Window: Window("new", 1, 2, model.entries[0], model.entries[:2]),
                Condition: Condition("x1", ((1, 2), (4, 4))),
                Assertion: Assertion("new", Place("new", 7, 8), "read", "X", never="allow", section="sysregs")}[hint]
    return value + 1 if hint is int and value else {str: f"{value}x", int: 1, bool: not value, object: "x"}[hint]


def changed(model: Policy, kind: Type[Any], name: str) -> Policy:
    """The policy with one field of one of its parts changed."""
    def other(part: Any) -> Any:
        return replace(part, **{name: another(get_type_hints(kind)[name], getattr(part, name), model)})
    if kind is Policy:
        return replace(model, entries=(*model.entries, replace(model.entries[0], rule=len(model.entries)))) \
            if name == "entries" else other(model)      # type: ignore[no-any-return]
    if kind is Action:
        at = next(at for at, entry in enumerate(model.entries) if "read" in entry.actions)
        entry = model.entries[at]
        action = replace(other(entry.actions["read"]), **({"limit": 5} if name == "over" else {}))
        entries: List[Entry] = [*model.entries]
        entries[at] = replace(entry, actions={**entry.actions, "read": action})
        return replace(model, entries=tuple(entries), windows=())
    part = {Entry: "entries", Window: "windows", Assertion: "asserts"}[kind]
    first, *rest = getattr(model, part)
    return replace(model, **({"windows": ()} if kind is Entry else {}), **{part: (other(first), *rest)})


def parts(model: Policy) -> List[object]:
    return [getattr(model, field.name) for field in fields(Policy) if field.name not in ("tests", "sources")]


@pytest.mark.parametrize("kind, name", FIELDS, ids=[f"{kind.__name__}.{name}" for kind, name in FIELDS])
def test_every_field_is_in_the_form_and_comes_back(kind: Type[Any], name: str) -> None:
    before = policy()
    after = changed(before, kind, name)
    assert canonical.dump(before, 1) != canonical.dump(after, 1)
    assert parts(canonical.load(json.loads(canonical.dump(after, 1)))) == parts(after)


@pytest.mark.parametrize("change, said", [
    (lambda form: form["entries"][0].update(surplus=1), "`surplus` is no part of Entry"),
    (lambda form: form["entries"][0].pop("size"), "`size` of Entry is missing"),
    (lambda form: form["entries"][0].update(size="7"), '"7" is no int'),
    (lambda form: form["entries"][0].update(size=True), "true is no int"),
    (lambda form: form["entries"][0].update(ranges=[[1]]), "[1] are not 2 values"),
    (lambda form: form["entries"][0].update(actions=[]), "[] is no map"),
    (lambda form: form["windows"][0].update(entry=-1), "-1 is no entry's number"),
    (lambda form: form["windows"][0].update(regs=[10 ** 9]), "1000000000 is no entry's number"),
    (lambda form: form.update(canonical=1), "of another version"),
    (lambda form: form.update(entries={}), "{} is no list"),
])
def test_what_is_no_form_is_told(change: Any, said: str, tmp_path: Path) -> None:
    form = json.loads(canonical.dump(policy(), 1))
    change(form)
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(form), encoding="utf-8")
    found, diags = load_policy(str(path))
    assert found is None and diags.unreadable and said in diags.render(), diags.render()
