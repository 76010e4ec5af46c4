# SPDX-License-Identifier: Apache-2.0
"""Four times the input takes about four times as long, for any input, and no more memory. Ratios, not seconds: the
machine may be slow, the decoder may not be quadratic."""
from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Callable

import pytest

from encoder import Encoder
from hvl.sequence import Sequencer
from hvl.wire import Scanner, WeakScanner
from test_cli import run

TOOL = Path(__file__).resolve().parents[2] / "tools" / "log_decode.py"
MB = 1 << 20


def noise(size: int) -> bytes:
    return Random(size).randbytes(size)


def repairs(size: int) -> bytes:
    """Each record looks as if a foreign line had been spliced in, and none was."""
    one = b"\x1e@D 1 0.000000001 " + b"a.b/c-d" * 9 + b": " + b"x" * 40 + b": y\n0123abcd\n"
    return one * (size // len(one))


def gaps(size: int) -> bytes:
    """Valid records, every second one missing, in the mode that remembers gaps."""
    out = [b"\x1e" + Encoder.line("H", 0, 0, "hvl=1 log=notable") + b"\n"]
    length = 0
    seq = 2
    while length < size:
        out.append(b"\x1e" + Encoder.line("D", seq, seq, "DENY r1 wfi") + b"\n")
        length += len(out[-1])
        seq += 2
    return b"".join(out)


def leaps(size: int) -> bytes:
    """Valid records in random order."""
    r = Random(1)
    one = len(Encoder.line("D", 10**6, 1, "DENY r1 wfi")) + 2
    return b"".join(b"\x1e" + Encoder.line("D", r.randrange(10**6), r.randrange(10**6), "DENY r1 wfi") + b"\n"
                    for _ in range(size // one))


GARBAGE = {
    "noise": (noise, 5 * MB), "bare sentinels": (lambda n: b"\x1e" * n, 5 * MB), "zeros": (bytes, 5 * MB),
    "line ends": (lambda n: b"\r\n" * (n // 2), MB // 2), "escapes": (lambda n: b"\x1f" * n, 2 * MB),
    "empty records": (lambda n: b"\x1e@" * (n // 2), MB // 4), "spliced": (repairs, MB // 4),
    "gaps": (gaps, MB // 2), "leaps": (leaps, MB // 4),
    "no line end": (lambda n: b"\x1e" + b"@D 1 " * (n // 5), 5 * MB),
    "bare records": (lambda n: b"@D 1 0.000000001 x *00000000" * (n // 28), MB),
}


def seconds(data: bytes, weak: bool) -> float:
    """CPU time; the best of two, as others share the machine."""
    best = 1e9
    for _ in range(2):
        scanner = WeakScanner() if weak else Scanner()
        order = Sequencer("test")
        start = time.process_time()
        for at in range(0, len(data), 1 << 18):
            order.feed(scanner.feed(data[at:at + (1 << 18)]))
        order.feed(scanner.feed(b"", True))
        order.finish()
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize("weak", [False, True])
@pytest.mark.parametrize("name", sorted(GARBAGE))
def test_time_is_linear(name: str, weak: bool) -> None:
    make: Callable[[int], bytes]
    make, size = GARBAGE[name]
    small, large = seconds(make(size), weak), seconds(make(4 * size), weak)
    assert large < 9 * small + 0.05, f"{small:.3f} s for {size} bytes, {large:.3f} s for four times as many"


def peak(path: Path, command: str) -> int:
    code = ("import resource, subprocess, sys\n"
            "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", code, sys.executable, str(TOOL), command, str(path)],
                          stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


@pytest.mark.parametrize("command", ["summary", "show", "json", "csv", "check"])
def test_memory_is_constant(command: str, tmp_path: Path) -> None:
    sizes = []
    for count in (1, 12):
        encoder = Encoder()
        encoder.header()
        for i in range(1500):
            encoder.guest(b"a line of the guest's console\n")
            encoder.decision(i % 40, f"mmio.r 0x{i:x}/4", "DENY")
        path = tmp_path / f"{count}.log"
        path.write_bytes(encoder.bytes() * count + noise(MB * count // 2))
        sizes.append(peak(path, command))
    assert sizes[1] - sizes[0] < 6 * 1024, f"KiB: {sizes}"


@pytest.mark.parametrize("command", ["html", "trace", "summary", "show"])
def test_views_are_linear(command: str, tmp_path: Path) -> None:
    """Four times the records, stops and refusals take about four times the CPU time."""
    def log(count: int) -> Path:
        encoder = Encoder(mode="text")
        encoder.header()
        for i in range(count):
            if i % 50 == 0:
                encoder.guest(b"a line of the guest's console\r\n")
                encoder.record("S", f"dec={i} deny={i} r1={i}/{i}", cpu=i // 50 % 3)
            if i % 200 == 7:
                encoder.record("E", "mon+ why=key", cpu=i // 200 % 3)
                encoder.now += 1_000_000
                encoder.record("E", "mon- paused=0.001000000", cpu=i // 200 % 3)
            encoder.decision(i % 40, f"msr.w R{i % 90}=0x{i:x}", "DENY" if i % 3 else "ALLOW", cost=50 + i % 977, cpu=i % 3)
        encoder.trailer()
        path = tmp_path / f"{count}.log"
        path.write_bytes(encoder.bytes())
        return path

    def cpu(path: Path) -> float:
        best = 1e9
        for _ in range(2):
            start = time.process_time()
            assert run(command, str(path)).returncode == 0
            best = min(best, time.process_time() - start)
        return best
    small, large = cpu(log(3000)), cpu(log(12_000))
    assert large < 9 * small + 0.05, f"{small:.3f} s, {large:.3f} s for four times as much"
