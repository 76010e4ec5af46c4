#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Boots Debian's arm64 kernel under Charter, uses it as a person would, and has the log judged."""
from __future__ import annotations

import argparse
import base64
import contextlib
import dataclasses
import hashlib
import http.server
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Sequence, Tuple

import pexpect

import artifacts
import initramfs
from machine import MACHINE, MONITOR_PROMPT, ROOT, Failed, Machine, Setup, judge, with_machine

UNEXPECTED = "verdict==KILL or class in (msr, sys, mmio, s2) and verdict==DENY"

SELF_CHECK = r"""
echo "CPUS=$(nproc)"
grep -E 'arch_timer|uart-pl011|IPI0' /proc/interrupts
if [ -e /sys/devices/system/cpu/cpu1/online ]; then
    echo 0 > /sys/devices/system/cpu/cpu1/online; echo "OFF=$(nproc)"
    echo 1 > /sys/devices/system/cpu/cpu1/online; echo "BACK=$(nproc)"
fi
dd if=/dev/zero bs=1M count=8 2>/dev/null | md5sum
for i in 1 2 3; do sleep 0.2; done
echo "READY-$((6*7))"; read line; echo "GOT=$line"
stty -echo; echo "PASTE-$((6*7))"; head -c @PASTE@ | md5sum
"""
# The clock, and its alarm, which alone ends the sleep.
CLOCK_CHECK = r"""
hwclock -r -f /dev/rtc0 > /dev/null; echo "HWCLOCK=$?"
echo +2 > /sys/class/rtc/rtc0/wakealarm; echo freeze > /sys/power/state; echo "AWAKE=$?"
"""
PASTE = 100_000             # bytes, in lines, as a person pastes a file into a terminal

DISK_SIZE, DISK_PATTERN = 32 << 20, 16 << 20        # the pattern from its start; the guest writes above it
DISK_CHECK = r"""
echo "SECTORS=$(cat /sys/block/vda/size)"
echo "READ=$(dd if=/dev/vda bs=1M count=16 2>/dev/null | md5sum)"
dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null
echo "DATA=$(md5sum < /tmp/data)"
dd if=/tmp/data of=/dev/vda bs=64k seek=320 conv=fsync 2>/dev/null
echo 3 > /proc/sys/vm/drop_caches
for i in 1 2 3 4; do
    dd if=/dev/vda bs=1M skip=20 count=4 iflag=direct 2>/dev/null | md5sum > /tmp/$i &
    dd if=/dev/vda of=/dev/null bs=4k count=256 2>/dev/null
    wait
done
echo "AGAIN=$(cat /tmp/1) $(sort -u /tmp/[1-4] | wc -l)"
"""
DISK_READ_ONLY = r"""
echo "SECTORS=$(cat /sys/block/vda/size) RO=$(cat /sys/block/vda/ro)"
echo "READ=$(dd if=/dev/vda bs=1M count=16 2>/dev/null | md5sum)"
dd if=/dev/zero of=/dev/vda bs=4k count=1 2>/dev/null && echo WRITTEN
"""
FILE_CHECK = r"""
mke2fs /dev/vda >/dev/null 2>&1 && mount -t ext4 /dev/vda /mnt && echo hello > /mnt/file && umount /mnt
mount -t ext4 /dev/vda /mnt && echo "FILE=$(cat /mnt/file)"
"""
NET_CHECK = r"""
cat > /bin/lease <<'END'
#!/bin/sh
[ "$1" = bound ] && ip addr add $ip/24 dev $interface && ip route add default via $router && echo "LEASE=$ip"
END
chmod +x /bin/lease
ip link set eth0 up
udhcpc -n -q -i eth0 -s /bin/lease >/dev/null 2>&1
echo "IP=$(ip addr show eth0 | grep -o '10.0.2.[0-9]*/24')"
for i in 1 2 3; do echo "BLOB$i=$(wget -q -O - http://10.0.2.2:@PORT@/blob | md5sum)"; done
"""
# Faults, the sentence expected for each, and make's arguments. The last one ends after its time.
FAULTS = {
    "panic": ("echo c > /proc/sysrq-trigger", "reset; kernel panic: sysrq triggered crash", []),
    "init-exits": ("exit 7", "reset; kernel panic: Attempted to kill init! exitcode=0x00000700", []),
    "reboot": ("reboot -f", "reset\n", []),
    "wedged": ("while :; do :; done", "the log has no end", ["TIMEOUT=8"]),
}
LAST_CPU = r"""
cd /sys/devices/system/cpu
for i in 0 1 2 3 4 5 6; do echo 0 > cpu$i/online; done
echo "LEFT=$(cat online)"; read line
for i in 0 1 2 3 4 5 6; do echo 1 > cpu$i/online; done
echo "BACK=$(cat online)"; read line
"""
OOPSES = 20
OOPS = r"""
for i in $(seq @OOPSES@); do
    (echo 'write through' > /sys/block/vda/cache_type)
    [ $i = 10 ] && { echo "HALF-$((6*7))"; read line; }
done
echo "OOPSES=$(dmesg | grep -c 'Internal error: synchronous external abort')"
"""
THROTTLED = 250             # requests of 4 KiB
THROTTLE = rf"""
bits=$(fold -w1 /sys/bus/virtio/devices/virtio0/features | grep -n 1)
echo "FEATURES=$(for bit in $bits; do printf '%d,' $((${{bit%:*}} - 1)); done)"
start=$(cut -d. -f1 /proc/uptime)
sum=$(dd if=/dev/vda bs=4k count={THROTTLED} iflag=direct 2>/dev/null | md5sum)
echo "READ=$sum $(($(cut -d. -f1 /proc/uptime) - start)) s"; read line
"""
CHECK_END = r"""
echo "COMPLAINTS=$(dmesg -r | grep -c '^<[0-3]>')"
dmesg -r | grep '^<[0-3]>'
"""
DISK_MODULES = ("virtio_mmio.ko", "virtio_blk.ko")
EXT4_MODULES = ("crc16.ko", "mbcache.ko", "crc32c_generic.ko", "jbd2.ko", "ext4.ko")
NET_MODULES = ("failover.ko", "net_failover.ko", "virtio_mmio.ko", "virtio_net.ko")
ALL_MODULES = DISK_MODULES + EXT4_MODULES + NET_MODULES
BLOB = random.Random(7).randbytes(4 << 20)      # content of the file that the host's server has
FETCHING = threading.Lock()


