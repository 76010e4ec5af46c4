# SPDX-License-Identifier: Apache-2.0
"""The narrowest entries for a log's refusals, each with its evidence.

Both directions: a refused access becomes an entry of its own, and an entry that the run never hit is dropped if that
takes something from the guest. A proposal keeps every assertion and is checked like any policy; accesses that cannot be
proposed are listed with the reason.
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, List, Optional, Set, Tuple

from policygen.evidence.cover import NEVER, covered
from policygen.evidence.log import PCS, Log, Seen, another, complete
from policygen.facts import ranges
from policygen.facts.arch import encoding, load_arch
from policygen.facts.board import load_board
from policygen.facts.names import arguments
from policygen.language import schema
from policygen.language.model import Access, Action, Condition, Entry, Policy, Window
from policygen.language.modifiers import ALL_WIDTHS
from policygen.language.spelling import action_text, beside, braces, pair, pairs_of, window_lines
from policygen.language.store import Draft
from policygen.meaning.evaluate import Evaluator, evaluator
from policygen.meaning.say import access_text
from policygen.target.review import review
from policygen.text.diag import Diagnostic, Place
from policygen.text.escape import Yaml, yaml, yaml_comment, yaml_name

PAGE, UNIT = 0x1000, 4
NOWHERE = Place("", 0, 0)
ROUNDS = 50                     # of checking and leaving out
MANY = 64                       # registers of a window; a guest that touches more goes through memory
ENFORCING = "The run was refused what it asked for, and may have gone another way: MODE=audit sees more."


@dataclass
class Want:
    """One refused access, with the log's records of it."""
    access: Access
    seen: Seen
    complete: bool = True       # the log has every decision of the entries that refused it


@dataclass
class Proposal:
    """One proposed entry: lines of a section, with the evidence as a comment on the first."""
    section: str
    name: str
    lines: List[Yaml]
    evidence: str
    wants: List[Want] = field(default_factory=list)
    tightens: bool = False


@dataclass
class Learned:
    proposals: List[Proposal] = field(default_factory=list)
    kept: List[Tuple[str, str]] = field(default_factory=list)      # stay refused: access, reason
    left: List[str] = field(default_factory=list)                  # never hit, and kept nevertheless

    def keep(self, policy: Policy, wants: List[Want], why: str) -> None:
        self.kept += [(f"{access_text(policy, want.access)}  {want.seen.text()}", why) for want in wants]


# --- widening ---------------------------------------------------------------------------------------------------

def widened(policy: Policy, log: Log, verdicts: Set[str], least: int) -> Learned:
    learned, evaluating = Learned(), evaluator(policy)
    wants: Dict[Access, Want] = {}
    shown = complete(log)
    for (access, verdict, rule), seen in log.seen.items():
        decision = evaluating.decide(access)
        if verdict not in verdicts or decision.do != "deny":
            continue            # allowed by now, or refused only for its rate
        want = wants.setdefault(access, Want(access, Seen()))
        want.seen.join(seen)
        want.complete &= rule in shown
    groups: Dict[Tuple[str, object], List[Want]] = {}
    for want in wants.values():
        why = refusal(policy, evaluating, want, least)
        if why is not None:
            learned.keep(policy, [want], why)
            continue
        groups.setdefault(group_of(policy, want.access), []).append(want)
    for (section, _), members in sorted(groups.items(), key=lambda item: min(w.seen.first for w in item[1])):
        if section == "mmio":
            propose_window(policy, members, learned)
        elif section == "memory":
            propose_page(members, learned)
        else:
            propose_key(policy, members, learned)
    return learned


