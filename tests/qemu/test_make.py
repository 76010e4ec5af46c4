# SPDX-License-Identifier: Apache-2.0
"""make complains of a wrong word before it builds anything; it rebuilds only dependents, with the same bytes each time."""
import sys
from pathlib import Path

import pytest

from vm import ROOT, build, make

sys.path.insert(0, str(ROOT / "tests" / "bench"))
from bench import larger_policy  # noqa: E402

WRONG = {
    "all POLICY=lax": "no such profile or file; there are: default guest linux-strict permissive strict",
    "all MODE=maybe": "MODE=maybe: audit or enforce",
    "all CPU=cortex-x": "there are: cortex-a35 cortex-a53 cortex-a55 cortex-a57 cortex-a710 cortex-a72 cortex-a76 max "
                        "neoverse-n1 neoverse-n2 neoverse-v1",
    "all GUEST=none": "GUEST=none: diag, bench, sweep, fuzz or attack",
    "run SMP=9": "SMP=9: 1 to 8",
    "run LOG=loud": "LOG=loud: text, notable, full or quiet",
    "run-linux": "LINUX_IMAGE=/path/Image is needed",
    "all CC=no-such-gcc": "no-such-gcc is missing: run `make setup` (Debian package gcc-aarch64-linux-gnu)",
    "all PYTHON=": "run `make setup` (Debian packages python3-yaml python3-jinja2 python3-pyelftools)",
    "replay": "SEQ=n is needed",
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_word_is_named_at_once(words: str) -> None:
    done = make(*words.split(), check=False, cache=False)
    assert done.returncode != 0
    assert WRONG[words] in done.stdout
    assert len(done.stdout.splitlines()) <= 2, done.stdout


def test_what_is_rebuilt(tree: Path) -> None:
    """A comment or a change of meaning compiles the tables, which carry the policy's text, and no core file."""
    build("strict", tree=tree)
    policy = tree / "policy" / "strict.yaml"
    policy.write_text(policy.read_text() + "# a comment\n")
    again = make("all", "POLICY=strict", "B=build/test/strict", tree=tree).stdout
    assert "policy_tables.c" in again and again.count("CC ") == 1, again
    text = policy.read_text()
    assert "imp-def: { do: deny, limit: 100/s" in text
    policy.write_text(text.replace("imp-def: { do: deny, limit: 100/s", "imp-def: { do: deny, limit: 50/s"))
    again = make("all", "POLICY=strict", "B=build/test/strict", tree=tree).stdout
    assert "policy_tables.c" in again and "hv/trap/trap.c" not in again, again
    again = make("all", "POLICY=default", "B=build/test/strict", tree=tree).stdout
    assert "policy_tables.c" in again and "guest/diag/calls.c" in again and "hv/trap/trap.c" not in again, again


def test_a_policy_of_ten_thousand_entries_still_fits(tmp_path: Path) -> None:
    """Code reaches 1 MiB in each direction (linker/hv.ld): tables that grow with the policy must not push the rest
    away."""
    policy = tmp_path / "large.yaml"
    policy.write_text(larger_policy(10000), encoding="utf-8")
    done = make("all", f"POLICY={policy}", f"B={tmp_path / 'build'}", "GUEST=bench")
    assert (tmp_path / "build" / "hypervisor.elf").stat().st_size > 1 << 20, done.stdout
