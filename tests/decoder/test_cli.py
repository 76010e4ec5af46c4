# SPDX-License-Identifier: Apache-2.0
"""The command line as its users meet it: output, exit codes, odd inputs, odd pipes."""
from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path
from typing import List, Optional, Set, Tuple

import pytest

import trace_rules
from chrome import BROWSER
from encoder import Encoder
from hvl.cli import main
from hvl.rules import Places
from hvl.sequence import Session

TOOL = Path(__file__).resolve().parents[2] / "tools" / "log_decode.py"
DENY = 'DENY r31 msr.r PMCR_EL0 pc=0xffff800008011a44 el=1 cost=70 esr=0x6230e419'


def start(*args: str, stdin: bytes = b"", cwd: Optional[Path] = None) -> "subprocess.CompletedProcess[bytes]":
    """In a process of its own, as people do."""
    done = subprocess.run([sys.executable, str(TOOL), *args], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=6000, cwd=cwd)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def run(*args: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """In this process: hundreds of starts take minutes."""
    streams = [io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin, b"", b"")]
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = streams
    try:
        status = main(list(args))
    except SystemExit as error:         # argparse
        status = error.code if isinstance(error.code, int) else 1
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
    said = []
    for stream in streams[1:]:
        stream.flush()
        said.append(stream.detach().getvalue())     # type: ignore[attr-defined]
    return subprocess.CompletedProcess(list(args), status, *said)


def session(denied: int = 3, trailer: bool = True, mark: str = "diag done", policy: str = "strict#3b1c77aa",
            mode: str = "text") -> Encoder:
    encoder = Encoder(policy=policy, mode=mode)
    encoder.guest(b"  QEMU  build/hypervisor.elf\n")
    encoder.header()
    encoder.record("E", "guest+ entry=0x40000000 el=1")
    encoder.guest(b"[    0.000000] Booting\r\n")
    for i in range(10):
        encoder.decision(5, "mmio.w uart0+0x0/4=0x41", "EMUL", 40 + i)
    encoder.guest(b"half ")
    for _ in range(denied):
        encoder.record("D", DENY)
    encoder.guest(b"line\r\n")
    encoder.decision(40, "hvc 0x4 x1=0x40001000 x2=0x20", "ALLOW", 99)
    encoder.decision(1, "exc WFX", "EMUL", 400, n=40)
    encoder.record("X", "esr=0x02000000 far=0x0 elr=0x40001000 spsr=0x3c5 pc=0x40001004")
    encoder.record("E", f'mark "{mark}"')
    encoder.enter_monitor()
    encoder.guest(b"hv> cont\r\n")
    encoder.leave_monitor()
    if trailer:
        encoder.record("S", f"dec={51 + denied} allow=1 deny={denied} emul=50 part=1/2 r5=10/445 "
                            f"r31={denied}/{70 * denied}")
        encoder.record("S", "part=2/2 r40=1/99 r1=40/400")
        encoder.trailer()
    return encoder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "uart.log"
    path.write_bytes(session().bytes())
    return path


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"policy": "strict", "hash": "3b1c77aa00112233", "rules": [
        {"rule": n, "place": f"policy/strict.yaml:{n + 10}", "text": f"rule {n}", "why": None, "section": "sysregs",
         "name": "x"} for n in (1, 5, 9, 31, 40)]}))
    return path


# --- summary ----------------------------------------------------------------------------------------------

def test_summary(log: Path, rules: Path) -> None:
    text = run("summary", "--policy", str(rules), str(log)).stdout.decode()
    assert "COMPLETE  24 records in 0..23, lost 0, missing 0, damaged 0, suspect 0, trailer ok" in text
    assert "decisions   54    EMUL 50  ALLOW 1  DENY 3  WOULD 0  KILL 0        totals from @S, exact" in text
    assert "3.1 s paused and hidden" in text
    assert "r31 policy/strict.yaml:41" in text and "never hit    1 of 5 rules: r9" in text
    assert "exceptions   1     markers 1     monitor entries 1" in text


