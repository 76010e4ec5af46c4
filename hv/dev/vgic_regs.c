/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of the guest's GICv3 (IHI 0069): GICD and GICR frames, ICC_SGI1R_EL1. */
#include "arch/arch.h"
#include "board/board.h"
#include "board/gic.h"
#include "cpu/locks.h"
#include "dev/vgic_state.h"

#define CTLR_FIXED 0x50u /* ARE and DS: RAO */
#define IIDR       0x43bu
#define ID         0xffd0u /* PIDR and CIDR of a frame of 64 KiB */

/* Enables the physical interrupts of guest PPIs `v`, or disables them. */
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
	u32 recalled, pending, active;

	switch (offset / 0x80) {
	case 1: return vgic_peek(&b->group);
	case 2:
	case 3: return vgic_peek(&b->enabled);
	}
	recalled = vgic_recall(c, b, ~0u);
	pending = b->pending | (b->level & ~b->edge);
	active = b->active;
	vgic_release(recalled);
	if (c)
		pending = (pending & ~GUEST_PPIS) | ((b->pending | gic_pending_ppis(c->index)) & GUEST_PPIS);
	return offset < 0x300 ? pending : active;
}

static void bits_write(struct cpu *c, struct vgic_bank *b, u32 offset, u32 v)
{
	u32 kind = offset / 0x80, recalled = vgic_recall(c, b, kind == 1 ? ~0u : v);

	switch (kind) {
	case 1: /* IGROUPR */
		v ^= b->group;
		b->group ^= v;
		break;
	case 2: /* ISENABLER */
		if (c)
			mirror_enable(c, v & ~b->enabled, true);
		b->enabled |= v;
		break;
	case 3: /* ICENABLER */
		if (c)
			mirror_enable(c, v & b->enabled, false);
		b->enabled &= ~v;
		break;
	case 4: /* ISPENDR */
		b->pending |= v;
		vgic_busy(b);
		break;
	case 5: /* ICPENDR */
		b->pending &= ~v;
		if (c && v & GUEST_PPIS)
			gic_forget(c->index, v & GUEST_PPIS); /* edge-triggered ones */
		break;
	case 6: /* ISACTIVER */
		b->active |= v;
		break;
	case 7: /* ICACTIVER */
		vgic_end(c, b, v);
		break;
	}
	vgic_attend_all(c, b, v);
	vgic_release(recalled);
}

/* IPRIORITYR: by byte or word, `offset` from its start, inside one bank. */
static u64 priority_read(const volatile struct vgic_bank *b, u32 offset, unsigned size)
{
	u64 v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (u64)b->priority[(offset + i) % 32] << 8 * i;
	return v;
}

static void priority_write(struct cpu *c, struct vgic_bank *b, u32 offset, unsigned size, u64 v)
{
	u32 mask = ((1u << size) - 1) << offset % 32, recalled = vgic_recall(c, b, mask);

	for (unsigned i = 0; i < size; i++)
		b->priority[(offset + i) % 32] = (u8)(v >> 8 * i) & 0xf8; /* five bits, as ICH_VTR_EL2.PRIbits */
	vgic_attend_all(c, b, mask);
	vgic_release(recalled);
}

/* ICFGR: two bits an interrupt, of which the upper one means edge; `half` is 0 or 1. */
static u64 config_read(const struct vgic_bank *b, unsigned half)
{
	u32 edge = vgic_peek(&b->edge);
	u64 v = 0;

	for (unsigned i = 0; i < 16; i++)
		v |= (u64)(edge >> (16 * half + i) & 1) << (2 * i + 1);
	return v;
}

