# SPDX-License-Identifier: Apache-2.0
"""The monitor: input of operators and scripts; no state of the guest makes it fail."""
from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Dict, List, Tuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hvl_host import MONITOR, ROOT, Record, build, check_sequence, decode, run

RESUMED, SKIPPED, OFF, INPUT_ENDED = range(4)
RAM = 0x40000000
COMMANDS = ["status", "regs", "sysregs", "el2", "bt", "x", "find", "xlat", "map", "policy", "why", "traps", "log",
            "mark", "dump", "cont", "reset", "poweroff", "help", "hist", "w", "dis", "rule", "step", "until", "bp",
            "wp", "set", "inject", "gdb", "time", "echo"]


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("monitor_host", MONITOR, tmp_path_factory.mktemp("monitor"))


def type_(host: Path, keys: bytes, *args: str, why: str = "key", expect: int = RESUMED) -> Tuple[List[Record], str]:
    """The monitor's output for these keys, with the echo; the records around it are checked."""
    wire, _ = run(host, keys, [why, *args], expect)
    records, text = decode(wire)
    check_sequence(records)
    return records, text.decode("latin-1")


def say(host: Path, *commands: str, args: Tuple[str, ...] = ()) -> List[str]:
    """The lines that each command printed."""
    _, text = type_(host, "".join(c + "\n" for c in (*commands, "cont")).encode(), *args)
    parts = text.split("hv> ")[1:-1]
    assert all(len(line) <= 80 or "@" in line for line in text.split("\r\n")), text
    assert "\n" not in text.replace("\r\n", "")
    return ["\n".join(part.split("\r\n")[1:]).rstrip("\n") for part in parts]


def test_it_opens_and_closes_with_records(host: Path) -> None:
    records, text = type_(host, b"cont\n")
    kinds = [(r.kind, r.body.split(" paused")[0]) for r in records if r.kind in "EH"]
    assert [k for k, _ in kinds] == ["H", "E", "E", "E", "E", "H", "E"]
    events = [b for k, b in kinds if k == "E" and not b.startswith("windows ")]
    assert events == ["boot", "mon+ why=key", "mon-"]
    assert text == "hv> cont\r\n-- guest resumes --\r\n"


@pytest.mark.parametrize("keys", [b"cont\n", b"cont\r", b"cont\r\n", b"\r\ncont\r\n", b"\x04", b"  co  \n", b"cont"
                                  b"\x15\n\x04"])
def test_every_line_end_and_ctrl_d_let_the_guest_go_on(host: Path, keys: bytes) -> None:
    type_(host, keys)


def test_a_script_of_commands_can_be_piped(host: Path) -> None:
    records, text = type_(host, b"status\npoweroff\n", expect=OFF)
    assert "policy  lockdown#3b1c77aa  11 rules, 2 hit" in text
    assert [r.kind for r in records][-2:] == ["S", "Z"] and "mon-" in [r.body[:4] for r in records]


def test_nobody_there_means_no_waiting(host: Path) -> None:
    records, text = type_(host, b"", "unattended=1", expect=SKIPPED)
    assert text == "" and not [r for r in records if "mon+" in r.body]


@pytest.mark.parametrize("why", ["panic", "kill"])
def test_a_guest_that_is_gone_does_not_go_on(host: Path, why: str) -> None:
    _, text = type_(host, b"cont\n\x04poweroff\n", why=why, expect=OFF)
    assert text.count("the guest can not go on") == 2


def test_help_names_every_command(host: Path) -> None:
    overview, one, bad = say(host, "help", "help xlat", "help frob")
    words = overview.split()
    assert all(c in words for c in COMMANDS)
    assert one == "xlat ADDR\n  both stages of the translation, level by level"
    assert bad == "no command 'frob'; `help` lists them"


def test_prefixes_and_mistakes(host: Path) -> None:
    out = say(host, "pol h", "st", "frob", "x", "x/4q 0", "xlat", "status now", "x $nix", "log mode loud",
              "policy show r99", "x 0x1ffffffffffffffff", "x ipa:", "find 0 99999G a", "why 999", "mark", "policy what")
    assert "device" not in out[0] and "policy/test.yaml:20" in out[0]
    assert out[1] == "'st' is status or step"
    for text in out[2:]:
        assert text and "\n" not in text.strip("\n"), text


def test_history_and_editing(host: Path) -> None:
    records, text = type_(host, b"markk\x7f abc\x1b[D\x1b[DX\r\x1b[A\x1b[B\x1b[A\x1b[A\r" b"hist\n\x1b\x1bOP"
                                b"junk \x17\x15cxnt\x01\x1b[C\x1b[3~o\x05\n")
    assert [r.body for r in records if "mark" in r.body] == ['mark "aXbc"'] * 2
    assert "mark aXbc\r\nhist" in text  # equal lines are kept once
    _, text = type_(host, b"po\x03co\t\n")
    assert "^C" in text and "cont \r\n" in text


def test_tab_completes_or_lists(host: Path) -> None:
    _, text = type_(host, b"p\t\t\x15xl\t\x15c\t\n")
    assert "  policy poweroff\r\n" in text and "hv> po" in text and "xlat " in text


def test_tab_completes_arguments(host: Path) -> None:
    _, text = type_(host, b"pol f\t\x15log m\tq\t\x15inj \t\x15sys tim\t\x15help xl\t\x15help wp\t\x15"
                    b"rule r1 \t\x15cont\n")
    for seen in ("pol find ", "log mode quiet ", "  undef serror abort irq\r\n", "sys timer ", "help xlat ",
                 "  would stop reset\r\n"):
        assert seen in text, (seen, text)


