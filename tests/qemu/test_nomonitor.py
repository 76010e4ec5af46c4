# SPDX-License-Identifier: Apache-2.0
"""An image without the operator's monitor (make MONITOR=0): small, and the whole line is the guest's."""
import subprocess
from pathlib import Path
from typing import Any

import pytest

from vm import CROSS, ROOT, arm64_image, bootargs, build, decode, machine, make, run

# A guest that sends back its input, a B for a BREAK; 0x04 asks for SYSTEM_OFF.
ECHO = """
    mov    w1, #'!'
say:    str    w1, [x0]
1:    ldr    w1, [x0, #0x18]            /* UARTFR.RXFE */
    tbnz    w1, #4, 1b
    ldr    w1, [x0]
    cmp    w1, #4
    b.eq    2f
    tbz    w1, #10, say            /* UARTDR.BE */
    mov    w1, #'B'
    b    say
2:    mov    w0, #0x84000000
    add    w0, w0, #8
    smc    #0
"""


@pytest.fixture(scope="module")
def elf() -> Path:
    return build("permissive", "MONITOR=0", tag="-nomonitor")


def test_the_whole_line_is_the_guests(console: Any, tmp_path: Path) -> None:
    own = build("permissive", "MONITOR=0", tag="-line").parent   # a copy: make may link there again
    image = arm64_image(tmp_path, ECHO)
    log = tmp_path / "uart.log"
    c = console(["make", "--no-print-directory", "-C", str(ROOT), "run-linux", "MONITOR=0", "POLICY=permissive",
                 f"UART_LOG={log}", f"B={own}", f"LINUX_IMAGE={image}", f"CC=ccache {CROSS}gcc"])
    c.expect("!")
    typed = "a\x1dm\x1d?\x1dg\x1dq\x1dyz"
    c.send(typed)
    c.expect(typed.replace("?", r"\?"))
    c.send("\x01b")     # QEMU's key for a BREAK
    c.expect("B")
    c.send("\x04")
    c.expect("reason=poweroff")
    assert c.end() == 0
    assert decode(log, "check").returncode == 0


def test_a_pause_ends_it_and_the_log_is_whole(elf: Path, tmp_path: Path) -> None:
    log = tmp_path / "uart.log"
    log.write_bytes(run(machine(elf)).stdout)
    assert "0 failed" in log.read_text(errors="replace") and "pause-skipped" in log.read_text(errors="replace")
    assert decode(log, "check").returncode == 0


def test_cpus_come_and_go_without_it(elf: Path, tmp_path: Path) -> None:
    log = tmp_path / "uart.log"
    log.write_bytes(run(machine(elf, smp=4)).stdout)
    assert "0 failed" in log.read_text(errors="replace") and decode(log, "check").returncode == 0


def test_what_would_need_a_monitor_is_refused(elf: Path, tmp_path: Path) -> None:
    said = run(machine(elf, *bootargs(tmp_path, 'hv.init="status"'))).stdout.decode(errors="replace")
    assert "hv.init needs the monitor" in said and "passed" not in said
    for word, reason in (("HVINIT=status", "no monitor for HVINIT="), ("LOCKED=1", "no monitor for LOCKED="),
                         ("MONITOR=yes", "MONITOR=yes: 1, or 0 for an image without monitor")):
        done = make("all", "MONITOR=0", word, check=False, cache=False)
        assert done.returncode != 0 and reason in done.stdout and len(done.stdout.splitlines()) <= 2, done.stdout


def test_it_holds_none_of_it(elf: Path) -> None:
    names = subprocess.run([CROSS + "nm", str(elf)], check=True, text=True, stdout=subprocess.PIPE).stdout
    assert " monitor_run" in names
    for word in ("monitor_execute", "monitor_line", "gdb_session", "debug_step", "dis", "rules_set"):
        assert f" {word}\n" not in names, word
