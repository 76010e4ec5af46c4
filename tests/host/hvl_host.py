# SPDX-License-Identifier: Apache-2.0
"""Builds the log and the monitor for this machine under sanitizers, and reads their output (hv/log/README.md)."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from policygen.facts.board import load_board  # noqa: E402  (the path above is needed first)
from policygen.target import platform  # noqa: E402


def rendered() -> str:
    """A folder with the headers that the platform file makes, kept as long as this process runs."""
    for name, text in platform.texts(load_board("qemu-virt")).items():
        Path(RENDERED.name, name).write_text(text, encoding="utf-8")
    return RENDERED.name


RENDERED = tempfile.TemporaryDirectory(prefix="charter-gen-")
LOG = ["locks", "lock_text", "log", "log_text", "log_batch", "log_describe", "crc32", "print", "policy"]
MONITOR = LOG + ["monitor", "monitor_line", "monitor_args", "monitor_state", "monitor_sysregs", "monitor_mem", "xlat",
                 "monitor_xlat", "monitor_map", "monitor_policy", "monitor_traps", "monitor_log", "monitor_change",
                 "monitor_debug", "monitor_answer", "monitor_commands", "monitor_say", "overrule", "rules", "dis", "gdb",
                 "gdb_packet", "where"]
VIRTIO = ["virtio", "virtio_queue", "virtio_blk", "guestmem", "locks"]
FLAGS = ["-std=gnu11", "-g", "-O1", "-fno-builtin", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
         "-Wall", "-Wextra", "-Werror", "-iquote", "hv", "-iquote", "tests/host/fake", "-iquote", rendered(),
         "-include", "tests/host/fake/arch/arch.h", *os.environ.get("HOST_CFLAGS", "").split()]
RECORD = re.compile(rb"@(?:([AC-Z])(\+?) (\d+)(?:\.\d+)? \d+\.\d{9}|(B)(\+?) (\d+)(?:\.\d+)?) (.*) \Z", re.DOTALL)


def src(part: str) -> str:
    """The C file of hv/ with this name, in whichever room: file names are unique in hv/."""
    found, = ROOT.glob(f"hv/*/{part.removesuffix('.c')}.c")
    return str(found.relative_to(ROOT))


def class_names(out: Path) -> List[str]:
    """Writes the names of exception classes into `out` for fake/tables.c; returns gcc's option."""
    names = json.loads((ROOT / "tools" / "hvl" / "names.json").read_text(encoding="utf-8"))["classes"]
    out.mkdir(parents=True, exist_ok=True)
    (out / "class_names.h").write_text("".join(f'[{number}] = "{name}",\n' for number, name in names.items()),
                                       encoding="ascii")
    return ["-iquote", str(out.resolve())]


def build(name: str, parts: Sequence[str], out: Path) -> Path:
    """tests/host/<name>.c and hv/<parts>.c with the fakes."""
    program = out / name
    sources = [f"tests/host/{name}.c", "tests/host/fake/fake.c", "tests/host/fake/tables.c"]
    subprocess.run(["gcc", *FLAGS, *class_names(out), *sources, *map(src, parts), "-o", str(program)], cwd=ROOT,
                   check=True)
    return program


@dataclass(frozen=True)
class Record:
    kind: str
    plus: bool
    seq: int
    body: str

    @property
    def span(self) -> int:
        """How many numbers the record stands for."""
        return int(self.body.split()[0]) if self.kind == "B" else 1

    def numbers(self) -> Dict[str, int]:
        return {k: int(v, 0) for k, v in re.findall(r"(\w+)=(0x[0-9a-f]+|\d+)(?= |\Z)", self.body)}


def decode(wire: bytes) -> Tuple[List[Record], bytes]:
    """The records and the other bytes. A line of another form fails the test."""
    first, *rest = wire.split(b"\x1e")
    records: List[Record] = []
    text = first
    for piece in rest:
        line, crlf, after = piece.partition(b"\r\n")
        assert crlf and len(line) <= 2048, piece
        body, star, crc = line.rpartition(b"*")
        assert star and int(crc, 16) == zlib.crc32(body) and len(crc) == 8, line
        m = RECORD.match(body)
        assert m, line
        kind, plus, seq = (m.group(1) or m.group(4)).decode(), bool(m.group(2) or m.group(5)), m.group(3) or m.group(6)
        if plus:
            assert text.endswith(b"\r\n"), "a `+` record without the CR LF before it"
            text = text[:-2]
        records.append(Record(kind, plus, int(seq), m.group(7).decode()))
        text += after
    return records, text.replace(b"\x1fe", b"\x1e").replace(b"\x1ff", b"\x1f")


def check_sequence(records: Sequence[Record], held: bool = False) -> int:
    """Checks that numbers rise, and that each missing one lies in an @L or was held back (`held`). Returns how many
    were lost."""
    lost = expected = 0
    for r in records:
        first = r.seq
        if r.kind == "L":
            n = r.numbers()
            first = n["from"]
            assert n["to"] == r.seq and n["lost"] == n["to"] - n["from"] + 1 and r.body.endswith("why=overrun"), r
            lost += n["lost"]
        assert first == expected or (held and (first > expected or r.kind == "B")), (r, expected)
        expected = max(expected, r.seq + r.span)
    return lost


def run(program: Path, stdin: bytes, args: Sequence[str] = (), expect: Optional[int] = 0) -> Tuple[bytes, str]:
    p = subprocess.run([str(program), *args], input=stdin, capture_output=True, timeout=600)
    err = p.stderr.decode(errors="replace")
    assert "Sanitizer" not in err and "runtime error" not in err, err
    assert expect is None or p.returncode == expect, (p.returncode, err)
    return p.stdout, err
