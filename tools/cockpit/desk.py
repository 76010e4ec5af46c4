# SPDX-License-Identifier: Apache-2.0
"""The screen: where the panes stand, and which of them a key goes to."""
from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence, Set, Tuple

import urwid

from hvl.escape import terminal
from hvl.files import UsageError

from . import panes
from .card import card
from .keys import ESCAPE, History, Typist, commands, complete, open_monitor
from .panes import Markup
from .proposal import Proposal
from .state import Item, State

PALETTE = [("title", "default", "default", "underline"), ("title on", "black", "light gray"), ("bar", "default", "default"),
           ("deny", "light red", "default"), ("would", "brown", "default"), ("note", "dark cyan", "default"),
           ("good", "black", "dark green"), ("bad", "white", "dark red"), ("chosen", "standout", "default"),
           ("key", "default,bold", "default")]
WIDE, HIGH = 100, 18            # from this size on all panes are shown
_SEQUENCES = {"up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C", "left": b"\x1b[D", "home": b"\x1b[H", "end": b"\x1b[F",
              "page up": b"\x1b[5~", "page down": b"\x1b[6~", "delete": b"\x1b[3~", "insert": b"\x1b[2~", "esc": b"\x1b",
              "enter": b"\r", "tab": b"\t", "backspace": b"\x7f", "shift tab": b"\x1b[Z"}
_PANES = {"f1": "help", "f2": "console", "f3": "monitor", "f4": "records", "f5": "rules", "f10": "leave"}
_PREFIXED = {"?": "help", "c": "console", "m": "monitor", "r": "records", "p": "rules", "x": "leave"}
_HINTS = {"console": "keys go to the guest", "monitor": "Tab completes, arrows: history, Ctrl-D goes on",
          "records": "Enter why   / filter   End follows", "rules": "Enter the last refusal", "help": "Esc back",
          "card": "n ask next time  w let pass  u as built  p propose  Esc back"}


def key_bytes(key: str) -> bytes:
    """The bytes that a terminal sends for a key of urwid's."""
    if key in _SEQUENCES:
        return _SEQUENCES[key]
    if key.startswith("ctrl ") and len(key) == 6:
        return bytes([ord(key[5].upper()) & 0x1f])
    if key.startswith("meta "):
        return b"\x1b" + key_bytes(key[5:])
    return key.encode("utf-8", "replace") if len(key) == 1 else b""


def harmless(markup: Any) -> Any:
    """Marked text without control characters."""
    if isinstance(markup, str):
        return terminal(markup)
    return (markup[0], harmless(markup[1])) if isinstance(markup, tuple) else [harmless(part) for part in markup]