@pytest.mark.parametrize("args", [[], ["--summary"], ["summary"], ["-"], ["summary", "-"]])
def test_summary_is_what_one_gets_from_stdin_anywhere(args: List[str], log: Path, tmp_path: Path) -> None:
    done = start(*args, stdin=log.read_bytes(), cwd=tmp_path)
    assert done.returncode == 0 and b"COMPLETE  24 records" in done.stdout


@pytest.mark.parametrize("by,row", [("class", "mmio.uart0"), ("rule", "r31"), ("pc", "0xffff800008011a44"),
                                    ("reg", "PMCR_EL0")])
def test_summary_by(by: str, row: str, log: Path) -> None:
    lines = run("summary", "--by", by, str(log)).stdout.decode().split("\n")
    assert any(line.startswith(by) for line in lines) and any(line.startswith(row + " ") for line in lines)


def test_what_a_default_reads_as_zero_is_refused(tmp_path: Path) -> None:
    """An entry that says raz-wi is a model; a default that says so refuses all that no entry names."""
    table = {"policy": "strict", "hash": "3b1c77aa00112233", "rules": [
        {"rule": 5, "place": "policy/strict.yaml:15", "text": "default: raz-wi"},
        {"rule": 6, "place": "policy/strict.yaml:16", "text": "scratch: { at: 0xb000000, size: 4K, do: raz-wi }"}]}
    (tmp_path / "rules.json").write_text(json.dumps(table))
    encoder = Encoder(policy="strict#3b1c77aa")
    encoder.header()
    encoder.decision(5, "mmio.r 0xb001000/4=0x0", "RAZWI")
    encoder.decision(6, "mmio.r scratch+0x0/4=0x0", "RAZWI")
    encoder.trailer()
    policy, log = str(tmp_path / "rules.json"), tmp_path / "uart.log"
    log.write_bytes(encoder.bytes())
    one, = json.loads(run("summary", "--json", "--policy", policy, str(log)).stdout)["sessions"]
    assert [(row["what"], row["verdict"]) for row in one["denied"]] == [("0xb001000 r", "RAZWI")]
    assert b"0xb001000 r (RAZWI)" in run("summary", "--policy", policy, str(log)).stdout
    assert not json.loads(run("summary", "--json", str(log)).stdout)["sessions"][0]["denied"]
    assert run("html", "--policy", policy, "-o", str(tmp_path / "r.html"), str(log)).returncode == 0
    assert (tmp_path / "r.html").read_text().count("<details") == 1


def test_summary_top_says_what_it_left_out(log: Path) -> None:
    assert b"more rows" in run("summary", "--top", "1", str(log)).stdout


def test_summary_json(log: Path) -> None:
    data = json.loads(run("summary", "--json", str(log)).stdout)
    one = data["sessions"][0]
    assert one["log"]["complete"] and one["decisions"]["total"] == 54 and one["decisions"]["verdicts"]["DENY"] == 3