def refusal(policy: Policy, evaluating: Evaluator, want: Want, least: int) -> Optional[str]:
    """The reason not to propose this access; None: propose it."""
    access = want.access
    if want.seen.count < least:
        return f"seen fewer than {least} times"
    if ranges.contains(evaluating.demanded.get((access.section, access.direction), ()), access.key):
        names = [f"{claim.name} ({claim.place})" for claim in policy.asserts if claim.waived is None
                 and (claim.always == "deny" or claim.never == "allow") and claim.section == access.section
                 and ranges.contains(claim.ranges, access.key)]
        return f"assertion {', '.join(names)}"
    decision = evaluating.decide(access)
    if decision.entry.section == "features":
        name = decision.entry.name
        return f"hidden: {decision.entry.place} {name}: hide; `{name}: expose` shows all of it"
    if decision.entry.actions[access.direction].where:
        out = "arguments" if access.section in schema.CALLS else "accesses"
        return f"{decision.entry.place} {decision.entry.name}: its `where` leaves these {out} out; edit it"
    if access.section in schema.CALLS:
        if evaluating.model(access.section, access.key) is None:
            return "nobody serves this call: allowed, it would return the same"
    if access.section == "mmio":
        if access.key + access.width > load_board(policy.platform).ram[0] or access.key % access.width:
            return "no window can hold it"
        entry = evaluating.entry("mmio", access.key, access.direction)
        if entry.actions[access.direction].do != "deny":
            return f"refused for its width: {entry.place} `width:`"
        if entry.name != "default" and "+" in entry.name:
            return f"{entry.place} {entry.name} says so itself: edit it"
    return None


def group_of(policy: Policy, access: Access) -> Tuple[str, object]:
    """The subject of one entry: a register, a window (else a device, else a page), a call, a class."""
    if access.section == "memory":
        return "memory", access.key & -PAGE
    if access.section != "mmio":
        return access.section, access.key
    window = next((w for w in policy.windows if w.base <= access.key < w.base + w.size), None)
    device = load_board(policy.platform).device_at(access.key)
    return "mmio", window.base if window else device.base if device else access.key & -PAGE


def told(wants: List[Want]) -> str:
    """The evidence, by direction."""
    sides: Dict[str, Seen] = {}
    for want in wants:
        sides.setdefault(want.access.direction, Seen()).join(want.seen)
    return "; ".join((f"{side} " if side and len(sides) > 1 else "") + seen.text() for side, seen in sides.items())


def propose_key(policy: Policy, wants: List[Want], learned: Learned) -> None:
    """Proposes for sysregs, calls, exceptions: the key itself, with the directions and arguments that were seen."""
    access = wants[0].access
    section, key = access.section, access.key
    own = next((entry for entry in policy.entries if entry.section == section and entry.ranges == ((key, key),)), None)
    actions: Dict[str, Action] = dict(own.actions) if own else {}
    for want in wants:
        actions[want.access.direction] = Action("allow", NOWHERE, where=arguments_seen(policy, wants))
    name = own.name if own else spelled(policy, section, key)
    if section == "sysregs" and own is None:
        register = load_arch().by_key.get(key)
        missing = [side for side in ("read", "write") if side not in actions]
        if register is not None and not any(register.has(side) for side in missing):
            actions.update({side: Action("allow", NOWHERE) for side in missing})    # the register has no other direction
    text, evidence_text = braces(pairs_of(actions, section)), told(wants)
    if taken(policy, access) and not actions[""].where:
        evidence_text += "; any arguments: the log lacks some (`log: always` on the entry that refused shows all)"
    learned.proposals.append(Proposal(section, name, [pair("{}: {}", yaml_name(name), text)], evidence_text, wants))


def propose_page(wants: List[Want], learned: Learned) -> None:
    """A page of guest RAM: stores by the instructions that were seen, if the log has all of them, else by any."""
    base = wants[0].access.key & -PAGE
    actions: Dict[str, Action] = {}
    for side in schema.SIDES["memory"]:
        here = [want for want in wants if want.access.direction == side]
        places = sorted({pc for want in here for pc in want.seen.pcs})
        known = side == "write" and all(want.complete and len(want.seen.pcs) < PCS for want in here)
        if here:
            where = (Condition("pc", ranges.merge((pc, pc) for pc in places)),) if known else ()
            actions[side] = Action("allow", NOWHERE, where=where, log="always" if where else "never",
                                   otherwise=Action("deny", NOWHERE, refuse="PERMISSION", log="always") if where else None)
    name = f"at-{base:08x}"
    entry = Entry(0, "memory", name, NOWHERE, "", actions, ((base, base + PAGE - 1),), PAGE)
    learned.proposals.append(Proposal("memory", name, [pair("{}: {}", yaml_name(name), action_text(entry))], told(wants), wants))