def test_a_program_at_the_prompt(host: Path) -> None:
    """In machine mode each command ends in `ok`, or in one line with the reason why not."""
    keys = b"echo off\nset prompt \"\"\nset machine on\n"
    _, text = type_(host, keys + b"policy hash\nfrob\nst\nx 0x1000000000000\nbp 1\nset columns 3\n"
                    b"set prompt \"0123456789abcdef\"\nwhy 999\nwhy\n\ndis 0x1000000000000\ntime now\n"
                    b"set prompt > \nset machine maybe\necho on\npolicy hash\nset machine off\npolicy hash\ncont\n")
    lines = [line.removeprefix("> ") for line in text.split("\r\n")]
    assert lines[0] == "hv> echo off" and lines[1] == "hv> ok" and lines[2].startswith("lockdown#")
    ends = [line.partition(" ")[0] for line in lines[1:] if line.endswith("ok") or line.startswith("err: ")]
    assert ends == ["hv>", "ok", *["err:"] * 7, "ok", "err:", "err:", "ok", "err:", "ok", "ok"], text
    assert "err: 'st' is status or step" in lines
    assert lines[-6:] == ["set machine off", "policy hash", lines[2], "cont", "-- guest resumes --", ""], text


def test_a_line_is_edited_without_an_echo_too(host: Path) -> None:
    records, text = type_(host, b"echo off\nmarx\x7fk it\ncont\n")
    assert 'mark "it"' in [r.body for r in records] and "mar" not in text


@pytest.mark.parametrize("nobody", [False, True])
def test_a_script_comes_before_the_keys(host: Path, nobody: bool) -> None:
    args = ("init=policy hash; mark one;;mark two", *(("unattended=1",) if nobody else ()))
    records, text = type_(host, b"" if nobody else b"mark three\n\x04", *args, why="init")
    marks = [r.body for r in records if r.body.startswith("mark")]
    assert marks == ['mark "one"', 'mark "two"', 'mark "three"'][:2 if nobody else 3]
    assert text.startswith("hv> policy hash\r\nlockdown#") and "hv> mark one\r\n" in text


def test_nobody_asks_a_script_about_a_guest_that_is_gone(host: Path) -> None:
    type_(host, b"", "unattended=1", "init=cont", why="kill", expect=SKIPPED)


def test_long_lines_end_with_a_bell(host: Path) -> None:
    _, text = type_(host, b"a" * 300 + b"\x15cont\n")
    assert text.count("\a") == 300 - 119


@pytest.mark.parametrize("columns", [80, 40])
def test_a_line_longer_than_the_terminal_moves_under_the_cursor(host: Path, columns: int) -> None:
    """On a terminal of exactly these columns, the line never runs into the next row."""
    typed = "mark " + "".join(chr(ord("a") + i % 26) for i in range(105))
    keys = f"{typed}\x7f\x7f".encode() + b"\x1b[D" * 90 + b"Q" + b"\x05" + b"Z" + b"\x1b[A\x1b[B\n\x04"
    records, text = type_(host, f"set columns {columns}\n".encode() + keys)
    text = text[text.index("hv> ", 10):]
    row, at = [" "] * columns, 0
    for ch in text[:text.index("\n")]:
        if ch == "\r":
            at = 0
        elif ch == "\b":
            at -= 1
        else:
            row[at] = ch        # IndexError: beyond the last column
            at += 1
        assert 0 <= at < columns
    assert "".join(row).rstrip() == "hv>"       # history: down from the newest is the empty line
    records, text = type_(host, typed.encode() + b"\x01\x1b[C\x05\x7f\n\x04")
    assert f'mark "{typed[5:-1]}"' in [r.body for r in records]


def test_break_is_ignored_and_eof_is_bounded(host: Path) -> None:
    type_(host, b"sta", expect=INPUT_ENDED)


def test_memory_is_shown_in_units(host: Path) -> None:
    args = ("@0x1000=0x4847464544434241", "@0x1008=0x0011223344556677", "x1=0x40001000")
    out = say(host, "x/2x 0x40001000", "x/4b $x1+1", "x/2w ipa:0x40001000", "x pa:0x42001000", "x/2h $x1 - 1 + 1",
              "x/2x 0x403ffff8", "x 0x9000000", "x ipa:0x9000000", "x pa:0x9000000", args=args)
    assert out[0] == "0x40001000: 0x4847464544434241 0x0011223344556677  ABCDEFGHwfUD3\"."+"."
    assert out[1] == "0x40001001: 0x42 0x43 0x44 0x45  BCDE"
    assert out[2] == "ipa:0x40001000: 0x44434241 0x48474645  ABCDEFGH"
    assert out[3] == "pa:0x42001000: 0x4847464544434241  ABCDEFGH"
    assert out[4] == "0x40001000: 0x4241 0x4443  ABCD"
    assert out[5].splitlines()[1] == ("0x40400000: no translation: translation fault, level 1, stage 1; "
                                      "see xlat")
    assert out[7] == "ipa:0x9000000: ipa 0x9000000 is no RAM: window uart0"
    assert out[8] == "pa:0x9000000: not RAM that EL2 may read"


