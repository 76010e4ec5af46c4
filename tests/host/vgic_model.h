/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GICv3 of IHI 0069 with one Security state, interrupt by interrupt and rule by rule: reads of every register, and
 * acknowledges of each CPU interface. It has no list registers and no EL2: hv/dev/vgic*.c has to agree with it.
 */
#include <string.h>

#define M_CPUS 3
#define M_IRQS 256
#define M_NONE 1023
#define M_WIRED (1u << 23 | 1u << 27 | 1u << 30) /* PMU, virtual timer, physical timer: the board drives their lines */

struct m_irq {
	bool enabled, latch, line, edge, active, group1;
	unsigned char priority, target;
};
struct m_interface {
	unsigned pmr, bpr[2], enabled[2]; /* ICC_PMR_EL1, BPRn, IGRPENn */
	unsigned ap[2];                   /* AP0R0, AP1R0: bit n is preemption level n of 32 */
	bool cbpr, eoimode;               /* ICC_CTLR_EL1 */
};
static struct {
	struct m_irq own[M_CPUS][32], shared[M_IRQS];
	struct m_interface at[M_CPUS];
	unsigned groups, waker[M_CPUS], cpus; /* groups: GICD_CTLR.EnableGrp0, EnableGrp1 */
} m;

static struct m_irq *m_irq(unsigned cpu, unsigned n)
{
	return n < 32 ? &m.own[cpu][n] : &m.shared[n];
}

static void m_reset(unsigned cpus)
{
	memset(&m, 0, sizeof(m));
	m.cpus = cpus;
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		m.waker[cpu] = 6;
		for (unsigned n = 0; n < 16; n++)
			m.own[cpu][n].edge = true;
	}
}

/* --- "Interrupt states": inactive, pending, active, active and pending ------------------------------------------- */

static bool m_pending(const struct m_irq *i)
{
	return i->latch || (i->line && !i->edge);
}
static void m_set_line(struct m_irq *i, bool high)
{
	if (high && !i->line && i->edge)
		i->latch = true;
	i->line = high;
}

/* --- the CPU interface ("Interrupt prioritization") -------------------------------------------------------------- */

static void m_interface_reset(unsigned cpu)
{
	m.at[cpu] = (struct m_interface){ .bpr = { 2, 3 } }; /* five bits of priority, five of them preempt */
}

/* The highest pending interrupt of the groups that are enabled in the distributor and here. */
static unsigned m_highest(unsigned cpu)
{
	unsigned best = M_NONE;

	for (unsigned n = M_IRQS; n--;) {
		const struct m_irq *i = m_irq(cpu, n);

		if (m_pending(i) && i->enabled && !i->active && m.groups >> i->group1 & 1 && m.at[cpu].enabled[i->group1] &&
		    (n < 32 || i->target == cpu) && (best == M_NONE || i->priority <= m_irq(cpu, best)->priority))
			best = n;
	}
	return best;
}
static unsigned m_running(unsigned cpu) /* ICC_RPR_EL1 */
{
	unsigned ap = m.at[cpu].ap[0] | m.at[cpu].ap[1];

	return ap ? (unsigned)__builtin_ctz(ap) << 3 : 0xff;
}
/* The group priority: a priority without its subpriority. */
static unsigned m_group_priority(unsigned cpu, bool group1, unsigned priority)
{
	static const unsigned char split[] = { 0xfe, 0xfc, 0xf8, 0xf0, 0xe0, 0xc0, 0x80, 0 }; /* by ICC_BPR0_EL1 */
	const struct m_interface *c = &m.at[cpu];

	return priority & split[group1 && !c->cbpr ? c->bpr[1] - 1 : c->bpr[0]];
}
/* Whether the CPU sees an IRQ or FIQ. */
static bool m_signals(unsigned cpu)
{
	unsigned n = m_highest(cpu), running = m_running(cpu);
	const struct m_irq *i = m_irq(cpu, n % M_IRQS);

	return n != M_NONE && i->priority < m.at[cpu].pmr &&
	       (running == 0xff ||
		m_group_priority(cpu, i->group1, i->priority) < m_group_priority(cpu, i->group1, running));
}
static unsigned m_hppir(unsigned cpu, bool group1)
{
	unsigned n = m_highest(cpu);

	return n != M_NONE && m_irq(cpu, n)->group1 == group1 ? n : M_NONE;
}
static unsigned m_iar(unsigned cpu, bool group1)
{
	unsigned n = m_hppir(cpu, group1);
	struct m_irq *i = m_irq(cpu, n % M_IRQS);

	if (n == M_NONE || !m_signals(cpu))
		return M_NONE;
	m.at[cpu].ap[group1] |= 1u << (m_group_priority(cpu, group1, i->priority) >> 3);
	i->latch = false;
	i->active = true;
	return n;
}
static void m_dir(unsigned cpu, unsigned n)
{
	if (m.at[cpu].eoimode)
		m_irq(cpu, n)->active = false;
}
static void m_eoir(unsigned cpu, bool group1, unsigned n)
{
	unsigned *ap = &m.at[cpu].ap[group1];

	*ap &= *ap - 1;
	if (!m.at[cpu].eoimode)
		m_irq(cpu, n)->active = false;
}
static unsigned m_read_bpr(unsigned cpu, bool group1)
{
	const struct m_interface *c = &m.at[cpu];

	return group1 && c->cbpr ? (c->bpr[0] < 7 ? c->bpr[0] + 1 : 7) : c->bpr[group1];
}
static void m_write_bpr(unsigned cpu, bool group1, unsigned v)
{
	struct m_interface *c = &m.at[cpu];

	v = v & 7;
	if (!group1 || !c->cbpr)
		c->bpr[group1] = v < 2u + group1 ? 2u + group1 : v; /* not below the minimum */
}

