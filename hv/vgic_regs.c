/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of the guest's GICv3 (IHI 0069): GICD and GICR frames, ICC_SGI1R_EL1. */
#include "vgic_state.h"
#include "arch/arch.h"
#include "board.h"
#include "cpu.h"
#include "gic.h"

#define CTLR_FIXED 0x50u /* ARE and DS: read as one */
#define IIDR       0x43bu
#define PIDR2      0x3bu /* architecture revision 3 */

/* The interrupts of the board that are the guest's: their physical enable follows the virtual one. */
#define GUEST_PPIS (1u << IRQ_PMU | 1u << IRQ_VTIMER | 1u << IRQ_PTIMER)

/* The physical enable of the board's interrupts that are the guest's. */
static void mirror_enable(struct cpu *c, u32 changed, bool on)
{
	for (changed &= GUEST_PPIS; changed; changed &= changed - 1)
		gic_enable(c->index, (u32)__builtin_ctz(changed), on);
}

/* The registers with one bit an interrupt, at `offset` of either frame: 0x080 to 0x3ff. */
static bool bits_read(struct cpu *c, struct vgic_bank *b, u32 offset, u64 *value)
{
	u32 pending, active;

	switch (offset & ~0x7fu) {
	case 0x080: *value = b->group; return true;
	case 0x100:
	case 0x180: *value = b->enabled; return true;
	}
	vgic_sync(c);
	vgic_state_of(c, b, &pending, &active);
	switch (offset & ~0x7fu) {
	case 0x200:
	case 0x280: *value = pending; return true;
	case 0x300:
	case 0x380: *value = active; return true;
	}
	return false;
}

static bool bits_write(struct cpu *c, struct vgic_bank *b, u32 offset, u32 v)
{
	switch (offset & ~0x7fu) {
	case 0x080:
		b->group = v;
		break;
	case 0x100:
		if (b == &c->vgic.local)
			mirror_enable(c, v & ~b->enabled, true);
		b->enabled |= v;
		break;
	case 0x180:
		v &= b->enabled;
		if (!v)
			return true;
		if (b == &c->vgic.local)
			mirror_enable(c, v, false);
		b->enabled &= ~v;
		if (b->in_lr & v)
			vgic_edit(c, b, v, vgic_take_back);
		return true;
	case 0x200:
		b->pending |= v;
		break;
	case 0x280:
		for (u32 hw = b->pending & b->hw & v; hw; hw &= hw - 1) {
			b->hw &= ~(hw & -hw);
			gic_deactivate((u32)__builtin_ctz(hw)); /* hw bits are PPIs */
		}
		b->pending &= ~v;
		if (b->in_lr & v)
			vgic_edit(c, b, v, vgic_clear_pending);
		return true;
	case 0x300:
		b->active |= v & ~b->in_lr;
		return true;
	case 0x380:
		b->active &= ~v;
		if (b->in_lr & v)
			vgic_edit(c, b, v, vgic_clear_active);
		break;
	default:
		return false;
	}
	vgic_attend(c);
	return true;
}

/* IPRIORITYR: by byte or word, `offset` from its start, inside one bank. */
static u64 priority_read(const struct vgic_bank *b, u32 offset, unsigned size)
{
	u64 v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (u64)b->priority[(offset + i) % 32] << 8 * i;
	return v;
}

static void priority_write(struct vgic_bank *b, u32 offset, unsigned size, u64 v)
{
	for (unsigned i = 0; i < size; i++)
		b->priority[(offset + i) % 32] = (u8)(v >> 8 * i) & 0xf8; /* five bits, as ICH_VTR_EL2.PRIbits */
}

/* ICFGR: two bits an interrupt, the upper one says edge; `half` is 0 or 1. */
static u64 config_read(const struct vgic_bank *b, unsigned half)
{
	u64 v = 0;

	for (unsigned i = 0; i < 16; i++)
		v |= (u64)(b->edge >> (16 * half + i) & 1) << (2 * i + 1);
	return v;
}

static void config_write(struct vgic_bank *b, unsigned half, u32 v)
{
	for (unsigned i = 0; i < 16; i++) {
		u32 bit = 1u << (16 * half + i);

		b->edge = v & 2u << 2 * i ? b->edge | bit : b->edge & ~bit;
	}
}

bool vgic_dist_read(struct cpu *c, u32 offset, unsigned size, u64 *value)
{
	*value = 0;
	if (size == 4) {
		switch (offset) {
		case 0x0000: *value = vgic_dist.ctlr | CTLR_FIXED; return true;
		case 0x0004: *value = VGIC_TYPER; return true;
		case 0x0008: *value = IIDR; return true;
		case 0x000c: return true;
		case 0xffe8: *value = PIDR2; return true;
		}
		if (offset >= 0x080 && offset < 0x400) {
			u32 word = offset % 0x80 / 4;

			return word == 0 || word >= VGIC_BANKS || bits_read(c, &vgic_dist.spi[word - 1], offset, value);
		}
		if (offset >= 0xc00 && offset < 0xc00 + 8 * VGIC_BANKS) {
			u32 word = (offset - 0xc00) / 4;

			if (word >= 2)
				*value = config_read(&vgic_dist.spi[word / 2 - 1], word % 2);
			return true;
		}
	}
	if (offset >= 0x420 && offset < 0x400 + VGIC_IRQS && size <= 4) {
		*value = priority_read(&vgic_dist.spi[(offset - 0x400) / 32 - 1], offset, size);
		return true;
	}
	if (offset >= 0x6100 && offset < 0x6000 + 8 * VGIC_IRQS && size >= 4) {
		*value = offset % 8 ? 0 : vgic_dist.target[(offset - 0x6000) / 8];
		return true;
	}
	return false;
}

