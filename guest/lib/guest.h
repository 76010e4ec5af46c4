/* SPDX-License-Identifier: Apache-2.0 */
/* The guests' own memory map, for C and the assembler. */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include "platform.h"

#define GUEST_RAM        GUEST_IPA
#define GUEST_RAM_END    (GUEST_IPA + GUEST_SIZE)
#define GUEST_HOLE       (GUEST_RAM + 0xd0000) /* a page that diag/mmu.c leaves unmapped */
#define GUEST_BUFFER     (GUEST_RAM + 0xe0000) /* a page with a fixed address, so that probes.txt can name it */
#define GUEST_STACK_TOP  (GUEST_RAM + 0x100000)

#define GUEST_GICD       GICD_PA
#define GUEST_GICR       GICR_PA
#define GUEST_GICR_SGI   (GICR_PA + 0x10000)
#define GUEST_UART       UART0_PA
#define GUEST_SCRATCH    0x0b000000
#define GUEST_LIMITED    0x0b001000
#define GUEST_NOWHERE    0x0c000000 /* an address without device or window */

/* struct trap_frame */
#define FRAME_ELR        (31 * 8)
#define FRAME_SPSR       (32 * 8)
#define FRAME_ESR        (33 * 8)
#define FRAME_FAR        (34 * 8)
#define FRAME_SIZE       (36 * 8)

#endif
