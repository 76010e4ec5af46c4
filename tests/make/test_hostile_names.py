# SPDX-License-Identifier: Apache-2.0
"""Variables, goals, file names and git's names are data to make: a name that is not plain is refused in one line, and
no part of a name is run, by `make` or by `make -n`."""
from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from making import canaries, run_make
from vm import sources

NAME = "letters, digits and ._/+@- alone, no - in front"
TOUCH = "touch${IFS}CANARY"
EVIL = ["$(shell touch CANARY)", f"`{TOUCH}`", f"x;{TOUCH};", f"x$$({TOUCH})", f"x'|{TOUCH}|'", f'x"&{TOUCH}&"',
        f"x\n{TOUCH}", "x y", "x\ty", "x,y=on", "x#y", "x%y", "x\\", "é", "\x1b[31m", "*", "~"]
# Each variable's complaint about a text that it does not take. Variables that take any text are below.
REFUSALS: Dict[str, str] = {
    **{name: NAME for name in ("POLICY", "B", "R", "UART_LOG", "LINUX_IMAGE", "LINUX_DTB", "LINUX_INITRD", "LINUX_DISK",
                               "RESULTS", "QEMU", "CROSS_COMPILE", "OBJCOPY", "OBJDUMP")},
    **{name: ": a number" for name in ("TIMEOUT", "SEED", "COUNT", "MUTANTS", "FUZZ_SECONDS", "FUZZ_SEED", "SESSION")},
    **{name: ": 1, or 0" for name in ("UNATTENDED", "LOCKED", "MONITOR", "GDB", "BRIEF", "FULL")},
    "V": ": 1 for the commands", "STORM": ": 0 to 2", "MODE": ": audit or enforce",
    "LOG": ": text, notable, full or quiet", "SMP": ": 1 to 8", "GUEST": ": diag, bench, sweep, fuzz or attack",
    "CPU": ": a CPU model of policy/platform", "SEQ": ": a decision: 12098", "RELEASE": ": bookworm or trixie",
}
HOST_ONLY = ("OBJCOPY", "OBJDUMP")      # not read from the environment


@pytest.mark.parametrize("name", REFUSALS)
def test_a_text_that_is_not_plain_is_refused(tree: Path, name: str) -> None:
    for value in [*EVIL, *(["-x"] if REFUSALS[name] == NAME else [])]:
        for dry in ((), ("-n",)):
            given = [run_make(tree, *dry, "all", f"{name}={value}")]
            if name not in HOST_ONLY and "\n" not in value:
                given.append(run_make(tree, *dry, "all", env={name: value}))
            for done in given:
                lines = done.stdout.splitlines()
                assert done.returncode and len(lines) == 1, (value, dry, done.stdout)
                assert f"*** {name}={value.split(chr(10))[0]}" in lines[0] and REFUSALS[name] in lines[0], lines
    assert not canaries(tree)


# Further words that make refuses, with its complaint.
@pytest.mark.parametrize("words, said", [
    (["SMP=1 2"], "SMP=1 2: 1 to 8"), (["SMP=0"], "SMP=0: 1 to 8"), (["SMP=9"], "SMP=9: 1 to 8"),
    (["LOG=text full"], "LOG=text full: text, notable, full or quiet"),
    (["TIMEOUT=abc"], "TIMEOUT=abc: a number: seconds"), (["TIMEOUT=5m"], "TIMEOUT=5m: a number"),
    (["LOCKED=yes"], "LOCKED=yes: 1, or 0 for off"), (["UNATTENDED=2"], "UNATTENDED=2: 1, or 0 for off"),
    (["MONITOR=off"], "MONITOR=off: 1, or 0"), (["V=2"], "V=2: 1 for"),
    (['HVINIT=x" image=1 "'], 'HVINIT=x" image=1 ": what the monitor does before the guest starts: printable ASCII'),
    (["HVINIT=mark é"], "printable ASCII"), (["HVINIT=a\nb"], "HVINIT=a\\nb: "),
    (["LINUX_CMDLINE=a\nb"], "LINUX_CMDLINE=a\\nb: the kernel command line, one line"),
    (["LINUX_NET=user,x=$(shell touch CANARY)"], "LINUX_NET=user,x=$(shell touch CANARY): user, with options"),
    (["LINUX_DISK=a,readonly=on"], f"LINUX_DISK=a,readonly=on: {NAME}"),
    (["SCENARIOS=fast;touch CANARY"], "SCENARIOS=fast;touch CANARY: names of tests/linux/smoke.py"),
    (["CC=gcc;touch CANARY"], "CC=gcc;touch CANARY: words of"), (["CC=$(shell touch CANARY)"], "words of"),
    (["PYTHON=$(shell touch CANARY)"], "words of"),
    (["POLCY=strict"], "POLCY=: no such variable; `make help` lists them"),
    (["SHELLFLAGS=$(shell touch CANARY)"], "SHELLFLAGS=: no such variable"),
    (["build/x;touch CANARY;.o"], "the name of a goal has letters"),
    (["$(shell touch CANARY)"], "the name of a goal has letters"),
    (["build/`touch CANARY`"], "the name of a goal has letters"),
    *[([f"B={folder}"], f"B={folder}: the tree is there")
      for folder in (".", "..", "/", "policy", "hv/trap", ".git", "./tests")],
], ids=lambda words: words[0] if isinstance(words, list) else "")
def test_a_wrong_word_is_refused(tree: Path, words: List[str], said: str) -> None:
    goals = [] if "=" not in words[0] else ["all"]
    for dry in ((), ("-n",)):
        done = run_make(tree, *dry, *goals, *words)
        assert done.returncode and said in done.stdout and len(done.stdout.splitlines()) == 1, done.stdout
    assert not canaries(tree)


