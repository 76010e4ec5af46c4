# SPDX-License-Identifier: Apache-2.0
"""A person at the console: the contract's command line, the monitor, pipes, an edit of the policy."""
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, List

import pytest

from vm import CROSS, PROMPT, ROOT, TIMEOUT, build, decode, machine, make, run

sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
from policygen.commands import explain  # noqa: E402
from policygen.evidence import log as evidence  # noqa: E402
from policygen.meaning.evaluate import evaluator  # noqa: E402
from policygen.meaning.load import load_policy  # noqa: E402
from policygen.text.diag import Diagnostics  # noqa: E402


def test_the_command_line_typed_by_hand(console: Any) -> None:
    c = console(machine(build("default"), nic=True))
    c.expect(r"diagnostic guest: \d+ passed, 0 failed")
    c.expect(PROMPT)
    assert "stopped: pause" in c.command("status")
    c.send("poweroff\r")
    assert c.end() == 0


def test_what_is_typed_before_the_first_instruction_is_kept() -> None:
    """The UART may hold one more byte; whether QEMU has others ready depends on time."""
    typed = "for i in $(seq 40); do echo mark number$i; done; echo poweroff"
    command = ["sh", "-c", f'({typed}) | "$@"', "sh", *machine(build("default"))]
    for _ in range(3):
        said = run(command).stdout
        assert b"hv> mark number1" in said and b"no command" not in said, said[-1500:]


def test_every_first_command_answers(console: Any) -> None:
    c = console(machine(build("default")))
    c.expect(PROMPT)
    said = {word: c.command(word) for word in
            ["help", "status", "regs", "sysregs", "sysregs mmu", "el2", "x/4x ipa:0x40000000", "x/4x $pc", "xlat $pc",
             "map", "traps", "traps -r", "policy", "policy show r3", "policy hash", "log tail 3", "log status"]}
    for word, text in said.items():
        assert len(text.splitlines()) > 1, f"{word}: {text!r}"
        assert "error" not in text.lower(), f"{word}: {text!r}"
    for word in ("status", "regs", "sysregs", "el2", "xlat", "map", "traps", "policy", "why", "log", "cont", "reset",
                 "poweroff"):
        assert word in said["help"]
    assert "policy/default.yaml" in said["policy"]
    assert "policy/default.yaml" in c.command("why")
    assert "no command 'frobnicate'" in c.command("frobnicate")
    # A guest address without memory is answered, not a fault.
    c.command("x/4x 0xdeadbeef00000000")
    c.command("x/4x pa:0x40080000")
    assert "passed" not in c.command("status")
    c.send("poweroff\r")
    assert c.end() == 0


def test_why_says_what_policygen_says(console: Any) -> None:
    """`why` of every decision that the diagnostic guest's run has logged."""
    policy, _ = load_policy("default")
    assert policy is not None
    c = console(machine(build("default")))
    c.expect("0 failed")
    c.expect(PROMPT)
    lines = re.findall(r"^(@[DA] (\d+) \S+ ([A-Z]+) r(\d+) .*?)\r?$", c.command("log tail 500"), re.M)
    assert len(lines) > 50
    for line, seq, verdict, rule in lines:
        question = explain.understand(line)
        assert not isinstance(question, str), question
        access, = explain.resolve(policy, question, Diagnostics(sources={"<access>": [question.target]}))
        decision = evaluator(policy).decide(access)
        assert evidence.same(decision, verdict) and decision.entry.rule == int(rule), line
        said = c.command(f"why {seq}")
        assert line in said and f"r{rule}  {decision.entry.place}  (" in said, said
        assert (f"`rule r{rule} stop`" in said) == (verdict not in ("ALLOW", "EMUL", "WOULD")), said
        assert (f"`rule r{rule} would`" in said) == (verdict in ("DENY", "KILL", "INJECT")), said
    c.send("poweroff\r")
    assert c.end() == 0


def test_the_key_stops_a_guest_that_spins(console: Any, tree: Path) -> None:
    start = (tree / "guest" / "lib" / "start.S").read_text()
    assert start.count("bl\tmain\n") == 1
    (tree / "guest" / "lib" / "start.S").write_text(start.replace("bl\tmain\n", "b\t.\n"))
    c = console(machine(build("default", tree=tree)))
    c.expect("guest\\+")
    c.send("\x1dm")
    c.expect(PROMPT)
    assert "stopped: key" in c.command("status")
    first = c.command("regs")
    assert "pc" in first
    c.send("cont\r")
    c.send("\x1dm")
    c.expect(PROMPT)
    # The key is heard even behind more input than the guest's receiver holds, of which the guest reads no byte.
    c.send("cont\r")
    c.send("x" * 6000 + "\x1dm")
    c.expect("input dropped: the guest does not read")
    c.expect(PROMPT)
    c.send("\r")  # its receiver is off: its bytes are the monitor's
    c.expect("no command 'x+")
    c.expect(PROMPT)
    c.send("poweroff\r")
    assert c.end() == 0


def test_commands_through_a_pipe() -> None:
    done = run(machine(build("default")), stdin=b"status\npoweroff\n")
    assert done.returncode == 0
    assert b"policy  default#" in done.stdout


