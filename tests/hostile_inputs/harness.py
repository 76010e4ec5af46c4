# SPDX-License-Identifier: Apache-2.0
"""A cage for tools whose input comes from an attacker.

A run gets a folder of its own, a canary beside it, a PATH of stubs, limits on CPU time and memory, and (Python) a hook
that notes every file opened and program started. `Cage.run()` and `Cage.many()` fail the test if there was more than an
answer:

- a file outside the folder was written, changed or removed, or one inside that is not named as an output;
- a file was read that is neither an input, nor the tree's, nor Python's own: the canary least of all;
- a program was started that the caller does not expect, by name or by path;
- a traceback, a signal, an exit status that is not the tool's, control characters or bidirectional ones on a terminal.
"""
from __future__ import annotations

import ast
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterable, List, Sequence, Set, Tuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CANARY = "canary-5bd1e995"
# Each notes that it was called, and fails.
STUBS = ("sh", "bash", "cat", "touch", "rm", "cp", "mv", "id", "curl", "wget", "nc", "xterm", "git", "make", "gcc",
         "cc", "as", "ld", "objcopy", "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-objcopy", "qemu-system-aarch64",
         "qemu-img", "gdb", "gdb-multiarch", "dtc", "less", "vi")
CPU_SECONDS, MEMORY = 20, 1 << 30
# Files of the system that Python and the tools' libraries read.
SYSTEM = ("/usr/", "/lib/", "/lib64/", "/etc/localtime", "/etc/ld.so.cache", "/etc/mime.types", "/proc/self/",
          "/dev/null", "/dev/zero", "/dev/urandom")


class Done:
    """The outcome of a run."""

    def __init__(self, argv: Sequence[str], status: int, out: bytes, err: bytes) -> None:
        self.argv = list(argv)
        self.status = status
        self.out = out
        self.err = err

    def __repr__(self) -> str:
        return f"{self.argv}: {self.status}\n{self.out[-1500:]!r}\n{self.err[-1500:]!r}"


