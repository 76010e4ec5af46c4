/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's GICv3. Banks keep each interrupt's pending and active state. vgic_flush(), before the guest goes on, puts
 * the interrupts that its CPU may take or has to end into list registers; their state then lives there
 * (vgic_bank.in_lr) until vgic_fold() takes it back. If list registers are too few, or a physical line may fall before
 * the guest looks, the CPU interface traps (vgic_icc.c), and a single list register says that an interrupt waits.
 */
#include "arch/arch.h"
#include "board/gic.h"
#include "cpu/locks.h"
#include "dev/vgic_state.h"

#define LR_PENDING   (1UL << 62)
#define LR_ACTIVE    (2UL << 62)
#define LR_HW        (1UL << 61)
#define LR_GROUP1    (1UL << 60)
#define LR_EOI       (1UL << 41) /* HW = 0: maintenance interrupt at the guest's EOI */

#define ICH_HCR_EN    BIT(0)
#define ICH_HCR_TALL0 BIT(11)
#define ICH_HCR_TALL1 BIT(12)

#define SPSR_I BIT(7)

struct vgic_dist vgic_dist;

/* Whether `c` is this CPU: list registers can be reached on their own CPU only. */
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

COLD void vgic_attend_all(struct cpu *c, struct vgic_bank *b, u32 v)
{
	u32 first = (u32)(b - vgic_dist.spi) * 32 + 32, affected = 0;

	if (c) {
		vgic_attend(c);
		return;
	}
	for (; v; v &= v - 1) {
		u32 bit = (u32)__builtin_ctz(v);

		affected |= 1u << vgic_dist.target[first + bit];
		if (b->in_lr & 1u << bit)
			affected |= 1u << vgic_dist.holder[first + bit];
	}
	for (; affected; affected &= affected - 1)
		vgic_attend(cpus[__builtin_ctz(affected)]);
}

COLD void vgic_cpu_init(struct cpu *c)
{
	struct vgic_bank *b = &c->vgic.local;

	spin_lock(&dist_lock);
	c->vgic.live = true;
	if (!c->vgic.n_lrs) { /* the redistributor keeps its state while its CPU is off */
		c->vgic.n_lrs = (u32)(sysreg_read(ich_vtr_el2) & 0x1f) + 1;
		if (c->vgic.n_lrs > VGIC_MAX_LRS)
			c->vgic.n_lrs = VGIC_MAX_LRS;
		c->vgic.waker = 6; /* ProcessorSleep, ChildrenAsleep */
		b->edge = 0xffff;
	}
	for (u32 on = b->enabled & GUEST_PPIS; on; on &= on - 1)
		gic_enable(c->index, (u32)__builtin_ctz(on), true);
	for (unsigned i = 0; i < c->vgic.n_lrs; i++)
		gich_lr_write(i, 0);
	c->vgic.traps = false;
	sysreg_write(ich_vmcr_el2, 0);
	sysreg_write(ich_ap0r0_el2, 0);
	sysreg_write(ich_ap1r0_el2, 0);
	/* with TDIR: ICC_DIR_EL1 may name an interrupt that no list register here holds */
	sysreg_write(ich_hcr_el2, policy_traps.ich_hcr | ICH_HCR_EN);
	isb();
	spin_unlock(&dist_lock);
}

/* Deactivates physical interrupts `v`: each fires again at once while its line is up. */
static COLD void let_go(struct cpu *c, u32 v)
{
	struct vgic_bank *b = &c->vgic.local;

	b->hw &= ~v;
	b->level &= ~v;
	for (; v; v &= v - 1)
		if (here(c))
			gic_deactivate((u32)__builtin_ctz(v));
		else
			gic_deactivate_of(c->index, (u32)__builtin_ctz(v));
}

COLD void vgic_end(struct cpu *c, struct vgic_bank *b, u32 v)
{
	u32 hw = b->hw & b->active & v; /* PPIs */

	b->active &= ~v;
	b->running &= ~v;
	if (hw)
		let_go(c, hw);
}