@pytest.mark.parametrize("name", ["hv/lib/a;touch CANARY;.c", "hv/lib/$(shell touch CANARY).S",
                                  "guest/lib/`touch CANARY`.c", "guest/diag/a;touch CANARY;.c",
                                  "policy/arch/a;touch CANARY;.yaml",
                                  "policy/platform/$(shell touch CANARY)", "policygen/text/a;touch CANARY;.py"])
def test_a_source_with_such_a_name_is_refused(tree: Path, name: str) -> None:
    (tree / name).write_text("", encoding="ascii")
    try:
        for words in (["-n"], [], ["-n", "run"], ["-n", "release-files"]):
            done = run_make(tree, *words)
            assert done.returncode and "the name of a file of the tree has" in done.stdout, done.stdout
            assert len(done.stdout.splitlines()) == 1, done.stdout
    finally:
        (tree / name).unlink()
    assert not canaries(tree)


def test_profiles_are_those_with_a_plain_name(tree: Path) -> None:
    """A plain `make` ignores other files of policy/, and runs none of their names."""
    names = ["policy/a;touch CANARY;.yaml", "policy/$(shell touch CANARY).yaml", "policy/`touch CANARY`.yaml",
             "policy/b c.yaml"]
    text = (tree / "policy" / "strict.yaml").read_text(encoding="utf-8")
    (tree / "policy" / "a").touch()
    for name in names:
        (tree / name).write_text(text, encoding="utf-8")
    try:
        for words in (["-n"], ["build/gen/stamp"], ["-n", "run"]):
            done = run_make(tree, *words)
            assert done.returncode == 0, done.stdout
        told = run_make(tree, "POLICY=lax").stdout
        assert told.splitlines()[0].endswith("there are: default guest linux-strict permissive strict.  Stop."), told
    finally:
        for name in [*names, "policy/a"]:
            (tree / name).unlink()
    assert not canaries(tree)


@pytest.mark.parametrize("folder", ["a b", "a;touch CANARY", "$(touch CANARY)", "a'b", "a#b", "a:b", "é", "a%b"])
def test_a_checkout_in_a_folder_without_a_plain_name_is_refused(tmp_path: Path, tree: Path, folder: str) -> None:
    """The folder of the tree, its Makefile and included files: the refusal comes before any other file is read."""
    place = tmp_path / folder
    (place / "tools").mkdir(parents=True)
    (place / "Makefile").write_bytes((tree / "Makefile").read_bytes())
    (place / "tools" / "make").symlink_to(tree / "tools" / "make")
    for words in ([], ["-n"], ["run"], ["clean"], ["help"]):
        done = run_make(place, *words)
        assert done.returncode and "make needs a folder whose name has letters" in done.stdout, done.stdout
        assert len(done.stdout.splitlines()) == 1
    assert not canaries(place) and not canaries(tmp_path)


# An annotated tag's name, and the build's name with it.
TAGS: List[Tuple[str, bool]] = [("v1.0", True), ("release/2.0+rc1", True), (f"v1';{TOUCH};'", False),
                                (f"$({TOUCH})", False), (f"`{TOUCH}`", False), ('v"1', False), ("v" * 100, False)]


def test_a_tag_is_data(tmp_path: Path) -> None:
    tree = sources(tmp_path / "tree")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(tree)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, stdout=subprocess.DEVNULL)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, text=True, stdout=subprocess.PIPE).stdout
    for tag, plain in TAGS:
        subprocess.run([*git, "tag", "-a", "-m", "x", tag], check=True)
        assert run_make(tree, "-n").returncode == 0
        done = run_make(tree, "build/gen/build.c", "CC=ccache aarch64-linux-gnu-gcc")
        assert done.returncode == 0, done.stdout
        told = (tree / "build/gen/build.c").read_text(encoding="utf-8")
        said = told.split('build_id[] = "')[1].split('"')[0]
        assert said == tag if plain else commit.startswith(said) and len(said) >= 7, (tag, said)
        subprocess.run([*git, "tag", "-d", tag], check=True, stdout=subprocess.DEVNULL)
    assert not canaries(tree)
