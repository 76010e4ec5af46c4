/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's GICv3: distributor, redistributors and list registers (GICv3 architecture, IHI 0069). */
#ifndef HV_VGIC_H
#define HV_VGIC_H

#include "cpu/vgic_cpu.h"

#define VGIC_TYPER   0x02780007u /* 16 ID bits, 256 interrupts; no LPIs, no message-based SPIs, no 1 of N */

struct vgic_dist {
	volatile u32 ctlr; /* read without the lock, as `busy` is */
	volatile u32 busy; /* bit n: an interrupt of spi[n] may be pending or running; clear: none is */
	struct vgic_bank spi[VGIC_BANKS - 1];
	u8 target[VGIC_IRQS]; /* CPU index, from IROUTER */
	u8 holder[VGIC_IRQS]; /* CPU index of the one whose list register holds it, or that acknowledged it */
};
extern struct vgic_dist vgic_dist;

struct cpu;
struct trap_frame;

/* The vCPU's start: all of its own interrupts as after reset. */
void vgic_cpu_init(struct cpu *c);
/* The vCPU's end: an SPI that waits in its list registers goes back to its bank, for another CPU to take. */
void vgic_cpu_exit(struct cpu *c);
/* The physical interrupt `irq`, a PPI, was acknowledged (priority dropped, not deactivated): it is the guest's. */
void vgic_physical(struct cpu *c, u32 irq);
/* The line of SPI `irq`, driven by a device that EL2 emulates or mediates. Level-sensitive. */
void vgic_set_level(u32 irq, bool level);
/* Makes `irq` pending for the guest once (SGIs, the monitor's `inject irq`). */
void vgic_set_pending(struct cpu *c, u32 irq);
/*
 * Answers other CPUs and fills the list registers. Called when WORK_VGIC is set, before the guest goes on. The
 * distributor's lock is taken only if an SPI may be pending, or is in a list register.
 */
void vgic_flush(struct cpu *c);
/* Maintenance interrupt (PPI 25). */
void vgic_maintenance(struct cpu *c);

/*
 * Registers: offset in the frame, size in bytes. A register or a width that does not exist reads as 0 and ignores
 * writes.
 */
u64 vgic_dist_read(u32 offset, unsigned size);
void vgic_dist_write(u32 offset, unsigned size, u64 value);
/*
 * Registers that a single load reads whole, without the lock: GICD_TYPER, GICD_ISENABLER1 and on. False: not one of
 * them.
 */
static inline bool vgic_dist_peek(u32 offset, u64 *value)
{
	u32 word = (offset - 0x104) / 4;

	if (offset % 4)
		return false;
	if (offset == 4)
		*value = VGIC_TYPER;
	else if (word < VGIC_BANKS - 1)
		*value = vgic_dist.spi[word].enabled;
	else
		return false;
	return true;
}
/* Whether a write is a word of zeros to GICD_ISENABLER to GICD_ICACTIVER: such a write changes nothing. */
static inline bool vgic_dist_idle_write(u32 offset, u32 value)
{
	return !value && offset >= 0x100 && offset < 0x400;
}
u64 vgic_redist_read(u32 offset, unsigned size);
void vgic_redist_write(u32 offset, unsigned size, u64 value);
/* Whether a value for ICC_SGI1R_EL1, ICC_ASGI1R_EL1 or ICC_SGI0R_EL1 has a target: IRM, or a bit of TargetList. */
static inline bool vgic_sgi_targets(u64 value)
{
	return value & (BIT(40) | 0xffff);
}
/* ICC_SGI1R_EL1, ICC_ASGI1R_EL1 or ICC_SGI0R_EL1, `value` as written. SGIs of the other group are not made pending. */
void vgic_sgi(struct cpu *c, u64 value, bool group1);
/*
 * ICC_*_EL1, by sysreg_key(), where EL2 traps them on its own account. False: no such register, or not in this
 * direction.
 */
bool vgic_icc_read(struct cpu *c, u32 key, u64 *value);
bool vgic_icc_write(struct cpu *c, u32 key, u64 value);

#endif
