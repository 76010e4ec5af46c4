# SPDX-License-Identifier: Apache-2.0
"""`policygen diff OLD NEW`: changes of meaning, each with an access that shows it and the lines that decide.

OLD and NEW are policies, or git revisions: then every profile of both is compared, each judged by its own facts.
"""
from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterator, List, Mapping, Optional, Tuple

from policygen.commands import cli
from policygen.meaning.say import access_text
from policygen.facts import virtio
from policygen.facts.arch import ALL_BITS, load_arch
from policygen.language import schema, store
from policygen.language.model import Policy
from policygen.language.overlap import span_of
from policygen.language.spelling import action_text
from policygen.meaning.compare import CHANGED, KINDS, LOOSER, NOBODY, REPORTING, TIGHTER, Change, compare, named
from policygen.meaning.digest import meaning_hash
from policygen.meaning.layout_map import Outcome
from policygen.text import paths, terminal
from policygen.text.diag import Diagnostics, quoted

if TYPE_CHECKING:
    from policygen.target.fact_changes import FactChange

HELP = "what changes in meaning between two policies, files, revisions or images"
GATES = {"looser": (LOOSER,), "tighter": (TIGHTER, CHANGED), "any": KINDS}     # which changes of decisions trip each
SHOWN = 8                                           # files of code that are named
CODES = {LOOSER: "PG610", TIGHTER: "PG611", CHANGED: "PG612", REPORTING: "PG613"}
COLOURS = {LOOSER: terminal.COLOURS["error"], TIGHTER: terminal.COLOURS["better"],
           CHANGED: terminal.COLOURS["warning"], REPORTING: terminal.COLOURS["note"]}


@dataclass(frozen=True)
class Difference:
    old: Policy
    new: Policy
    hashes: Tuple[int, int]
    changes: Tuple[Change, ...]
    features: Tuple[str, ...]               # `sve: hide -> expose`
    claims: Tuple[str, ...]                 # assertions dropped and added, waivers
    bits: Tuple[str, ...]                   # +MDCR_EL2.TPM=1
    facts: Tuple["FactChange", ...] = ()      # changes of machines, if the two sides have facts of their own

    @property
    def counts(self) -> Dict[str, int]:
        return {kind: sum(change.kind == kind for change in self.changes) for kind in KINDS}

    def trips(self, gate: Optional[str]) -> bool:
        """`looser`: the guest gets more, or a waiver or a fact lets it. `tighter`: a guest that works today may miss
        something, or read something else. `any`: any decision, assertion, waiver or fact changed."""
        waived = any(text.startswith("+ waived") for text in self.claims)
        return gate is not None and (
            any(self.counts[kind] for kind in GATES[gate]) or any(trips_fact(item, gate) for item in self.facts) or
            gate == "looser" and waived or gate == "any" and bool(self.claims))


def trips_fact(item: "FactChange", gate: Optional[str]) -> bool:
    """Whether a fact trips the gate. Any fact may take something from a guest."""
    return gate in ("tighter", "any") or gate == "looser" and item.opens


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="a profile, a file, REVISION:FILE, or a built image; or a REVISION: all "
                        "of its profiles, by the facts of then")
    parser.add_argument("new", metavar="NEW", nargs="?", help="the same; after a REVISION: another one, or left out: the "
                        "working tree")
    parser.add_argument("--all", action="store_true", help="OLD (and NEW) are revisions, whatever else has that name")
    parser.add_argument("--gate", choices=tuple(GATES),
                        help="exit 1 if something opens, if a guest may miss something, or if anything changes")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    if parsed.all or parsed.new is None or whole(parsed.old) and whole(parsed.new):
        return run_all(parsed, options)
    start = time.monotonic()
    (old, old_status), (new, new_status) = cli.load(parsed.old, options), cli.load(parsed.new, options)
    if old is None or new is None:
        return max(old_status, new_status)
    found = difference(old, new, options.cpu)
    tripped = found.trips(parsed.gate)
    if options.format == "json":
        cli.print_json(as_json(found, tripped))
    elif options.format != "text":
        cli.emit(diagnostics(found, parsed.gate), options)
    elif not options.quiet or tripped:
        print("\n".join(report(found, options, time.monotonic() - start)))
    return cli.FAILED if tripped else cli.OK


