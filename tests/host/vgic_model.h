/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second telling of the guest's GICv3 (IHI 0069), interrupt by interrupt: what each register reads, and which
 * interrupts a CPU is shown. hv/ has banks of 32 and never looks here; where the two differ, one of them is wrong.
 *
 * Two things are EL2's choice and told as it has them. An interrupt in a list register is in that CPU's hands: another
 * CPU can neither withdraw nor deactivate it, sees an SPI as neither pending nor active, and a PPI as active. And EL2
 * looks at a CPU's list registers when that CPU asks for pending or active state, waits, or is shown interrupts.
 */
#include <string.h>

#define M_CPUS 3
#define M_IRQS 256

struct m_irq {
	bool enabled, group1, edge, latch, line, active;
	bool physical;          /* the pending state is that of the board's interrupt, which is active there */
	unsigned char priority;
	int holder;             /* in a list register of this CPU, as far as EL2 knows; -1: none */
	bool lr_pending, lr_active, lr_hw, lr_eoi, lr_group1;
	unsigned char lr_priority;
};
static struct {
	struct m_irq own[M_CPUS][32], shared[M_IRQS];
	unsigned target[M_IRQS], groups, waker[M_CPUS], cpus, lrs;
	unsigned wired[M_CPUS]; /* PPIs that the board may raise */
	unsigned running[M_CPUS]; /* ... raised and not deactivated */
} m;

#define M_PPIS (1u << 23 | 1u << 27 | 1u << 30) /* PMU, virtual timer, physical timer */

static struct m_irq *m_irq(unsigned cpu, unsigned n)
{
	return n < 32 ? &m.own[cpu][n] : &m.shared[n];
}
static bool m_waits(const struct m_irq *i)
{
	return i->latch || (i->line && !i->edge);
}
static bool m_held(const struct m_irq *i, unsigned cpu)
{
	return i->holder == (int)cpu;
}
static void m_deactivate(unsigned cpu, unsigned n)
{
	m.running[cpu] &= ~(1u << n);
}

/* What the guest has finished with is nobody's any more. */
static void m_look(unsigned cpu)
{
	for (unsigned n = 0; n < M_IRQS; n++) {
		struct m_irq *i = m_irq(cpu, n);

		if (m_held(i, cpu) && !i->lr_pending && !i->lr_active)
			i->holder = -1;
	}
}

static void m_cpu_init(unsigned cpu)
{
	memset(m.own[cpu], 0, sizeof(m.own[cpu]));
	for (unsigned n = 0; n < 32; n++) {
		m.own[cpu][n].edge = n < 16;
		m.own[cpu][n].holder = -1;
	}
	m.waker[cpu] = 6;
	m.wired[cpu] = m.running[cpu] = 0;
}

static void m_reset(unsigned cpus, unsigned lrs)
{
	memset(&m, 0, sizeof(m));
	m.cpus = cpus;
	m.lrs = lrs;
	for (unsigned n = 32; n < M_IRQS; n++)
		m.shared[n].holder = -1;
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		m_cpu_init(cpu);
}

/* Pending, but not for now: the list register gives it back. */
static void m_take_back(struct m_irq *i)
{
	if (i->lr_pending && !(i->line && !i->edge))
		i->latch = true;
	if (i->lr_pending && !i->lr_active && i->lr_hw)
		i->physical = true;
	i->lr_pending = false;
}

static void m_cpu_exit(unsigned cpu)
{
	m_look(cpu);
	for (unsigned n = 0; n < M_IRQS; n++) {
		struct m_irq *i = m_irq(cpu, n);

		if (!m_held(i, cpu))
			continue;
		if (i->lr_pending && !(i->line && !i->edge))
			i->latch = true; /* an SPI may get another target */
		i->lr_pending = i->lr_active = false;
		i->holder = -1;
	}
}

/* --- which interrupts a CPU is shown ---------------------------------------------------------------------------- */

