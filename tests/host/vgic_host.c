/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/dev/vgic*.c on some CPUs, under a random guest, devices and physical timers. Each step goes to vgic_model.h as
 * well: the guest must read and acknowledge the same, with any number of list registers, and a CPU with an interrupt to
 * take must be told. The CPU interface of list registers is told here after the manual (IHI 0069, ICV_*_EL1). No
 * physical interrupt may stay active without a list register or EL2 to end it. argv: first seed, number of seeds.
 */
#include <stdio.h>
#include <stdlib.h>
#include "cpu/locks.h"
#include "dev/vgic_state.h"
#include "board/gic.h"
#include "vgic_model.h"

#define STATE(v)   ((v) >> 62)
#define TALL(g)    (2048u << (g))
#define TDIR       0x4000u
#define ICH_HCR    (0x10000 | TDIR) /* the policy's bits */
#define KEY(crm, op2) (3u << 14 | 12u << 7 | (crm) << 3 | (op2))
#define TAKEN_MAX  64

u64 fake_now, fake_step;
struct cpu *cpus[MAX_CPUS];
unsigned n_cpus;
const struct trap_controls policy_traps = { .ich_hcr = ICH_HCR };

static struct machine {
	u64 lr[VGIC_MAX_LRS], hcr, vmcr, ap[2];
	struct { bool line, latch, edge, enabled, active; } ppi[32];
	bool kicked, online;
	unsigned kicks; /* in this step */
	unsigned n, taken[TAKEN_MAX]; /* acknowledged by its guest: group << 16 | INTID */
} at[M_CPUS];
static unsigned dropped[TAKEN_MAX], n_dropped; /* CPU << 16 | INTID: waits for ICC_DIR_EL1 */
static u64 vtr;
static unsigned lrs;
static unsigned me; /* the CPU that executes */
static unsigned long taken, ended, traps, compared;
static u64 state, seed, steps;
static struct { const char *what; u64 at, value, waits; } last;

static u32 any(u32 n)
{
	state = state * 6364136223846793005UL + 1442695040888963407UL;
	return (u32)(state >> 33) % n;
}
static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "vgic_host: seed %lu, step %lu: CPU %u, %s %#lx %#lx (%#lx): %s\n", (unsigned long)seed, (unsigned long)steps,
		me, last.what, (unsigned long)last.at, (unsigned long)last.value, (unsigned long)last.waits, what);
	abort();
}
static void same(u64 hv, u64 model, const char *what, u32 at)
{
	compared++;
	if (hv == model)
		return;
	fprintf(stderr, "%s at %#x: %#lx, and the model has %#lx\n", what, at, (unsigned long)hv, (unsigned long)model);
	must(false, "differs");
}

/* --- the board's GIC --------------------------------------------------------------------------------------------- */