# --- all profiles of two revisions ------------------------------------------------------------------------------

@dataclass(frozen=True)
class Pair:
    """A profile in both revisions, or in one of them, and then without a comparison."""
    name: str
    found: Optional[Difference] = None
    only: str = ""                          # `is new`, `is gone`

    def trips(self, gate: Optional[str]) -> bool:
        """Whether the gate fails. A new profile has no old one to compare with: it gives a guest all that it gives."""
        return self.found.trips(gate) if self.found is not None else \
            gate == "any" or gate == {"is new": "looser", "is gone": "tighter"}.get(self.only)


def whole(name: str) -> bool:
    """Whether the word is a revision, not a policy."""
    return ":" not in name and not Path(name).exists() and not store.Store().is_file(store.find(name)) and \
        store.revision(name) is not None


def run_all(parsed: argparse.Namespace, options: cli.Options) -> int:
    start = time.monotonic()
    sides = [store.revision(name) for name in (parsed.old, parsed.new) if name is not None]
    for name, side in zip((parsed.old, parsed.new), sides):
        if side is None:
            need = "required: NEW, unless OLD is a revision" if parsed.new is None else "revisions are compared with revisions"
            print(f"policygen diff: {need}; {quoted(name)} is none", file=sys.stderr)
            return cli.USAGE
    commits = [side for side in sides if side is not None]
    stems = [place.stems(place.policy_dir()) for place in (*commits, store.Store())[:2]]
    pairs: List[Pair] = []
    status = cli.OK
    for name in sorted({*stems[0], *stems[1]}):
        if name not in stems[0] or name not in stems[1]:
            pairs.append(Pair(name, only="is gone" if name in stems[0] else "is new"))
            continue
        sources = [name if revision is None else f"{revision}:{name}" for revision in (parsed.old, parsed.new)]
        (old, old_status), (new, new_status) = (cli.load(source, options) for source in sources)
        if old is None or new is None:
            status = max(status, old_status, new_status)
        else:
            pairs.append(Pair(name, difference(old, new, options.cpu)))
    tripped = any(pair.trips(parsed.gate) for pair in pairs)
    code = store.changed_code(*commits)
    if options.format == "json":
        cli.print_json({"old": parsed.old, "new": parsed.new, "gate": tripped, "code": code,
                        "policies": [pair_json(pair, pair.trips(parsed.gate)) for pair in pairs]})
    elif options.format != "text":
        cli.emit(diagnostics_of(pairs, parsed.gate, code), options)
    elif not options.quiet or tripped:
        print("\n".join(line for pair in pairs for line in lines_of(pair, options)))
        if code:
            print(not_judged(code))
        print(f"{len(pairs)} profiles, {sum(pair.trips(parsed.gate) for pair in pairs)} at the gate; "
              f"{time.monotonic() - start:.1f} s")
    return max(status, cli.FAILED if tripped else cli.OK)


def not_judged(code: List[str]) -> str:
    more = f" and {len(code) - SHOWN} more" if len(code) > SHOWN else ""
    return f"code    {', '.join(code[:SHOWN])}{more}: what EL2 and policygen do by it is not judged here; read it"


def pair_json(pair: Pair, tripped: bool) -> Dict[str, object]:
    told: Dict[str, object] = {"only": pair.only, "gate": tripped} if pair.found is None else as_json(pair.found, tripped)
    return {"name": pair.name, **told}


def lines_of(pair: Pair, options: cli.Options) -> Iterator[str]:
    yield f"== {pair.name}" + (f" {pair.only}" if pair.only else "")
    if pair.found is not None:
        yield from report(pair.found, options)


def diagnostics_of(pairs: List[Pair], gate: Optional[str], code: List[str]) -> Diagnostics:
    out = Diagnostics()
    if code:
        out.note("PG615", None, not_judged(code))
    for pair in pairs:
        if pair.found is not None:
            out.items += diagnostics(pair.found, gate).items
        else:
            out.error("PG614", None, f"policy {pair.name} {pair.only}", severity="error" if pair.trips(gate) else "note")
    return out


