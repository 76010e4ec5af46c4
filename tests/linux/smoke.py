#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Boots Debian's arm64 kernel under Charter, uses it as a person would, and has the log judged."""
from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.server
import random
import shlex
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Sequence

import pexpect

import artifacts
import initramfs

ROOT = Path(__file__).resolve().parents[2]
MACHINE = "-M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -m 1G"
BARE_MACHINE = "-M virt,virtualization=off,gic-version=3 -cpu cortex-a57 -m 1G"
CONSOLE = ["-nographic", "-serial", "mon:stdio"]
MONITOR_KEYS, MONITOR_PROMPT = "\x1dm", "hv> "
UNEXPECTED = "verdict==KILL or class in (msr, sys, mmio, s2) and verdict==DENY"

# Without Charter: the same files at the same (guest) addresses, and a few instructions that jump to them. QEMU puts
# its own DTB at the start of RAM, so the Image is loaded above the guest's RAM and copied down.
BARE_ADDRESSES = {"Image": 0x7020_0000, "initrd": 0x4400_0000, "guest.dtb": 0x6fe0_0000}
BARE_START = 0x7000_0000
BARE_STUB = (
    0xd2ae0405, 0xd2a80006, 0xd2a88007,                 # x5 = 0x70200000, x6 = 0x40000000, x7 = 0x44000000
    0xa8c124a8, 0xa88124c8, 0xeb0700df, 0x54ffffa1,     # 1: ldp x8, x9, [x5], 16; stp x8, x9, [x6], 16; cmp; b.ne 1b
    0xd2adfc00, 0xd2800001, 0xd2800002, 0xd2800003,     # x0 = 0x6fe00000, x1 = x2 = x3 = 0
    0xd2a80004, 0xd61f0080)                             # br 0x40000000

SELF_CHECK = r"""
echo "CPUS=$(nproc)"
grep -E 'arch_timer|uart-pl011|IPI0' /proc/interrupts
if [ -e /sys/devices/system/cpu/cpu1/online ]; then
    echo 0 > /sys/devices/system/cpu/cpu1/online; echo "OFF=$(nproc)"
    echo 1 > /sys/devices/system/cpu/cpu1/online; echo "BACK=$(nproc)"
fi
dd if=/dev/zero bs=1M count=8 2>/dev/null | md5sum
for i in 1 2 3; do sleep 0.2; done
echo "COMPLAINTS=$(dmesg -r | grep -c '^<[0-3]>')"
dmesg -r | grep '^<[0-3]>'
echo "READY-$((6*7))"; read line; echo "GOT=$line"
"""

DISK_SIZE, DISK_PATTERN = 32 << 20, 16 << 20        # the pattern from the start, what the guest writes above it
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
CHECK_END = r"""
echo "COMPLAINTS=$(dmesg -r | grep -c '^<[0-3]>')"
dmesg -r | grep '^<[0-3]>'
"""
DISK_MODULES = ("virtio_mmio.ko", "virtio_blk.ko")
EXT4_MODULES = ("crc16.ko", "mbcache.ko", "crc32c_generic.ko", "jbd2.ko", "ext4.ko")
NET_MODULES = ("failover.ko", "net_failover.ko", "virtio_mmio.ko", "virtio_net.ko")


class Failed(Exception):
    """The guest, the monitor or the log was not as it must be."""


@dataclass(frozen=True)
class Setup:
    """What the command line asked for."""
    options: argparse.Namespace
    out: Path

    @property
    def bare(self) -> bool:
        return bool(self.options.bare)


