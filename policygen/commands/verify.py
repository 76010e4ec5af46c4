# SPDX-License-Identifier: Apache-2.0
"""`policygen verify NAME`: compares the compiled tables, or a machine's log, with the reference evaluator."""
from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

from policygen.commands import cli
from policygen.commands.probe import qemu_version, told
from policygen.language import store
from policygen.meaning import image
from policygen.target import sweep, verify_run
from policygen.target.bound import complain
from policygen.target.verify import Unbuilt, shown, verify
from policygen.text.diag import Diagnostics
from policygen.text.paths import display

HELP = "generated C against the reference evaluator, for every access"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="policies; none: all of policy/*.yaml")
    parser.add_argument("--gen", metavar="DIR", type=Path, help="examine these tables instead of fresh ones")
    parser.add_argument("--run", metavar="LOG", type=Path, help="what the sweep guest saw on the target (one NAME)")
    parser.add_argument("--plan", metavar="FILE", type=Path, help="write what the sweep guest does (one NAME)")
    parser.add_argument("--image", metavar="FILE", type=Path, help="what this ELF or raw image decides (one NAME)")
    parser.add_argument("--map", metavar="FILE", type=Path, help="with --image: the linker's map (default: beside it)")
    parser.add_argument("--qemu", metavar="PROGRAM", help="with --run: what ran the guest; gaps of its version are known")
    parser.add_argument("--brief", action="store_true", help="with --plan: a sample of the pages")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    if parsed.image:
        return in_image(parsed, options)
    if parsed.plan or parsed.run:
        return on_target(parsed, options)
    worst, verified = cli.OK, []        # type: int, List[Dict[str, object]]
    for name in parsed.names or store.policy_names():
        policy, status = cli.load(name, options)
        worst = max(worst, status)
        if policy is None:
            continue
        try:
            result = verify(policy, options.cpu, parsed.gen)
        except Unbuilt as problem:
            print(f"policygen: {problem}", file=sys.stderr)
            return cli.USAGE
        except (subprocess.SubprocessError, ValueError) as problem:     # the file holds no tables
            print(f"policygen: {policy.name}: the tables cannot be asked: {problem}", file=sys.stderr)
            worst = cli.FAILED
            continue
        total = sum(result.counts.values())
        verdict = f"{len(result.differences)} differ" if result.differences else "agrees with the reference evaluator"
        if options.format == "json":
            verified.append({"policy": policy.name, "counts": result.counts, "seconds": round(result.seconds, 1),
                             "differences": [shown(difference, policy) for difference in result.differences]})
        elif result.differences or not options.quiet:
            print(f"{policy.name:12} generated C   {total} accesses, {verdict:40} {result.seconds:.1f} s")
        for difference in result.differences[:20] if options.format == "text" else ():
            print(f"  {shown(difference, policy)}", file=sys.stderr)
        worst = max(worst, cli.FAILED if result.differences else cli.OK)
    if options.format == "json":
        cli.print_json({"policies": verified})
    return worst


def in_image(parsed: argparse.Namespace, options: cli.Options) -> int:
    if len(parsed.names) != 1:
        print("policygen: --image is about one policy", file=sys.stderr)
        return cli.USAGE
    policy, status = cli.load(parsed.names[0], options)
    if policy is None:
        return status
    diags = Diagnostics()
    complain(str(parsed.image), policy, options.cpu, diags, parsed.map)
    cli.emit(diags, options)
    if options.format == "text" and not options.quiet and not diags.items:
        print(f"{policy.name:12} {display(parsed.image)}: its tables, trap controls, name and hash are the policy's")
    return cli.status(diags)


def on_target(parsed: argparse.Namespace, options: cli.Options) -> int:
    if len(parsed.names) != 1:
        print("policygen: --run and --plan are about one policy", file=sys.stderr)
        return cli.USAGE
    policy, status = cli.load(parsed.names[0], options)
    if policy is None:
        return status
    try:
        if parsed.plan:
            Path(parsed.plan).write_text(sweep.header(policy, sweep.BRIEF if parsed.brief else sweep.WHOLE), encoding="utf-8")
            return cli.OK
        text = image.contents(str(parsed.run)).decode("latin-1")
    except (OSError, ValueError) as error:
        print(f"policygen: {display(parsed.plan or parsed.run)}: {image.why(error)}", file=sys.stderr)
        return cli.USAGE
    try:
        version = qemu_version(parsed.qemu) if parsed.qemu else ""
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        print(f"policygen: {parsed.qemu}: {told(problem)}", file=sys.stderr)
        return cli.USAGE
    verdict = verify_run.Judge(policy, options.cpu, version).judge(text)
    good = not verdict.broken and not verdict.differences
    if options.format == "json":
        cli.print_json({"policy": policy.name, "cpu": options.cpu, "counts": dict(verdict.counts),
                        "accesses": dict(verdict.by_section), "covered": dict(verdict.covered),
                        "broken": verdict.broken,
                        "differences": [verify_run.shown(item, policy) for item in verdict.differences]})
    elif not good or not options.quiet:
        print(verify_run.report(verdict, policy, options.cpu))
    return cli.OK if good else cli.USAGE if verdict.broken else cli.FAILED