def test_text_and_numbers_are_found(host: Path) -> None:
    args = ("@0x100f8=0x2078756e694c2020", "@0x10100=0x206e6f6973726576", "@0x20000=0x00000000deadbeef")
    out = say(host, 'find ipa:0x40000000 4M "Linux version"', "find 0x40000000 64M 0xdeadbeef", args=args)
    assert out[0] == "ipa:0x400100fa\n1 found"
    assert out[1] == "0x40020000\n1 found"
    assert say(host, "find 0xffffffffffffe000 0x1fff 1") == ["0 found"], "up to the last address there is"


def test_frames_are_followed_until_they_end(host: Path) -> None:
    args = ("pc=0x40000010", "x29=0x40001000", "x30=0x40000020", "@0x1000=0x40001010", "@0x1008=0x40000030",
            "@0x1010=0x40001000", "@0x1018=0x40000040")
    out, = say(host, "bt", args=args)
    assert re.findall(r"#\d\s+(0x\w+)", out) == ["0x40000010", "0x40000020", "0x40000030", "0x40000040"]
    for end in ("@0x1008=0", "x29=0x40001004", "x29=0", "x29=0x9000000"):
        out, = say(host, "bt", args=(*args, end))
        assert len(out.splitlines()) == 3 and out.endswith("(the chain of frame pointers ends)"), end


def tables(va: int, leaf: int, start: int = 0) -> Dict[str, str]:
    """4K tables for one VA: RAM words and registers as arguments; the levels lie at 0x10000, 0x11000, ..."""
    words: Dict[str, str] = {}
    for level in range(start, 4):
        at = 0x10000 + 0x1000 * (level - start) + (va >> (39 - 9 * level) & 0x1FF) * 8
        words[f"@{at:#x}"] = hex(leaf if level == 3 else RAM + 0x11000 + 0x1000 * (level - start) | 3)
    return words


def walk_args(words: Dict[str, str], tcr: int = 0x32B5503510, upper: bool = True) -> Tuple[str, ...]:
    registers = {"sctlr_el1": "0x1005", "tcr_el1": hex(tcr), "mair_el1": "0xff440c0400",
                 "ttbr1_el1" if upper else "ttbr0_el1": hex(RAM + 0x10000), "vttbr_el2": hex(1 << 48 | 0x40110000)}
    return tuple(f"{k}={v}" for k, v in (*registers.items(), *words.items()))


def test_a_walk_shows_both_stages_and_the_policy(host: Path) -> None:
    va = 0xFFFF80000A3BBD60
    out, = say(host, f"xlat {va:#x}", args=walk_args(tables(va, 0x00680000400AB713)))
    lines = out.splitlines()
    assert lines[0].startswith("stage 1  TTBR1 0x40010000  4K, 48-bit VA, ASID ")
    assert [line.split()[0] for line in lines[1:5]] == ["L0[0x100]", "L1[0x000]", "L2[0x051]", "L3[0x1bb]"]
    assert lines[4].endswith("page 4K  EL1 RW- EL0 ---") and "MAIR 0xff Normal WB, inner sh., AF" in lines[5]
    assert lines[6] == "  -> ipa 0x400abd60"
    assert "block 2M  RWX, MemAttr 0xf normal WB, AF" in out and "-> pa 0x420abd60" in out
    assert out.splitlines()[-1].startswith("AT S12E1R")


def test_a_guarded_page_names_its_line(host: Path) -> None:
    out, other, shown, ranges = say(host, "xlat ipa:0x40200010", "xlat ipa:0x40201010", "policy show r10", "map")
    assert out.splitlines()[-2:] == ['  region "ram"  r10 policy/test.yaml:25', "    text: { at: 0x40200000, size: 4K, may: rx }"]
    assert 'region "ram": mapped whole' in other
    assert "effect: refused: permission fault" in shown and "why: patched by nobody" in shown
    assert "r10" not in ranges, "the table of this host has one permission for all of RAM, from a page that is not guarded on"


def test_walks_that_end_early_say_where(host: Path) -> None:
    va = 0x0000123456789000
    full = tables(va, 0)
    invalid, = say(host, f"xlat {va:#x}", args=walk_args(full, upper=False))
    assert "-> invalid: translation fault, level 3" in invalid
    loop = {**full, list(full)[1]: hex(RAM + 0x10000 | 3)}  # a table that points back at the first
    assert "-> " in say(host, f"xlat {va:#x}", args=walk_args(loop, upper=False))[0]
    away = {**full, list(full)[0]: hex(0x7F0000000003)}
    assert "-> the table is not in guest RAM" in say(host, f"xlat {va:#x}", args=walk_args(away, upper=False))[0]
    gap, epd, big = (say(host, *q, args=walk_args({}, t, False))[0] for q, t in (
        (["xlat 0x0010000000000000"], 0x32B5503510), (["xlat 0x1000"], 0x32B5503510 | 0x80),
        (["xlat 0x1000"], 0x32B5503510 | 0x4000)))
    assert "neither TTBR0_EL1 nor TTBR1_EL1" in gap and "EPD0 = 1" in epd and "a 64K granule" in big
    off, ipa, pa = say(host, "xlat 0x40000000", "xlat ipa:0x9000018", "xlat pa:0x0", args=("sctlr_el1=0",))
    assert off.startswith("stage 1 is off") and "AT S12E1R agrees." in off
    assert "not mapped: accesses trap" in ipa and 'window "uart0"+0x18  r2 policy/test.yaml:20' in ipa
    assert "give a VA" in pa


