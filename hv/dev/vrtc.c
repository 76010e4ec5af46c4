/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's PL031: it may set its own clock, never the board's. */
#include "dev/vrtc.h"
#include "arch/arch.h"
#include "board/board.h"
#include "cpu/alarm.h"
#include "cpu/locks.h"
#include "dev/vgic.h"

#define DR   0x00
#define MR   0x04
#define LR   0x08
#define CR   0x0c
#define IMSC 0x10
#define RIS  0x14
#define MIS  0x18
#define ICR  0x1c

#define LOOKS_PER_SECOND 64 /* within the last second: the board's fraction of a second is unknown */
#define FAR_SECONDS      86400u

static struct {
	u32 offset; /* guest's seconds - board's seconds, modulo 2^32 */
	u32 match, load, mask, ris;
	u32 looked;  /* the guest's clock at the last comparison */
	bool armed;  /* `match` lies ahead of it */
} rtc;

static u32 now(void)
{
	return mmio_read32(RTC_PA) + rtc.offset;
}

/* Sleeps until the second before the match, then polls. */
static void wait(u32 left)
{
	u64 second = sysreg_read(cntfrq_el0);

	if (left > FAR_SECONDS)
		left = FAR_SECONDS;
	alarm_set(ALARM_RTC, counter() + (left > 1 ? (left - 1) * second : second / LOOKS_PER_SECOND));
}

static void update(void)
{
	vgic_set_level(IRQ_RTC, rtc.ris & rtc.mask);
}

static void match(void)
{
	rtc.armed = false;
	rtc.ris = 1;
	alarm_set(ALARM_RTC, 0);
	update();
}

/* After a change of the clock or of RTCMR. A match that lies behind comes after the clock has wrapped. */
static void arm(void)
{
	rtc.looked = now();
	rtc.armed = rtc.looked != rtc.match;
	if (rtc.armed)
		wait(rtc.match - rtc.looked);
	else
		match();
}

static void tick(void)
{
	u32 time, passed, left = rtc.match - rtc.looked;

	if (!rtc.armed)
		return;
	time = now();
	passed = time - rtc.looked;
	rtc.looked = time;
	if (passed >= left)
		match();
	else
		wait(left - passed);
}

void vrtc_tick(void)
{
	if (!rtc.armed)
		return;
	spin_lock(&rtc_lock);
	tick();
	spin_unlock(&rtc_lock);
}

u64 vrtc_read(u32 offset)
{
	static const u8 id[8] = { 0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

	switch (offset) {
	case DR: return now();
	case MR: return rtc.match;
	case LR: return rtc.load;
	case CR: return 1; /* always running */
	case IMSC: return rtc.mask;
	case RIS: return rtc.ris;
	case MIS: return rtc.ris & rtc.mask;
	}
	if (offset >= 0xfe0 && offset <= 0xffc && offset % 4 == 0)
		return id[(offset - 0xfe0) / 4];
	return 0;
}

void vrtc_write(u32 offset, u64 value)
{
	u32 v = (u32)value;

	spin_lock(&rtc_lock);
	switch (offset) {
	case MR:
		rtc.match = v;
		arm();
		break;
	case LR:
		rtc.load = v;
		rtc.offset = v - mmio_read32(RTC_PA);
		arm();
		break;
	case IMSC:
		rtc.mask = v & 1;
		update();
		break;
	case ICR:
		rtc.ris &= ~v;
		update();
		break;
	}
	spin_unlock(&rtc_lock);
}
