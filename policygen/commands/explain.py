# SPDX-License-Identifier: Apache-2.0
"""`policygen explain NAME ACCESS`: the reason for a decision, and the line to edit."""
from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field, replace
from typing import Dict, List, Mapping, Optional, Tuple

from policygen.commands import cli
from policygen.commands.pasted import mended
from policygen.facts.arch import ALL_BITS, encoding, load_arch, make_key
from policygen.facts.board import load_board
from policygen.facts.names import NO_FUNCTION, Names, function_of
from policygen.language import schema
from policygen.language.claims import ClaimReader, regions_of
from policygen.language.conditions import LEVELS, fields_of
from policygen.language.model import IN, Access, Condition, Decision, Policy, branches
from policygen.language.overlap import spoken
from policygen.language.spelling import action_text, condition
from policygen.meaning.evaluate import evaluator
from policygen.meaning.say import told
from policygen.meaning.layout_map import layout_map
from policygen.meaning.regions import relevant
from policygen.meaning.say import access_text, because
from policygen.target import traps
from policygen.target.verify import given as given_by_stage2
from policygen.target.tables import passthrough
from policygen.text import words
from policygen.text.diag import Diagnostics, Span
from policygen.text.source import Scalar

HELP = "why one access is decided so: read NAME, write uart0+0x18, hvc NAME, an ESR value, a log line"

LOG_LINE = re.compile(r"@?[DA]\+? +\d+(?:\.\d+)? +[\d.]+ +([A-Z]+) +r(\d+) +(.*)\Z")
LOG_REGISTER = re.compile(r"(msr\.r|msr\.w|sys) +([A-Za-z0-9_]+)(?:=0x([0-9a-f]{1,16}))?")
LOG_MEMORY = re.compile(r"mem\.([wx]) +(0x[0-9a-f]+)")
LOG_ADDRESS = re.compile(r"mmio\.([rw]) +(\S+?)/(\d+)(?:=0x([0-9a-f]{1,16})|\s|\Z)")
LOG_CALL = re.compile(r"(hvc|smc) +(0x[0-9a-fA-F]+|\d+)")
LOG_INPUT = re.compile(r" (x1|x2|x3|held|pc|esr)=0x([0-9a-f]{1,16})\b")
LOG_EL0 = re.compile(r" el=0\b")
LOG_EXCEPTION = re.compile(r"exc +(\S+)")


INPUTS = (*schema.ARGUMENTS, "value", "held", "from", "pc")


@dataclass
class Question:
    """A question: an operation and a target in the words of tests."""
    operation: str
    target: str
    width: int = 4
    inputs: Mapping[str, int] = field(default_factory=dict)     # of INPUTS
    heading: List[str] = field(default_factory=list)
    suffix: str = ""
    logged: Optional[Tuple[str, int]] = None        # verdict and rule of the log line that was given


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the policy")
    parser.add_argument("access", nargs="+", metavar="ACCESS", help="read PMCCNTR_EL0 | write uart0+0x18/4 | "
                        "write SCTLR_EL1 value=0x5 held=0x1 | hvc HV_PAUSE x1=1 | exception WFX from=el0 pc=0x40001000 | "
                        "0x62380405 | 0x5a000000 x0=3 | 0x93800006 0x09000018 | '@D ...'")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    policy, status = cli.load(parsed.name, options)
    if policy is None:
        return status
    text, remark = mended(" ".join(parsed.access).strip())
    question = understand(text)
    if isinstance(question, str):
        print(f"policygen: {question}", file=sys.stderr)
        return cli.USAGE
    diags = Diagnostics(sources={"<access>": [question.target]})
    accesses = resolve(policy, question, diags)
    if not accesses:
        cli.emit(diags, options)
        return cli.USAGE
    if options.format == "json":
        cli.print_json({"access": text, "decisions": [as_json(policy, access, options.cpu) for access in accesses]})
        return cli.OK
    lines = question.heading + ([remark] if remark else []) + explained(policy, accesses, question, options.cpu)
    print("\n".join(lines))
    return cli.OK


# --- the question -----------------------------------------------------------------------------------------------

def understand(text: str) -> "Question | str":
    """The question in the words, or a complaint."""
    log = LOG_LINE.match(text)
    if log or text.startswith("@"):
        return from_log(log, text) if log else "only @D and @A log lines are about an access"
    parts = text.split()
    if parts and (value := words.number(parts[0])) is not None:
        return from_esr(value, parts[1:])
    if len(parts) < 2 or parts[0] not in schema.OPERATIONS:
        return f"an access is `{' X`, `'.join(schema.OPERATIONS)} X`, an ESR value, or a log line"
    question = Question(parts[0], parts[1])
    if "/" in question.target:
        question.target, _, width = question.target.partition("/")
        if width not in ("1", "2", "4", "8"):
            return f"/{width}: a width is 1, 2, 4 or 8 bytes"
        question.width = int(width)
    given = inputs(parts[2:], *INPUTS)
    if isinstance(given, str):
        return f"{given}: behind the name comes what conditions look at: {', '.join(f'{name}=' for name in INPUTS)}"
    question.inputs = given
    return question


