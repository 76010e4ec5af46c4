# SPDX-License-Identifier: Apache-2.0
"""Every subcommand of every tool over an attacker's input: it answers, and does nothing else (harness.py)."""
from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Iterator, List

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import named
from harness import CANARY, ROOT, Cage
from hvl import escape

# Each subcommand of the decoder that reads a log, with options that make it do most.
VIEWS = (["summary"], ["summary", "--by", "pc", "--json"], ["show", "--console", "--relative", "--show-damaged"],
         ["show", "--around", "3,2"], ["json"], ["csv", "-f", "seq>=0"], ["trace"], ["html"], ["folded"],
         ["check", "--github", "--fail-on", "verdict==DENY", "--fail-on", "kind in (E, X, P)", "--require", "seq==10",
          "--max-cost", "1"], ["console"], ["monitor", "--cast"], ["summary", "--weak"], ["console", "--weak"])
BINARY = ("console", "monitor")
MUTANTS = 24    # of each log, unless it is large


def views(name: str, *more: str) -> List[List[str]]:
    return [*([*view, *more, name] for view in VIEWS), ["diff", *more, name, name],
            ["check", "--junit", "junit.xml", *more, name], ["html", "-o", "out.html", *more, name],
            ["trace", "-o", "out.json", *more, name]]


@pytest.fixture
def cage(tmp_path: Path) -> Cage:
    return Cage(tmp_path / "cage")


OUTPUTS = ("junit.xml", "out.html", "out.json")


@pytest.mark.parametrize("name", sorted(named.LOGS))
def test_every_view_of_a_log(name: str, cage: Cage) -> None:
    cage.put("uart.log", named.LOGS[name]())
    cage.many("hvl.cli", views("uart.log"), OUTPUTS, binary=BINARY)


def mutants(data: bytes, r: Random) -> Iterator[bytes]:
    for _ in range(MUTANTS):
        out = bytearray(data)
        for _ in range(r.randrange(1, 9)):
            at = r.randrange(len(out) + 1)
            piece = r.choice((b"\x1e", b"\x1f", b"\0", b"\n", b"\xff\xfe", b"=", b"/", b"9" * 30, b"^^@",
                              b"\xe2\x90\x9e", data[at:at + 40], os.fsencode(r.choice(named.EVIL[:4]))))
            out[at:at + r.choice((0, 0, 1, len(piece), 200))] = piece
        yield bytes(out)


@pytest.mark.parametrize("name", ["a whole one", "controls", "numbers", "batches", "stamps"])
def test_every_view_of_mutated_logs(name: str, cage: Cage) -> None:
    runs = []
    for at, data in enumerate(mutants(named.LOGS[name](), Random(name))):
        log = cage.put(f"{at}.log", data)
        runs += [[*view, log] for view in VIEWS[at % 3::3]]
    cage.many("hvl.cli", runs, binary=BINARY)


@pytest.mark.parametrize("command", ["why", "learn", "whatif", "coverage"])
def test_questions_to_policygen(command: str, cage: Cage) -> None:
    runs = []
    for name in ("controls", "numbers", "batches", "a policy that is a path", "a policy with a switch"):
        log = cage.put(f"{name}.log", named.LOGS[name]())
        runs.append([command, "2", "--session", "1", log] if command == "why" else [command, log])
    runs.append([command, *(["2"] if command == "why" else []), "controls.log", "--policy", "default"])
    cage.many("hvl.cli", runs)


def test_rules_files(cage: Cage) -> None:
    log = cage.put("uart.log", named.LOGS["a whole one"]())
    runs = []
    for name, data in named.RULES.items():
        rules = cage.put(f"{name}.json", data.replace(b"@SECRET@", os.fsencode(cage.secret)))
        runs += [[*view, "--policy", rules, log] for view in (
            ["html"], ["check", "--github", "--fail-on", "verdict==DENY"], ["show"], ["csv"], ["summary", "--json"])]
    for done in cage.many("hvl.cli", runs):
        assert b"root:" not in done.out and b".PHONY" not in done.out, done
        assert done.argv[0] != "html" or b"<script" not in done.out and b"<img" not in done.out, done


def test_the_right_rules_file_shows_the_policy(cage: Cage) -> None:
    """... so that text which other columns leave out is not harmless by accident."""
    log = cage.put("uart.log", named.LOGS["a whole one"]())
    done, = cage.many("hvl.cli", [["html", "--policy", cage.put("rules.json", named.RULES["right"]), log]])
    assert b"<h2>policy/default.yaml</h2>" in done.out and done.status == 0