def taken(policy: Policy, access: Access) -> Tuple[str, ...]:
    """The argument registers of a call, among those that a record shows."""
    call = load_board(policy.platform).call_at(access.section, access.key)
    return tuple(name for name in call.args if name != "x3") if call else ()


def arguments_seen(policy: Policy, wants: List[Want]) -> Tuple[Condition, ...]:
    """From the lowest to the highest value seen, unless the log lacks some of the calls (`log: once`)."""
    if not all(want.complete for want in wants):
        return ()
    seen = {register: [arguments(want.access.key, want.access.args)[at] for want in wants]
            for at, register in enumerate(schema.ARGUMENTS)}
    return tuple(Condition(register, ((min(seen[register]), max(seen[register])),))
                 for register in taken(policy, wants[0].access))


def spelled(policy: Policy, section: str, key: int) -> str:
    if section == "sysregs":
        register = load_arch().by_key.get(key)
        return register.name if register else encoding(key)
    if section == "exceptions":
        return next((name for name, number in load_arch().classes.items() if number == key), f"{key:#x}")
    call = load_board(policy.platform).call_at(section, key)
    return call.name if call and call.ids == (key,) else f"{key:#010x}"


def propose_window(policy: Policy, wants: List[Want], learned: Learned) -> None:
    """Proposes the registers that were touched, in the policy's window if there is one, whose rest stays as it is."""
    board = load_board(policy.platform)
    first = wants[0].access.key
    window = next((w for w in policy.windows if w.base <= first < w.base + w.size), None)
    device = board.device_at(first)
    if window is None:
        base, size = (device.base, device.size) if device else (first & -PAGE, PAGE)
        entry = Entry(0, "mmio", device.name if device else f"at-{base:08x}", NOWHERE, "", {}, (), 0)
        window = Window(entry.name, base, size, entry)
    touched: Dict[int, List[Want]] = {}                     # offset of each register -> its accesses
    for want in sorted(wants, key=lambda w: (w.access.key, w.access.direction, w.access.width)):
        offset = want.access.key - window.base
        for word in range(offset & -UNIT, offset + want.access.width, UNIT):
            touched.setdefault(word, []).append(want)
    if len(touched) > MANY and not window.regs and not window.entry.actions:
        lines = window_lines(replace(window, entry=replace(window.entry, actions=register_actions(policy, window, wants))),
                             device is not None and device.base == window.base)
        learned.proposals.append(Proposal("mmio", window.name, lines, f"{len(touched)} words of it: {told(wants)}", wants))
        return
    regs: List[Tuple[int, int, Dict[str, Action], List[Want]]] = []     # first, last, actions, evidence
    for word, members in sorted(touched.items()):
        actions = register_actions(policy, window, members)
        if regs and regs[-1][1] + UNIT == word and regs[-1][2] == actions and \
                any(want in regs[-1][3] for want in members):           # one access covers both
            regs[-1] = (regs[-1][0], word, actions, regs[-1][3] + [want for want in members if want not in regs[-1][3]])
        else:
            regs.append((word, word, actions, members))
    entries, comments = list(window.regs), {}
    for first, last, actions, members in regs:
        key = f"{first:#x}" if first == last else f"{first:#x}-{last:#x}"
        comments[key] = told(members)
        entries.append(Entry(0, "mmio", f"{window.name}+{key}", NOWHERE, "", actions, (), 0))
    entries.sort(key=lambda reg: int(reg.name.split("+", 1)[1].split("-")[0], 0))
    lines = window_lines(replace(window, regs=tuple(entries)), device is not None and device.base == window.base)
    lines = [beside(line, comments[key]) if (key := line.strip().partition(": ")[0]) in comments else line
             for line in lines]
    count = sum(want.seen.count for want in wants)
    learned.proposals.append(Proposal("mmio", window.name, lines, f"{count} x", wants))