def inputs(parts: List[str], *known: str) -> "Dict[str, int] | str":
    """The inputs in words such as x1=9 and from=el0, or the word that is wrong."""
    out: Dict[str, int] = {}
    for part in parts:
        name, _, text = part.partition("=")
        value = LEVELS.get(text) if name == "from" else words.number(text)
        if name not in known or value is None:
            return part
        out[name] = value
    return out


def from_esr(value: int, more: List[str]) -> "Question | str":
    """The access that the syndrome of a trap describes. Addresses and call numbers are not in it: without them in
    `more`, the whole section."""
    ec, iss = value >> 26 & 0x3f, value & 0x1ffffff
    heading = [f"ESR_EL2 {value:#x}  EC {ec:#04x}  ISS {iss:#09x}"]
    if value >> 32 & ~0xffffff or value < 1 << 25:
        return f"{value:#x} is no ESR_EL2 value of a trap; for an address write: read {value:#x}"
    if ec == 0x18 and not more:
        key = make_key(iss >> 20 & 3, iss >> 14 & 7, iss >> 10 & 15, iss >> 1 & 15, iss >> 17 & 7)
        number = iss >> 5 & 31
        return Question("read" if iss & 1 else "write", encoding(key), heading=heading,
                        suffix=f", Rt = {'xzr' if number == 31 else f'x{number}'}")
    if ec in (0x16, 0x17):
        call = {0x16: "hvc", 0x17: "smc"}[ec]
        given = inputs(more, "x0", *schema.ARGUMENTS)
        if isinstance(given, str):
            return f"{given}: after the syndrome of a call come x0=NUMBER and x1= to x3="
        heading.append(f"  {call.upper()} #{iss & 0xffff}" + ("" if given else "; which call is in x0: all of them"))
        target = f"{NO_FUNCTION:#x}" if iss & 0xffff else f"{given['x0'] & 0xffffffff:#x}" if "x0" in given else call
        return Question(call, target, inputs=given, heading=heading)
    if ec == 0x24 and iss >> 24 & 1:
        address = words.number(more[0]) if len(more) == 1 else None
        if more and address is None:
            return f"{' '.join(more)}: after the syndrome of a data abort comes the IPA"
        heading.append("  a data abort" + ("" if more else "; where is in HPFAR_EL2 and FAR_EL2: all addresses"))
        return Question("write" if iss >> 6 & 1 else "read", "mmio" if address is None else f"{address:#x}",
                        1 << (iss >> 22 & 3), heading=heading)
    if more:
        return f"{' '.join(more)}: nothing comes after this syndrome"
    if ec == 0x24:
        target = "DABT_WALK" if iss >> 7 & 1 else "DABT_NO_SYNDROME"
        if not iss & 0x180:
            heading.append("  a data abort that names no register: what EL2 decodes is decided access by access, the rest here")
        return Question("exception", target, heading=heading)
    return Question("exception", f"{ec:#x}", heading=heading)


def from_log(log: "re.Match[str]", text: str) -> "Question | str":
    verdict, rule, what = log.group(1), int(log.group(2)), log.group(3)
    question: Optional[Question] = None
    said = {name: int(number, 16) for name, number in LOG_INPUT.findall(what)}
    esr, given = said.get("esr"), {name: said[name] for name in ("x1", "x2", "x3", "held", "pc") if name in said}
    given.update({"from": 0} if LOG_EL0.search(what) else {})
    if (match := LOG_REGISTER.match(what)) is not None:
        question = Question("read" if match.group(1) == "msr.r" else "write", match.group(2))
        given["value"] = int(match.group(3) or "0", 16)
    elif (match := LOG_ADDRESS.match(what)) is not None:
        question = Question("read" if match.group(1) == "r" else "write", match.group(2), int(match.group(3)))
        given["value"] = int(match.group(4) or "0", 16)
    elif (match := LOG_MEMORY.match(what)) is not None:
        question = Question("write" if match.group(1) == "w" else "exec", match.group(2))
        given.pop("held", None)
    elif (match := LOG_CALL.match(what)) is not None:
        call, suffix = function_of(words.number(match.group(2)) or 0, esr or 0), ""
        if call == NO_FUNCTION:
            suffix = f": {match.group(1)} {match.group(2)} names no function" \
                     + (f", with #{esr & 0xffff:#x} in the instruction" if esr is not None else "")
        question = Question(match.group(1), f"{call:#x}", suffix=suffix)
        if match.group(1) == "hvc" and "pc" in given:
            given["pc"] = (given["pc"] - 4) & ALL_BITS          # ELR stands behind an HVC
    elif (match := LOG_EXCEPTION.match(what)) is not None:
        question = Question("exception", match.group(1))
    if question is None:
        return f"nothing known in this log line: {what[:60]}"
    question.inputs = given
    question.heading, question.logged = [text], (verdict, rule)
    return question


