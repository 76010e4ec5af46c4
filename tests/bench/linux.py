# SPDX-License-Identifier: Apache-2.0
"""How much later a Debian kernel gets through its boot under Charter than at EL1 without a hypervisor, by its own
clock.

The installer's Image and initrd; same command line and DTB (made once, without seeds), same addresses. QEMU counts
instructions for both clocks, so two runs are the same to the instruction.
"""
from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "linux"))

import artifacts    # noqa: E402
import initramfs    # noqa: E402
import machine      # noqa: E402

BARE = "-M virt,gic-version=3 -cpu cortex-a57 -m 1G"
PINNED = ("-nographic -serial mon:stdio -nic none -no-reboot -rtc base=2026-01-01,clock=vm -seed 1 "
          "-icount shift=0,sleep=off")
WALL = 1500         # seconds for one boot
FORKS, SERIES = 150, 10     # one series is forty ticks of the kernel, whose places move it by a thousandth
INIT = (f"echo bench-begin > /dev/kmsg\ni=0\nwhile [ $i -lt {FORKS * SERIES} ]; do busybox true; i=$((i+1)); done\n"
        "echo bench-end > /dev/kmsg\ndmesg | grep -E 'Run /init|bench-'\n")


@dataclass(frozen=True)
class Ratio:
    key: str
    title: str
    goal: Optional[float]
    cmdline: str
    policy: str = "permissive"
    log: str = "quiet"
    forks: bool = False


RATIOS = (
    Ratio("linux_quiet", "Run /init, `quiet`", 1.0003, "quiet"),
    Ratio("linux_lines", "Run /init, every line on the emulated PL011", 1.002, "loglevel=7"),
    Ratio("linux_logged", "Run /init, `quiet`, every decision on the wire", 1.005, "quiet", "logged", "full"),
    Ratio("linux_all", "  and cache, TLB, MMU, GIC registers trapped for it", None, "quiet", "logged-all"),
    Ratio("linux_forks", f"{FORKS} forks of a shell loop, mean of {SERIES}", 1.001, "quiet", forks=True),
)
# Entries that permissive does not trap, and that would trap if they were logged.
UNTRAPPED = ("core", "mmu", "fp", "cache", "tlb", "at", "timer-virt", "gic", "rng", "speculation")


class Failed(Exception):
    """A boot did not come to its end."""


def logged(text: str, name: str) -> str:
    """permissive with `log: always` in every entry; `logged` traps no more than permissive does."""
    kept = "|".join(UNTRAPPED) if name == "logged" else "-"
    body = text[text.index("\nsysregs:"):text.index("\nassert:")]
    new = re.sub(rf"^(  (?!(?:{kept}):)[\w-]+:) (allow|deny)\b", r"\1 { do: \2, log: always }", body, flags=re.M)
    new = re.sub(r"\{ (emulate: [\w-]+) \}", r"{ \1, log: always }", new)
    new = re.sub(r"log: (never|once)", "log: always", new)
    new = re.sub(r"(do: allow), why", r"\1, log: always, why", new)
    return text[:text.index("\nsysregs:")].replace("name: permissive", f"name: {name}") + new + "\n"


def prepare(out: Path, ratio: Ratio, windows: Path, cache: Path) -> Path:
    files = artifacts.fetch(artifacts.INSTALLER, cache).files
    busybox = artifacts.fetch(artifacts.BUSYBOX, cache, foreign=True).files["busybox"]
    out.mkdir(parents=True, exist_ok=True)
    # Two archives one after the other: the files of the second replace those of the first.
    (out / "initrd.gz").write_bytes(files["initrd.gz"].read_bytes() + initramfs.build(busybox.read_bytes(), INIT))
    command = [sys.executable, str(ROOT / "tools" / "linux_prep.py"), "--image", str(files["linux"]), "--initrd",
               str(out / "initrd.gz"), "--cmdline", f"console=ttyAMA0 {ratio.cmdline}", "--unattended", "--no-seeds",
               "--quiet", "--log", ratio.log, "--policy-windows", str(windows), "--qemu-args", BARE, "--out", str(out)]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise Failed("linux_prep refused")
    stub(out)
    return out