def test_the_guests_par_is_put_back(host: Path) -> None:
    out = say(host, "xlat 0x40000000", "sysregs par", args=("par_el1=0x1234",))
    assert out[1] == "PAR_EL1          0x0000000000001234"


def test_the_map_has_windows_and_ram(host: Path) -> None:
    out, = say(host, "map")
    assert out.splitlines() == [
        "ipa 0x08000000-0x0800ffff  trap  gicd       r2 policy/test.yaml:20  9733 hits",
        "ipa 0x09000000-0x09000fff  trap  uart0      r2 policy/test.yaml:20  9733 hits",
        "ipa 0x09010000-0x09010fff  RW-   direct     r9 policy/test.yaml:21  4K x1",
        "ipa 0x0a000000-0x0a003fff  trap  virtio     r2 policy/test.yaml:20  9733 hits",
        "    transport 31: disk, status 0x4f, 7 requests, 2 refused, held back 3 times",
        "      broken 1 times, last by chain-length",
        "ipa 0x40000000-0x403fffff  RWX   ram        pa 0x42000000  2M x2",
        "everything else: `default` under mmio decides"]


def test_decisions_are_explained(host: Path) -> None:
    why, older, show, find, digest, traps, by_rule = say(
        host, "why", "why 3", "policy show r1", "policy find pmu", "policy hash", "traps", "traps -r")
    assert why == older and "decided so 34 times" in why
    for text in ("@D 3 ", " DENY r1 msr.", "r1  policy/test.yaml:11  (sysregs)", "pmu: deny",
                 "why: no performance counters",
                 "effect: refused: UNDEFINED instruction", "policygen explain tests/lockdown.yaml \"@D 3 ...\"",
                 "`rule r1 would`", "`rule r1 stop`", "an entry for it beside policy/test.yaml:11"):
        assert text in why
    assert "WOULD  0 hits" in show and "r1" in find and digest.startswith("lockdown#3b1c77aa01234567")
    assert re.search(r"^mmio +9733  99\.6", traps, re.M) and re.search(r"^total +9767 100\.0", traps, re.M)
    assert re.search(r"^r2 +9733 .*policy/test.yaml:20", by_rule, re.M)


def test_costs_are_spread_and_counted_anew(host: Path) -> None:
    first, cleared, empty, hits = say(host, "traps", "traps clear", "traps", "policy hits")
    head, sysregs, mmio, _ = first.splitlines()
    assert head.split()[-4:] == ["p50", "p95", "max", "top"]
    cost = [f"{int(t.rstrip('us').replace('.', '')) / 10:.1f}" for t in sysregs.split()[-4:-1]]
    # One record of 388 ticks (62.5 MHz): percentiles to an eighth, the most exactly. Rows without records have none.
    assert 388 * 0.016 * 7 / 8 - 0.1 <= float(cost[0]) == float(cost[1]) <= 6.2 and cost[2] == "6.2", sysregs
    assert mmio.split()[-4:-1] == ["-", "-", "-"] and "from boot" in cleared
    assert re.search(r"^total +0 +0\.0", empty, re.M) and "mmio" not in empty
    assert "9733" in hits, "what is evidence is not cleared"


def test_time_may_be_shown_to_the_guest(host: Path) -> None:
    records, text = type_(host, b"time\ntime hide off\nstatus\ntime hide on\nstatus\ntime hide maybe\ncont\n")
    assert [r.body for r in records if "time" in r.body] == ["set time.hide=off", "set time.hide=on"]
    assert "CNTVCT does too" in text and "this stop is not" in text and "(CNTPCT shows it)" in text
    assert "time hide on | off" in text


def test_registers_are_taken_apart(host: Path) -> None:
    regs, spsr, tcr, el2 = say(host, "regs", "sysregs spsr_el1", "sysregs tcr_el1", "el2",
                               args=("spsr_el1=0x600003c5", "tcr_el1=0x32b5503510", "x3=0x42"))
    assert "x3  0x0000000000000042" in regs and "EL1h nzcv DAIF" in regs and "EC=0x18 SYSREG: msr." in regs
    assert spsr.endswith("EL1h nZCv DAIF")
    assert "T0SZ=16" in tcr and "T1SZ=16" in tcr and " TBI0" in tcr
    assert "stack   0 of 8192 bytes used at most" in el2


def test_state_changes_leave_records(host: Path) -> None:
    records, _ = type_(host, b'mark "say \\ it"\nlog mode quiet\nlog dump\ncont\n')
    events = [r.body for r in records if r.kind == "E"]
    assert 'mark "say \\\\ it"' in events and "set log=quiet" in events
    assert [r for r in records if r.kind == "H"][-1].body.endswith("log=quiet")
    assert [r for r in records if r.kind == "S"]


def test_the_tail_is_for_people(host: Path) -> None:
    tail, el2, cleared, none, why = say(host, "log tail 3", "el2", "log clear", "log tail", "why 3")
    assert [line.split()[0] for line in tail.splitlines()] == ["@E", "@D", "@E"]
    assert re.search(r"^trail   -+s- ", el2, re.M) and "nothing was dropped" in cleared
    assert not none and "@D 3" in why


PAUSE, BREAK = b"\xff", b"\xfe"                    # as fake.c has them


ASKED = "\x1b7\x1b[999;999H\x1b[6n\x1b8"           # DECSC, CUP, DSR 6, DECRC of ECMA-48 and VT100


