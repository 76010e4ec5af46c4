# SPDX-License-Identifier: Apache-2.0
"""Inputs of an attacker, by name: logs, rules files, machines of recordings, windows, maps. Bytes are made here, not
kept, so that their structure can be read."""
from __future__ import annotations

import gzip
import json
import struct
import zlib
from typing import Callable, Dict, List, Tuple

OSC = "\x1b]0;owned\x07"
C1 = "\x9b31m\x9d8;;http://x\x9c"
BIDI = "\u202e\u2066\u200f\u061c"
EVIL = [OSC, C1, BIDI, "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "\0", "%s%n{}{0}",
        "</pre><script>x</script>", "'><img src=x onerror=x>", "$(touch x)`touch x`;touch x", "\u2028::error::x",
        "=HYPERLINK(x)", "é" * 40]


def line(kind: str, seq: int, body: bytes, t: str = "1.000000001", cpu: str = "") -> bytes:
    """A record with its right CRC: an attacker makes these."""
    text = f"@{kind} {seq}{cpu}{' ' + t if t else ''} ".encode() + body + b" "
    return b"\x1e" + text + b"*%08x\r\n" % zlib.crc32(text)


HEADER = (b"hvl=1 build=c30609a policy=default#40b982f6 guest=diag#4cd9d894 cpu=1 cntfrq=62500000 ring=16384 esc=^] "
          b"log=text")
DENIAL = b"DENY r3 msr.r PMCR_EL0 pc=0x40001000 el=1 cost=70 esr=0x6230e419"


def log(*bodies: Tuple[str, bytes], header: bytes = HEADER) -> bytes:
    out = [line("H", 0, header)]
    for body in bodies:
        out.append(line(body[0], len(out), body[1], "" if body[0] == "B" else f"1.{len(out):09d}"))
    return b"".join(out)


def controls() -> bytes:
    """Text that steers a terminal, a page or a CI, in each field that is printed."""
    bodies: List[Tuple[str, bytes]] = []
    for text in EVIL:
        raw = text.encode("utf-8", "surrogateescape").replace(b"\n", b"")
        flat = raw.replace(b" ", b"")
        bodies += [("E", b'mark "' + raw + b'"'), ("D", b"DENY r3 msr.r " + flat + b" pc=0x1 cost=1"), ("D", raw),
                   ("D", b"DENY r3 " + flat + b".r " + flat), ("D", flat + b" r1 mmio.w " + flat + b"+0x0/4=0x1"),
                   ("P", b"rule=r3 field=verdict old=" + flat + b" new=" + flat), ("X", raw), ("Q", raw),
                   ("L", b"lost=1 from=0 to=0 why=" + flat), ("E", b"windows " + flat + b"=0x0/0x1000"),
                   ("E", b"mon+ why=" + flat), ("E", b"mon- paused=" + flat)]
    words = [f"{key}={value.replace(' ', '')}" for key, value in zip(("build", "guest", "cpu"), EVIL)]
    guest = b"".join(text.encode("utf-8", "replace") + b"\r\n" for text in EVIL)
    return guest + log(*bodies, header=HEADER + b" " + " ".join(words).encode("utf-8", "replace"))


def numbers() -> bytes:
    """Numbers larger than the things that they count."""
    big = b"0x" + b"f" * 38
    many = b"9" * 40
    bodies = [("D", b"DENY r%s msr.r X pc=%s cost=%s n=%s last=999999999999.9" % (many, big, big, many)),
              ("A", b"ALLOW r1 mmio.r x+%s/%s=%s n=%s cost=%s" % (big, big, big, many, big)),
              ("S", b"dec=%s allow=%s r1=%s/%s r65535=1/1 r99999=1/1 part=%s" % (many, many, many, big, many)),
              ("S", b" ".join(b"r%d=%d/1" % (n, 1 << 63) for n in range(80))),
              ("L", b"lost=%s from=0 to=%s" % (many, many)), ("E", b"mon- paused=999999999999.999999999s"),
              ("E", b"guest+ entry=" + big), ("E", b"guest-mmu-on vbar=" + big),
              ("Z", b"seq=%s records=%s lost=%s guestbytes=%s reason=%s" % (many, many, many, many, many))]
    out = log(*bodies, header=HEADER.replace(b"62500000", b"1"))
    out += line("D", 10**19, DENIAL, "999999999999.999999999", ".9999")
    return out + line("H", 0, HEADER.replace(b"62500000", many), "0.000000000") + line("D", 1, DENIAL)


def many_sessions(count: int = 500) -> bytes:
    return b"".join(line("H", 0, HEADER, f"{n % 7}.000000000") + line("D", 1, DENIAL, "9.000000000")
                    for n in range(count))