# --- two policies -----------------------------------------------------------------------------------------------

def difference(old: Policy, new: Policy, cpu: str) -> Difference:
    from policygen.target.fact_changes import fact_changes     # reads large tables, like the planner
    changes = tuple(compare(old, new))
    features = tuple(f"{name}: {old.features.get(name, 'not said')} -> {new.features.get(name, 'not said')}"
                     for name in sorted({*old.features, *new.features})
                     if old.features.get(name) != new.features.get(name))
    bits: Tuple[str, ...] = ()
    facts = tuple(fact_changes(old, new))
    if changes or features or facts:
        bits = tuple(trap_bits(old, new, cpu))
    hashes = meaning_hash(old), meaning_hash(new)
    return Difference(old, new, hashes, changes, features, tuple(claims(old, new)), bits, facts)


def claims(old: Policy, new: Policy) -> List[str]:
    before, after = ({claim.name: claim for claim in policy.asserts} for policy in (old, new))
    out = [f"- assertion {name} is gone" for name in before if name not in after]
    out += [f"+ assertion {name}" for name in after if name not in before]
    for name, claim in after.items():
        was = before[name].waived if name in before else None
        if claim.waived != was:
            out.append(f"+ waived {name}: {claim.waived}" if claim.waived else f"- {name} is waived no longer")
    return out


def trap_bits(old: Policy, new: Policy, cpu: str) -> List[str]:
    """Control bits that only one of the two sets, with a remark for those that the CPU lacks."""
    from policygen.target import traps
    before, after = ({bit.name for bit in traps.plan(policy, cpu).bits} for policy in (old, new))
    out = []
    for name in sorted(before ^ after):
        with paths.facts_from((new if name in after else old).facts):
            arch = load_arch()
        control = arch.controls[name]
        there = "" if arch.has_control(control, cpu) else f" (not on {cpu})"
        out.append(f"{'+' if name in after else '-'}{name}={control.traps_when}{there}")
    return out


# --- for people -------------------------------------------------------------------------------------------------

def described(outcome: Outcome) -> str:
    """An outcome in the words of the language, with its limit."""
    parts = {"value": f"value {outcome.value:#x}", "mask": f"mask {outcome.mask:#x}",
             "emulate": ", ".join((f"emulate {outcome.model}", *virtio.parts(outcome.model, outcome.mask))),
             "deny": f"deny {outcome.refuse}"}
    text = "raz-wi" if outcome.verdict == "RAZWI" else parts.get(outcome.do, outcome.do)
    if outcome.do == "mask" and outcome.value:
        text += f" with {outcome.value:#x}"
    if outcome.limit is not None and outcome.over is not None:
        text += f", {outcome.limit}/s then {outcome.over.do}"
    return f"{text}, audited" if outcome.verdict == "WOULD" else text


def what(change: Change, found: Difference) -> str:
    verb = change.section if change.section in schema.CALLS else change.direction or "exception"
    some = ", for some arguments" if change.section in schema.CALLS else ", for some accesses"
    return f"{verb} {named(change, found.old, found.new)}" + (some if change.some else "")


def sides(change: Change) -> Tuple[str, str]:
    old, new = fields(change) or (described(change.old), described(change.new))
    if change.kind == REPORTING and change.old.log != change.new.log or old == new:
        old, new = f"{old}, log {change.old.log}", f"{new}, log {change.new.log}"
    return old, new


def fields(change: Change) -> Optional[Tuple[str, str]]:
    """Two masks of one register, as the names of the fields in which they differ, if they differ in whole fields."""
    both = change.old, change.new
    if change.section != "sysregs" or change.size != 1 or change.direction != "read" or \
            any(outcome.do not in ("allow", "mask") or outcome.limit for outcome in both):
        return None
    arch = load_arch()
    masks = [ALL_BITS if outcome.do == "allow" else outcome.mask for outcome in both]
    values = [outcome.value if outcome.do == "mask" else 0 for outcome in both]
    differ, texts = masks[0] ^ masks[1] | values[0] ^ values[1], ([], [])       # type: int, Tuple[List[str], List[str]]
    for (register, field), (shift, width) in arch.fields.items():
        bits = ((1 << width) - 1) << shift
        if register == arch.name(change.sample.key) and differ & bits:
            if any(mask & bits not in (0, bits) for mask in masks):
                return None
            differ &= ~bits
            for text, mask, value in zip(texts, masks, values):
                text.append(f"{field} {'real' if mask & bits else f'{(value & bits) >> shift:#x}'}")
    return None if differ or not texts[0] else (", ".join(texts[0]), ", ".join(texts[1]))