def fetch(setup: Setup, name: str, foreign: bool = False) -> Dict[str, Path]:
    """The files of an artifact, fetched once however many scenarios want it."""
    with FETCHING:
        return artifacts.fetch(name, setup.out.parent, foreign).files


def installer(setup: Setup) -> List[str]:
    files = fetch(setup, artifacts.INSTALLER)
    return ["--image", str(files["linux"]), "--initrd", str(files["initrd.gz"])]


def fast(setup: Setup) -> None:
    """The installer's kernel and initrd to a shell; a command is typed."""
    with_machine(setup, "fast", _fast, [*installer(setup), "--cmdline", "rdinit=/bin/sh", "--unattended"])


def _fast(machine: Machine) -> None:
    machine.expect("job control turned off", "the shell")
    machine.expect("# ", "the prompt")
    machine.type("uname -m; echo SMOKE-$((6*7)); poweroff -f\r")
    machine.expect("aarch64", "uname")
    machine.expect("SMOKE-42", "the answer")
    machine.end()


def gdb(setup: Setup) -> None:
    """gdb-multiarch at a kernel that idles, through tools/hvmux.py; then the shell goes on undisturbed."""
    setup.out.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    wire = setup.out / "gdb-wire.log"
    wire.unlink(missing_ok=True)
    front = [sys.executable, str(ROOT / "tools" / "hvmux.py"), "--port", str(port), "--log", str(wire), "--"]
    machine = Machine(setup, "gdb", [*installer(setup), "--cmdline", "rdinit=/bin/sh"], front=front)
    try:
        machine.expect("job control turned off", "the shell")
        machine.expect("# ", "the prompt")
        _gdb(port)
        machine.expect("guest resumes", "gdb to detach")
        machine.type("echo STILL-$((6*7)); poweroff -f\r")
        machine.expect("STILL-42", "the answer after gdb")
        machine.end()
    finally:
        machine.stop()
    judge(setup, wire)


def _gdb(port: int) -> None:
    words = ["gdb-multiarch", "-nx", "-batch"]
    for command in ("set confirm off", "set pagination off", "set architecture aarch64", "set remotetimeout 60",
                    f"target remote 127.0.0.1:{port}", "set $first = $pc", 'printf "EL%d\\n", ($cpsr >> 2) & 3',
                    "x/2i $pc", "monitor xlat $pc", "stepi", "stepi", "hbreak *$first", "continue",
                    'printf "BACK %d\\n", $pc == $first', "delete", "rwatch *(long *)$sp", "delete", "detach"):
        words += ["-ex", command]
    said = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=240, check=False).stdout
    for want in ("EL1", "BACK 1", "AT S12E1R agrees", "detached"):
        if want not in said:
            raise Failed(f"gdb did not say {want!r}:\n{said}")


