# SPDX-License-Identifier: Apache-2.0
"""EL2 before and between guests: boot arguments that it refuses, RAM that it scrubs, a reset."""
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from test_debug import CODE, SPIN, program
from vm import PROMPT, QEMU, ROOT, arm64_image, bootargs, build, machine, make, run

sys.path.insert(0, str(ROOT / "tests" / "bench"))
from bench import larger_policy  # noqa: E402

# A kernel that prints for three places in its RAM whether they hold data (D) or zero (Z), and that it runs.
LOOK = """
    adr    x2, look
    mov    x3, #4
next:    ldr    x4, [x2], #8
    ldr    x4, [x4]
    cmp    x4, #0
    mov    w5, #'Z'
    mov    w6, #'D'
    csel    w1, w5, w6, eq
    str    w1, [x0]
    subs    x3, x3, #1
    b.ne    next
    mov    w1, #'\\n'
    str    w1, [x0]
    mov    w0, #0x84000000
    add    w0, w0, #8
    smc    #0
    .balign    8
look:    .quad    0x50000000, 0x50000ff8, 0x501ffff8, 0x40000000
"""


def test_unknown_boot_arguments_are_refused(tmp_path: Path) -> None:
    text = run(machine(build("default"), *bootargs(tmp_path, "unattended=1 frob=1"))).stdout.decode(errors="replace")
    assert "charter: panic: boot arguments: unknown word at offset 22" in text and "passed" not in text


@pytest.mark.parametrize("machine_is, cpus_are, memory, said", [
    ("virt,virtualization=on,gic-version=3", "cortex-a57", "128M", "the guest's RAM ends at 0x72000000.*-m 1G"),
    ("virt,virtualization=on,gic-version=3", "max", "799M", "the guest's RAM ends at 0x72000000.*-m 1G"),
    ("virt,virtualization=on,gic-version=2", "cortex-a57", "1G", "no GICv3: start QEMU with -M .*gic-version=3"),
    ("virt,virtualization=on", "max", "1G", "no GICv3: start QEMU with -M .*gic-version=3"),
    ("virt,virtualization=on,gic-version=4", "max", "1G", "no GICv3: start QEMU with -M .*gic-version=3"),
    ("virt,gic-version=3", "cortex-a57", "1G", "entered at EL1, needs EL2: start QEMU with -M virt,virtualization=on"),
    ("virt,secure=on,virtualization=on,gic-version=3", "cortex-a57", "1G", "entered at EL3, needs EL2"),
])
def test_another_machine_is_told_what_to_start(machine_is: str, cpus_are: str, memory: str, said: str,
                                               console: Any) -> None:
    """One line, which names the option; no syndrome, no monitor. The machine is switched off, if that is possible."""
    words = machine(build("default"), cpu=cpus_are, shape=machine_is)
    words[words.index("1G")] = memory
    c = console(words)
    line = c.expect(r"charter: [^\r\n]*[\r\n]", timeout=30).group(0)
    assert re.search(said, line), line
    if "entered" not in line:
        assert c.end() == 0
    assert "panic" not in "".join(c.transcript) and "esr" not in "".join(c.transcript)


def test_what_was_in_ram_before_is_not_the_guests_to_see(tmp_path: Path) -> None:
    image = arm64_image(tmp_path, LOOK)
    elf = build("default")
    subprocess.run([sys.executable, "tools/linux_prep.py", "--image", str(image), "--smp", "1", "--cpu",
                    "cortex-a57", "--qemu", QEMU, "--policy-windows", str(elf.parent / "gen" / "windows.json"),
                    "--unattended", "--out", str(tmp_path / "linux")], cwd=ROOT, check=True)
    (tmp_path / "before").write_bytes(b"secrets!" * (0x200000 // 8))
    words = shlex.split((tmp_path / "linux" / "qemu.args").read_text())
    text = run(machine(elf, *words, "-device", f"loader,file={tmp_path / 'before'},addr=0x52000000,force-raw=on")
               ).stdout.decode(errors="replace")
    assert "ZZZD" in text and "reason=poweroff" in text, text[-3000:]


@pytest.mark.parametrize("at", [0x42000000, 0x71fffff8])
def test_what_no_loader_knows_is_refused(at: int, tmp_path: Path) -> None:
    """... and never gives way to the diagnostic guest."""
    (tmp_path / "raw").write_bytes(b"\0\0\0\x14" * 2)
    text = run(machine(build("default"), *bootargs(tmp_path, "unattended=1"), "-device",
                       f"loader,file={tmp_path / 'raw'},addr={at:#x},force-raw=on")).stdout.decode(errors="replace")
    assert f"charter: panic: guest RAM: something was loaded at IPA {at - 0x2000000 & -64:#x}" in text
    assert "make run-guest" in text and "PASS" not in text


def test_a_reset_begins_anew(console: Any) -> None:
    c = console(machine(build("default")))
    c.expect(PROMPT)
    c.command("w8 0x40300000 0x1234")
    c.send("reset\r")
    c.expect("reason=reset")
    c.expect(PROMPT)
    assert "1 rules changed" not in c.command("rule") and "0x1234" not in c.command("x 0x40300000")
    c.send("poweroff\r")
    assert c.end() == 0


def test_exposed_vectors_have_every_length_that_the_cpu_has(tree: Path, console: Any) -> None:
    policy = tree / "policy" / "permissive.yaml"
    text = policy.read_text()
    assert "  sve: hide\n  sme: hide\n" in text
    policy.write_text(re.sub(r"\bS[VM]E: 0, ", "", re.sub(r"\b(s[vm]e): hide", r"\1: expose", text)))
    c = console(machine(build("permissive", "CPU=max", tree=tree), cpu="max"))
    c.expect(PROMPT)
    program(c, 0xD5181040, 0xD5033FDF, 0xD5181201, 0xD51812C1, 0xD5033FDF,  # CPACR_EL1 = x0; ZCR_EL1 = SMCR_EL1 = x1
            0x04BF5022, 0x04BF5823, SPIN)                                   # rdvl x2, #1; rdsvl x3, #1
    c.command("set $x0 = 0x3330000")
    c.command("set $x1 = 0xf")
    assert f" > {CODE + 28:#x}" in c.command(f"until {CODE + 28:#x}")
    regs = c.command("regs")
    for name in ("x2", "x3"):
        assert re.search(rf"\b{name} +0x0*100\b", regs), "2048 bits are QEMU's most"
    c.send("poweroff\r")
    assert c.end() == 0


def test_twenty_thousand_entries(tmp_path: Path) -> None:
    """Tables beyond the reach of EL2's PC-relative addresses: each is linked where the code finds it."""
    policy = ROOT / "build" / "20k.yaml"
    policy.write_text(larger_policy(20000), encoding="utf-8")
    make("all", f"POLICY={policy.relative_to(ROOT)}", "B=build/test/20k")
    elf = ROOT / "build" / "test" / "20k" / "hypervisor.elf"
    said = run(machine(elf, *bootargs(tmp_path, "unattended=1"))).stdout.decode(errors="replace")
    total = re.search(r"diagnostic guest: (\d+) passed, 0 failed", said)
    assert total and int(total[1]) > 100, said[-3000:]
    assert re.search(r" rules=(\d+) ", said)[1] == "20001", said[-3000:]      # type: ignore[index]
