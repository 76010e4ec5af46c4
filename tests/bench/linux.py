# SPDX-License-Identifier: Apache-2.0
"""How much later a Debian kernel is under Charter than at EL1 without a hypervisor, by its own clock.

Same Image, command line, initrd and DTB (made once, without seeds), same addresses; QEMU's instruction count is the clock
of both, so two runs are the same to the instruction.
"""
from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "linux"))

import artifacts    # noqa: E402
import initramfs    # noqa: E402
import machine      # noqa: E402

BARE = "-M virt,gic-version=3 -cpu cortex-a57 -m 1G"
PINNED = "-nographic -serial mon:stdio -nic none -no-reboot -rtc base=2026-01-01,clock=vm -seed 1 -icount shift=0,sleep=off"
WALL = 1500         # seconds for one boot
FORKS = 150
INIT = (f"echo forks-begin > /dev/kmsg\ni=0\nwhile [ $i -lt {FORKS} ]; do busybox true; i=$((i+1)); done\n"
        "echo forks-end > /dev/kmsg\ndmesg | grep -E 'Run /init|forks-(begin|end)'\n")


@dataclass(frozen=True)
class Ratio:
    key: str
    title: str
    goal: float
    cmdline: str
    policy: str             # under tests/bench or a profile
    forks: bool = False


QUIET, LOUD = "quiet", "ignore_loglevel"
RATIOS = (
    Ratio("linux_quiet", "Run /init, `quiet`, against bare EL1", 1.0003, QUIET, "permissive"),
    Ratio("linux_lines", "Run /init, every line on the emulated PL011", 1.002, LOUD, "permissive"),
    Ratio("linux_logged", "Run /init, `quiet`, every decision logged (kept)", 1.005, QUIET, "logged"),
    Ratio("linux_forks", f"{FORKS} forks of a shell loop, against bare EL1", 1.001, QUIET, "permissive", True),
)


class Failed(Exception):
    """A boot did not come to its end."""


def logged(text: str) -> str:
    """permissive with `log: always` in every entry."""
    body = text[text.index("\nsysregs:"):text.index("\nassert:")]
    new = re.sub(r"^(  [\w-]+:) (allow|deny)\b", r"\1 { do: \2, log: always }", body, flags=re.M)
    new = re.sub(r"\{ (emulate: [\w-]+) \}", r"{ \1, log: always }", new)
    new = re.sub(r"log: (never|once)", "log: always", new)
    new = re.sub(r"(do: allow), why", r"\1, log: always, why", new)
    return text[:text.index("\nsysregs:")].replace("name: permissive", "name: logged") + new + "\n"


def prepare(out: Path, cmdline: str, windows: Path, cache: Path) -> Path:
    files = artifacts.fetch(artifacts.INSTALLER, cache).files
    busybox = artifacts.fetch(artifacts.BUSYBOX, cache, foreign=True).files["busybox"]
    out.mkdir(parents=True, exist_ok=True)
    (out / "initrd.gz").write_bytes(initramfs.build(busybox.read_bytes(), INIT))
    command = [sys.executable, str(ROOT / "tools" / "linux_prep.py"), "--image", str(files["linux"]), "--initrd",
               str(out / "initrd.gz"), "--cmdline", f"console=ttyAMA0 {cmdline}", "--unattended", "--no-seeds", "--quiet",
               "--log", "quiet", "--policy-windows", str(windows), "--qemu-args", BARE, "--out", str(out)]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise Failed("linux_prep refused")
    stub = out / "bare.bin"
    stub.write_bytes(b"".join(word.to_bytes(4, "little") for word in machine.BARE_STUB))
    return out


def boot(qemu: str, folder: Path, elf: Optional[Path]) -> Tuple[float, float]:
    """Microseconds to "Run /init", and of the forks."""
    if elf:
        words = shlex.split(machine.MACHINE) + ["-kernel", str(elf), *(folder / "qemu.args").read_text().split("\n")]
    else:
        words = shlex.split(BARE) + ["-device", f"loader,file={folder / 'bare.bin'},addr={machine.BARE_START:#x},"
                                       "cpu-num=0,force-raw=on"]
        for name, address in machine.BARE_ADDRESSES.items():
            words += ["-device", f"loader,file={folder / name},addr={address:#x},force-raw=on"]
    log = folder / f"{elf.parent.name if elf else 'bare'}.log"
    with log.open("wb") as file:
        subprocess.run([qemu, *[word for word in words if word], *PINNED.split()], stdin=subprocess.DEVNULL, stdout=file,
                       stderr=subprocess.STDOUT, timeout=WALL, check=False)
    text = log.read_bytes().decode("utf-8", "replace")
    at: Dict[str, float] = {m[2]: float(m[1]) for m in
                            re.finditer(r"\[ *(\d+\.\d{6})\] (Run /init|forks-begin|forks-end)", text)}
    if len(at) < 3:
        raise Failed(f"{log}: {text[-1500:]}")
    return at["Run /init"], at["forks-end"] - at["forks-begin"]


def measure(qemu: str, build_dir: Path, images: Dict[str, Path]) -> Tuple[Dict[str, float], Dict[str, float]]:
    """The ratios by key, and the seconds they are made of. `images`: by policy, with gen/windows.json beside them."""
    ratios: Dict[str, float] = {}
    seconds: Dict[str, float] = {}
    taken: Dict[Tuple[str, str], Tuple[float, float]] = {}
    for ratio in RATIOS:
        folder = prepare(build_dir / ratio.cmdline, ratio.cmdline, images["permissive"].parent / "gen" / "windows.json",
                         ROOT / "build" / "linux")
        for policy in ("bare", ratio.policy):
            if (ratio.cmdline, policy) not in taken:
                taken[ratio.cmdline, policy] = boot(qemu, folder, images.get(policy))
        bare, ours = (taken[ratio.cmdline, policy][ratio.forks] for policy in ("bare", ratio.policy))
        ratios[ratio.key] = ours / bare
        seconds[f"{ratio.key}_bare"], seconds[ratio.key] = bare, ours
    return ratios, seconds


def report(ratios: Dict[str, float], seconds: Dict[str, float]) -> int:
    """The table; how many rows miss their goal."""
    missed = 0
    print(f"\n{'Linux, by its own clock':52} {'charter':>10} {'bare':>10} {'ratio':>8} {'goal':>8}")
    for ratio in RATIOS:
        late = ratios[ratio.key] > ratio.goal
        missed += late
        print(f"{ratio.title:52} {seconds[ratio.key]:>9.6f}s {seconds[ratio.key + '_bare']:>9.6f}s "
              f"{ratios[ratio.key]:>8.5f} {ratio.goal:>8}{' !' if late else ''}")
    return missed


def main(argv: List[str]) -> int:
    """For one policy's image: LINUX.py permissive=ELF logged=ELF"""
    images = {name: Path(path) for name, path in (word.split("=", 1) for word in argv)}
    try:
        ratios, seconds = measure("qemu-system-aarch64", ROOT / "build" / "bench" / "linux", images)
    except (Failed, artifacts.Unavailable) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(json.dumps(seconds))
    return 1 if report(ratios, seconds) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