def test_a_link_in_the_tree_is_no_way_out(cage: Cage, tmp_path: Path) -> None:
    from hvl.files import inside
    (cage.work / "policy").mkdir()
    (cage.work / "policy" / "link.yaml").symlink_to(cage.secret)
    (cage.work / "policy" / "circle.yaml").symlink_to("circle.yaml")
    (cage.work / "policy" / "own.yaml").write_text("own")
    for name in ("policy/link.yaml", "policy/circle.yaml", "policy", "..", "nul\0.yaml", "../outside/secret.yaml"):
        assert inside(cage.work, name, 1 << 20) is None, name
    assert inside(cage.work, "policy/own.yaml", 1 << 20) == b"own" and inside(cage.work, "policy/own.yaml", 2) is None


def test_maps(cage: Cage) -> None:
    log = cage.put("uart.log", named.LOGS["a whole one"]())
    cage.many("hvl.cli", [[view, "--map", cage.put(f"{name}.map", data), log] for name, data in named.MAPS.items()
                          for view in ("show", "summary", "html", "json")])


def test_names_of_files(cage: Cage) -> None:
    """A shell's pattern turns these names into arguments."""
    names = [text.replace("/", "_").replace("\0", "_")[:60].encode("utf-8", "surrogateescape") for text in named.EVIL]
    runs = []
    for name in [*map(os.fsdecode, names), "a\nb", "-", "--help", "\udc80"]:
        (cage.work / name).write_bytes(named.LOGS["a whole one"]())
        for view in ("html", "summary", "check"):
            runs += [[view, "--", f"./{name}", f"./{name}"], [view, f"no-{name}"], [view, "--since", name]]
    cage.many("hvl.cli", runs)


def test_arguments(cage: Cage) -> None:
    log = cage.put("uart.log", named.LOGS["a whole one"]())
    evil = [*named.EVIL, "9" * 5000, "(" * 5000, "not " * 3000, "-1", "1e999", "NaN", "0x", "\ud800", "t>1e9",
            "seq==0x" + "f" * 60]
    runs = []
    for text in evil:
        for switch in ("show -f", "show --around", "show --since", "json --fields", "summary --top", "check --max-cost",
                       "check --fail-on", "diff --ignore", "diff --tolerance", "summary --session", "summary --policy",
                       "summary --map", "why", "why 2 --session"):
            runs.append([*switch.split(), text, log])
        runs.append([text])
    cage.many("hvl.cli", runs)


def test_what_is_no_file(cage: Cage) -> None:
    (cage.work / "locked").write_bytes(b"x")
    (cage.work / "locked").chmod(0)
    for name in (".", "/dev/null", "locked", "none", str(cage.work / "a" / "b")):
        cage.many("hvl.cli", [["summary", name], ["summary", "--policy", name, "/dev/null"],
                              ["show", "--map", name, "/dev/null"], ["why", "1", name]], statuses=(2, 3))
    log = cage.put("uart.log", named.LOGS["a whole one"]())
    for name in ("/dev/zero", "/dev/urandom"):
        runs = [["summary", "--policy", name, log], ["summary", "--map", name, log]]
        done = cage.many("hvl.cli", runs, statuses=(2,))
        assert all(b"the most that" in each.err for each in done), done


@pytest.mark.parametrize("argv", [["html", "-o"], ["trace", "-o"], ["console", "-o"], ["monitor", "--cast", "-o"],
                                  ["check", "--junit"]])
def test_nothing_but_an_older_output_is_written_over(argv: List[str], cage: Cage) -> None:
    log = cage.put("uart.log", b"the guest's\r\n" + named.LOGS["a whole one"]())
    other = cage.put("evidence", b"evidence")
    (cage.work / "link").symlink_to("evidence")
    for target in (log, other, "link"):
        done = cage.many("hvl.cli", [[*argv, target, log]], statuses=(2,))[0]
        assert b"exists" in done.err, done
    again = 2 if argv[0] == "console" else 0
    for status in (0, again):
        done = cage.many("hvl.cli", [[*argv, "new", log]], outputs=["new"])[0]
        assert done.status in (status, 4), done