def register_actions(policy: Policy, window: Window, wants: List[Want]) -> Dict[str, Action]:
    """The real device, if there is one; else reads as zero, and writes are ignored, as audit did."""
    board, evaluating = load_board(policy.platform), evaluator(policy)
    actions: Dict[str, Action] = {}
    for direction in ("read", "write"):
        here = [want.access for want in wants if want.access.direction == direction]
        old = window.entry.actions.get(direction)
        if here:
            # The width of an access. `log: once` shows only the first access to an address, so others may differ; a
            # register of four bytes has width 4.
            always = evaluating.entry("mmio", here[0].key, direction).actions[direction].log == "always"
            seen = {access.width for access in here} | {UNIT}
            widths = tuple(sorted(seen)) if always and max(seen) == UNIT else ALL_WIDTHS
            real = all(board.real(access.key, access.key + access.width - 1) for access in here)
            do = "allow" if real else "value" if direction == "read" else "ignore"
            actions[direction] = Action(do, NOWHERE, value=0 if do == "value" else None, widths=widths)
        elif old is not None and old.do != "deny":
            actions[direction] = old
    return actions


# --- tightening -------------------------------------------------------------------------------------------------

def tighten(policy: Policy, ran: Policy, log: Log, cpu: str, learned: Learned) -> None:
    """Drops entries that the run never hit, if that takes something from the guest and the log would show hits."""
    if not log.ran(ran):
        learned.left.append(f"nothing is dropped: {another(ran, log)}")
        return
    if not log.session.ended:
        learned.left.append("nothing is dropped: the log has no end, so what it does not show may yet have happened")
        return
    evaluating = evaluator(policy)
    taken = {(proposal.section, proposal.name) for proposal in learned.proposals}
    hits = {cover.entry.rule: cover.hits for cover in covered(ran, log, cpu)}
    regs = {reg.rule: window for window in policy.windows for reg in window.regs}
    whole = {window.entry.rule: window for window in policy.windows}
    for cover in covered(ran, log, cpu):
        entry = policy.entries[cover.entry.rule]
        if cover.state != NEVER or entry.section == "features" or entry.name == "default":
            continue
        if all(action.do in ("deny", "kill", "pause") for action in entry.actions.values()):
            continue            # dropping it would give the guest more, or the same
        label = f"{entry.place} {entry.name}"
        window = whole.get(entry.rule)
        if entry.rule in regs or (window and any(hits[reg.rule] for reg in window.regs)):
            learned.left.append(f"{label}: never hit, but other registers of its window are")
        elif (entry.section, entry.name) in taken:
            continue
        elif not falls_back(evaluating, entry):
            learned.left.append(f"{label}: never hit, but without it a wider entry would not deny")
        else:
            learned.proposals.append(Proposal(entry.section, entry.name, [pair("{}: inherit", yaml_name(entry.name))],
                                              f"never hit: {entry.place}", tightens=True))


def falls_back(evaluating: Evaluator, entry: Entry) -> bool:
    """Whether all accesses that the entry decides are denied without it."""
    if entry.section == "mmio":
        default = evaluating.defaults["mmio"]
        return all(default.actions[direction].do == "deny" for direction in ("read", "write"))
    for low, _ in evaluating.cells(entry.section, entry.ranges):
        for direction in entry.actions:
            found = [other for other in evaluating.matches(entry.section, low) if direction in other.actions]
            found = found or [evaluating.defaults[entry.section]]
            if found[0].rule != entry.rule:
                continue        # a narrower entry decides here
            after = found[1] if len(found) > 1 else evaluating.defaults[entry.section]
            if after.actions[direction].do != "deny":
                return False
    return True


# --- the policy -------------------------------------------------------------------------------------------------

