/* SPDX-License-Identifier: Apache-2.0 */
/* The board's GICv3: EL2 takes every interrupt, drops its priority, and deactivates its own. */
#ifndef HV_GIC_H
#define HV_GIC_H

#include "lib/types.h"

/* The GIC's architecture version; 2 for any without System registers. Needs the MMU. */
unsigned gic_version(void);
void gic_init(void);
/* After gic_init(): true if EL2's timer is an FIQ (GICD_CTLR.DS), false if it is an IRQ. */
bool gic_has_fiq(void);
/* Initialises this CPU's redistributor and CPU interface; `cpu` is its index. */
void gic_cpu_init(u32 cpu);
/* ICC_IAR1_EL1: the highest pending interrupt, which becomes active; 1020 and above: none. */
u32 gic_acknowledge(void);
/* ICC_EOIR1_EL1: only drops the priority, as EOImode is 1. */
void gic_drop(u32 irq);
/* ICC_DIR_EL1: the interrupt may fire again. */
void gic_deactivate(u32 irq);
/* Deactivates a PPI of the CPU with this index, this CPU or another. */
void gic_deactivate_of(u32 cpu, u32 irq);
/* Bit n: PPI n of that CPU is pending, by its line or latched, even while it is active or disabled. */
u32 gic_pending_ppis(u32 cpu);
/* PPI `irq` of that CPU is edge-triggered, or level-sensitive. Only while it is disabled. */
void gic_configure(u32 cpu, u32 irq, bool edge);
/* Acknowledges, drops and deactivates a group 0 interrupt, which can only be EL2's timer; nothing without one. */
u32 gic_fiq_begin(void);
void gic_fiq_end(u32 irq);
/* Sleeps until the UART, EL2's timer or SGI_STOP is pending, and leaves it so. */
void gic_sleep(void);
/* Clears the latches of SGIs and PPIs `mask` of the CPU with this index. */
void gic_forget(u32 cpu, u32 mask);
/* Enables or disables an SPI, or an SGI or PPI of CPU `cpu`. */
void gic_enable(u32 cpu, u32 irq, bool on);
/* Sends SGI `irq` to the CPU with this index. */
void gic_send_sgi(u32 cpu, u32 irq);
/* Routes SPI `irq` to the CPU with this index. */
void gic_route(u32 irq, u32 cpu);
/* Routes the UART's interrupt to the CPU with this index. */
void gic_route_uart(u32 cpu);
/* The number of redistributors, thus of CPUs (GICR_TYPER.Last). */
unsigned gic_count_cpus(void);

#endif