def test_live(cage: Cage) -> None:
    for name in ("controls", "numbers", "batches", "scraps", "wrapped for ever", "many sessions"):
        cage.run("tools/log_decode.py", "live", "--hide", stdin=named.LOGS[name](), binary=True)
    log = cage.put("uart.log", b"x")
    cage.run("tools/log_decode.py", "live", "--tee", log, stdin=b"y", statuses=[2])


def test_closed_streams(cage: Cage) -> None:
    log = cage.put("uart.log", named.LOGS["a whole one"]())
    for tool in ("log_decode.py summary", "linux_end.py", "replay.py x", "record.py", "hvmux.py", "linux_prep.py",
                 "guest_prep.py", "piped.py"):
        for close in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-", "> /dev/full"):
            words = f"{sys.executable} {ROOT}/tools/{tool} {log} {close}"
            done = subprocess.run(["/bin/sh", "-c", words], capture_output=True, cwd=cage.work, timeout=60, check=False)
            assert b"Traceback" not in done.stderr + done.stdout and 0 <= done.returncode < 128, (words, done)


# --- recordings ----------------------------------------------------------------------------------------------

def recording(cage: Cage, machine: bytes) -> None:
    cage.put("rec/machine.json", machine)
    cage.put("rec/qemu", b"touch owned")            # an older version would have run this
    cage.put("rec/uart.log", named.LOGS["a whole one"]())
    for name in ("hypervisor.elf", "bootargs", "rr.bin"):
        cage.put(f"rec/{name}", b"x")


def test_a_recording_is_data(cage: Cage) -> None:
    for name, machine in named.MACHINES.items():
        recording(cage, machine)
        done = cage.run("tools/replay.py", "rec", "2", statuses=[2])
        assert done.err.count(b"\n") == 1 and b"machine.json" in done.err, (name, done)


def test_a_recording_that_is_right_starts_gdb_alone(cage: Cage) -> None:
    words = ["-M", "virt,virtualization=on,gic-version=3", "-cpu", "cortex-a57,pmu=off", "-smp", "2", "-m", "1G"]
    recording(cage, json.dumps(words).encode())
    (cage.work / "rec" / "replay.log").symlink_to(cage.home / ".gdbinit")
    gdb = str(cage.bin / "gdb-multiarch")
    done = cage.run("tools/replay.py", "rec", "2", statuses=[2], starts=[gdb, "gdb-multiarch"],
                    outputs=["rec/replay.gdb", "rec/state.qcow2", "rec/replay.log", "rec/state"])
    assert b"does not come to decision 2" in done.err, done
    commands = (cage.work / "rec" / "replay.gdb").read_text()
    assert f"exec {cage.bin}/qemu-system-aarch64 -M virt" in commands and "touch" not in commands


def test_a_link_in_a_recording_is_refused(cage: Cage) -> None:
    recording(cage, b"[]")
    for name in ("uart.log", "rr.bin", "hypervisor.elf", "bootargs", "machine.json"):
        path = cage.work / "rec" / name
        kept = path.read_bytes()
        path.unlink()
        path.symlink_to(cage.secret)
        done = cage.run("tools/replay.py", "rec", "2", statuses=[2])
        assert b"not a regular file" in done.err, done
        path.unlink()
        path.write_bytes(kept)


def test_a_recording_is_not_recorded_over(cage: Cage) -> None:
    recording(cage, b"[]")
    usual = ["--elf", "rec/hypervisor.elf", "--bootargs", "rec/bootargs", "--machine", "-M virt"]
    done = cage.run("tools/record.py", "rec", *usual, statuses=[2])
    assert b"exists" in done.err
    for machine in ("-M virt,dumpdtb=x", "'", "-kernel x", "-cpu max;id"):
        cage.run("tools/record.py", "new", *usual[:-1], machine, statuses=[2])
    cage.run("tools/record.py", "new", *usual, statuses=[1], outputs=["new/"],
             starts=[sys.executable, str(cage.bin / "qemu-system-aarch64"), "qemu-system-aarch64"])


# --- Linux ---------------------------------------------------------------------------------------------------

def test_how_a_linux_ended(cage: Cage) -> None:
    runs = [[cage.put(f"{name}.log", make())] for name, make in named.LOGS.items()]
    cage.many("linux_end", runs, statuses=(0, 2, 3, 4, 5))
    cage.run("tools/linux_end.py", "a whole one.log", statuses=[0])
    for argv in ([], ["."], ["none"], ["\udc80\x1b"]):
        cage.run("tools/linux_end.py", *argv, statuses=[2])


