# SPDX-License-Identifier: Apache-2.0
"""Names for the tools: rendered from the facts and from EL2's headers; the decoder's shipped copy is current."""
from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from hvl.names import call_by                           # noqa: E402
from hvl.record import parse_decision, touched, what    # noqa: E402
from policygen.facts.arch import load_arch              # noqa: E402
from policygen.facts.board import load_board            # noqa: E402
from policygen.facts.names import NO_FUNCTION, call_name, function_of   # noqa: E402
from policygen.target import tool_names             # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / tool_names.COPY


def rendered() -> Dict[str, Any]:
    return tool_names.names(load_board("qemu-virt"))


def test_the_shipped_copy_is_current() -> None:
    told = tool_names.differences(rendered(), json.loads(COPY.read_text(encoding="utf-8")))
    assert not told, "\n".join([*told, f"make, then: cp build/gen/names.json {tool_names.COPY}"])
    assert COPY.read_text(encoding="utf-8") == tool_names.dump(rendered())


def test_a_call_has_one_name() -> None:
    """For decoder and policygen, by HVC and by SMC, whatever the upper halves and the immediate are."""
    board = load_board("qemu-virt")
    numbers = {number for call in board.calls.values() for number in call.ids}
    numbers |= {edge + step for low, high in load_arch().services.values() for edge in (low, high) for step in (-1, 0, 1)}
    numbers |= {number ^ 1 << 30 for number in numbers} | {6, 0x5a000000, NO_FUNCTION}
    for number in sorted(numbers):
        for conduit in ("hvc", "smc"):
            for upper, imm in ((0, 0), (1, 0), (0, 1)):
                x0 = number | upper << 40
                asked = function_of(x0, imm)
                right = call_name(board, conduit, asked) if asked != NO_FUNCTION else ""
                assert (call_by(conduit, x0, imm) or "") == right, (hex(x0), conduit, imm)
    for conduit, number, name in (("smc", 0x84000050, "TRNG_VERSION"), ("hvc", 4, "HV_CONSOLE_WRITE"), ("smc", 4, ""),
                                  ("hvc", 0xc4000021, "SDEI+0x1"), ("smc", 0x84000008, "PSCI_SYSTEM_OFF")):
        assert call_name(board, conduit, number) == name
        body = parse_decision(f"DENY r1 {conduit} {number:#x} x1=0x0 x2=0x0 pc=0x1 el=1 cost=1 esr=0x5a000000")
        assert touched(body) == (name or hex(number)) and what(body).startswith(f"{conduit} {name or hex(number)} ")
    assert what(parse_decision("DENY r1 hvc 0x0 x1=0x0 pc=0x1 esr=0x5a000001")) == "hvc #1 0x0 x1=0x0"


@pytest.mark.parametrize("kind, name, value, says", [
    ("classes", "0x27", "MOPZ", "classes: 0x27 is MOPZ, build/gen/names.json has MOPS"),
    ("calls", "TRNG_RND", None, "calls: TRNG_RND is not there, build/gen/names.json has {'id': ['0x84000053', "),
    ("events", 2, "guest_", "events: 2 is guest_, build/gen/names.json has guest-"),
    ("verdicts", 7, None, "verdicts: 7 is not there, build/gen/names.json has WOULD"),
    ("modes", 0, "txt", "modes: 0 is txt, build/gen/names.json has text"),
    ("services", "SDEI", ["0x0", "0x1"], "services: SDEI is ['0x0', '0x1'], build/gen/names.json has ['0x84000020', "),
])
def test_a_copy_that_is_not_is_told_by_name(kind: str, name: Any, value: Any, says: str) -> None:
    other = copy.deepcopy(rendered())
    if value is None:
        del other[kind][name]
    else:
        other[kind][name] = value
    told = tool_names.differences(rendered(), other)
    assert len(told) == 1 and told[0].startswith(f"{tool_names.COPY}: {says}"), told


def test_a_name_is_one_word_and_a_number_has_one_name() -> None:
    data = rendered()
    for words in (data["calls"], data["services"], data["classes"].values(), data["events"], data["modes"],
                  data["verdicts"]):
        assert len(set(words)) == len(list(words)) and all(re.fullmatch(r"[A-Za-z0-9_+-]+", word) for word in words)
    for conduit in ("hvc", "smc"):
        numbers = [number for call in data["calls"].values() if conduit in call["by"] for number in call["id"]]
        assert len(set(numbers)) == len(numbers)


def test_the_contracts_calls() -> None:
    """Calls of a guest: HV_* by HVC alone, PSCI (Arm DEN 0022, "PSCI function prototypes") by both."""
    calls = {name: [int(number, 16) for number in call["id"]] for name, call in rendered()["calls"].items()}
    own = ["HV_GET_ID", "HV_DUMP_LOG", "HV_GET_STATUS", "HV_PAUSE", "HV_CONSOLE_WRITE", "HV_REPORT_EXCEPTION"]
    assert [calls[name] for name in own] == [[0], [1], [2], [3], [4], [5]]
    assert all(rendered()["calls"][name]["by"] == ["hvc"] for name in own)
    assert calls["PSCI_VERSION"] == [0x84000000] and calls["PSCI_CPU_ON"] == [0x84000003, 0xc4000003]
    assert calls["PSCI_SYSTEM_OFF"] == [0x84000008] and calls["PSCI_SYSTEM_RESET"] == [0x84000009]
    assert calls["TRNG_RND"] == [0x84000053, 0xc4000053] and calls["SMCCC_VERSION"] == [0x80000000]


def test_the_decoder_names_what_policygen_names() -> None:
    """Every call by every conduit, named by a copy of the decoder that stands alone."""
    program = ("import json, sys; from hvl.names import CLASSES, call_by; names = json.load(sys.stdin); "
               "print(all(call_by(by, int(number, 16)) == name for name, call in names['calls'].items() "
               "for by in call['by'] for number in call['id']) and CLASSES[0x27], call_by('smc', 4), "
               "call_by('hvc', 0xc4000021), call_by('smc', 0x84000099), call_by('hvc', 0x8600ff02), "
               "call_by('smc', 0x12345678), call_by('hvc', 0xffffffff))")
    done = subprocess.run([sys.executable, "-S", "-c", program], input=json.dumps(rendered()), text=True, check=True,
                          capture_output=True, cwd=ROOT / "tools", timeout=600)
    assert done.stdout.split() == ["MOPS", "None", "SDEI+0x1", "FFA+0x39", "VENDOR_HYP+0xff02", "None", "None"]
