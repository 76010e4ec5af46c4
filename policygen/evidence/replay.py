# SPDX-License-Identifier: Apache-2.0
"""Recorded accesses that a policy would decide differently."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Tuple

from policygen.meaning.say import access_text
from policygen.evidence.log import Log, Seen, same
from policygen.language.model import Decision, Policy
from policygen.meaning.evaluate import evaluator


@dataclass
class Change:
    what: str
    verdict: str                # as logged
    rule: int
    decision: Decision
    seen: Seen


def replayed(policy: Policy, log: Log) -> Tuple[List[Change], int]:
    """The changes, most frequent first; and the number of decisions that stay."""
    evaluating, alike = evaluator(policy), 0
    changes: Dict[Tuple[str, str, str], Change] = {}
    for (access, verdict, rule), seen in log.seen.items():
        decision = evaluating.decide(access)
        if same(decision, verdict):
            alike += seen.count
            continue
        what = access_text(policy, access)
        changes.setdefault((what, verdict, decision.verdict), Change(what, verdict, rule, decision, seen))
    return sorted(changes.values(), key=lambda change: (-change.seen.count, change.seen.first)), alike
