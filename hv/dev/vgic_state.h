/* SPDX-License-Identifier: Apache-2.0 */
/* Between vgic.c, which keeps the state of each interrupt, and those that show it to the guest: vgic_regs.c, vgic_icc.c. */
#ifndef HV_VGIC_STATE_H
#define HV_VGIC_STATE_H

#include "cpu/cpu.h"
#include "dev/vgic.h"

#define GICD_CTLR_GRP0 BIT(0)
#define GICD_CTLR_GRP1 BIT(1)

/* The interrupts of the board that are the guest's: their line, enable and configuration are the physical ones. */
#define GUEST_PPIS (1u << IRQ_PMU | 1u << IRQ_VTIMER | 1u << IRQ_PTIMER)

static inline struct vgic_bank *vgic_bank_of(struct cpu *c, u32 irq)
{
	return irq < 32 ? &c->vgic.local : &vgic_dist.spi[irq / 32 - 1];
}

/* Something of an SPI's bank is pending or running: to be called when that becomes so. */
static inline void vgic_busy(const struct vgic_bank *b)
{
	u64 n = (u64)(b - vgic_dist.spi);

	if (n < VGIC_BANKS - 1)
		vgic_dist.busy |= 1u << n;
}
/*
 * Whose a bank is: SPIs, `c` is NULL, are under the distributor's lock. SGIs and PPIs of `c` are that CPU's alone; those of
 * one that is off are under the distributor's lock, too.
 *
 * The CPU looks at its interrupts before its guest goes on.
 */
void vgic_attend(struct cpu *c);
/* ... and so do those that interrupts `v` of a bank go to, or are in the hands of. */
void vgic_attend_all(struct cpu *c, struct vgic_bank *b, u32 v);
/* Makes an SGI or a PPI of any CPU pending once, without a lock. */
void vgic_send(struct cpu *c, u32 irq);
/*
 * All of this CPU's list registers are taken back: the state of its interrupts is in their banks until vgic_flush(). What is
 * pending because of a physical line is so only as long as that is up.
 */
void vgic_fold(struct cpu *c);
/*
 * A bank's `pending` and `active` say all, for interrupts `mask`: no list register holds one. CPUs whose guests had SPIs
 * wait in EL2 until vgic_release() of what this returns. The lock is given up meanwhile.
 */
u32 vgic_recall(struct cpu *c, struct vgic_bank *b, u32 mask);
void vgic_release(u32 recalled);
/* For a CPU that waits in EL2, without a lock, for another one: does what others wait for, so that none waits for ever. */
void vgic_meanwhile(struct cpu *c);
/* What other CPUs have asked of this one's redistributor. */
void vgic_answer(struct cpu *c);
/* Interrupts `v` of a bank, which no list register holds, are not active any more. */
void vgic_end(struct cpu *c, struct vgic_bank *b, u32 v);
/*
 * The pending, enabled and inactive interrupt of highest priority of these groups (GICD_CTLR's bits) for `c`, or VGIC_NO_IRQ.
 * Under the distributor's lock.
 */
u32 vgic_best(struct cpu *c, u32 groups);

#endif