def resolve(policy: Policy, question: Question, diags: Diagnostics) -> List[Access]:
    """One access of each piece of the target with one decision."""
    board = load_board(policy.platform)
    address = words.number(question.target)
    # The target, also above RAM, where no claim reaches: a guest may go there, and `default` decides.
    if question.operation in ("read", "write") and address is not None and board.ram[1] < address < 1 << 64:
        return [asked(question, Access("mmio", address, question.operation, question.width))]
    reader = ClaimReader(board, Names(board, diags), policy.windows, diags, regions=regions_of(policy.entries))
    node = Scalar(Span("<access>", 1, 1, len(question.target) + 1), question.target, True)
    target = reader.target(question.operation, node)
    if target is None or diags.failed:
        return []
    directions = schema.SIDES[target.section] if question.operation == "access" else \
        (question.operation if target.section in schema.SIDES else "",)
    return [asked(question, Access(target.section, low, direction, question.width))
            for direction in directions for low, _ in evaluator(policy).cells(target.section, target.ranges)]


def asked(question: Question, access: Access) -> Access:
    given = question.inputs
    return replace(access, args=(given.get("x1", 0), given.get("x2", 0), given.get("x3", 0)), value=given.get("value", 0),
                   held=given.get("held", 0), el=given.get("from", 1), pc=given.get("pc", 0))


# --- the answer -------------------------------------------------------------------------------------------------

def explained(policy: Policy, accesses: List[Access], question: Question, cpu: str) -> List[str]:
    if len(accesses) == 1:
        return one(policy, accesses[0], question, cpu)
    lines: List[str] = []
    groups: Dict[Tuple[str, str], List[Access]] = {}
    for access in accesses:
        decision = evaluator(policy).decide(access)
        groups.setdefault((told(decision), because(decision.entry)), []).append(access)
    for (decision_text, reason), members in groups.items():
        shown = ", ".join(spoken(a.section, a.key, a.direction, policy.windows) for a in members[:3])
        lines += [f"  {shown}{f' and {len(members) - 3} more pieces' if len(members) > 3 else ''}",
                  f"    decision  {decision_text}", f"    because   {reason}"]
    return lines


def one(policy: Policy, access: Access, question: Question, cpu: str) -> List[str]:
    access = relevant(evaluator(policy), access)
    decision = evaluator(policy).decide(access)
    rows = [("access", access_text(policy, access) + question.suffix),
            ("decision", told(decision) + (f", logged {decision.log}" if decision.log != "never" else "")),
            ("because", because(decision.entry))]
    why = next((action.why for action in decision.entry.actions.values() if action.why), None)
    rows += [("why", why)] if why else []
    rows += [("where", text) for text in conditions(policy, access, decision)]
    if decision.limit is not None:
        rows.append(("limit", f"{decision.limit}/s, beyond it {decision.over}"))
    if access.section == "mmio" and decision.verdict == "DENY" and "deny" not in action_text(decision.entry):
        rows.append(("form", "refused for its width, or because it touches two ranges that are decided differently"))
    rows += [("not", text) for text in wider(policy, access, decision)]
    rows += [("enforced", text) for text in enforced(policy, access, decision, cpu)]
    if question.logged is not None:
        rows.append(("log says", compared(policy, decision, *question.logged)))
    return ["  " + f"{head:9} {text}" for head, text in rows]


def conditions(policy: Policy, access: Access, decision: Decision) -> List[str]:
    """How each condition of the entry comes out, as far as what they look at is asked about."""
    evaluating, out = evaluator(policy), []
    action = decision.entry.actions.get(access.direction)
    for branch in branches(action):
        for each in branch.where:
            holds = evaluating.meets(each, access)
            out.append(f"{condition(each)} {'holds' if holds else 'does not hold'}: {looked_at(each, access)}")
        if all(evaluating.meets(each, access) for each in branch.where):
            break
    return out


def looked_at(asked_of: Condition, access: Access) -> str:
    """The part of the access that the condition saw: `M is 0, and was 1`."""
    name = asked_of.name
    if name in schema.PARTS and name != "value":
        number = {"from": access.el, "pc": access.pc, **dict(zip(schema.ARGUMENTS, access.args))}[name]
        return f"{name} is {f'el{number}' if name == 'from' else f'{number:#x}'}"
    shift, width = (0, 64) if name == "value" else fields_of(load_arch().name(access.key))[name]
    new, old = (bits >> shift & ((1 << width) - 1) for bits in (access.value, access.held))
    return f"{name} is {new:#x}" + (f", and was {old:#x}" if asked_of.test != IN else "")


