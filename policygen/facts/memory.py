# SPDX-License-Identifier: Apache-2.0
"""The memory map that follows from a platform file: names and numbers for C, the linker and the tools."""
from __future__ import annotations

from typing import Dict

from policygen.facts.board import Board

IMAGE = 0x80000                 # distance of QEMU's -kernel image from the start of memory
MIB = 1 << 20


def memory_map(board: Board) -> Dict[str, int]:
    """Address by the name that C has for it."""
    start, size = board.memory[0], board.memory[1] - board.memory[0] + 1
    ram, ram_size = board.ram[0], board.ram[1] - board.ram[0] + 1
    out = {
        "RAM_PA": start, "RAM_SIZE": size,
        "HV_BASE": start + IMAGE, "HV_END": start + 4 * MIB,            # EL2's image, by pages
        "BOOTARGS_PA": start + IMAGE - 0x1000, "BOOTARGS_SIZE": 0x1000,  # one page, just below
        "GUEST_PA": board.backing, "GUEST_IPA": ram, "GUEST_SIZE": ram_size,
        "LINUX_INITRD_IPA": ram + 64 * MIB,
        "LINUX_DTB_IPA": ram + ram_size - 2 * MIB, "LINUX_DTB_MAX": 2 * MIB,
    }
    for device in board.devices.values():
        out[f"{c_name(device.name)}_PA"] = device.base
        out[f"{c_name(device.name)}_SIZE"] = device.size
        if device.irq is not None:
            out[f"IRQ_{c_name(device.name)}"] = device.irq
    return {**out, **{f"IRQ_{c_name(name)}": number for name, number in board.interrupts.items()}}


def c_name(name: str) -> str:
    return name.upper().replace("-", "_")


def qemu_words(board: Board) -> str:
    """The machine in QEMU's words, without CPUs."""
    return f"{board.machine} {memory_words(board)}"


def memory_words(board: Board) -> str:
    size = board.memory[1] - board.memory[0] + 1
    return f"-m {size >> 30}G" if size % (1 << 30) == 0 else f"-m {size >> 20}M"
