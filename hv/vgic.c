/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's GICv3. Pending and active state lives here until an interrupt is moved into a list register; from then
 * on it lives there (vgic_bank.in_lr) until the guest has finished with it or we take it back.
 */
#include "vgic.h"
#include "arch/arch.h"
#include "board.h"
#include "cpu.h"
#include "gic.h"

#define LR_PENDING   (1UL << 62)
#define LR_ACTIVE    (2UL << 62)
#define LR_STATE     (3UL << 62)
#define LR_HW        (1UL << 61)
#define LR_GROUP1    (1UL << 60)
#define LR_EOI       (1UL << 41) /* HW = 0: maintenance interrupt when the guest ends it */

#define ICH_HCR_EN   BIT(0)
#define ICH_HCR_UIE  BIT(1)

#define CTLR_GRP0    BIT(0)
#define CTLR_GRP1    BIT(1)
#define CTLR_FIXED   0x50u       /* ARE and DS: read as one */
#define IIDR         0x43bu
#define PIDR2        0x3bu       /* architecture revision 3 */

/* The interrupts of the board that are the guest's: their physical enable follows the virtual one. */
#define GUEST_PPIS   (1u << IRQ_PMU | 1u << IRQ_VTIMER | 1u << IRQ_PTIMER)

struct vgic_dist vgic_dist;

/* List registers are this CPU's own; another CPU's vGIC is reached through its soft state and a kick. */
static bool here(const struct cpu *c)
{
	return c == this_cpu();
}

static void attend(struct cpu *c)
{
	if (here(c))
		c->work |= WORK_VGIC;
	else
		gic_send_sgi(c->index, SGI_KICK);
}

static u64 ich_hcr; /* what vcpu.c asked for, without UIE */

static struct vgic_bank *bank_of(struct cpu *c, u32 irq)
{
	return irq < 32 ? &c->vgic.local : &vgic_dist.spi[irq / 32 - 1];
}

void vgic_cpu_init(struct cpu *c)
{
	c->vgic.n_lrs = (u32)(sysreg_read(ich_vtr_el2) & 0x1f) + 1;
	if (c->vgic.n_lrs > VGIC_MAX_LRS)
		c->vgic.n_lrs = VGIC_MAX_LRS;
	c->vgic.waker = 6; /* ProcessorSleep, ChildrenAsleep */
	c->vgic.local = (struct vgic_bank){ .edge = 0xffff };
	c->vgic.lr_used = 0;
	c->vgic.underflow = false;
	for (unsigned i = 0; i < c->vgic.n_lrs; i++)
		gich_lr_write(i, 0);
	ich_hcr = policy_traps.ich_hcr | ICH_HCR_EN;
	sysreg_write(ich_vmcr_el2, 0);
	sysreg_write(ich_ap0r0_el2, 0);
	sysreg_write(ich_ap1r0_el2, 0);
	sysreg_write(ich_hcr_el2, ich_hcr);
	isb();
}

/* The list register is ours again; its interrupt goes back to the soft state. */
static void release(struct cpu *c, unsigned n)
{
	u32 irq = c->vgic.lr_irq[n];

	bank_of(c, irq)->in_lr &= ~(1u << irq % 32);
	c->vgic.lr_used &= ~(1u << n);
}

void vgic_sync(struct cpu *c)
{
	u32 used = c->vgic.lr_used, empty;

	if (!used || !here(c))
		return;
	/* ELRSR leaves out those that were to tell us of their end: EISR has them. */
	empty = (u32)(sysreg_read(ich_elrsr_el2) | sysreg_read(ich_eisr_el2)) & used;
	for (; empty; empty &= empty - 1) {
		unsigned n = (unsigned)__builtin_ctz(empty);

		gich_lr_write(n, 0); /* an empty one with EOI set keeps the maintenance interrupt up */
		release(c, n);
	}
}

void vgic_cpu_exit(struct cpu *c)
{
	vgic_sync(c);
	for (u32 used = c->vgic.lr_used; used; used &= used - 1) {
		unsigned n = (unsigned)__builtin_ctz(used);
		u32 irq = c->vgic.lr_irq[n];
		struct vgic_bank *b = bank_of(c, irq);
		u64 lr = gich_lr_read(n);

		gich_lr_write(n, 0);
		release(c, n);
		if (lr & LR_PENDING && !(b->level & 1u << irq % 32))
			b->pending |= 1u << irq % 32;
	}
}

