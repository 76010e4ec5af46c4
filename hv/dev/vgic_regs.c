/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of the guest's GICv3 (IHI 0069): GICD and GICR frames, ICC_SGI1R_EL1. */
#include "arch/arch.h"
#include "board/board.h"
#include "board/gic.h"
#include "cpu/locks.h"
#include "dev/vgic_state.h"

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

/* The registers with one bit an interrupt, at `offset` of either frame: IGROUPR to ICACTIVER, 128 bytes each. */
static bool has_bits(u32 offset)
{
	return offset / 0x80 >= 1 && offset / 0x80 <= 7;
}

static u64 bits_read(struct cpu *c, struct vgic_bank *b, u32 offset)
{
	u32 pending, active;

	switch (offset / 0x80) {
	case 1: return b->group;
	case 2:
	case 3: return b->enabled;
	}
	vgic_collect(c);
	vgic_state_of(c, b, &pending, &active);
	return offset < 0x300 ? pending : active;
}

/* Interrupts `v` of a bank may be to be taken now, by whomever they go to. */
static void attend(struct cpu *c, const struct vgic_bank *b, u32 v)
{
	if (b == &c->vgic.local) {
		vgic_attend(c);
		return;
	}
	for (u32 who = 0; v; v &= v - 1) {
		u32 cpu = vgic_dist.target[((u32)(b - vgic_dist.spi) + 1) * 32 + (u32)__builtin_ctz(v)];

		if (!(who & 1u << cpu))
			vgic_attend(cpus[cpu]);
		who |= 1u << cpu;
	}
}

