# SPDX-License-Identifier: Apache-2.0
"""The generated tables with hv/policy/policy.c, under sanitizers, against the reference; and damage to them is noticed."""
from __future__ import annotations

import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

import pytest

from policygen.language import store
from policygen.language.model import Policy
from policygen.meaning.load import load_policy
from policygen.meaning.layout_map import layout_map
from policygen.target import render, verify
from policygen.target.tables import call_hash, lay_out, perfect_hash
from policygen.target.traps import plan

ROOT = Path(__file__).resolve().parents[2]

# Forms that no shipped policy has: windows with registers, odd ranges, limits on everything, nested entries.
CROWDED = """\
policy: 1
name: crowded
about: every shape of entry
platform: qemu-virt
features: { pmu: hide, sve: hide, sme: hide, mte: hide, pauth: hide, ras: hide, lor: hide, spe: hide }
sysregs:
  default: { do: deny, log: always, limit: 7/s, over: kill }
  core: allow
  mmu: { do: allow, log: once }
  id: allow
  cache: allow
  tlb: allow
  timer-virt: allow
  gic: { do: allow, limit: 1000/s, over: deny }
  fp: allow
  debug: allow
  CTR_EL0: { read: { mask: 0xffffff0f } }
  TTBR0_EL1: { write: { mask: 0xffffffffffff } }
  ACTLR_EL1: pause
  CONTEXTIDR_EL1: { read: { value: 0x12345678 }, write: ignore }
  TCR_EL1: { write: { do: allow, where: { T0SZ: 16..25, TG0: [0, 2], A1: same }, else: kill } }
  MAIR_EL1: { write: { do: allow, where: { value: sticky }, else: { do: ignore, where: { pc: 0x40000000..0x40ffffff } } } }
  ID_AFR0_EL1: deny
  ID_AA64AFR0_EL1: { read: { value: 5 } }
  ID_AA64MMFR0_EL1: { read: { fields: { PARange: 2, ASIDBits: 0 } } }
  imp-def: raz-wi
  S3_0_C15_C2_*: { do: deny, log: never }
  S3_0_C15_C2_4: kill
  S3_0_C15_C3_0: pause
mmio:
  default: { read: { value: 7 }, write: { do: deny, as: serror, log: always } }
  gicd: { emulate: vgic-dist, width: [4, 8] }
  rtc: { read: allow, write: { do: allow, width: [4] } }
  gpio:
    default: deny
    regs:
      0x0: allow
      0x4-0xc: { read: allow, write: ignore }
      0x10: { read: { mask: 0xf }, write: { mask: 0x3 } }
      0x21: { do: raz-wi, width: [1] }
      0x410: { read: { mask: 0xf }, write: { mask: 0x3 } }
      0x810: { read: { mask: 0xf }, write: { mask: 0x3 } }
      0x3fc: { do: deny, as: serror, limit: 3/s, over: pause }
      0x500: { read: { value: 3 } }
      0x504: { read: { value: 4 } }
      0x510: { write: ignore }
      0x514: { write: { mask: 3 } }
  small: { at: 0x0b000ffc, size: 8, do: raz-wi, log: once }
  shut: { at: 0x0b000000, size: 0x100, do: pause }
  large: { at: 0x0b001004, size: 0x3ffc, do: raz-wi, log: always, width: [1] }
hvc:
  default: { do: deny, limit: 5/s, over: kill }
  HV_GET_ID: { do: allow, log: once }
  HV_PAUSE: pause
  HV_DUMP_LOG: allow
  HV_GET_STATUS: allow
  0x86000000..0x8600ffff: { value: 3, log: once }
  0x86000001: { do: deny, as: DENIED }
  0x86000002: { do: deny, as: undef }
  PSCI_CPU_ON: { do: allow, where: { x1: 1..3, x2: 0x40000000..0x6fffffff }, else: { value: 9 } }
  psci: allow
smc:
  default: deny
  PSCI_VERSION: allow
exceptions:
  default: { do: forward, log: once }
  WFX: allow
  SERROR: kill
  DABT_NO_SYNDROME: { do: allow, log: always }
  DABT_WALK: allow
  IABT: pause
  BRK64: { do: forward, log: once, limit: 2/s, over: pause }
assert:
  keep: { read: debug, never: value }
"""
# Conditions on all that an access has, chains of them, and what they lead to: each action, a limit, a record or none.
CONDITIONAL = """\
policy: 1
name: conditional
about: what is written, over what, with what, from where
platform: qemu-virt
features: { pmu: hide, sve: hide }
sysregs:
  default: deny
  mmu: allow
  core: allow
  id: { do: allow, where: { from: el1 }, else: deny }
  CTR_EL0: { do: allow, where: { from: el1 }, else: { value: 0x8444c004 } }
  debug: { do: allow, where: { pc: 0x40000000..0x7fffffff }, else: { do: raz-wi, log: always } }
  SCTLR_EL1: { write: { do: allow, where: { M: sticky, WXN: sticky, EE: 0 }, else: deny, log: always } }
  TCR_EL1: { write: { do: allow, where: { T0SZ: 16..25, TG0: [0, 2] }, else: { do: kill, log: never } } }
  TTBR0_EL1: { write: { do: allow, where: { ASID: same }, limit: 1000/s, else: { do: ignore, where: { CnP: 1 }, else: pause } } }
  MAIR_EL1: { write: { mask: 0xff00ff, where: { value: same }, else: { mask: 0xff, log: always } } }
  CONTEXTIDR_EL1: { do: raz-wi, where: { pc: [0x40000000, 0x40000010..0x4000ffff] }, log: always, else: allow }
  AFSR0_EL1: { write: { do: ignore, where: { value: [0..7, 0x100000000..0x1ffffffff] }, else: { do: deny, log: once } } }
  ID_AA64PFR0_EL1: { read: { fields: { FP: 0 }, where: { pc: 0..0xffff }, else: { mask: 0xf0f } }, log: always }
mmio:
  default: { do: deny, where: { from: el0 }, log: always, else: { do: raz-wi, log: always } }
  uart0: { emulate: pl011, where: { from: el1 }, else: { do: deny, as: serror } }
  gpio:
    default: { read: allow, write: deny }
    regs:
      0x3fc: { write: { do: allow, where: { value: [0..0xf, 0x80] }, else: { mask: 0xf, log: always } } }
      0x400-0x408: { do: allow, where: { pc: 0x40000000..0x4000ffff }, else: pause, width: [4, 8] }
memory:
  default: { may: rwx }
  text: { at: 0x48000000, size: 64K, may: rx, write: { do: allow, where: { pc: 0x40000000..0x4000ffff }, log: always } }
  ro: { at: 0x48010000, size: 4K, may: r, log: always }
  dead: { at: 0x48011000, size: 4K, may: r, do: kill }
  data: { at: 0x48200000, size: 4M, may: rw, why: no code here }
  seen: { at: 0x483ff000, size: 8K, write: { do: allow, log: always } }
hvc:
  default: deny
  HV_GET_ID: { do: allow, where: { x1: [0, 2..3] }, log: always, else: { value: 9 } }
  HV_REPORT_EXCEPTION: allow
  0x86000001: { value: 0, where: { x1: [1, 2, 4], x3: 0 }, log: always,
                else: { do: deny, where: { x3: 1..3 }, else: { value: 3 } } }
  0xc6000001: { value: 0, where: { x2: [1, 2, 0x100000000], x3: 0 }, log: always, else: { do: deny, as: undef } }
  PSCI_CPU_ON: { do: allow, where: { x1: 1..3, x2: ram }, limit: 1000/s, log: always, else: deny, as: INVALID_PARAMETERS }
smc:
  default: { do: deny, where: { pc: 0x40000000..0x7fffffff }, log: always, else: { value: 5, log: always } }
exceptions:
  default: { do: forward, where: { from: el1 }, log: once, else: { do: deny, log: always } }
  WFX: { do: allow, where: { pc: 0x40000000..0x7fffffff }, else: deny }
  BRK64: { do: pause, where: { from: el1, pc: 0..0xffffffff }, else: kill }
  DABT_WALK: deny
"""


