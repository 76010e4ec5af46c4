# SPDX-License-Identifier: Apache-2.0
"""The diagnostic guest makes every check that is written: a check without a caller, or a probe without a check, is
named."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Set

from vm import CROSS, TIMEOUT, build, machine, make, run

NEW = """\
#include "check.h"

CHECKS(105, new)
{
    check_pass("new", "it ran");
}
"""
LOST = """
void calls_more(void);
void calls_more(void)
{
    run_immediate("hvc #1", insn_hvc_1);
}
"""


def test_a_new_file_of_checks_is_run_in_its_place(tree: Path) -> None:
    (tree / "guest" / "diag" / "new.c").write_text(NEW, encoding="utf-8")
    done = run(machine(build("default", tree=tree)), stdin=b"poweroff\n")
    said = re.findall(rb"^(?:PASS|FAIL|NOTE): ([^:]*):", done.stdout, re.M)
    assert said.count(b"new") == 1 and b" 0 failed" in done.stdout, done.stdout[-2000:]
    at = said.index(b"new")
    assert said[at - 1] == b"MMU" and b"MMU" not in said[at:] and said[-1] == b"RAM", said[at - 3:]


def planted(tree: Path, name: str, old: str, new: str) -> str:
    """make's complaint about the diagnostic guest with this change."""
    path = tree / "guest" / "diag" / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{name}: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")
    done = make("build/guest.elf", tree=tree, check=False)
    assert done.returncode != 0 and not (tree / "build" / "guest.elf").exists(), done.stdout
    return done.stdout


def test_checks_that_nobody_registers(tree: Path) -> None:
    said = planted(tree, "calls.c", "CHECKS(050, calls)\n", "void calls_run(void);\nvoid calls_run(void)\n")
    assert "guest/diag/calls.c: calls_run() is called by nobody" in said


def test_a_function_that_nobody_calls(tree: Path) -> None:
    said = planted(tree, "calls.c", "CHECKS(050, calls)\n", LOST + "\nCHECKS(050, calls)\n")
    assert "guest/diag/calls.c: calls_more() is called by nobody" in said
    # The compiler finds a static one.
    text = (tree / "guest" / "diag" / "calls.c").read_text(encoding="utf-8")
    text = text.replace("void calls_more(void);\n", "").replace("void calls_more", "static void calls_more")
    (tree / "guest" / "diag" / "calls.c").write_text(text, encoding="utf-8")
    done = make("build/guest.elf", tree=tree, check=False)
    assert done.returncode != 0 and re.search("calls_more.*-Werror=unused-function", done.stdout), done.stdout


def unasked(tree: Path, tmp_path: Path) -> Set[str]:
    """The probes of probes.txt whose expectation no C file of the guest reads."""
    text = (tree / "guest" / "lib" / "probes.txt").read_text(encoding="utf-8")
    probes = set(re.findall(r"^([A-Z0-9_]+)\s*=", text, re.M))
    fake = tmp_path / "fake"
    fake.mkdir(exist_ok=True)
    (fake / "guest_expect.h").write_text("".join(f"#define EXPECT_{probe} asked_{probe}\n" for probe in probes))
    make("build/gen/stamp", tree=tree)
    files = [*(tree / "guest" / "diag").glob("*.c"), *(tree / "guest" / "lib").glob("*.c")]
    out = subprocess.run([f"{CROSS}gcc", "-ffreestanding", "-E", "-P", f"-I{fake}", "-Iguest/lib", "-Ihv",
                          "-Ibuild/gen", *map(str, files)], cwd=tree,
                         check=True, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT).stdout
    return probes - set(re.findall(r"\basked_([A-Z0-9_]+)\b", out))


def test_every_probe_is_asked(tree: Path, tmp_path: Path) -> None:
    assert not unasked(tree, tmp_path), "guest/lib/probes.txt: no check reads these"
    registers = tree / "guest" / "diag" / "registers.h"
    text = registers.read_text(encoding="utf-8")
    row = re.search(r"^.*\bRO\(MIDR_EL1\).*$", text, re.M)
    assert row, "registers.h has no row of MIDR_EL1"
    registers.write_text(text.replace(row.group(0), row.group(0).replace("RO(MIDR_EL1)", "")), encoding="utf-8")
    assert unasked(tree, tmp_path) == {"MIDR_EL1_R"}