def full(setup: Setup) -> None:
    """The installer to its first screen, the monitor in mid-boot and there."""
    with_machine(setup, "full", _full, installer(setup))


def _full(machine: Machine) -> None:
    machine.expect("Booting Linux", "the kernel's first line")
    machine.expect("Trying to unpack rootfs", "the middle of the boot")
    machine.monitor("status", "cont")
    machine.expect("Run /init", "user space")
    machine.expect("Language:", "the installer's first screen")
    machine.monitor("status", "cont")
    time.sleep(1)
    machine.type("\r")
    machine.expect("Country, territory", "the second screen after the monitor")
    machine.power_off()


def busybox(setup: Setup) -> None:
    """A small initramfs with one CPU, which sleeps until its clock wakes it."""
    def use(machine: Machine) -> None:
        machine.expect("HWCLOCK=0", "the clock")
        machine.expect("AWAKE=0", "its alarm, which ends a sleep")
        _used(1)(machine)

    _with_devices(setup, "busybox1", use, CLOCK_CHECK + SELF_CHECK.replace("@PASTE@", str(PASTE)), (), [], 1)


def smp(setup: Setup) -> None:
    """The same with four CPUs, one of them taken off and back; a disk with a file system; a network card."""
    image, pattern = _disk_image(setup, "smp", 4)
    with server(BLOB) as port:
        commands = (SELF_CHECK.replace("@PASTE@", str(PASTE)) + DISK_CHECK + FILE_CHECK
                    + NET_CHECK.replace("@PORT@", str(port)))

        def use(machine: Machine) -> None:
            _cpus(machine, 4)
            _console(machine)
            _disk_used(machine, image, pattern)
            machine.expect("FILE=hello", "the file")
            _net_used(machine)
            _well_ended(machine)

        _with_devices(setup, "smp", use, commands, DISK_MODULES + EXT4_MODULES + NET_MODULES,
                      ["--disk", str(image), "--net", "user"], 4)


def _used(cpus: int) -> Callable[[Machine], None]:
    def use(machine: Machine) -> None:
        _cpus(machine, cpus)
        _console(machine)
        _well_ended(machine)

    return use


def _cpus(machine: Machine, cpus: int) -> None:
    machine.expect(f"CPUS={cpus}\\s", f"{cpus} CPUs")
    if cpus > 1:
        machine.expect(f"OFF={cpus - 1}\\s", "a CPU to go")
        machine.expect(f"BACK={cpus}\\s", "it to come back")
    machine.expect("96995b58d4cbf6aaa9041b4f00c7f6ae", "an MD5 sum")


def _console(machine: Machine) -> None:
    """A line is typed, then a file pasted, faster than the guest can read."""
    machine.expect("READY-42", "the end of the check")
    machine.type("typed\r")
    machine.expect("GOT=typed", "the typed line")
    machine.expect("PASTE-42", "a terminal to paste into")
    text = base64.encodebytes(random.Random(5).randbytes(PASTE))[:PASTE - 1] + b"\n"
    machine.paste(text)
    machine.expect(f"{_md5(text)} ", f"the {PASTE} bytes that were pasted")


def _well_ended(machine: Machine) -> None:
    machine.expect("COMPLAINTS=0\\s", "a run without errors in dmesg")
    machine.expect("INIT-DONE", "the end of init")
    machine.end()


def disk(setup: Setup) -> None:
    """A virtio disk: read, written, read back, by one CPU and by four, by both interfaces."""
    for cpus, legacy in ((1, False), (4, True)):
        name = f"disk{cpus}{'-legacy' * legacy}"
        image, pattern = _disk_image(setup, name, cpus)

        def use(machine: Machine) -> None:
            _disk_used(machine, image, pattern)
            _well_ended(machine)

        _with_devices(setup, name, use, DISK_CHECK, DISK_MODULES,
                      ["--disk", str(image)] + ["--legacy-virtio"] * legacy, cpus)


