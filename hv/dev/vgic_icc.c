/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's CPU interface in software (IHI 0069, ICC_*_EL1), while its list registers are not enough. */
#include "arch/arch.h"
#include "board/board.h"
#include "board/gic.h"
#include "cpu/locks.h"
#include "dev/vgic_state.h"

#define VMCR_CBPR  BIT(4)
#define VMCR_EOIM  BIT(9)
#define VMCR_BPR1  18 /* [20:18] */
#define VMCR_BPR0  21 /* [23:21] */
#define SPURIOUS   1023

/* CRm and op2 of op0 3, op1 0, CRn 12 */
#define ICC(crm, op2) (3u << 14 | 12u << 7 | (crm) << 3 | (op2))

/* Mask of the subpriority bits of an interrupt of this group. */
static u32 subpriority(u32 vmcr, bool group1)
{
	u32 bpr = vmcr >> (group1 && !(vmcr & VMCR_CBPR) ? VMCR_BPR1 : VMCR_BPR0) & 7;

	if (group1 && !(vmcr & VMCR_CBPR))
		bpr -= bpr > 0;
	return (2u << bpr) - 1;
}

/* Bit n: an interrupt of preemption level n is active. The board has 32 levels (ICH_VTR_EL2.PREbits). */
static u32 active_priorities(void)
{
	return (u32)(sysreg_read(ich_ap0r0_el2) | sysreg_read(ich_ap1r0_el2));
}

/* CanSignalVirtualInterrupt() */
static bool preempts(u32 priority, bool group1)
{
	u32 vmcr = (u32)sysreg_read(ich_vmcr_el2), active = active_priorities(), sub;

	if (!(vmcr >> group1 & 1) || priority >= vmcr >> 24)
		return false;
	sub = subpriority(vmcr, group1);
	return !active || (priority & ~sub) < (((u32)__builtin_ctz(active) << 3) & ~sub);
}

/* The highest pending interrupt of the enabled groups, or SPURIOUS if it belongs to the other group. */
static u32 highest(struct cpu *c, bool group1)
{
	u32 irq = vgic_best(c, (u32)sysreg_read(ich_vmcr_el2) & (GICD_CTLR_GRP0 | GICD_CTLR_GRP1));

	return irq != VGIC_NO_IRQ && (vgic_bank_of(c, irq)->group >> irq % 32 & 1) == group1 ? irq : SPURIOUS;
}

static u32 acknowledge(struct cpu *c, bool group1)
{
	u32 irq = highest(c, group1), bit = 1u << irq % 32, level;
	struct vgic_bank *b;
	u8 priority;

	if (irq == SPURIOUS)
		return irq;
	b = vgic_bank_of(c, irq);
	priority = b->priority[irq % 32];
	if (!preempts(priority, group1))
		return SPURIOUS;
	level = 1u << ((priority & ~subpriority((u32)sysreg_read(ich_vmcr_el2), group1)) >> 3);
	if (group1)
		sysreg_write(ich_ap1r0_el2, sysreg_read(ich_ap1r0_el2) | level);
	else
		sysreg_write(ich_ap0r0_el2, sysreg_read(ich_ap0r0_el2) | level);
	b->pending &= ~bit;
	if (b->hw & b->edge & bit)
		gic_forget(c->index, bit); /* edges latched until now belong to this acknowledge */
	b->active |= bit;
	b->running |= bit;
	vgic_busy(b);
	b->running_group = group1 ? b->running_group | bit : b->running_group & ~bit;
	b->running_priority[irq % 32] = priority;
	if (irq >= 32)
		vgic_dist.holder[irq] = (u8)c->index;
	return irq;
}

static void deactivate(struct cpu *c, u32 irq)
{
	struct vgic_bank *b;
	u32 recalled;

	if (irq >= VGIC_IRQS)
		return;
	b = vgic_bank_of(c, irq);
	recalled = vgic_recall(irq < 32 ? c : NULL, b, 1u << irq % 32);
	vgic_end(c, b, 1u << irq % 32);
	vgic_attend_all(irq < 32 ? c : NULL, b, 1u << irq % 32);
	vgic_release(recalled);
}