def wider(policy: Policy, access: Access, decision: Decision) -> List[str]:
    """Entries that also match and do not decide: they are wider, or features stand above them."""
    out = []
    for entry in evaluator(policy).matches(access.section, access.key):
        if entry.rule == decision.entry.rule or access.direction not in entry.actions:
            continue
        reason = "below features" if decision.entry.section == "features" else f"wider: {entry.size} accesses"
        out.append(f"{entry.place}  {entry.name} -> {action_text(entry)}  ({reason})")
    return out


def enforced(policy: Policy, access: Access, decision: Decision, cpu: str) -> List[str]:
    """The control that brings the access to EL2 on this CPU, or the reason why none does."""
    if access.section == "sysregs":
        return register_enforced(policy, access, decision, cpu)
    if access.section == "mmio":
        free = next((item for item in passthrough(layout_map(policy)) if item.base <= access.key <= item.last), None)
        if free is None or not (free.read if access.direction == "read" else free.write):
            return ["stage 2 does not map it" + (" for writing" if free and free.read else "") + ": each access faults"]
        return ["stage 2 maps the real device: runs without a trap"]
    if access.section == "memory":
        return ["stage 2 gives it: runs without a trap"] if given_by_stage2(access, decision) else \
            [f"stage 2 does not let the guest {'write' if access.direction == 'write' else 'execute'} there: each access faults"]
    if access.section in schema.CALLS:
        return ["HCR_EL2.TSC=1" if access.section == "smc" else "HVC always comes to EL2"]
    return class_enforced(policy, access.key, cpu)


def class_enforced(policy: Policy, number: int, cpu: str) -> List[str]:
    arch = load_arch()
    info = arch.class_info.get(number)
    if info is None or not info.controls:
        return ["always comes to EL2"] if info is not None and info.origin == "always" else \
            ["never comes to EL2 from a guest at EL1" if info is None or info.origin == "never" else
             f"decided one by one in {info.origin.split()[-1]}"]
    active = {bit.name for bit in traps.plan(policy, cpu).bits}
    there = [name for name in info.controls if arch.has_control(arch.controls[name], cpu)]
    on = [f"{name}={arch.controls[name].traps_when}" for name in there if name in active]
    if on or not there:
        return on or [f"never comes to EL2 on {cpu}, which lacks {' and '.join(info.controls)}"]
    off = ", ".join(f"{name}={1 - arch.controls[name].traps_when}" for name in there)
    return [f"never comes to EL2: {off}, since nothing here asks for it"]


def register_enforced(policy: Policy, access: Access, decision: Decision, cpu: str) -> List[str]:
    plan = traps.plan(policy, cpu)
    broken = [problem for problem in plan.problems if (access.key, access.direction) in problem.accesses]
    control = plan.traps.get((access.key, access.direction))
    if control is not None and not broken:          # the bit exists, but may have no effect: a gap of the machine
        state, info = load_arch().controls[control].traps_when, load_arch().reports.get(control)
        if load_arch().has_control(load_arch().controls[control], cpu):
            decided = evaluator(policy).decide(Access("exceptions", info.number)) if info else None
            return [f"{control}={state}" + (f": as class {info.name}, without the register: {told(decided)}"
                                            if info and decided else "")]
    if broken:
        return [f"NOT on {cpu}: {note}" for note in (broken[0].notes or (broken[0].message,))]
    register = load_arch().by_key.get(access.key)
    if register is None or not load_arch().exists(register, access.direction, cpu):
        return [f"by {cpu} itself: UNDEFINED there"]
    return ["runs without a trap"] if decision.do == "allow" else []


def compared(policy: Policy, decision: Decision, verdict: str, rule: int) -> str:
    entry = policy.entries[rule] if rule < len(policy.entries) else None
    if verdict == decision.verdict and rule == decision.entry.rule:
        return f"{verdict} by r{rule}: the same"
    where = f" ({entry.place} {entry.name} in this policy)" if entry else ""
    return f"{verdict} by r{rule}{where}; this policy says {decision.verdict} by r{decision.entry.rule}: " \
           "another policy, an older one, or another argument"


def as_json(policy: Policy, access: Access, cpu: str) -> Dict[str, object]:
    access = relevant(evaluator(policy), access)
    decision = evaluator(policy).decide(access)
    return {"access": access_text(policy, access), "decision": told(decision), "do": decision.do,
            "verdict": decision.verdict, "rule": decision.entry.rule, "place": str(decision.entry.place),
            "entry": decision.entry.name, "action": action_text(decision.entry), "log": decision.log,
            "where": conditions(policy, access, decision),
            "wider": wider(policy, access, decision), "enforced": enforced(policy, access, decision, cpu)}
