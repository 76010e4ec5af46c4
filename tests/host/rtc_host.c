/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/dev/vrtc.c under a guest, the board's clock and EL2's alarm, beside a second telling of the PL031 (TRM, DDI 0224)
 * that runs at every tick: reads and the interrupt's line are compared. The alarm must come in time. argv: first seed,
 * seeds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "board/board.h"
#include "cpu/alarm.h"
#include "cpu/cpu.h"
#include "dev/vgic.h"
#include "dev/vrtc.h"

#define RATE 1000UL        /* ticks of CNTPCT a second */
#define LATE (RATE / 64 + 1) /* how late EL2 may notice a second */

u64 fake_now, fake_step;
static u64 state, seed, alarm_due;
static u32 epoch;          /* the board's clock when CNTPCT was 0 */
static u64 phase;          /* ... and how far into its second */
static bool level;

static u64 any(u64 n)
{
	state = state * 6364136223846793005UL + 1442695040888963407UL;
	return (state >> 33) % n;
}
static void same(u64 hv, u64 model, const char *what)
{
	if (hv == model)
		return;
	fprintf(stderr, "rtc_host: seed %lu, tick %lu: %s is %#lx, and the model has %#lx\n", (unsigned long)seed,
		(unsigned long)fake_now, what, (unsigned long)hv, (unsigned long)model);
	abort();
}

u64 fake_sysreg_read(const char *name) { same(strcmp(name, "cntfrq_el0"), 0, "the register"); return RATE; }
void fake_sysreg_write(const char *name, u64 value) { (void)name; (void)value; abort(); }
u32 mmio_read32(u64 pa) { same(pa, RTC_PA, "the board's register"); return epoch + (u32)((fake_now + phase) / RATE); }
void mmio_write32(u64 pa, u32 v) { (void)pa; (void)v; abort(); /* the board's clock must not be set */ }
void vgic_set_level(u32 irq, bool high) { same(irq, 34, "the interrupt"); level = high; }
void alarm_set(enum alarm which, u64 when)
{
	same(which, ALARM_RTC, "the alarm");
	same(!when || when > fake_now, 1, "whether the alarm is ahead");
	alarm_due = when;
}

/* The second telling: a counter, a match register, one interrupt. */
static struct {
	u32 count, seen, match, load;
	bool raw, mask;
	u64 matched; /* when the counter came to RTCMR; EL2 may notice LATE ticks later */
	bool late;
} m;

static void m_second(u32 board)
{
	u32 passed = board - m.seen;

	m.seen = board;
	while (passed--)
		if (++m.count == m.match) {
			m.late = true;
			m.matched = fake_now;
			m.raw = true;
		}
}
static void m_compare(void)
{
	m.late = false;
	if (m.count == m.match)
		m.raw = true;
}

static void check(void)
{
	if (m.late && fake_now - m.matched <= LATE)
		return; /* about to be known */
	m.late = false;
	same(vrtc_read(0x14), m.raw, "RTCRIS");
	same(vrtc_read(0x18), m.raw && m.mask, "RTCMIS");
	same(level, m.raw && m.mask, "the interrupt's line");
}

static void touch(void)
{
	static const u32 id[] = { 0x31, 0x10, 0x14, 0, 0xd, 0xf0, 5, 0xb1 }; /* part 0x031, Arm, revision 1 */
	u32 v = (u32)any(1UL << 32), n = (u32)any(8);

	if (m.late) /* a match that only one of the two has seen */
		return;
	switch (any(7)) {
	case 0: /* soon, now, in the past, anywhere */
		v = any(4) ? m.count + (u32)any(5) - 1 : v;
		vrtc_write(0x04, v);
		m.match = v;
		m_compare();
		break;
	case 1:
		v = any(4) ? m.match - (u32)any(4) : v;
		vrtc_write(0x08, (u64)any(9) << 32 | v);
		m.load = m.count = v;
		m_compare();
		break;
	case 2:
		vrtc_write(0x10, v);
		m.mask = v & 1;
		break;
	case 3:
		vrtc_write(0x1c, v);
		m.raw = m.raw && !(v & 1);
		break;
	case 4:
		vrtc_write(0x0c, 0); /* once started it goes on */
		vrtc_write(0x14, v);
		vrtc_write(0x00, v);
		vrtc_write(0x20, v);
		break;
	case 5:
		same(vrtc_read(0xfe0 + 4 * n), id[n], "identification");
		same(vrtc_read(0x20 + 4 * n) | vrtc_read(0x1c), 0, "what is not there");
		break;
	default:
		same(vrtc_read(0x00), m.count, "RTCDR");
		same(vrtc_read(0x04), m.match, "RTCMR");
		same(vrtc_read(0x08), m.load, "RTCLR");
		same(vrtc_read(0x0c), 1, "RTCCR");
		same(vrtc_read(0x10), m.mask, "RTCIMSC");
	}
}

int main(int argc, char **argv)
{
	u64 first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;

	for (seed = first; seed < first + n; seed++) {
		u64 quiet = 0;

		state = seed;
		for (unsigned step = 0; step < 20000; step++) {
			fake_now += any(50) ? 1 + any(20) : any(5) ? any(3 * RATE) : any(200000 * RATE); /* the last: the monitor was open */
			m_second(mmio_read32(RTC_PA));
			if (alarm_due && fake_now >= alarm_due) {
				alarm_due = 0;
				vrtc_tick();
				m.late = false;
			} else if (!any(20)) {
				vrtc_tick(); /* another alarm, or a kick */
				m.late = false;
			}
			check();
			quiet = any(30) ? quiet : 100;
			if (quiet && quiet--)
				touch();
			check();
		}
		/* Sets the board's clock for the next seed; the guest sets its own before it reads. */
		epoch += (u32)any(1UL << 32);
		phase = any(RATE);
		m.seen = mmio_read32(RTC_PA);
		vrtc_write(0x08, 0);
		m.load = m.count = 0;
		m_compare();
		vrtc_write(0x1c, 1);
		m.raw = false;
		if (m.match == m.count)
			m.late = false;
	}
	printf("seeds=%lu\n", (unsigned long)n);
	return 0;
}
