/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's virtual time, with one offset for all CPUs, so that they do not drift apart.
 *
 * QEMU up to 8.1 ignores the carry of CNTVOFF_EL2 + CNTV_CVAL_EL0: a far deadline then lies in the past, and QEMU's
 * main loop serves that timer for ever. A guest may write any deadline, so there the sum must never wrap while the
 * timer waits: CNTVOFF_EL2 is negative, and the guest's counter begins AHEAD of CNTPCT_EL0. Later QEMUs take a carry
 * for a deadline that never comes, so there CNTVOFF_EL2 is never negative. vtime_init() measures which QEMU it is.
 */
#include "cpu/vtime.h"
#include "arch/arch.h"

#define AHEAD    BIT(42) /* 19 hours to hide at 62.5 MHz; a guest may multiply its counter by a million */
#define ENABLE   BIT(0)
#define IMASK    BIT(1)
#define ISTATUS  BIT(2)

static volatile u64 hidden;
static u64 ahead; /* 0, or AHEAD: the most that can be hidden */
bool vtime_hides = true;

/* Whether an armed timer has not fired yet. */
static bool waits(u64 ctl)
{
	return !(ctl & ISTATUS);
}

COLD void vtime_init(void)
{
	u64 soon = sysreg_read(cntfrq_el0) / 1000000;

	sysreg_write(cntvoff_el2, -AHEAD);
	/*
	 * Two deadlines, both still ahead when armed. Once the later one has passed, the earlier has too, unless it
	 * never will.
	 */
	for (;; soon *= 2) {
		u64 now = counter();

		sysreg_write(cntv_cval_el0, now + AHEAD + soon);
		sysreg_write(cntv_ctl_el0, ENABLE | IMASK);
		sysreg_write(cnthp_cval_el2, now + 2 * soon);
		sysreg_write(cnthp_ctl_el2, ENABLE | IMASK);
		isb();
		if (waits(sysreg_read(cntv_ctl_el0)) && waits(sysreg_read(cnthp_ctl_el2)))
			break;
		sysreg_write(cntv_ctl_el0, 0);
		sysreg_write(cnthp_ctl_el2, 0);
	}
	while (waits(sysreg_read(cnthp_ctl_el2)))
		relax();
	ahead = waits(sysreg_read(cntv_ctl_el0)) ? 0 : AHEAD;
	sysreg_write(cntv_ctl_el0, 0);
	sysreg_write(cnthp_ctl_el2, 0);
	vtime_load();
}

void vtime_hide(u64 ticks)
{
	if (vtime_hides)
		hidden += ticks;
	if (ahead && hidden > ahead) /* all is used up: the guest sees time pass */
		hidden = ahead;
	vtime_load();
}

void vtime_load(void)
{
	sysreg_write(cntvoff_el2, hidden - ahead);
}

u64 vtime_hidden(void)
{
	return hidden;
}
