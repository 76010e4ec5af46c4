/* SPDX-License-Identifier: Apache-2.0 */
/* The one UART line: escapes the guest's output, tells the operator's input from the guest's. */
#include "log/console.h"
#include "arch/arch.h"
#include "board/uart.h"
#include "cpu/alarm.h"
#include "cpu/locks.h"
#include "lib/build.h"
#include "log/evidence.h"
#include "log/line.h"
#include "log/output.h"

#define KEY_INTERRUPT 0x03 /* gdb's */

#define INPUT_AT_ONCE 8192 /* bytes: more than the guest's ring holds */

/*
 * Input is dropped after the guest has not read for so many seconds, so that an operator's key behind it is seen.
 * Interrupts are counted, not time: a host that was suspended for ten seconds counts one.
 */
#define DEAF 10

bool console_escape = true;
u64 console_guest_bytes;
static bool midline;
static bool escape_seen; /* ^] came, and no key yet */
static u64 escape_time;  /* CNTPCT at that time */
static u64 watch_due;    /* CNTPCT of the next `traps -w` line; 0: none */
static bool quit_asked;  /* ^] q came: the next key confirms or not */
static u8 held;          /* a byte for which the guest's ring had no room */
static bool holding;
static unsigned deaf;    /* seconds without room in the ring, up to DEAF: then the guest counts as deaf */
static u64 deaf_due;     /* CNTPCT at the end of the current second */
bool console_polls;

bool console_hold(void)
{
	return lock_enter(&line_lock);
}

void console_release(bool taken)
{
	lock_leave(&line_lock, taken);
}

u32 console_room(void)
{
	return output_room();
}

void console_pump(void)
{
	bool taken = console_hold();

	output_pump();
	console_release(taken);
}

void console_flush(void)
{
	bool taken = console_hold();

	output_flush();
	console_release(taken);
}

/* Bytes that cannot be sent as they are: gdb has the line, or the byte is RS or US. */
static void __attribute__((noinline)) guest_wrapped(u8 byte)
{
	if (gdb_active) {
		gdb_text((const char *)&byte, 1);
		return;
	}
	midline = true;
	output_put(US);
	output_put(byte == RS ? 'e' : 'f');
}

static inline void guest_byte(u8 byte)
{
	console_guest_bytes++;
	if (unlikely(gdb_active || (byte & ~1u) == RS)) {
		guest_wrapped(byte);
		return;
	}
	midline = byte != '\n';
	output_put(byte);
}

bool console_guest(u8 byte)
{
	if (unlikely(!output_takes()))
		return false;
	guest_byte(byte);
	output_pump();
	return true;
}

u64 console_guest_text(const u8 *text, u64 n)
{
	u64 i;

	spin_lock(&line_lock);
	for (i = 0; i < n && output_used() < OUTPUT_GUEST; i++)
		guest_byte(text[i]);
	output_pump();
	spin_unlock(&line_lock);
	return i;
}

truth console_midline(void)
{
	return midline;
}

static void own(const char *s, size_t n)
{
	if (gdb_active && *s != RS) {
		gdb_text(s, n);
		return;
	}
	if (midline) { /* records and monitor text begin on a line of their own; log_text.c marks such a record `+` */
		output_put('\r');
		output_put('\n');
		midline = false;
	}
	for (size_t i = 0; i < n; i++)
		output_put((u8)s[i]);
}

void console_raw(const char *s, size_t n)
{
	bool taken = console_hold();

	this_cpu()->progress++;
	own(s, n);
	if (unlikely(locks_void))
		output_flush();
	else
		output_pump();
	console_release(taken);
}

static void deaf_wait(void)
{
	deaf_due = counter() + sysreg_read(cntfrq_el0);
	alarm_set(ALARM_DEAF, deaf_due);
}

/*
 * Gives a byte to the guest's receiver. False: no room; the byte is kept, and the UART's interrupt is off until there
 * is.
 */
static truth to_guest(u8 byte)
{
	if (vuart_receive(byte) || deaf == DEAF)
		return true;
	held = byte;
	holding = true;
	uart_rx_interrupt(false);
	deaf = 0;
	deaf_wait();
	return false;
}

static void input(struct cpu *c);

void console_input_room(struct cpu *c)
{
	deaf = 0;
	if (!holding)
		return;
	holding = false;
	if (to_guest(held)) {
		uart_rx_interrupt(true);
		input(c);
	}
}

static void open_monitor(struct cpu *c, const char *reason)
{
	c->stop_reason = reason;
	c->work |= WORK_MONITOR;
	watch_due = 0;
	alarm_set(ALARM_WATCH, 0);
}

