/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's PL031: it may set its own clock, never the board's. */
#include "dev/vrtc.h"
#include "arch/arch.h"
#include "board/board.h"

static struct {
	u32 offset; /* guest's seconds - board's seconds, modulo 2^32 */
	u32 match, load, mask;
} rtc;

static u32 now(void)
{
	return mmio_read32(RTC_PA) + rtc.offset;
}

u64 vrtc_read(u32 offset)
{
	static const u8 id[8] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

	switch (offset) {
	case 0x00: return now();
	case 0x04: return rtc.match;
	case 0x08: return rtc.load;
	case 0x0c: return 1; /* CR: always running */
	case 0x10: return rtc.mask;
	}
	if (offset >= 0xfe0 && offset <= 0xffc && offset % 4 == 0)
		return id[(offset - 0xfe0) / 4];
	return 0; /* RIS and MIS, too: nothing is ever raised */
}

void vrtc_write(u32 offset, u64 value)
{
	u32 v = (u32)value;

	switch (offset) {
	case 0x04: rtc.match = v; break;
	case 0x08:
		rtc.load = v;
		rtc.offset = v - mmio_read32(RTC_PA);
		break;
	case 0x10: rtc.mask = v & 1; break;
	}
}