/* List registers that hold one of `mask` of bank `b`: calls for each, and writes back what `edit` makes of it. */
static void edit_lrs(struct cpu *c, struct vgic_bank *b, u32 mask, u64 (*edit)(struct vgic_bank *, u32 bit, u64 lr))
{
	if (!here(c)) { /* in flight on another CPU: as on the machine, it may still be taken there */
		attend(c);
		return;
	}
	vgic_sync(c);
	for (u32 used = c->vgic.lr_used; used; used &= used - 1) {
		unsigned n = (unsigned)__builtin_ctz(used);
		u32 irq = c->vgic.lr_irq[n];
		u64 lr, edited;

		if (bank_of(c, irq) != b || !(mask & 1u << irq % 32))
			continue;
		lr = gich_lr_read(n);
		edited = edit(b, 1u << irq % 32, lr);
		if (edited == lr)
			continue;
		if (!(edited & LR_STATE)) {
			edited = 0;
			release(c, n);
		}
		gich_lr_write(n, edited);
	}
	c->work |= WORK_VGIC;
}

/* Not pending any more. A physical interrupt behind it may fire again. */
static u64 clear_pending(struct vgic_bank *b, u32 bit, u64 lr)
{
	if ((lr & LR_STATE) == LR_PENDING && lr & LR_HW) {
		b->hw &= ~bit;
		gic_deactivate((u32)(lr & 0x3ff));
	}
	return lr & ~LR_PENDING;
}

/* Pending, but not to be taken now: back to the soft state. */
static u64 take_back(struct vgic_bank *b, u32 bit, u64 lr)
{
	if (lr & LR_PENDING && !(b->level & bit))
		b->pending |= bit;
	if ((lr & LR_STATE) == LR_PENDING && lr & LR_HW)
		b->hw |= bit; /* still active on the board: whoever unpends it must end that */
	return lr & ~LR_PENDING;
}

static u64 clear_active(struct vgic_bank *b, u32 bit, u64 lr)
{
	if (lr & LR_ACTIVE && lr & LR_HW) {
		b->hw &= ~bit;
		gic_deactivate((u32)(lr & 0x3ff));
	}
	return lr & ~LR_ACTIVE;
}

/* Pending once more while it is in a list register. */
static u64 add_pending(struct vgic_bank *b, u32 bit, u64 lr)
{
	if (lr & LR_HW || b->hw & bit) /* one that ends a physical interrupt needs a list register of its own */
		return lr;
	b->pending &= ~bit;
	return lr | LR_PENDING;
}

/* Which of a bank's interrupts are pending and active, wherever that state is. */
static void state_of(struct cpu *c, struct vgic_bank *b, u32 *pending, u32 *active)
{
	*pending = b->pending | (b->level & ~b->edge);
	*active = b->active;
	if (!here(c)) {
		*active |= b->in_lr; /* taken there, as far as one can tell from here */
		return;
	}
	for (u32 used = c->vgic.lr_used; used; used &= used - 1) {
		unsigned n = (unsigned)__builtin_ctz(used);
		u32 irq = c->vgic.lr_irq[n];
		u64 lr;

		if (bank_of(c, irq) != b)
			continue;
		lr = gich_lr_read(n);
		*pending |= lr & LR_PENDING ? 1u << irq % 32 : 0;
		*active |= lr & LR_ACTIVE ? 1u << irq % 32 : 0;
	}
}

void vgic_physical(struct cpu *c, u32 irq)
{
	struct vgic_bank *b = bank_of(c, irq);

	b->pending |= 1u << irq % 32;
	b->hw |= 1u << irq % 32;
	c->work |= WORK_VGIC;
}

void vgic_set_pending(struct cpu *c, u32 irq)
{
	struct vgic_bank *b = bank_of(c, irq);
	u32 bit = 1u << irq % 32;

	b->pending |= bit; /* in a list register already: vgic_flush() adds it there */
	attend(c);
}

void vgic_set_level(u32 irq, bool level)
{
	struct cpu *c = cpus[vgic_dist.target[irq]];
	struct vgic_bank *b = bank_of(c, irq);
	u32 bit = 1u << irq % 32;

	if (!!(b->level & bit) == level)
		return;
	if (level) {
		b->level |= bit;
		if (b->edge & bit)
			b->pending |= bit;
		attend(c);
		return;
	}
	b->level &= ~bit;
	if (b->in_lr & bit && !(b->edge & bit))
		edit_lrs(c, b, bit, clear_pending);
}