def test_with_nobody_to_type_it_ends_behind_the_pause() -> None:
    done = make("run", "B=build/test/default", stdin=subprocess.DEVNULL)
    assert " 0 failed" in done.stdout and PROMPT in done.stdout


def test_unattended_make_fails_with_the_guest(tree: Path) -> None:
    words = ("run", "UNATTENDED=1", "TIMEOUT=600")
    make(*words, tree=tree, stdin=subprocess.DEVNULL)
    main = tree / "guest" / "diag" / "main.c"
    text = main.read_text()
    assert text.count("check_passed, check_failed);") == 1
    main.write_text(text.replace("check_passed, check_failed);", "check_passed, check_failed + 1);"))
    done = make(*words, tree=tree, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode != 0 and "the diagnostic guest failed" in done.stdout


def test_the_tee_pipeline(tmp_path: Path) -> None:
    log = tmp_path / "uart.log"
    kept = tmp_path / "kept.log"
    pipeline = (f"printf 'poweroff\\n' | make --no-print-directory run UART_LOG={kept} 2>&1 | tee {log} >/dev/null;"
                f" {sys.executable} tools/log_decode.py --summary < {log}")
    done = subprocess.run(["bash", "-c", pipeline], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stdout
    assert "COMPLETE" in done.stdout and "INCOMPLETE" not in done.stdout, done.stdout
    for word in ("ALLOW", "DENY", "EMUL"):
        assert re.search(word + r" +[1-9]", done.stdout), done.stdout
    # The log exists without tee: QEMU keeps the line's output.
    wire = kept.read_bytes()
    again = make("run", f"UART_LOG={kept}", check=False, stdin=subprocess.DEVNULL)
    assert again.returncode != 0 and f"UART_LOG={kept} exists" in again.stdout and kept.read_bytes() == wire
    assert wire.startswith(b"\x1e@H 0 ") and wire in log.read_bytes()
    assert "policy/default.yaml" in decode(kept, "show").stdout, "the places of a policy that was built are known"


def machines_of(log: Path) -> List[int]:
    """The QEMUs that write this log."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes()
        except OSError:
            continue
        if b"qemu" in words.partition(b"\0")[0] and f"logfile={log}".encode() in words:
            found.append(int(each.parent.name))
    return found


def test_a_closed_pipe_ends_it(console: Any, tmp_path: Path) -> None:
    """At a terminal the machine ends with its reader; until then it gets keys and Ctrl-C."""
    build("default")
    log = tmp_path / "uart.log"
    run_it = f"cd {ROOT}; make --no-print-directory run B=build/test/default CC='ccache {CROSS}gcc' 2>&1 UART_LOG="
    c = console(["bash", "-c", f"{run_it}{log} | head -5"])
    assert c.end() is not None
    deadline = time.monotonic() + TIMEOUT
    while machines_of(log) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert log.exists() and not machines_of(log)
    log = tmp_path / "another.log"      # the first log is not overwritten
    c = console(["bash", "-c", f"{run_it}{log} | cat"])
    c.expect(PROMPT)
    c.send("stat\x03")
    c.expect(r"\^C")
    c.expect(PROMPT)
    assert "stopped: pause" in c.command("status") and len(machines_of(log)) == 1
    c.send("poweroff\r")
    assert c.end() == 0


def test_an_edited_line_is_the_decision_in_the_log(tree: Path, tmp_path: Path) -> None:
    """One more register denied in strict.yaml: the log names the edited line."""
    policy = tree / "policy" / "strict.yaml"
    lines = policy.read_text().splitlines()
    at = lines.index("sysregs:") + 2
    lines.insert(at, "  AFSR0_EL1: { do: deny, log: always }")
    policy.write_text("\n".join(lines) + "\n")
    done = run(machine(build("strict", tree=tree)), stdin=b"policy find AFSR0\npoweroff\n")
    log = tmp_path / "uart.log"
    log.write_bytes(done.stdout)
    shown = decode(log, "show", "--policy", str(tree / "build/test/strict/gen/rules.json"), "-f", "reg~AFSR0").stdout
    assert f"policy/strict.yaml:{at + 1}" in shown, shown
    assert "DENY" in shown
    assert f"policy/strict.yaml:{at + 1}".encode() in done.stdout


def cpu_seconds(pid: int) -> float:
    """Seconds of the host's CPUs that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_monitor_that_nobody_types_at_costs_the_host_nothing(console: Any) -> None:
    c = console(machine(build("default"), smp=4))
    c.expect(PROMPT)
    time.sleep(2)
    before = cpu_seconds(c.child.pid)
    time.sleep(3)
    assert cpu_seconds(c.child.pid) - before < 0.15
    assert "stopped: pause" in c.command("status")
    c.send("poweroff\r")
    assert c.end() == 0


@pytest.mark.parametrize("typed", [b"", b"status\n", b"status\ncont\n"])
def test_an_input_that_ends_ends_the_run(typed: bytes) -> None:
    """A script that forgot `poweroff`, through a pipe."""
    done = subprocess.run(["make", "-s", "run", "B=build/test/default"], cwd=ROOT, input=typed, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=TIMEOUT, check=True)
    assert b" 0 failed" in done.stdout and b"reason=poweroff" in done.stdout
    assert (b"policy  default#" in done.stdout) == (b"status" in typed)