def load(name: str, mode: str) -> Policy:
    policy, diags = load_policy(name, mode=mode)
    assert policy is not None, diags.render()
    return policy


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "crowded.yaml"
    path.write_text(CROWDED)
    (path.parent / "conditional.yaml").write_text(CONDITIONAL)
    return path


@pytest.mark.parametrize("mode", ["enforce", "audit"])
@pytest.mark.parametrize("name", store.policy_names() + ["crowded", "conditional"])
def test_tables_agree_with_the_reference(name: str, mode: str, crowded: Path) -> None:
    policy = load(str(crowded.with_stem(name)) if name in ("crowded", "conditional") else name, mode)
    result = verify.verify(policy, sanitize=True)
    assert result.counts["sysregs"] >= 131072 and result.counts["exceptions"] >= 66
    assert not result.differences, [verify.shown(item, policy) for item in result.differences[:10]]


@pytest.mark.parametrize("name", store.policy_names() + ["crowded"])
def test_each_stub_has_its_own_number(name: str, crowded: Path) -> None:
    """Rows are one where the numbers are: a read of one register and a write of another would share a row."""
    policy = load(str(crowded) if name == "crowded" else name, "enforce")
    stubs = lay_out(policy, plan(policy)).stubs
    halves = [(stub.number + at, stub.key) for stub in stubs for at, there in enumerate((stub.read, stub.write)) if there]
    assert len({stub.number for stub in stubs}) == len(stubs) and min(stub.number for stub in stubs) > 0
    assert sorted(number for number, _ in halves) == list(range(2, 2 + len(halves)))