/* Interrupts of a bank that a list register could take now. */
static u32 ready(const struct vgic_bank *b)
{
	u32 groups = (vgic_dist.ctlr & CTLR_GRP1 ? b->group : 0) | (vgic_dist.ctlr & CTLR_GRP0 ? ~b->group : 0);

	return (b->pending | (b->level & ~b->edge)) & b->enabled & ~b->in_lr & ~b->active & groups;
}

/* The ready interrupt of highest priority that is this CPU's, or VGIC_NO_IRQ. Bounded by VGIC_IRQS. */
static u32 best(struct cpu *c)
{
	u32 winner = VGIC_NO_IRQ, priority = 0x100;

	for (unsigned i = 0; i < VGIC_BANKS; i++) {
		struct vgic_bank *b = bank_of(c, i * 32);

		for (u32 r = ready(b); r; r &= r - 1) {
			unsigned bit = (unsigned)__builtin_ctz(r);

			if (i > 0 && vgic_dist.target[i * 32 + bit] != c->index)
				continue;
			if (b->priority[bit] < priority) {
				priority = b->priority[bit];
				winner = i * 32 + bit;
			}
		}
	}
	return winner;
}

bool vgic_pending(struct cpu *c)
{
	for (u32 used = c->vgic.lr_used; used; used &= used - 1)
		if (gich_lr_read((unsigned)__builtin_ctz(used)) & LR_PENDING)
			return true;
	return best(c) != VGIC_NO_IRQ;
}

void vgic_flush(struct cpu *c)
{
	bool starved = false;

	vgic_sync(c);
	for (u32 used = c->vgic.lr_used; used; used &= used - 1) {
		struct vgic_bank *b = bank_of(c, c->vgic.lr_irq[__builtin_ctz(used)]);
		u32 again = b->pending & b->in_lr & b->enabled;

		if (again)
			edit_lrs(c, b, again, add_pending);
	}
	for (unsigned i = 0; i < VGIC_MAX_LRS; i++) {
		u32 free = ~c->vgic.lr_used & ((1u << c->vgic.n_lrs) - 1), irq = best(c), bit = 1u << irq % 32;
		struct vgic_bank *b;
		unsigned n;
		u64 lr;

		if (irq == VGIC_NO_IRQ)
			break;
		if (!free) {
			starved = true;
			break;
		}
		n = (unsigned)__builtin_ctz(free);
		b = bank_of(c, irq);
		lr = LR_PENDING | irq | (u64)b->priority[irq % 32] << 48 | (b->group & bit ? LR_GROUP1 : 0);
		if (b->hw & bit)
			lr |= LR_HW | (u64)irq << 32;
		else if (b->level & bit && !(b->edge & bit))
			lr |= LR_EOI; /* tells us to look at the line again */
		b->hw &= ~bit;
		b->pending &= ~bit;
		b->in_lr |= bit;
		c->vgic.lr_used |= 1u << n;
		c->vgic.lr_irq[n] = (u16)irq;
		gich_lr_write(n, lr);
	}
	/* With a single list register UIE would stay asserted; there the EOI of that one makes room. */
	starved = starved && c->vgic.n_lrs > 1;
	if (starved != c->vgic.underflow) {
		c->vgic.underflow = starved;
		sysreg_write(ich_hcr_el2, ich_hcr | (starved ? ICH_HCR_UIE : 0));
	}
}

void vgic_maintenance(struct cpu *c)
{
	vgic_sync(c);
	c->work |= WORK_VGIC;
}

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
	state_of(c, b, &pending, &active);
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
			edit_lrs(c, b, v, take_back);
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
			edit_lrs(c, b, v, clear_pending);
		return true;
	case 0x300:
		b->active |= v & ~b->in_lr;
		return true;
	case 0x380:
		b->active &= ~v;
		if (b->in_lr & v)
			edit_lrs(c, b, v, clear_active);
		break;
	default:
		return false;
	}
	attend(c);
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
	edit_lrs(cpus[vgic_dist.target[irq]], bank_of(c, irq), 1u << irq % 32, take_back);
	vgic_dist.target[irq] = (u8)cpu;
	attend(cpus[cpu]);
}

bool vgic_dist_write(struct cpu *c, u32 offset, unsigned size, u64 value)
{
	u32 v = (u32)value;

	if (size == 4) {
		switch (offset) {
		case 0x0000:
			vgic_dist.ctlr = v & (CTLR_GRP0 | CTLR_GRP1);
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