u64 gich_lr_read(unsigned n) { must(n < lrs, "a list register that is not there"); return at[me].lr[n]; }
void gich_lr_write(unsigned n, u64 value)
{
	must(n < lrs, "a list register that is not there");
	must(STATE(value) != 3, "pending and active in one");
	must(!(value >> 61 & 1) || at[me].ppi[value >> 32 & 0x3ff].active, "HW = 1, and nothing to deactivate");
	at[me].lr[n] = value;
}
static u64 *sysreg(const char *name)
{
	struct machine *c = &at[me];

	if (!strcmp(name, "ich_vtr_el2"))
		return &vtr;
	if (!strcmp(name, "ich_hcr_el2"))
		return &c->hcr;
	if (!strcmp(name, "ich_vmcr_el2"))
		return &c->vmcr;
	must(!strcmp(name, "ich_ap0r0_el2") || !strcmp(name, "ich_ap1r0_el2"), "a register that is not used");
	return &c->ap[name[6] - '0'];
}
u64 fake_sysreg_read(const char *name)
{
	return strcmp(name, "tpidr_el2") ? *sysreg(name) : (u64)cpus[me];
}
void fake_sysreg_write(const char *name, u64 value)
{
	*sysreg(name) = value;
	if (!strcmp(name, "ich_vmcr_el2")) { /* binary points have a minimum */
		if ((value >> 21 & 7) < 2)
			at[me].vmcr = (at[me].vmcr & ~(7UL << 21)) | 2UL << 21;
		if ((value >> 18 & 7) < 3)
			at[me].vmcr = (at[me].vmcr & ~(7UL << 18)) | 3UL << 18;
	}
}
static void stop(unsigned cpu, u32 irq)
{
	must(irq < 32 && at[cpu].ppi[irq].active, "deactivated what is not active");
	at[cpu].ppi[irq].active = false;
	ended++;
}
void gic_deactivate(u32 irq) { stop(me, irq); }
void gic_deactivate_of(u32 cpu, u32 irq) { stop(cpu, irq); }
void gic_enable(u32 cpu, u32 irq, bool on)
{
	must(cpu < n_cpus && irq < 32 && M_WIRED >> irq & 1, "enabled what is not there");
	at[cpu].ppi[irq].enabled = on;
}
void gic_configure(u32 cpu, u32 irq, bool edge) { at[cpu].ppi[irq].edge = edge; }
void gic_forget(u32 cpu, u32 mask)
{
	for (unsigned n = 0; n < 32; n++)
		if (mask >> n & 1)
			at[cpu].ppi[n].latch = false;
}
u32 gic_pending_ppis(u32 cpu)
{
	u32 v = 0;

	for (unsigned n = 0; n < 32; n++)
		v |= (u32)(at[cpu].ppi[n].latch || (at[cpu].ppi[n].line && !at[cpu].ppi[n].edge)) << n;
	return v;
}
void gic_send_sgi(u32 cpu, u32 irq)
{
	must(cpu < n_cpus && cpu != me && irq == SGI_KICK, "kick");
	at[cpu].kicked = true;
	must(++at[cpu].kicks <= 3, "a CPU is told again and again");
}

/* Another CPU that was kicked comes into EL2, and waits there until this one is done. */
void fake_relax(void)
{
	unsigned was = me;

	for (me = 0; me < n_cpus; me++)
		if (me != was && at[me].kicked && at[me].online) {
			spin_lock(&dist_lock);
			vgic_fold(cpus[me]);
			cpus[me]->vgic.stands = true;
			spin_unlock(&dist_lock);
		}
	me = was;
}

/* Accesses to a CPU's own interrupts take no lock: with the last one of the order held, taking any other aborts. */
static bool alone(bool redist, u32 where)
{
	bool is = redist && where / 0x20000 == me && !cpus[me]->vgic.lr_spis;

	if (is)
		spin_lock(&rules_lock);
	return is;
}
static bool all_fit(const struct vgic_cpu *v)
{
	const struct vgic_bank *b = &v->local;

	return (unsigned)__builtin_popcount(b->pending | b->level | b->active | b->running | b->in_lr | v->sent) <= lrs;
}
static void together(bool was_alone)
{
	lock_leave(&rules_lock, was_alone);
}

/* --- EL2, as trap.c has it --------------------------------------------------------------------------------------- */

static bool maintenance(unsigned cpu)
{
	for (unsigned n = 0; n < lrs; n++)
		if (!STATE(at[cpu].lr[n]) && at[cpu].lr[n] >> 41 & 1 && !(at[cpu].lr[n] >> 61 & 1))
			return true;
	return false;
}

/* All kicks have been handled on every CPU, and the guests run again. */
static void settle(void)
{
	unsigned was = me;
	bool again = true, own;

	for (unsigned rounds = 0; again; rounds++) {
		again = false;
		must(rounds < 20, "EL2 does not come to an end");
		for (me = 0; me < n_cpus; me++) {
			struct machine *c = &at[me];

			if (!c->online)
				continue;
			cpus[me]->vgic.stands = false;
			for (unsigned n = 0; n < 32; n++)
				if (c->ppi[n].enabled && !c->ppi[n].active && gic_pending_ppis(me) >> n & 1) {
					c->ppi[n].active = true;
					c->ppi[n].latch = false;
					own = alone(true, me * 0x20000);
					vgic_physical(cpus[me], n);
					together(own);
				}
			if (maintenance(me))
				vgic_maintenance(cpus[me]);
			must(!maintenance(me), "the maintenance interrupt stays up");
			if (c->kicked)
				cpus[me]->work |= WORK_VGIC;
			c->kicked = false;
			if (cpus[me]->work & WORK_VGIC) {
				cpus[me]->work = 0;
				own = !vgic_dist.busy && all_fit(&cpus[me]->vgic) && alone(true, me * 0x20000);
				vgic_flush(cpus[me]);
				together(own);
				again = true;
			}
		}
	}
	me = was;
}

