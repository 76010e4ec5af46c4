# SPDX-License-Identifier: Apache-2.0
"""How long policies of 10, 100, 1,000 and 10,000 entries take to check, plan, compare and render.

    /usr/bin/python3 tests/policygen/bench_scale.py [ENTRIES...]

Prints seconds of CPU time a stage; test_scale of this folder runs the small sizes and holds the growth to near-linear.
"""
from __future__ import annotations

import gc
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from policygen.facts.arch import encoding, load_arch, make_key  # noqa: E402
from policygen.meaning import compare, digest, judge, layout_map  # noqa: E402
from policygen.meaning.load import load_policy  # noqa: E402
from policygen.target import render, traps  # noqa: E402
from policygen.text.diag import Diagnostics  # noqa: E402

T = TypeVar("T")
STAGES = ("check", "judge", "layout", "plan", "diff", "render")
FREE = 0x0b000000                                   # 16 MiB without a device of the platform


def policy(entries: int) -> str:
    """A third of the entries are registers, a third windows and their registers, a third calls."""
    third = entries // 3
    named = load_arch().by_key
    keys = [key for key in sorted(load_arch().groups["imp-def"]) if key >> 14 == 3 and key not in named]
    keys += [make_key(3, op1, crn, crm, op2) for op1 in (0, 1, 2, 3) for crn in (1, 4, 5, 13, 14) for crm in range(16)
             for op2 in range(8)]
    keys = [key for key in keys if key not in named][:third]
    assert len(keys) == third
    lines = ["policy: 1", "name: scale", "platform: qemu-virt", "features: { pmu: hide, sve: hide }", "sysregs:",
             "  default: deny", "  core: allow"]
    lines += [f"  {encoding(key)}: {{ read: {{ value: {number} }}, write: ignore }}  # ignore PG501: a benchmark"
              for number, key in enumerate(keys)]
    lines += ["mmio:", "  default: deny"]
    windows = (third + 19) // 20
    for number in range(windows):
        lines += [f"  w{number}:", f"    at: {FREE + number * 0x1000:#x}", "    size: 4K", "    default: raz-wi",
                  "    regs:"]
        lines += [f"      {offset * 8:#x}: {{ read: {{ value: {number * 100 + offset} }}, write: ignore }}"
                  for offset in range(1, 20)]
    lines += ["hvc:", "  default: deny"]
    lines += [f"  {0x86000000 + 2 * number:#x}: {{ value: {number} }}" for number in range(entries - 2 * third)]
    lines += ["smc: { default: deny }", "exceptions: { default: forward }"]
    lines += ["assert:", "  el2-not-there: { access: el2, always: deny }", "  no-raw: { access: mmio, never: allow }",
              "tests:", "  - { hvc: 0x86000000, expect: { value: 0 } }"]
    return "\n".join(lines) + "\n"


def timed(into: Dict[str, float], stage: str, work: Callable[[], T]) -> T:
    start = time.process_time()
    out = work()
    into[stage] = time.process_time() - start
    return out


def measure(entries: int, folder: Path) -> Dict[str, float]:
    """Seconds of CPU time by stage."""
    path, out, diags = folder / "scale.yaml", {}, Diagnostics()     # type: Path, Dict[str, float], Diagnostics
    path.write_text(policy(entries), encoding="utf-8")
    found, said = timed(out, "check", lambda: load_policy(str(path)))
    assert found is not None, said.render()[:2000]
    assert len(found.entries) >= entries
    other, _ = load_policy(str(path))
    assert other is not None
    assert timed(out, "judge", lambda: judge.judge(found, diags)) == (2, 1) and not diags.failed
    assert sum(1 for _ in judge.accesses(judge.evaluator(found), found.asserts[1])) > entries
    timed(out, "layout", lambda: layout_map.layout_map(found))
    timed(out, "plan", lambda: traps.plan(found))
    assert not timed(out, "diff", lambda: compare.compare(found, other))
    digest.meaning_hash(found)
    timed(out, "render", lambda: render.render(found, folder / "gen"))
    return out


def main(sizes: List[int]) -> None:
    gc.set_threshold(100_000, 50)                   # as policygen does
    load_arch()
    print("entries " + "".join(f"{stage:>9}" for stage in STAGES) + "    total")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(size, Path(folder))
        print(f"{size:7} " + "".join(f"{found[stage]:9.2f}" for stage in STAGES) + f"{sum(found.values()):9.2f}",
              flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [10, 100, 1000, 10000])