/* Reads list register `n` back into the interrupt's bank. */
static void fold(struct cpu *c, unsigned n)
{
	u32 irq = c->vgic.lr_irq[n], bit = 1u << irq % 32;
	struct vgic_bank *b = vgic_bank_of(c, irq);
	u64 lr = gich_lr_read(n);

	b->in_lr &= ~bit;
	if (lr & (LR_PENDING | LR_ACTIVE)) {
		vgic_busy(b);
		if (lr & LR_PENDING) {
			if (c->vgic.lr_latched & 1u << n)
				b->pending |= bit;
			return;
		}
		b->active |= bit;
		b->running |= bit;
		b->running_group = lr & LR_GROUP1 ? b->running_group | bit : b->running_group & ~bit;
		b->running_priority[irq % 32] = (u8)(lr >> 48);
		return;
	}
	b->active &= ~bit;
	b->running &= ~bit;
	if (lr & LR_HW) { /* the guest's EOI has deactivated it */
		b->hw &= ~bit;
		b->level &= ~bit;
	} else if (b->hw & bit) {
		let_go(c, bit);
	} else if (irq >= 32 && (b->pending | b->level) & bit && vgic_dist.target[irq] != c->index) {
		vgic_attend(cpus[vgic_dist.target[irq]]); /* the target CPU has waited for this EOI */
	}
}

void vgic_fold(struct cpu *c)
{
	struct vgic_bank *b = &c->vgic.local;
	u32 waits;

	if (c->vgic.lr_used) {
		bool entered = c->vgic.lr_spis && lock_enter(&dist_lock);

		for (u32 used = c->vgic.lr_used; used; used &= used - 1)
			fold(c, (unsigned)__builtin_ctz(used));
		c->vgic.lr_stale |= c->vgic.lr_used;
		c->vgic.lr_used = c->vgic.lr_spis = 0;
		c->work |= WORK_VGIC;
		lock_leave(&dist_lock, entered);
	}
	waits = b->hw & ~b->active;
	if (waits) {
		b->level &= ~waits | gic_pending_ppis(c->index);
		let_go(c, waits & ~(b->pending | b->level));
	}
}

/* Takes over the interrupts that other CPUs have made pending. */
static inline void receive(struct cpu *c)
{
	if (unlikely(c->vgic.sent))
		c->vgic.local.pending |= atomic_take(&c->vgic.sent);
}

COLD u32 vgic_recall(struct cpu *t, struct vgic_bank *b, u32 mask)
{
	struct cpu *c = this_cpu(), *holder = t;
	u32 recalled = 0, bit;

	for (;;) {
		vgic_fold(c);
		if (t ? t == c || t->vgic.stands || !t->vgic.live : !(b->in_lr & mask))
			break;
		if (!t)
			holder = cpus[vgic_dist.holder[((u32)(b - vgic_dist.spi) + 1) * 32 + (u32)__builtin_ctz(b->in_lr & mask)]];
		bit = 1u << holder->index;
		holder->vgic.asked += !(recalled & bit);
		recalled |= bit;
		c->vgic.stands = true;
		spin_unlock(&dist_lock);
		gic_send_sgi(holder->index, SGI_KICK);
		while (holder->vgic.live && !holder->vgic.stands) {
			c->progress++;
			relax();
		}
		spin_lock(&dist_lock);
	}
	if (t)
		receive(t);
	return recalled;
}

/*
 * Stays in EL2, list registers empty, until each CPU that has recalled them so far is done; later ones wait for the
 * next exit.
 */
static COLD void serve(struct cpu *c)
{
	u32 until = c->vgic.asked;

	c->vgic.stands = true;
	spin_unlock(&dist_lock);
	while ((int)(until - c->vgic.served) > 0) {
		c->progress++;
		relax();
	}
	spin_lock(&dist_lock);
	c->vgic.stands = false;
}

COLD void vgic_release(u32 recalled)
{
	if (!recalled)
		return;
	for (; recalled; recalled &= recalled - 1)
		cpus[__builtin_ctz(recalled)]->vgic.served++;
	serve(this_cpu());
}

COLD void vgic_cpu_exit(struct cpu *c)
{
	spin_lock(&dist_lock);
	vgic_fold(c);
	c->vgic.live = false;
	c->vgic.lr_stale = 0;
	let_go(c, c->vgic.local.hw);
	/* ICH_APnR_EL2 is lost with the CPU: active interrupts stay active until some CPU deactivates them. */
	c->vgic.local.running = 0;
	for (u32 irq = 32; irq < VGIC_IRQS; irq++)
		if (vgic_dist.holder[irq] == c->index)
			vgic_bank_of(c, irq)->running &= ~(1u << irq % 32);
	spin_unlock(&dist_lock);
}

void vgic_physical(struct cpu *c, u32 irq)
{
	struct vgic_bank *b = &c->vgic.local;
	u32 bit = 1u << irq;

	if (b->in_lr & bit) /* the previous one, which the guest has ended */
		vgic_fold(c);
	b->hw |= bit;
	if (b->edge & bit)
		b->pending |= bit;
	else
		b->level |= bit;
	c->work |= WORK_VGIC;
}