static bool m_candidate(unsigned cpu, unsigned n)
{
	const struct m_irq *i = m_irq(cpu, n);

	return m_waits(i) && i->enabled && !i->active && i->holder < 0 && m.groups >> i->group1 & 1 &&
	       (n < 32 || m.target[n] == cpu);
}
static unsigned m_best(unsigned cpu) /* M_IRQS: none */
{
	unsigned best = M_IRQS;

	for (unsigned n = M_IRQS; n--;)
		if (m_candidate(cpu, n) && (best == M_IRQS || m_irq(cpu, n)->priority <= m_irq(cpu, best)->priority))
			best = n;
	return best;
}
static unsigned m_used(unsigned cpu)
{
	unsigned used = 0;

	for (unsigned n = 0; n < M_IRQS; n++)
		used += m_held(m_irq(cpu, n), cpu);
	return used;
}

/* Pending once more while it is shown: told by the same list register, but for a board's interrupt, and one that moved. */
static bool m_adds(unsigned cpu, unsigned n)
{
	const struct m_irq *i = m_irq(cpu, n);

	return m_held(i, cpu) && (i->lr_pending || i->lr_active) && i->latch && i->enabled && !i->lr_hw && !i->physical &&
	       (n < 32 || m.target[n] == cpu);
}

static bool m_show(unsigned cpu) /* false: some found no room */
{
	m_look(cpu);
	for (unsigned n = 0; n < M_IRQS; n++) {
		struct m_irq *i = m_irq(cpu, n);

		if (m_adds(cpu, n)) {
			i->latch = false;
			i->lr_pending = true;
		}
		if (m_held(i, cpu) && !i->lr_hw && ((i->line && !i->edge) || (n >= 32 && m.target[n] != cpu)))
			i->lr_eoi = true; /* its line is to be looked at again; its end concerns another CPU */
	}
	for (;;) {
		unsigned n = m_best(cpu);
		struct m_irq *i = m_irq(cpu, n % M_IRQS);

		if (n == M_IRQS)
			return true;
		if (m_used(cpu) == m.lrs)
			return false;
		i->lr_hw = i->physical;
		i->lr_eoi = !i->physical && i->line && !i->edge;
		i->lr_group1 = i->group1;
		i->lr_priority = i->priority;
		i->lr_pending = true;
		i->holder = (int)cpu;
		i->latch = i->physical = false;
	}
}

/* What the guest's WFI must not sleep through. */
static bool m_wakes(unsigned cpu)
{
	m_look(cpu);
	for (unsigned n = 0; n < M_IRQS; n++)
		if (m_candidate(cpu, n) || (m_held(m_irq(cpu, n), cpu) && m_irq(cpu, n)->lr_pending))
			return true;
	return false;
}

/* Anything at all, enabled or not, for anybody. */
static bool m_waiting(unsigned cpu)
{
	bool some = false;

	for (unsigned n = 0; n < M_IRQS; n++)
		some = some || m_irq(cpu, n)->latch || m_irq(cpu, n)->line;
	return some;
}

/* --- what happens ------------------------------------------------------------------------------------------------ */

static void m_physical(unsigned cpu, unsigned n)
{
	m.running[cpu] |= 1u << n;
	m.own[cpu][n].latch = m.own[cpu][n].physical = true;
}

static void m_line(unsigned cpu, unsigned n, bool high)
{
	struct m_irq *i = &m.shared[n];

	if (high && !i->line && i->edge)
		i->latch = true;
	if (!high && i->line && !i->edge && m.target[n] == cpu && m_held(i, cpu))
		i->lr_pending = false;
	i->line = high;
}

static void m_sgi(unsigned cpu, unsigned long value)
{
	bool all_others = value >> 40 & 1, cluster0 = !(value >> 48 & 0xff) && !(value >> 32 & 0xff) && !(value >> 16 & 0xff);

	for (unsigned to = 0; to < m.cpus; to++)
		if (all_others ? to != cpu : cluster0 && !(value >> 44 & 0xf) && value >> to & 1)
			m.own[to][value >> 24 & 0xf].latch = true;
}

/* --- registers --------------------------------------------------------------------------------------------------- */

enum m_bit { M_GROUP, M_SET_ENABLE, M_CLEAR_ENABLE, M_SET_PENDING, M_CLEAR_PENDING, M_SET_ACTIVE, M_CLEAR_ACTIVE, M_NONE };

