/* SPDX-License-Identifier: Apache-2.0 */
/* PL031 (DDI 0224): identification, setting the clock, the alarm and its interrupt (SPI 2, INTID 34). */
#include "lib.h"

#define RTC 0x09010000UL

void main1(u64 context) { (void)context; }

void main(void)
{
	u32 now;

	for (u64 at = 0xfe0; at < 0x1000; at += 4)
		is("identification", r32(RTC + at));
	is("RTCCR", r32(RTC + 0xc));
	is("RTCIMSC", r32(RTC + 0x10));
	is("RTCRIS", r32(RTC + 0x14));
	w32(GICD, 0x12);
	gic_cpu(0);
	w32(GICD + 0x84, 4);
	w32(GICD + 0x104, 4);
	w32(RTC + 8, 1000000);
	now = r32(RTC);
	is("the clock follows RTCLR", now - 1000000 < 2);
	is("RTCLR", r32(RTC + 8) - 1000000 < 2);
	w32(RTC + 0x10, 3);
	is("RTCIMSC, written", r32(RTC + 0x10));
	w32(RTC + 4, r32(RTC) + 1);
	is("RTCMR", r32(RTC + 4) - now < 4);
	for (int i = 0; i < 3000 && !(r32(RTC + 0x14) & 1); i++)
		wait_us(1000);
	is("RTCRIS at the match", r32(RTC + 0x14));
	is("RTCMIS", r32(RTC + 0x18));
	is("pending in the GIC", r32(GICD + 0x204) & 4);
	is("IAR", mrs(S3_0_C12_C12_0));
	w32(RTC + 0x1c, 1);
	is("RTCRIS behind RTCICR", r32(RTC + 0x14));
	msr(S3_0_C12_C12_1, 34);
	is("IAR, none", mrs(S3_0_C12_C12_0));
	/* RTCMR where the clock is and where it has been; RTCLR as RTCMR; RTCLR beyond it */
	w32(RTC + 4, r32(RTC));
	is("RTCRIS, RTCMR is the time", r32(RTC + 0x14));
	w32(RTC + 0x1c, 0);
	is("RTCRIS, RTCICR 0", r32(RTC + 0x14));
	w32(RTC + 0x1c, 2);
	is("RTCRIS, RTCICR 2", r32(RTC + 0x14));
	w32(RTC + 0x10, 0);
	is("RTCMIS, masked", r32(RTC + 0x18));
	is("pending in the GIC, masked", r32(GICD + 0x204) & 4);
	w32(RTC + 0x1c, ~0u);
	w32(RTC + 4, r32(RTC) - 500);
	is("RTCRIS, RTCMR has been", r32(RTC + 0x14));
	w32(RTC + 4, r32(RTC) + 1000);
	w32(RTC + 8, r32(RTC + 4));
	is("RTCRIS, RTCLR is RTCMR", r32(RTC + 0x14));
	w32(RTC + 0x1c, 1);
	w32(RTC + 4, r32(RTC) + 10);
	w32(RTC + 8, r32(RTC + 4) + 100);
	is("RTCRIS, RTCLR beyond RTCMR", r32(RTC + 0x14));
	w32(RTC + 8, ~0u);
	is("the clock at its end", r32(RTC) - ~0u < 3);
	/* Registers that are written for nothing */
	w32(RTC, 5);
	is("RTCDR, written", r32(RTC) - ~0u < 3);
	w32(RTC + 0xc, 0);
	is("RTCCR, written", r32(RTC + 0xc));
	w32(RTC + 0x14, 1);
	w32(RTC + 0x18, 1);
	is("RTCRIS, written", r32(RTC + 0x14));
	is("RTCICR, read", r32(RTC + 0x1c));
	for (u64 at = 0x20; at < 0xfe0; at += 4)
		if (r32(RTC + at))
			is_of("a reserved register", at, r32(RTC + at));
	w32(RTC + 0x10, 0);
	off();
}