class Desk(urwid.Widget):  # type: ignore[misc]
    """`to_machine` takes bytes for the line; `propose` begins a proposal about a decision; `leave` ends all."""

    _sizing = frozenset([urwid.BOX])
    _selectable = True

    def __init__(self, state: State, typist: Typist, to_machine: Callable[[bytes], None],
                 propose: Callable[[Item], Optional[str]], leave: Callable[[], None]) -> None:
        super().__init__()
        self.state, self.typist = state, typist
        self._send, self._propose, self._leave = to_machine, propose, leave
        self.focus_on = "console"
        self.message = "F1 help   F3 monitor   F4 records   F5 policy   F10 leave"
        self.proposal: Optional[Proposal] = None
        self._before = "console"
        self._prefix = False
        self._filter = urwid.Edit("/")
        self._filtering = False
        self._command = urwid.Edit("hv> ")
        self._history = History()
        self._known: Set[str] = set()
        self._read = 0              # lines of the monitor in which commands were looked for
        self._above = 0             # lines that a pane is scrolled up
        self._chosen: Optional[int] = None
        self._row = 0
        self._item: Optional[Item] = None
        self._was_asking = False

    # --- what happened ----------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """The state is another one."""
        state = self.state
        if state.asking and not self._was_asking and state.stands:
            self._above = 0
            if self.focus_on == "console":
                self.show("monitor")
        elif self._was_asking and not state.asking and self.focus_on == "monitor" and not self.typist.busy:
            self.show("console")
        self._was_asking = state.asking
        fresh = state.monitor.total - self._read
        if fresh:
            self._known |= commands(list(state.monitor.rows)[-min(fresh, len(state.monitor.rows)):])
            self._read = state.monitor.total
        self._invalidate()

    def proposed(self, proposal: Proposal) -> None:
        self.proposal = proposal
        self.message = "t tries it (WOULD)  y writes it  Esc back" if proposal.after else "Esc back"
        self.show("card")

    def show(self, what: str) -> None:
        if what not in ("help", "card"):
            self._before = what
        self.focus_on, self._above = what, 0
        self._invalidate()

    # --- keys -------------------------------------------------------------------------------------------------------

    def keypress(self, size: Tuple[int, int], key: str) -> Optional[str]:
        self._invalidate()
        if self._prefix:
            self._prefix = False
            if key in _PREFIXED:
                self._go(_PREFIXED[key])
            else:
                self._send(ESCAPE if key == "ctrl ]" else ESCAPE + key_bytes(key))
        elif key == "ctrl ]":
            self._prefix = True
        elif key in _PANES:
            self._go(_PANES[key])
        elif key in ("shift page up", "shift page down"):
            self._above = max(0, self._above + (10 if key.endswith("up") else -10))
        else:
            getattr(self, "_key_" + self.focus_on)(size, key)
        return None

    def _go(self, what: str) -> None:
        if what == "leave":
            self._leave()
            return
        if what == "monitor" and not self.state.asking and not self.typist.busy and self.state.ended is None:
            self._send(open_monitor(self.state))
        self._filtering = False
        self.show(what)

    def _key_console(self, size: Tuple[int, int], key: str) -> None:
        self._above = 0
        self._send(key_bytes(key))

    def _key_help(self, size: Tuple[int, int], key: str) -> None:
        self.show(self._before)

    def _key_monitor(self, size: Tuple[int, int], key: str) -> None:
        state, edit = self.state, self._command
        if state.question() and not self.typist.busy and not edit.edit_text:
            self._send(key_bytes(key))
        elif key == "enter":
            if edit.edit_text.strip():
                self._history.add(edit.edit_text)
                self.typist.want(edit.edit_text)
            elif state.asking:
                self._send(b"\r")
            edit.set_edit_text("")
            self._send(self.typist.next())
        elif key == "ctrl d" and not edit.edit_text:
            self.typist.want("cont")
            self._send(self.typist.next())
        elif key == "ctrl c":
            edit.set_edit_text("")
            self.typist.clear()
        elif key in ("up", "down"):
            edit.set_edit_text(self._history.up(edit.edit_text) if key == "up" else self._history.down(edit.edit_text))
            edit.set_edit_pos(len(edit.edit_text))
        elif key == "tab":
            self._complete()
        elif key in ("page up", "page down"):
            self._above = max(0, self._above + (10 if key == "page up" else -10))
        else:
            edit.keypress((size[0],), key)

    def _complete(self) -> None:
        if not self._known and not self.typist.busy:
            self.typist.want("help")        # the image's own list
            self._send(self.typist.next())
            self.message = "the monitor is asked what it knows; Tab again"
            return
        rules = {f"r{row.rule}" for row in self.state.rules()}
        line, fits = complete(self._command.edit_text, self._known, rules | {"would", "stop", "reset", "allow", "deny"})
        self._command.set_edit_text(line)
        self._command.set_edit_pos(len(line))
        self.message = "  ".join(fits[:12]) + (" ..." if len(fits) > 12 else "") if fits else "nothing begins so"

    def _key_records(self, size: Tuple[int, int], key: str) -> None:
        tail = self.state.shown
        if self._filtering:
            self._key_filter(size, key)
        elif key == "/":
            self._filtering = True
            self._filter.set_edit_text(self.state.filter)
            self._filter.set_edit_pos(len(self.state.filter))
        elif key in ("end", "esc"):
            self._chosen = None
        elif key == "enter":
            self._open(tail.at(tail.total - 1 if self._chosen is None else self._chosen))
        elif len(tail):
            step = {"up": -1, "down": 1, "page up": -10, "page down": 10, "home": -tail.total}.get(key)
            if step is not None:
                at = (tail.total if self._chosen is None else self._chosen) + step
                self._chosen = min(tail.total - 1, max(tail.first, at))

    def _key_filter(self, size: Tuple[int, int], key: str) -> None:
        if key in ("enter", "esc"):
            self._filtering = False
            if key == "enter":
                return
            self._filter.set_edit_text("")
        elif key == "ctrl u":
            self._filter.set_edit_text("")
        else:
            self._filter.keypress((size[0],), key)
        try:
            self.state.look_for(self._filter.edit_text)
            self._chosen = None
            self.message = ""
        except UsageError as error:
            self.message = str(error).split("\n", 1)[0]

    def _key_rules(self, size: Tuple[int, int], key: str) -> None:
        rows = self.state.rules()
        if key == "enter" and self._row < len(rows):
            row = rows[self._row]
            if row.last is None:
                self.message = f"r{row.rule} has refused nothing: {row.place}  {row.text}"
            else:
                self._open(row.last)
        step = {"up": -1, "down": 1, "page up": -10, "page down": 10, "home": -len(rows), "end": len(rows)}.get(key, 0)
        self._row = max(0, min(len(rows) - 1, self._row + step))

    def _open(self, item: Optional[Item]) -> None:
        if item is not None:
            self._item, self.proposal, self.message = item, None, ""
            self.show("card")

    def _key_card(self, size: Tuple[int, int], key: str) -> None:
        item, rule = self._item, self._item.rec.f.rule if self._item is not None else None
        if key == "esc":
            if self.proposal is not None:
                self.proposal, self.message = None, ""
            else:
                self.show(self._before)
        elif key in ("up", "down", "page up", "page down"):
            self._above = max(0, self._above + {"up": -1, "down": 1, "page up": -10, "page down": 10}[key])
        elif item is None or rule is None:
            return
        elif self.proposal is not None and self.proposal.after and key in "ty":
            if key == "y":
                self.message = self.proposal.write()
            else:
                self._overrule(rule, "would")
        elif key in ("n", "w", "u"):
            self._overrule(rule, {"n": "stop", "w": "would", "u": "reset"}[key])
        elif key == "p":
            self.message = self._propose(item) or "policygen is asked for the narrowest entry ..."

    def _overrule(self, rule: int, how: str) -> None:
        """At the monitor; the guest goes on as it did."""
        stood = self.state.asking
        self.typist.want(f"rule r{rule} {how}", *([] if stood else ["cont"]))
        self._send(self.typist.next())
        self.message = f"rule r{rule} {how}: the log has it as @P"

    # --- what is drawn ----------------------------------------------------------------------------------------------

    def render(self, size: Tuple[int, int], focus: bool = False) -> urwid.CompositeCanvas:
        width, height = size
        parts = [self._lines([panes.bar(self.state)], width, 1, "bar")]
        room = max(0, height - 2)
        if width >= WIDE and room >= HIGH and self.focus_on != "help":
            upper, left = room * 55 // 100, width * 55 // 100
            parts.append(urwid.CanvasJoin([(self._left(left, upper), None, False, left),
                                           (self._pane("rules", width - left, upper), None, False, width - left)]))
            parts.append(self._pane("card" if self.focus_on == "card" else "records", width, room - upper))
        elif room:
            one = self.focus_on
            parts.append(self._left(width, room) if one in ("console", "monitor") else self._pane(one, width, room))
        if height > 1:
            hint = "^] and a key ..." if self._prefix else self.message or _HINTS[self.focus_on]
            parts.append(self._lines([hint], width, 1, "key"))
        return urwid.CanvasCombine([(part, None, False) for part in parts])

    def _left(self, width: int, height: int) -> urwid.CompositeCanvas:
        return self._pane("monitor" if self.focus_on == "monitor" or self.state.asking and self.state.stands else "console",
                          width, height)

    def _pane(self, name: str, width: int, height: int) -> urwid.CompositeCanvas:
        title, inner = name, max(0, height - 1)
        state = self.state
        if name == "console":
            body: Sequence[Any] = self._wrapped(state.console.last(inner + self._above, 0), width, inner, "console")
        elif name == "monitor":
            asked = state.question() and not self.typist.busy and not self._command.edit_text
            room = inner if asked else max(0, inner - 1)
            rows: List[Any] = list(self._wrapped(state.monitor.last(inner + self._above, 0), width, room, name))
            if rows and state.prompt():
                rows = rows[:-1]
            body = rows if asked else [*rows, self._edited(self._command, self.focus_on == "monitor")]
            title = "monitor (a key answers)" if asked else "monitor" if state.asking else "monitor (the guest runs)"
        elif name == "rules":
            body = panes.rules(state.rules(), inner, self._row if self.focus_on == "rules" else None)
            title = "the policy's lines"
        elif name == "records":
            shown = self._filtering or bool(state.filter)
            body = panes.records(state, inner - shown, self._chosen)
            title = f"records {state.shown.total}" + (f" of {state.records.total}" if state.filter else "")
            if shown:
                body = [self._edited(self._filter, self._filtering), *body]
        elif name == "card":
            lines = self.proposal.lines() if self.proposal is not None else card(self._item) if self._item is not None else []
            self._above = min(self._above, max(0, len(lines) - inner))
            body = lines[self._above:self._above + inner]
            title = "a proposal" if self.proposal is not None else "why"
        else:
            body = panes.HELP
        head = self._lines([f" {title} ".ljust(width)], width, 1, "title on" if self.focus_on == name else "title")
        if not inner:
            return urwid.CompositeCanvas(head)
        return urwid.CanvasCombine([(head, None, False), (self._lines(body, width, inner), None, False)])

    def _wrapped(self, lines: List[str], width: int, rows: int, name: str) -> List[str]:
        """The end of a stream in so many rows; lines that are too long take several."""
        out: List[str] = []
        for line in lines:
            out += [line[at:at + width] for at in range(0, len(line), width)] or [""]
        above = self._above if self.focus_on == name else 0
        end = max(min(rows, len(out)), len(out) - above)
        return out[max(0, end - rows):end]

    @staticmethod
    def _edited(edit: urwid.Edit, active: bool) -> List[Markup]:
        """An edit line with its cursor drawn."""
        text, at = edit.edit_text, edit.edit_pos
        if not active:
            return [edit.caption + text]
        return [edit.caption + text[:at], ("chosen", text[at:at + 1] or " "), text[at + 1:]]

    @staticmethod
    def _lines(body: Sequence[Any], width: int, height: int, style: str = "") -> urwid.CompositeCanvas:
        """So many rows of marked text. It is made harmless here, wherever it comes from."""
        markup: List[Any] = []
        for line in list(body[:height]) + [""] * (height - len(body)):
            markup += [harmless(line), "\n"]
        text = urwid.Text(markup[:-1], wrap="clip")
        return urwid.AttrMap(text, style).render((width,)) if style else urwid.CompositeCanvas(text.render((width,)))