/* ICC_SGI0R_EL1 makes SGIs of group 0 alone, ICC_SGI1R_EL1 of group 1; ICC_ASGI1R_EL1, with one Security state, of group 0. */
static void m_sgi(unsigned cpu, unsigned long value, bool group1)
{
	bool all_others = value >> 40 & 1, cluster0 = !(value >> 48 & 0xff) && !(value >> 32 & 0xff) && !(value >> 16 & 0xff);
	unsigned n = value >> 24 & 0xf;

	for (unsigned to = 0; to < m.cpus; to++)
		if ((all_others ? to != cpu : cluster0 && !(value >> 44 & 0xf) && value >> to & 1) && m.own[to][n].group1 == group1)
			m.own[to][n].latch = true;
}

/* --- registers --------------------------------------------------------------------------------------------------- */

enum m_effect { M_IS, M_SETS, M_CLEARS };
enum m_field { M_GROUP, M_ENABLED, M_PENDING, M_ACTIVE };
/* A bit an interrupt, from this offset on in GICD, or in GICR's SGI frame. */
static const struct m_bits { unsigned from; enum m_field field; enum m_effect effect; } m_bits[] = {
	{ 0x080, M_GROUP, M_IS },
	{ 0x100, M_ENABLED, M_SETS }, { 0x180, M_ENABLED, M_CLEARS },
	{ 0x200, M_PENDING, M_SETS }, { 0x280, M_PENDING, M_CLEARS },
	{ 0x300, M_ACTIVE, M_SETS }, { 0x380, M_ACTIVE, M_CLEARS },
};
static const struct m_bits *m_bits_at(unsigned at)
{
	for (unsigned k = 0; k < sizeof(m_bits) / sizeof(m_bits[0]); k++)
		if (at >= m_bits[k].from && at < m_bits[k].from + 0x80)
			return &m_bits[k];
	return NULL;
}
static unsigned m_read_bits(unsigned cpu, unsigned word, const struct m_bits *r)
{
	unsigned v = 0;

	for (unsigned k = 0; k < 32; k++) {
		const struct m_irq *i = m_irq(cpu, word * 32 + k);
		const bool is[] = { i->group1, i->enabled, m_pending(i), i->active };

		v |= (unsigned)is[r->field] << k;
	}
	return v;
}
static void m_write_bits(unsigned cpu, unsigned word, const struct m_bits *r, unsigned v)
{
	for (unsigned k = 0; k < 32; k++) {
		struct m_irq *i = m_irq(cpu, word * 32 + k);
		bool *is[] = { &i->group1, &i->enabled, &i->latch, &i->active };

		if (r->effect == M_IS)
			*is[r->field] = v >> k & 1;
		else if (v >> k & 1)
			*is[r->field] = r->effect == M_SETS;
	}
}
static unsigned long m_read_priority(unsigned cpu, unsigned n, unsigned size)
{
	unsigned long v = 0;

	for (unsigned k = 0; k < size; k++)
		v |= (unsigned long)m_irq(cpu, n + k)->priority << 8 * k;
	return v;
}
static void m_write_priority(unsigned cpu, unsigned n, unsigned size, unsigned long v)
{
	for (unsigned k = 0; k < size; k++)
		m_irq(cpu, n + k)->priority = v >> 8 * k & 0xf8; /* 32 levels */
}
static unsigned m_read_config(unsigned cpu, unsigned n)
{
	unsigned v = 0;

	for (unsigned k = 0; k < 16; k++)
		v |= (m_irq(cpu, n + k)->edge ? 2u : 0) << 2 * k;
	return v;
}
static void m_write_config(unsigned cpu, unsigned n, unsigned v)
{
	for (unsigned k = 0; k < 16; k++)
		m_irq(cpu, n + k)->edge = v >> (2 * k + 1) & 1;
}

