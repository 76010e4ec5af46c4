/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop of EL2's that does not end is a panic with its registers, not silence. EL2's timer is the only interrupt that
 * EL2 takes while it works. Looks are counted, not time: a host that stands still makes one of many.
 */
#include "boot/watchdog.h"
#include "board/gic.h"
#include "cpu/alarm.h"
#include "cpu/smp.h"

#define MISSES 3

extern char guest_return[], guest_returned[]; /* vectors.S */

void watchdog_start(struct cpu *c)
{
	c->watch_due = counter() + sysreg_read(cntfrq_el0);
	alarm_tick(0);
	fiq_unmask();
}

/* Identifies the trap this CPU is in, plus all CPUs' progress: waiting for another's lock counts as its progress. */
static u64 place(const struct cpu *c)
{
	return c->entered + watchdog_progress;
}

bool watchdog_bites(struct trap_frame *f)
{
	struct cpu *c = this_cpu();
	u32 irq = gic_fiq_begin();
	u64 now = counter(), seen = place(c);

	if (f->elr_el2 - (u64)guest_return < (u64)guest_returned - (u64)guest_return)
		f->elr_el2 = (u64)guest_return; /* ELR_EL2 and SPSR_EL2 are lost: from the frame, once more */
	if (now >= c->watch_due) {
		c->watch_due = now + sysreg_read(cntfrq_el0);
		if (smp_stopped || seen != c->watch_last)
			c->watch_misses = 0;
		else if (++c->watch_misses == MISSES)
			return true;
		c->watch_last = seen;
	}
	alarm_tick(now);
	gic_fiq_end(irq);
	return false;
}