def test_a_person_is_shown_pages_and_a_script_is_not(host: Path) -> None:
    """Pages of the terminal's height, if it says how high it is."""
    many = b"find 0x40000000 800 0\n"
    _, text = type_(host, many + b"cont\n")
    assert "-- more --" not in text and ASKED not in text and text.count("\r\n0x40000") == 797 and "797 found" in text
    for told, page in ((PAUSE, 199), (b"\x1b[50;132R", 49), (b"\x1b[24;80R", 23), (b"\x1b[2;80R", 199), (b"\x1b[24;9R", 23),
                       (b"\x1b[24" + PAUSE, 199), (b"\x1b[;R", 199)):
        whole = -(-797 // page)
        for more, shown, ended in ((b" " * whole, 797, True), (BREAK + b"\r\n" + b" " * whole, 797, True),
                                   (b" q", 2 * page, False), (b"\x03", page, False), (b"\x1b", page, False)):
            _, text = type_(host, PAUSE + many + told + more + b"\x15cont\n")
            assert text.count(ASKED) == 1
            lines = text.replace(ASKED, "").replace("-- more --\r          \r", "")
            assert lines.count("\r\n0x40000") == shown, (told, more)
            assert ("797 found" in text) == ended and "frob" not in text, more
    assert "-- more --\r          \r" in text
    for lists in (b"dis 0x40001000 300\n", b"x/4000b 0x40001000\n"):
        _, text = type_(host, PAUSE + lists + PAUSE + b"qcont\n")
        assert text.count("-- more --") == 1 and text.endswith("hv> cont\r\n-- guest resumes --\r\n"), lists


def test_after_a_minute_of_silence_there_is_a_hint(host: Path) -> None:
    _, text = type_(host, PAUSE + PAUSE + b"cont\n")
    assert text.count("\a\r-- the guest stands still: `cont` lets it go on, `help` helps --\r\n") == 1
    _, text = type_(host, PAUSE + b"c" + PAUSE + PAUSE + b"ont\n")
    assert "the guest stands still" not in text, "somebody is in the middle of a line"


def test_words_behind_what_is_whole_are_complaints_and_change_nothing(host: Path) -> None:
    commands = ["reset now", "poweroff now", "gdb now", "hist now", "map now", "rule r1 maybe", "rule r1 stop now",
                "bp 0x40001000 if x1 == 1", "bp 0x40001000 if $x31 == 1", "bp 0x40001000 if $x1 = 1",
                "bp 0x40001000 if $x1 >", "bp 0x40001000 if $x1 > 1 now", "until rule r99", "until seq 0",
                "until seq 999 now", "until lr now", "until frob", "until 1.5", "until 9999999s", "step 0",
                "step now", "dis ipa:0x40001000", "dis 0x40001000 1 now", "log live maybe", "log live on now",
                "dump now", "traps now", "bt now", "x 0x", "x 99999999999999G",
                "x/99999999999999999999b 0", "help frob", "status now",
                "log mode text now", "log level sys text now", "log tail now", "find 0x40000000 4K", "policy find",
                "why 0", "why 3 now", "why me", "step frob", "wp w 0x40001000 99999999999999999999",
                "echo maybe", "regs now", "sysregs frob", "inject serror now",
                "inject undef now", "inject abort 0x10 now", "set $x1 = 1 now", "x 0x40000000 +", "x $esr +",
                "set $far = 1", "w4 0x40001000 1 now", "time hide on now"]
    keys = "".join(f"{c}\nmark {i}\n" for i, c in enumerate(commands)).encode()
    records, text = type_(host, b"set machine on\n" + keys + b"rule\nbp -l\nlog mode\ncont\n")
    answers = text.split("hv> ")[2:-1]
    silent = [answer for answer in answers[:2 * len(commands):2] if not answer.split("\r\n")[1].startswith("err: ")]
    assert not silent and len(answers) >= 2 * len(commands), silent
    said = [r.body for r in records if re.match(r"set|rule=|write|inject|gdb|reset", r.body)]
    assert not said, said
    assert "0 rules changed" in text and "0 of 6 breakpoints in use" in text and "mode text" in text


def test_a_key_ends_a_long_search(host: Path) -> None:
    """A person's, not the next line of a script."""
    look = b"find 0x40000000 64M zzzz\n"
    for keys in (b"k", b"\x03", BREAK):
        _, text = type_(host, PAUSE + look + PAUSE * 2 + keys + b"cont\n")
        ended = re.search(r"ended by a key at 0x(\w+), 0 found", text)
        assert ended and RAM < int(ended[1], 16) < RAM + (64 << 20), keys
        assert text.endswith("hv> cont\r\n-- guest resumes --\r\n")
    _, text = type_(host, look + b"cont\n")
    assert "\r\n0 found" in text and "ended by a key" not in text


def test_until_and_step_let_the_guest_go_on(host: Path) -> None:
    for command in ("until trap", "until rule r1", "until seq 999", "until 1.5s", "until lr", "until 0x40001000",
                    "step", "step -i 3"):
        records, text = type_(host, command.encode() + b"\n", "x30=0x40001000")
        assert [r.body for r in records if r.body.startswith("mon")][-1].startswith("mon-"), command
    keys = b"".join(b"bp 0x4000%d000\n" % n for n in range(7)) + b"until 0x40008000\nwp r 0x40001000\nwp -l\ncont\n"
    _, text = type_(host, keys, "far=0x1234", why="watchpoint")
    assert text.count("all 6 breakpoints of this CPU are in use") == 1 and "no breakpoint is left for it" in text
    assert text.startswith("watchpoint: access to 0x1234 by\r\n") and re.search(r"^0  0x40001000  r ", text, re.M)
    for why in ("panic", "kill"):
        _, text = type_(host, b"until trap\nstep\npoweroff\n", why=why, expect=OFF)
        assert text.count(f"the guest can not go on ({why}): reset or poweroff") == 2


def test_a_rule_may_ask_first(host: Path) -> None:
    """The operator's answers for each class of trap; the rule stays as it is unless `A` was typed."""
    sysreg, mrs, debug, hvc, smc, mmio, blind, brk = (
        "0x6230e418", "0x6230e419", "0x62200818", "0x5a000000", "0x5e000000", "0x93810047", "0x92000047", "0xf2000000")
    ALLOW, DENY, VALUE, IGNORE, EMULATE, KILL = 0, 1, 2, 3, 5, 8
    models = model_numbers()
    for key, row, esr, x0, action, model in (
            ("d", 1, mrs, 0, DENY, None), ("a", 1, mrs, 0, ALLOW, 7), ("e", 1, mrs, 0, VALUE, None),
            ("e", 1, sysreg, 0, IGNORE, None), ("a", 1, debug, 0, IGNORE, None), ("a", 0, mrs, 0, ALLOW, None),
            ("e", 0, mrs, 0, VALUE, None), ("a", 4, hvc, 4, EMULATE, "HV_CONSOLE_WRITE"),
            ("a", 4, smc, 0x84000008, EMULATE, "PSCI_SYSTEM_OFF"), ("a", 4, smc, 0xC4000003, EMULATE, "PSCI_CPU_ON"),
            ("a", 4, smc, 0x84000099, ALLOW, "NONE"), ("e", 4, smc, 0x84000008, VALUE, None),
            ("a", 1, mmio, 0, IGNORE, None), ("a", 1, "0x93810007", 0, VALUE, None), ("a", 1, blind, 0, ALLOW, None),
            ("a", 8, brk, 0, ALLOW, None), ("d", 8, brk, 0, KILL, None)):
        early = b"A\nregs\rA" if key != "a" else b""
        wire, said = run(host, early + PAUSE + f"why\nx\n{key}{key}\n{key}\n".encode(),
                         ["stop", f"row={row}", f"esr={esr}", f"x0={x0:#x}"])
        records, raw = decode(wire)
        text, what = raw.decode(), (key, row, esr, hex(x0))
        m = re.fullmatch(r"action (\d+) model (\d+) value (\w+)\n", said)
        assert m and int(m[1]) == action, (what, said)
        number = model if model is None or isinstance(model, int) else models["MODEL_" + model]
        assert model is None or int(m[2]) == number, (what, said)
        assert action != VALUE or m[3] == "0", (what, said)
        assert text.count("is about to ") == 4 and f"r{row_rule(row)} policy/test.yaml" in text, what
        overruled = [r.body for r in records if "overruled" in r.body]
        assert len(overruled) == (key != "d") and not [r for r in records if r.kind == "P"], what
    wire, said = run(host, PAUSE + b"cont\n", ["stop", "row=1", "esr=" + mrs])
    assert said.startswith(f"action {DENY} ")
    wire, said = run(host, PAUSE + b"rule\nA\n", ["stop", "row=1", "esr=" + mrs])
    records, raw = decode(wire)
    assert re.search(rb"^r1 +ASK ", raw, re.M) and [r.body for r in records if r.kind == "P"] == [
        "rule=r1 field=verdict old=ASK new=WOULD by=monitor hash=3b1c77aa"]
    wire, said = run(host, b"", ["stop", "row=1", "esr=" + mrs, "unattended=1"])
    assert said.startswith(f"action {DENY} ")


def test_what_a_user_of_gdb_types(host: Path) -> None:
    out = say(host, "?", "info", "q", "quit", "exit", "b 0x40001000", "b")
    assert "`help CMD` for one command" in out[0] and "`regs`" in out[1]
    assert out[2] == out[3] == out[4] == "`cont` lets the guest go on, `poweroff` ends it"
    assert out[5].startswith("breakpoint 0 of 6 at 0x40001000") and "1 of 6 breakpoints in use" in out[6]
    for word in ("c", "s", "si"):
        records, _ = type_(host, word.encode() + b"\n")
        assert [r.body[:4] for r in records if r.body.startswith("mon")] == ["mon+", "mon-"], word


def test_the_monitor_moves_to_another_cpu(host: Path) -> None:
    cpus = ("pc=0x40001000", "second=0x40002000")
    out = say(host, "cpu", "cpu 2", "cpu x", "cpu 0", "regs", args=cpus)
    assert out[0].startswith("cpu0") and "cpu2 does not stand still" in out[1] and out[3] == "cpu0"
    assert "pc  0x0000000040001000" in out[4]
    keys = b"cpu 1\nregs\nstatus\n" + b"cpu 0\nregs\ncpu 1\n" * 60 + b"set $x3 = 7\ncont\n"
    wire, _ = run(host, keys, ["key", *cpus], RESUMED)
    records, raw = decode(wire)
    text = raw.decode()
    pcs = re.findall(r"^pc  0x0*(\w+)", text, re.M)
    assert pcs == ["40002000"] + ["40001000"] * 60 and re.search(r"^cpu1    pc=0x40002000", text, re.M)
    assert [r.body.split(" paused")[0] for r in records if r.body.startswith("mon")] == ["mon+ why=key", "mon-"]
    assert text.endswith("-- guest resumes --\r\n")
    _, text = type_(host, b"cpu 1\ncont\ncpu 0\npoweroff\n", *cpus, why="panic", expect=OFF)
    assert "the guest can not go on (panic)" in text


def row_rule(row: int) -> int:
    return {0: 0, 1: 1, 4: 4, 8: 7}[row]


def model_numbers() -> Dict[str, int]:
    """The verdicts of policy.h, by its numbers."""
    text = (ROOT / "hv/policy/policy.h").read_text(encoding="utf-8")
    names = re.findall(r"\bMODEL_\w+", text[text.index("MODEL_NONE"):text.index("MODEL_COUNT")])
    return {name: n for n, name in enumerate(names)}


def test_where_an_instruction_is_not_done_yet(host: Path) -> None:
    records, text = type_(host, b"set $pc = 0x1000\ninject undef\ninject abort 0x10\ninject serror\ncont\n",
                          why="rule")
    assert text.count("the instruction that trapped is not done yet: `step` first") == 3
    assert [r.body for r in records if "inject" in r.body] == ["inject serror"]


def test_why_finds_the_decision_that_is_meant(host: Path) -> None:
    why, event, other = say(host, "why", "why 4", "policy show r8", args=("row=0",))
    assert "@D 3" in why and "ALLOW r0" in why and "rule r0 would" not in why
    assert event == "seq 4 is no decision" and "0xff, the others 0x100" in other
    _, text = type_(host, b"why\ncont\n", "silent=1", why="until")
    assert "the last trap: DENY" in text and "(no record: its rule does not log)" in text and "pmu: deny" in text
    _, text = type_(host, b"why\nstatus\ncont\n", "silent=1")
    assert "no such decision in the rings" in text and "\nlast " not in text
    assert "effect: a constant 0x0\n" in say(host, "policy show r6")[0] + "\n"
    nothing, rule = say(host, "policy find frob", "rule r9 would")
    assert nothing.startswith("no rule with 'frob'") and "r9 decides nothing by itself" in rule


def test_why_says_which_condition_did_not_hold(host: Path) -> None:
    write = f"esr={0x18 << 26 | 1 << 25 | 3 << 20 | 1 << 10:#x}"
    for row, value, held, sticky, zero in (("14", "0", "1", "did not hold", "held"), ("15", "1", "1", "held", "held"),
                                           ("14", "0x2000001", "0", "held", "did not hold")):
        why, = say(host, "why", args=(f"row={row}", write, f"value={value}", f"held={held}"))
        assert re.findall(r"where (.*)", why.replace("\r", "")) == [f"M: sticky  {sticky}", f"EE: 0  {zero}"], why
        assert (" held=0x1 " in why) == (held == "1") and f"={int(value, 0):#x} " in why
    show, = say(host, "policy show r8")
    assert re.findall(r"where (.*)", show.replace("\r", "")) == ["M: sticky", "EE: 0"], show


def test_a_second_stop_is_compared_with_the_first(host: Path) -> None:
    _, text = type_(host, b"cont\nregs -c\nsysregs -d\ncont\n", "x7=1", "--", "step", "x7=2",
                    "tpidr_el0=0x55", "pc=0x1004")
    assert "x7     0x0000000000000001 -> 0x0000000000000002\r\npc     0x0000000000000000 -> 0x0000000000001004" in text
    regs = text.split("sysregs -d\r\n")[1]
    assert re.search(r"^TPIDR_EL0 +0x0+55\r\n  before: +0x0+\r\n", regs, re.M) and "TTBR0_EL1" not in regs, regs


def test_what_else_there_is_to_see(host: Path) -> None:
    lists, a32, far, ipa, walk = say(host, "sysregs vgic", "sysregs spsr_el1", "xlat ipa:0x8000000000", "x ipa:0x0",
                                     "x 0x400000000000", args=("spsr_el1=0x10",))
    assert re.search(r"^ICH_LR3_EL2 +0x0000000000000003$", lists, re.M) and a32.endswith("A32 mode 0x0 nzcv daif")
    assert "beyond the guest's address space" in far and ipa == "ipa:0x0: ipa 0x0 is no RAM"
    assert walk == "0x400000000000: no translation: fault status 0x15; see xlat"
    _, text = type_(host, b"set esc none\nset esc ^]\ns x\t\x15x 0x40 \x17\x17\x15reset\n", expect=OFF)
    assert "esc" in text
    va = 0xFFFF80000A3BBD60
    for mair, name in ((0x00, "Device-nGnRnE"), (0x04, "Device-nGnRE"), (0x08, "Device-nGRE"), (0x0C, "Device-GRE"),
                       (0x44, "Normal NC"), (0xBB, "Normal WT"), (0xFF, "Normal WB"), (0x4F, "other")):
        out, = say(host, f"xlat {va:#x}", args=(*walk_args(tables(va, 0x00680000400AB703)), f"mair_el1={mair:#x}"))
        assert f"MAIR 0x{mair:02x} {name}, " in out, out


WORDS = st.sampled_from(COMMANDS[:15] + COMMANDS[18:-1] + [
    "/4x", "/99999b", "$pc", "$x0", "$sp", "+", "-", "ipa:", "pa:", "0x40000000", "0xffff80000a3bbd60", "64M", "r1",
    "show", "find", "tail", "-r", "99999999999999999999", "all", "vgic", "mode", "text", '"x"', "\x1b[A", "\t", "\x17"])
KEYS = st.one_of(st.lists(WORDS, max_size=6).map(lambda w: " ".join(w).encode() + b"\n"), st.binary(max_size=40))
WORD64 = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([RAM + 0x10003, RAM + 0x11003, RAM + 0x10001, 0]))