class Cage:
    def __init__(self, folder: Path) -> None:
        self.work, self.home, self.bin = folder / "work", folder / "home", folder / "bin"
        self.secret = folder / "outside" / "secret.yaml"
        self._watch = folder / "watch"
        for each in (self.work, self.home, self.bin, self.secret.parent):
            each.mkdir(parents=True)
        self.secret.write_text(f"{CANARY}: outside\n" * 20)
        (self.home / ".gdbinit").write_text(f"# {CANARY}\n")
        for name in STUBS:
            stub = self.bin / name
            stub.write_text(f"#!/bin/sh\necho \"('start', '{name}')\" >> '{self._watch}'\nexit 1\n")
            stub.chmod(0o755)

    def put(self, name: str, data: bytes) -> str:
        """An input in the folder; returns its name."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    def _environment(self) -> Dict[str, str]:
        return {"PATH": str(self.bin), "HOME": str(self.home), "LANG": "C.UTF-8", "PYTHONPATH": str(HERE / "cage"),
                "PYTHONDONTWRITEBYTECODE": "1", "HOSTILE_WATCH": str(self._watch)}

    def _start(self, words: Sequence[str], stdin: bytes, seconds: int) -> "subprocess.CompletedProcess[bytes]":
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self._watch.write_bytes(b"")
        return subprocess.run(words, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.work,
                              env=self._environment(), preexec_fn=limit, timeout=seconds * 6, check=False)

    def run(self, tool: str, *argv: str, stdin: bytes = b"", starts: Iterable[str] = (), outputs: Iterable[str] = (),
            statuses: Iterable[int] = range(6), binary: bool = False, seconds: int = CPU_SECONDS) -> Done:
        """One run of a tool as a process. `tool` is a file below the tree's root; `outputs` are names in the folder, or
        folders ending in '/'."""
        before = self._snapshot()
        ran = self._start([sys.executable, str(ROOT / tool), *argv], stdin, seconds)
        done = Done([tool, *argv], ran.returncode, ran.stdout, ran.stderr)
        self._judge(done, statuses, binary)
        self._judge_effects([done], before, set(starts), list(outputs))
        return done

    def many(self, module: str, runs: Sequence[Sequence[str]], outputs: Iterable[str] = (),
             statuses: Iterable[int] = range(6), binary: Sequence[str] = (), seconds: int = CPU_SECONDS,
             folder: str = "tools") -> List[Done]:
        """Runs of module.main() in one process; nothing is started. `binary` are the subcommands whose output is meant
        for no terminal."""
        before = self._snapshot()
        lines = "".join(json.dumps([module, list(argv)]) + "\n" for argv in runs).encode()
        ran = self._start([sys.executable, str(HERE / "cage" / "repeat.py"), str(ROOT / folder),
                           str(ROOT / "tools")], lines, seconds)
        assert ran.returncode == 0, (runs, ran.returncode, ran.stdout[-300:], ran.stderr[-2000:])
        said = [json.loads(line) for line in ran.stdout.splitlines()]
        assert len(said) == len(runs), ran.stderr
        found = [Done(argv, status, out.encode("latin-1"), err.encode("latin-1"))
                 for argv, (status, out, err) in zip(runs, said)]
        for done in found:
            self._judge(done, statuses, bool(done.argv) and done.argv[0] in binary)
        self._judge_effects(found, before, set(), list(outputs))
        return found

    # --- what is right -------------------------------------------------------------------------------------

    @staticmethod
    def _judge(done: Done, statuses: Iterable[int], binary: bool) -> None:
        assert b"Traceback" not in done.err and b"not enough memory" not in done.err, done
        assert done.status in set(statuses), done
        for stream in (done.err,) if binary else (done.out, done.err):
            text = stream.decode("utf-8", "replace")
            assert all(char.isprintable() or char == "\n" for char in text), done
        assert CANARY.encode() not in done.out + done.err, done

    def _judge_effects(self, done: List[Done], before: Dict[str, str], starts: Set[str], outputs: List[str]) -> None:
        after = self._snapshot()
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        inside = str(self.work) + "/"

        def is_output(path: str) -> bool:
            name = path[len(inside):] if path.startswith(inside) else ""
            return any(name == each or each.endswith("/") and name + "/" >= each and name.startswith(each[:-1])
                       for each in outputs if name)
        wrong = [name for name in changed if not is_output(name)]
        assert not wrong, (wrong, done)
        scratch = ("/tmp/", "/var/tmp/")
        for word, what in self._told():
            path = os.path.normpath(what)
            if word == "start":
                assert os.path.basename(what) in starts or what in starts, (what, done)
            elif word == "write":
                mine = path.startswith(scratch) and not path.startswith(str(self.secret.parent.parent))
                assert is_output(path) or mine or path == "/dev/null", (what, done)
            else:
                real = os.path.realpath(path)
                allowed = (str(self.work), str(ROOT), str(self._watch), sys.prefix, sys.base_prefix, *SYSTEM)
                mine = path.startswith(scratch) and not real.startswith(str(self.secret.parent.parent))
                assert real.startswith(allowed) or path.startswith(allowed) and real.startswith(SYSTEM) or mine \
                    or os.path.isdir(real), (what, done)

    def _told(self) -> List[Tuple[str, str]]:
        return [ast.literal_eval(line) for line in self._watch.read_text().splitlines()]

    def _snapshot(self) -> Dict[str, str]:
        """Every file in and beside the folder, with a hash of its content."""
        found: Dict[str, str] = {}
        for top in (self.work, self.home, self.secret.parent):
            for folder, folders, files in os.walk(top):
                found.update({os.path.join(folder, name): "folder" for name in folders})
                for name in files:
                    path = os.path.join(folder, name)
                    if os.path.islink(path):
                        found[path] = os.readlink(path)
                    elif os.path.isfile(path):
                        with open(path, "rb") as file:
                            found[path] = hashlib.sha256(file.read()).hexdigest()
        return found


def fresh(folder: Path) -> Cage:
    """A cage in `folder`, emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    return Cage(folder)
