# SPDX-License-Identifier: Apache-2.0
"""gdb's side of the line: every register there and back, memory, points; no input wedges the monitor."""
from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hvl_host import MONITOR, build, run

REGISTERS = [f"x{i}" for i in range(31)] + ["sp", "pc"]


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("monitor_host", MONITOR, tmp_path_factory.mktemp("gdb"))


def packet(text: bytes) -> bytes:
    out = b"".join(bytes([0x7D, b ^ 0x20]) if b in b"$#}*" else bytes([b]) for b in text)
    return b"$" + out + b"#%02x" % (sum(out) & 255)


def answers(wire: bytes) -> Tuple[List[bytes], bytes]:
    """The packets between gdb+ and gdb-, checksums checked; and the bytes behind."""
    between = wire.split(b"gdb+", 1)[1].split(b"\n", 1)[1]
    found: List[bytes] = []
    while True:
        start = between.find(b"$")
        record = between.find(b"\x1e")
        if start < 0 or 0 <= record < start:
            return found, between
        end = between.index(b"#", start)
        body = between[start + 1:end]
        assert int(between[end + 1:end + 3], 16) == sum(body) & 255
        found.append(body)
        between = between[end + 3:]


def ask(host: Path, *questions: bytes, args: Tuple[str, ...] = ()) -> List[bytes]:
    wire, _ = run(host, b"gdb\n" + b"".join(map(packet, questions)) + packet(b"D"), ["key", *args], 0)
    found, _ = answers(wire)
    assert found.pop() == b"OK"
    assert len(found) == len(questions), found
    return found


def test_every_register_there_and_back(host: Path) -> None:
    values = [0x1122334455660000 + i for i in range(33)]
    everything = b"".join(v.to_bytes(8, "little").hex().encode() for v in values) + b"c5030060"
    assert ask(host, b"G" + everything, b"g") == [b"OK", everything]
    writes = [b"P%x=%s" % (i, v.to_bytes(8, "little").hex().encode()) for i, v in enumerate(values)]
    reads = [b"p%x" % i for i in range(33)]
    found = ask(host, *writes, *reads, b"P21=c9030000", b"p21", b"p22")
    assert found[:33] == [b"OK"] * 33
    assert found[33:66] == [v.to_bytes(8, "little").hex().encode() for v in values]
    # A guest cannot be in EL2h; and there is no 35th register.
    assert found[66:] == [b"E01", b"c5030000", b"E01"]


def test_memory_and_points(host: Path) -> None:
    args = ("@0x1000=0x8877665544332211",)
    found = ask(host, b"m40001000,8", b"M40001000,2:beef", b"X40001002,2:$}", b"m40001000,8", b"m0,8", b"M0,1:00",
                b"X40001000,0:", b"Z0,40002000,4", b"Z0,40002000,4", b"Z2,40001000,4", b"Z2,40001006,4",
                b"z0,40002000,4",
                b"Qqemu.PhyMemMode:1", b"m40001000,2", args=args)
    assert found == [b"1122334455667788", b"OK", b"OK", b"beef247d55667788", b"E01", b"E01", b"OK", b"OK", b"OK", b"OK",
                     b"E01", b"OK", b"OK", b"beef"]


def test_questions_about_the_target(host: Path) -> None:
    found = ask(host, b"qSupported:multiprocess+", b"qXfer:features:read:target.xml:0,3ff",
                b"qXfer:features:read:target.xml:3ff,fff", b"?", b"qC", b"qfThreadInfo", b"qsThreadInfo", b"Hg0",
                b"vCont?", b"vMustReplyEmpty", b"")
    assert b"qXfer:features:read+" in found[0]
    xml = found[1][1:] + found[2][1:]
    assert found[1][:1] == b"m" and found[2][:1] == b"l" and xml.startswith(b"<?xml") and xml.endswith(b"</target>")
    assert xml.count(b"<reg ") == 34
    assert found[3:] == [b"T02thread:1;", b"QC1", b"m1", b"l", b"OK", b"vCont;c;C;s;S", b"", b""]


def test_the_monitor_through_gdb(host: Path) -> None:
    wire, _ = run(host, b"gdb\n" + packet(b"qRcmd," + b"status".hex().encode()) + packet(b"D"), ["key"], 0)
    found, _ = answers(wire)
    text = b"".join(bytes.fromhex(f[1:].decode()) for f in found[:-2])
    assert b"policy  lockdown" in text and found[-2:] == [b"OK", b"OK"]


def test_gdb_lets_the_guest_go_on_and_is_told_of_the_stop(host: Path) -> None:
    """c and s, with an address or without; the answer is the next stop's. k is the end of the machine."""
    for packets, why, answer in ((b"c", "watchpoint", b"T05watch:1234;thread:1;"), (b"s", "step", b"T05thread:1;"),
                                 (b"c40001000", "breakpoint", b"T05thread:1;"), (b"vCont;c", "key", b"T02thread:1;")):
        wire, _ = run(host, b"gdb\n" + packet(packets) + packet(b"p20") + packet(b"D"),
                      ["key", "pc=0x40000010", "--", why, "far=0x1234"], 0)
        found, _ = answers(wire)
        pc = 0x40001000 if packets == b"c40001000" else 0x40000010
        assert found == [answer, pc.to_bytes(8, "little").hex().encode(), b"OK"], (packets, found)
    wire, said = run(host, b"gdb\n" + packet(b"k"), ["key"], 2)
    assert b"gdb-" in wire and "end: poweroff" in said


def test_what_cannot_be_done_is_an_error(host: Path) -> None:
    assert ask(host, b"M40001000,2:be", b"M40001000,2", b"M40001000,2:bxyz", b"X40001000,3:ab", b"P21=ff", b"G00",
               b"Z0,", b"m40001000,10000000000000000") == [b"E01"] * 8
    wire, _ = run(host, b"gdb\n" + packet(b"QStartNoAckMode") + b"$qC#00" + packet(b"qAttached") + b"-" + b"$qC\xfe"
                  + b"poweroff\n", ["key"], 2)
    found, rest = answers(wire)
    assert found == [b"OK", b"1", b"1"] and b"gdb mode ended" in rest


def test_three_broken_packets_give_the_prompt_back(host: Path) -> None:
    wire, _ = run(host, b"gdb\n" + b"$g#00" * 3 + b"poweroff\n", ["key"], 2)
    assert b"gdb-" in wire and b"gdb mode ended" in wire


NOISE = st.one_of(st.binary(max_size=60), st.binary(max_size=40).map(packet), st.sampled_from(
    [b"g", b"G00", b"m40000000,fff", b"m,", b"M40000000,4:zz", b"Xffffffffffffffff,8:abcdefgh", b"Z9,1,1", b"qRcmd,zz",
     b"p", b"P1", b"vCont;", b"H", b"qXfer:features:read:target.xml:ffff,ffff"]).map(packet),
    st.just(b"$" + b"a" * 3000 + b"#00"))


@settings(max_examples=80, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(NOISE, max_size=12))
def test_nothing_that_is_sent_wedges_it(host: Path, noise: List[bytes]) -> None:
    """Whatever is sent, the next prompt or the end of the input is reached."""
    run(host, b"gdb\n" + b"".join(noise) + b"$g#00" * 4 + b"\x03\npoweroff\n", ["key"], None)