def distinct(count: int = 6000) -> bytes:
    """All different: words, rules, registers, keys, CPUs, policies."""
    bodies = [("DAPES"[n % 5], f"W{n} r{n} c{n}.o{n} N{n} pc={n:#x} cost={n} k{n}={n} r{n % 70000}={n}/{n}".encode())
              for n in range(count)]
    return log(*bodies) + b"".join(line("H", 0, f"policy=p{n}#{n:08x} k{n}=1".encode(), cpu=f".{n % 600}")
                                   for n in range(600))


def batches() -> bytes:
    """Batches that end too early, hold too much, or are none."""
    bodies = [b"16 AQ", b"0 ", b"17 AQID", b"1 " + b"A" * 2000, b"1 !!!!", b"2 AQAAgICAgICAgICAgICAgIA", b"x", b""]
    return log(*(("B", body) for body in bodies), ("D", DENIAL))


LOGS: Dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "a whole one": lambda: log(
        ("E", b"guest+ entry=0x40000000 el=1"), ("D", DENIAL), ("D", DENIAL), ("S", b"dec=2 deny=2 r3=2/140"),
        ("Z", b"seq=6 records=6 lost=0 guestbytes=0 reason=poweroff")),
    "controls": controls,
    "numbers": numbers,
    "many sessions": many_sessions,
    "nothing twice": distinct,
    "batches": batches,
    "a policy that is a path": lambda: log(("D", DENIAL), header=HEADER.replace(b"default#", b"../../outside/secret#")),
    "a policy with a switch": lambda: log(("D", DENIAL), header=HEADER.replace(b"default#", b"--help#")),
    "UTF-16, cut in a character": lambda: b"\xff\xfe" + log(("D", DENIAL)).decode("latin-1").encode("utf-16-le")[:-1],
    "UTF-16, lone surrogates": lambda: b"\xff\xfe" + b"\x00\xd8" * 3000 + "\x1e@D 1".encode("utf-16-le"),
    "colours": lambda: b"\x1b[32m" * 3000 + log(("D", DENIAL)).replace(b"\x1e", b"\x1b[1m\x1b[32m\x1e"),
    "stamps": lambda: b"".join(b"2026-11-30T06:00:00.1Z " + each for each in log(("D", DENIAL)).splitlines(True))
    + b"12:" * 5000,
    "wrapped for ever": lambda: (b"\x1e@D 5 0.000000001 " + b"x" * 60 + b"\n" + (b"y" * 78 + b"\n") * 40) * 60,
    "no line end": lambda: b"\x1e@D 1 " + b"x" * 300_000,
    "no line end, no sentinel": lambda: b"@D 1 " * 60_000,
    "scraps": lambda: b"\x1e@" * 100_000 + b"\x1e" * 100_000 + b"\x1e@D 1 0.0\n" * 10_000,
    "spliced": lambda: (b"\x1e@D 1 0.000000001 " + b"a.b/c-d" * 9 + b": " + b"x" * 40 + b": y\n01 *01234567\n") * 2000,
    "gzip: many members": lambda: gzip.compress(b"x", mtime=0) * 20_000,
    "gzip: a bomb": lambda: gzip.compress(bytes(8_000_000), 9, mtime=0),
    "gzip: cut": lambda: gzip.compress(log(("D", DENIAL)), mtime=0)[:-9],
    "gzip: damaged": lambda: b"\x1f\x8b\x08" + b"\xff" * 100,
    "an ELF": lambda: b"\x7fELF" + bytes(range(256)) * 20,
    "JSON": lambda: b"[" * 100_000,
}


def elf(section: bytes) -> bytes:
    """A header, and one section header for what is named by its own contents."""
    return struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 183, 1, 0, 0, 64, 0, 64, 0, 0, 64,
                       len(section) // 64, 0) + section


def rules(**changes: object) -> bytes:
    whole: Dict[str, object] = {"policy": "default", "hash": "40b982f600000000", "mode": "enforce", "rules": row()}
    return json.dumps({**whole, **changes}).encode()


def row(**changes: object) -> List[object]:
    usual = {"rule": 3, "place": "policy/default.yaml:49", "text": "t", "why": "w", "section": "s", "name": "n"}
    return [{**usual, **changes}]


def source(**changes: object) -> List[object]:
    return [{"file": "policy/default.yaml", "sha256": "0" * 64, "text": "policy: 1\n" * 60, **changes}]


