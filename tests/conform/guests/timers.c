/* SPDX-License-Identifier: Apache-2.0 */
/* Generic timer (Arm ARM, "Generic Timer"): control bits, deadlines at their ends, the pending state of the PPIs. */
#include "lib.h"

void main1(u64 context) { (void)context; }

#define PENDING() (r32(SGI(0) + 0x200) & (BIT(27) | BIT(30)))

static void each(const char *name, u64 compare)
{
	is(name, compare);
	msr(cntv_cval_el0, compare);
	msr(cntp_cval_el0, compare);
	is("CNTV_CVAL", mrs(cntv_cval_el0));
	is("CNTP_CVAL", mrs(cntp_cval_el0));
	for (u64 ctl = 0; ctl < 4; ctl++) {
		msr(cntv_ctl_el0, ctl);
		msr(cntp_ctl_el0, ctl);
		wait_us(50);
		is("CNTV_CTL", mrs(cntv_ctl_el0));
		is("CNTP_CTL", mrs(cntp_ctl_el0));
		is("pending", PENDING());
	}
	msr(cntv_ctl_el0, 0);
	msr(cntp_ctl_el0, 0);
}

void main(void)
{
	w32(GICD, 0x12);
	gic_cpu(0);
	is("CNTFRQ", mrs(cntfrq_el0));
	is("CNTVCT is about CNTPCT", mrs(cntvct_el0) - mrs(cntpct_el0) + BIT(30) < BIT(31));
	msr(cntv_ctl_el0, ~0UL);
	is("CNTV_CTL, bits that are not there", mrs(cntv_ctl_el0) & ~4UL);
	msr(cntv_ctl_el0, 0);
	each("due since ever", 0);
	each("due in 2^62 ticks", 1UL << 62);
	each("the sign bit", 1UL << 63);
	each("the highest but 2^20", ~0UL - (1UL << 20));
	msr(cntv_tval_el0, 0x7fffffff);
	is("TVAL, far", mrs(cntv_tval_el0) - 0x7fff0000 < 0x10000);
	msr(cntv_tval_el0, 0xffffffff80000000);
	is("TVAL, far back", (mrs(cntv_tval_el0) & 0xffffffff) >> 28);
	msr(cntv_tval_el0, -1000L);
	msr(cntv_ctl_el0, 1);
	is("CNTV_CTL, due by TVAL", mrs(cntv_ctl_el0));
	msr(cntv_ctl_el0, 0);
	off();
}
