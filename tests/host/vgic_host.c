/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/dev/vgic.c and hv/dev/vgic_regs.c on some CPUs, between a guest that does anything, devices and physical timers. Each step
 * goes to vgic_model.h as well: what is read, what stands in the list registers and what the board is told must be the
 * same. Besides, no physical interrupt is active with nobody to end it, and nobody waits for an interrupt that no CPU is
 * going to look for. argv: first seed, number of seeds.
 */
#include <stdio.h>
#include <stdlib.h>
#include "cpu/cpu.h"
#include "dev/vgic.h"
#include "board/gic.h"
#include "vgic_model.h"

#define STATE(v) ((v) >> 62)
#define UIE      2
#define ICH_HCR  0x4000 /* what the policy asks for */

u64 fake_now, fake_step;
struct cpu *cpus[MAX_CPUS];
unsigned n_cpus;
const struct trap_controls policy_traps = { .ich_hcr = ICH_HCR };

static u64 lr[M_CPUS][VGIC_MAX_LRS], hcr[M_CPUS], vtr, cleared; /* cleared: VMCR, AP0R, AP1R */
static u32 wired[M_CPUS], running[M_CPUS];
static bool kicked[M_CPUS], online[M_CPUS];
static unsigned kicks[M_CPUS]; /* in this step */
static unsigned me; /* the CPU that executes */
static unsigned long taken, ended, shown, compared;
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

/* --- the machine ------------------------------------------------------------------------------------------------- */

u64 gich_lr_read(unsigned n) { must(n < m.lrs, "a list register that is not there"); return lr[me][n]; }
void gich_lr_write(unsigned n, u64 value) { must(n < m.lrs, "a list register that is not there"); lr[me][n] = value; }

/* EISR: ended, EOI asked for; ELRSR: empty, and no EOI to tell. */
static u64 empty(unsigned cpu, bool eisr)
{
	u64 v = 0;

	for (unsigned n = 0; n < m.lrs; n++)
		if (!STATE(lr[cpu][n]) && (lr[cpu][n] >> 41 & 1 && !(lr[cpu][n] >> 61 & 1)) == eisr)
			v |= BIT(n);
	return v;
}
u64 fake_sysreg_read(const char *name)
{
	if (!strcmp(name, "tpidr_el2"))
		return (u64)cpus[me];
	if (!strcmp(name, "ich_vtr_el2"))
		return vtr;
	must(!strcmp(name, "ich_eisr_el2") || !strcmp(name, "ich_elrsr_el2"), "a register that is not read");
	return empty(me, !strcmp(name, "ich_eisr_el2"));
}
void fake_sysreg_write(const char *name, u64 value)
{
	if (!strcmp(name, "ich_hcr_el2")) {
		hcr[me] = value;
		return;
	}
	must(!value, "the guest's CPU interface begins with something in it");
	cleared += !strcmp(name, "ich_vmcr_el2") || !strcmp(name, "ich_ap0r0_el2") || !strcmp(name, "ich_ap1r0_el2");
}
void gic_deactivate(u32 irq)
{
	must(irq < 32 && running[me] >> irq & 1, "deactivated what is not active");
	running[me] &= ~(1u << irq);
	ended++;
}
void gic_enable(u32 cpu, u32 irq, bool on)
{
	must(cpu < n_cpus && irq < 32, "enabled what is not there");
	wired[cpu] = (wired[cpu] & ~(1u << irq)) | (u32)on << irq;
}
void gic_send_sgi(u32 cpu, u32 irq)
{
	must(cpu < n_cpus && cpu != me && irq == SGI_KICK, "kick");
	kicked[cpu] = true;
	must(++kicks[cpu] <= 2, "a CPU is told again and again");
}

/* Its maintenance interrupt: one has ended that was to tell, or at most one is left while others wait. */
static bool maintenance(unsigned cpu)
{
	unsigned valid = 0;

	for (unsigned n = 0; n < m.lrs; n++)
		valid += STATE(lr[cpu][n]) != 0;
	return empty(cpu, true) || (hcr[cpu] & UIE && valid <= 1);
}