def _disk_image(setup: Setup, name: str, seed: int) -> Tuple[Path, bytes]:
    """A disk, and the bytes at its start."""
    pattern = random.Random(seed).randbytes(DISK_PATTERN)
    image = setup.out / f"{name}.img"
    setup.out.mkdir(parents=True, exist_ok=True)
    image.write_bytes(pattern + bytes(DISK_SIZE - DISK_PATTERN))
    return image, pattern


def _disk_used(machine: Machine, image: Path, pattern: bytes) -> None:
    machine.expect(f"SECTORS={DISK_SIZE // 512}\\s", "the disk")
    machine.expect(f"READ={_md5(pattern)} ", "its content")
    data = machine.expect("DATA=[0-9a-f]{32}", "what is written")[5:]
    machine.expect(f"AGAIN={data} *- 1\\s", "the same data four times")
    written = image.read_bytes()
    if written[:DISK_PATTERN] != pattern or _md5(written[20 << 20:24 << 20]) != data:
        raise Failed(f"{image} does not hold what was written")


def disk_ro(setup: Setup) -> None:
    """The same disk under a policy that gives it read-only; only with --read-only-disk."""
    image, pattern = _disk_image(setup, "disk-ro", 9)

    def use(machine: Machine) -> None:
        machine.expect(f"SECTORS={DISK_SIZE // 512} RO=1\\s", "a disk that says that it is read-only")
        machine.expect(f"READ={_md5(pattern)} ", "its content")
        machine.expect("COMPLAINTS=", "the end")
        machine.expect("INIT-DONE", "the end of init")
        machine.end()
        if _md5(image.read_bytes()[:DISK_PATTERN]) != _md5(pattern):
            raise Failed(f"{image} was written")

    _with_devices(setup, "disk-ro", use, DISK_READ_ONLY, DISK_MODULES, ["--disk", str(image)], 1)


def files(setup: Setup) -> None:
    """A file system on the disk, and a file in it."""
    image = setup.out / "files.img"
    setup.out.mkdir(parents=True, exist_ok=True)
    image.write_bytes(bytes(DISK_SIZE))

    def use(machine: Machine) -> None:
        machine.expect("FILE=hello", "the file")
        _well_ended(machine)

    _with_devices(setup, "files", use, FILE_CHECK, DISK_MODULES + EXT4_MODULES, ["--disk", str(image)], 1)


def net(setup: Setup) -> None:
    """A virtio network card: a lease, and pages from a server of this machine."""
    for cpus, legacy in ((1, False), (4, True)):
        with server(BLOB) as port:
            def use(machine: Machine) -> None:
                _net_used(machine)
                _well_ended(machine)

            _with_devices(setup, f"net{cpus}{'-legacy' * legacy}", use, NET_CHECK.replace("@PORT@", str(port)),
                          NET_MODULES, ["--net", "user"] + ["--legacy-virtio"] * legacy, cpus)


def _net_used(machine: Machine) -> None:
    machine.expect("IP=10\\.0\\.2\\.\\d+", "a lease")
    for number in (1, 2, 3):
        machine.expect(f"BLOB{number}={_md5(BLOB)} ", "a page of 4 MiB")


def dmesg(setup: Setup) -> None:
    """The kernel has no complaints beyond those without Charter."""
    said = [_warnings(one, "dmesg" + "-bare" * one.bare) for one in (setup, dataclasses.replace(setup, bare=True))]
    more = [line for line in said[0] if line not in said[1]]
    if more:
        raise Failed(f"only under Charter: {more[0]} (and {len(more) - 1} more)")


def _warnings(setup: Setup, name: str) -> List[str]:
    """Lines of dmesg at warning level and above, without those about a busy host."""
    found: List[str] = []

    def use(machine: Machine) -> None:
        text = machine.expect("(?s)DMESG-BEGIN.*DMESG-42", "the kernel's log")
        lines = [re.sub(r"^<\d+>\[ *[\d.]+\] ", "", line) for line in text.splitlines() if re.match("<[0-4]>", line)]
        found.extend(line for line in lines if "hrtimer: interrupt took" not in line)
        if "] Linux version " not in text:
            raise Failed("dmesg shows no boot")
        machine.expect("INIT-DONE", "the end of init")
        machine.end()

    _with_devices(setup, name, use, 'echo DMESG-BEGIN; dmesg -r; echo "DMESG-$((6*7))"', (), [], 2)
    return found


