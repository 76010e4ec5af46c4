# SPDX-License-Identifier: Apache-2.0
"""A valid policy, as frozen dataclasses. check.py makes them, and everything in them has been checked."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterator, Mapping, Optional, Tuple

from policygen.text.diag import Place

READ, WRITE = "read", "write"
IN, SAME, STICKY = "in", "same", "sticky"       # tests of a condition


@dataclass(frozen=True)
class Condition:
    """One line of a `where`: a part of the access, and what it has to be."""
    name: str                                   # x1 x2 x3 value from pc, or a field of the register
    spans: Tuple[Tuple[int, int], ...]          # the numbers that will do: sorted, inclusive, apart
    test: str = IN                              # in; same, sticky: against what the register holds (no spans)


@dataclass(frozen=True)
class Action:
    """One action, for one direction. `do` is never `raz-wi`: check.py splits it into value 0 and ignore."""
    do: str                                     # allow deny value ignore mask fields emulate forward pause kill
    place: Place
    value: Optional[int] = None                 # do: value
    mask: Optional[int] = None                  # do: mask
    fields: Tuple[Tuple[str, int], ...] = ()    # do: fields, as (field name, value)
    model: Optional[str] = None                 # do: emulate
    refuse: Optional[str] = None                # do: deny (always set), over: deny (if `as` was written);
    #                                             UNDEF SEA SERROR NOT_SUPPORTED INVALID_PARAMETERS DENIED
    log: str = "never"                          # never once always
    limit: Optional[int] = None                 # decisions per second
    over: str = "deny"                          # deny pause kill
    why: Optional[str] = None
    razwi: bool = False                         # written as raz-wi (the log's verdict word)
    widths: Tuple[int, ...] = (1, 2, 4, 8)      # mmio: bytes
    where: Tuple[Condition, ...] = ()           # all of them hold, else `otherwise`; by name
    otherwise: Optional["Action"] = None        # when `where` does not hold


def branches(action: Optional[Action]) -> Iterator[Action]:
    """The action, then what holds where its `where` does not, and so on."""
    while action is not None:
        yield action
        action = action.otherwise


@dataclass(frozen=True)
class Entry:
    """One written entry: one rule of the log. `actions` maps direction (or "" for calls and exceptions) to Action."""
    rule: int                                   # rN
    section: str
    name: str                                   # as written
    place: Place
    text: str                                   # the source line, stripped
    actions: Mapping[str, Action]
    ranges: Tuple[Tuple[int, int], ...]         # accesses that it covers, inclusive: register keys, IPAs, ids or classes
    size: int                                   # how many accesses it covers: the narrower entry decides


@dataclass(frozen=True)
class Window:
    """An MMIO window with its registers: `entry` decides where none of `regs` does."""
    name: str
    base: int
    size: int
    entry: Entry
    regs: Tuple[Entry, ...] = ()

    @property
    def registers(self) -> bool:
        """Whether there is something in it: then `log: once` is for each address, else for the window as a whole."""
        return bool(self.regs) or any(action.do in ("allow", "mask", "emulate") for action in self.entry.actions.values())


@dataclass(frozen=True)
class Assertion:
    name: str
    place: Place
    operation: str                              # read write access hvc smc exception
    target: str
    never: Optional[str] = None                 # an action word
    always: Optional[str] = None
    ranges: Tuple[Tuple[int, int], ...] = ()    # its accesses, less those of `except`
    section: str = ""                           # sysregs mmio hvc smc exceptions
    waived: Optional[str] = None                # the reason, if a child waived it
    expect: Optional[Mapping[str, object]] = None  # instead of never/always; as in Test
    given: Optional[int] = None
    width: Optional[int] = None                 # mmio: bytes; None = every width
    args: Optional[Tuple[Tuple[str, int], ...]] = None  # inputs of a `where`: x1 x2 x3 held from pc
    origin: Optional[str] = None
    spared: Tuple[str, ...] = ()                # `except`, as written


@dataclass(frozen=True)
class Test:
    place: Place
    operation: str
    target: str
    expect: Mapping[str, object]                # {"do": ..., "value"/"model"/"refuse"/"mask": ...}
    given: Optional[int] = None
    width: int = 4
    args: Tuple[Tuple[str, int], ...] = ()
    origin: Optional[str] = None                # of `from`: file:line of the entry that decides
    never: Optional[str] = None                 # instead of expect, as in Assertion
    always: Optional[str] = None
    ranges: Tuple[Tuple[int, int], ...] = ()    # its accesses
    section: str = ""


@dataclass(frozen=True, eq=False)               # identity, so that it can be a key: compare.py compares decisions, not texts
class Policy:
    name: str
    about: str
    file: str
    platform: str
    mode: str                                   # enforce audit
    entries: Tuple[Entry, ...]                  # entries[i].rule == i
    windows: Tuple[Window, ...]                 # sorted by base, disjoint
    features: Mapping[str, str]                 # feature -> expose | hide
    asserts: Tuple[Assertion, ...] = ()
    tests: Tuple[Test, ...] = ()
    files: Tuple[str, ...] = ()                 # this policy and its parents
    accepted: Mapping[str, str] = field(default_factory=dict)  # "PG501 strict.yaml:32" -> reason
    facts: str = ""                             # the folder of the facts that it is judged by; empty: today's
    sources: Mapping[str, "Text"] = field(default_factory=dict)     # the text of `files`; none of a canonical form


@dataclass(frozen=True)
class Text:
    """A file of a policy, as it was read."""
    lines: Tuple[str, ...]
    sha256: str                                 # of its bytes


@dataclass(frozen=True)
class Access:
    """One concrete access. `key` is a register key, an IPA, a function id or an exception class."""
    section: str                                # sysregs mmio hvc smc exceptions
    key: int
    direction: str = ""                         # read, write; "" for calls and exceptions
    width: int = 4                              # mmio: bytes
    args: Tuple[int, int, int] = (0, 0, 0)      # calls: x1, x2, x3
    value: int = 0                              # the value written
    held: int = 0                               # the register's value before
    el: int = 1                                 # where it comes from
    pc: int = 0                                 # of the instruction


@dataclass(frozen=True)
class Decision:
    """A policy's answer for one access: the generated tables must give the same."""
    entry: Entry                                # the rule that counts and logs it
    do: str                                     # allow deny value ignore mask emulate forward pause kill
    verdict: str                                # ALLOW DENY EMUL RAZWI INJECT KILL PAUSE WOULD
    value: int = 0
    mask: int = 0
    model: Optional[str] = None
    refuse: Optional[str] = None
    log: str = "never"
    limit: Optional[int] = None
    over: str = "deny"
    beyond: Optional[str] = None                # how what comes too fast is refused, if not as usual
