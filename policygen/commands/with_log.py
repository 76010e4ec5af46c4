# SPDX-License-Identifier: Apache-2.0
"""Shared by the verbs that read a log: learn, replay, cover, cost."""
from __future__ import annotations

import argparse
import sys
from typing import Any, Dict, Tuple

from policygen.commands import cli
from policygen.evidence import log
from policygen.evidence.log import Log
from policygen.language.model import Policy
from policygen.meaning.load import load_policy


def arguments(parser: argparse.ArgumentParser, without: str = "") -> None:
    """`without`: what a verb does that can do without a log."""
    parser.add_argument("name", metavar="NAME", help="the policy")
    more: Dict[str, Any] = {"nargs": "?"} if without else {}
    parser.add_argument("log", metavar="LOG", **more,
                        help=f"a capture of the UART, plain or gzip; -: standard input{without and f'; {without}'}")
    parser.add_argument("--session", type=int, metavar="N", help="this session of the log, from 1 (default: the last)")


def load(parsed: argparse.Namespace, options: cli.Options) -> "Tuple[Policy, Log] | int":
    """The policy and the log that the command line names, or the exit status after a complaint."""
    policy, status = cli.load(parsed.name, options)
    if policy is None:
        return status
    try:
        found = log.read(parsed.log, policy, parsed.session)
    except log.Unreadable as error:
        print(f"policygen: {error}", file=sys.stderr)
        return cli.USAGE
    return as_it_ran(parsed.name, policy, found, options), found


def as_it_ran(name: str, policy: Policy, found: Log, options: cli.Options) -> Policy:
    """The log's mode, unless the command line has one."""
    if options.mode is None and not found.ran(policy):
        other, _ = load_policy(name, mode="audit" if policy.mode == "enforce" else "enforce")
        if other is not None and found.ran(other):
            return other
    return policy
