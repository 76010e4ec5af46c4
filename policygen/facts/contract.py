# SPDX-License-Identifier: Apache-2.0
"""The words that EL2 and policygen share: the enumerators of hv/policy/policy.h, in the order of their numbers.

The header is the source; agreed() compares policygen's tables with it. Words for numbers of the log are rows
X(ENUMERATOR, "word") there and in hv/cpu/log.h.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Collection, Tuple

from policygen.text import paths
from policygen.text.diag import BrokenFacts

# enum -> prefix of its enumerators
PREFIXES = {"action": "ACT_", "refusal": "REFUSE_", "log_when": "LOG_", "model": "MODEL_",
            "section": "SEC_", "word": "WORD_", "test": "TEST_", "tells": "TELLS_"}


ROW = re.compile(r'X\(\w+, "([^"]+)"')


@dataclass(frozen=True)
class Contract:
    """Shared words as policygen spells them: a policy's in lower case with `-`, the log's as they are."""
    actions: Tuple[str, ...]
    refusals: Tuple[str, ...]
    verdicts: Tuple[str, ...]
    logs: Tuple[str, ...]
    models: Tuple[str, ...]                 # the first, `none`, is no model
    sections: Tuple[str, ...]
    words: Tuple[str, ...]                  # of a record, for conditions
    tests: Tuple[str, ...]                  # of a condition against the register's value; the first compares the word itself
    tells: Tuple[str, ...]                  # argument registers in the record of a call
    mmio_size: int                          # the windows' share of the IPA space
    classes: int                            # number of exception classes, including those without an EC of their own


@lru_cache(maxsize=None)
def load_contract() -> Contract:
    """Raises BrokenFacts if the header has another form."""
    path = paths.header()
    try:
        return read_contract(path.read_text(encoding="utf-8"), paths.display(path))
    except OSError as error:
        raise BrokenFacts(f"{paths.display(path)}: {error.strerror}") from None


def read_contract(text: str, file: str) -> Contract:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)

    def enumerators(enum: str) -> Tuple[str, ...]:
        body = re.search(rf"\benum {enum} \{{([^}}]*)\}}", text)
        found = [name.strip() for name in body.group(1).split(",") if name.strip()] if body else []
        prefix = PREFIXES[enum]
        names = tuple(name[len(prefix):] for name in found if name.startswith(prefix) and name != f"{prefix}COUNT")
        if not names or len(names) < len([name for name in found if not name.endswith("_COUNT")]):
            raise BrokenFacts(f"{file}: enum {enum} is not a list of {prefix}... without numbers of their own")
        return names

    def spelled(enum: str) -> Tuple[str, ...]:
        return tuple(name.lower().replace("_", "-") for name in enumerators(enum))

    def number(name: str) -> int:
        found = re.search(rf"^#define {name} (0x[0-9a-f]+)UL\b", text, re.M)
        if found is None:
            raise BrokenFacts(f"{file}: no `#define {name} 0x...UL`")
        return int(found.group(1), 16)

    last = re.search(r"\b(\d+),\s*EXC_COUNT\b", text)
    if last is None:
        raise BrokenFacts(f"{file}: enum exception_class does not end in a number and EXC_COUNT")
    return Contract(spelled("action"), enumerators("refusal"), rows(text, "VERDICT_WORDS", file), spelled("log_when"),
                    spelled("model"), spelled("section"), spelled("word"), spelled("test"), enumerators("tells"),
                    number("MMIO_SIZE"), int(last.group(1)) + 1)


def agreed(where: str, here: Collection[str], enum: str, there: Collection[str], besides: Collection[str] = ()) -> None:
    """Raises BrokenFacts unless a table has each enumerator, and only the words in `besides` more."""
    header = paths.display(paths.header())
    for word in there:
        if word not in here:
            raise BrokenFacts(f"{where} lacks {word}, which enum {enum} of {header} has")
    for word in here:
        if word not in there and word not in besides:
            raise BrokenFacts(f"{where} has {word}, which enum {enum} of {header} lacks")


def rows(text: str, macro: str, file: str) -> Tuple[str, ...]:
    """The words of `#define MACRO(X) X(NAME, "word") ...`; raises BrokenFacts if there are none."""
    match = re.search(rf"^#define {macro}\(X\)((?:.*\\\n)*.*\n)", text, re.M)
    found = tuple(ROW.findall(match.group(1))) if match else ()
    if not found:
        raise BrokenFacts(f"{file}: no rows X(NAME, \"word\") of {macro}")
    return found


def log_words(macro: str) -> Tuple[str, ...]:
    """Words of hv/cpu/log.h: LOG_MODES, the values of LOG=; LOG_EVENTS, which records of kind E begin with."""
    path = paths.header("cpu/log.h")
    return rows(path.read_text(encoding="utf-8"), macro, paths.display(path))
