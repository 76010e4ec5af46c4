/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs: starting, stopping, standing still. */
#include "cpu/smp.h"
#include "arch/arch.h"
#include "board/gic.h"
#include "board/mmu.h"
#include "boot/watchdog.h"
#include "cpu/locks.h"
#include "cpu/vtime.h"
#include "dev/vgic.h"
#include "dev/virtio.h"
#include "lib/psci.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/debug.h"
#include "trap/decide.h"
#include "trap/operator.h"
#include "vm/inject.h"
#include "vm/vcpu.h"

#define STOP_WAIT_MS 100

extern char cpu_blocks[];
void secondary_entry(void);                               /* entry.S */
void secondary_main(struct cpu *c) __attribute__((noreturn)); /* from entry.S */
void guest_enter(struct cpu *c) __attribute__((noreturn));

struct cpu *cpus[MAX_CPUS];
unsigned n_cpus;
volatile bool smp_stopped;

/* Fills the stack below `top`, which is not above SP, with a pattern: the monitor shows how deep the stack went. */
static void mark_stack(char *block, u64 top)
{
	u64 *p = (u64 *)(block + CPU_GUARD_SIZE), pattern = STACK_PATTERN * 0x0101010101010101UL;

	for (; p + 8 <= (u64 *)top; p += 8)
		p[0] = p[1] = p[2] = p[3] = p[4] = p[5] = p[6] = p[7] = pattern;
	for (; p < (u64 *)top; p++)
		*p = pattern;
}

void smp_init(void)
{
	inject_init();
	n_cpus = gic_count_cpus();
	for (unsigned i = 0; i < n_cpus; i++) {
		char *block = cpu_blocks + i * CPU_BLOCK_SIZE;
		struct cpu *c = (struct cpu *)(block + CPU_STRUCT_OFFSET);

		for (u64 *p = (u64 *)c; p < (u64 *)(c + 1); p++)
			*p = 0;
		mark_stack(block, i ? (u64)c : (u64)__builtin_frame_address(0) - 256);
		c->index = i;
		c->stopped_seq = ~0UL;
		cpus[i] = c;
		decide_init(c);
		log_init(c, boot_alloc_dirty(log_ring_bytes(), 64));
	}
}

static s64 cpu_on(struct cpu *target, u64 entry, u64 context)
{
	s64 result;

	if (target->online)
		return PSCI_ALREADY_ON;
	target->online = true;
	target->start_entry = entry;
	target->start_context = context;
	/* The new CPU reads its block with its MMU off. */
	dcache_clean_range(target, sizeof(*target));
	dsb_sy();
	do /* after online = false the CPU still runs smp_cpu_off(): CPU_ON is repeated until PSCI has it off */
		result = (s64)smc(PSCI_CPU_ON64, target->index, (u64)secondary_entry, (u64)target);
	while (result == PSCI_ALREADY_ON);
	if (result)
		target->online = false;
	return result;
}

u64 smp_cpu_on(struct cpu *target, u64 entry, u64 context)
{
	s64 result;

	spin_lock(&cpus_lock);
	result = cpu_on(target, entry, context);
	spin_unlock(&cpus_lock);
	return (u64)result;
}

void secondary_main(struct cpu *c)
{
	mmu_enable();
	gic_cpu_init(c->index);
	vcpu_controls();
	watchdog_start(c);
	vgic_cpu_init(c);
	c->work = 0;
	vgic_flush(c); /* interrupts that waited for this CPU */
	spin_lock(&log_lock);
	log_header(c);
	log_event(c, EV_GUEST_ENTER, c->start_entry, 1);
	if (!console_midline())
		log_drain(c, 0, false);
	spin_unlock(&log_lock);
	vcpu_reset(c, c->start_entry, c->start_context);
	debug_load(c);
	guest_enter(c);
}

unsigned smp_online(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_cpus; i++)
		n += cpus[i]->online;
	return n;
}

/* False: no other CPU would be left, not counting those about to go. */
static bool may_go(struct cpu *c)
{
	unsigned others = 0;

	spin_lock(&cpus_lock);
	for (unsigned i = 0; i < n_cpus; i++)
		others += cpus[i] != c && cpus[i]->online && !cpus[i]->leaves;
	c->leaves = others > 0;
	spin_unlock(&cpus_lock);
	return others > 0;
}

u64 smp_cpu_off(struct cpu *c)
{
	if (!may_go(c))
		return (u64)PSCI_DENIED;
	log_event(c, EV_GUEST_LEAVE, (u64)"cpu-off", 0);
	spin_lock(&log_lock);
	log_drain(c, 0, false);
	spin_unlock(&log_lock);
	vgic_cpu_exit(c);
	debug_off(c);
	spin_lock(&cpus_lock);
	c->online = c->leaves = false;
	for (unsigned i = 0; i < n_cpus; i++) /* the operator's key needs a CPU */
		if (cpus[i]->online && !cpus[i]->leaves) {
			gic_route_uart(i);
			virtio_route(i);
			gic_send_sgi(i, SGI_KICK); /* in case the alarm was this CPU's */
			break;
		}
	spin_unlock(&cpus_lock);
	smc(PSCI_CPU_OFF, 0, 0, 0);
	for (;;)
		wfi();
}

void smp_stop_others(struct cpu *c)
{
	u64 until = counter() + sysreg_read(cntfrq_el0) / 1000 * STOP_WAIT_MS;

	smp_stopped = true;
	dsb_ish();
	for (unsigned i = 0; i < n_cpus; i++)
		if (cpus[i] != c && cpus[i]->online)
			gic_send_sgi(i, SGI_STOP);
	/* A CPU that does not answer is inside EL2: it will wait for a lock, or take its SGI later. */
	for (unsigned i = 0; i < n_cpus; i++)
		while (cpus[i] != c && cpus[i]->online && !cpus[i]->parked && counter() < until)
			relax();
}

void smp_resume_others(void)
{
	smp_stopped = false;
	dsb_ish();
	for (unsigned i = 0; i < n_cpus; i++)
		if (cpus[i]->parked)
			gic_send_sgi(i, SGI_STOP); /* ends its sleep */
}

void smp_park(struct cpu *c)
{
	c->parked = true;
	gic_forget(c->index, 1u << SGI_STOP); /* a second SGI_STOP may have come before this CPU stopped */
	while (smp_stopped) {
		gic_sleep();
		monitor_parked(c);
	}
	vtime_load();
	debug_load(c);
	c->parked = false;
}