/* --- the CPU interface of list registers ------------------------------------------------------------------------- */

static unsigned v_mask(bool group1)
{
	u64 v = at[me].vmcr;
	unsigned bpr = group1 && !(v >> 4 & 1) ? (unsigned)(v >> 18 & 7) - 1 : (unsigned)(v >> 21 & 7);

	return 0xffu << (bpr + 1);
}
static int v_highest(void) /* the list register, or -1 */
{
	unsigned priority = 0xff;
	int best = -1;

	for (unsigned n = 0; n < lrs; n++) {
		u64 v = at[me].lr[n];

		if (STATE(v) == 1 && at[me].vmcr >> (v >> 60 & 1) & 1 && (v >> 48 & 0xff) < priority) {
			priority = (unsigned)(v >> 48 & 0xff);
			best = (int)n;
		}
	}
	return best;
}
static bool v_signals(void)
{
	int n = v_highest();
	u64 ap = at[me].ap[0] | at[me].ap[1], v = n < 0 ? 0 : at[me].lr[n], mask = v_mask(v >> 60 & 1);

	return n >= 0 && (v >> 48 & 0xff) < (at[me].vmcr >> 24 & 0xff) &&
	       (!ap || (v >> 48 & 0xff & mask) < ((u64)__builtin_ctzl(ap) << 3 & mask));
}
static unsigned v_iar(bool group1)
{
	int n = v_highest();
	u64 *v = &at[me].lr[n < 0 ? 0 : n];

	if (n < 0 || (*v >> 60 & 1) != group1 || !v_signals())
		return M_NONE;
	*v ^= 3UL << 62;
	at[me].ap[group1] |= 1UL << ((*v >> 48 & 0xff & v_mask(group1)) >> 3);
	return (unsigned)*v & 0xffff;
}
static void v_eoir(bool group1, unsigned irq)
{
	u64 *ap0 = &at[me].ap[0], *ap1 = &at[me].ap[1], *ap = *ap0 && (!*ap1 || (*ap0 & -*ap0) <= (*ap1 & -*ap1)) ? ap0 : ap1;
	unsigned drop;

	if (!*ap)
		return;
	drop = (unsigned)__builtin_ctzl(*ap) << 3;
	*ap &= *ap - 1;
	for (unsigned n = 0; n < lrs; n++) {
		u64 v = at[me].lr[n];

		if (!(STATE(v) & 2) || (v & 0xffff) != irq)
			continue;
		if ((v >> 60 & 1) == group1 && (v >> 48 & 0xff & v_mask(group1)) == drop && !(at[me].vmcr >> 9 & 1)) {
			at[me].lr[n] = v & ~(2UL << 62);
			if (v >> 61 & 1)
				stop(me, (u32)(v >> 32 & 0x3ff));
		}
		return;
	}
}

/* --- the guest ----------------------------------------------------------------------------------------------------- */

static u64 trapped_read(u32 key)
{
	u64 v = ~0UL;

	traps++;
	must(vgic_icc_read(cpus[me], key, &v), "a register that EL2 traps and does not have");
	return v;
}
static void trapped_write(u32 key, u64 v)
{
	traps++;
	must(vgic_icc_write(cpus[me], key, v), "a register that EL2 traps and does not have");
}
static bool traps_now(bool group1)
{
	return at[me].hcr & TALL(group1);
}

