# SPDX-License-Identifier: Apache-2.0
"""Whether what policygen says by words of its own is what hv/policy/policy.h has: asked before tables are written."""
from __future__ import annotations

from policygen.facts.arch import load_arch
from policygen.facts.board import load_board, names
from policygen.facts.contract import agreed, load_contract
from policygen.facts.names import EXCEPTIONS
from policygen.language import schema
from policygen.text import paths
from policygen.text.diag import BrokenFacts

SCHEMA = "policygen/language/schema.py"


def check_agreement() -> None:
    """BrokenFacts names the first place that was forgotten."""
    words = load_contract()
    agreed(f"ACTIONS of {SCHEMA}", schema.ACTIONS, "action", words.actions, ("raz-wi", "fields"))
    agreed(f"the verdicts of {SCHEMA}", {"WOULD": "", **{spec.verdict: "" for spec in schema.ACTIONS.values()}},
           "verdict_word", words.verdicts)
    agreed(f"LOG_WORDS of {SCHEMA}", schema.LOG_WORDS, "log_when", words.logs)
    agreed(f"SECTIONS of {SCHEMA}", schema.SECTIONS, "section", words.sections)
    agreed(f"AGAINST of {SCHEMA}", ("word", *schema.AGAINST.values()), "test", words.tests)
    refusals = {*schema.REFUSAL.values(), *(word for spelled in schema.AS_WORDS.values() for word in spelled.values())}
    agreed(f"REFUSAL and AS_WORDS of {SCHEMA}", sorted(refusals), "refusal", words.refusals)
    for name in names():
        board = load_board(name)
        known = {model: "" for model in (*board.models, *words.models)}
        agreed(f"`models` of {board.file}", known, "model", words.models)
    replays = {register.model: "" for register in load_arch().by_key.values() if register.model}
    agreed("column `replay` of policy/arch/sysregs.csv", {**replays, **{model: "" for model in words.models}}, "model",
           words.models)
    if words.classes != EXCEPTIONS[0][1] + 1:
        raise BrokenFacts(f"policygen/facts/names.py has {EXCEPTIONS[0][1] + 1} exception classes, and "
                          f"{paths.display(paths.header())} has {words.classes}")
