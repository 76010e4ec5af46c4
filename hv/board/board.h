/* SPDX-License-Identifier: Apache-2.0 */
/* The machine: the platform file's addresses, and EL2's own; also for the assembler and the linker. */
#ifndef HV_BOARD_H
#define HV_BOARD_H

#include "platform.h" /* build/gen: RAM, what lies in it, the devices' addresses and interrupts */

#define UART_PA           UART0_PA
#define IRQ_UART          IRQ_UART0
#define GICR_STRIDE       0x20000

#define SGI_KICK          0  /* another CPU left work for this CPU's vGIC */
#define SGI_STOP          1  /* stop for an open monitor */
#define SGI_ALARM         2  /* to this CPU: an alarm is due */

#define MAX_CPUS          8

/* One block for each CPU: a guard page, the stack, and struct cpu on top, so that SP finds struct cpu. */
#define CPU_BLOCK_SHIFT   14
#define CPU_BLOCK_SIZE    (1 << CPU_BLOCK_SHIFT)
#define CPU_GUARD_SIZE    0x1000
#define CPU_STRUCT_OFFSET 0x3000
#define STACK_PATTERN     0x5a /* each byte of a stack that has not been used */

#endif