/* The register of a bit an interrupt that stands at `offset` of 0x080 to 0x3ff. */
static enum m_bit m_bit(unsigned offset)
{
	static const struct { unsigned from; enum m_bit bit; } at[] = {
		{ 0x380, M_CLEAR_ACTIVE }, { 0x300, M_SET_ACTIVE }, { 0x280, M_CLEAR_PENDING }, { 0x200, M_SET_PENDING },
		{ 0x180, M_CLEAR_ENABLE }, { 0x100, M_SET_ENABLE }, { 0x080, M_GROUP },
	};

	for (unsigned k = 0; k < sizeof(at) / sizeof(at[0]) && offset < 0x400; k++)
		if (offset >= at[k].from)
			return at[k].bit;
	return M_NONE;
}

static bool m_read_bit(unsigned asking, unsigned cpu, unsigned n, enum m_bit bit)
{
	const struct m_irq *i = m_irq(cpu, n);

	switch (bit) {
	case M_GROUP: return i->group1;
	case M_SET_ENABLE: case M_CLEAR_ENABLE: return i->enabled;
	case M_SET_PENDING: case M_CLEAR_PENDING: return m_waits(i) || (m_held(i, asking) && i->lr_pending);
	case M_SET_ACTIVE: case M_CLEAR_ACTIVE:
		return i->active || (m_held(i, asking) ? i->lr_active : n < 32 && cpu != asking && i->holder >= 0);
	case M_NONE: break;
	}
	return false;
}

static void m_write_bit(unsigned asking, unsigned cpu, unsigned n, enum m_bit bit)
{
	struct m_irq *i = m_irq(cpu, n);
	bool mine = m_held(i, asking);

	switch (bit) {
	case M_GROUP: break; /* not a bit that sets or clears: see m_write_word() */
	case M_SET_ENABLE:
		i->enabled = true;
		break;
	case M_CLEAR_ENABLE:
		if (mine)
			m_take_back(i);
		i->enabled = false;
		break;
	case M_SET_PENDING:
		i->latch = true;
		break;
	case M_CLEAR_PENDING:
		if (i->physical && cpu != asking)
			break; /* only that CPU can tell the board */
		if (i->physical)
			m_deactivate(cpu, n);
		if (mine && i->lr_pending && !i->lr_active && i->lr_hw)
			m_deactivate(cpu, n);
		if (mine)
			i->lr_pending = false;
		i->latch = i->physical = false;
		break;
	case M_SET_ACTIVE:
		if (i->holder < 0)
			i->active = true;
		break;
	case M_CLEAR_ACTIVE:
		if (mine && i->lr_active && i->lr_hw)
			m_deactivate(cpu, n);
		if (mine)
			i->lr_active = false;
		i->active = false;
		break;
	case M_NONE: break;
	}
	if (n < 32 && M_PPIS >> n & 1)
		m.wired[cpu] = (m.wired[cpu] & ~(1u << n)) | (unsigned)i->enabled << n;
}

