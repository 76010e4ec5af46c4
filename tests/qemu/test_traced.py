# SPDX-License-Identifier: Apache-2.0
"""`log: { always, trace }`: a refusal's record is followed by the guest's return addresses."""
import re
import subprocess
from pathlib import Path

from vm import DECODER, bootargs, build, decode, machine, run

POLICY = """\
policy: 1
extends: strict
sysregs:
  AFSR0_EL1: { do: deny, log: { always, trace } }
  AFSR1_EL1: { do: deny, log: always }
"""


def calls(elf: Path) -> "dict[int, str]":
    """By the address behind each BL and BLR, as binutils disassembles them: the function around it."""
    text = subprocess.run(["aarch64-linux-gnu-objdump", "-d", str(elf)], stdout=subprocess.PIPE, text=True, check=True).stdout
    found, function = {}, ""
    for line in text.splitlines():
        head = re.match(r"[0-9a-f]+ <(\w+)>:", line)
        function = head.group(1) if head else function
        call = re.match(r" +([0-9a-f]+):\t[0-9a-f]{8} \tblr?\t", line)
        if call:
            found[int(call.group(1), 16) + 4] = function
    return found


def test_who_did_it_is_in_the_log(tree: Path, tmp_path: Path) -> None:
    (tree / "policy/traced.yaml").write_text(POLICY)
    elf = build("traced", tree=tree)
    done = run(machine(elf, "-no-reboot", *bootargs(tmp_path, "unattended=1 log=text")))
    log = tmp_path / "uart.log"
    log.write_bytes(done.stdout)
    there = calls(elf.parent / "guest.elf")
    traced = re.findall(rb"@D (\d+) \S+ DENY r\d+ msr\.[rw] AFSR0_EL1[^\n]*\n\x1e@E (\d+) \S+ trace lr=(\S+) ", done.stdout)
    refused = re.findall(rb"DENY r\d+ msr\.[rw] AFSR(\d)_EL1", done.stdout)
    assert len(traced) == 2 == done.stdout.count(b" trace lr=") and sorted(refused) == [b"0", b"0", b"1", b"1"], refused
    for seq, after, addresses in traced:
        assert int(after) == int(seq) + 1
        named = [there[int(text, 16)] for text in addresses.decode().split(",") if text != "0x0"]
        assert named[:2] == ["sysregs_run", "main"] and len(named) == 3, named
    symbols = ("--map", str(elf.parent / "guest.elf"))
    folded = decode(log, "folded", *symbols, "-f", "name==AFSR0_EL1").stdout
    assert re.search(r"^EL1;\w+;main;sysregs_run;read_AFSR0_EL1;DENY msr\.r AFSR0_EL1 1$", folded, re.M), folded
    shown = decode(log, "show", *symbols).stdout
    assert re.search(r"@E +called from sysregs_run\+0x\w+ < main\+0x\w+ < \w+\+0x\w+$", shown, re.M), shown[:3000]
    asked = [*DECODER, "why", traced[0][0].decode(), str(log), *symbols, "--policy", str(tree / "policy/traced.yaml")]
    why = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert re.search(r"^  callers   sysregs_run\+0x\w+ < main\+0x\w+ < \w+\+0x\w+$", why, re.M), why
    assert decode(log, "check").returncode == 0
    rule = re.findall(rb"DENY (r\d+) msr\.r AFSR0_EL1", done.stdout)[0]
    assert b", log always, trace" in run(machine(elf), stdin=b"policy show " + rule + b"\npoweroff\n").stdout