static void take(bool group1)
{
	unsigned v, want = m_iar(me, group1);

	last.what = "IAR";
	last.at = group1;
	v = traps_now(group1) ? (unsigned)trapped_read(KEY(group1 ? 12 : 8, 0)) : v_iar(group1);
	same(v, want, "ICC_IAR of group", group1);
	if (v == M_NONE)
		return;
	must(at[me].n < TAKEN_MAX, "nested too deep");
	at[me].taken[at[me].n++] = v | (unsigned)group1 << 16;
	taken++;
}
static void finish(void)
{
	struct machine *c = &at[me];
	unsigned v;

	if (!c->n)
		return;
	v = c->taken[--c->n];
	last.what = "EOIR";
	last.at = v;
	m_eoir(me, v >> 16, v & 0xffff);
	if (traps_now(v >> 16))
		trapped_write(KEY(v >> 16 ? 12 : 8, 1), v & 0xffff);
	else
		v_eoir(v >> 16, v & 0xffff);
	if (m.at[me].eoimode && n_dropped < TAKEN_MAX)
		dropped[n_dropped++] = me << 16 | (v & 0xffff);
}
static void deactivate(void)
{
	unsigned k = n_dropped ? any(n_dropped) : 0, v;

	if (!n_dropped || ((dropped[k] & 0xffff) < 32 && dropped[k] >> 16 != me))
		return;
	v = dropped[k] & 0xffff;
	dropped[k] = dropped[--n_dropped];
	last.what = "DIR";
	last.at = v;
	must(at[me].hcr & TDIR, "ICC_DIR_EL1 does not trap");
	m_dir(me, v);
	trapped_write(KEY(11, 1), v);
}
static void interface(void)
{
	struct m_interface *c = &m.at[me];
	bool group1 = any(2);
	unsigned v = any(32) << 3;

	last.what = "CPU interface";
	switch (any(5)) {
	case 0:
		v = any(3) ? 0xf8 : v;
		c->pmr = v;
		at[me].vmcr = (at[me].vmcr & ~(0xffUL << 24)) | (u64)v << 24;
		break;
	case 1: /* the binary point stays while something is active: ICV_EOIR compares group priorities */
		if (at[me].n)
			break;
		m_write_bpr(me, group1, v >> 3);
		if (traps_now(group1))
			trapped_write(KEY(group1 ? 12 : 8, 3), v >> 3);
		else if (!(group1 && at[me].vmcr >> 4 & 1))
			fake_sysreg_write("ich_vmcr_el2", (at[me].vmcr & ~(7UL << (group1 ? 18 : 21))) |
						  (u64)(v >> 3 & 7) << (group1 ? 18 : 21));
		break;
	case 2:
		c->eoimode = v & 8;
		if (!at[me].n)
			c->cbpr = v & 16;
		at[me].vmcr = (at[me].vmcr & ~(BIT(9) | BIT(4))) | (c->eoimode ? BIT(9) : 0) | (c->cbpr ? BIT(4) : 0);
		break;
	case 3:
		c->enabled[group1] = any(4) > 0;
		if (traps_now(group1))
			trapped_write(KEY(12, 6 + group1), c->enabled[group1]);
		else
			at[me].vmcr = (at[me].vmcr & ~BIT(group1)) | (u64)c->enabled[group1] << group1;
		break;
	case 4:
		if (traps_now(group1)) {
			same(trapped_read(KEY(group1 ? 12 : 8, 2)), m_hppir(me, group1), "ICC_HPPIR of group", group1);
			same(trapped_read(KEY(group1 ? 12 : 8, 3)), m_read_bpr(me, group1), "ICC_BPR of group", group1);
			same(trapped_read(KEY(12, 6 + group1)), c->enabled[group1], "ICC_IGRPEN of group", group1);
			same(trapped_read(group1 ? KEY(9, 0) : KEY(8, 4)), c->ap[group1], "ICC_AP of group", group1);
		} else {
			int n = v_highest();
			u64 lr = n < 0 ? 0 : at[me].lr[n];

			same(n < 0 || (lr >> 60 & 1) != group1 ? M_NONE : lr & 0xffff, m_hppir(me, group1),
			     "ICC_HPPIR of group", group1);
		}
		break;
	}
}