/* The guest takes what is pending, or ends what is active. */
static void guest(void)
{
	unsigned n = any(m.lrs);
	u64 *v = &lr[me][n];
	struct m_irq *i = m_irq(me, (u32)*v & 0xff);

	if (STATE(*v) == 1) {
		last.at = (u32)*v & 0xff;
		*v ^= 3UL << 62;
		i->lr_pending = false;
		i->lr_active = true;
		taken++;
	} else if (STATE(*v) >= 2) {
		last.at = (u32)*v & 0xff;
		*v &= ~(2UL << 62);
		i->lr_active = false;
		if (*v >> 61 & 1) {
			gic_deactivate((u32)(*v >> 32 & 0x3ff));
			m_deactivate(me, (u32)*v & 0xff);
		}
	}
}

/* --- comparing --------------------------------------------------------------------------------------------------- */

static void check_shown(unsigned cpu)
{
	unsigned held = 0;

	for (unsigned n = 0; n < m.lrs; n++) {
		u64 v = lr[cpu][n], want;
		u32 irq = (u32)v & 0xffff;
		const struct m_irq *i = irq < M_IRQS ? m_irq(cpu, irq) : NULL;

		if (!STATE(v))
			continue;
		held++;
		must(irq < M_IRQS && !(v >> 32 & 0x1c00) && m_held(i, cpu), "shown, and the model does not show it");
		want = (u64)(i->lr_active << 1 | i->lr_pending) << 62 | (u64)i->lr_hw << 61 | (u64)i->lr_group1 << 60 |
		       (u64)i->lr_priority << 48 | (i->lr_hw ? (u64)irq << 32 : (u64)i->lr_eoi << 41) | irq;
		same(v, want, "list register of interrupt", irq);
	}
	same(held, m_used(cpu), "list registers in use by CPU", cpu);
}

/* As EL2 does before the guest goes on. */
static void go_on(struct cpu *c)
{
	bool room;

	if (!(c->work & WORK_VGIC))
		return;
	c->work = 0;
	vgic_flush(c);
	room = m_show(me);
	must(!empty(me, true), "the maintenance interrupt stays up");
	same(hcr[me], ICH_HCR | 1 | (room || m.lrs == 1 ? 0 : UIE), "ICH_HCR_EL2 of CPU", me);
	check_shown(me);
	shown++;
}

/* Whoever is to be shown something is on the way into EL2, or will be when there is room. */
static void check_attended(unsigned cpu)
{
	if (!online[cpu] || cpus[cpu]->work & WORK_VGIC || kicked[cpu] || maintenance(cpu))
		return;
	last.waits = cpu << 16 | m_best(cpu);
	/* Underflow tells when nearly all are done with. No CPU of ours has a single list register; there it may be late. */
	must(m_best(cpu) == M_IRQS || hcr[cpu] & UIE || m.lrs == 1, "an interrupt waits, and nobody looks");
	for (unsigned n = 0; n < M_IRQS; n++) {
		const struct m_irq *i = m_irq(cpu, n);
		int h = i->holder;

		must(!m_adds(cpu, n), "an interrupt is pending once more, and nobody looks");
		/* Done with by the guest of another CPU that was its target: the maintenance interrupt there is to tell. */
		if (n >= 32 && m.target[n] == cpu && h >= 0 && h != (int)cpu && !i->lr_pending && !i->lr_active && m_waits(i) &&
		    i->enabled)
			must(kicked[h] || maintenance((unsigned)h), "an interrupt has moved, and nobody looks");
	}
}

static void check(void)
{
	for (unsigned cpu = 0; cpu < n_cpus; cpu++) {
		u32 known = 0;

		check_attended(cpu);
		if (!online[cpu])
			continue;
		for (unsigned n = 0; n < 32; n++) {
			const struct m_irq *i = &m.own[cpu][n];

			known |= (u32)(i->physical || (i->lr_hw && (i->lr_pending || i->lr_active) && i->holder >= 0)) << n;
		}
		same(running[cpu], m.running[cpu], "physical interrupts active on CPU", cpu);
		same(running[cpu], known, "physical interrupts that somebody will end on CPU", cpu);
		same(wired[cpu], m.wired[cpu], "physical interrupts enabled on CPU", cpu);
	}
}

/* --- the guest's accesses ---------------------------------------------------------------------------------------- */