class Machine:
    """One run of QEMU, with the console in OUT/NAME.log."""

    def __init__(self, setup: Setup, name: str, prepare: List[str], smp: int = 1) -> None:
        self.setup, self.name = setup, name
        self.directory = setup.out / name
        self.log = setup.out / f"{name}.log"
        machine = BARE_MACHINE if setup.bare else setup.options.machine
        command = [sys.executable, str(ROOT / "tools" / "linux_prep.py"), *prepare, "--smp", str(smp), "--quiet",
                   "--out", str(self.directory), "--qemu", setup.options.qemu, "--qemu-args", machine]
        if not setup.bare:
            command += ["--policy-windows", setup.options.policy_windows]
        if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
            raise Failed("linux_prep refused (see above)")
        arguments = [*shlex.split(machine), "-smp", str(smp), *CONSOLE, "-nic", "none", *self._loaders()]
        self._file = self.log.open("wb")
        self.child = pexpect.spawn(setup.options.qemu, arguments, timeout=setup.options.timeout, logfile=None)
        self.child.logfile_read = self._file

    def _loaders(self) -> List[str]:
        if not self.setup.bare:
            return ["-kernel", self.setup.options.kernel, *(self.directory / "qemu.args").read_text().splitlines()]
        stub = self.directory / "bare.bin"
        stub.write_bytes(b"".join(word.to_bytes(4, "little") for word in BARE_STUB))
        loaders = ["-device", f"loader,file={stub},addr={BARE_START:#x},cpu-num=0,force-raw=on"]
        for name, address in BARE_ADDRESSES.items():
            loaders += ["-device", f"loader,file={self.directory / name},addr={address:#x},force-raw=on"]
        return loaders

    def expect(self, pattern: str, what: str, timeout: float = -1) -> str:
        """Waits for a regular expression; returns what it matched."""
        limit = self.setup.options.timeout if timeout < 0 else timeout
        found = self.child.expect([pattern, "Kernel panic - not syncing", pexpect.EOF, pexpect.TIMEOUT], limit)
        if found:
            why = ("the kernel panicked", "QEMU ended", f"{limit:.0f} s passed")[found - 1]
            raise Failed(f"waiting for {what}: {why}")
        matched = self.child.match.group(0)
        return bytes(matched).decode("utf-8", "replace")

    def type(self, text: str) -> None:
        self.child.send(text)

    def monitor(self, *commands: str) -> None:
        """Opens the monitor and gives it commands; the last one must leave it."""
        if self.setup.bare:
            return
        self.type(MONITOR_KEYS)
        for command in commands:
            self.expect(MONITOR_PROMPT, f"the monitor's prompt before {command!r}", 60)
            self.type(command + "\r")

    def power_off(self) -> None:
        """From the monitor; without Charter there is none, and QEMU's own must do."""
        if self.setup.bare:
            self.type("\x01x")
        else:
            self.monitor("poweroff")
        self.end()

    def end(self) -> None:
        """The machine must go by itself, and with status 0."""
        if self.child.expect([pexpect.EOF, pexpect.TIMEOUT], 60):
            raise Failed("QEMU does not end after power-off")
        self.child.close()
        if self.child.exitstatus != 0:
            raise Failed(f"QEMU ended with status {self.child.exitstatus}, signal {self.child.signalstatus}")
        self._file.close()

    def stop(self) -> None:
        """Whatever happened, no QEMU is left behind."""
        self.child.close(force=True)
        self._file.close()

    def judge(self) -> None:
        """The log must be whole and show nothing that permissive should not refuse."""
        if self.setup.bare:
            return
        command = [sys.executable, str(ROOT / "tools" / "log_decode.py"), "check", "--max-lost", "0", "--fail-on",
                   self.setup.options.fail_on, str(self.log)]
        status = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
        if status:
            raise Failed(f"log_decode check says {status} about {self.log}")


def installer(setup: Setup) -> List[str]:
    files = artifacts.fetch(artifacts.INSTALLER, setup.out.parent).files
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
    """A small initramfs with one CPU."""
    _busybox(setup, 1)


def smp(setup: Setup) -> None:
    """The same with four CPUs, one of them taken off and back."""
    _busybox(setup, 4)


def _busybox(setup: Setup, cpus: int) -> None:
    program = artifacts.fetch(artifacts.BUSYBOX, setup.out.parent, foreign=True).files["busybox"]
    setup.out.mkdir(parents=True, exist_ok=True)
    initrd = setup.out / "busybox.cpio.gz"
    initrd.write_bytes(initramfs.build(program.read_bytes(), SELF_CHECK))
    kernel = artifacts.fetch(artifacts.INSTALLER, setup.out.parent).files["linux"]

    def use(machine: Machine) -> None:
        machine.expect(f"CPUS={cpus}\\s", f"{cpus} CPUs")
        if cpus > 1:
            machine.expect(f"OFF={cpus - 1}\\s", "a CPU to go")
            machine.expect(f"BACK={cpus}\\s", "it to come back")
        machine.expect("96995b58d4cbf6aaa9041b4f00c7f6ae", "an MD5 sum")
        machine.expect("COMPLAINTS=0\\s", "a boot without errors in dmesg")
        machine.expect("READY-42", "the end of the check")
        machine.type("typed\r")
        machine.expect("GOT=typed", "the typed line")
        machine.expect("INIT-DONE", "the end of init")
        machine.end()

    with_machine(setup, f"busybox{cpus}", use, ["--image", str(kernel), "--initrd", str(initrd), "--unattended"], cpus)


def disk(setup: Setup) -> None:
    """A virtio disk: read, written, read back, by one CPU and by four, by both interfaces."""
    for cpus, legacy in ((1, False), (1, True), (4, False)):
        _disk(setup, cpus, legacy)


