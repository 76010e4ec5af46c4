# SPDX-License-Identifier: Apache-2.0
"""Compares what ID registers advertise with what the policy gives (PG4xx)."""
from __future__ import annotations

from typing import List, Optional

from policygen.facts.arch import Feature, IdField, load_arch
from policygen.language.model import Access, Decision, Policy, branches
from policygen.language.overlap import span_of
from policygen.language.spelling import written_in
from policygen.meaning.evaluate import evaluator
from policygen.meaning.regions import asked_of, cases
from policygen.text.diag import Diagnostics


def check_coherence(policy: Policy, diags: Diagnostics) -> None:
    for feature in load_arch().features.values():
        if policy.features.get(feature.name) == "hide":
            hidden_but_advertised(policy, feature, diags)
            hidden_but_handled(policy, feature, diags)
        elif feature.name in policy.features:
            exposed_on_hidden(policy, feature, diags)


def hidden_but_advertised(policy: Policy, feature: Feature, diags: Diagnostics) -> None:
    """Complains of a constant, or a `fields` entry, that shows a feature which features hide."""
    arch = load_arch()
    for field in feature.id_fields:
        key = arch.registers[field.register].key
        entry = evaluator(policy).entry("sysregs", key, "read")
        for action in branches(entry.actions["read"]) if entry.size == 1 else ():
            shown: Optional[int] = None
            if action.do == "value" and action.value is not None:
                shown = action.value >> field.shift & ((1 << field.width) - 1)
            elif action.do == "fields" and arch.by_key[key].name == field.register:
                shown = dict(action.fields).get(field.field)
            if shown is not None and shown != field.hidden:
                name = field.register if field.field == "*" else f"{field.register}.{field.field}"
                diags.error("PG401", span_of(entry), f"{name} = {shown:#x} advertises {feature.name}, which features hide",
                            f"hidden is {field.hidden:#x}", helps=[f"leave the field out, or expose {feature.name}"])
                break


def hidden_but_handled(policy: Policy, feature: Feature, diags: Diagnostics) -> None:
    arch = load_arch()
    for name in feature.classes:
        number = arch.classes[name]
        for entry in policy.entries:
            if entry.section == "exceptions" and entry.ranges == ((number, number),):
                diags.error("PG403", span_of(entry), f"{entry.name} decides nothing: features hide {feature.name}",
                            "no exception gets here", helps=["remove it"])


def exposed_on_hidden(policy: Policy, feature: Feature, diags: Diagnostics) -> None:
    """Complains if the trap that hides one feature takes instructions of another: EL1 would see a feature that it
    cannot use."""
    entry = next((entry for entry in policy.entries
                  if entry.name == feature.name and written_in(entry) == "features"), None)
    for name in feature.needs:
        if policy.features.get(name) == "hide" and entry is not None:
            diags.error("PG404", span_of(entry), f"{feature.name} is built on {name}, which features hide",
                        f"exposes {feature.name}", helps=[f"features: {{ {feature.name}: hide }}, or expose {name}"])


def passes(policy: Policy, field: IdField) -> bool:
    """Whether the guest reads the real field."""
    key = load_arch().registers[field.register].key
    bits = ((1 << field.width) - 1) << field.shift
    return any(decision.do == "allow" or decision.do == "mask" and decision.mask & bits == bits
               for decision in ways(policy, Access("sysregs", key, "read")))


def ways(policy: Policy, access: Access) -> List[Decision]:
    """How the access can be decided."""
    evaluating = evaluator(policy)
    return [evaluating.decide(inputs.access(access)) for inputs in cases(asked_of(evaluating, access))]


def check_denied(policy: Policy, cpu: str, diags: Diagnostics) -> None:
    """Features that this CPU model shows to the guest although all of their registers are denied."""
    there = load_arch().cpus[cpu].shows
    for feature in load_arch().features.values():
        if feature.name in there and policy.features.get(feature.name) != "hide":
            denied_but_advertised(policy, feature, cpu, diags)


def denied_but_advertised(policy: Policy, feature: Feature, cpu: str, diags: Diagnostics) -> None:
    arch, blame = load_arch(), []
    advertises = [field.register for field in feature.id_fields if passes(policy, field)]
    for register in (arch.by_key[key] for group in feature.groups for key in arch.groups[group] if key in arch.by_key):
        for direction in ("read", "write"):
            if not register.reaches(direction) or not register.controls(direction) + register.fgt(direction):
                continue                                # a denial without a trap has no effect
            found = ways(policy, Access("sysregs", register.key, direction))
            if any(decision.do != "deny" for decision in found):
                return
            blame.append(found[0].entry)
    if blame and advertises:
        entry = min(blame, key=lambda entry: entry.size)
        diags.error("PG402", span_of(entry), f"{advertises[0]} advertises {feature.name} on {cpu}, and the policy "
                    "denies all of its registers", f"denies {feature.name}",
                    helps=[f"features: {{ {feature.name}: hide }}"])