def test_the_log_is_searched_and_shown(host: Path) -> None:
    tail, tails, grep, none, live, first, regs = say(
        host, "log tail 1", "log tail 2", "log grep PMCR", "log grep TTBR", "log live on", "sysregs -d", "regs -c")
    assert " mon+ why=key" in tail and tails.count("@") == 2
    assert grep.startswith("@D 3 ") and grep.count("@") == 1 and not none
    assert "log live" not in live and "first stop" in first and "first stop" in regs


def test_the_log_is_filtered(host: Path) -> None:
    deny, no, since, near, far = say(
        host, "log grep deny & msr & pmcr", "log grep deny & hvc", "log grep since 10s & deny",
        "log grep pc 0 0xfff & deny", "log grep pc 0x1000 0x2000 & deny")
    assert not say(host, "log grep 0 x")[0], "a word that begins where a line ends is not in it"
    assert deny.startswith("@D 3 ") and deny == since and deny == near and not no and not far
    assert "msr.r PMCR_EL0 pc=" in deny, "a refused read has no value"


def test_a_class_has_a_mode_of_its_own(host: Path) -> None:
    records, text = type_(host, b"log level sys notable\nlog status\nlog level hvc text\nlog level nothing text\n"
                          b"log level hvc full\nlog mode text\ncont\n")
    said = [r.body for r in records if "set " in r.body]
    assert said == ["set log.sysregs=notable", "set log.hvc=text", "set log=text"]
    assert [r.body.rsplit("log=", 1)[1] for r in records if r.kind == "H"][1:4] == ["notable", "notable", "text"]
    assert text.count("log level sysregs|mmio|hvc|smc|exceptions|memory text|notable") == 2


