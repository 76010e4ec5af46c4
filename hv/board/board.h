/* SPDX-License-Identifier: Apache-2.0 */
/* The machine: QEMU virt's addresses and the fixed memory map (also used by the assembler). */
#ifndef HV_BOARD_H
#define HV_BOARD_H

#define HV_BASE           0x40080000
#define BOOTARGS_PA       0x4007f000
#define BOOTARGS_SIZE     0x1000

#define GUEST_PA          0x42000000
#define GUEST_IPA         0x40000000
#define GUEST_SIZE        0x30000000
#define GUEST_STACK_TOP   0x40100000
#define LINUX_INITRD_IPA  0x44000000
#define LINUX_DTB_IPA     0x6fe00000
#define LINUX_DTB_MAX     0x200000

#define GICD_PA           0x08000000
#define GICR_PA           0x080a0000
#define GICR_STRIDE       0x20000
#define UART_PA           0x09000000
#define RTC_PA            0x09010000

#define SGI_KICK          0  /* another CPU left work in the vGIC */
#define SGI_STOP          1  /* stand still: the monitor is open */
#define SGI_ALARM         2  /* to itself: what an alarm was set for is due */
#define IRQ_PMU           23
#define IRQ_MAINTENANCE   25
#define IRQ_HYP_TIMER     26
#define IRQ_VTIMER        27
#define IRQ_PTIMER        30
#define IRQ_UART          33
#define IRQ_RTC           34

#define MAX_CPUS          8

/* One block a CPU: a guard page, the stack, and struct cpu on top, so that SP finds struct cpu. */
#define CPU_BLOCK_SHIFT   14
#define CPU_BLOCK_SIZE    (1 << CPU_BLOCK_SHIFT)
#define CPU_GUARD_SIZE    0x1000
#define CPU_STRUCT_OFFSET 0x3000

#endif