def stub(out: Path) -> None:
    """Code that jumps to the Image when there is no hypervisor."""
    (out / "bare.bin").write_bytes(b"".join(word.to_bytes(4, "little") for word in machine.BARE_STUB))


def boot(qemu: str, folder: Path, elf: Optional[Path], more: Sequence[str] = ()) -> Dict[str, float]:
    """Seconds of the guest's clock at "Run /init" and at each line of its log that is one word with a dash."""
    if elf:
        prepared = (folder / "qemu.args").read_text().splitlines()
        loaders = [word for pair in zip(prepared, prepared[1:]) if pair[1].startswith("loader,") for word in pair]
        words = shlex.split(machine.MACHINE) + ["-kernel", str(elf), *loaders]
    else:
        words = shlex.split(BARE) + [
            "-device", f"loader,file={folder / 'bare.bin'},addr={machine.BARE_START:#x},cpu-num=0,force-raw=on"]
        for name, address in machine.BARE_ADDRESSES.items():
            words += ["-device", f"loader,file={folder / name},addr={address:#x},force-raw=on"]
    log = folder / f"{elf.parent.name if elf else 'bare'}.log"
    with log.open("wb") as file:
        subprocess.run([qemu, *words, *more, *PINNED.split()], stdin=subprocess.DEVNULL, stdout=file,
                       stderr=subprocess.STDOUT, timeout=WALL, check=False)
    text = log.read_bytes().decode("utf-8", "replace")
    at = {m[2]: float(m[1]) for m in re.finditer(r"\[ *(\d+\.\d{6})\] (Run /init|\w+-\w+)\b", text)}
    if "bench-end" not in at:
        raise Failed(f"{log}: {text[-1500:]}")
    return at


def measure(qemu: str, build_dir: Path, images: Dict[str, Path]) -> Tuple[Dict[str, float], Dict[str, float]]:
    """The ratios by key, and the seconds they are made of. `images`: by policy, with gen/windows.json beside them."""
    ratios: Dict[str, float] = {}
    seconds: Dict[str, float] = {}
    taken: Dict[Tuple[str, str], Tuple[float, float]] = {}
    for ratio in RATIOS:
        folder = prepare(build_dir / f"{ratio.cmdline}-{ratio.log}", ratio,
                         images["permissive"].parent / "gen" / "windows.json", ROOT / "build" / "linux")
        for policy in ("bare", ratio.policy):
            if (ratio.cmdline, policy) not in taken:    # a policy is under one log mode in the table
                at = boot(qemu, folder, images.get(policy))
                taken[ratio.cmdline, policy] = at["Run /init"], (at["bench-end"] - at["bench-begin"]) / SERIES
        bare, ours = (taken[ratio.cmdline, policy][ratio.forks] for policy in ("bare", ratio.policy))
        ratios[ratio.key] = ours / bare
        seconds[f"{ratio.key}_bare"], seconds[ratio.key] = bare, ours
    return ratios, seconds


def report(ratios: Dict[str, float], seconds: Dict[str, float]) -> int:
    """Prints the table; returns how many rows miss their goal."""
    missed = 0
    print(f"\n{'Linux against bare EL1, by its own clock':52} {'charter':>10} {'bare':>10} {'ratio':>8} {'goal':>8}")
    for ratio in RATIOS:
        late = ratio.goal is not None and ratios[ratio.key] > ratio.goal
        missed += late
        print(f"{ratio.title:52} {seconds[ratio.key]:>9.6f}s {seconds[ratio.key + '_bare']:>9.6f}s "
              f"{ratios[ratio.key]:>8.5f} {ratio.goal or '':>8}{' !' if late else ''}")
    return missed


def main(argv: List[str]) -> int:
    """linux.py permissive=ELF logged=ELF logged-all=ELF"""
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
