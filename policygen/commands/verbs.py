# SPDX-License-Identifier: Apache-2.0
"""The verbs: each is a file of this folder with HELP, arguments(parser) and run(parsed, options)."""
from __future__ import annotations

import importlib
from types import ModuleType

VERBS = ("explain", "traps", "test", "diff", "fmt", "fix", "doc", "new", "completion", "expand",
         "list", "schema", "verify", "probe", "code", "learn", "replay", "cover", "cost")
WITHOUT_VERB = "build"                  # policygen NAME -o DIR
REVIEW = "check"                        # policygen --check


def module(name: str) -> ModuleType:
    """The file of a verb, imported when it is used."""
    return importlib.import_module(f"policygen.commands.{name}")
