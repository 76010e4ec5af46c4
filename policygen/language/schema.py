# SPDX-License-Identifier: Apache-2.0
"""The keys and words of the language, and the sections that take them: one description for check.py and for editors."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Tuple

SECTIONS = ("features", "sysregs", "mmio", "memory", "hvc", "smc", "exceptions")        # in the order of rule numbers
CALLS = ("hvc", "smc")
DIRECTED = ("sysregs", "mmio")                                              # sections whose accesses read or write
SIDES: Dict[str, Tuple[str, ...]] = {"sysregs": ("read", "write"), "mmio": ("read", "write"), "memory": ("write", "exec")}
NEEDS_DEFAULT = ("sysregs", "mmio", "hvc", "smc", "exceptions")
DECIDING = (*NEEDS_DEFAULT, "memory")       # sections whose entries decide accesses; memory may be left out

TOP: Dict[str, str] = {
    "policy": "version of the language: 1",
    "name": "the policy's name, as logs show it",
    "about": "one sentence on what this policy is for",
    "platform": "the machine whose devices and calls are meant",
    "mode": "enforce, or audit: perform and log what would be denied",
    "extends": "the policy whose entries hold where this one says nothing",
    "features": "CPU features to hide or to expose, above sysregs and exceptions",
    "sysregs": "trapped system registers and instructions",
    "mmio": "guest physical addresses below RAM",
    "memory": "guest RAM: who may write and execute it",
    "hvc": "calls by HVC #0; x0 selects",
    "smc": "calls by SMC; x0 selects",
    "exceptions": "what reaches EL2 but is no access and no call",
    "assert": "what must hold for every access; children inherit it",
    "waive": "inherited assertions that this policy does not keep, each with its reason",
    "tests": "single decisions that must come out as written",
}


@dataclass(frozen=True)
class ActionWord:
    sections: Tuple[str, ...]
    directions: Tuple[str, ...]         # in sysregs and mmio; directions of the bare word
    argument: str                       # none number fields model
    verdict: str                        # the log's word; with `mode: audit` a denial's is WOULD
    gives: int                          # how much the guest gets: 0 the end, a stop, a refusal, an answer that is not real,
    #                                     an exception of its own, a model, part of the real thing, 7 all of it
    about: str


EVERY = ("sysregs", "mmio", "hvc", "smc", "exceptions")
RAM = (*EVERY, "memory")
BOTH = ("read", "write")
# An action word: those of enum action (hv/policy/policy.h), raz-wi and fields.
ACTIONS: Dict[str, ActionWord] = {
    "allow": ActionWord(RAM, BOTH, "none", "ALLOW", 7,
                        "the real register, the real device, the call served, handled as usual"),
    "deny": ActionWord(RAM, BOTH, "none", "DENY", 2, "as if it did not exist"),
    "value": ActionWord(("sysregs", "mmio", "hvc", "smc"), ("read",), "number", "EMUL", 3,
                        "reads (or returns) this constant"),
    "ignore": ActionWord(DIRECTED, ("write",), "none", "EMUL", 3, "the write is discarded"),
    "raz-wi": ActionWord(DIRECTED, BOTH, "none", "RAZWI", 3, "reads as zero, writes are discarded"),
    "mask": ActionWord(DIRECTED, BOTH, "number", "EMUL", 6,
                       "only these bits pass; others read as 0 and keep their value"),
    "fields": ActionWord(("sysregs",), ("read",), "fields", "EMUL", 6, "the real value with these fields replaced"),
    "emulate": ActionWord(("sysregs", "mmio", "hvc", "smc"), BOTH, "model", "EMUL", 5, "a handler of the hypervisor"),
    "forward": ActionWord(("exceptions",), BOTH, "none", "INJECT", 4, "injected at the guest's EL1"),
    "pause": ActionWord(EVERY, BOTH, "none", "PAUSE", 1, "stop the guest before it takes effect and enter the monitor"),
    "kill": ActionWord(RAM, BOTH, "none", "KILL", 0, "stop the guest for good"),
}
# Action words of other policy languages -> Charter's.
SYNONYMS = {word: action for action, names in {
    "allow": ("permit", "grant", "accept", "pass", "passthrough", "pass-through", "enable", "yes", "true", "rw"),
    "deny": ("block", "reject", "refuse", "forbid", "disallow", "prohibit", "disable", "undef", "trap"),
    "ignore": ("drop", "discard", "wi"), "raz-wi": ("razwi", "zero", "raz"), "kill": ("abort", "terminate", "stop"),
    "pause": ("break", "ask", "prompt"), "forward": ("inject", "reflect"), "hide": ("mask", "off", "hidden"),
    "expose": ("show", "visible"),
}.items() for word in names}
FEATURE_WORDS = {"hide": "the guest can neither discover nor use it", "expose": "the guest sees what the CPU has"}

LOG_WORDS = ("never", "once", "always", "once-trace", "always-trace")
LOG_PLAIN = ("never", "once", "always")
LOG_TRACE = "trace"             # beside once or always: refusals with the guest's return addresses
OVER_WORDS = ("deny", "pause", "kill")
AS_WORDS: Dict[str, Dict[str, str]] = {
    "mmio": {"serror": "SERROR"},
    "hvc": {"DENIED": "DENIED", "INVALID_PARAMETERS": "INVALID_PARAMETERS", "NOT_SUPPORTED": "NOT_SUPPORTED",
            "undef": "UNDEF"},
}
AS_WORDS["smc"] = AS_WORDS["hvc"]
REFUSAL = {"sysregs": "UNDEF", "mmio": "SEA", "memory": "PERMISSION", "hvc": "NOT_SUPPORTED", "smc": "NOT_SUPPORTED",
           "exceptions": "UNDEF", "features": "UNDEF"}


@dataclass(frozen=True)
class Part:
    """A part of an access that a condition of a `where` may look at, beside the fields of one register."""
    sections: Tuple[str, ...]
    directions: Tuple[str, ...]         # in sysregs and mmio
    about: str


ARGUMENTS = ("x1", "x2", "x3")
AGAINST = {"same": "changed", "sticky": "cleared"}      # bits that a write changes, clears: all have to be 0
PARTS: Dict[str, Part] = {
    **{name: Part(CALLS, BOTH, "an argument of the call; of a 32-bit function its lower half") for name in ARGUMENTS},
    "value": Part(DIRECTED, ("write",), "what is written"),
    "from": Part(("sysregs", "mmio", "memory", "exceptions"), BOTH, "the exception level that the access comes from: el0 or el1"),
    "pc": Part(RAM, BOTH, "the address of the instruction"),
}
# `may:` of memory -> the directions that run without a trap. Guest RAM can always be read.
MAY = {"r": (), "rx": ("exec",), "rw": ("write",), "rwx": ("write", "exec")}
MAY_ABOUT = {"r": "neither written nor executed", "rx": "not written", "rw": "not executed", "rwx": "as ever"}
MEMORY = {"at": "first address, a multiple of 4K", "size": "bytes: 4K, 2M", "may": "r, rx, rw or rwx: what needs no question",
          "write": "a store; else the wider entry decides", "exec": "an instruction; else the wider entry decides"}
WINDOW = {"at": "first address", "size": "bytes: 4K, 0x100", "regs": "offset or 0x10-0x1c -> action",
          "default": "the rest of the window"}

OPERATIONS: Dict[str, str] = {
    "read": "sysregs or mmio", "write": "sysregs, mmio or memory", "exec": "memory",
    "access": "both directions of sysregs, mmio or memory",
    "hvc": "a call", "smc": "a call", "exception": "an exception class",
}
CLAIM: Dict[str, str] = {
    "never": "an action that no access of the target may have",
    "always": "the action that every access of the target must have",
    "expect": "the action of this one access",
    "except": "targets that are left out",
    "given": "the value that is written, or that the real register holds",
    "width": "bytes of an MMIO access",
    "args": "what a `where` looks at: x1 to x3 of a call, held (what the register holds before), from, pc",
    "from": "file:line of the entry that decides",
}
CLAIM_WORDS = tuple(ACTIONS)
TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.*+ -]{0,79}\Z")


def words_of(section: str) -> Tuple[str, ...]:
    """Action words that this section takes without an argument."""
    if section == "features":
        return tuple(FEATURE_WORDS)
    return tuple(word for word, spec in ACTIONS.items() if section in spec.sections and spec.argument == "none")


def keyed_of(section: str) -> Tuple[str, ...]:
    """Action words that this section takes with an argument."""
    return tuple(word for word, spec in ACTIONS.items() if section in spec.sections and spec.argument != "none")