/* An interrupt that exists, mostly. */
static u32 some_register(bool redist)
{
	static const u32 bits[] = { 0x080, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380 };
	u32 frame = any(n_cpus + any(2)) * 0x20000;

	switch (any(12)) {
	case 0: return redist ? frame + any(0x20000) : any(0x10000);
	case 1: return redist ? frame + any(8) * 4 : any(3) * 4;
	case 2: return redist ? frame + 0x10400 + any(40) : 0x400 + any(0x120);
	case 3: return redist ? frame + 0x10c00 + any(3) * 4 : 0xc00 + any(0x44);
	case 4:
		if (redist || !any(16))
			return frame * redist + 0xffd0 + any(12) * 4;
		return 0x6000 + (any(8) ? 8 * (any(3) ? 48 + any(4) : any(3) ? 32 + any(2) : 255 + any(2)) : any(0x900));
	case 5: return redist ? frame + 0x10000 + any(0x420) : any(0x420);
	default: return redist ? frame + 0x10000 + bits[any(7)] : bits[any(7)] + any(3) * 4;
	}
}

static u64 some_value(void)
{
	static const u32 irqs[] = { 0, 5, IRQ_PMU, IRQ_VTIMER, IRQ_PTIMER, 31 };

	switch (any(4)) {
	case 0: return ~0UL;
	case 1: return (u64)any(~0u) << 32 | any(~0u);
	default: return 1u << irqs[any(6)] | 1u << any(32) | (any(4) ? 0 : 1u << any(32));
	}
}

/* Acknowledged by some CPU's guest, which has to end it. */
static u32 in_hand(unsigned cpu, unsigned word)
{
	u32 v = 0;

	for (unsigned i = 0; i < n_cpus; i++)
		for (unsigned k = 0; k < at[i].n && (word || i == cpu); k++)
			v |= (at[i].taken[k] & 0xffff) / 32 == word ? 1u << at[i].taken[k] % 32 : 0;
	return v;
}

static void write_both(bool redist, u32 where, unsigned size, u64 v)
{
	bool own = alone(redist, where);

	if (redist)
		vgic_redist_write(where, size, v);
	else
		vgic_dist_write(where, size, v);
	together(own);
	if (redist)
		m_redist_write(where, size, v);
	else
		m_dist_write(where, size, v);
}

/* Cases that the architecture leaves open: the configuration of an interrupt that is enabled, or pending. */
static bool open_to_choice(unsigned cpu, unsigned first)
{
	for (unsigned n = first; n < first + 16; n++) {
		const struct m_irq *i = m_irq(cpu, n);

		if (i->enabled || i->latch || i->line || i->active)
			return true;
	}
	return false;
}

static void access(void)
{
	bool redist = any(2), write = any(2);
	unsigned size = any(4) ? 4 : 1u << any(4);
	u32 where = some_register(redist) & ~(size - 1), bits = redist ? where % 0x20000 - 0x10000 : where;
	u64 v = some_value(), peeked = 0, read;

	if (!redist && where >= 0x6000 && any(4))
		v = any(n_cpus) | (any(4) ? 0 : any(2) ? 1UL << any(40) : 1UL << 31);
	if (!redist && where == 0)
		v = any(3) ? 3 : any(8);
	last.what = redist ? "GICR" : "GICD";
	last.at = where;
	last.value = write;
	if (!write) {
		bool peek = !redist && size == 4 && vgic_dist_peek(where, &peeked), own = alone(redist, where);

		read = redist ? vgic_redist_read(where, size) : vgic_dist_read(where, size);
		together(own);
		same(read, redist ? m_redist_read(where, size) : m_dist_read(where, size), redist ? "GICR" : "GICD", where);
		if (peek)
			same(peeked, read, "GICD, without the lock,", where);
		must(redist || peek == (size == 4 && (where == 4 || (where >= 0x104 && where < 0x120))), "what is read without the lock");
		return;
	}
	if (redist && where % 0x20000 / 8 == 0x10c00 / 8 && where / 0x20000 < n_cpus && open_to_choice(where / 0x20000, 16))
		return;
	if (!redist && where >= 0xc08 && where < 0xc40 && open_to_choice(0, (where & ~3u) % 0xc00 * 4))
		return;
	if (bits >= 0x300 && bits < 0x400 && size == 4 && (!redist || where / 0x20000 < n_cpus))
		v &= ~in_hand(where / 0x20000, redist ? 0 : bits % 0x80 / 4);
	if (!any(8))
		v = 0;
	if (!redist && size == 4 && vgic_dist_idle_write(where, (u32)v))
		must(!(u32)v && where >= 0x100 && where < 0x400, "a write is left out that does something");
	else
		must(redist || size != 4 || (u32)v || where < 0x100 || where >= 0x400, "a write is not left out");
	write_both(redist, where, size, v);
}