def faults(setup: Setup) -> None:
    """Guests that do not end by themselves: `make run-linux UNATTENDED=1` ends, and says how."""
    program = fetch(setup, artifacts.BUSYBOX, foreign=True)["busybox"]
    kernel = fetch(setup, artifacts.INSTALLER)["linux"]
    setup.out.mkdir(parents=True, exist_ok=True)
    for name, (commands, said, words) in FAULTS.items():
        initrd = setup.out / f"fault-{name}.cpio.gz"
        initrd.write_bytes(initramfs.build(program.read_bytes(), commands))
        done = subprocess.run(["make", "--no-print-directory", "run-linux", f"LINUX_IMAGE={kernel}",
                               f"LINUX_INITRD={initrd}", "LINUX_CMDLINE=quiet", "UNATTENDED=1", *words], cwd=ROOT,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=setup.options.timeout * 2, check=False)
        log = setup.out / f"fault-{name}.log"
        log.write_bytes(done.stdout)
        if not done.returncode or f"linux_end: {said}" not in done.stdout.decode("utf-8", "replace"):
            raise Failed(f"{name}: status {done.returncode}, not a line 'linux_end: {said}' in {log}")
        if not words:
            judge(setup, log)


def last_cpu(setup: Setup) -> None:
    """Eight CPUs of which only the last is left, then all again: the operator's key finds a CPU."""
    def use(machine: Machine) -> None:
        for online, shown in (("LEFT=7", "cpu7"), ("BACK=0-7", "cpu0")):
            machine.expect(f"{online}\\s", online)
            machine.monitor("status")
            machine.expect(shown, shown)
            machine.expect(MONITOR_PROMPT, "the prompt")
            machine.type("cont\r")
            machine.expect("guest resumes", "the guest")
            machine.type("\r")
        _well_ended(machine)

    _with_devices(setup, "last-cpu", use, LAST_CPU, (), [], 8, mode=())


def oops(setup: Setup) -> None:
    """A kernel that oopses again and again at a register that it is refused: it lives, and the monitor answers."""
    setup = _under(setup, "oops", "verdict==KILL")
    image, _ = _disk_image(setup, "oops", 3)

    def use(machine: Machine) -> None:
        machine.expect("HALF-42", "half of them")
        machine.monitor("why", "log grep DENY", "cont")
        machine.expect("guest resumes", "the guest")
        machine.type("\r")
        machine.expect(f"OOPSES={OOPSES}\\s", "the rest")
        machine.expect("INIT-DONE", "the end of init")
        machine.end()

    _with_devices(setup, "oops", use, OOPS.replace("@OOPSES@", str(OOPSES)),
                  DISK_MODULES, ["--disk", str(image)], 1, mode=())
    command = [sys.executable, str(ROOT / "tools" / "log_decode.py"), "csv", "-f", "verdict==DENY and class==mmio",
               "--fields", "name", str(setup.out / "oops.log")]
    found = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, text=True).stdout
    if found.count("virtio-disk") != OOPSES:
        raise Failed(f"the log has not {OOPSES} refusals:\n{found}")


def throttled(setup: Setup) -> None:
    """A disk with two features and fifty requests a second: all are served, no faster; the monitor says so."""
    setup = _under(setup, "throttled", UNEXPECTED)
    image, pattern = _disk_image(setup, "throttled", 6)

    def use(machine: Machine) -> None:
        machine.expect("FEATURES=2,9,32,\\s", "SEG_MAX, FLUSH and VERSION_1")
        read = machine.expect(f"READ={_md5(pattern[:THROTTLED << 12])} +- \\d+ s", "its content")
        took, least = int(read.split()[-2]), THROTTLED // 50 - 2        # a second's worth comes at once; whole seconds
        if took < least:
            raise Failed(f"{THROTTLED} requests took {took} s, less than {least}: faster than 50/s")
        machine.monitor("map")
        machine.expect(r"transport 31: disk, status 0xf, \d+ requests, held back [1-9]\d+ times", "what it says")
        machine.expect(MONITOR_PROMPT, "the prompt")
        machine.type("cont\r")
        machine.expect("guest resumes", "the guest")
        machine.type("\r")
        _well_ended(machine)

    _with_devices(setup, "throttled", use, THROTTLE, DISK_MODULES, ["--disk", str(image)], 1, mode=())