static void bits_write(struct cpu *c, struct vgic_bank *b, u32 offset, u32 v)
{
	switch (offset / 0x80) {
	case 1: /* IGROUPR */
		b->group = v;
		v = ~0u;
		break;
	case 2: /* ISENABLER */
		if (b == &c->vgic.local)
			mirror_enable(c, v & ~b->enabled, true);
		b->enabled |= v;
		break;
	case 3: /* ICENABLER */
		if (b == &c->vgic.local)
			mirror_enable(c, v & b->enabled, false);
		b->enabled &= ~v;
		if (b->in_lr & v)
			vgic_edit(c, b, v, vgic_take_back);
		return;
	case 4: /* ISPENDR */
		b->pending |= v;
		break;
	case 5: /* ICPENDR */
		if (c != this_cpu())
			v &= ~b->hw; /* the physical redistributor is banked: only that CPU can write it */
		for (u32 hw = b->pending & b->hw & v; hw; hw &= hw - 1) {
			b->hw &= ~(hw & -hw);
			gic_deactivate((u32)__builtin_ctz(hw)); /* hw bits are PPIs */
		}
		b->pending &= ~v;
		if (b->in_lr & v)
			vgic_edit(c, b, v, vgic_clear_pending);
		return;
	case 6: /* ISACTIVER */
		vgic_collect(c); /* what the guest has finished with can be made active again */
		b->active |= v & ~b->in_lr;
		return;
	case 7: /* ICACTIVER */
		b->active &= ~v;
		if (b->in_lr & v)
			vgic_edit(c, b, v, vgic_clear_active);
		break;
	}
	attend(c, b, v);
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

static u64 dist_read(struct cpu *c, u32 offset, unsigned size)
{
	if (size == 4) {
		switch (offset) {
		case 0x0000: return vgic_dist.ctlr | CTLR_FIXED;
		case 0x0004: return VGIC_TYPER;
		case 0x0008: return IIDR;
		case 0xffe8: return PIDR2;
		}
		if (has_bits(offset)) {
			u32 word = offset % 0x80 / 4;

			return word > 0 && word < VGIC_BANKS ? bits_read(c, &vgic_dist.spi[word - 1], offset) : 0;
		}
		if (offset >= 0xc08 && offset < 0xc00 + 8 * VGIC_BANKS) {
			u32 word = (offset - 0xc00) / 4;

			return config_read(&vgic_dist.spi[word / 2 - 1], word % 2);
		}
	}
	if (offset >= 0x420 && offset < 0x400 + VGIC_IRQS && size < 8)
		return priority_read(&vgic_dist.spi[(offset - 0x400) / 32 - 1], offset, size);
	if (offset >= 0x6100 && offset < 0x6000 + 8 * VGIC_IRQS && size >= 4 && offset % 8 == 0)
		return vgic_dist.target[(offset - 0x6000) / 8];
	return 0;
}

u64 vgic_dist_read(struct cpu *c, u32 offset, unsigned size)
{
	u64 value;

	spin_lock(&dist_lock);
	value = dist_read(c, offset, size);
	spin_unlock(&dist_lock);
	return value;
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

static void dist_write(struct cpu *c, u32 offset, unsigned size, u64 value)
{
	if (size == 4) {
		u32 v = (u32)value;

		if (offset == 0) {
			vgic_dist.ctlr = v & (GICD_CTLR_GRP0 | GICD_CTLR_GRP1);
			for (unsigned i = 0; i < n_cpus; i++)
				vgic_attend(cpus[i]);
		} else if (has_bits(offset)) {
			u32 word = offset % 0x80 / 4;

			if (word > 0 && word < VGIC_BANKS)
				bits_write(c, &vgic_dist.spi[word - 1], offset, v);
		} else if (offset >= 0xc08 && offset < 0xc00 + 8 * VGIC_BANKS) {
			u32 word = (offset - 0xc00) / 4;

			config_write(&vgic_dist.spi[word / 2 - 1], word % 2, v);
		}
	}
	if (offset >= 0x420 && offset < 0x400 + VGIC_IRQS && size < 8)
		priority_write(&vgic_dist.spi[(offset - 0x400) / 32 - 1], offset, size, value);
	if (offset >= 0x6100 && offset < 0x6000 + 8 * VGIC_IRQS && size >= 4 && offset % 8 == 0)
		route(c, (offset - 0x6000) / 8, value);
}

void vgic_dist_write(struct cpu *c, u32 offset, unsigned size, u64 value)
{
	spin_lock(&dist_lock);
	dist_write(c, offset, size, value);
	spin_unlock(&dist_lock);
}

/* The redistributor frames stand one after the other, 128 KiB each: which CPU's, or NULL. */
static struct cpu *frame_of(u32 offset)
{
	return offset / GICR_STRIDE < n_cpus ? cpus[offset / GICR_STRIDE] : NULL;
}

static u64 redist_read(u32 offset, unsigned size)
{
	struct cpu *t = frame_of(offset);
	u32 index = offset / GICR_STRIDE, reg = offset % GICR_STRIDE;
	struct vgic_bank *b;
	u64 typer;

	if (!t)
		return 0;
	b = &t->vgic.local;
	switch (reg) {
	case 0x0004: return IIDR;
	case 0x0008:
	case 0x000c:
		typer = (u64)index << 32 | index << 8 | (index + 1 == n_cpus ? BIT(4) : 0);
		return size == 8 ? typer : reg == 0x000c ? typer >> 32 : typer & 0xffffffff;
	case 0x0014: return t->vgic.waker;
	case 0xffe8: return PIDR2;
	case 0x10c00: return config_read(b, 0);
	case 0x10c04: return config_read(b, 1);
	}
	if (has_bits(reg - 0x10000) && reg % 0x80 == 0 && size == 4)
		return bits_read(t, b, reg - 0x10000);
	if (reg >= 0x10400 && reg < 0x10420 && size < 8)
		return priority_read(b, reg, size);
	return 0;
}

u64 vgic_redist_read(u32 offset, unsigned size)
{
	u64 value;

	spin_lock(&dist_lock);
	value = redist_read(offset, size);
	spin_unlock(&dist_lock);
	return value;
}

static void redist_write(u32 offset, unsigned size, u64 value)
{
	struct cpu *t = frame_of(offset);
	u32 reg = offset % GICR_STRIDE;

	if (!t)
		return;
	if (reg == 0x0014) /* WAKER: ChildrenAsleep follows ProcessorSleep at once */
		t->vgic.waker = value & 2 ? 6 : 0;
	else if (reg == 0x10c04) /* ICFGR0 is fixed: SGIs are edge-triggered */
		config_write(&t->vgic.local, 1, (u32)value);
	else if (has_bits(reg - 0x10000) && reg % 0x80 == 0 && size == 4)
		bits_write(t, &t->vgic.local, reg - 0x10000, (u32)value);
	else if (reg >= 0x10400 && reg < 0x10420 && size < 8)
		priority_write(&t->vgic.local, reg, size, value);
}

void vgic_redist_write(u32 offset, unsigned size, u64 value)
{
	spin_lock(&dist_lock);
	redist_write(offset, size, value);
	spin_unlock(&dist_lock);
}

void vgic_sgi(struct cpu *c, u64 value)
{
	u32 irq = (u32)FIELD(value, 27, 24);
	bool all_others = value & BIT(40);

	spin_lock(&dist_lock);
	for (u32 i = 0; i < n_cpus; i++) {
		/* One cluster: Aff1 to Aff3 and the range selector must be 0 for anybody to be meant. */
		bool meant = all_others ? i != c->index :
					  !(value & 0x00fff0ff00ff0000UL) && value & BIT(i);

		if (!meant)
			continue;
		vgic_make_pending(cpus[i], irq);
	}
	spin_unlock(&dist_lock);
}
