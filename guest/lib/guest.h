/* SPDX-License-Identifier: Apache-2.0 */
/* The guests' own memory map, for C and the assembler. */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#define GUEST_RAM        0x40000000
#define GUEST_RAM_END    0x70000000
#define GUEST_HOLE       0x400d0000 /* a page that diag/mmu.c leaves unmapped */
#define GUEST_BUFFER     0x400e0000 /* a page with a fixed address, so that probes.txt can name it */
#define GUEST_STACK_TOP  0x40100000

#define GUEST_GICD       0x08000000
#define GUEST_GICR       0x080a0000
#define GUEST_GICR_SGI   0x080b0000
#define GUEST_UART       0x09000000
#define GUEST_SCRATCH    0x0b000000
#define GUEST_LIMITED    0x0b001000
#define GUEST_NOWHERE    0x0c000000 /* no device, no window */

/* struct trap_frame */
#define FRAME_ELR        (31 * 8)
#define FRAME_SPSR       (32 * 8)
#define FRAME_ESR        (33 * 8)
#define FRAME_FAR        (34 * 8)
#define FRAME_SIZE       (36 * 8)

#endif