static unsigned m_read_word(unsigned asking, unsigned cpu, unsigned word, enum m_bit bit)
{
	unsigned v = 0;

	if (bit >= M_SET_PENDING && (cpu == asking || word))
		m_look(asking);
	for (unsigned k = 0; k < 32; k++)
		v |= (unsigned)m_read_bit(asking, cpu, word * 32 + k, bit) << k;
	return v;
}
static void m_write_word(unsigned asking, unsigned cpu, unsigned word, enum m_bit bit, unsigned v)
{
	if (bit == M_SET_ACTIVE && (cpu == asking || word))
		m_look(asking);
	for (unsigned k = 0; k < 32; k++)
		if (bit == M_GROUP)
			m_irq(cpu, word * 32 + k)->group1 = v >> k & 1;
		else if (v >> k & 1)
			m_write_bit(asking, cpu, word * 32 + k, bit);
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

/*
 * Frames. Accesses are aligned. What IHI 0069 gives no meaning reads as zero and ignores writes; a redistributor's
 * registers of its own do not look at the width, which is UNPREDICTABLE.
 */
static unsigned long m_dist_read(unsigned cpu, unsigned at, unsigned size)
{
	if (at >= 0x400 && at < 0x400 + M_IRQS && size <= 4)
		return at < 0x420 ? 0 : m_read_priority(0, at - 0x400, size);
	if (at >= 0x6000 && at < 0x6000 + 8 * M_IRQS && size >= 4)
		return at < 0x6100 || at % 8 ? 0 : m.target[(at - 0x6000) / 8];
	if (size != 4)
		return 0;
	if (at == 0)
		return m.groups | 1u << 4 | 1u << 6;                   /* ARE, DS */
	if (at == 4)
		return (M_IRQS / 32 - 1) | 15u << 19 | 1u << 25;       /* ITLinesNumber, IDbits, No1N */
	if (at == 8)
		return 0x43b;                                          /* Arm */
	if (at == 0xffe8)
		return 0x3b;                                           /* GICv3 */
	if (m_bit(at) != M_NONE)
		return at % 0x80 / 4 == 0 || at % 0x80 / 4 >= M_IRQS / 32 ? 0 : m_read_word(cpu, cpu, at % 0x80 / 4, m_bit(at));
	if (at >= 0xc08 && at < 0xc00 + M_IRQS / 4)
		return m_read_config(0, (at - 0xc00) * 4);
	return 0;
}

static void m_dist_write(unsigned cpu, unsigned at, unsigned size, unsigned long v)
{
	if (at >= 0x420 && at < 0x400 + M_IRQS && size <= 4) {
		m_write_priority(0, at - 0x400, size, v);
	} else if (at >= 0x6100 && at < 0x6000 + 8 * M_IRQS && size >= 4) {
		unsigned n = (at - 0x6000) / 8;

		if (at % 8)
			return;
		if (m.target[n] == cpu && m_held(&m.shared[n], cpu))
			m_take_back(&m.shared[n]);
		/* Aff3 to Aff1 are 0 here; one that is not there is UNPREDICTABLE; "any" is not offered, its bit is no affinity */
		m.target[n] = v & 0xff00ffff00 || (v & 0xff) >= m.cpus ? 0 : (unsigned)v & 0xff;
	} else if (size == 4 && at == 0) {
		m.groups = v & 3;
	} else if (size == 4 && m_bit(at) != M_NONE && at % 0x80 / 4 > 0 && at % 0x80 / 4 < M_IRQS / 32) {
		m_write_word(cpu, cpu, at % 0x80 / 4, m_bit(at), (unsigned)v);
	} else if (size == 4 && at >= 0xc08 && at < 0xc00 + M_IRQS / 4) {
		m_write_config(0, (at - 0xc00) * 4, (unsigned)v);
	}
}

static unsigned long m_redist_read(unsigned cpu, unsigned at, unsigned size)
{
	unsigned of = at / 0x20000;
	unsigned long typer;

	at %= 0x20000;
	if (of >= m.cpus)
		return 0;
	typer = (unsigned long)of << 32 | of << 8 | (of == m.cpus - 1 ? 1u << 4 : 0); /* affinity, number, Last */
	if (at >= 0x10000 && at < 0x10400 && at % 0x80 == 0 && size == 4 && m_bit(at - 0x10000) != M_NONE)
		return m_read_word(cpu, of, 0, m_bit(at - 0x10000));
	if (at >= 0x10400 && at < 0x10420 && size <= 4)
		return m_read_priority(of, at - 0x10400, size);
	switch (at) {
	case 0x0004: return 0x43b;
	case 0x0008: return size == 8 ? typer : typer & 0xffffffff;
	case 0x000c: return typer >> 32;
	case 0x0014: return m.waker[of];
	case 0xffe8: return 0x3b;
	case 0x10c00: return m_read_config(of, 0);
	case 0x10c04: return m_read_config(of, 16);
	}
	return 0;
}

static void m_redist_write(unsigned cpu, unsigned at, unsigned size, unsigned long v)
{
	unsigned of = at / 0x20000;

	at %= 0x20000;
	if (of >= m.cpus)
		return;
	if (at >= 0x10000 && at < 0x10400 && at % 0x80 == 0 && size == 4 && m_bit(at - 0x10000) != M_NONE)
		m_write_word(cpu, of, 0, m_bit(at - 0x10000), (unsigned)v);
	else if (at >= 0x10400 && at < 0x10420 && size <= 4)
		m_write_priority(of, at - 0x10400, size, v);
	else if (at == 0x14)
		m.waker[of] = v & 2 ? 6 : 0;                           /* ProcessorSleep, ChildrenAsleep */
	else if (at == 0x10c04)
		m_write_config(of, 16, (unsigned)v);                   /* SGIs are edge-triggered for ever */
}
