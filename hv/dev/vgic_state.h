/* SPDX-License-Identifier: Apache-2.0 */
/* The state of interrupts, kept by vgic.c and shown to the guest by vgic_regs.c and vgic_icc.c. */
#ifndef HV_VGIC_STATE_H
#define HV_VGIC_STATE_H

#include "cpu/cpu.h"
#include "dev/vgic.h"

#define GICD_CTLR_GRP0 BIT(0)
#define GICD_CTLR_GRP1 BIT(1)

/* The board's PPIs that are the guest's: their line, enable and configuration are the physical ones. */
#define GUEST_PPIS (1u << IRQ_PMU | 1u << IRQ_VTIMER | 1u << IRQ_PTIMER)

static inline struct vgic_bank *vgic_bank_of(struct cpu *c, u32 irq)
{
	return irq < 32 ? &c->vgic.local : &vgic_dist.spi[irq / 32 - 1];
}

/* Marks the bank of an SPI that has become pending or running. */
static inline void vgic_busy(const struct vgic_bank *b)
{
	u64 n = (u64)(b - vgic_dist.spi);

	if (n < VGIC_BANKS - 1)
		vgic_dist.busy |= 1u << n;
}
/*
 * All of the following need the distributor's lock. This one makes `c` look at its interrupts before its guest goes on.
 */
void vgic_attend(struct cpu *c);
/* The same for each CPU that interrupts `v` of bank `b` are routed to or held by. `c`: the bank's CPU, NULL for SPIs. */
void vgic_attend_all(struct cpu *c, struct vgic_bank *b, u32 v);
/* Makes `irq` pending once. */
void vgic_make_pending(struct cpu *c, u32 irq);
/*
 * Takes back all list registers of this CPU: until vgic_flush() its interrupts' state is in their banks. An interrupt
 * that is pending by a physical line stays so only while the line is up.
 */
void vgic_fold(struct cpu *c);
/*
 * Takes interrupts `mask` of bank `b` out of all list registers; with `t`, everything out of CPU t's. CPUs that held
 * some wait in EL2 until vgic_release() with the value returned. The lock is given up meanwhile.
 */
u32 vgic_recall(struct cpu *t, struct vgic_bank *b, u32 mask);
void vgic_release(u32 recalled);
/* Interrupts `v` of a bank, none of them in a list register, become inactive. */
void vgic_end(struct cpu *c, struct vgic_bank *b, u32 v);
/* The pending, enabled, inactive interrupt of highest priority in `groups` (GICD_CTLR bits) for `c`, or VGIC_NO_IRQ. */
u32 vgic_best(struct cpu *c, u32 groups);

#endif