PREP = ["--image", "Image", "--dtb", "virt.dtb", "--out", "out"]


@pytest.fixture
def linux(cage: Cage) -> Cage:
    """With a valid Image and DTB."""
    from guestprep import fdt
    tree = fdt.Tree(fdt.Node(""))
    cage.put("virt.dtb", fdt.save(tree))
    cage.put("Image", struct.pack("<IIQQQ24x4s4x", 0x14000000, 0, 0, 0x200000, 0xa, b"ARM\x64") + bytes(4032))
    return cage


def test_device_trees(linux: Cage) -> None:
    r = Random(1)
    source = (ROOT / "tests" / "guestprep")
    sys.path.insert(0, str(source))
    from prep_inputs import small_tree
    from guestprep import fdt
    whole = fdt.save(small_tree())
    dtbs = [whole, named.dtb_of_many_nodes(), b"", whole[:-1], whole[:60]]
    for _ in range(60):
        mutant = bytearray(whole)
        for _ in range(r.randrange(1, 6)):
            at = r.randrange(len(mutant))
            mutant[at:at + 4] = r.choice((b"\xff\xff\xff\xff", b"\0\0\0\1", b"\0\0\0\2", b"\x1b]0;", r.randbytes(4)))
        dtbs.append(bytes(mutant[:len(whole)]))
    runs = [["--image", "Image", "--dtb", linux.put(f"{at}.dtb", data), "--out", "out"] for at, data in enumerate(dtbs)]
    linux.many("linux_prep", runs, outputs=["out/"], statuses=(0, 1))


def test_windows(linux: Cage) -> None:
    runs = []
    for at, data in enumerate(named.WINDOWS.values()):
        name = linux.put(f"{at}/windows.json", data)
        linux.put(f"{at}/policy.canonical.json", named.RULES["surrogates"] if at % 2 else b"[" * 50_000)
        runs.append([*PREP, "--policy-windows", name])
    linux.many("linux_prep", runs, outputs=["out/"], statuses=(0, 1))


def test_what_linux_is_given(linux: Cage) -> None:
    """Commands, names and networks that would be options, boot arguments or programs."""
    refused = [["--hv-init", "mark é"], ["--hv-init", 'cont" image=99 x="'], ["--hv-init", "a\nb"],
               ["--net", "user,guestfwd=tcp:10.0.2.9:1-cmd:touch owned"], ["--net", "tap"], ["--net", "user,smb=/"],
               ["--net", "user,hostfwd=a b"], ["--disk", "a b"], ["--disk", "$(id)"], ["--out", "o;id"],
               ["--out", "a b"], ["--qemu-args", "'"],
               ["--cmdline", "a\x1bb"], ["--smp", "9" * 5000], ["--hv-init", "\ud800"]]
    for done in linux.many("linux_prep", [[*PREP, *more] for more in refused], statuses=[2]):
        assert done.err.splitlines()[-1].startswith(b"linux_prep.py: error: "), done
    long = linux.many("linux_prep", [[*PREP, "--hv-init", "x" * 5000], [*PREP, "--cmdline", "y" * 5000]], statuses=[1])
    assert all(done.err for done in long)


def test_what_was_not_written_here_is_not_written_over(linux: Cage) -> None:
    for argv in (["--image", "Image", "--dtb", "virt.dtb", "--out", "."], PREP):
        linux.put("out/initrd", b"somebody's")
        done, = linux.many("linux_prep", [argv], statuses=[1])
        assert b"exists, and was not written here before" in done.err or b"an input in" in done.err, done


