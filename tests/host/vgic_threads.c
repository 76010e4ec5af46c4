/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/dev/vgic*.c with a thread for each CPU, under ThreadSanitizer: a CPU's SGIs, PPIs and redistributor, which take no
 * lock, while other CPUs access them, send SGIs, route SPIs, change groups, and CPUs go off and on. At the end nothing
 * that a guest could take is left behind. Accesses to volatile members are not judged. argv: seed, steps of each CPU.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "board/board.h"
#include "board/gic.h"
#include "cpu/locks.h"
#include "dev/vgic_state.h"

#define CPUS  4
#define LRS   16
#define SPI   40 /* ... to SPI + CPUS: each has one CPU as the driver of its line */
#define SGIS  0xfu
#define PATIENCE 30000

u64 fake_now, fake_step;
struct cpu *cpus[MAX_CPUS];
unsigned n_cpus = CPUS;
const struct trap_controls policy_traps;

static struct machine {
	u64 lr[LRS], hcr, state;
	u32 kicked, line, active; /* atomic */
	unsigned long taken, offs;
} at[CPUS];
static __thread unsigned me, relaxed; /* relaxed: in this step */
static unsigned long steps;
static u32 busy_cpus = CPUS;

/* gcc's --param tsan-distinguish-volatile=1 */
#define SEEN(n)                                                                                                         \
	void __tsan_volatile_read##n(void *p) { (void)p; }                                                              \
	void __tsan_volatile_write##n(void *p) { (void)p; }
SEEN(1) SEEN(2) SEEN(4) SEEN(8)

static u32 any(u32 n)
{
	u64 *s = &at[me].state;

	*s = *s * 6364136223846793005UL + 1442695040888963407UL;
	return (u32)(*s >> 33) % n;
}

u64 fake_sysreg_read(const char *name)
{
	if (!strcmp(name, "tpidr_el2"))
		return (u64)cpus[me];
	return !strcmp(name, "ich_vtr_el2") ? LRS - 1 : !strcmp(name, "ich_hcr_el2") ? at[me].hcr : 0;
}
void fake_sysreg_write(const char *name, u64 value)
{
	if (!strcmp(name, "ich_hcr_el2"))
		at[me].hcr = value;
}
void fake_relax(void) /* sleeps, so that a busy host runs the CPU that is waited for */
{
	usleep(20);
	if (++relaxed == PATIENCE) {
		fprintf(stderr, "vgic_threads: CPU %u waits without an end\n", me);
		abort();
	}
}
void lock_pause(const u32 *busy) { (void)busy; fake_relax(); }
void ticket_wait(const u32 *serving, u32 mine) { (void)serving; (void)mine; abort(); }
u64 gich_lr_read(unsigned n)
{
	if (!any(8))
		sched_yield(); /* in the middle of a change */
	return at[me].lr[n];
}
void gich_lr_write(unsigned n, u64 value) { at[me].lr[n] = value; }
void gic_deactivate_of(u32 cpu, u32 irq) { __atomic_fetch_and(&at[cpu].active, ~(1u << irq), __ATOMIC_RELAXED); }
void gic_deactivate(u32 irq) { gic_deactivate_of(me, irq); }
void gic_enable(u32 cpu, u32 irq, bool on) { (void)cpu; (void)irq; (void)on; }
void gic_configure(u32 cpu, u32 irq, bool edge) { (void)cpu; (void)irq; (void)edge; }
void gic_forget(u32 cpu, u32 mask) { (void)cpu; (void)mask; }
u32 gic_pending_ppis(u32 cpu) { return __atomic_load_n(&at[cpu].line, __ATOMIC_RELAXED); }
void gic_send_sgi(u32 cpu, u32 irq) /* orders nothing by itself: the lock and the atomics have to */
{
	(void)irq;
	__atomic_store_n(&at[cpu].kicked, 1, __ATOMIC_RELAXED);
}

/* Physical interrupts of the guest's timer and kicks, then the guest's list registers are filled: an exit of trap.c. */
static void exit_to_el2(void)
{
	struct cpu *c = cpus[me];
	u32 bit = 1u << IRQ_VTIMER;

	if (at[me].line & ~__atomic_load_n(&at[me].active, __ATOMIC_RELAXED) & c->vgic.local.enabled & bit) {
		__atomic_fetch_or(&at[me].active, bit, __ATOMIC_RELAXED);
		vgic_physical(c, IRQ_VTIMER);
	}
	if (__atomic_exchange_n(&at[me].kicked, 0, __ATOMIC_RELAXED))
		c->work |= WORK_VGIC;
	while (c->work & WORK_VGIC)
		vgic_flush(c);
}

/* The guest acknowledges what its list registers hold, or ends it. */
static void guest(void)
{
	for (unsigned n = 0; n < LRS; n++) {
		u64 *lr = &at[me].lr[n], was = *lr >> 62;

		if (!was || any(2))
			continue;
		at[me].taken += was == 1;
		*lr ^= (was == 1 ? 3UL : was) << 62;
		if (was == 2 && *lr >> 61 & 1)
			gic_deactivate((u32)(*lr >> 32 & 0x3ff));
		__atomic_store_n(&at[me].line, any(2) << IRQ_VTIMER, __ATOMIC_RELAXED);
	}
}