void vgic_send(struct cpu *c, u32 irq)
{
	if (here(c)) { /* if a list register holds it already, vgic_flush() adds the pending bit there */
		c->vgic.local.pending |= 1u << irq;
		c->work |= WORK_VGIC;
	} else {
		atomic_or(&c->vgic.sent, 1u << irq);
		gic_send_sgi(c->index, SGI_KICK);
	}
}

COLD void vgic_set_pending(struct cpu *c, u32 irq)
{
	struct vgic_bank *b = vgic_bank_of(c, irq);

	if (irq < 32) {
		vgic_send(c, irq);
		return;
	}
	spin_lock(&dist_lock);
	vgic_busy(b);
	b->pending |= 1u << irq % 32;
	vgic_attend_all(NULL, b, 1u << irq % 32);
	spin_unlock(&dist_lock);
}

void vgic_set_level(u32 irq, bool level)
{
	struct vgic_bank *b = vgic_bank_of(NULL, irq);
	u32 bit = 1u << irq % 32;

	if (!!(vgic_peek(&b->level) & bit) == level) /* a line has one driver */
		return;
	spin_lock(&dist_lock);
	b->level ^= bit;
	vgic_busy(b);
	if (level && b->edge & bit)
		b->pending |= bit;
	if (level || (b->in_lr & bit && !(b->edge & bit)))
		vgic_attend_all(NULL, b, bit);
	spin_unlock(&dist_lock);
}

/* The interrupts of bank `b` that a list register could take now. */
static u32 ready(const struct vgic_bank *b, u32 ctlr)
{
	u32 groups, waiting = b->pending | (b->level & ~b->edge);

	if (!waiting) /* nearly always */
		return 0;
	groups = (ctlr & GICD_CTLR_GRP1 ? b->group : 0) | (ctlr & GICD_CTLR_GRP0 ? ~b->group : 0);
	return waiting & b->enabled & ~b->in_lr & ~b->active & groups;
}

COLD u32 vgic_best(struct cpu *c, u32 groups)
{
	const struct vgic_bank *b = &c->vgic.local;
	u32 winner = VGIC_NO_IRQ, priority = 0x100;

	for (unsigned i = 0; i < VGIC_BANKS; b = &vgic_dist.spi[i++])
		for (u32 r = ready(b, vgic_dist.ctlr & groups); r; r &= r - 1) {
			unsigned bit = (unsigned)__builtin_ctz(r);

			if ((i == 0 || vgic_dist.target[i * 32 + bit] == c->index) && b->priority[bit] < priority) {
				priority = b->priority[bit];
				winner = i * 32 + bit;
			}
		}
	return winner;
}

/* Puts `irq` into list register `n`. */
static void load(struct cpu *c, unsigned n, u32 irq)
{
	u32 bit = 1u << irq % 32;
	struct vgic_bank *b = vgic_bank_of(c, irq);
	u32 waiting = (b->pending | (b->level & ~b->edge)) & bit;
	u64 lr = irq;

	c->vgic.lr_latched &= ~(1u << n);
	if (b->active & bit) {
		lr |= LR_ACTIVE | (u64)b->running_priority[irq % 32] << 48 | (b->running_group & bit ? LR_GROUP1 : 0);
		if (b->hw & bit && !(b->pending & bit)) /* LR_HW: if its line is still up, it fires again */
			lr |= LR_HW | (u64)irq << 32;
		else if (waiting)
			lr |= LR_EOI; /* its next pending state may be another CPU's */
	} else {
		lr |= LR_PENDING | (u64)b->priority[irq % 32] << 48 | (b->group & bit ? LR_GROUP1 : 0);
		if (b->pending & bit)
			c->vgic.lr_latched |= 1u << n;
		if (b->hw & bit)
			lr |= LR_HW | (u64)irq << 32;
		else if (b->level & bit && !(b->edge & bit))
			lr |= LR_EOI; /* a maintenance interrupt, so that vgic_fold() looks at the line again */
		b->pending &= ~bit;
	}
	b->in_lr |= bit;
	if (irq >= 32) {
		/* cppcheck-suppress arrayIndexOutOfBoundsCond ; callers pass INTIDs below VGIC_IRQS */
		vgic_dist.holder[irq] = (u8)c->index;
		c->vgic.lr_spis |= 1u << n;
	}
	c->vgic.lr_used |= 1u << n;
	c->vgic.lr_irq[n] = (u16)irq;
	gich_lr_write(n, lr);
}