static void config_write(struct cpu *c, struct vgic_bank *b, unsigned half, u32 v)
{
	u32 mask = 0xffffu << 16 * half, edge = 0, recalled = vgic_recall(c, b, mask);

	for (unsigned i = 0; i < 16; i++)
		edge |= (v >> (2 * i + 1) & 1) << (16 * half + i);
	if (c)
		for (u32 changed = (b->edge ^ edge) & mask & GUEST_PPIS; changed; changed &= changed - 1)
			gic_configure(c->index, (u32)__builtin_ctz(changed), edge & changed & -changed);
	b->edge = (b->edge & ~mask) | edge;
	vgic_attend_all(c, b, mask);
	vgic_release(recalled);
}

/* A byte a word: GICv3 (PIDR2), by Arm, of one part number for GICD and of the next for GICR. */
static u32 identification(u32 offset, bool redist)
{
	static const u8 id[] = { 0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1 };
	u32 n = (offset - ID) / 4;

	return n < sizeof(id) ? id[n] + (redist && n == 4) : 0;
}

static u64 dist_read(u32 offset, unsigned size)
{
	if (size == 4) {
		switch (offset) {
		case 0x0000: return vgic_dist.ctlr | CTLR_FIXED;
		case 0x0004: return VGIC_TYPER;
		case 0x0008: return IIDR;
		}
		if (has_bits(offset)) {
			u32 word = offset % 0x80 / 4;

			return word > 0 && word < VGIC_BANKS ? bits_read(NULL, &vgic_dist.spi[word - 1], offset) : 0;
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
	return size == 4 ? identification(offset, false) : 0;
}

u64 vgic_dist_read(u32 offset, unsigned size)
{
	u64 value;

	spin_lock(&dist_lock);
	value = dist_read(offset, size);
	spin_unlock(&dist_lock);
	return value;
}

/* IROUTER. An interrupt that is active stays with the CPU that acknowledged it. */
static void route(u32 irq, u64 affinity)
{
	struct vgic_bank *b = vgic_bank_of(NULL, irq);
	u32 cpu = (u32)affinity & 0xff, recalled = vgic_recall(NULL, b, 1u << irq % 32);

	if (affinity & 0xff00ffff00 || cpu >= n_cpus)
		cpu = 0; /* UNPREDICTABLE for a target that does not exist */
	vgic_dist.target[irq] = (u8)cpu;
	vgic_attend_all(NULL, b, 1u << irq % 32);
	vgic_release(recalled);
}

/*
 * Recalls every CPU's list registers, so that none holds a choice made by the old groups: GICD_CTLR.RWP never reads as
 * 1.
 */
static void enable_groups(u32 groups)
{
	u32 recalled = 0;

	if (groups == vgic_dist.ctlr)
		return;
	vgic_dist.ctlr = groups; /* each CPU fills its list registers by the new groups from here on */
	for (unsigned i = 0; i < n_cpus; i++) {
		recalled |= vgic_recall(cpus[i], &cpus[i]->vgic.local, 0);
		vgic_attend(cpus[i]);
	}
	vgic_release(recalled);
}

static void dist_write(u32 offset, unsigned size, u64 value)
{
	if (size == 4) {
		u32 v = (u32)value;

		if (offset == 0) {
			enable_groups(v & (GICD_CTLR_GRP0 | GICD_CTLR_GRP1));
		} else if (has_bits(offset)) {
			u32 word = offset % 0x80 / 4;

			if (word > 0 && word < VGIC_BANKS)
				bits_write(NULL, &vgic_dist.spi[word - 1], offset, v);
		} else if (offset >= 0xc08 && offset < 0xc00 + 8 * VGIC_BANKS) {
			u32 word = (offset - 0xc00) / 4;

			config_write(NULL, &vgic_dist.spi[word / 2 - 1], word % 2, v);
		}
	}
	if (offset >= 0x420 && offset < 0x400 + VGIC_IRQS && size < 8)
		priority_write(NULL, &vgic_dist.spi[(offset - 0x400) / 32 - 1], offset, size, value);
	if (offset >= 0x6100 && offset < 0x6000 + 8 * VGIC_IRQS && size >= 4 && offset % 8 == 0)
		route((offset - 0x6000) / 8, value);
}

void vgic_dist_write(u32 offset, unsigned size, u64 value)
{
	spin_lock(&dist_lock);
	dist_write(offset, size, value);
	spin_unlock(&dist_lock);
}

/* The CPU whose redistributor `offset` lies in, or NULL: the frames follow one another, 128 KiB each. */
static struct cpu *frame_of(u32 offset)
{
	return offset / GICR_STRIDE < n_cpus ? cpus[offset / GICR_STRIDE] : NULL;
}

/* Registers of any CPU's frame that single loads read. */
static u64 redist_peek(struct cpu *t, u32 reg, unsigned size)
{
	const struct vgic_bank *b = &t->vgic.local;
	u64 typer;

	switch (reg) {
	case 0x0004: return IIDR;
	case 0x0008:
	case 0x000c:
		typer = (u64)t->index << 32 | t->index << 8 | (t->index + 1 == n_cpus ? BIT(4) : 0);
		return size == 8 ? typer : reg == 0x000c ? typer >> 32 : typer & 0xffffffff;
	case 0x0014: return t->vgic.waker;
	case 0x10c00: return config_read(b, 0);
	case 0x10c04: return config_read(b, 1);
	}
	if (reg >= 0x10400 && reg < 0x10420 && size < 8)
		return priority_read(b, reg, size);
	return size == 4 ? identification(reg, true) : 0;
}

static bool redist_has_bits(u32 reg, unsigned size)
{
	return has_bits(reg - 0x10000) && reg % 0x80 == 0 && size == 4;
}

static void redist_write(struct cpu *t, u32 reg, unsigned size, u64 value)
{
	if (reg == 0x0014) /* WAKER: ChildrenAsleep follows ProcessorSleep at once */
		t->vgic.waker = value & 2 ? 6 : 0;
	else if (reg == 0x10c04) /* ICFGR0 is fixed: SGIs are edge-triggered */
		config_write(t, &t->vgic.local, 1, (u32)value);
	else if (redist_has_bits(reg, size))
		bits_write(t, &t->vgic.local, reg - 0x10000, (u32)value);
	else if (reg >= 0x10400 && reg < 0x10420 && size < 8)
		priority_write(t, &t->vgic.local, reg, size, value);
}

u64 vgic_redist_read(u32 offset, unsigned size)
{
	struct cpu *t = frame_of(offset);
	u32 reg = offset % GICR_STRIDE;
	u64 value;
	bool other;

	if (!t)
		return 0;
	if (!redist_has_bits(reg, size))
		return redist_peek(t, reg, size);
	other = t != this_cpu();
	if (other)
		spin_lock(&dist_lock);
	value = bits_read(t, &t->vgic.local, reg - 0x10000);
	if (other)
		spin_unlock(&dist_lock);
	return value;
}

void vgic_redist_write(u32 offset, unsigned size, u64 value)
{
	struct cpu *t = frame_of(offset);
	bool other;

	if (!t)
		return;
	other = t != this_cpu();
	if (other)
		spin_lock(&dist_lock);
	redist_write(t, offset % GICR_STRIDE, size, value);
	if (other)
		spin_unlock(&dist_lock);
}

void vgic_sgi(struct cpu *c, u64 value, bool group1)
{
	u32 irq = (u32)FIELD(value, 27, 24);
	bool all_others = value & BIT(40);

	for (u32 i = 0; i < n_cpus; i++) {
		/* The board has one cluster: with another Aff1 to Aff3, or a range selector, the SGI has no target. */
		bool meant = all_others ? i != c->index :
					  !(value & 0x00fff0ff00ff0000UL) && value & BIT(i);

		if (meant && (vgic_peek(&cpus[i]->vgic.local.group) >> irq & 1) == group1)
			vgic_send(cpus[i], irq);
	}
}
