# SPDX-License-Identifier: Apache-2.0
"""Reads the value of one entry into an action for each direction."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Dict, List, Optional, Tuple

from policygen.facts import virtio
from policygen.facts.arch import load_arch
from policygen.facts.board import Board
from policygen.facts.names import Names, Target
from policygen.language import schema
from policygen.language.conditions import ConditionReader
from policygen.language.model import Action, branches
from policygen.language.modifiers import Modifiers, modifiers_of, read_modifiers
from policygen.text import words
from policygen.text.diag import Diagnostics, Span
from policygen.text.nodes import alternatives, as_map, as_number, as_text, keys_of, pick
from policygen.text.source import Mapping, Node, Scalar, Sequence, kind, last_line


@dataclass(frozen=True)
class Context:
    """The entry that an action belongs to."""
    section: str
    target: Target
    default: bool = False               # the widest entry of its section
    extra: Tuple[str, ...] = ()         # further keys of the map, which the caller reads
    part: bool = False                  # the entry is for registers of a window


@dataclass
class ActionReader:
    board: Board
    names: Names
    diags: Diagnostics

    def read(self, node: Node, context: Context, base: Modifiers = Modifiers(), direction: str = ""
             ) -> Dict[str, Action]:
        """Direction -> Action; an empty dict after a complaint, or when the node says nothing."""
        if isinstance(node, Scalar):
            return self.word(node, context, base, direction)
        if not isinstance(node, Mapping):
            self.diags.refuse("PG109", node.span, f"an action is a word or a map, this is {kind(node)}")
            return {}
        section = context.section
        sides = schema.SIDES.get(section, ()) if not direction else ()
        acting = ("do",) + schema.keyed_of(section)
        pairs = keys_of(node, acting + sides + modifiers_of(section) + context.extra, f"{section}", self.diags)
        modifiers = read_modifiers(pairs, section, base, self.board, self.diags)
        said = [(name, key, value) for name, key, value in pairs if name in acting]
        given = [(name, key, value) for name, key, value in pairs if name in sides]
        if len(said) + bool(given) > 1:
            second = (said[1:] + given)[0] if said else given[0]
            first = said[0] if said else given[0]
            self.diags.refuse("PG106", second[1].span, f"{first[0]} and {second[0]} are two actions: one entry has one",
                              "a second action", also=[(first[1].span, "the first")])
            return {}
        if given:
            out: Dict[str, Action] = {}
            for name, _, value in given:
                out.update(self.read(value, context, modifiers, name))
            self.check_use(node, modifiers, context, direction, out)
            return out
        if not said:
            if "default" not in context.extra and not self.diags.complained(node.span.file, node.span.line,
                                                                            last_line(node)):
                self.diags.refuse("PG106", node.span, "no action here", helps=[self.action_help(section)])
            return {}
        name, key, value = said[0]
        if name == "do":
            if not isinstance(value, Scalar):
                self.diags.refuse("PG109", value.span, f"`do` is one word, this is {kind(value)}")
                return {}
            out = self.word(value, context, modifiers, direction)
        else:
            out = self.keyed(name, key, value, context, modifiers, direction)
        self.check_use(node, modifiers, context, direction, out)
        return out

    @staticmethod
    def action_help(section: str) -> str:
        bare = schema.words_of(section)
        keyed = [f"{{ {word}: ... }}" for word in schema.keyed_of(section)]
        return f"actions of {section}: {', '.join(bare + tuple(keyed))}"

    @staticmethod
    def synonyms(section: str) -> Callable[[str], List[str]]:
        """Suggests Charter's word for another language's; features are hidden rather than denied."""
        def other(text: str) -> List[str]:
            word = schema.SYNONYMS.get(text.lower(), text.lower())
            return [{"allow": "expose", "deny": "hide"}.get(word, word) if section == "features" else word]
        return other

    # --- the action ---------------------------------------------------------------------------------------------

    def word(self, node: Scalar, context: Context, modifiers: Modifiers, direction: str) -> Dict[str, Action]:
        section = context.section
        known = schema.words_of(section)
        if node.text in schema.keyed_of(section):
            self.diags.refuse("PG106", node.span, f"`{node.text}` needs to know what", "incomplete",
                              helps=[f"write {{ {node.text}: ... }}"])
            return {}
        if node.text in schema.ACTIONS and node.text not in known:
            self.diags.refuse("PG110", node.span, f"`{node.text}` is no action of {section}", "not here",
                              helps=[self.action_help(section)])
            return {}
        if not node.text:
            self.diags.refuse("PG106", node.span, "no action here", helps=[self.action_help(section)])
            return {}
        word = pick(node, known, "PG106", "action", self.diags, "no such action", helps=[self.action_help(section)],
                    other=self.synonyms(section))
        if word is None:
            return {}
        if section == "features":
            return self.feature(word, node, modifiers)
        return self.build(Action(word, node.span.place), node.span, context, modifiers, direction)

    def feature(self, word: str, node: Scalar, modifiers: Modifiers) -> Dict[str, Action]:
        if word == "expose":
            return {}
        action = Action("deny", node.span.place, refuse="UNDEF", log=modifiers.log or "once", why=modifiers.why)
        return {"read": action, "write": action, "": action}

    def keyed(self, name: str, key: Scalar, value: Node, context: Context, modifiers: Modifiers,
              direction: str) -> Dict[str, Action]:
        action = Action(name, key.span.place)
        if name in ("value", "mask"):
            high = (1 << 8 * max(modifiers.widths)) - 1 if context.section == "mmio" else (1 << 64) - 1
            if isinstance(value, Scalar) and value.text.startswith("-") and name == "value" \
                    and context.section in schema.CALLS and words.number(value.text[1:]) is not None:
                number: Optional[int] = -(words.number(value.text[1:]) or 0) & high
            else:
                number = as_number(value, f"`{name}`", self.diags, high=high)
            if number is None:
                return {}
            action = replace(action, value=number) if name == "value" else replace(action, mask=number)
        elif name == "emulate":
            model = self.model(value, context)
            if model is None:
                return {}
            action = replace(action, model=model)
            if virtio.speaks_of(model):
                offer = self.offer(modifiers.offer, model) if modifiers.offer is not None else None
                action = replace(action, mask=virtio.mask(model, offer, modifiers.requests))
        else:
            fields = self.fields(value, context)
            if not fields:
                return {}
            action = replace(action, fields=fields)
        return self.build(action, key.span, context, modifiers, direction)

    def model(self, node: Node, context: Context) -> Optional[str]:
        section = "calls" if context.section in schema.CALLS else context.section
        text = as_text(node, "a model", self.diags)
        if text is None or not isinstance(node, Scalar):
            return None
        known = [model.name for model in self.board.models.values() if model.section == section]
        name = pick(node, known, "PG114", f"{context.section} model", self.diags, "no such model")
        if name is None:
            return None
        model = self.board.models[name]
        register, device = context.target.register, context.target.device
        if section == "sysregs" and (register is None or register.name not in model.registers):
            self.diags.refuse("PG114", node.span, f"{name} does not model {context.target.name}", "another register",
                              helps=[f"{name} serves {alternatives(list(model.registers))}"])
            return None
        if section == "mmio" and (device is None or name not in device.models):
            fitting = [d.name for d in self.board.devices.values() if name in d.models]
            self.diags.refuse("PG114", node.span, f"{name} does not model {context.target.name}", "another device",
                              helps=[f"{name} serves {alternatives(fitting)}"] if fitting else [])
            return None
        return name

    def fields(self, node: Node, context: Context) -> Tuple[Tuple[str, int], ...]:
        register = context.target.register
        if register is None:
            self.diags.refuse("PG110", node.span, f"`fields` speaks of one register, {context.target.name} is not one")
            return ()
        written = as_map(node, "`fields`", self.diags)
        layout = {field: place for (name, field), place in load_arch().fields.items() if name == register.name}
        out: List[Tuple[str, int]] = []
        for key, value in written.items if written else ():
            helps = [f"fields of {register.name}: {', '.join(layout)}" if layout else
                     f"the fields of {register.name} are not described"]
            elsewhere = [name for name, field in load_arch().fields if field == key.text]
            helps += [f"{key.text} is a field of {alternatives(elsewhere[:3])}"] if elsewhere else []
            field = pick(key, layout, "PG109", f"{register.name} field", self.diags, "no such field", helps=helps)
            if field is None:
                continue
            number = as_number(value, f"{register.name}.{field}", self.diags, high=(1 << layout[field][1]) - 1)
            if number is not None:
                out.append((field, number))
        if written is not None and not written.items:
            self.diags.refuse("PG106", written.span, "no field here")
        return tuple(out)

    def build(self, action: Action, span: Span, context: Context, modifiers: Modifiers,
              direction: str) -> Dict[str, Action]:
        """The action in each direction that the pairs name, with its modifiers."""
        section = context.section
        if not self.fits(action, span, context):
            return {}
        action = replace(action, why=modifiers.why, limit=modifiers.limit, over=modifiers.over or "deny",
                         widths=modifiers.widths)
        action = self.finish(action, section, modifiers)
        if section not in schema.SIDES:
            return self.conditional({"": action}, context, modifiers, direction)
        if section == "memory":
            found = self.conditional({direction: action}, context, modifiers, direction)
            return found if self.performed(found, span) else {}
        speaks = schema.ACTIONS[action.do].directions
        if action.do == "raz-wi":
            if direction:
                self.diags.refuse("PG110", span, f"`raz-wi` is both directions, this is `{direction}:`", "too wide",
                                  helps=["for a read: { value: 0 }; for a write: ignore"])
                return {}
            return self.conditional({"read": replace(action, do="value", value=0, razwi=True),
                                     "write": replace(action, do="ignore", razwi=True)}, context, modifiers, direction)
        if direction and direction not in speaks:
            self.diags.refuse("PG110", span, f"`{action.do}` is for a {speaks[0]}, this is `{direction}:`",
                              "wrong direction")
            return {}
        wanted = (direction,) if direction else speaks
        register = context.target.register
        if register is not None and len(wanted) == 1:
            if (wanted[0] == "read" and register.access == "wo") or (wanted[0] == "write" and register.access == "ro"):
                verb = {"read": "read", "write": "written"}[wanted[0]]
                self.diags.refuse("PG110", span, f"{register.name} cannot be {verb}: UNDEFINED on the CPU itself",
                                  "decides nothing")
                return {}
        return self.conditional({side: action for side in wanted}, context, modifiers, direction)

    def performed(self, actions: Dict[str, Action], span: Span) -> bool:
        """Complains of instructions that EL2 would have to execute in the guest's place."""
        action = actions.get("exec")
        if action is None or (action.do, action.log) == ("allow", "never") and not action.where or \
                all(branch.do != "allow" for branch in branches(action)):
            return True
        self.diags.refuse("PG125", span, "an instruction that traps cannot be let through: EL2 does not execute in the "
                          "guest's place", "allowed, and asked about", helps=["allow it without `log` and `where`, or deny it"])
        return False

    @staticmethod
    def finish(action: Action, section: str, modifiers: Modifiers) -> Action:
        log = modifiers.log or ("once" if action.do in ("deny", "pause", "kill") else "never")
        refuse = modifiers.refuse
        if action.do == "deny":
            refuse = refuse or schema.REFUSAL[section]
        elif not (modifiers.limit and (modifiers.over or "deny") == "deny"):
            refuse = None
        return replace(action, log=log, refuse=refuse)

    def conditional(self, actions: Dict[str, Action], context: Context, modifiers: Modifiers,
                    direction: str) -> Dict[str, Action]:
        """The actions with their `where`, and with what is done when it does not hold."""
        if modifiers.where is None:
            return actions
        sides = tuple(side for side in actions if side)
        where = ConditionReader(context.section, context.target, sides, self.board, self.diags).read(modifiers.where)
        rest = replace(modifiers, where=None, otherwise=None, limit=None, over=None)
        node = modifiers.otherwise
        others = self.read(node, context, rest, direction) if node is not None else {}
        asked = {each.name for each in where} | {each.name for action in others.values() for branch in branches(action)
                                                 for each in branch.where}
        if asked.issuperset(schema.ARGUMENTS):
            self.diags.refuse("PG124", modifiers.where.span, "a record has room for two arguments of a call, and these "
                              "conditions look at three", "one too many")
        register = context.target.register
        missing = [side for side in sides if side not in others and (register is None or register.has(side))]
        if others and node is not None and missing:
            self.diags.refuse("PG110", node.span, f"`else` says nothing of a {missing[0]}, and the entry speaks of one",
                              "half of it", helps=["write { read: ..., write: ... }, each with its `where`"])
        return {side: replace(action, where=where, otherwise=others.get(side) or self.finish(
            Action("deny", action.place, why=modifiers.why), context.section, rest)) for side, action in actions.items()}

    def fits(self, action: Action, span: Span, context: Context) -> bool:
        """Complains of an action that lacks a part: the real device, the handler."""
        section, target = context.section, context.target
        if section == "mmio" and action.do in ("allow", "mask"):
            return self.reachable(action, span, context)
        if section in schema.CALLS and action.do == "allow":
            count, missing = self.names.served(section, target)
            if missing is not None:
                what = "no call" if not count else f"not call {missing:#x}"
                self.diags.refuse("PG114", span, f"the hypervisor serves {what} of {target.name}", "allow what?",
                                  helps=["allow calls by name or group; unserved ones: deny, or { value: N }"])
                return False
        return True

    def reachable(self, action: Action, span: Span, context: Context) -> bool:
        low, high = context.target.ranges[0]
        if not context.default and self.board.real(low, high):
            return True
        device = self.board.device_at(low)
        if context.default or device is None:
            what = f"`{action.do}` on {context.target.name} needs a real device, and the platform knows of none there"
            if context.default:
                what = f"`{action.do}` for all addresses would hand every device of the host to the guest"
            self.diags.refuse("PG115", span, what, "reaches the host",
                              helps=["allow devices by name; the rest: deny or raz-wi"])
        else:
            model = f"{{ emulate: {device.model} }}" if device.model else "deny or raz-wi"
            self.diags.refuse("PG115", span, f"the real {device.name} is never given to a guest: {device.keep}",
                              "reaches the host", helps=[f"use {model}"])
        return False

    # --- modifiers ----------------------------------------------------------------------------------------------

    def check_use(self, node: Mapping, modifiers: Modifiers, context: Context, direction: str,
                  actions: Dict[str, Action]) -> None:
        """Complains of modifiers that change nothing."""
        if not actions:
            return
        for name in ("offer", "requests"):
            key = node.key(name)
            if key is not None and (direction or context.part):
                self.diags.error("PG116", key.span, f"`{name}` speaks of a device, not of a part of its window",
                                 "not here", helps=["write it once, beside the window's own `emulate`"])
            elif key is not None and not ("read" in actions and virtio.speaks_of(actions["read"].model)):
                self.diags.error("PG116", key.span, f"`{name}` without a virtio model", "decides nothing",
                                 helps=["use it beside { emulate: virtio-blk } and its like"])
        for name, needs, there in (("over", "limit", modifiers.limit is not None),
                                   ("else", "where", modifiers.where is not None)):
            key = node.key(name)
            if key is not None and not there:
                self.diags.error("PG116", key.span, f"`{name}` without `{needs}`", "decides nothing")
        key = node.key("as")
        if key is not None and not any(used.refuse for action in actions.values()
                                       for used in branches(action)):
            self.diags.error("PG116", key.span, "`as` without a `deny`", "decides nothing")

    def offer(self, node: Node, model: str) -> int:
        """`offer:`: a number, a name of the virtio standard, or a list of names."""
        if isinstance(node, Scalar) and words.number(node.text) is not None:
            return as_number(node, "`offer`", self.diags, high=virtio.WORD) or 0
        known, bits = virtio.features(model), 0
        everywhere = [name for names in virtio.BITS.values() for name in names]
        examples = [name for name in known if virtio.offered(model, name)][-3:]
        for item in node.items if isinstance(node, Sequence) else (node,):
            if not isinstance(item, Scalar):
                self.diags.refuse("PG109", item.span, f"`offer` is names or one number, this is {kind(item)}")
                continue
            name = pick(item, known if item.text not in everywhere else everywhere, "PG116", f"{model} feature",
                        self.diags, helps=[f"`offer` is a number, or names such as {alternatives(examples)}"])
            if name is None:
                continue
            if not (name in known and virtio.offered(model, name)):
                why = "EL2 never offers it" if name in known else f"that is no feature of {model}"
                self.diags.refuse("PG116", item.span, f"{name}: {why}", "decides nothing")
            elif known[name] < 32:
                bits |= 1 << known[name]
        return bits