def test_summary_of_several_files_and_sessions(log: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.log"
    both.write_bytes(log.read_bytes() * 2)
    text = run("summary", str(log), str(both)).stdout.decode()
    heads = [line.split()[1] for line in text.split("\n") if line.startswith("session")]
    assert heads == ["1", "2", "3"]
    text = run("summary", "--session", "2", str(log), str(both)).stdout.decode()
    assert "session 2" in text and "session 1" not in text and "session 3" not in text
    assert run("summary", "--session", "9", str(log)).returncode == 2


def test_a_cut_capture_is_incomplete(tmp_path: Path) -> None:
    wire = session(trailer=False).bytes()
    done = run("summary", stdin=wire)
    assert done.returncode == 0 and b"INCOMPLETE" in done.stdout and b"no trailer: capture cut" in done.stdout
    assert run("summary", "--strict", stdin=wire).returncode == 4


def test_guest_text_that_is_lost_between_whole_records_is_told() -> None:
    done = run("summary", stdin=session().bytes().replace(b"Booting", b"Boo").replace(b"  QEMU ", b""))
    assert b"COMPLETE" in done.stdout and b"guest text short" in done.stdout
    assert b"guest text short" not in run("summary", stdin=session().bytes()).stdout


def test_gzip_whole_and_cut(log: Path, tmp_path: Path) -> None:
    packed = gzip.compress(log.read_bytes()[:500]) + gzip.compress(log.read_bytes()[500:])
    path = tmp_path / "uart.log.gz"
    path.write_bytes(packed)
    assert run("summary", str(path)).stdout.replace(str(path).encode(), b"") == run("summary", str(log)).stdout
    assert b"COMPLETE  24 records" in run("--summary", stdin=packed).stdout
    done = run("summary", stdin=packed[:-40])
    assert b"gzip" in done.stderr and done.returncode in (0, 3)
    assert run("check", stdin=packed[:-9]).returncode == 4


# --- exit codes -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("stdin", [b"", b"hello\n", b"\x1e" * 100, b"\0" * 5000, b"\x1f\x8b\x08garbage"])
@pytest.mark.parametrize("command", ["summary", "show", "json", "csv", "check", "console", "monitor", "trace", "html"])
def test_no_log_is_exit_3(command: str, stdin: bytes) -> None:
    assert run(command, stdin=stdin).returncode == 3


def test_a_stripped_sentinel_is_told_and_read_only_on_request(log: Path) -> None:
    wire = log.read_bytes().replace(b"\x1e", b"")
    done = run("summary", stdin=wire)
    assert done.returncode == 3 and b"the sentinel was stripped" in done.stderr and not done.stdout
    done = run("summary", "--weak", stdin=wire)
    assert done.returncode == 0 and b"weak 24" in done.stdout
    lines = run("json", "--weak", stdin=wire).stdout.decode().splitlines()
    assert {json.loads(line)["auth"] for line in lines} == {"weak"}


@pytest.mark.parametrize("args", [["show", "-f", "verdit==DENY"], ["show", "-f", "verdict=="], ["show", "-f", "t>x"],
                                  ["show", "-f", "(verdict==DENY"], ["show", "-f", "reg~("],
                                  ["json", "--fields", "nope"], ["summary", "/nonexistent/file"],
                                  ["summary", "--by", "colour"],
                                  ["diff", "one"],
                                  ["check", "--max-cost", "much"], ["summary", "--policy", "/nonexistent"],
                                  ["summary", "--map", "/nonexistent"], ["summary", "--nonsense"],
                                  ["show", "--around", "x"], ["trace", "-o", "/nonexistent/x"],
                                  ["check", "--fail-on", "seq~"],
                                  ["summary", "/"]])
def test_usage_is_exit_2(args: List[str], log: Path) -> None:
    done = run(*args, stdin=log.read_bytes())
    assert done.returncode == 2 and done.stderr


@pytest.mark.parametrize("verb", ["why", "learn", "whatif", "coverage"])
def test_questions_about_the_policy_name_the_one_who_answers(verb: str, tmp_path: Path) -> None:
    """Alone, without policygen beside it, the decoder says which program would answer (tests/policygen asks that one)."""
    shutil.copytree(TOOL.parent, tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, str(tmp_path / "tools" / TOOL.name), verb, "14"], capture_output=True,
                          timeout=600, input=session().bytes())
    assert done.returncode == 2 and b"policygen" in done.stderr and done.stderr.count(b"\n") == 1 and not done.stdout, done


def test_another_policy_is_exit_5(rules: Path) -> None:
    wire = session(policy="strict#deadbeef").bytes()
    done = run("check", "--policy", str(rules), "--fail-on", "verdict==DENY", stdin=wire)
    assert done.returncode == 5 and b"strict#deadbeef" in done.stderr and b"strict#3b1c77aa" in done.stderr
    assert run("summary", "--policy", str(rules), stdin=wire).returncode == 5
    assert b"strict.yaml" not in run("summary", "--policy", str(rules), stdin=wire).stdout


