# SPDX-License-Identifier: Apache-2.0
"""Compares the words and numbers of policygen with hv/policy/policy.h, before tables are written."""
from __future__ import annotations

from policygen.facts.arch import load_arch
from policygen.facts.board import MMIO_SIZE, load_board, names
from policygen.facts.contract import agreed, load_contract
from policygen.facts.names import EXCEPTIONS
from policygen.language import schema
from policygen.text import paths
from policygen.text.diag import BrokenFacts, quoted

SCHEMA = "policygen/language/schema.py"


def check_agreement() -> None:
    """Raises BrokenFacts, which names the first forgotten place."""
    words = load_contract()
    agreed(f"ACTIONS of {SCHEMA}", schema.ACTIONS, "action", words.actions, ("raz-wi", "fields"))
    agreed(f"the verdicts of {SCHEMA}", {"WOULD": "", **{spec.verdict: "" for spec in schema.ACTIONS.values()}},
           "verdict_word", words.verdicts)
    agreed(f"LOG_WORDS of {SCHEMA}", schema.LOG_WORDS, "log_when", words.logs)
    agreed(f"SECTIONS of {SCHEMA}", schema.SECTIONS, "section", words.sections)
    agreed(f"AGAINST of {SCHEMA}", ("word", *schema.AGAINST.values()), "test", words.tests)
    refusals = {*schema.REFUSAL.values(), *(word for spelled in schema.AS_WORDS.values() for word in spelled.values())}
    agreed(f"REFUSAL and AS_WORDS of {SCHEMA}", sorted(refusals), "refusal", words.refusals)
    boards = (paths.PACKAGE.parent / "hv" / "board").glob("*")          # none of an installed policygen
    drivers = [folder.name for folder in boards if folder.is_dir()]
    for name in names():
        board = load_board(name)
        known = {model: "" for model in (*board.models, *words.models)}
        if drivers and board.drivers not in drivers:
            raise BrokenFacts(f"`drivers` of {board.file} is {quoted(board.drivers)}, and hv/board has no such folder")
        agreed(f"`models` of {board.file}", known, "model", words.models)
    replays = {register.model: "" for register in load_arch().by_key.values() if register.model}
    agreed("column `replay` of policy/arch/sysregs.csv", {**replays, **{model: "" for model in words.models}}, "model",
           words.models)
    if words.mmio_size != MMIO_SIZE:
        raise BrokenFacts(f"MMIO_SIZE of policygen/facts/board.py is {MMIO_SIZE:#x}, and that of "
                          f"{paths.display(paths.header())} {words.mmio_size:#x}")
    if words.classes != EXCEPTIONS[0][1] + 1:
        raise BrokenFacts(f"policygen/facts/names.py has {EXCEPTIONS[0][1] + 1} exception classes, and "
                          f"{paths.display(paths.header())} has {words.classes}")
