/* SPDX-License-Identifier: Apache-2.0 */
/* The board's GICv3: EL2 takes every interrupt, drops its priority, and deactivates what is its own. */
#ifndef HV_GIC_H
#define HV_GIC_H

#include "lib/types.h"

/* Of the architecture, 2 for what has no System registers. Needs nothing but the MMU. */
unsigned gic_version(void);
void gic_init(void);
/* Behind gic_init(): whether EL2's timer comes as an FIQ (GICD_CTLR.DS), or as an IRQ like the others. */
bool gic_has_fiq(void);
/* This CPU's redistributor and CPU interface; `cpu` is its index. */
void gic_cpu_init(u32 cpu);
/* ICC_IAR1_EL1: the highest pending interrupt, now active; 1020 and above: none. */
u32 gic_acknowledge(void);
/* ICC_EOIR1_EL1: priority drop alone, as EOImode is 1. */
void gic_drop(u32 irq);
/* ICC_DIR_EL1: the interrupt may fire again. */
void gic_deactivate(u32 irq);
/* The same of a PPI of the CPU with this index, which may be another one. */
void gic_deactivate_of(u32 cpu, u32 irq);
/* Bit n: PPI n of that CPU is pending, by its line or latched, although it is active or disabled. */
u32 gic_pending_ppis(u32 cpu);
/* PPI `irq` of that CPU is edge-triggered, or level-sensitive. Not while it is enabled. */
void gic_configure(u32 cpu, u32 irq, bool edge);
/* As gic_acknowledge(), and drop and deactivate, of group 0, which has EL2's timer alone; without one, nothing happens. */
u32 gic_fiq_begin(void);
void gic_fiq_end(u32 irq);
/* Sleeps until the UART, EL2's timer or SGI_STOP has something; it stays pending while it is masked. */
void gic_sleep(void);
/* SGIs and PPIs `mask` of the CPU with this index are no longer latched. */
void gic_forget(u32 cpu, u32 mask);
/* Enable bit of an SPI, or of an SGI or PPI of CPU `cpu`. */
void gic_enable(u32 cpu, u32 irq, bool on);
/* SGI `irq` to the CPU with this index. */
void gic_send_sgi(u32 cpu, u32 irq);
/* SPI `irq` goes to the CPU with this index. */
void gic_route(u32 irq, u32 cpu);
/* The UART's interrupt goes to the CPU with this index. */
void gic_route_uart(u32 cpu);
/* How many redistributors, thus CPUs, the board has (GICR_TYPER.Last). */
unsigned gic_count_cpus(void);

#endif