/* "Identification registers": PIDR4 to 7, PIDR0 to 3, CIDR; PIDR2 is the architecture's, the part number Arm's board's. */
static unsigned long m_identification(unsigned at, unsigned part)
{
	switch (at) {
	case 0xffd0: return 0x44;
	case 0xffe0: return part;
	case 0xffe4: return 0xb4;
	case 0xffe8: return 0x3b;                                      /* GICv3 */
	case 0xfff0: return 0x0d;
	case 0xfff4: return 0xf0;
	case 0xfff8: return 0x05;
	case 0xfffc: return 0xb1;
	}
	return 0;
}

/*
 * Frames. Accesses are aligned. Offsets without a meaning in IHI 0069 read as zero and ignore writes; a redistributor's
 * own registers ignore the width, which is UNPREDICTABLE.
 */
static unsigned long m_dist_read(unsigned at, unsigned size)
{
	if (at >= 0x400 && at < 0x400 + M_IRQS && size <= 4)
		return at < 0x420 ? 0 : m_read_priority(0, at - 0x400, size);
	if (at >= 0x6000 && at < 0x6000 + 8 * M_IRQS && size >= 4)
		return at < 0x6100 || at % 8 ? 0 : m.shared[(at - 0x6000) / 8].target;
	if (size != 4)
		return 0;
	if (at == 0)
		return m.groups | 1u << 4 | 1u << 6;                   /* ARE, DS; never RWP: a write is over when it ends */
	if (at == 4)
		return (M_IRQS / 32 - 1) | 15u << 19 | 1u << 25;       /* ITLinesNumber, IDbits, No1N */
	if (at == 8)
		return 0x43b;                                          /* Arm */
	if (m_bits_at(at))
		return at % 0x80 / 4 == 0 || at % 0x80 / 4 >= M_IRQS / 32 ? 0 : m_read_bits(0, at % 0x80 / 4, m_bits_at(at));
	if (at >= 0xc08 && at < 0xc00 + M_IRQS / 4)
		return m_read_config(0, (at - 0xc00) * 4);
	return m_identification(at, 0x92);
}

static void m_dist_write(unsigned at, unsigned size, unsigned long v)
{
	if (at >= 0x420 && at < 0x400 + M_IRQS && size <= 4) {
		m_write_priority(0, at - 0x400, size, v);
	} else if (at >= 0x6100 && at < 0x6000 + 8 * M_IRQS && size >= 4 && at % 8 == 0) {
		/* Aff3 to Aff1 are 0 here; one that is not there is UNPREDICTABLE; "any" is not offered, its bit is no affinity */
		m.shared[(at - 0x6000) / 8].target = v & 0xff00ffff00 || (v & 0xff) >= m.cpus ? 0 : v & 0xff;
	} else if (size == 4 && at == 0) {
		m.groups = v & 3;
	} else if (size == 4 && m_bits_at(at) && at % 0x80 / 4 > 0 && at % 0x80 / 4 < M_IRQS / 32) {
		m_write_bits(0, at % 0x80 / 4, m_bits_at(at), (unsigned)v);
	} else if (size == 4 && at >= 0xc08 && at < 0xc00 + M_IRQS / 4) {
		m_write_config(0, (at - 0xc00) * 4, (unsigned)v);
	}
}

static unsigned long m_redist_read(unsigned at, unsigned size)
{
	unsigned of = at / 0x20000;
	unsigned long typer;

	at %= 0x20000;
	if (of >= m.cpus)
		return 0;
	typer = (unsigned long)of << 32 | of << 8 | (of == m.cpus - 1 ? 1u << 4 : 0); /* affinity, number, Last */
	if (at >= 0x10000 && at < 0x10400 && at % 0x80 == 0 && size == 4 && m_bits_at(at - 0x10000))
		return m_read_bits(of, 0, m_bits_at(at - 0x10000));
	if (at >= 0x10400 && at < 0x10420 && size <= 4)
		return m_read_priority(of, at - 0x10400, size);
	switch (at) {
	case 0x0004: return 0x43b;
	case 0x0008: return size == 8 ? typer : typer & 0xffffffff;
	case 0x000c: return typer >> 32;
	case 0x0014: return m.waker[of];
	case 0x10c00: return m_read_config(of, 0);
	case 0x10c04: return m_read_config(of, 16);
	}
	return size == 4 ? m_identification(at, 0x93) : 0;
}

static void m_redist_write(unsigned at, unsigned size, unsigned long v)
{
	unsigned of = at / 0x20000;

	at %= 0x20000;
	if (of >= m.cpus)
		return;
	if (at >= 0x10000 && at < 0x10400 && at % 0x80 == 0 && size == 4 && m_bits_at(at - 0x10000))
		m_write_bits(of, 0, m_bits_at(at - 0x10000), (unsigned)v);
	else if (at >= 0x10400 && at < 0x10420 && size <= 4)
		m_write_priority(of, at - 0x10400, size, v);
	else if (at == 0x14)
		m.waker[of] = v & 2 ? 6 : 0;                           /* ProcessorSleep, ChildrenAsleep */
	else if (at == 0x10c04)
		m_write_config(of, 16, (unsigned)v);                   /* SGIs are edge-triggered for ever */
}
