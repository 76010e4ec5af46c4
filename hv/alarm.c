/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's own timer (CNTHP, PPI 26): armed only while somebody waits for a time. */
#include "alarm.h"
#include "arch/arch.h"
#include "gic.h"

#define ENABLE 1

static u64 deadlines[ALARM_COUNT]; /* 0: none */

static void arm(u64 when)
{
	sysreg_write(cnthp_cval_el2, when);
	sysreg_write(cnthp_ctl_el2, when ? ENABLE : 0);
	isb();
}

void alarm_set(enum alarm which, u64 when)
{
	u64 first = 0;

	deadlines[which] = when;
	for (unsigned i = 0; i < ALARM_COUNT; i++)
		if (deadlines[i] && (!first || deadlines[i] < first))
			first = deadlines[i];
	arm(first);
}

void alarm_sleep(u64 until)
{
	arm(until);
	gic_sleep();
	alarm_set(ALARM_ESCAPE, deadlines[ALARM_ESCAPE]);
}
