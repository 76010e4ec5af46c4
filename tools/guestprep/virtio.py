# SPDX-License-Identifier: Apache-2.0
"""The virtio devices of the machine: the transport of each, and QEMU's arguments."""
from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import List, Optional, Tuple

from guestprep.report import Report
from guestprep.windows import GIVING, Windows

TRANSPORTS, STRIDE = 0x0a00_0000, 0x200
DISK, NET = 31, 30              # virtio-disk and virtio-net of policy/platform/qemu-virt.yaml
SECTOR = 512


@dataclass(frozen=True)
class Device:
    """A device on transport `number`."""
    name: str
    number: int
    arguments: Tuple[str, ...]

    @property
    def base(self) -> int:
        return TRANSPORTS + self.number * STRIDE


def devices(disk: Optional[str], net: Optional[str], given: Windows, report: Report) -> List[Device]:
    """The devices that are asked for; complains of impossible ones."""
    found: List[Device] = []
    if disk is not None and _usable(disk, report):
        found.append(Device("virtio-disk", DISK, (
            "-drive", f"if=none,file={disk.replace(',', ',,')},format=raw,id=charter-disk",
            "-device", f"virtio-blk-device,drive=charter-disk,bus=virtio-mmio-bus.{DISK}")))
    if net is not None:
        rest = "".join(f",{option}" for option in net.split(",")[1:])
        found.append(Device("virtio-net", NET, (
            "-netdev", f"user,id=charter-net{rest}",
            "-device", f"virtio-net-device,netdev=charter-net,bus=virtio-mmio-bus.{NET}")))
    for device in found:
        refused = [word for word in given.actions(device.base, STRIDE) if word not in GIVING]
        if refused:
            report.error("policy", f"does not give {device.name} at {device.base:#x} ({'/'.join(refused)})")
    return found


def arguments(added: List[Device], legacy: bool) -> List[str]:
    """Arguments for QEMU, which takes the legacy interface unless told otherwise."""
    words = [word for device in added for word in device.arguments]
    return ["-global", f"virtio-mmio.force-legacy={'on' if legacy else 'off'}", *words] if words else []


def _usable(path: str, report: Report) -> bool:
    """Checks that a disk exists and has whole sectors: QEMU rounds up, and the guest would see a sector that the file
    lacks."""
    try:
        status = os.stat(path)
    except OSError as error:
        report.error(path, error.strerror or str(error))
        return False
    if stat.S_ISBLK(status.st_mode):
        return True
    if not stat.S_ISREG(status.st_mode):
        report.error(path, "a disk is a regular file or a block device")
        return False
    if not status.st_size or status.st_size % SECTOR:
        report.error(path, f"{status.st_size} bytes are no disk: a multiple of {SECTOR} is")
        return False
    return True
