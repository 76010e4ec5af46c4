/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's GICv3. Pending and active state lives here until an interrupt is moved into a list register; from then
 * on it lives there (vgic_bank.in_lr) until the guest has finished with it or we take it back.
 */
#include "arch/arch.h"
#include "board/gic.h"
#include "cpu/locks.h"
#include "dev/vgic_state.h"

#define LR_PENDING   (1UL << 62)
#define LR_ACTIVE    (2UL << 62)
#define LR_STATE     (3UL << 62)
#define LR_HW        (1UL << 61)
#define LR_GROUP1    (1UL << 60)
#define LR_EOI       (1UL << 41) /* HW = 0: maintenance interrupt when the guest ends it */

#define ICH_HCR_EN   BIT(0)
#define ICH_HCR_UIE  BIT(1)

struct vgic_dist vgic_dist;

/* List registers are this CPU's own; another CPU's vGIC is reached through its soft state and a kick. */
static bool here(const struct cpu *c)
{
	return c == this_cpu();
}

void vgic_attend(struct cpu *c)
{
	if (here(c))
		c->work |= WORK_VGIC;
	else
		gic_send_sgi(c->index, SGI_KICK);
}

static u64 ich_hcr; /* what vcpu.c asked for, without UIE */

static void cpu_init(struct cpu *c)
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

void vgic_cpu_init(struct cpu *c)
{
	spin_lock(&dist_lock);
	cpu_init(c);
	spin_unlock(&dist_lock);
}

/* The list register is ours again; its interrupt goes back to the soft state. */
static void release(struct cpu *c, unsigned n)
{
	u32 irq = c->vgic.lr_irq[n], bit = 1u << irq % 32;
	struct vgic_bank *b = vgic_bank_of(c, irq);

	b->in_lr &= ~bit;
	c->vgic.lr_used &= ~(1u << n);
	if (!((b->pending | b->level) & bit))
		return;
	c->work |= WORK_VGIC; /* it has waited for this ... */
	if (irq >= 32)
		vgic_attend(cpus[vgic_dist.target[irq]]); /* ... perhaps for another CPU */
}

void vgic_collect(struct cpu *c)
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

void vgic_sync(struct cpu *c)
{
	if (!c->vgic.lr_used)
		return;
	spin_lock(&dist_lock);
	vgic_collect(c);
	spin_unlock(&dist_lock);
}

void vgic_cpu_exit(struct cpu *c)
{
	spin_lock(&dist_lock);
	vgic_collect(c);
	for (u32 used = c->vgic.lr_used; used; used &= used - 1) {
		unsigned n = (unsigned)__builtin_ctz(used);
		u32 irq = c->vgic.lr_irq[n];
		struct vgic_bank *b = vgic_bank_of(c, irq);
		u64 lr = gich_lr_read(n);

		gich_lr_write(n, 0);
		if (lr & LR_PENDING) /* a level-sensitive interrupt is pending as long as its line is up */
			b->pending |= 1u << irq % 32 & ~(b->level & ~b->edge);
		release(c, n);
	}
	spin_unlock(&dist_lock);
}

void vgic_edit(struct cpu *c, struct vgic_bank *b, u32 mask, vgic_editor *edit)
{
	if (!here(c)) { /* in flight on another CPU: as on the machine, it may still be taken there */
		vgic_attend(c);
		return;
	}
	for (u32 used = c->vgic.lr_used; used; used &= used - 1) {
		unsigned n = (unsigned)__builtin_ctz(used);
		u32 irq = c->vgic.lr_irq[n];
		u64 lr, edited;

		if (vgic_bank_of(c, irq) != b || !(mask & 1u << irq % 32))
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

u64 vgic_clear_pending(struct vgic_bank *b, u32 bit, u64 lr)
{
	if ((lr & LR_STATE) == LR_PENDING && lr & LR_HW) {
		b->hw &= ~bit;
		gic_deactivate((u32)(lr & 0x3ff));
	}
	return lr & ~LR_PENDING;
}

u64 vgic_take_back(struct vgic_bank *b, u32 bit, u64 lr)
{
	if (lr & LR_PENDING)
		b->pending |= bit & ~(b->level & ~b->edge);
	if ((lr & LR_STATE) == LR_PENDING && lr & LR_HW)
		b->hw |= bit; /* the physical interrupt is still active: clearing the virtual one must deactivate it */
	return lr & ~LR_PENDING;
}

u64 vgic_clear_active(struct vgic_bank *b, u32 bit, u64 lr)
{
	if (lr & LR_ACTIVE && lr & LR_HW) {
		b->hw &= ~bit;
		gic_deactivate((u32)(lr & 0x3ff));
	}
	return lr & ~LR_ACTIVE;
}

void vgic_state_of(struct cpu *c, struct vgic_bank *b, u32 *pending, u32 *active)
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

		if (vgic_bank_of(c, irq) != b)
			continue;
		lr = gich_lr_read(n);
		*pending |= lr & LR_PENDING ? 1u << irq % 32 : 0;
		*active |= lr & LR_ACTIVE ? 1u << irq % 32 : 0;
	}
}