def test_kernels(linux: Cage) -> None:
    """ELF files, raw binaries, U-Boot's images: mutants of each, and what is none."""
    r = Random(2)
    sys.path.insert(0, str(ROOT / "tests" / "guestprep"))
    from guestprep import fdt
    from kernels import CODE, RAM, elf, simple
    fit = fdt.Tree(fdt.Node(""))
    kernel = fit.root.add("images").add("kernel")
    kernel.props.update({"data": CODE * 20, "type": b"kernel\0", "arch": b"arm64\0"})
    fit.root.add("configurations").set_strings("default", "a")
    whole = {"--elf": [simple(), elf((RAM, RAM, CODE * 9, 99), (RAM + 0x9000, 0, CODE, 4), entry=RAM)],
             "--bin": [CODE * 30, fdt.save(fit), b"\x27\x05\x19\x56" + r.randbytes(200), gzip.compress(CODE * 900)]}
    runs = []
    for by, files in whole.items():
        for at, data in enumerate([*files, *named.LOGS["controls"]()[:1], b"", *(m for f in files for m in mutants(f, r))]):
            name = linux.put(f"{by[2:]}{at}", data if isinstance(data, bytes) else bytes([data]))
            runs.append([by, name, "--dtb", "virt.dtb", "--out", "out"])
    linux.many("guest_prep", runs, outputs=["out/"], statuses=(0, 1))
    refused = [["--load", "$(id)"], ["--x0", "1 2"], ["--entry", "9" * 5000], ["--args", "a\x1bb"], ["--machine", "mte=on;id"],
               ["--machine", "secure=on"], ["--disk", "a b"], ["--out", "o;id"], ["--net", "user,smb=/"]]
    for done in linux.many("guest_prep", [["--bin", "bin0", "--dtb", "virt.dtb", "--out", "out", *more] for more in refused],
                           statuses=[2]):
        assert done.err.splitlines()[-1].startswith(b"guest_prep.py: error: "), done


# --- the line ------------------------------------------------------------------------------------------------

def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def mux(cage: Cage, at: int, *argv: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, str(ROOT / "tools" / "hvmux.py"), "--port", str(at), *argv], cwd=cage.work,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def connect(at: int) -> socket.socket:
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", at), timeout=10)
        except OSError:
            time.sleep(0.05)
    raise AssertionError("hvmux does not listen")


def end(child: "subprocess.Popen[bytes]") -> bytes:
    """The output, once the program has ended by itself."""
    try:
        said = child.communicate(timeout=60)
    finally:
        child.kill()
    assert b"Traceback" not in said[1]
    return said[0] + said[1]


def test_a_second_mux_changes_nothing(cage: Cage) -> None:
    """On a used port, or into the log of the first: no machine is started, and the log is not touched."""
    log, at = cage.work / "mux.log", port()
    first = mux(cage, at, "--log", "mux.log", "--", "sh", "-c", "echo evidence; read x")
    try:
        connect(at).close()
        while not log.read_bytes():
            time.sleep(0.02)
        for argv in (["--port", str(at), "--log", "mux.log"], ["--port", str(port()), "--log", "mux.log", "--append"],
                     ["--port", str(at), "--log", "other.log"]):
            second = mux(cage, at, *argv, "--", "touch", "started")
            assert second.wait(30) == 2
            said = end(second)
            assert said.count(b"\n") == 1 and said.startswith(b"hvmux: "), said
        assert log.read_bytes() == b"evidence\n" and not (cage.work / "started").exists()
        assert not (cage.work / "other.log").exists()
    finally:
        assert first.stdin is not None
        first.stdin.write(b"\n")
        first.stdin.flush()
        end(first)
    for argv, status, text in (([], 2, b"evidence\n"), (["--append"], 0, b"evidence\nmore\n")):
        again = mux(cage, port(), "--log", "mux.log", *argv, "--", "echo", "more")
        end(again)
        assert again.returncode == status and log.read_bytes() == text


FLOOD = """
import sys, time, zlib
def record(seq, body):
    text = b"@E %d 0.000000001 %s " % (seq, body)
    sys.stdout.buffer.write(b"\\x1e" + text + b"*%08x\\r\\n" % zlib.crc32(text))
    sys.stdout.buffer.flush()
record(1, b"gdb+ x")
time.sleep(0.5)
for i in range(60):
    sys.stdout.buffer.write(b"$" + b"x" * 100000 + b"#00")
record(2, b"gdb- x")
sys.stdout.buffer.write(b"all of it\\n")
"""


def test_a_gdb_that_does_not_read_stops_nobody(cage: Cage) -> None:
    at = port()
    child = mux(cage, at, "--log", "mux.log", "--", sys.executable, "-c", FLOOD)
    with connect(at):
        said = end(child)
    assert b"all of it" in said and b"has not read" in said and child.returncode == 0
    assert len((cage.work / "mux.log").read_bytes()) > 6_000_000


def test_a_gdb_that_does_not_stop_is_cut_off(cage: Cage) -> None:
    at = port()
    child = mux(cage, at, "--", "sleep", "4")
    with connect(at) as gdb:
        with pytest.raises(OSError):
            for _ in range(2000):
                gdb.sendall(b"\x01x\xff" * 20000)
    assert b"it said more than" in end(child)