/* Handles the key after ^] (README.md, "Input"). False: the guest's ring is full. */
static bool escape_key(struct cpu *c, int byte)
{
	switch (byte) {
	case 'm':
		open_monitor(c, "key");
		return true;
	case 's':
		c->work |= WORK_STATUS;
		return true;
	case 'd':
		c->work |= WORK_DUMP;
		return true;
	case 'l':
		c->work |= WORK_LIVE;
		return true;
	case 'q':
		c->work |= WORK_QUIT;
		quit_asked = true;
		return true;
	case 'g':
		open_monitor(c, "gdb");
		return true;
	case 'b':
		vuart_break();
		return true;
	case '?':
		c->work |= WORK_KEYS;
		return true;
	case KEY_ESCAPE:
		return to_guest(KEY_ESCAPE);
	default: /* no key of EL2's: both bytes go to the guest */
		return to_guest(KEY_ESCAPE) && to_guest((u8)byte);
	}
}

void console_watch(void)
{
	watch_due = counter() + sysreg_read(cntfrq_el0);
	alarm_set(ALARM_WATCH, watch_due);
}

static void input(struct cpu *c)
{
	/*
	 * Clears the interrupt first: QEMU raises it only when the FIFO goes from empty to one byte, so a byte that
	 * comes after the last look must find it clear.
	 */
	uart_clear_interrupt();
	/*
	 * Reads until the FIFO is empty, since no interrupt tells of a rest. A host that sends faster than EL2 reads
	 * fills the guest's ring; if it sends operator's keys only, the rest is left for the next trap.
	 */
	for (unsigned i = 0; !holding; i++) {
		int byte;

		if (i == INPUT_AT_ONCE) {
			c->work |= WORK_INPUT;
			break;
		}
		byte = uart_get();
		if (byte < 0)
			break;
		if (byte == UART_BREAK && !build_monitor) {
			vuart_break();
		} else if (byte == UART_BREAK) {
			open_monitor(c, "break");
		} else if (watch_due) {
			open_monitor(c, "key");
		} else if (gdb_active) {
			if (byte == KEY_INTERRUPT) /* other bytes are gdb's acknowledgements of O packets */
				open_monitor(c, "key");
		} else if (quit_asked) {
			quit_asked = false;
			if (byte == 'y')
				c->work |= WORK_OFF;
		} else if (escape_seen) {
			escape_seen = false;
			alarm_set(ALARM_ESCAPE, 0);
			if (!escape_key(c, byte))
				break;
		} else if (byte == KEY_ESCAPE && console_escape) {
			escape_seen = true;
			escape_time = counter();
			alarm_set(ALARM_ESCAPE, escape_time + sysreg_read(cntfrq_el0));
		} else if (!to_guest((u8)byte)) {
			break;
		}
		if (c->work & WORK_MONITOR)
			break; /* the rest is the monitor's input */
	}
}

void console_input(struct cpu *c)
{
	bool taken = console_hold();

	output_pump();
	input(c);
	console_release(taken);
}

/* The guest has not made room for another second. */
static void deaf_tick(struct cpu *c)
{
	if (++deaf < DEAF) {
		deaf_wait();
		return;
	}
	alarm_set(ALARM_DEAF, 0);
	c->work |= WORK_DEAF;
}

void console_deaf(struct cpu *c)
{
	bool taken;

	if (deaf < DEAF || !holding) /* the guest has read meanwhile */
		return;
	log_note(c, "input dropped: the guest does not read");
	taken = console_hold();
	if (deaf == DEAF && holding) {
		holding = false;
		uart_rx_interrupt(true);
		input(c);
	}
	console_release(taken);
}

void console_tick(struct cpu *c)
{
	bool taken = console_hold();
	u64 due = escape_time + sysreg_read(cntfrq_el0);

	if (escape_seen && counter() >= due) {
		escape_seen = false;
		to_guest(KEY_ESCAPE);
	}
	alarm_set(ALARM_ESCAPE, escape_seen ? due : 0);
	alarm_set(ALARM_DEAF, holding && deaf < DEAF ? deaf_due : 0);
	if (holding && deaf < DEAF && counter() >= deaf_due)
		deaf_tick(c);
	if (watch_due && counter() >= watch_due) {
		c->work |= WORK_WATCH;
		console_watch();
	}
	console_release(taken);
}

int console_getc(int ms)
{
	u64 until = ms < 0 ? 0 : counter() + sysreg_read(cntfrq_el0) / 1000 * (u64)ms;

	for (;;) {
		int byte;

		console_flush();
		byte = vuart_unread();
		if (byte >= 0)
			return byte;
		if (holding) {
			holding = false;
			uart_rx_interrupt(true);
			return held;
		}
		uart_clear_interrupt(); /* cleared before the look: a byte that comes after it wakes the CPU */
		byte = uart_get();
		if (byte >= 0)
			return byte;
		if (until && counter() >= until)
			return -1;
		if (console_polls)
			relax();
		else
			alarm_sleep(until);
	}
}
