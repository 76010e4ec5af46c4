/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's GICv3: distributor, redistributors and list registers (GICv3 architecture, IHI 0069). */
#ifndef HV_VGIC_H
#define HV_VGIC_H

#include "cpu/vgic_cpu.h"

#define VGIC_TYPER   0x02780007u /* 16 ID bits, 256 interrupts; no LPIs, no message-based SPIs, no 1 of N */

struct vgic_dist {
	u32 ctlr;
	u32 busy; /* bit n: in spi[n] something may be pending or running; clear: nothing is */
	struct vgic_bank spi[VGIC_BANKS - 1];
	u8 target[VGIC_IRQS]; /* CPU index of IROUTER */
	u8 holder[VGIC_IRQS]; /* ... of the one that has it in a list register, or acknowledged it */
};
extern struct vgic_dist vgic_dist;

struct cpu;
struct trap_frame;

/* The vCPU's start: all of its own interrupts as after reset. */
void vgic_cpu_init(struct cpu *c);
/* Its end: an SPI that waits for it goes back to where another CPU may get it. */
void vgic_cpu_exit(struct cpu *c);
/* The physical interrupt `irq`, a PPI, was acknowledged (priority dropped, not deactivated): it is the guest's. */
void vgic_physical(struct cpu *c, u32 irq);
/* A device of ours drives its line. Level-sensitive. */
void vgic_set_level(u32 irq, bool level);
/* Makes `irq` pending for the guest once (SGIs, the monitor's `inject irq`). */
void vgic_set_pending(struct cpu *c, u32 irq);
/*
 * Does what other CPUs wait for, and puts what is pending and active into list registers. Called when WORK_VGIC is set,
 * before the guest goes on. Without the distributor's lock where no SPI is about.
 */
void vgic_flush(struct cpu *c);
/* Maintenance interrupt (PPI 25). */
void vgic_maintenance(struct cpu *c);

/* Registers: offset in the frame, size in bytes. What is not there, or not in this width, reads as 0 and ignores writes. */
u64 vgic_dist_read(u32 offset, unsigned size);
void vgic_dist_write(u32 offset, unsigned size, u64 value);
/* Words that one load reads whole, so without the lock: GICD_TYPER, GICD_ISENABLER1 and on. False: none of these. */
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
/* A word of zeros to GICD_ISENABLER and its like, up to GICD_ICACTIVER, sets nothing and clears nothing. */
static inline bool vgic_dist_idle_write(u32 offset, u32 value)
{
	return !value && offset >= 0x100 && offset < 0x400;
}
u64 vgic_redist_read(u32 offset, unsigned size);
void vgic_redist_write(u32 offset, unsigned size, u64 value);
/* Whether a value for ICC_SGI1R_EL1 and its like names anybody: IRM, or a bit of TargetList. */
static inline bool vgic_sgi_targets(u64 value)
{
	return value & (BIT(40) | 0xffff);
}
/* ICC_SGI1R_EL1 and its like, `value` as written. Those that are not of this group are not made pending. */
void vgic_sgi(struct cpu *c, u64 value, bool group1);
/* The CPU interface's registers that EL2 traps on its own account, by sysreg_key(). False: none of these, or not so. */
bool vgic_icc_read(struct cpu *c, u32 key, u64 *value);
bool vgic_icc_write(struct cpu *c, u32 key, u64 value);

#endif
