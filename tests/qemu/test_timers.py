# SPDX-License-Identifier: Apache-2.0
"""No deadline of a guest stops QEMU, and a timer that is due fires, even after time was hidden from the guest."""
from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vm
from vm import PROMPT, ROOT, arm64_image, build, machine

sys.path.insert(0, str(ROOT / "tests" / "linux"))
from artifacts import newest_qemu  # noqa: E402

# Arms the virtual timer with 1 << n, with one less, with all other bits and with its negative, for a while each; then
# with a deadline that comes. Twice, with a pause between.
DEADLINES = """
    mov    x9, x0
    mov    x10, #2
again:    mov    x4, #0
1:    mov    x5, #1
    lsl    x5, x5, x4
    mov    x6, x5
    bl    arm
    sub    x6, x5, #1
    bl    arm
    mvn    x6, x5
    bl    arm
    neg    x6, x5
    bl    arm
    add    x4, x4, #1
    cmp    x4, #64
    b.lo    1b
    mrs    x6, cntvct_el0
    mov    x7, #62000
    add    x6, x6, x7
    msr    cntv_cval_el0, x6
    mov    x7, #3            /* ENABLE, IMASK */
    msr    cntv_ctl_el0, x7
    isb
2:    mrs    x7, cntv_ctl_el0
    tbz    x7, #2, 2b        /* ISTATUS */
    msr    cntv_ctl_el0, xzr
    mov    w1, #'T'
    str    w1, [x9]
    subs    x10, x10, #1
    b.eq    off
    mov    x0, #3            /* HVC_PAUSE */
    hvc    #0
    b    again
off:    mov    w0, #0x84000000
    add    w0, w0, #8
    hvc    #0
arm:    msr    cntv_cval_el0, x6
    mov    x7, #1
    msr    cntv_ctl_el0, x7
    isb
    mov    x8, #20000
3:    subs    x8, x8, #1
    b.ne    3b
    msr    cntv_ctl_el0, xzr
    isb
    ret
"""


@pytest.mark.parametrize("newest", [False, True])
def test_any_deadline(newest: bool, tmp_path: Path, console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if newest:
        monkeypatch.setattr(vm, "QEMU", str(newest_qemu(ROOT / "build" / "linux")))
    elf, image = build("permissive"), arm64_image(tmp_path, DEADLINES)
    subprocess.run([sys.executable, "tools/linux_prep.py", "--image", str(image), "--smp", "1", "--cpu", "cortex-a57",
                    "--qemu", vm.QEMU, "--policy-windows", str(elf.parent / "gen" / "windows.json"),
                    "--out", str(tmp_path / "linux")], cwd=ROOT, check=True)
    c = console(machine(elf, *shlex.split((tmp_path / "linux" / "qemu.args").read_text())))
    c.expect("T", timeout=120)
    c.expect(PROMPT, timeout=120)
    c.command("sysregs cntvoff")
    c.send("cont\r")
    c.expect("T", timeout=120)
    c.expect("reason=poweroff", timeout=120)
    assert c.end() == 0
