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

/* An alarm that a sleeping CPU waits for, taken and ended. */
static void alarm(const char *name, bool physical, u64 ticks)
{
	u64 from = mrs(cntvct_el0), irq;

	is(name, ticks);
	if (physical) {
		msr(cntp_tval_el0, ticks);
		msr(cntp_ctl_el0, 1);
	} else {
		msr(cntv_tval_el0, ticks);
		msr(cntv_ctl_el0, 1);
	}
	while (mrs(ICC_HPPIR1) == 1023)
		asm volatile("wfi");
	is("  not before its time", mrs(cntvct_el0) - from >= ticks);
	irq = mrs(ICC_IAR1);
	is("  ICC_IAR1_EL1", irq);
	is("  pending and active", r32(SGI(0) + 0x200));
	is("  active", r32(SGI(0) + 0x300));
	msr(ICC_EOIR1, irq);
	is("  pending again", mrs(ICC_HPPIR1));
	msr(cntv_ctl_el0, 0);
	msr(cntp_ctl_el0, 0);
	is("  off", mrs(ICC_HPPIR1));
}

/* CNTx_TVAL_EL0 as written: CNTx_CVAL_EL0 is the sum, with its sign. */
static void distance(u64 value)
{
	u64 now = mrs(cntvct_el0);

	msr(cntv_tval_el0, value);
	is_of("CNTV_CVAL behind CNTV_TVAL", value, mrs(cntv_cval_el0) - now - (u64)(s64)(int)value < BIT(28));
	is_of("CNTV_TVAL, upper half", value, mrs(cntv_tval_el0) >> 32);
	now = mrs(cntpct_el0);
	msr(cntp_tval_el0, value);
	is_of("CNTP_CVAL behind CNTP_TVAL", value, mrs(cntp_cval_el0) - now - (u64)(s64)(int)value < BIT(28));
}

void main(void)
{
	static const u64 distances[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x1234567800000001, -(1UL << 40) };
	u64 back = 0;

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
	each("the highest", ~0UL);
	each("2^42 before the end", -(1UL << 42));
	each("2^57", 1UL << 57);
	for (unsigned i = 0; i < sizeof(distances) / sizeof(*distances); i++)
		distance(distances[i]);
	w32(SGI(0) + 0x100, BIT(27) | BIT(30));
	w32(SGI(0) + 0x400 + 24, 0x20202020);
	w32(SGI(0) + 0x400 + 28, 0x40404040);
	for (int physical = 0; physical < 2; physical++) {
		alarm("an alarm of the past", physical, 0);
		alarm("an alarm", physical, 5000);
	}
	w32(SGI(0) + 0x180, BIT(27) | BIT(30));
	for (int i = 0; i < 200; i++) {
		u64 v = mrs(cntvct_el0), p = mrs(cntpct_el0);

		back += mrs(cntvct_el0) < v || mrs(cntpct_el0) < p;
	}
	is("a counter goes back", back);
	msr(cntkctl_el1, ~0UL);
	is("CNTKCTL_EL1", mrs(cntkctl_el1));
	msr(cntkctl_el1, BIT(2) | 10 << 4);
	for (int i = 0; i < 4; i++)
		asm volatile("wfe");
	is("WFE is woken by the event stream", 1);
	msr(cntkctl_el1, 0);
	reset_caught();
	msr(cntfrq_el0, mrs(cntfrq_el0));
	is("writing CNTFRQ_EL0", caught.esr);
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
