# SPDX-License-Identifier: Apache-2.0
"""`policygen new NAME`: a policy to start from, which passes `--check` as it is."""
from __future__ import annotations

import argparse
import os
import sys

from policygen.commands import cli
from policygen.evidence.instructions import named
from policygen.evidence.start import policy_for
from policygen.language import check, store
from policygen.meaning.image import contents
from policygen.text.diag import quoted
from policygen.text.escape import Yaml, fill, yaml, yaml_name
from policygen.text.paths import display

HELP = "a policy to start from: policy/NAME.yaml"

START = """\
# SPDX-License-Identifier: Apache-2.0
# yaml-language-server: $schema=../build/policy.schema.json
policy: 1
name: {}
about: what this policy is for, in one sentence
platform: qemu-virt
mode: enforce                               # audit: perform and log what would be denied

features:                                   # hide = the guest can neither discover it nor use it
  pmu: hide
  sve: hide
  sme: hide
  mte: hide
  pauth: hide
  ras: hide
  lor: hide
  spe: hide

sysregs:                                    # the narrower entry wins; `policygen list WORD` finds names
  default: deny
  core: allow
  mmu: allow
  fp: allow
  id: allow
  cache: allow
  tlb: allow
  timer-virt: allow
  gic: allow

mmio:
  default: deny
  gicd: {{ emulate: vgic-dist }}
  gicr: {{ emulate: vgic-redist }}
  uart0: {{ emulate: pl011 }}

hvc:
  default: deny
  HV_CONSOLE_WRITE: allow
  PSCI_VERSION: allow
  PSCI_SYSTEM_OFF: allow

smc:
  default: deny

exceptions:
  default: {{ do: forward, log: once }}
  WFX: {{ do: allow, log: never }}

assert:                                     # holds for every access; children inherit it
  el2-not-there: {{ access: el2, never: allow }}
  no-raw-device: {{ access: mmio, never: allow }}

tests:                                      # `policygen test --strength` suggests what is missing
  - {{ read: PMCCNTR_EL0, expect: deny }}
"""
CHILD = """\
# SPDX-License-Identifier: Apache-2.0
# yaml-language-server: $schema=../build/policy.schema.json
policy: 1
name: {}
about: {}, but for what is said here
extends: {}

sysregs:                                    # a key written again replaces the parent's entry; `inherit` drops it
  S3_0_C15_C15_7: {{ do: deny, log: always, why: an example }}
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="lower-case letters, digits, `-` and `_`")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--extends", metavar="PARENT", help="start from another policy")
    start.add_argument("--for-elf", metavar="FILE", help="start from what the instructions of a kernel's ELF file name: "
                       "registers, calls, floating point")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    if not check.NAME.match(parsed.name):
        print(f"policygen: {quoted(parsed.name)} cannot name a policy: lower-case letters, digits, - and _",
              file=sys.stderr)
        return cli.USAGE
    path = store.find(parsed.name)
    if parsed.extends and not (store.PATH.match(parsed.extends) and store.find(parsed.extends).is_file()):
        print(f"policygen: no policy {quoted(parsed.extends)} to extend: there are {', '.join(store.policy_names())}",
              file=sys.stderr)
        return cli.USAGE
    if parsed.for_elf:
        try:
            found = named(contents(parsed.for_elf))
        except (OSError, ValueError) as problem:
            said = problem.strerror if isinstance(problem, OSError) else problem
            print(f"policygen: {parsed.for_elf}: {said}", file=sys.stderr)
            return cli.USAGE
        text = policy_for(parsed.name, os.path.basename(parsed.for_elf), found, options.cpu)
    elif parsed.extends:
        text = fill(Yaml, CHILD, yaml_name(parsed.name), *[yaml(parsed.extends)] * 2)
    else:
        text = fill(Yaml, START, yaml_name(parsed.name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "x", encoding="utf-8") as stream:       # never overwrites a file
            stream.write(text)
    except OSError as error:
        print(f"policygen: cannot write {display(path)}: {error.strerror}", file=sys.stderr)
        return cli.USAGE
    if not options.quiet:
        print(f"{display(path)} written; next: policygen --check {parsed.name}")
    return cli.OK
