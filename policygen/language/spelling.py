# SPDX-License-Identifier: Apache-2.0
"""Writes entries in the language, for `expand` and `explain`."""
from __future__ import annotations

from dataclasses import replace
from typing import Iterable, List, Mapping, Optional, Sequence, Union

from policygen.facts import virtio
from policygen.language import schema
from policygen.language.conditions import LEVELS
from policygen.language.model import IN, Action, Assertion, Condition, Entry, Test, Window
from policygen.language.modifiers import ALL_WIDTHS
from policygen.text.diag import Place
from policygen.text.escape import Piece, Word, Yaml, fill, hexadecimal, joined, yaml, yaml_comment, yaml_name


def number(value: int) -> Word:
    return Word(f"{value:d}") if value < 10 else hexadecimal(value)


def pair(template: str, *pieces: object) -> Yaml:
    return fill(Yaml, template, *pieces)


def listed(pieces: Iterable[Piece]) -> Yaml:
    return joined(Yaml, ", ", list(pieces))


def parts(action: Action, section: str, outer: Optional[Action] = None) -> List[Yaml]:
    """The `key: value` pairs of one direction, the action first. `outer`: what stands around this `else`, whose modifiers
    hold where it has none of its own."""
    out: List[Yaml] = []
    if action.do in ("value", "mask"):
        out.append(pair("{}: {}", yaml_name(action.do), number(getattr(action, action.do) or 0)))
    elif action.do == "emulate":
        out.append(pair("emulate: {}", yaml_name(action.model)))
        out += map(Yaml, virtio.parts(action.model, action.mask))
    elif action.do == "fields":
        out.append(pair("fields: {{ {} }}", listed(pair("{}: {}", yaml_name(name), value)
                                                   for name, value in action.fields)))
    else:
        out.append(pair("do: {}", yaml_name(action.do)))
    if action.where:
        out.append(pair("where: {{ {} }}", listed(map(condition, action.where))))
    if action.otherwise is not None:
        out.append(pair("else: {{ {} }}", listed(parts(action.otherwise, section, action))))
    if action.log != (outer.log if outer is not None and says_log(outer) else usual_log(action)):
        plain, trace, _ = action.log.partition(f"-{schema.LOG_TRACE}")
        out.append(pair("log: {{ {}, trace }}" if trace else "log: {}", yaml_name(plain)))
    if action.limit is not None:
        out += [pair("limit: {}/s", action.limit), pair("over: {}", yaml_name(action.over))]
    if section == "mmio" and action.widths != (outer.widths if outer is not None else ALL_WIDTHS):
        out.append(pair("width: [{}]", listed(action.widths)))
    spelled = {spelling: word for word, spelling in schema.AS_WORDS.get(section, {}).items()}
    usual = outer.refuse if outer is not None and outer.refuse else schema.REFUSAL[section]
    if action.refuse in spelled and not (action.do == "deny" and action.refuse == usual):
        out.append(pair("as: {}", yaml_name(spelled[action.refuse])))
    if action.why is not None and not (outer is not None and outer.why == action.why):
        out.append(pair("why: {}", yaml(action.why)))
    return out


def usual_log(action: Action) -> str:
    return "once" if action.do in ("deny", "pause", "kill") else "never"


def says_log(action: Action) -> bool:
    """Whether parts() writes its `log:`, which what stands inside takes over."""
    return action.log != usual_log(action)


def condition(asked: Condition) -> Yaml:
    if asked.test != IN:
        return pair("{}: {}", yaml_name(asked.name), yaml_name(asked.test))
    each: List[Piece] = [level(low) if asked.name == "from" else number(low) if low == high else
                         pair("{}..{}", number(low), number(high)) for low, high in asked.spans]
    return pair("{}: {}", yaml_name(asked.name), each[0] if len(each) == 1 else pair("[{}]", listed(each)))


def level(number_of: int) -> Yaml:
    return yaml_name(next(name for name, number in LEVELS.items() if number == number_of))


def braces(pairs: Sequence[Yaml]) -> Yaml:
    return Yaml(pairs[0][4:]) if len(pairs) == 1 and pairs[0].startswith("do: ") else \
        pair("{{ {} }}", listed(pairs))


def unplaced(action: Action) -> Action:
    other = action.otherwise
    return replace(action, place=Place("", 0, 0), otherwise=unplaced(other) if other else None)


def together(read: Action, write: Action) -> Optional[Action]:
    """The one action that is meant for both directions, if it is one."""
    if read.razwi and write.razwi:
        read, write = replace(read, do="raz-wi", value=None), replace(write, do="raz-wi")
    inner = together(read.otherwise, write.otherwise) if read.otherwise and write.otherwise else None
    alone = [unplaced(replace(action, otherwise=None)) for action in (read, write)]
    if alone[0] != alone[1] or (inner is None) != (read.otherwise is None) or (inner is None) != (write.otherwise is None):
        return None
    return replace(read, otherwise=inner)


def pairs_of(actions: Mapping[str, Action], section: str) -> List[Yaml]:
    """The pairs of an entry in all its directions."""
    if "" in actions:
        return parts(actions[""], section)
    if section == "memory":
        return permissions(actions)
    read: Optional[Action] = actions.get("read")
    write: Optional[Action] = actions.get("write")
    both = together(read, write) if read is not None and write is not None else None
    if both is not None:
        return parts(both, section)
    sides = [(side, of_window(action)) for side, action in (("read", read), ("write", write)) if action is not None]
    device = virtio.parts(read.model, read.mask) if read is not None and read.do == "emulate" else []
    return [*(pair("{}: {}", yaml_name(side), braces(parts(action, section))) for side, action in sides),
            *map(Yaml, device)]


