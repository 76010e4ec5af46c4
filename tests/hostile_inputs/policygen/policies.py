# SPDX-License-Identifier: Apache-2.0
"""Policies, canonical forms, images and logs of an attacker, by name. Bytes are made here, not kept."""
from __future__ import annotations

import json
import struct
from random import Random
from typing import Any, Callable, Dict, Iterator, List, Tuple

EVIL = ["\x1b]0;owned\x07", "\x9b31m", "\u202ex\u2066", "\ud800", "\0", "*/ int x; /*",
        "*/\n#include \"/etc/hostname\"\n/*", "\"; system(\"touch x\"); //", "$(touch x)`touch x`;touch x",
        "</pre><script>x</script>", "| x | [a](http://x) |", "\n::error::x", "x: {allow}\nsysregs: {default: allow}",
        "{{ 7 * 7 }}{% x %}", "%s%n{}{0}", "\\", "é" * 40, "A" * 5000, "-o",
        "../../outside/secret", "/etc/passwd", "a b", "\u2028x", "\U0001f600"]
HEAD = "policy: 1\nname: t\nplatform: qemu-virt\n"
REST = {"sysregs": "{ default: deny }", "mmio": "{ default: deny }", "hvc": "{ default: deny }",
        "smc": "{ default: deny }", "exceptions": "{ default: forward }"}
PARENTS = ["a\0b", "x" * 5000, "\ud800", "../outside/secret", "../../../../../../../etc/passwd", "/etc/passwd",
           "x/../../outside/secret", "q*/x", "", ".", "..", "./", "link", "folder", "-", "~", "HEAD:strict", "t",
           "none", "strict.yaml/", "$(id)", "\n", "é"]


def policy(**said: str) -> bytes:
    lines = [HEAD] + [f"{key}: {value}\n" for key, value in {**REST, **said}.items()]
    return "".join(lines).encode("utf-8", "surrogatepass")


def quoted(text: str) -> str:
    return json.dumps(text)


def everywhere(text: str) -> Iterator[bytes]:
    """The text as a value and as a key, in every place of a policy."""
    q = quoted(text)
    yield policy(about=q, sysregs=f"{{ default: deny, core: {{ do: allow, why: {q} }} }}",
                 **{"assert": "{ a: { read: core, never: deny } }"})
    yield policy(waive=f"{{ {q}: {q} }}", features=f"{{ {q}: hide }}",
                 **{"assert": f"{{ {q}: {{ read: {q}, never: allow }} }}"})
    yield policy(sysregs=f"{{ default: deny, {q}: allow }}", hvc=f"{{ default: deny, {q}: {{ value: {q} }} }}",
                 mmio=f"{{ default: deny, {q}: {{ at: 0x0b000000, size: 4K, regs: {{ {q}: raz-wi }} }} }}")
    yield policy(mode=q, name=q, platform=q, policy=q)
    yield policy(tests=f"[ {{ read: {q}, expect: {{ {q}: {q} }}, from: {q} }} ]", exceptions=f"{{ default: {q} }}",
                 smc=f"{{ default: deny, PSCI_VERSION: {{ do: allow, where: {{ {q}: {q} }}, log: {q}, limit: {q} }} }}")
    yield policy() + f"# ignore PG201: {text}\n# {text}\n".encode("utf-8", "surrogatepass")


RAW: Dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"", "blank": lambda: b" \n\n", "zeros": lambda: b"\0" * 100,
    "not UTF-8": lambda: b"\xff\xfe" * 50,
    "lone carriage returns": lambda: policy().replace(b"\n", b"\r"), "mark": lambda: b"\xef\xbb\xbf" + policy(),
    "next line": lambda: policy().replace(b"\n", b"\xc2\x85"), "tabs": lambda: policy().replace(b": ", b":\t"),
    "ignores": lambda: policy() + b"".join(b"# ignore PG502: %d\n" % n for n in range(60000)) + b"x: 1\n",
    "ignores in vain": lambda: policy() + b"# ignore PG201: x\n" * 60000,
    "ignores in no form": lambda: policy() + b"# ignore PGxxx\n" * 60000,
    "aliases": lambda: b"a: &a [x]\n" + b"".join(b"b%d: &b%d [*a, *a]\n" % (n, n) for n in range(5000)),
    "deep": lambda: b"a: " + b"{a: [" * 50000, "deep blocks": lambda: b"\n".join(b" " * n + b"a:" for n in range(2000)),
    "a long line": lambda: policy(about="x" * (3 << 20)), "too long": lambda: policy() + b"#" * (5 << 20),
    "a number of a million digits": lambda: policy(hvc="{ default: deny, 0x1: { value: " + "9" * 1000000 + " } }"),
    "numbers": lambda: policy(mmio="{ default: deny, w: { at: 0xffffffffffffffffffff, size: 99999999999999999999G } }"),
    "many alike": lambda: policy(sysregs="\n  default: deny\n" + "".join(f"  S3_0_C15_C0_{n % 8}: deny\n"
                                                                         for n in range(5000))),
    "documents": lambda: b"--- {}\n" * 5000, "an ELF's first bytes": lambda: b"\x7fELF" + policy(),
}


# --- canonical forms --------------------------------------------------------------------------------------------

STRANGE: Tuple[Any, ...] = (None, True, False, 0, -1, 1 << 63, 10 ** 19, "", "\n", "a\nb", [], [[]], {}, {"x": 1},
                            [1, 2], "*/x/*", "allow", "default", [[0, 0xffffffff]], 0xffff)