def test_crowded_audit_and_enforce_differ(crowded: Path) -> None:
    assert layout_map(load(str(crowded), "audit")).sysregs != layout_map(load(str(crowded), "enforce")).sysregs


# --- damage -----------------------------------------------------------------------------------------------------

@dataclass
class Tables:
    """A built program, the places of its tables in the file, and the reference's answers."""
    image: bytes
    symbols: Dict[str, Tuple[int, int]]             # name -> (file offset, size)
    verifier: verify.Verifier
    replay: str
    folder: Path
    output: bytes                                   # of the undamaged program

    def damaged(self, at: int, value: int) -> Path:
        program = self.folder / "damaged"
        program.write_bytes(self.image[:at] + bytes([value]) + self.image[at + 1:])
        program.chmod(0o755)
        return program

    def says(self, program: Path) -> Optional[bytes]:
        """None: a lookup ran out of its table, and the program died"""
        try:
            return self.verifier.ask(program)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None

    def differs(self, output: Optional[bytes], replay: str) -> bool:
        return output is None or bool(self.verifier.examine(output, replay))


@pytest.fixture(scope="module")
def tables(crowded: Path, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    policy, folder = load(str(crowded), "enforce"), tmp_path_factory.mktemp("tables")
    render.render(policy, folder / "gen")
    program = verify.build(folder / "gen", folder / "verify")
    sections = subprocess.run(["objdump", "-h", str(program)], stdout=subprocess.PIPE, text=True, check=True).stdout
    shift = [int(address, 16) - int(offset, 16) for address, offset in
             re.findall(r"\.rodata\s+\S+\s+(\S+)\s+\S+\s+(\S+)", sections)][0]
    names = subprocess.run(["nm", "-S", str(program)], stdout=subprocess.PIPE, text=True, check=True).stdout
    symbols = {name: (int(address, 16) - shift, int(size, 16)) for address, size, name in
               re.findall(r"^(\S+) (\S+) [rR] (\w+)$", names, re.M)}
    verifier = verify.Verifier(policy)
    found = Tables(program.read_bytes(), symbols, verifier, (folder / "gen" / "replay.S").read_text(), folder,
                   verifier.ask(program))
    assert not found.differs(found.output, found.replay)
    return found


def places(tables: Tables, rng: random.Random) -> Iterator[int]:
    def pick(name: str, entry: int, fields: List[int], count: int) -> Iterator[int]:
        start, size = tables.symbols[name]
        for _ in range(count):
            yield start + rng.randrange(size // entry) * entry + rng.choice(fields)
    yield from pick("policy_rows", 32, list(range(32)), 30)
    yield from pick("policy_sysreg_leaf", 2, [0, 1], 12)
    yield from pick("policy_sysreg_page", 2, [0, 1], 12)
    yield from pick("policy_mmio_ranges", 20, list(range(20)), 10)
    yield from pick("policy_mmio_root", 1, [0], 4)
    yield from pick("policy_mmio_default", 2, [0], 1)
    yield from pick("policy_mmio_straddle", 2, [0], 1)
    yield from pick("policy_exception", 2, [0], 4)
    yield from pick("policy_limits", 8, [0, 1, 4, 5], 4)
    yield from pick("policy_conditions", 16, list(range(16)), 12)
    yield from pick("policy_spans", 16, list(range(16)), 8)
    yield from pick("hvc_ranges", 12, list(range(12)), 6)
    yield from pick("hvc_slots", 8, list(range(8)), 6)
    yield from pick("hvc_disp", 2, [0, 1], 2)
    yield from pick("smc_ranges", 12, list(range(12)), 2)
    yield from pick("smc_slots", 8, list(range(8)), 2)
    yield from pick("smc_disp", 2, [0, 1], 1)
    yield from pick("policy_mmio_leaf", 2, [0, 1], 6)
    yield from pick("policy_traps", 8, list(range(8)), 6)
    yield from pick("policy_passthrough", 16, list(range(16)), 4)


@pytest.mark.parametrize("seed", range(3))
def test_one_damaged_byte_is_caught(tables: Tables, seed: int) -> None:
    """Damage is noticed, unless no row and no answer changes: the unused width of an address, a page that points to its
    twin."""
    rng = random.Random(seed)
    missed, mattered = [], 0
    for at in places(tables, rng):
        old = tables.image[at]
        output = tables.says(tables.damaged(at, old ^ 1 << rng.randrange(8)))
        if output != tables.output:                 # a row, or the answer of a lookup, has changed
            mattered += 1
            if not tables.differs(output, tables.replay):
                missed.append(next((name, at - start) for name, (start, size) in tables.symbols.items()
                                   if start <= at < start + size))
    assert not missed and mattered > 50


def test_two_swapped_rows_are_caught(tables: Tables) -> None:
    start, size = tables.symbols["policy_rows"]
    rng = random.Random(1)
    for _ in range(12):
        first, second = sorted(rng.sample(range(size // 32), 2))
        a, b = start + 32 * first, start + 32 * second
        data = tables.image
        program = tables.folder / "swapped"
        program.write_bytes(data[:a] + data[b:b + 32] + data[a + 32:b] + data[a:a + 32] + data[b + 32:])
        program.chmod(0o755)
        assert tables.differs(tables.says(program), tables.replay), (first, second)


def test_a_wrong_replay_stub_is_caught(tables: Tables) -> None:
    stub = re.search(r"mrs\tx0, (S3_0_C\d+_C\d+_\d)", tables.replay)
    assert stub
    other = tables.replay.replace(stub.group(1), "S3_0_C10_C3_0", 1)
    assert tables.differs(tables.output, other)


# --- the hash of calls ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 500])
def test_every_number_has_a_slot_of_its_own(count: int) -> None:
    rng = random.Random(count)
    exact = [(number, row) for row, number in enumerate(sorted(rng.sample(range(1 << 32), count)))]
    disp, slots = perfect_hash(exact)
    assert len(disp) & (len(disp) - 1) == 0 and len(slots) & (len(slots) - 1) == 0
    for number, row in exact:
        hashed = call_hash(number)
        assert slots[(hashed >> 16 ^ disp[hashed & (len(disp) - 1)]) & (len(slots) - 1)] == (number, row)