static void sgi(void)
{
	u64 v = (u64)any(16) << 24 | any(16) | (any(8) ? 0 : 1UL << 40);
	bool group1 = any(2);

	if (!any(4))
		v |= 1UL << any(64);
	same(vgic_sgi_targets(v), v >> 40 & 1 || v & 0xffff, "whether anybody is meant by SGI", (u32)v >> 24);
	spin_lock(&rules_lock); /* to whomever */
	vgic_sgi(cpus[me], v, group1);
	spin_unlock(&rules_lock);
	m_sgi(me, v, group1);
}

static void wire(unsigned irq, bool high)
{
	if (high && !at[me].ppi[irq].line && at[me].ppi[irq].edge)
		at[me].ppi[irq].latch = true;
	at[me].ppi[irq].line = high;
	m_set_line(m_irq(me, irq), high);
}

static void on(unsigned cpu)
{
	struct machine *c = &at[cpu];

	me = cpu;
	for (unsigned n = 0; n < 32; n++)
		c->ppi[n].enabled = c->ppi[n].active = false; /* gic_cpu_init() */
	for (unsigned n = 0; n < VGIC_MAX_LRS; n++)
		c->lr[n] = (u64)any(~0u) << 32 | any(~0u);
	c->hcr = c->vmcr = c->ap[0] = c->ap[1] = ~0UL;
	vgic_cpu_init(cpus[me]);
	must(c->hcr == (ICH_HCR | 1) && !c->ap[0] && !c->ap[1] && !(c->vmcr & 0xff000213),
	     "the guest's CPU interface does not begin as it should");
	for (unsigned n = 0; n < lrs; n++)
		must(!c->lr[n], "a list register begins with something in it");
	m_interface_reset(me);
	c->online = true;
	cpus[me]->work = WORK_VGIC;
}

static void off(void)
{
	struct machine *c = &at[me];
	unsigned others = 0;

	for (unsigned i = 0; i < n_cpus; i++)
		others += i != me && at[i].online;
	if (!others)
		return;
	for (unsigned n = 0; n < 32; n++)
		if (M_WIRED >> n & 1)
			wire(n, false); /* physical timers stop with their CPU */
	vgic_cpu_exit(cpus[me]);
	cpus[me]->work = 0;
	for (unsigned n = 0; n < 32; n++)
		must(!c->ppi[n].active, "left active by a CPU that goes");
	c->online = c->kicked = false;
	c->n = 0;
}

static void check(void)
{
	unsigned was = me;

	for (me = 0; me < n_cpus; me++) {
		struct machine *c = &at[me];

		if (!c->online)
			continue;
		last.waits = me << 16 | m_highest(me);
		same(c->ap[0], m.at[me].ap[0], "active priorities of group 0, CPU", me);
		same(c->ap[1], m.at[me].ap[1], "active priorities of group 1, CPU", me);
		if (m_signals(me))
			must(v_signals(), "an interrupt waits, and its CPU is not told");
		else /* a physical line has fallen unseen by EL2: the guest that asks is told */
			must(!v_signals() || (traps_now(false) && traps_now(true)), "a CPU is told of nothing");
		for (unsigned n = 0; n < 32; n++)
			if (M_WIRED >> n & 1)
				same(c->ppi[n].enabled, m_irq(me, n)->enabled, "physical enable of", n);
	}
	me = was;
}

