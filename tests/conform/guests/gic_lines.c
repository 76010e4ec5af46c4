/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 (IHI 0069): lines, enables, active states and priorities, one CPU. */
#include "lib.h"

void main1(u64 context) { (void)context; }

static void quiet(void)
{
	for (u64 i = 0; i < 64; i++) {
		u64 a = mrs(S3_0_C12_C12_0);

		if (a >= 1020)
			break;
		msr(S3_0_C12_C12_1, a);
	}
}

static void state(const char *name)
{
	is(name, 0);
	is("GICR_ISPENDR0", r32(SGI(0) + 0x200));
	is("GICR_ISACTIVER0", r32(SGI(0) + 0x300));
	is("GICD_ISPENDR1", r32(GICD + 0x204));
	is("GICD_ISACTIVER1", r32(GICD + 0x304));
	is("HPPIR1", mrs(S3_0_C12_C12_2));
	is("RPR", mrs(S3_0_C12_C11_3));
}

void main(void)
{
	u64 held[12];

	w32(GICD, 0x12);
	gic_cpu(0);
	is("GICD_CTLR", r32(GICD));
	for (u64 i = 0; i < 16; i++)
		w8(SGI(0) + 0x400 + i, (u32)(0xf0 - i * 8));
	w32(SGI(0) + 0x100, 0xffff);
	/* More pending than list registers; then nested deeper than there are list registers. */
	for (u64 i = 0; i < 12; i++)
		msr(S3_0_C12_C11_5, 1 | i << 24);
	state("twelve SGIs pending");
	for (u64 i = 0; i < 12; i++) {
		held[i] = mrs(S3_0_C12_C12_0);
		is("IAR", held[i]);
		msr(S3_0_C12_C12_1, held[i]);
	}
	for (u64 i = 0; i < 12; i++) {
		msr(S3_0_C12_C11_5, 1 | i << 24);
		held[i] = mrs(S3_0_C12_C12_0);
		is("IAR, nested", held[i]);
		is("RPR, nested", mrs(S3_0_C12_C11_3));
	}
	state("nested twelve deep");
	is("AP1R0", mrs(S3_0_C12_C9_0));
	for (u64 i = 12; i-- > 0;) {
		msr(S3_0_C12_C12_1, held[i]);
		is("RPR, behind EOIR", mrs(S3_0_C12_C11_3));
	}
	state("all ended");
	/* EOImode 1: drop, then deactivate out of order */
	msr(S3_0_C12_C12_4, 2);
	for (u64 i = 0; i < 8; i++) {
		msr(S3_0_C12_C11_5, 1 | i << 24);
		held[i] = mrs(S3_0_C12_C12_0);
		msr(S3_0_C12_C12_1, held[i]);
	}
	state("eight active, priorities dropped");
	for (u64 i = 0; i < 8; i++)
		msr(S3_0_C12_C11_1, held[i * 3 % 8]);
	state("deactivated");
	msr(S3_0_C12_C12_4, 0);
	/* Changes of what is pending */
	msr(S3_0_C12_C11_5, 1 | 5UL << 24);
	w32(SGI(0) + 0x180, BIT(5));
	state("pending, disabled");
	w32(SGI(0) + 0x100, BIT(5));
	w8(SGI(0) + 0x405, 0x20);
	state("enabled, another priority");
	msr(S3_0_C4_C6_0, 0x20);
	state("masked by PMR");
	msr(S3_0_C4_C6_0, 0xff);
	w32(GICD, 0x10);
	state("GICD_CTLR.EnableGrp1 0");
	is("IAR", mrs(S3_0_C12_C12_0));
	w32(GICD, 0x12);
	w32(SGI(0) + 0x280, BIT(5));
	state("cleared");
	w32(SGI(0) + 0x300, BIT(6));
	state("ISACTIVER of an SGI");
	w32(SGI(0) + 0x380, BIT(6));
	state("ICACTIVER");
	/* A timer's line */
	msr(cntv_cval_el0, 0);
	msr(cntv_ctl_el0, 1);
	wait_us(100);
	state("CNTV due, its PPI disabled");
	w32(SGI(0) + 0x100, BIT(27));
	state("enabled");
	msr(cntv_ctl_el0, 3);
	wait_us(100);
	state("its line has fallen");
	is("IAR", mrs(S3_0_C12_C12_0));
	w32(SGI(0) + 0x200, BIT(27));
	state("ISPENDR of it");
	quiet();
	msr(cntv_ctl_el0, 1);
	wait_us(100);
	is("IAR, the timer again", mrs(S3_0_C12_C12_0));
	w32(SGI(0) + 0x180, BIT(27));
	state("active, disabled");
	msr(cntv_ctl_el0, 0);
	msr(S3_0_C12_C12_1, 27);
	state("ended");
	off();
}