def settle(policy: Policy, base: Path, title: str, learned: Learned, cpu: str) -> None:
    """Checks the proposal as a policy, and leaves out entries that cause complaints, until there are none."""
    own = {(item.code, item.message) for item in review(str(base), "enforce", cpu).diags.items}    # on lines outside the proposal
    draft = Draft(base, title)

    def complaints(proposals: List[Proposal]) -> Tuple[List[Diagnostic], Dict[int, Diagnostic]]:
        """Errors of a policy of these proposals; those of a proposal's own lines by its place in the list."""
        lines, owners = body(policy, title, f"../{base.stem}", proposals)
        draft.text = "\n".join(lines) + "\n"
        errors = [item for item in review(str(draft.path), "enforce", cpu, draft).diags.items
                  if item.severity == "error" and (item.code, item.message) not in own]
        guilty: Dict[int, Diagnostic] = {}
        for item in errors:
            for span in [item.span, *(span for span, _ in item.also)]:
                if span is not None and span.file == draft.display(draft.path) and span.line in owners:
                    guilty.setdefault(owners[span.line], item)
        return errors, guilty

    def leave_out(proposal: Proposal, item: Diagnostic) -> None:
        reason = f"{item.code}: {item.message}"
        if proposal.tightens:
            learned.left.append(f"{proposal.name}: never hit, but {reason}")
        else:
            learned.keep(policy, proposal.wants, reason)

    def add(kept: List[Proposal], more: List[Proposal]) -> None:
        """Puts those of `more` into `kept` that cause no error there: by halves, since most cause none."""
        errors, _ = complaints(kept + more)
        if not errors:
            kept += more
        elif len(more) == 1:
            leave_out(more[0], errors[0])
        else:
            add(kept, more[:len(more) // 2])
            add(kept, more[len(more) // 2:])

    for _ in range(ROUNDS):
        errors, guilty = complaints(learned.proposals)
        if not errors or not learned.proposals:
            return
        if not guilty:      # an error on a line of the parent does not say whose it is
            kept: List[Proposal] = []
            add(kept, [proposal for proposal in learned.proposals if not proposal.tightens])
            tightening = [proposal for proposal in learned.proposals if proposal.tightens]
            if tightening:
                add(kept, tightening)
            learned.proposals = [proposal for proposal in learned.proposals if any(proposal is one for one in kept)]
            return
        for at, item in guilty.items():
            leave_out(learned.proposals[at], item)
        learned.proposals = [p for at, p in enumerate(learned.proposals) if at not in guilty]


def body(policy: Policy, title: str, parent: str, proposals: List[Proposal]) -> Tuple[List[Yaml], Dict[int, int]]:
    """The lines of the policy, and the proposal of each line (lines count from 1)."""
    lines = [pair("policy: 1"), pair("name: {}", yaml(title)),
             pair("about: {}", yaml(f"What a run of {policy.name} was seen to need.")),
             pair("extends: {}", yaml(parent)),
             pair("platform: {}", yaml_name(policy.platform)), pair("mode: enforce")]
    owners: Dict[int, int] = {}
    for section in schema.SECTIONS:
        here = [(at, proposal) for at, proposal in enumerate(proposals) if proposal.section == section]
        if here:
            lines += [pair(""), pair("{}:", yaml_name(section))]
        for at, proposal in here:
            for i, line in enumerate(proposal.lines):
                lines.append(pair("  {}", beside(line, proposal.evidence) if i == 0 else line))
                owners[len(lines)] = at
    return lines, owners


def rendered(policy: Policy, log: Log, title: str, parent: str, learned: Learned, enforcing: bool) -> str:
    lines, _ = body(policy, title, parent, learned.proposals)
    head = [yaml_comment(f"Learned from {log.heading()}."),
            yaml_comment("REVIEW: each entry below without `inherit` widens the policy.")]
    if enforcing:
        head.append(yaml_comment(ENFORCING))
    if log.strange:
        head.append(yaml_comment(f"{log.strange} decisions were about windows whose address nobody knows."))
    tail: List[Yaml] = []
    if learned.kept:
        tail += [pair(""), yaml_comment("Refused in this run, and not learned:")]
        tail += [yaml_comment(text) for what, why in learned.kept for text in (f"  {what}", f"    {why}")]
    if learned.left:
        tail += [pair(""), yaml_comment("Not tightened:"), *(yaml_comment(f"  {text}") for text in learned.left)]
    return "\n".join([*head, *lines, *tail]) + "\n"


def as_json(policy: Policy, title: str, learned: Learned) -> Dict[str, object]:
    return {"name": title, "extends": policy.name, "entries": [
        {"section": p.section, "name": p.name, "lines": p.lines, "evidence": p.evidence, "tightens": p.tightens}
        for p in learned.proposals], "refused": [{"access": what, "why": why} for what, why in learned.kept],
        "not_tightened": learned.left}