/* Where there is something, mostly. */
static u32 some_register(bool redist)
{
	static const u32 bits[] = { 0x080, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380 };
	u32 frame = any(n_cpus + any(2)) * 0x20000;

	switch (any(12)) {
	case 0: return redist ? frame + any(0x20000) : any(0x10000);
	case 1: return redist ? frame + any(8) * 4 : any(3) * 4;
	case 2: return redist ? frame + 0x10400 + any(40) : 0x400 + any(0x120);
	case 3: return redist ? frame + 0x10c00 + any(3) * 4 : 0xc00 + any(0x44);
	case 4: return redist ? frame + 0xffe8 : any(8) ? 0x6000 + 8 * (any(3) ? 48 + any(4) : any(3) ? 32 + any(2) : 255 + any(2)) : any(2) ? 0xffe8 : 0x6000 + any(0x900);
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

static void write_both(bool redist, u32 at, unsigned size, u64 v)
{
	if (redist) {
		vgic_redist_write(at, size, v);
		m_redist_write(me, at, size, v);
	} else {
		vgic_dist_write(cpus[me], at, size, v);
		m_dist_write(me, at, size, v);
	}
}

/* What the architecture leaves open: the configuration of an interrupt that is enabled, or active. */
static bool open_to_choice(unsigned cpu, unsigned first)
{
	for (unsigned n = first; n < first + 16; n++) {
		const struct m_irq *i = m_irq(cpu, n);

		if (i->enabled || i->holder >= 0)
			return true;
	}
	return false;
}

static void access(struct cpu *c)
{
	bool redist = any(2), write = any(2);
	unsigned size = any(4) ? 4 : 1u << any(4);
	u32 at = some_register(redist) & ~(size - 1);
	u64 v = some_value(), peeked = 0, read;

	if (!redist && at >= 0x6000 && any(4))
		v = any(n_cpus) | (any(4) ? 0 : any(2) ? 1UL << any(40) : 1UL << 31);
	if (!redist && at == 0)
		v = any(3) ? 3 : any(8);
	last.what = redist ? "GICR" : "GICD";
	last.at = at;
	last.value = write;
	if (!write) {
		bool peek = !redist && size == 4 && vgic_dist_peek(at, &peeked);

		read = redist ? vgic_redist_read(at, size) : vgic_dist_read(c, at, size);
		same(read, redist ? m_redist_read(me, at, size) : m_dist_read(me, at, size), redist ? "GICR" : "GICD", at);
		if (peek)
			same(peeked, read, "GICD, without the lock,", at);
		must(redist || peek == (size == 4 && (at == 4 || (at >= 0x104 && at < 0x120))), "what is read without the lock");
		return;
	}
	if (redist && at % 0x20000 / 8 == 0x10c00 / 8 && at / 0x20000 < n_cpus && open_to_choice(at / 0x20000, 16))
		return;
	if (!redist && at >= 0xc08 && at < 0xc40 && open_to_choice(0, (at & ~3u) % 0xc00 * 4))
		return;
	if (!any(8))
		v = 0;
	if (!redist && size == 4 && vgic_dist_idle_write(at, (u32)v))
		must(!(u32)v && at >= 0x100 && at < 0x400, "a write is left out that does something");
	else
		must(redist || size != 4 || (u32)v || at < 0x100 || at >= 0x400, "a write is not left out");
	write_both(redist, at, size, v);
}

static void sgi(struct cpu *c)
{
	u64 v = (u64)any(16) << 24 | any(16) | (any(8) ? 0 : 1UL << 40);

	if (!any(4))
		v |= 1UL << any(64);
	same(vgic_sgi_targets(v), v >> 40 & 1 || v & 0xffff, "whether anybody is meant by SGI", (u32)v >> 24);
	vgic_sgi(c, v);
	m_sgi(me, v);
}

static void off(struct cpu *c)
{
	unsigned others = 0;

	for (unsigned i = 0; i < n_cpus; i++)
		others += i != me && online[i];
	if (!others)
		return;
	vgic_cpu_exit(c);
	c->work = 0;
	m_cpu_exit(me);
	for (unsigned n = 0; n < m.lrs; n++)
		must(!lr[me][n], "left in a list register");
	online[me] = kicked[me] = false;
	running[me] = m.running[me] = 0;
}

static void on(unsigned cpu)
{
	me = cpu;
	wired[me] = running[me] = 0; /* gic_cpu_init() */
	for (unsigned n = 0; n < VGIC_MAX_LRS; n++)
		lr[me][n] = (u64)any(~0u) << 32 | any(~0u);
	cleared = hcr[me] = 0;
	vgic_cpu_init(cpus[me]);
	must(cleared == 3 && hcr[me] == (ICH_HCR | 1), "the guest's CPU interface does not begin as it should");
	for (unsigned n = 0; n < m.lrs; n++)
		must(!lr[me][n], "a list register begins with something in it");
	m_cpu_init(me);
	online[me] = true;
	cpus[me]->work = WORK_VGIC;
}

static void step(void)
{
	static const u32 timers[] = { IRQ_PMU, IRQ_VTIMER, IRQ_PTIMER };
	struct cpu *c;
	u32 irq;

	memset(kicks, 0, sizeof(kicks));
	me = any(n_cpus);
	c = cpus[me];
	if (!online[me]) {
		if (any(10))
			return;
		on(me);
		c = cpus[me];
	}
	if (kicked[me] && any(3)) {
		kicked[me] = false;
		c->work |= WORK_VGIC;
	}
	if (maintenance(me) && any(3)) {
		vgic_maintenance(c);
		m_look(me);
		must(!empty(me, true), "the maintenance interrupt is not heard");
		go_on(c);
		must(!maintenance(me) || m.lrs == 1, "the maintenance interrupt stays up");
	}
	go_on(c);
	switch (any(10)) {
	case 0: case 1:
		irq = timers[any(3)];
		if (running[me] >> irq & 1 || !(wired[me] >> irq & 1))
			break;
		last.what = "physical";
		last.at = irq;
		running[me] |= 1u << irq;
		vgic_physical(c, irq);
		m_physical(me, irq);
		break;
	case 2: case 3: last.what = "guest"; last.at = ~0UL; guest(); break;
	case 4:
		last.what = "sgi";
		if (any(6)) {
			sgi(c);
			break;
		}
		irq = any(2) ? any(16) : any(2) ? 48 + any(4) : 32 + any(224); /* the operator's */
		vgic_set_pending(c, irq);
		m_irq(me, irq)->latch = true;
		break;
	case 5:
		irq = any(3) ? 48 + any(4) : any(2) ? IRQ_UART : 64;
		last.what = "line";
		last.at = irq;
		last.value = state >> 40 & 1;
		vgic_set_level(irq, state >> 40 & 1);
		m_line(me, irq, state >> 40 & 1);
		break;
	case 6:
		last.what = "off or WFI";
		if (!any(10)) {
			off(c);
			break;
		}
		vgic_sync(c);
		must(!c->work || m_waiting(me), "WFI does not sleep, for nothing");
		same(vgic_pending(c), m_wakes(me), "whether WFI sleeps, CPU", me);
		break;
	default: access(c);
	}
	go_on(c);
}

int main(int argc, char **argv)
{
	static const unsigned sizes[] = { 4, 2, 1, 4, 16, 32 };
	u64 first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;

	for (unsigned i = 0; i < M_CPUS; i++)
		cpus[i] = calloc(1, sizeof(struct cpu));
	for (seed = first; seed < first + n; seed++) {
		unsigned lrs = sizes[seed % ARRAY_SIZE(sizes)];

		state = seed;
		n_cpus = 1 + any(M_CPUS);
		vtr = (u64)any(0x7ffffff) << 5 | (lrs - 1);
		memset(&vgic_dist, 0, sizeof(vgic_dist));
		m_reset(n_cpus, lrs < VGIC_MAX_LRS ? lrs : VGIC_MAX_LRS);
		memset(kicked, 0, sizeof(kicked));
		for (unsigned i = n_cpus; i--;) {
			cpus[i]->index = i;
			on(i);
		}
		write_both(false, 0, 4, 3);
		for (u32 at = 0xc00; at < 0xc40; at += 4)
			write_both(false, at, 4, some_value());
		for (steps = 0; steps < 600; steps++) {
			step();
			check();
		}
		/* Everything deactivated and unpended, as a driver does that starts afresh: nothing may be left running. */
		for (me = 0; me < n_cpus; me++)
			for (u32 at = 0x10180; at <= 0x10380 && online[me]; at += 0x100)
				vgic_redist_write(me * GICR_STRIDE + at, 4, ~0u);
		for (unsigned i = 0; i < n_cpus; i++)
			must(!running[i], "left active after the guest has cleared all");
	}
	printf("taken=%lu ended=%lu shown=%lu compared=%lu\n", taken, ended, shown, compared);
	return 0;
}