static void off(void)
{
	at[me].line = 0;
	vgic_cpu_exit(cpus[me]);
	at[me].offs++;
}

static void on(void)
{
	memset(at[me].lr, 0, sizeof(at[me].lr));
	vgic_cpu_init(cpus[me]);
	cpus[me]->work = WORK_VGIC;
}

static void step(void)
{
	static const u32 bits[] = { 0x100, 0x180, 0x200, 0x280, 0x380 };
	u32 frame = any(3) ? me : any(CPUS), v = (1u << any(4)) | 1u << IRQ_VTIMER, reg = bits[any(5)];

	switch (any(9)) {
	case 0: vgic_redist_write(frame * GICR_STRIDE + 0x10000 + reg, 4, v); break;
	case 1: vgic_redist_read(frame * GICR_STRIDE + 0x10000 + reg, 4); break;
	case 2: vgic_redist_write(frame * GICR_STRIDE + 0x10400 + any(8), 1, any(256)); break;
	case 3: vgic_sgi(cpus[me], any(4) << 24 | any(1 << CPUS), true); break;
	case 4: vgic_set_level(SPI + me, any(2)); break;
	case 5: vgic_dist_write(bits[any(5)] + 4, 4, 1u << (SPI % 32 + any(CPUS))); break;
	case 6: vgic_dist_write(0x6000 + 8 * (SPI + any(CPUS)), 8, any(CPUS)); break;
	case 7: vgic_dist_read(reg + 4, 4); break;
	case 8:
		if (!any(8))
			vgic_dist_write(0, 4, any(4) ? 3 : 1);
		else if (!any(8)) {
			off();
			for (unsigned n = any(30); n--;)
				sched_yield();
			on();
		}
		break;
	}
}

static void *run(void *which)
{
	me = (unsigned)(u64)which;
	for (unsigned long n = 0; n < steps; n++) {
		relaxed = 0;
		step();
		exit_to_el2();
		guest();
	}
	relaxed = 0;
	__atomic_fetch_sub(&busy_cpus, 1, __ATOMIC_RELAXED);
	if (me % 2) { /* off for good: the others do not wait for it */
		off();
		return NULL;
	}
	while (__atomic_load_n(&busy_cpus, __ATOMIC_RELAXED)) {
		relaxed = 0;
		exit_to_el2();
		guest();
		usleep(20);
	}
	at[me].line = 0;
	return NULL;
}

static void must(bool holds, const char *what, unsigned cpu, u32 v)
{
	if (holds)
		return;
	fprintf(stderr, "vgic_threads: CPU %u, %s: %#x\n", cpu, what, v);
	abort();
}

int main(int argc, char **argv)
{
	pthread_t threads[CPUS];
	unsigned long taken = 0, offs = 0;

	steps = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000;
	for (me = CPUS; me--;) {
		cpus[me] = calloc(1, sizeof(struct cpu));
		cpus[me]->index = me;
		at[me].state = strtoul(argc > 1 ? argv[1] : "1", NULL, 0) * CPUS + me;
		vgic_cpu_init(cpus[me]);
		vgic_redist_write(me * GICR_STRIDE + 0x10080, 4, ~0u);
		vgic_redist_write(me * GICR_STRIDE + 0x10100, 4, SGIS | 1u << IRQ_VTIMER);
	}
	me = 0;
	vgic_dist_write(0x84, 4, ~0u);
	vgic_dist_write(0x104, 4, ~0u);
	vgic_dist.ctlr = GICD_CTLR_GRP0 | GICD_CTLR_GRP1;
	for (unsigned i = 0; i < CPUS; i++)
		pthread_create(&threads[i], NULL, run, (void *)(u64)i);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	vgic_dist.ctlr = GICD_CTLR_GRP0 | GICD_CTLR_GRP1;
	for (me = 0; me < CPUS; me++) { /* each SGI, once more, to each */
		vgic_redist_write(me * GICR_STRIDE + 0x10100, 4, SGIS);
		vgic_redist_write(me * GICR_STRIDE + 0x10380, 4, ~0u);
	}
	for (me = 0; me < CPUS; me++) {
		struct vgic_cpu *v = &cpus[me]->vgic;

		must(v->asked == v->served && !v->stands && v->live == !(me % 2), "waits for nothing", me, v->asked - v->served);
		if (!v->live)
			on();
		exit_to_el2();
		must(!v->sent && !(v->local.pending & v->local.enabled & ~v->local.in_lr & ~v->local.active & SGIS),
		     "an SGI that no list register has", me, v->local.pending);
		taken += at[me].taken;
		offs += at[me].offs;
	}
	for (unsigned i = 0; i < VGIC_BANKS - 1; i++) {
		struct vgic_bank *b = &vgic_dist.spi[i];

		must(!((b->pending | b->level) & b->enabled & ~b->in_lr & ~b->active), "an SPI that no list register has", i, b->pending);
	}
	printf("taken=%lu offs=%lu\n", taken, offs);
	return 0;
}