def test_faults_of_el2_are_remembered(host: Path) -> None:
    fine, = say(host, "el2")
    assert re.search(r"^fault +none$", fine, re.M)


def test_what_is_changed_is_said_and_recorded(host: Path) -> None:
    args = ("@0x1000=0x1111222233334444", "@0x2000=0xd65f03c0d53b9c00")
    records, text = type_(host, b"w2 0x40001000 0xbeef\nx 0x40001000\nw ipa:0x40001008 1\n"
                          b"w1 0x40001000 256\n"
                          b"w3 0x40001000 1\nw4 0x9000000 1\nset $x5 = $x5+7\nset $spsr = 0x9\nset $pc=0x40002000\n"
                          b"dis $pc 2\nrule r1 would\nrule\npolicy diff\nrule r1 reset\nrule r77 stop\n"
                          b"bp 0x40002004 if $x1 > 3 log\nbp\nbp 0x40002001\nbp -d 0\nbp -d 0\nwp rw 0x40001000 4\n"
                          b"wp\nwp w 0x40001006 4\n"
                          b"inject abort 0x1234\ninject irq 999\ninject irq 40\nset esc none\nuntil 3s\n", *args)
    for line in ("0x40001000: 0x4444 -> 0xbeef  (2 bytes", "0x111122223333beef", "a value of 1 bytes must follow",
                 "w1, w2, w4 or w8", "no translation", "x5: 0x0 -> 0x7", "SPSR_EL2.M must be",
                 "pc: 0x0 -> 0x40002000",
                 " > 0x40002000  d53b9c00  mrs x0, PMCR_EL0", "   0x40002004  d65f03c0  ret", "r1    WOULD",
                 "1 rules changed", "which rule? r0 to r10", "0  0x40002004  if $x1 > 0x3  log  0 hits",
                 "stands at a VA", "-d N: -l lists them",
                 "0  0x40001000  rw 4 bytes  0 hits", "covers 1 to 8 bytes", "inject irq N, 0 to 255"):
        assert line in text, line
    assert text.count("1 rules changed") == 2
    bodies = [r.body for r in records]
    for body in ("write addr=0x40001000 value=0xbeef", "set x5=0x7 old=0x0", "set pc=0x40002000 old=0x0",
                 "set esc=none",
                 "rule=r1 field=verdict old=built new=WOULD by=monitor hash=3b1c77aa", "inject abort far=0x1234",
                 "rule=r1 field=verdict old=WOULD new=built by=monitor hash=3b1c77aa", "inject irq=40"):
        assert body in bodies, body
    assert [r.kind for r in records if r.body.startswith("rule=")] == ["P", "P"]


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(KEYS, max_size=12), st.fixed_dictionaries({name: WORD64 for name in (
    "tcr_el1", "ttbr0_el1", "ttbr1_el1", "mair_el1", "sctlr_el1", "x29", "x30", "pc", "x0")}),
    st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_garbage_is_survived(host: Path, keys: List[bytes], state: Dict[str, int], esr: int, seed: int) -> None:
    dice = random.Random(seed)
    words = [f"@{dice.randrange(0x10000, 0x14000, 8):#x}={dice.choice([dice.getrandbits(64), RAM + 0x10003]):#x}"
             for _ in range(64)]
    wire, _ = run(host, b"".join(keys) + b"\x03\nxlat $x0\nbt\npoweroff\n",
                  ["key", f"esr={esr | 1}", *(f"{k}={v:#x}" for k, v in state.items()), *words], None)
    records, _ = decode(wire)
    check_sequence(records)