static void step(void)
{
	static const u32 timers[] = { IRQ_PMU, IRQ_VTIMER, IRQ_PTIMER };
	u32 irq;

	for (unsigned i = 0; i < n_cpus; i++)
		at[i].kicks = 0;
	me = any(n_cpus);
	if (!at[me].online) {
		if (any(10))
			return;
		on(me);
		settle();
		return;
	}
	cpus[me]->frame.spsr_el2 = any(2) ? BIT(7) : 0;
	switch (any(14)) {
	case 0: case 1:
		irq = timers[any(3)];
		last.what = "physical";
		last.at = irq;
		wire(irq, any(2));
		break;
	case 2: case 3: case 4: take(any(2)); break;
	case 5: case 6: finish(); break;
	case 7: deactivate(); break;
	case 8:
		last.what = "sgi";
		if (any(6)) {
			sgi();
			break;
		}
		irq = any(2) ? any(16) : any(2) ? 48 + any(4) : 32 + any(224); /* the operator's `inject irq` */
		vgic_set_pending(cpus[me], irq);
		m_irq(me, irq)->latch = true;
		break;
	case 9:
		irq = any(3) ? 48 + any(4) : any(2) ? IRQ_UART : 64;
		last.what = "line";
		last.at = irq;
		last.value = any(2);
		vgic_set_level(irq, last.value);
		m_set_line(m_irq(0, irq), last.value);
		break;
	case 10: interface(); break;
	case 11:
		last.what = "off or WFI";
		if (!any(20)) {
			off();
			break;
		}
		vgic_flush(cpus[me]);
		must(!m_signals(me) || cpus[me]->vgic.waits, "WFI sleeps, and an interrupt waits");
		break;
	default: access();
	}
	settle();
	/* A guest that does not mask interrupts takes a signalled one before anything else. */
	if (at[me].online && !(cpus[me]->frame.spsr_el2 & BIT(7)) && v_signals()) {
		take(at[me].lr[v_highest()] >> 60 & 1);
		settle();
	}
	cpus[me]->frame.spsr_el2 = BIT(7);
}

int main(int argc, char **argv)
{
	static const unsigned sizes[] = { 4, 2, 1, 4, 16, 32 };
	u64 first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;

	for (seed = first; seed < first + n; seed++) {
		state = seed;
		lrs = sizes[seed % ARRAY_SIZE(sizes)];
		n_cpus = 1 + any(M_CPUS);
		vtr = (u64)any(0x7ffffff) << 5 | (lrs - 1);
		lrs = lrs < VGIC_MAX_LRS ? lrs : VGIC_MAX_LRS;
		memset(&vgic_dist, 0, sizeof(vgic_dist));
		memset(at, 0, sizeof(at));
		n_dropped = 0;
		m_reset(n_cpus);
		for (unsigned i = n_cpus; i--;) {
			cpus[i] = calloc(1, sizeof(struct cpu));
			cpus[i]->index = i;
			on(i);
		}
		write_both(false, 0, 4, 3);
		for (u32 where = 0xc00; where < 0xc40; where += 4)
			write_both(false, where, 4, some_value());
		for (unsigned i = 0; i < n_cpus; i++) {
			me = i;
			settle();
			at[i].vmcr = (at[i].vmcr & 0xffffff) | 0xf8000003;
			m.at[i].pmr = 0xf8;
			m.at[i].enabled[0] = m.at[i].enabled[1] = 1;
		}
		for (steps = 0; steps < 600; steps++) {
			step();
			check();
		}
		/*
		 * Everything deactivated and unpended, as by a driver that starts afresh: no interrupt may be left
		 * running.
		 */
		for (me = 0; me < n_cpus; me++)
			for (unsigned k = 0; k < 32 && at[me].online; k++)
				if (M_WIRED >> k & 1)
					wire(k, false);
		for (me = 0; me < n_cpus; me++)
			for (u32 where = 0x10180; where <= 0x10380 && at[me].online; where += 0x100)
				write_both(true, me * GICR_STRIDE + where, 4, ~0u);
		settle();
		for (unsigned i = 0; i < n_cpus; i++) {
			for (unsigned k = 0; k < 32; k++)
				must(!at[i].ppi[k].active, "left active after the guest has cleared all");
			free(cpus[i]);
		}
	}
	printf("taken=%lu ended=%lu traps=%lu compared=%lu\n", taken, ended, traps, compared);
	return 0;
}