def _under(setup: Setup, name: str, fail_on: str) -> Setup:
    """The same with Charter built for tests/linux/NAME.yaml."""
    made = ROOT / "build" / name
    subprocess.run(["make", "--no-print-directory", "-s", "all", f"B={made.relative_to(ROOT)}",
                    f"POLICY=tests/linux/{name}.yaml"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   check=True, timeout=600)
    options = argparse.Namespace(**vars(setup.options))
    options.kernel, options.policy_windows = str(made / "hypervisor.elf"), str(made / "gen" / "windows.json")
    options.fail_on = fail_on
    return dataclasses.replace(setup, options=options)


@contextlib.contextmanager
def server(blob: bytes) -> Iterator[int]:
    """Serves `blob` on a port of the loopback interface, which the guest's network reaches as 10.0.2.2."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(blob)))
            self.end_headers()
            self.wfile.write(blob)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        try:
            yield int(httpd.server_address[1])
        finally:
            httpd.shutdown()
            thread.join()


def _md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def _with_devices(setup: Setup, name: str, use: Callable[[Machine], None], commands: str, modules: Sequence[str],
                  prepare: List[str], cpus: int, mode: Sequence[str] = ("--unattended",)) -> None:
    program = fetch(setup, artifacts.BUSYBOX, foreign=True)["busybox"]
    kernel, found = _kernel(setup, tuple(dict.fromkeys(modules)))
    setup.out.mkdir(parents=True, exist_ok=True)
    initrd = setup.out / f"{name}.cpio.gz"
    initrd.write_bytes(initramfs.build(program.read_bytes(), commands + CHECK_END, found))
    with_machine(setup, name, use, ["--image", str(kernel), "--initrd", str(initrd), *mode, *prepare], cpus)


def _kernel(setup: Setup, modules: Sequence[str]) -> Tuple[Path, List[Path]]:
    """The kernel and some of its modules."""
    if setup.options.newest:
        files = artifacts.newest_kernel(setup.out.parent, ALL_MODULES).files
        return files["linux"], [files[name] for name in modules]
    image = fetch(setup, artifacts.INSTALLER)["linux"]
    files = fetch(setup, artifacts.KERNEL, foreign=True) if modules else {}
    return image, [files[name] for name in modules]


SCENARIOS: Dict[str, Callable[[Setup], None]] = {"fast": fast, "gdb": gdb, "busybox": busybox, "smp": smp,
                                                 "disk": disk, "files": files, "net": net, "dmesg": dmesg,
                                                 "faults": faults, "oops": oops, "throttled": throttled,
                                                 "last-cpu": last_cpu,
                                                 "full": full}
ON_DEMAND: Dict[str, Callable[[Setup], None]] = {"disk-ro": disk_ro}     # under a policy of its own


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", help=f"of {', '.join(SCENARIOS)}; all of these without one; "
                        f"{', '.join(ON_DEMAND)}")
    parser.add_argument("--kernel", default="build/hypervisor.elf", metavar="FILE", help="the hypervisor")
    parser.add_argument("--policy-windows", default="build/gen/windows.json", metavar="FILE", help="its policy's")
    parser.add_argument("--out", type=Path, default=Path("build/linux/smoke"), metavar="DIR")
    parser.add_argument("--qemu", default="qemu-system-aarch64", metavar="FILE")
    parser.add_argument("--machine", default=MACHINE, metavar="TEXT", help=f"its machine (default {MACHINE!r})")
    parser.add_argument("--timeout", type=float, default=300, metavar="SECONDS", help="for each step (default 300)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="at a time (default: the CPUs)")
    parser.add_argument("--fail-on", default=UNEXPECTED, metavar="EXPR", help="for log_decode (default: denials)")
    parser.add_argument("--bare", action="store_true", help="without the hypervisor: does the guest work at all?")
    parser.add_argument("--newest", action="store_true", help="the newest kernel that Debian's backports have")
    options = parser.parse_args(argv)
    known = {**SCENARIOS, **ON_DEMAND}
    unknown = [name for name in options.scenario if name not in known]
    if unknown:
        parser.error(f"no scenario {unknown[0]!r}; there are {', '.join(SCENARIOS)}")
    setup = Setup(options, options.out, options.bare)

    def passes(name: str) -> bool:
        start = time.monotonic()
        try:
            known[name](setup)
        except (Failed, artifacts.Unavailable, pexpect.ExceptionPexpect, OSError, subprocess.SubprocessError) as error:
            print(f"FAIL {name}: {error}", file=sys.stderr, flush=True)
            return False
        print(f"ok   {name} ({time.monotonic() - start:.0f} s)", flush=True)
        return True

    with ThreadPoolExecutor(options.jobs) as pool:
        return 0 if all(list(pool.map(passes, options.scenario or list(SCENARIOS)))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