void vgic_physical(struct cpu *c, u32 irq)
{
	spin_lock(&dist_lock);
	c->vgic.local.pending |= 1u << irq; /* a PPI */
	c->vgic.local.hw |= 1u << irq;
	spin_unlock(&dist_lock);
	c->work |= WORK_VGIC;
}

void vgic_make_pending(struct cpu *c, u32 irq)
{
	vgic_bank_of(c, irq)->pending |= 1u << irq % 32; /* in a list register already: vgic_flush() adds it there */
	if (irq >= 32)
		c = cpus[vgic_dist.target[irq % VGIC_IRQS]];
	vgic_attend(c);
}

void vgic_set_pending(struct cpu *c, u32 irq)
{
	spin_lock(&dist_lock);
	vgic_make_pending(c, irq);
	spin_unlock(&dist_lock);
}

static void set_level(u32 irq, bool level)
{
	struct cpu *c = cpus[vgic_dist.target[irq]];
	struct vgic_bank *b = vgic_bank_of(c, irq);
	u32 bit = 1u << irq % 32;

	if (!!(b->level & bit) == level)
		return;
	if (level) {
		b->level |= bit;
		if (b->edge & bit)
			b->pending |= bit;
		vgic_attend(c);
		return;
	}
	b->level &= ~bit;
	if (b->in_lr & bit && !(b->edge & bit))
		vgic_edit(c, b, bit, vgic_clear_pending);
}

void vgic_set_level(u32 irq, bool level)
{
	spin_lock(&dist_lock);
	set_level(irq, level);
	spin_unlock(&dist_lock);
}

/* Interrupts of a bank that a list register could take now. */
static u32 ready(const struct vgic_bank *b)
{
	u32 groups, waiting = b->pending | (b->level & ~b->edge);

	if (!waiting) /* nearly always */
		return 0;
	groups = (vgic_dist.ctlr & GICD_CTLR_GRP1 ? b->group : 0) | (vgic_dist.ctlr & GICD_CTLR_GRP0 ? ~b->group : 0);
	return waiting & b->enabled & ~b->in_lr & ~b->active & groups;
}

/* The ready interrupt of highest priority that is this CPU's, or VGIC_NO_IRQ. Bounded by VGIC_IRQS. */
static u32 best(struct cpu *c)
{
	const struct vgic_bank *b = &c->vgic.local;
	u32 winner = VGIC_NO_IRQ, priority = 0x100;

	for (unsigned i = 0; i < VGIC_BANKS; b = &vgic_dist.spi[i++])
		for (u32 r = ready(b); r; r &= r - 1) {
			unsigned bit = (unsigned)__builtin_ctz(r);

			if (i > 0 && vgic_dist.target[i * 32 + bit] != c->index)
				continue;
			if (b->priority[bit] < priority) {
				priority = b->priority[bit];
				winner = i * 32 + bit;
			}
		}
	return winner;
}

bool vgic_pending(struct cpu *c)
{
	bool waits;

	for (u32 used = c->vgic.lr_used; used; used &= used - 1)
		if (gich_lr_read((unsigned)__builtin_ctz(used)) & LR_PENDING)
			return true;
	spin_lock(&dist_lock);
	waits = best(c) != VGIC_NO_IRQ;
	spin_unlock(&dist_lock);
	return waits;
}

/* What has happened to an interrupt while it is in list register `n`. */
static void renew(struct cpu *c, unsigned n)
{
	u32 irq = c->vgic.lr_irq[n], bit = 1u << irq % 32;
	struct vgic_bank *b = vgic_bank_of(c, irq);
	u64 was = gich_lr_read(n), lr = was;

	if (lr & LR_HW)
		return;
	if (irq >= 32 && vgic_dist.target[irq] != c->index) {
		lr |= LR_EOI; /* the other CPU waits for its end */
	} else {
		if (b->pending & b->enabled & ~b->hw & bit) { /* with HW = 1 it needs its own list register */
			b->pending &= ~bit;
			lr |= LR_PENDING;
		}
		if (b->level & ~b->edge & bit)
			lr |= LR_EOI; /* its line is to be looked at then */
	}
	if (lr != was)
		gich_lr_write(n, lr);
}

void vgic_flush(struct cpu *c)
{
	bool starved = false;

	spin_lock(&dist_lock);
	vgic_collect(c);
	for (u32 used = c->vgic.lr_used; used; used &= used - 1)
		renew(c, (unsigned)__builtin_ctz(used));
	for (;;) { /* each round fills a list register or is the last one */
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
		b = vgic_bank_of(c, irq);
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
	spin_unlock(&dist_lock);
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