def places(data: Any, path: Tuple[Any, ...] = ()) -> List[Tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path] + [place for key, value in inner for place in places(value, (*path, key))]


def mutated(form: Dict[str, Any], r: Random) -> bytes:
    """One to three values are replaced, one is missing, or one is there twice."""
    data = json.loads(json.dumps(form))
    for _ in range(r.randrange(1, 4)):
        path = r.choice(places(data)[1:])
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        how = r.randrange(4)
        if how == 0 and isinstance(inner, dict):
            del inner[path[-1]]
        elif how == 1 and isinstance(inner, list):
            inner.append(inner[0])
        else:
            inner[path[-1]] = r.choice(STRANGE) if how == 2 else r.choice([text for text in EVIL if text != "\ud800"])
    return json.dumps(data).encode()


FORMS: Dict[str, Callable[[Dict[str, Any]], bytes]] = {
    "cut": lambda form: json.dumps(form).encode()[:500], "a list": lambda form: b"{}" + json.dumps([form]).encode(),
    "spaces": lambda form: b"{" + b" " * (17 << 20), "deep": lambda form: b'{"entries":' + b"[" * 100000,
    "lists": lambda form: b'{"entries":[' + b"[]," * 2000000, "digits": lambda form: b'{"a":' + b"9" * 1000000 + b"}",
    "a float": lambda form: json.dumps({**form, "canonical": 1.0}).encode(), "nothing": lambda form: b"{}",
    "twice": lambda form: json.dumps(form).encode()[:-1] + b',"name":"x"}', "not UTF-8": lambda form: b'{"\xff":1}',
    "many entries": lambda form: json.dumps({**form, "entries": form["entries"][:1] * 30000}).encode(),
    "many windows": lambda form: json.dumps({**form, "windows": form["windows"][:1] * 30000}).encode(),
    "code": lambda form: json.dumps({**form, "files": ["x*/\nint x;\n/*"], "file": "*/ x /*"}).encode(),
    "a name that is code": lambda form: json.dumps({**form, "name": '"; int x; //'}).encode(),
    "a hash": lambda form: json.dumps({**form, "hash": "0x" + "f" * 100000}).encode(),
}


# --- ELF files --------------------------------------------------------------------------------------------------

def elf(text: bytes) -> bytes:
    """The smallest ELF file with a section .charter.policy."""
    names = b"\0.charter.policy\0.shstrtab\0"
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0, 0, 64 + len(text) + len(names), 0, 64, 56, 0, 64, 3, 2)
    rows = [(0, 0, 0, 0, 0, 0, 0, 0, 0, 0), (1, 1, 0, 0, 64, len(text), 0, 0, 1, 0),
            (17, 3, 0, 0, 64 + len(text), len(names), 0, 0, 1, 0)]
    return head + text + names + b"".join(struct.pack("<IIQQQQIIQQ", *row) for row in rows)


HUGE = ((1 << 64) - 1, 1 << 63, 1 << 40, 0xffffffff, 0xffff, 1, 0)


def broken_elves(text: bytes, r: Random, count: int) -> Iterator[bytes]:
    """A field of a header is huge, or bytes of headers are others."""
    good = elf(text)
    tables = len(good) - 3 * 64
    for at, form in ((0x28, "<Q"), (0x20, "<Q"), (0x3a, "<H"), (0x3c, "<H"), (0x3e, "<H"), (0x38, "<H"), (0x36, "<H"),
                     (tables + 64 + 24, "<Q"), (tables + 64 + 32, "<Q"), (tables + 128 + 24, "<Q"),
                     (tables + 64, "<I")):
        for value in HUGE[:3] if form == "<Q" else HUGE[4:] + (0xfffe,):
            data = bytearray(good)
            struct.pack_into(form, data, at, value & (1 << 8 * struct.calcsize(form)) - 1)
            yield bytes(data)
    for _ in range(count):
        data = bytearray(good)
        for _ in range(r.randrange(1, 6)):
            at = r.choice((r.randrange(4, 64), r.randrange(tables, len(good))))
            data[at] = r.choice((0, 1, 0x7f, 0x80, 0xff, r.randrange(256)))
        yield bytes(data)
    yield good[:100]
    yield b"\x7fELF"


# --- logs of the sweep and of the probe -------------------------------------------------------------------------

SWEEPS = {"numbers": b"sw start\nsw s r 4 0 1 0 0 :o" + b"f" * 40 + b"\n",
          "endless": b"sw start\nsw m r 8 0 1 0 0 :offffffffffffffff\n",
          "no step": b"sw start\nsw m r 8 0 0 0 0 :o9\n", "widths": b"sw start\nsw m r zz 0 1 0 0 :o9\n",
          "beyond": b"sw start\nsw s r 4 ffffffff 1 0 0 :o9\n", "controls": b"sw start\nsw \x1b[2J\n", "empty": b"",
          "carriage returns": b"\r" * 1000000, "calls": b"sw start\nsw h - 1 fffffffffff 1 0 0 :o9\n",
          "records": b"\n\x1e@D+ x\n" * 50000}
PROBES = {"start alone": b"pb start \n", "words": b"pb start 1\npb \n",
          "keys": b"pb start 1\npb none 0 r fffff o 0\npb end 2 1\n",
          "letters": b"pb start 1\npb none 0 r c000 \x1b 0\n", "huge": b"pb start " + b"f" * 1000 + b"\n", "empty": b"",
          "numbers": b"pb start 1\npb alone ffff r ffff o 1\npb none 1 w ffff o 0\npb nothere ffff\npb end 4 4\n"}
