/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's PL031: it may set its own clock, never the board's. */
#include "vrtc.h"
#include "arch/arch.h"
#include "board.h"

static struct {
	u32 offset; /* guest's seconds - board's seconds, modulo 2^32 */
	u32 match, load, mask;
} rtc;

static u32 now(void)
{
	return mmio_read32(RTC_PA) + rtc.offset;
}

bool vrtc_read(u32 offset, u64 *value)
{
	static const u8 id[8] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

	switch (offset) {
	case 0x00: *value = now(); return true;
	case 0x04: *value = rtc.match; return true;
	case 0x08: *value = rtc.load; return true;
	case 0x0c: *value = 1; return true; /* CR: always running */
	case 0x10: *value = rtc.mask; return true;
	case 0x14:
	case 0x18: *value = 0; return true; /* RIS, MIS */
	}
	if (offset >= 0xfe0 && offset <= 0xffc && offset % 4 == 0) {
		*value = id[(offset - 0xfe0) / 4];
		return true;
	}
	*value = 0;
	return false;
}

bool vrtc_write(u32 offset, u64 value)
{
	u32 v = (u32)value;

	switch (offset) {
	case 0x04: rtc.match = v; return true;
	case 0x08:
		rtc.load = v;
		rtc.offset = v - mmio_read32(RTC_PA);
		return true;
	case 0x0c: return true;
	case 0x10: rtc.mask = v & 1; return true;
	case 0x1c: return true; /* ICR: nothing is ever raised */
	}
	return false;
}