/* A new target: what waits for the old one is taken back first. */
static void route(struct cpu *c, u32 irq, u64 affinity)
{
	u32 cpu = (u32)affinity & 0xff;

	if (affinity & 0xff00ffff00 || cpu >= n_cpus)
		cpu = 0; /* UNPREDICTABLE for a target that is not there */
	vgic_edit(cpus[vgic_dist.target[irq]], vgic_bank_of(c, irq), 1u << irq % 32, vgic_take_back);
	vgic_dist.target[irq] = (u8)cpu;
	vgic_attend(cpus[cpu]);
}

bool vgic_dist_write(struct cpu *c, u32 offset, unsigned size, u64 value)
{
	u32 v = (u32)value;

	if (size == 4) {
		switch (offset) {
		case 0x0000:
			vgic_dist.ctlr = v & (GICD_CTLR_GRP0 | GICD_CTLR_GRP1);
			c->work |= WORK_VGIC;
			return true;
		}
		if (offset >= 0x080 && offset < 0x400) {
			u32 word = offset % 0x80 / 4;

			return word == 0 || word >= VGIC_BANKS || bits_write(c, &vgic_dist.spi[word - 1], offset, v);
		}
		if (offset >= 0xc00 && offset < 0xc00 + 8 * VGIC_BANKS) {
			u32 word = (offset - 0xc00) / 4;

			if (word >= 2)
				config_write(&vgic_dist.spi[word / 2 - 1], word % 2, v);
			return true;
		}
	}
	if (offset >= 0x420 && offset < 0x400 + VGIC_IRQS && size <= 4) {
		priority_write(&vgic_dist.spi[(offset - 0x400) / 32 - 1], offset, size, value);
		return true;
	}
	if (offset >= 0x6100 && offset < 0x6000 + 8 * VGIC_IRQS && size >= 4) {
		if (offset % 8 == 0)
			route(c, (offset - 0x6000) / 8, value);
		return true;
	}
	return false;
}

/* The redistributor frames stand one after the other, 128 KiB each: which CPU's, or NULL. */
static struct cpu *frame_of(u32 offset)
{
	return offset / GICR_STRIDE < n_cpus ? cpus[offset / GICR_STRIDE] : NULL;
}

bool vgic_redist_read(struct cpu *c, u32 offset, unsigned size, u64 *value)
{
	struct cpu *t = frame_of(offset);
	u32 index = offset / GICR_STRIDE, reg = offset % GICR_STRIDE;
	struct vgic_bank *b;
	u64 typer;

	(void)c;
	*value = 0;
	if (!t)
		return false;
	b = &t->vgic.local;
	switch (reg) {
	case 0x0000: return true; /* CTLR */
	case 0x0004: *value = IIDR; return true;
	case 0x0008:
	case 0x000c:
		typer = (u64)index << 32 | index << 8 |
			(index + 1 == n_cpus ? BIT(4) : 0);
		*value = size == 8 ? typer : reg == 0x000c ? typer >> 32 : typer & 0xffffffff;
		return true;
	case 0x0014: *value = t->vgic.waker; return true;
	case 0xffe8: *value = PIDR2; return true;
	case 0x10c00: *value = config_read(b, 0); return true;
	case 0x10c04: *value = config_read(b, 1); return true;
	}
	if (reg >= 0x10080 && reg < 0x10400 && reg % 0x80 == 0 && size == 4)
		return bits_read(t, b, reg - 0x10000, value);
	if (reg >= 0x10400 && reg < 0x10420 && size <= 4) {
		*value = priority_read(b, reg, size);
		return true;
	}
	return false;
}

bool vgic_redist_write(struct cpu *c, u32 offset, unsigned size, u64 value)
{
	struct cpu *t = frame_of(offset);
	u32 reg = offset % GICR_STRIDE;

	(void)c;
	if (!t)
		return false;
	switch (reg) {
	case 0x0000: return true;
	case 0x0014: /* WAKER: ChildrenAsleep follows ProcessorSleep at once */
		t->vgic.waker = value & 2 ? 6 : 0;
		return true;
	case 0x10c00: return true; /* SGIs are edge-triggered */
	case 0x10c04:
		config_write(&t->vgic.local, 1, (u32)value);
		return true;
	}
	if (reg >= 0x10080 && reg < 0x10400 && reg % 0x80 == 0 && size == 4)
		return bits_write(t, &t->vgic.local, reg - 0x10000, (u32)value);
	if (reg >= 0x10400 && reg < 0x10420 && size <= 4) {
		priority_write(&t->vgic.local, reg, size, value);
		return true;
	}
	return false;
}

void vgic_sgi(struct cpu *c, u64 value)
{
	u32 irq = (u32)FIELD(value, 27, 24);
	bool all_others = value & BIT(40);

	for (u32 i = 0; i < n_cpus; i++) {
		/* One cluster: Aff1 to Aff3 and the range selector must be 0 for anybody to be meant. */
		bool meant = all_others ? i != c->index :
					  !(value & 0x00fff0ff00ff0000UL) && value & BIT(i);

		if (!meant)
			continue;
		vgic_set_pending(cpus[i], irq);
	}
}