def test_rules_of_policies_built_before_are_found_by_their_hash(rules: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "3b1c77aaffffffff.json").write_text("broken")
    (kept / "3b1c77aa00112233.json").write_text(rules.read_text())
    places, ran = Places(None, (kept,)), Session("")
    for name, place in (("strict#3b1c77aa", "policy/strict.yaml:41"), ("strict#deadbeef", None), ("strict#", None),
                        ("x#../../x", None)):
        ran.header = {"policy": name}
        assert places.place(ran, 31) == place and places.mismatch(ran) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"policy": "x", "hash": "00", "rules": [1]}', "\x00", "[" * 100000])
def test_a_bad_rules_file_is_exit_2(text: str, tmp_path: Path, log: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    assert run("summary", "--policy", str(path), str(log)).returncode == 2


def test_the_highest_of_several_reasons_wins_and_all_are_told() -> None:
    done = run("check", "--fail-on", "verdict==DENY", stdin=session(trailer=False).bytes())
    assert done.returncode == 4 and b"PMCR_EL0" in done.stderr and b"no trailer" in done.stderr


# --- check ------------------------------------------------------------------------------------------------

def test_check_passes(log: Path) -> None:
    done = run("check", "--require", 'kind==E and mark=="diag done"', "--fail-on", "verdict==KILL", str(log))
    assert (done.returncode, done.stdout) == (0, b"ok: 0 findings, log complete\n")


def test_check_requires() -> None:
    wire = session(mark="diag failed").bytes()
    done = run("check", "--require", 'kind==E and mark=="diag done"', stdin=wire)
    assert done.returncode == 1 and b"FAIL: 1 finding, log complete" in done.stdout and b"diag done" in done.stderr


@pytest.mark.parametrize("expr,code", [("verdict==DENY", 1), ("kind==X", 1), ("kind==X and esr==0x02000000", 1),
                                       ("verdict in (KILL, WOULD)", 0), ("verdict==DENY and reg!~PM", 0),
                                       ("n>40", 0), ("n>=40", 1), ("call==HV_CONSOLE_WRITE", 1),
                                       ("x2==32", 1), ("t>100s", 0), ("cost>2us and class==exc", 1),
                                       ("not kind in (D,A,E,H,S,X,Z)", 0), ("mark~'^diag'", 1),
                                       ("rule==r31 and not pc==0", 1), ("dev==uart0 and off==0", 1)])
def test_check_fail_on(expr: str, code: int, log: Path) -> None:
    assert run("check", "--fail-on", expr, str(log)).returncode == code


def test_check_max_cost(log: Path) -> None:
    done = run("check", "--max-cost", "2%", str(log))  # hardly any guest time passes in this one
    assert done.returncode == 1 and b"% of the time was spent in EL2" in done.stderr


def test_check_counts_losses() -> None:
    encoder = session(trailer=False)
    start = encoder.seq[0]
    encoder.record("L", f"lost=3 from={start} to={start + 2} why=overrun")
    encoder.seq[0] = start + 3
    encoder.trailer(lost=3)
    wire = encoder.bytes()
    assert run("check", stdin=wire).returncode == 4
    assert run("check", "--max-lost", "2", stdin=wire).returncode == 4
    assert run("check", "--max-lost", "3", stdin=wire).returncode == 0
    assert b"lost 3 (overrun" in run("summary", stdin=wire).stdout


def test_check_reports_for_machines(log: Path, rules: Path, tmp_path: Path) -> None:
    report = tmp_path / "out.xml"
    done = run("check", "--fail-on", "verdict==DENY", "--max-cost", "99999999%", "--junit", str(report), "--github",
               "--policy", str(rules), str(log))
    assert done.returncode == 1
    assert b"::error file=policy/strict.yaml,line=41::mrs PMCR_EL0 DENY at seq 12 pc=0xffff800008011a44 (rule r31)" \
        in done.stdout
    suite = ElementTree.parse(report).getroot()
    assert suite.get("failures") == "1" and len(suite.findall("testcase")) == int(suite.get("tests", "0")) == 3


def test_nothing_the_guest_says_becomes_an_annotation_or_steers_the_terminal(tmp_path: Path) -> None:
    wire = session(mark="x\x1b[31m\r::error::forged % <&\"").bytes()
    report = tmp_path / "out.xml"
    done = run("check", "--github", "--fail-on", "kind==E and event==mark", "--junit", str(report), stdin=wire)
    assert done.stdout.count(b"::error") == 2 and b"\x1b" not in done.stdout + done.stderr
    assert b"\r" not in done.stdout
    assert all(line.startswith(b"::error::@E mark") for line in done.stdout.splitlines()[:-1])
    ElementTree.parse(report)
    assert b"\x1b" not in run("show", stdin=wire).stdout


# --- other views ------------------------------------------------------------------------------------------

def test_show_filter_and_around(log: Path) -> None:
    text = run("show", "-f", "verdict==DENY", str(log)).stdout.decode().splitlines()
    assert len(text) == 4 and all("mrs PMCR_EL0" in line for line in text[1:])
    text = run("show", "--around", "13,1", str(log)).stdout.decode().splitlines()
    assert [line.split()[0] for line in text[1:]] == ["12", ">", "14"] and text[2].startswith(">")


def test_show_color_and_relative_and_console(log: Path) -> None:
    assert b"\x1b[31m" in run("show", "--color", str(log)).stdout
    assert b"\x1b[" not in run("show", str(log)).stdout
    assert b"  0.000000000  " in run("show", "--relative", "-f", "seq==5", str(log)).stdout
    text = run("show", "--console", str(log)).stdout
    assert b"    | [    0.000000] Booting\n" in text
    assert run("show", "--since", "3s", "--until", "4", "-f", "kind==Z", str(log)).stdout.count(b"\n") == 2


def test_json_lines_have_the_schema(log: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(run("--schema").stdout)
    lines = run("json", str(log)).stdout.decode().splitlines()
    assert len(lines) == 24
    for line in lines:
        jsonschema.validate(json.loads(line), schema)
    denied = json.loads(run("json", "-f", "seq==12", str(log)).stdout)
    assert denied["reg"] == "PMCR_EL0" and denied["op"] == "r" and denied["pc"] == "0xffff800008011a44"
    assert denied["ticks"] == round(denied["t"] * 62_500_000) and denied["cost_ns"] == 1120


def test_times_keep_all_nine_digits() -> None:
    encoder = Encoder()
    encoder.header()
    encoder.record("D", DENY, t=987_654_321_123_456_789)
    assert b'"t":987654321.123456789,' in run("json", "-f", "kind==D", stdin=encoder.bytes()).stdout


def test_csv(log: Path) -> None:
    text = run("csv", "--fields", "seq,t,verdict,rule,class,reg,pc,cost_ns", str(log)).stdout.decode()
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == "seq,t,verdict,rule,class,reg,pc,cost_ns".split(",")
    assert rows[11] == ["12", "0.000000208", "DENY", "31", "msr", "PMCR_EL0", "0xffff800008011a44", "1120"]
    assert len(rows) == 16


def test_console_and_monitor_are_exact(log: Path, tmp_path: Path) -> None:
    encoder = session()
    assert run("console", str(log)).stdout == bytes(encoder.guest_out)
    assert run("monitor", str(log)).stdout == bytes(encoder.monitor_out)
    out = tmp_path / "guest.txt"
    assert run("console", "-o", str(out), str(log)).stdout == b"" and out.read_bytes() == bytes(encoder.guest_out)
    lines = run("console", "--cast", str(log)).stdout.decode().splitlines()
    assert json.loads(lines[0])["version"] == 2
    assert "".join(json.loads(line)[2] for line in lines[1:]) == bytes(encoder.guest_out).decode()


def test_html_is_one_quiet_file(log: Path, rules: Path) -> None:
    text = run("html", "--policy", str(rules), str(log)).stdout.decode()
    assert "COMPLETE" in text and "PMCR_EL0" in text and "log_decode.py why --session 1 12 " in text
    assert "http" not in text and "<script" not in text


def test_html_counts_what_was_not_logged(rules: Path, tmp_path: Path) -> None:
    encoder = Encoder(policy="strict#3b1c77aa")
    encoder.header()
    encoder.decision(31, "msr.r PMCR_EL0")
    encoder.now += 1_000_000_000
    encoder.record("S", "dec=41 deny=1 emul=40 waiting=7 r5=40/4000 r31=1/70")
    encoder.now += 1_000_000_000
    encoder.record("S", "dec=101 deny=1 emul=100 rules=60 part=1/2 r5=100/10000")
    encoder.record("S", "dec=101 deny=1 emul=100 rules=60 part=2/2 r31=1/70")
    encoder.trailer()
    path = tmp_path / "counted.log"
    path.write_bytes(encoder.bytes())
    text = run("html", "--policy", str(rules), str(path)).stdout.decode()
    counted = [int(n) for n in re.findall(r"<title>counted (\d+) at", text)]
    assert sum(counted) == 100 and len(counted) > 10, "laid out over the time in which they happened"
    assert re.search("<td>r5 ?[^<]*<td class=n>100<", text)
    trace = json.loads(run("trace", str(path)).stdout)["traceEvents"]
    rates = [event["args"]["decisions"] for event in trace if event["name"].startswith("decisions/s")]
    assert rates == [41, 60, 0] and any(event["name"] == "ring of vcpu0" for event in trace)


def test_trace_shows_a_loss_as_long_as_it_was(tmp_path: Path) -> None:
    encoder = Encoder()
    encoder.header()
    encoder.decision(1, "msr.r PMCR_EL0")
    encoder.now += 1_000_000
    encoder.seq[0] = 52
    encoder.record("L", "lost=50 from=2 to=51 why=overrun", seq=51)
    encoder.decision(1, "msr.r PMCR_EL0")
    encoder.trailer()
    path = tmp_path / "loss.log"
    path.write_bytes(encoder.bytes())
    events = json.loads(run("trace", str(path)).stdout)["traceEvents"]
    assert not trace_rules.broken(events)
    lost = [event for event in events if event["name"] == "LOST 50"]
    assert len(lost) == 1 and lost[0]["ph"] == "X" and 900 < lost[0]["dur"] < 1001


DEBIAN = "\nID=debian\n" in "\n" + Path("/etc/os-release").read_text(encoding="utf-8")


@pytest.mark.skipif(not DEBIAN, reason="only Debian has a Chromium that is a package like others")
def test_html_in_a_browser(log: Path, rules: Path, tmp_path: Path) -> None:
    assert shutil.which("chromium"), "chromium is missing: run make setup"
    report, shot = tmp_path / "r.html", tmp_path / "r.png"
    assert run("html", "--policy", str(rules), "-o", str(report), str(log)).returncode == 0

    def look(word: str, page: Path = report) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run([*BROWSER, "--enable-logging=stderr", "--window-size=1200,2000",
                               f"--user-data-dir={tmp_path / 'home'}", word, page.as_uri()],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600, check=False)

    broken = tmp_path / "broken.html"
    broken.write_text("<script>nothing()</script>")
    assert b"CONSOLE" in look("--dump-dom", broken).stderr, "an error would be told"
    done = look(f"--screenshot={shot}")
    errors = done.stderr.decode(errors="replace")
    assert done.returncode == 0, errors[-2000:]
    assert "CONSOLE" not in errors, errors[-2000:]
    width, height, pixels = png(shot.read_bytes())
    assert (width, height) == (1200, 2000)
    assert {(0xc0, 0x39, 0x2b), (0x2e, 0x7d, 0x32), (0xff, 0xff, 0xff)} <= pixels, "refusals, the badge, the page"
    # The browser's document equals the written one: no element was left open or thrown away.
    dom = look("--dump-dom").stdout.decode()
    text = report.read_text(encoding="utf-8")
    for tag in ("table", "svg", "rect", "details", "h2"):
        assert len(re.findall(f"<{tag}[ >]", dom)) == len(re.findall(f"<{tag}[ >]", text)) > 0, tag


def png(data: bytes) -> Tuple[int, int, Set[Tuple[int, ...]]]:
    """Width, height and colours of a PNG as Chromium writes them: 8 bits, no palette, not interlaced."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, packed = 8, b""
    width = height = size = 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        at += 12 + length
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            assert depth == 8 and colour in (2, 6) and not interlaced
            size = 3 if colour == 2 else 4
        elif kind == b"IDAT":
            packed += body
    raw, stride = zlib.decompress(packed), width * size
    before, colours = bytearray(stride), set()
    for y in range(height):
        how, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for x in range(stride) if how else ():
            left, up = (line[x - size] if x >= size else 0), before[x]
            corner = before[x - size] if x >= size else 0
            near = min((abs(up - corner), 0, left), (abs(left - corner), 1, up),
                       (abs(left + up - 2 * corner), 2, corner))[2]
            line[x] = (line[x] + (0, left, up, (left + up) // 2, near)[how]) & 255
        colours |= {tuple(line[x:x + 3]) for x in range(0, stride, size)}
        before = line
    return width, height, colours


def test_diff(tmp_path: Path, log: Path) -> None:
    assert run("diff", "--exit-code", str(log), str(log)).returncode == 0
    encoder = session(denied=9)
    encoder.bytes()
    other = Encoder()
    other.header()
    other.decision(5, "mmio.w uart0+0x0/4=0x41", "DENY")
    other.decision(6, "msr.w TCR2_EL1=0x0", "DENY")
    other.trailer()
    path = tmp_path / "b.log"
    path.write_bytes(other.bytes())
    done = run("diff", "--exit-code", str(log), str(path))
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 1
    assert any(line.startswith("+  msr.w") and line.endswith("new") for line in lines)
    assert any(line.startswith("-  msr.r") and line.endswith("gone") for line in lines)
    assert any(line.startswith("!  mmio.uart0") and "EMUL -> DENY" in line for line in lines)
    assert run("diff", str(log), str(path)).returncode == 0
    path.write_bytes(encoder.bytes())
    assert b"~  msr.r" in run("diff", str(log), str(path)).stdout
    assert b"~" not in run("diff", "--tolerance", "200%", str(log), str(path)).stdout


def test_symbols(log: Path, tmp_path: Path) -> None:
    table = tmp_path / "System.map"
    table.write_text("ffff800008011a00 t armv8pmu_probe\nffff800008012000 T next\n")
    assert b"armv8pmu_probe+0x44" in run("show", "--map", str(table), str(log)).stdout


def test_show_damaged(log: Path) -> None:
    wire = bytearray(log.read_bytes())
    wire[wire.index(b"PMCR")] ^= 1
    done = run("summary", "--show-damaged", stdin=bytes(wire))
    assert b"damaged: @D+ 12" in done.stderr and b"damaged 1" in done.stdout and b"missing 1" in done.stdout


# --- live -------------------------------------------------------------------------------------------------

def test_live_passes_the_console_and_keeps_the_capture(log: Path, tmp_path: Path) -> None:
    records, copy = tmp_path / "records", tmp_path / "copy"
    done = start("--live", "--log", str(records), "--tee", str(copy), stdin=log.read_bytes())
    encoder = session()
    assert done.returncode == 0 and copy.read_bytes() == log.read_bytes()
    assert b"half line\r\n" in done.stdout and b"hv> cont" in done.stdout and b"\x1e" not in done.stdout
    assert len(done.stdout) == len(encoder.guest_out) + len(encoder.monitor_out)
    assert len(records.read_text().splitlines()) == 24
    assert start("--live", "--hide", stdin=log.read_bytes()).stdout == done.stdout
    assert b"mrs PMCR_EL0" in start("--live", stdin=log.read_bytes()).stdout


def test_live_does_not_wait_for_what_may_not_come() -> None:
    child = subprocess.Popen([sys.executable, str(TOOL), "--live", "--hide"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(session(trailer=False).bytes() + b"login: ")
        child.stdin.flush()
        seen = b""
        end = time.monotonic() + 600
        while not seen.endswith(b"login: ") and time.monotonic() < end:
            seen += os.read(child.stdout.fileno(), 4096)
        assert seen.endswith(b"login: ")
    finally:
        child.stdin.close()
        assert child.wait(600) == 0
        child.stdout.close()


# --- pipes ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("command", ["show", "json", "csv", "console", "trace"])
def test_a_reader_that_leaves_is_no_drama(command: str, tmp_path: Path) -> None:
    encoder = Encoder()
    encoder.header()
    for i in range(20000):
        encoder.guest(b"0123456789012345678901234567890123456789\n")
        encoder.decision(1, "msr.r X")
    path = tmp_path / "big.log"
    path.write_bytes(encoder.bytes())
    child = subprocess.Popen([sys.executable, str(TOOL), command, str(path)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    assert child.stdout is not None and child.stderr is not None
    child.stdout.read(10)
    child.stdout.close()
    assert child.stderr.read() == b"" and child.wait(600) == 141
    child.stderr.close()


def test_ctrl_c_is_no_drama() -> None:
    child = subprocess.Popen([sys.executable, str(TOOL), "show"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE,    # a shell's background job, which this may be, ignores SIGINT
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    encoder = session(trailer=False)
    for _ in range(530):  # enough for a first flush, too little to fill a pipe without a reader
        encoder.record("D", DENY)
    child.stdin.write(encoder.bytes())
    child.stdin.flush()
    child.stdout.read(10)  # the program is at work now
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=600)
    assert child.returncode == 130 and errors == b""


def test_closed_standard_streams() -> None:
    for close in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(f"'{sys.executable}' '{TOOL}' summary {close}", shell=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
        assert b"Traceback" not in done.stderr and done.returncode in (2, 3), (close, done)


def test_help_names_every_command() -> None:
    text = run("--help").stdout.decode()
    for name in ("summary", "show", "json", "csv", "check", "diff", "console", "monitor", "live", "trace", "html"):
        assert name in text
        assert run(name, "--help").returncode == 0


_LINES = ["DENY r31 msr.r PMCR_EL0 pc=0x40001000 el=1 cost=70 esr=0x6230e419",
          "DENY r31 msr.w PMCR_EL0=0x7 pc=0x40001004 el=1 cost=70 esr=0x6230e418",
          "DENY r32 msr.r DBGDTR_EL0 pc=0x40002000 el=0 cost=70 esr=0x62208009",
          "EMUL r5 mmio.r uart0+0x18/4=0x90 pc=0x40003000 el=1 cost=9 esr=0x93860006",
          "DENY r6 mmio.w gpio+0x0/4=0x1 pc=0x40003004 el=1 cost=9 esr=0x93860046"]


@pytest.mark.parametrize("words, wanted", [
    ("deny & msr.r", [0, 2]), ("deny & msr.r pmcr", [0]), ("DENY and (mmio or msr.w)", [1, 4]), ("not emul & not msr", [4]),
    ("pc 0x40001000 0x40002000", [0, 1, 2]), ("deny & pc 0x40001001 0x40003004", [1, 2, 4]), ("uart0+0x18", [3]),
    ("emul", [3]), ("deny & el==0", [2]), ("r31 & class==msr & op==w", [1])])
def test_the_monitors_filters(words: str, wanted: List[int], tmp_path: Path) -> None:
    """The text of a record's line, in either case, as `log grep` of the monitor has it."""
    encoder = Encoder(mode="text")
    encoder.header()
    for line in _LINES:
        encoder.record("D", line)
    encoder.trailer()
    log = tmp_path / "uart.log"
    log.write_bytes(encoder.bytes())
    done = run("csv", "--fields", "pc", "-f", f"kind==D and ({words})", str(log))
    found = re.findall(r"pc=(\w+)", "".join(_LINES[n] for n in wanted))
    assert done.returncode == 0 and done.stdout.decode().split()[1:] == found, done


def test_a_misspelled_field_is_told() -> None:
    done = run("show", "-f", "verdct==DENY", stdin=b"")
    assert done.returncode == 2 and b"did you mean 'verdict'?" in done.stderr