static void end(struct cpu *c, bool group1, u32 irq)
{
	u32 ap0 = (u32)sysreg_read(ich_ap0r0_el2), ap1 = (u32)sysreg_read(ich_ap1r0_el2);

	/*
	 * An EOI for the group of the running priority; any other is not of the interrupt acknowledged last, and
	 * ignored.
	 */
	if (irq >= 1020 || !(ap0 | ap1) || ((ap0 | ap1) & -(ap0 | ap1) & ap0 ? group1 : !group1))
		return;
	if (group1)
		sysreg_write(ich_ap1r0_el2, ap1 & (ap1 - 1));
	else
		sysreg_write(ich_ap0r0_el2, ap0 & (ap0 - 1));
	if (!(sysreg_read(ich_vmcr_el2) & VMCR_EOIM))
		deactivate(c, irq);
}

static u64 bpr_read(bool group1)
{
	u32 vmcr = (u32)sysreg_read(ich_vmcr_el2), bpr = vmcr >> VMCR_BPR0 & 7;

	if (!group1)
		return bpr;
	return vmcr & VMCR_CBPR ? bpr + (bpr < 7) : vmcr >> VMCR_BPR1 & 7;
}

static void bpr_write(bool group1, u32 v)
{
	u32 vmcr = (u32)sysreg_read(ich_vmcr_el2), at = group1 ? VMCR_BPR1 : VMCR_BPR0;

	if (!(group1 && vmcr & VMCR_CBPR)) /* ICH_VMCR_EL2 itself raises a value below the minimum */
		sysreg_write(ich_vmcr_el2, (vmcr & ~(7u << at)) | (v & 7) << at);
}

static void enable_write(bool group1, u64 v)
{
	u64 vmcr = sysreg_read(ich_vmcr_el2), bit = group1 ? GICD_CTLR_GRP1 : GICD_CTLR_GRP0;

	sysreg_write(ich_vmcr_el2, v & 1 ? vmcr | bit : vmcr & ~bit);
}

static bool icc_read(struct cpu *c, u32 key, u64 *value)
{
	switch (key) {
	case ICC(8, 0):
	case ICC(12, 0):
		vgic_fold(c);
		*value = acknowledge(c, key == ICC(12, 0));
		break;
	case ICC(8, 2):
	case ICC(12, 2):
		vgic_fold(c);
		*value = highest(c, key == ICC(12, 2));
		break;
	case ICC(8, 3):
	case ICC(12, 3):
		*value = bpr_read(key == ICC(12, 3));
		break;
	case ICC(8, 4):
		*value = sysreg_read(ich_ap0r0_el2);
		break;
	case ICC(9, 0):
		*value = sysreg_read(ich_ap1r0_el2);
		break;
	case ICC(12, 6):
	case ICC(12, 7):
		*value = sysreg_read(ich_vmcr_el2) >> (key == ICC(12, 7)) & 1;
		break;
	default:
		return false;
	}
	c->work |= WORK_VGIC;
	return true;
}

static bool icc_write(struct cpu *c, u32 key, u64 value)
{
	u32 irq = (u32)value & 0xffffff;

	switch (key) {
	case ICC(8, 1):
	case ICC(12, 1):
		vgic_fold(c);
		end(c, key == ICC(12, 1), irq);
		break;
	case ICC(11, 1):
		if (sysreg_read(ich_vmcr_el2) & VMCR_EOIM)
			deactivate(c, irq);
		break;
	case ICC(8, 3):
	case ICC(12, 3):
		bpr_write(key == ICC(12, 3), (u32)value);
		break;
	case ICC(8, 4):
		sysreg_write(ich_ap0r0_el2, (u32)value);
		break;
	case ICC(9, 0):
		sysreg_write(ich_ap1r0_el2, (u32)value);
		break;
	case ICC(12, 6):
	case ICC(12, 7):
		enable_write(key == ICC(12, 7), value);
		break;
	default:
		return false;
	}
	c->work |= WORK_VGIC;
	return true;
}

bool vgic_icc_read(struct cpu *c, u32 key, u64 *value)
{
	bool done;

	spin_lock(&dist_lock);
	done = icc_read(c, key, value);
	spin_unlock(&dist_lock);
	return done;
}

bool vgic_icc_write(struct cpu *c, u32 key, u64 value)
{
	bool done;

	spin_lock(&dist_lock);
	done = icc_write(c, key, value);
	spin_unlock(&dist_lock);
	return done;
}