RULES: Dict[str, bytes] = {
    "right": rules(sources=source()),
    "source: absolute": rules(sources=source(file="/etc/passwd")),
    "source: canary": rules(sources=source(file="../outside/secret.yaml")),
    "source: a device": rules(sources=source(file="/dev/zero.yaml")),
    "source: markup": rules(sources=source(file="<script>", sha256="<img src=x>", text="<script>x</script>" + OSC + BIDI)),
    "source: wrong types": rules(sources=[*source(text=3), 4]),
    "sources: an object": rules(sources={"a": 1}),
    "sources: many": rules(sources=source() * 1000),
    "source: surrogates": rules(sources=source(file="\ud800", text="\udfff")),
    "wording: another's": rules(wording="0" * 8),
    "an ELF": elf(struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, 64, 1 << 62, 0, 0, 1, 0)),
    "an ELF of itself": elf(struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, 0, 128, 0, 0, 1, 0)),
    "an ELF of no sections": elf(b""),
    "absolute": rules(rules=row(place="/etc/passwd:1")),
    "canary, absolute": rules(rules=row(place="@SECRET@:1")),
    "canary, upwards": rules(rules=row(place="../outside/secret.yaml:1")),
    "upwards": rules(rules=row(place="policy/../../../../../../etc/passwd:1")),
    "not a policy": rules(rules=row(place="Makefile:1")),
    "a device": rules(rules=row(place="/dev/zero:1")),
    "controls": rules(policy=OSC + C1 + BIDI,
                      rules=row(place=f"{OSC}:{C1}:1", text=BIDI + "\n::error::x", why=OSC, name=C1)),
    "markup": rules(rules=row(place="</td><script>x</script>.yaml:1", text="<img src=x onerror=y>", why="'\"><b>")),
    "surrogates": rules(policy="\ud800", rules=row(place="\udfff:1", text="\ud800\udfff")),
    "wrong types": rules(rules=[3, None, "x", [], {"rule": "3", "place": 4}]),
    "rule: infinite": rules().replace(b'"rule": 3', b'"rule": 1e999'),
    "rule: true": rules(rules=row(rule=True)),
    "rule: negative": rules(rules=row(rule=-1)),
    "rule: long": rules().replace(b'"rule": 3', b'"rule": ' + b"9" * 5000),
    "rules: an object": rules(rules={"a": 1}),
    "hash: a number": rules(hash=40),
    "hash: null": rules(hash=None),
    "text: a list": rules(rules=row(text=["x"])),
    "not JSON": b"\xff\xfe\x00",
    "deep": b"[" * 200_000,
    "empty": b"",
    "NaN": b"NaN",
}

MAPS: Dict[str, bytes] = {
    "right": b"ffff800008010000 T vectors\nffff800008011a00 t do_idle\n",
    "controls": b"0000000040000000 T " + OSC.encode() + BIDI.encode() + b"\n0000000040001000 t <script>x</script>\n",
    "long": b"0" * 1_000_000 + b" T x\n" + b"0000000040000000 T " + b"y" * 1_000_000 + b"\n",
    "empty": b"",
}

MACHINES: Dict[str, bytes] = {
    "a command": b"touch owned #",
    "an object": b'{"qemu": "touch owned"}',
    "a program": json.dumps(["touch", "owned"]).encode(),
    "a file": json.dumps(["-M", "virt", "-drive", "file=/etc/passwd,format=raw"]).encode(),
    "a dump": json.dumps(["-M", "virt,dumpdtb=owned"]).encode(),
    "firmware": json.dumps(["-M", "virt,firmware=/etc/passwd"]).encode(),
    "a monitor": json.dumps(["-monitor", "exec:touch owned"]).encode(),
    "a space": json.dumps(["-cpu", "max -daemonize"]).encode(),
    "a shell": json.dumps(["-cpu", "max;touch owned"]).encode(),
    "a line end": json.dumps(["-cpu", "max\nshell touch owned"]).encode(),
    "twice": json.dumps(["-m", "1G", "-m", "1G"]).encode(),
    "odd": json.dumps(["-m"]).encode(),
    "numbers": json.dumps([1, 2]).encode(),
    "deep": b"[" * 100_000,
    "not JSON": b"\xff",
    "empty": b"",
}

WINDOWS: Dict[str, bytes] = {
    "controls": json.dumps([{"name": OSC + BIDI, "base": 0, "size": 1, "action": C1}]).encode(),
    "wrong types": json.dumps([1, None, {"name": 1}, {"name": "x", "base": 1.5, "size": True, "action": []}]).encode(),
    "huge": b'[{"name": "x", "base": 1e999, "size": 1, "action": "allow"}, {"name": "y", "base": ' + b"9" * 4000
            + b', "size": 1, "action": "allow"}]',
    "many": json.dumps([{"name": f"w{n}", "base": n, "size": 1, "action": "allow"} for n in range(20_000)]).encode(),
    "deep": b"[" * 100_000,
    "action: an object of objects": json.dumps(
        [{"name": "x", "base": 0, "size": 1, "action": {"read": {"a": 1}}}]).encode(),
}


def dtb_of_many_nodes(count: int = 300_000) -> bytes:
    """A tree of nothing but nodes."""
    tree = struct.pack(">II", 1, 0) + b"\0\0\0\1a\0\0\0\0\0\0\2" * count + struct.pack(">II", 2, 9)
    head = 40 + 16
    header = struct.pack(">10I", 0xd00dfeed, head + len(tree), head, head + len(tree), 40, 17, 16, 0, 0, len(tree))
    return header + bytes(16) + tree
