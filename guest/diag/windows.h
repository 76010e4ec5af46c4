/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device addresses that mmio.c tries.
 *
 * AT(tag, ipa, name, bits, real): read and written with 1, 2, 4 and 8 bytes as far as aligned (with the MMU off an
 * unaligned access faults at EL1); probes TAG_R1 .. TAG_R8 and TAG_W1 .. TAG_W8. `bits` may be inverted for a moment if
 * the real device is reached. `real`: QEMU virt has a device there, so that an allowed access of 4 bytes must work.
 *
 * ID(tag, ipa, log2, mask, want, name): read once; probe TAG. (value & mask) == want if the policy shows the guest a
 * device there, the board's or an emulated one.
 */
#ifndef GUEST_WINDOWS_H
#define GUEST_WINDOWS_H

#include "guest.h"

#define GUEST_PLACES(AT) \
	AT(SCRATCH_00, GUEST_SCRATCH + 0x00, "scratch+0x0", 0, false) \
	AT(SCRATCH_04, GUEST_SCRATCH + 0x04, "scratch+0x4", 0, false) \
	AT(SCRATCH_08, GUEST_SCRATCH + 0x08, "scratch+0x8", 0, false) \
	AT(SCRATCH_0C, GUEST_SCRATCH + 0x0c, "scratch+0xc", 0, false) \
	AT(SCRATCH_10, GUEST_SCRATCH + 0x10, "scratch+0x10", 0, false) \
	AT(SCRATCH_20, GUEST_SCRATCH + 0x20, "scratch+0x20", 0, false) \
	AT(SCRATCH_FF8, GUEST_SCRATCH + 0xff8, "scratch+0xff8", 0, false) \
	AT(RTC_MR, 0x09010004, "rtc+0x4", 0xff, true) \
	AT(GPIO_DIR, 0x09030400, "gpio+0x400", 0xff, true) \
	AT(NOWHERE, GUEST_NOWHERE, "0xc000000", 0, false) \
	AT(ZERO, 0x0, "0x0", 0, true) \
	AT(ABOVE_RAM, GUEST_RAM_END, "the end of RAM", 0, false)

#define GUEST_IDS(ID) \
	ID(GICD_TYPER, GUEST_GICD + 0x0004, 2, 0x00000000, 0x00000000, "GICD_TYPER") \
	ID(GICD_PIDR2, GUEST_GICD + 0xffe8, 2, 0x000000f0, 0x00000030, "GICD_PIDR2: GICv3") \
	ID(GICR_TYPER, GUEST_GICR + 0x0008, 3, 0xffffffff00000000, 0, "GICR_TYPER: affinity 0.0.0.0") \
	ID(GICR_PIDR2, GUEST_GICR + 0xffe8, 2, 0x000000f0, 0x00000030, "GICR_PIDR2: GICv3") \
	ID(UART_FR, GUEST_UART + 0x018, 2, 0x00000020, 0x00000000, "UARTFR: room to send") \
	ID(UART_ID0, GUEST_UART + 0xfe0, 2, 0x000000ff, 0x00000011, "UARTPeriphID0: PL011") \
	ID(UART_ID1, GUEST_UART + 0xfe4, 2, 0x000000ff, 0x00000010, "UARTPeriphID1: PL011, Arm") \
	ID(UART_ID2, GUEST_UART + 0xfe8, 2, 0x0000000f, 0x00000004, "UARTPeriphID2: Arm") \
	ID(UART_ID3, GUEST_UART + 0xfec, 2, 0x000000ff, 0x00000000, "UARTPeriphID3") \
	ID(UART_CELL0, GUEST_UART + 0xff0, 2, 0x000000ff, 0x0000000d, "UARTPCellID0") \
	ID(UART_CELL1, GUEST_UART + 0xff4, 2, 0x000000ff, 0x000000f0, "UARTPCellID1") \
	ID(UART_CELL2, GUEST_UART + 0xff8, 2, 0x000000ff, 0x00000005, "UARTPCellID2") \
	ID(UART_CELL3, GUEST_UART + 0xffc, 2, 0x000000ff, 0x000000b1, "UARTPCellID3") \
	ID(RTC_DR, 0x09010000, 2, 0x00000000, 0x00000000, "RTCDR: the time") \
	ID(RTC_ID0, 0x09010fe0, 2, 0x000000ff, 0x00000031, "RTCPeriphID0: PL031") \
	ID(GPIO_ID0, 0x09030fe0, 2, 0x000000ff, 0x00000061, "GPIOPeriphID0: PL061")

#endif