def _disk(setup: Setup, cpus: int, legacy: bool) -> None:
    pattern = random.Random(cpus).randbytes(DISK_PATTERN)
    image = setup.out / "disk.img"
    setup.out.mkdir(parents=True, exist_ok=True)
    image.write_bytes(pattern + bytes(DISK_SIZE - DISK_PATTERN))

    def use(machine: Machine) -> None:
        machine.expect(f"SECTORS={DISK_SIZE // 512}\\s", "the disk")
        machine.expect(f"READ={_md5(pattern)} ", "its content")
        data = machine.expect("DATA=[0-9a-f]{32}", "what is written")[5:]
        machine.expect(f"AGAIN={data} *- 1\\s", "the same data four times")
        machine.expect("COMPLAINTS=0\\s", "a run without errors in dmesg")
        machine.expect("INIT-DONE", "the end of init")
        machine.end()
        written = image.read_bytes()
        if written[:DISK_PATTERN] != pattern or _md5(written[20 << 20:24 << 20]) != data:
            raise Failed(f"{image} does not hold what was written")

    _with_devices(setup, f"disk{cpus}{'-legacy' * legacy}", use, DISK_CHECK, DISK_MODULES,
                  ["--disk", str(image)] + ["--legacy-virtio"] * legacy, cpus)


def disk_ro(setup: Setup) -> None:
    """The same disk under a policy that gives it read-only; only with --read-only-disk."""
    pattern = random.Random(9).randbytes(DISK_PATTERN)
    image = setup.out / "disk-ro.img"
    setup.out.mkdir(parents=True, exist_ok=True)
    image.write_bytes(pattern + bytes(DISK_SIZE - DISK_PATTERN))

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
        machine.expect("COMPLAINTS=0\\s", "a run without errors in dmesg")
        machine.expect("INIT-DONE", "the end of init")
        machine.end()

    _with_devices(setup, "files", use, FILE_CHECK, DISK_MODULES + EXT4_MODULES, ["--disk", str(image)], 1)


def net(setup: Setup) -> None:
    """A virtio network card: a lease, and pages from a server of this machine."""
    for cpus, legacy in ((1, False), (1, True), (4, False)):
        _net(setup, cpus, legacy)


def _net(setup: Setup, cpus: int, legacy: bool) -> None:
    blob = random.Random(7).randbytes(4 << 20)
    with server(blob) as port:
        def use(machine: Machine) -> None:
            machine.expect("IP=10\\.0\\.2\\.\\d+", "a lease")
            for number in (1, 2, 3):
                machine.expect(f"BLOB{number}={_md5(blob)} ", "a page of 4 MiB")
            machine.expect("COMPLAINTS=0\\s", "a run without errors in dmesg")
            machine.expect("INIT-DONE", "the end of init")
            machine.end()

        _with_devices(setup, f"net{cpus}{'-legacy' * legacy}", use, NET_CHECK.replace("@PORT@", str(port)), NET_MODULES,
                      ["--net", "user"] + ["--legacy-virtio"] * legacy, cpus)


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
                  prepare: List[str], cpus: int) -> None:
    program = artifacts.fetch(artifacts.BUSYBOX, setup.out.parent, foreign=True).files["busybox"]
    kernel = artifacts.fetch(artifacts.INSTALLER, setup.out.parent).files["linux"]
    found = artifacts.fetch(artifacts.KERNEL, setup.out.parent, foreign=True).files
    setup.out.mkdir(parents=True, exist_ok=True)
    initrd = setup.out / f"{name}.cpio.gz"
    initrd.write_bytes(initramfs.build(program.read_bytes(), commands + CHECK_END, [found[name] for name in modules]))
    with_machine(setup, name, use, ["--image", str(kernel), "--initrd", str(initrd), "--unattended", *prepare], cpus)


def with_machine(setup: Setup, name: str, use: Callable[[Machine], None], prepare: List[str], cpus: int = 1) -> None:
    setup.out.mkdir(parents=True, exist_ok=True)
    machine = Machine(setup, name, prepare, cpus)
    try:
        use(machine)
    finally:
        machine.stop()
    machine.judge()


SCENARIOS: Dict[str, Callable[[Setup], None]] = {"fast": fast, "busybox": busybox, "smp": smp, "disk": disk,
                                                 "files": files, "net": net, "full": full}
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
    parser.add_argument("--fail-on", default=UNEXPECTED, metavar="EXPR", help="for log_decode (default: denials)")
    parser.add_argument("--bare", action="store_true", help="without the hypervisor: does the guest work at all?")
    options = parser.parse_args(argv)
    known = {**SCENARIOS, **ON_DEMAND}
    unknown = [name for name in options.scenario if name not in known]
    if unknown:
        parser.error(f"no scenario {unknown[0]!r}; there are {', '.join(SCENARIOS)}")
    setup = Setup(options, options.out)
    failures = 0
    for name in options.scenario or list(SCENARIOS):
        start = time.monotonic()
        try:
            known[name](setup)
        except (Failed, artifacts.Unavailable, pexpect.ExceptionPexpect, OSError) as error:
            failures += 1
            print(f"FAIL {name}: {error}", file=sys.stderr)
            continue
        print(f"ok   {name} ({time.monotonic() - start:.0f} s)")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
