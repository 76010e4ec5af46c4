# SPDX-License-Identifier: Apache-2.0
"""The files of `make release` are complete, pass their checks, and are the same each time."""
import hashlib
import json
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

from vm import ROOT, make


def contents(folder: Path) -> "dict[str, str]":
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*")) if p.is_file()}


def record(kind: str, seq: int, body: str) -> bytes:
    text = f"@{kind} {seq} {seq}.000000000 {body} ".encode()
    return b"\x1e" + text + b"*%08x\r\n" % zlib.crc32(text)


def check_that_it_reads_its_own_logs(release: Path, folder: Path) -> None:
    """With Python alone, elsewhere: rules, lines of the policy and the guest's functions are in the release."""
    shutil.copytree(release, folder)
    rules, = (folder / "rules").iterdir()
    symbols, = (folder / "symbols").iterdir()
    said = json.loads(rules.read_text())
    denied = next(rule for rule in said["rules"] if rule["section"] == "sysregs" and rule["text"].startswith("default"))
    pc = next(int(line.split()[0], 16) for line in symbols.read_text().splitlines() if line.endswith(" read_pmccntr"))
    log = folder.parent / "uart.log"
    log.write_bytes(
        record("H", 0, f"hvl=1 build=x policy={said['policy']}#{said['hash'][:8]} rules={said['wording']} "
                       f"guest=diag#{symbols.stem} cpu=1 cntfrq=62500000 ring=16384 esc=^] log=text")
        + record("D", 1, f"DENY r{denied['rule']} msr.r PMCCNTR_EL0 pc={pc + 12:#x} el=1 cost=120 esr=0x6230e41b")
        + record("S", 2, f"dec=1 deny=1 r{denied['rule']}=1/120") + record("Z", 3, "seq=3 records=4 lost=0 guestbytes=0"))

    def decode(*words: str) -> str:
        done = subprocess.run([sys.executable, "-I", "-S", str(folder / "log_decode.py"), *words, str(log)], env={},
                              cwd=folder.parent, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done
        return done.stdout

    line = f"{denied['place']}  {denied['text']}"
    assert line in decode("why", "1") and "by read_pmccntr+0xc at EL1" in decode("why", "1")
    assert "change    an entry of its own in `sysregs:`: `PMCCNTR_EL0: allow`" in decode("why", "1")
    assert f"read_pmccntr+0xc (1)  r{denied['rule']} {denied['place']}" in decode("summary")
    assert "log complete" in decode("check") and denied["place"] in decode("html") and "read_pmccntr+0xc" in decode("trace")


def test_release_is_complete_and_reproducible(tree: Path, tmp_path: Path) -> None:
    first = make("release-files", "POLICY=strict", "B=build/one", tree=tree, cache=False)
    folder = tree / "build/one/release"
    assert "release:" in first.stdout
    names = set(contents(folder))
    assert {"charter.elf", "charter-debug.elf", "charter.bin", "charter.map", "VERSION", "SHA256SUMS",
            "policy-strict.json", "policy-strict.md", "policy-strict-verify.txt"} <= names
    assert "agrees with the reference evaluator" in (folder / "policy-strict-verify.txt").read_text()
    listed = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert listed == {name: digest for name, digest in contents(folder).items() if name != "SHA256SUMS"}
    for image in ("charter.elf", "charter-debug.elf", "policy-strict.json"):
        subprocess.run([sys.executable, "-m", "policygen", "diff", "strict", str(folder / image), "--gate", "any"],
                       cwd=ROOT, check=True)
    check_that_it_reads_its_own_logs(folder, tmp_path / "release")
    before = contents(folder)
    make("clean", "B=build/one", tree=tree)
    make("release-files", "POLICY=strict", "B=build/one", tree=tree, cache=False)
    assert contents(folder) == before
