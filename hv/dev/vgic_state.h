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
 * Locks. SPIs are under the distributor's lock. SGIs and PPIs, the bank `local` of a CPU, are that CPU's alone while its
 * guest runs: its own timer, SGI to itself and redistributor take no lock. This is enough because
 * - another CPU's SGI sets a bit of `sent` with atomic_or(), then interrupts (SGI_KICK); vgic_flush() and vgic_recall()
 *   move the bits into `pending`. The interrupt comes after the bit, so no flush that misses it is the last one;
 * - another CPU uses the bank only under the distributor's lock, while the bank's CPU is off (`live` is false) or waits
 *   in EL2 for other CPUs (`stands` is true). Both change under that lock, and a CPU that stands or is off uses its own
 *   bank only under the lock, too;
 * - vgic_recall() makes a CPU stand: `asked`, then SGI_KICK. A CPU that waits for another one to stand does so itself, so
 *   a circle of them ends; it holds no lock meanwhile, and stands until those that asked are done (vgic_release());
 * - an SPI reaches a CPU's list registers only under the distributor's lock. vgic_flush() reads `busy`, `asked` and
 *   GICD_CTLR without it: each change of them is followed by an interrupt to the CPUs concerned, which flush again.
 * Registers that are only read, and vgic_sgi()'s look at the group, are single loads of another CPU's bank (vgic_peek()).
 */
/* A word of a bank, read without the lock that changes it. */
static inline u32 vgic_peek(const u32 *word)
{
	return *(const volatile u32 *)word;
}
/* Makes `c` look at its interrupts before its guest goes on. */
void vgic_attend(struct cpu *c);
/* The same for each CPU that interrupts `v` of bank `b` are routed to or held by. `c`: the bank's CPU, NULL for SPIs. */
void vgic_attend_all(struct cpu *c, struct vgic_bank *b, u32 v);
/* Makes an SGI or a PPI of any CPU pending once, without a lock. */
void vgic_send(struct cpu *c, u32 irq);
/*
 * Takes back all list registers of this CPU: until vgic_flush() its interrupts' state is in their banks. An interrupt
 * that is pending by a physical line stays so only while the line is up.
 */
void vgic_fold(struct cpu *c);
/*
 * Takes interrupts `mask` of bank `b` out of all list registers; with `t`, everything out of CPU t's. Other CPUs that
 * held some wait in EL2 until vgic_release() with the value returned. The lock is given up meanwhile.
 */
u32 vgic_recall(struct cpu *t, struct vgic_bank *b, u32 mask);
void vgic_release(u32 recalled);
/* Interrupts `v` of a bank, none of them in a list register, become inactive. */
void vgic_end(struct cpu *c, struct vgic_bank *b, u32 v);
/*
 * The pending, enabled, inactive interrupt of highest priority in `groups` (GICD_CTLR bits) for `c`, or VGIC_NO_IRQ.
 * Without the distributor's lock the result may be an SPI that has become pending since: not to be used.
 */
u32 vgic_best(struct cpu *c, u32 groups);

#endif