def line_of(policy: Policy, outcome: Outcome) -> str:
    if outcome.rule == NOBODY:
        return "no entry speaks of guest RAM"
    entry = policy.entries[outcome.rule]
    return f"{entry.place}  {entry.name}: {action_text(entry)}"


def report(found: Difference, options: cli.Options, seconds: Optional[float] = None) -> List[str]:
    coloured = options.coloured(sys.stdout)
    lines: List[str] = []
    for kind in KINDS:
        members = [change for change in found.changes if change.kind == kind]
        if not members:
            continue
        lines.append(f"{COLOURS[kind]}{kind}{terminal.PLAIN}" if coloured else kind)
        for change in members:
            old, new = sides(change)
            lines += [f"  {what(change, found):38} {old} -> {new}",
                      f"    {access_text(found.new, change.sample)}",
                      f"      was  {line_of(found.old, change.old)}", f"      now  {line_of(found.new, change.new)}"]
    lines += [f"features  {text}" for text in found.features] + [f"claims  {text}" for text in found.claims]
    lines += [f"facts{'  OPENS' if item.opens else ''}  {item.text}" for item in found.facts]
    lines += ["traps  " + "  ".join(found.bits)] if found.bits else []
    old_hash, new_hash = found.hashes
    lines.append(f"meaning  {old_hash:#018x}" + (" on both sides: every access is decided alike" if old_hash == new_hash
                                                 else f" -> {new_hash:#018x}"))
    counts = "  ".join(f"{kind.lower()} {number}" for kind, number in found.counts.items())
    lines.append(counts if seconds is None else f"{counts}   (131072 register accesses, every address and width, all "
                 f"calls, 66 exception classes compared; {seconds:.1f} s)")
    return lines


# --- for machines -----------------------------------------------------------------------------------------------

def as_json(found: Difference, tripped: bool) -> Dict[str, object]:
    return {"old": found.old.file, "new": found.new.file, "meaning": [f"{h:#018x}" for h in found.hashes],
            "counts": {kind.lower(): number for kind, number in found.counts.items()}, "gate": tripped,
            "changes": [change_json(change, found) for change in found.changes], "features": list(found.features),
            "claims": list(found.claims), "traps": list(found.bits),
            "facts": [{"opens": item.opens, "text": item.text} for item in found.facts]}


def change_json(change: Change, found: Difference) -> Mapping[str, object]:
    old, new = sides(change)
    return {"kind": change.kind.lower(), "section": change.section, "direction": change.direction,
            "accesses": what(change, found), "count": change.size,
            "example": access_text(found.new, change.sample), "old": old, "new": new,
            "old_line": str(found.old.entries[change.old.rule].place),
            "new_line": str(found.new.entries[change.new.rule].place)}


def diagnostics(found: Difference, gate: Optional[str]) -> Diagnostics:
    """Changes as diagnostics of the new policy's lines: those that trip the gate are errors."""
    out = Diagnostics()
    for change in found.changes:
        old, new = sides(change)
        severity = "error" if change.kind in GATES.get(gate or "", ()) else "warning" if change.kind == LOOSER else "note"
        out.error(CODES[change.kind], span_of(found.new.entries[change.new.rule]),
                  f"{change.kind}: {what(change, found)}: {old} -> {new}",
                  notes=[f"for example {access_text(found.new, change.sample)}",
                         f"was decided by {line_of(found.old, change.old)}"], severity=severity)
    for text in found.claims:
        out.error("PG606", None, text, severity="error" if gate in ("looser", "any") and "+ waived" in text else "note")
    for item in found.facts:
        out.error("PG614", None, f"facts: {item.text}",
                  severity="error" if trips_fact(item, gate) else "warning" if item.opens else "note")
    return out
