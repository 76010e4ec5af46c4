/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns an endless loop of EL2 into a panic with its registers. EL2's timer is the only interrupt that EL2 takes while
 * it works. The watchdog counts looks, not time: a host that was suspended makes one look of many seconds.
 */
#include "boot/watchdog.h"
#include "board/gic.h"
#include "cpu/alarm.h"
#include "cpu/locks.h"
#include "cpu/smp.h"

/* Looks without progress, a second apart; and then some a millisecond apart, so that a CPU which the host starves has run. */
#define MISSES 3
#define CLOSE  1000

extern char guest_return[], guest_returned[]; /* vectors.S */

void watchdog_start(struct cpu *c)
{
	c->watch_due = counter() + sysreg_read(cntfrq_el0);
	alarm_tick(0);
	fiq_unmask();
}

/*
 * Whether this CPU has been in one trap for all looks without progress. A CPU that waits for a lock is not blamed:
 * the lock's holder has its own looks.
 */
static bool is_stuck(struct cpu *c)
{
	u64 seen = c->entered + c->progress;
	bool same = seen == c->watch_last;

	c->watch_last = seen;
	c->watch_misses = same && !lock_awaits_another(c) ? c->watch_misses + 1 : 0;
	return c->watch_misses == MISSES + CLOSE;
}

/* Whether this CPU has held the same lock for all looks and printed nothing, so that others wait for ever. */
static bool holds_on(struct cpu *c)
{
	const struct spinlock *l = lock_held(c);
	u64 seen = l ? l->taken + c->progress : 0;
	bool same = seen && seen == c->watch_held;

	c->watch_held = seen;
	c->watch_holds = same && !lock_awaits_another(c) ? c->watch_holds + 1 : 0;
	return c->watch_holds == MISSES + CLOSE;
}

bool watchdog_expired(struct trap_frame *f)
{
	struct cpu *c = this_cpu();
	u32 irq = gic_fiq_begin();
	u64 now = counter();

	if (f->elr_el2 - (u64)guest_return < (u64)guest_returned - (u64)guest_return)
		f->elr_el2 = (u64)guest_return; /* ELR_EL2 and SPSR_EL2 were overwritten: restores from the frame again */
	if (now >= c->watch_due) {
		bool holding = holds_on(c), stuck = is_stuck(c);

		c->watch_due = now + sysreg_read(cntfrq_el0) / (c->watch_misses < MISSES && c->watch_holds < MISSES ? 1 : CLOSE);
		if (smp_stopped)
			c->watch_misses = c->watch_holds = 0;
		else if (holding || stuck)
			return true;
	}
	alarm_tick(now);
	gic_fiq_end(irq);
	return false;
}