/*
 * True if a physical interrupt in a list register may lose its line, or get another edge, before the guest takes it.
 * Only an interrupt that is alone, on a CPU that masks nothing, is taken at once.
 */
static bool may_fall(struct cpu *c, u32 n)
{
	const struct vgic_bank *b = &c->vgic.local;
	u32 waits = b->hw & ~b->active;
	u64 vmcr;

	if (likely(!waits))
		return false;
	if (n > 1 || !(b->in_lr & b->group & waits) || c->frame.spsr_el2 & SPSR_I)
		return true;
	vmcr = sysreg_read(ich_vmcr_el2);
	return !(vmcr & GICD_CTLR_GRP1) || b->priority[__builtin_ctz(waits)] >= vmcr >> 24 || sysreg_read(ich_ap1r0_el2) ||
	       sysreg_read(ich_ap0r0_el2);
}

/* The interrupts that this CPU's list registers should hold; `n` may be more than there are registers. */
struct found {
	u16 irq[VGIC_MAX_LRS];
	u32 n;
};

/* `busy`: the banks of SPIs to look at, too. */
static inline void find(struct cpu *c, u32 busy, struct found *f)
{
	const struct vgic_bank *b = &c->vgic.local;

	for (u32 first = 0;;) {
		u32 waits = ready(b, vgic_dist.ctlr);

		for (u32 v = waits | b->running; v; v &= v - 1) {
			u32 bit = (u32)__builtin_ctz(v), irq = first + bit;
			bool waiting = waits & 1u << bit;

			if (irq >= 32 && (waiting ? vgic_dist.target[irq] : vgic_dist.holder[irq]) != c->index)
				continue;
			c->vgic.waits |= waiting;
			if (f->n < c->vgic.n_lrs)
				f->irq[f->n] = (u16)irq;
			f->n++;
		}
		if (first && !(b->pending | b->level | b->running | b->in_lr))
			vgic_dist.busy &= ~(1u << (first / 32 - 1));
		if (likely(!busy))
			return;
		first = (u32)__builtin_ctz(busy) * 32 + 32;
		b = &vgic_dist.spi[first / 32 - 1];
		busy &= busy - 1;
	}
}

/* Traps every access to the CPU interface, or only those that the policy and ICC_DIR_EL1 need. */
static COLD void set_traps(struct cpu *c, bool on)
{
	const u64 all = ICH_HCR_TALL0 | ICH_HCR_TALL1;
	u64 hcr = sysreg_read(ich_hcr_el2) & ~all; /* ICH_HCR_EL2.En stays: the debugger clears it */

	c->vgic.traps = on;
	sysreg_write(ich_hcr_el2, hcr | (on ? all : policy_traps.ich_hcr & all));
}

void vgic_flush(struct cpu *c)
{
	struct found f;
	bool traps, spis;
	u32 stale;

	/* SGI_KICK follows each later change of these: an SPI that becomes pending, a CPU that recalls SPIs. */
	spis = vgic_dist.busy || c->vgic.lr_spis || c->vgic.asked != c->vgic.served;
	if (spis)
		spin_lock(&dist_lock);
	vgic_fold(c);
	c->work &= ~WORK_VGIC;
	if (unlikely(c->vgic.asked != c->vgic.served && spis))
		serve(c);
	receive(c);
	c->vgic.waits = false;
	f.n = 0;
	find(c, spis ? vgic_dist.busy : 0, &f);
	if (likely(f.n <= c->vgic.n_lrs)) {
		for (u32 i = 0; i < f.n; i++)
			load(c, i, f.irq[i]);
		traps = may_fall(c, f.n);
	} else { /* one stands for all; GICD_CTLR's group bits stand where ICH_VMCR_EL2 has ICC_IGRPENn_EL1 */
		u32 best = vgic_best(c, (u32)sysreg_read(ich_vmcr_el2));

		if (best < (spis ? VGIC_NO_IRQ : 32))
			load(c, 0, best);
		traps = true;
	}
	if (spis)
		spin_unlock(&dist_lock);
	stale = c->vgic.lr_stale & ~c->vgic.lr_used;
	c->vgic.lr_stale = 0;
	for (; stale; stale &= stale - 1)
		gich_lr_write((unsigned)__builtin_ctz(stale), 0);
	if (unlikely(traps != c->vgic.traps))
		set_traps(c, traps);
}

void vgic_maintenance(struct cpu *c)
{
	vgic_flush(c); /* vgic_flush() empties the ended list register, which drops the interrupt */
}