def permissions(actions: Mapping[str, Action]) -> List[Yaml]:
    """`may: rx` where the rest is refused in one way, else each direction."""
    free = [side for side, action in actions.items() if action.do == "allow" and action.log == "never" and not action.where]
    held = [unplaced(action) for side, action in actions.items() if side not in free]
    whys = {action.why for action in actions.values()}
    if len(actions) == 2 and len(whys) == 1 and \
            all(action == held[0] and not action.where and action.do != "allow" for action in held):
        letters = next(word for word, sides in schema.MAY.items() if set(sides) == set(free))
        said = parts((held or list(actions.values()))[0], "memory")
        return [pair("may: {}", yaml_name(letters)), *(each for each in said if each not in ("do: deny", "do: allow"))]
    return [pair("{}: {}", yaml_name(side), braces(parts(actions[side], "memory")))
            for side in schema.SIDES["memory"] if side in actions]


def of_window(action: Action) -> Action:
    """The modifiers without those that stand once for the whole device."""
    return replace(action, mask=None) if action.do == "emulate" else action


def written_in(entry: Entry) -> str:
    """The section whose text has the entry: `fp: expose` decides in sysregs and is written in features."""
    exposes = any(action.why == f"features expose {entry.name}" for action in entry.actions.values())
    return "features" if exposes else entry.section


def action_text(entry: Entry) -> Yaml:
    """`{ do: deny, log: always }`, or the one word that says it."""
    if written_in(entry) == "features":
        if not entry.actions or entry.section != "features":
            return Yaml("expose")
        pairs = parts(entry.actions["read"], "features")
        return braces([Yaml("do: hide"), *(each for each in pairs[1:] if each != "log: once")])
    if entry.section == "memory":
        return memory_text(entry)
    return braces(pairs_of(entry.actions, entry.section))


def memory_text(entry: Entry) -> Yaml:
    """With its place."""
    said = pairs_of(entry.actions, "memory")
    if entry.name == "default":
        return Yaml(said[0][5:]) if len(said) == 1 and said[0].startswith("may: ") else pair("{{ {} }}", listed(said))
    (low, high), = entry.ranges
    return pair("{{ {} }}", listed([pair("at: {}", hexadecimal(low, 8)), pair("size: {}", hexadecimal(high - low + 1)), *said]))


def window_lines(window: Window, device: bool) -> List[Yaml]:
    """A window with its registers; lines are indented relative to the section."""
    entry, name = window.entry, yaml_name(window.name)
    if device and not window.regs:
        return [pair("{}: {}", name, action_text(entry))]
    place = [] if device else [pair("at: {}", hexadecimal(window.base, 8)),
                               pair("size: {}", hexadecimal(window.size))]
    if not window.regs:
        return [pair("{}: {{ {} }}", name, listed([*place, *pairs_of(entry.actions, "mmio")]))]
    lines = [pair("{}:", name), *(pair("  {}", item) for item in place)]
    if entry.actions:
        lines.append(pair("  default: {}", action_text(entry)))
    lines.append(Yaml("  regs:"))
    regs = [replace(reg, actions={side: of_window(action) for side, action in reg.actions.items()})
            for reg in window.regs]
    return lines + [pair("    {}: {}", yaml_name(reg.name.split("+", 1)[1]), action_text(reg)) for reg in regs]


def claim_text(claim: Union[Assertion, Test]) -> Yaml:
    out = [pair("{}: {}", yaml_name(claim.operation), target(claim.target))]
    if claim.never is not None:
        out.append(pair("never: {}", yaml_name(claim.never)))
    elif claim.always is not None:
        out.append(pair("always: {}", yaml_name(claim.always)))
    elif claim.expect:
        out.append(pair("expect: {}", expect_text(claim.expect, claim.section)))
    if isinstance(claim, Assertion) and claim.spared:
        out.append(pair("except: [{}]", listed(target(name) for name in claim.spared)))
    out += [pair("given: {}", number(claim.given))] if claim.given is not None else []
    out += [pair("width: {}", claim.width)] if claim.width is not None and claim.section == "mmio" else []
    if claim.args:
        out.append(pair("args: {{ {} }}", listed(pair("{}: {}", yaml_name(k), level(v) if k == "from" else number(v))
                                                 for k, v in claim.args)))
    return pair("{{ {} }}", listed(out))


def target(text: str) -> Yaml:
    """A target as written; blanks around a group's name are allowed."""
    return Yaml(text) if schema.TARGET.match(text) else yaml(text)


def expect_text(expect: Mapping[str, object], section: str) -> Yaml:
    do = yaml_name(str(expect["do"]))
    rest = [value for key, value in expect.items() if key != "do"]
    if not rest:
        return do
    value = rest[0]
    if isinstance(value, dict):
        return pair("{{ {}: {{ {} }} }}", do, listed(pair("{}: {}", yaml_name(k), v) for k, v in value.items()))
    if do == "deny":
        spelled = {spelling: word for word, spelling in schema.AS_WORDS.get(section, {}).items()}
        return pair("{{ {}: {} }}", do, yaml_name(spelled.get(str(value), str(value).lower())))
    return pair("{{ {}: {} }}", do, number(value) if isinstance(value, int) else yaml_name(str(value)))


def beside(line: Yaml, text: str) -> Yaml:
    """The line with a comment appended."""
    return pair("{}  {}", line, yaml_comment(text))
