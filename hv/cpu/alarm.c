/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's own timer (CNTHP, PPI 26), set to the earliest of all alarms. */
#include "cpu/alarm.h"
#include "arch/arch.h"
#include "board/gic.h"
#include "cpu/cpu.h"

#define ENABLE 1

static volatile u64 deadlines[ALARM_COUNT]; /* 0: none */

static void arm(u64 when)
{
	u64 watch = this_cpu()->watch_due;

	sysreg_write(cnthp_cval_el2, when && when < watch ? when : watch);
	sysreg_write(cnthp_ctl_el2, ENABLE);
	isb();
}

static u64 first(void)
{
	u64 when = this_cpu()->log_due;

	for (unsigned i = 0; i < ALARM_COUNT; i++)
		if (deadlines[i] && (!when || deadlines[i] < when))
			when = deadlines[i];
	return when;
}

void alarm_set(enum alarm which, u64 when)
{
	deadlines[which] = when;
	arm(first());
}

void alarm_set_earlier(enum alarm which, u64 when)
{
	atomic_earlier(&deadlines[which], when);
	arm(first());
}

void alarm_log(u64 when)
{
	this_cpu()->log_due = when;
	arm(first());
}

void alarm_sleep(u64 until)
{
	fiq_mask(); /* `until` may be over before the sleep begins */
	arm(until);
	gic_sleep();
	fiq_unmask();
	arm(first());
}

void alarm_tick(u64 now)
{
	u64 when = first();

	if (when && when <= now) {
		gic_send_sgi(this_cpu()->index, SGI_ALARM); /* handled later: EL2 may be in the middle of anything */
		when = 0;
	}
	arm(when);
}

void alarm_irq(struct cpu *c)
{
	u64 now = counter();

	c->watch_due = now + sysreg_read(cntfrq_el0);
	alarm_tick(now);
}
