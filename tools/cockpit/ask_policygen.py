# SPDX-License-Identifier: Apache-2.0
"""The edit of a policy's file for what a log was refused: learn's entry, put into the file, reviewed, and compared with the
policy as it is. Run as a process of its own: NAME LOG; the answer is JSON."""
from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List

HERE = Path(__file__).resolve().parent
sys.path[:0] = [path for path in (str(HERE.parents[1]), str(HERE.parent)) if path not in sys.path]

from cockpit.edit import with_entry  # noqa: E402
from policygen.commands.cli import Options  # noqa: E402
from policygen.commands.diff import difference, report  # noqa: E402
from policygen.commands.with_log import as_it_ran  # noqa: E402
from policygen.evidence import log as logs  # noqa: E402
from policygen.evidence.learn import settle, widened  # noqa: E402
from policygen.language import store  # noqa: E402
from policygen.language.store import Edited  # noqa: E402
from policygen.meaning.load import load_policy  # noqa: E402
from policygen.target.review import review  # noqa: E402
from policygen.text.paths import display  # noqa: E402

_MOST = 40              # lines of differences


def proposed(name: str, log: str, options: Options) -> Dict[str, Any]:
    policy, diags = load_policy(name)
    if policy is None:
        return {"why": [item.message for item in diags.items][:_MOST]}
    try:
        found = logs.read(log, policy, None)
    except logs.Unreadable as error:
        return {"why": [str(error)]}
    ran = as_it_ran(name, policy, found, options)
    base = store.find(name)
    learned = widened(replace(ran, mode="enforce"), found, {"WOULD", "DENY", "KILL"}, 1)
    settle(replace(ran, mode="enforce"), base, (policy.name + "-learned")[:31], learned, options.cpu)
    if not learned.proposals:
        return {"why": [f"{what}: {why}" for what, why in learned.kept] or [
            "it was refused for its rate alone (`limit:`), or the policy's files of today allow it"]}
    before = after = base.read_text(encoding="utf-8")
    for proposal in learned.proposals:
        after = with_entry(after, proposal.section, proposal.name, [str(line) for line in proposal.lines])
    place = Edited(base, after)
    errors = [item.message for item in review(str(base), None, options.cpu, place).diags.items if item.severity == "error"]
    edited, _ = load_policy(str(base), place=place)
    if errors or edited is None:
        return {"why": ["as an edit of the file it has complaints:", *errors[:_MOST]]}
    changed: List[str] = report(difference(policy, edited, options.cpu), options)
    notes = [] if found.ran(ran) else [f"note: {display(base)} is another policy today than the one that ran"]
    return {"path": str(base.resolve()), "shown": display(base), "before": before, "after": after,
            "differs": changed[:_MOST], "why": notes}


def main(argv: List[str]) -> int:
    parser = argparse.ArgumentParser(prog="ask_policygen.py")
    parser.add_argument("name")
    parser.add_argument("log")
    args = parser.parse_args(argv)
    print(json.dumps(proposed(args.name, args.log, Options())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