def test_a_machine_that_does_not_listen_stops_nobody(cage: Cage) -> None:
    """A machine whose input is full: typed bytes wait, and its output is shown."""
    child = mux(cage, port(), "--", "sh", "-c", "sleep 1; echo said; sleep 1")
    assert child.stdin is not None
    os.set_blocking(child.stdin.fileno(), False)
    try:
        for _ in range(2000):
            child.stdin.write(b"x" * 1000)
            child.stdin.flush()
    except BlockingIOError:
        pass
    child.stdin = None
    assert b"said" in end(child)


def test_a_machine_goes_with_its_mux(cage: Cage) -> None:
    child = mux(cage, port(), "--", "sh", "-c", "echo $$; exec sleep 60")
    assert child.stdout is not None
    machine = int(child.stdout.readline())
    child.send_signal(signal.SIGTERM)
    end(child)
    for _ in range(100):
        if not Path(f"/proc/{machine}").exists():
            return
        time.sleep(0.05)
    raise AssertionError("the machine stayed")


def test_arguments_of_the_mux(cage: Cage) -> None:
    for argv in ([], ["--port", "x", "--", "true"], ["--port", "99999", "--", "true"], ["--log", ".", "--", "true"],
                 ["--", "no-such-program"], ["--log", "none/x", "--", "true"], ["--port", "\ud800\x1b", "--", "true"]):
        words = [sys.executable, str(ROOT / "tools" / "hvmux.py"), "--port", str(port()), *argv]
        done = subprocess.run([os.fsencode(word.replace("\ud800", "\udc80")) for word in words], cwd=cage.work,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
        assert done.returncode == 2 and b"Traceback" not in done.stderr and b"\x1b" not in done.stderr, done


# --- escaping ------------------------------------------------------------------------------------------------

PROFILE = settings(max_examples=150, deadline=None, derandomize=True, database=None,
                   suppress_health_check=list(HealthCheck))
ANY = st.text(st.characters(), max_size=60) | st.sampled_from(named.EVIL)


@PROFILE
@given(ANY)
def test_nothing_steers_a_terminal(text: str) -> None:
    shown = escape.terminal(text)
    assert shown.isprintable() and (shown == text or not text.isprintable())
    assert escape.joined("a", text, escape.painted(text, "31")).count("\x1b") == 2
    assert all(not line.lstrip().startswith(("::", "##[")) for line in escape.no_command(text).split("\n"))


@PROFILE
@given(ANY)
def test_nothing_becomes_markup(text: str) -> None:
    from html.parser import HTMLParser
    from xml.etree import ElementTree

    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.seen: List[str] = []
            self.text = ""

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.seen.append(tag)

        def handle_data(self, data: str) -> None:
            self.text += data
    page = Tags()
    page.feed(escape.markup("<td>{}<td>{}", text, escape.html(text)))
    page.close()
    assert page.seen == ["td", "td"] and page.text == escape.lines(text) * 2
    tree = ElementTree.fromstring(f"<a b={escape.xml_attribute(text)}>{escape.xml(text)}</a>".encode())
    assert tree.get("b") == escape.terminal(text) and (tree.text or "") == escape.lines(text)


@PROFILE
@given(ANY)
def test_ready_text_that_is_added_to_is_not_ready(text: str) -> None:
    from hvl.run import Output
    out = Output.__new__(Output)
    out._text = []
    out.line(escape.painted("x", "31") + text)
    assert out._text[0][:-1].isprintable()


def test_the_harness_sees_what_happens(cage: Cage) -> None:
    """The cage itself: each thing that a tool must not do fails the test."""
    def seen(code: str) -> bool:
        (cage.work / "bad.py").write_text(f"import os, sys\ndef main(argv):\n    {code}\n    return 0\n")
        try:
            cage.many("bad", [[]], folder=str(cage.work))
        except AssertionError:
            return True
        return False
    assert not seen("pass") and not seen("open('bad.py').read()")
    for code in (f"open({str(cage.secret)!r}).read()", "open('new', 'w').write('x')", "os.system('true')",
                 "__import__('subprocess').run(['/bin/true'])", f"open({str(cage.home / 'x')!r}, 'w')",
                 "print('\\x1b[31m')", "print('\\u202e')", "raise KeyError", "sys.exit(77)", f"print({CANARY!r})",
                 "os.symlink('a', 'b')",
                 "bytearray(2 << 30)"):
        assert seen(code), code
