/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/dev/vuart.c and hv/log/console.c between a guest, an operator and the clock, each step told to uart_model.h as
 * well: compared are reads, output, the receiver of input, alarms, and work for EL2. argv: first seed, number of seeds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "board/uart.h"
#include "cpu/alarm.h"
#include "cpu/locks.h"
#include "dev/vgic.h"
#include "dev/vuart.h"
#include "lib/build.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/gdb.h"
#include "uart_model.h"

u64 fake_now = 1, fake_step;
bool gdb_active;
/* Declared constant, as the generated one is. */
asm(".globl build_monitor\n.set build_monitor, has_monitor");
bool has_monitor = true;

static struct cpu cpu;
static struct u_queue wire, out, packet;
static u64 alarms[ALARM_COUNT], state, seed, steps;
static bool rx_on = true, level;
static unsigned notes, cleared;
static const char *doing = "";

static u32 any(u32 n)
{
	state = state * 6364136223846793005UL + 1442695040888963407UL;
	return (u32)(state >> 33) % n;
}
static void same(u64 hv, u64 model, const char *what)
{
	if (hv == model)
		return;
	fprintf(stderr, "uart_host: seed %lu, step %lu (%s): %s is %#lx, and the model has %#lx\n", (unsigned long)seed,
		(unsigned long)steps, doing, what, (unsigned long)hv, (unsigned long)model);
	abort();
}

/* --- called by the two ------------------------------------------------------------------------------------------- */

u64 fake_sysreg_read(const char *name)
{
	if (!strcmp(name, "tpidr_el2"))
		return (u64)&cpu;
	same(strcmp(name, "cntfrq_el0"), 0, "the register");
	return U_SECOND;
}
void fake_sysreg_write(const char *name, u64 value) { (void)name; (void)value; abort(); }
/* The board's transmit FIFO: how many bytes it has room for. */
static u64 room;
static bool tx_on;
bool uart_ready(void) { return room > 0; }
void uart_wait(void)
{
	room += !room;
}
void uart_send(u8 byte)
{
	same(room > 0, 1, "whether there was room");
	room--;
	u_add(&out, byte);
}
void uart_tx_interrupt(bool on)
{
	same(on, !tx_on, "an interrupt that is turned");
	tx_on = on;
}
int uart_get(void)
{
	same(cleared > 0, 1, "whether the interrupt was cleared before the look");
	return wire.n ? u_take(&wire) : -1;
}
void uart_rx_interrupt(bool on) { rx_on = on; }
void uart_clear_interrupt(void) { cleared++; }
void gdb_text(const char *s, size_t n)
{
	while (n--)
		u_add(&packet, (u8)*s++);
}
void log_line(struct cpu *c, char kind, const char *text)
{
	same(c == &cpu && kind == 'E' && strstr(text, "dropped") != NULL, 1, "the note");
	notes++;
}
void vgic_set_level(u32 irq, bool high)
{
	same(irq, IRQ_UART, "the interrupt");
	same(high, !level, "a level that is told"); /* changes only */
	level = high;
}
void alarm_set(enum alarm which, u64 when) { alarms[which] = when; }
static unsigned sleeps;
static u64 slept_until;
void alarm_sleep(u64 until)
{
	slept_until = until;
	/* The deadline, or a key before it; sometimes neither. */
	if (sleeps++ && (!until || any(2))) {
		u_add(&wire, 'k');
		u_add(&u.wire, 'k');
	} else if (sleeps > 1) {
		fake_now = u.now = until;
	}
}

/* --- comparing --------------------------------------------------------------------------------------------------- */

static void same_queue(struct u_queue *hv, struct u_queue *model, const char *what)
{
	same(hv->n, model->n, what);
	for (unsigned k = 0; k < hv->n; k++)
		same((u64)hv->at[k], (u64)model->at[k], what);
}

static bool slow; /* the UART, in every other run */
static bool deafened; /* trap_work()'s next work */

static void check(void)
{
	u32 work = (u.open ? WORK_MONITOR : 0) | (u.status ? WORK_STATUS : 0) | (u.dump ? WORK_DUMP : 0) | (u.live ? WORK_LIVE : 0) |
		   (u.quit ? WORK_QUIT : 0) | (u.keys ? WORK_KEYS : 0) | (u.off ? WORK_OFF : 0) | (u.more ? WORK_INPUT : 0) |
		   (u.watch ? WORK_WATCH : 0) | (u.deafened ? WORK_DEAF : 0);

	same_queue(&out, &u.out, "what goes out");
	same_queue(&packet, &u.packet, "what goes to gdb");
	out.n = u.out.n = packet.n = u.packet.n = 0;
	same(wire.n, u.wire.n, "input that nobody has read");
	same(level, u_interrupt(), "the interrupt's line");
	same(rx_on, !u.rx_off, "the board's receive interrupt");
	same(tx_on, u.left.n > 0, "the board's transmit interrupt");
	same(room, u.room, "room in the board's FIFO");
	same(fake_holds, 0, "locks that are left taken");
	same(alarms[ALARM_ESCAPE], u.escape_due, "the alarm of ^]");
	same(u.holding ? alarms[ALARM_DEAF] : 0, u.holding ? u.deaf_due : 0, "the alarm of a full ring");
	same(alarms[ALARM_WATCH], u.watch_due, "the alarm of traps -w");
	same(notes, u.notes, "notes");
	same(console_midline(), u.midline, "whether the guest is in a line");
	same(console_guest_bytes, u.guest_bytes, "bytes of the guest");
	same(vuart_flags, u_read(0x18), "FR, without the lock,");
	same(cpu.work, work, "what is asked of EL2");
	if (u.open)
		same(strcmp(cpu.stop_reason, u.why), 0, "why the monitor opens");
	deafened |= u.deafened;
	cpu.work = 0;
	u.deafened = u.open = u.status = u.dump = u.live = u.quit = u.keys = u.off = u.more = u.watch = false;
}

/* --- events ------------------------------------------------------------------------------------------------------ */

static void sent(int byte)
{
	u_add(&wire, byte);
	u_add(&u.wire, byte);
}

static void operator(void)
{
	static const char keys[] = "msdlqgb?y\x1dzx\x03";
	unsigned n = any(200) ? any(6) : any(3) ? any(6000) : 9000;
	bool ours = !any(4);

	for (unsigned k = 0; k < n && u.wire.n < U_MANY / 2; k++) {
		if (n > 6 && ours) { /* keys that never reach the guest's ring */
			sent(0x1d);
			sent('s');
			continue;
		}
		switch (any(n > 6 ? 2000 : 8)) {
		case 0: sent(any(3) ? 0x1d : U_BREAK); break;
		case 1: sent(0x1d); sent(keys[any(sizeof(keys) - 1)]); break;
		case 2: sent(keys[any(sizeof(keys) - 1)]); break;
		default: sent((int)any(256));
		}
	}
}

static void touch(void)
{
	static const u32 at[] = { 0, 0, 0, 4, 0x18, 0x20, 0x24, 0x28, 0x2c, 0x30, 0x34, 0x38, 0x3c, 0x40, 0x44, 0x48, 0x30, 0x38 };
	u32 reg = any(6) ? at[any(ARRAY_SIZE(at))] : any(2) ? 0xfe0 + 4 * any(8) : any(0x1000);

	if (any(2)) {
		u64 v = (u64)any(~0u) << 32 | (any(2) ? any(~0u) : any(3) ? 0xffff : 0x1e + any(2));

		if (reg == 0 && !any(3))
			v = '\n';
		doing = "a write of the guest";
		vuart_write(reg, v);
		u_write(reg, (u32)v);
	} else {
		doing = "a read of the guest";
		same(vuart_read(&cpu, reg), u_read(reg), "what is read");
	}
}

static void prompt(void)
{
	int ms = any(2) ? 0 : any(2) ? (int)any(5000) : -1, got, want;

	doing = "the prompt";
	console_polls = !any(3);
	if (console_polls)
		ms = 0;
	cleared = sleeps = 0;
	slept_until = 0;
	want = u_getc();
	if (ms < 0 && want < 0) { /* a key that comes later */
		got = console_getc(ms);
		same((u64)got, 'k', "the key");
		same((u64)u_take(&u.wire), 'k', "the key");
		same(slept_until, 0, "until when it sleeps");
		return;
	}
	if (ms > 0 && want < 0) {
		u64 until = fake_now + U_SECOND / 1000 * (u64)ms;

		got = console_getc(ms);
		same(slept_until, until, "until when it sleeps");
		same((u64)got, u.wire.n ? (u64)u_take(&u.wire) : -1UL, "the key");
		return;
	}
	got = console_getc(ms);
	same((u64)(s64)got, (u64)(s64)want, "the key");
	same(sleeps, 0, "sleeps");
}

static void input(void)
{
	console_input(&cpu);
	u_pump();
	u_input();
}

static void write_text(void)
{
	static u8 text[4096];
	u32 n = any(3) ? any(40) : any(4097);

	for (u32 k = 0; k < n; k++)
		text[k] = any(30) ? 'a' + (u8)any(26) : any(2) ? '\n' : 0x1e + (u8)any(2);
	same(console_guest_text(text, n), u_text(text, n), "how much of it was written");
}

static void step(void)
{
	static const char *const own[] = { "\x1e@D 1\r\n", "hv> ", "a line\n" };
	const char *s;

	cleared = 0;
	if (deafened && any(2)) {
		doing = "a note";
		deafened = false;
		spin_lock(&log_lock);
		console_deaf(&cpu);
		spin_unlock(&log_lock);
		u_tell_deaf();
	}
	if (!any(4)) /* a FIFO that is slow, and one that takes everything */
		room = u.room = slow ? any(3) * any(100) : 1 << 20;
	switch (any(17)) {
	case 0: case 1: operator(); /* fall through */
	case 2:
		doing = "input";
		input();
		break;
	case 16:
		doing = "a text of the guest";
		write_text();
		break;
	case 3:
		doing = "time";
		fake_now = u.now += any(3) ? any(U_SECOND) : U_SECOND;
		break;
	case 4:
		doing = "tick";
		console_tick(&cpu);
		u_tick();
		break;
	case 5:
		doing = "EL2's output";
		s = own[any(3)];
		console_raw(s, strlen(s));
		u_own(s, (unsigned)strlen(s));
		break;
	case 6:
		if (any(4))
			break;
		doing = "settings";
		gdb_active = u.gdb = !any(3);
		console_escape = u.escapes = any(5);
		has_monitor = u.monitor = any(5);
		break;
	case 7: prompt(); break;
	case 8:
		if (any(8))
			break;
		doing = "traps -w";
		console_watch();
		u.watching = true;
		u.watch_due = u.now + U_SECOND;
		break;
	case 9: /* the guest reads, or is stuck */
		doing = "the guest reads";
		for (u32 n = any(100) ? any(8) : 4000; n--;)
			same(vuart_read(&cpu, 0), u_read(0), "what is read");
		break;
	default: touch();
	}
	check();
}

/* A receiver that is on and never emptied: seconds pass until it counts as deaf, and it may read again. */
static void deaf(void)
{
	doing = "a deaf guest";
	vuart_write(0x30, 0x301);
	u_write(0x30, 0x301);
	gdb_active = u.gdb = false;
	for (unsigned k = 0; k < 5000; k++)
		sent('a' + (int)any(26));
	for (unsigned k = any(14); k--;) {
		input();
		check();
		fake_now = u.now += U_SECOND + any(2) - any(2);
		console_tick(&cpu);
		u_tick();
		check();
	}
}

int main(int argc, char **argv)
{
	u64 first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;

	for (seed = first; seed < first + n; seed++) {
		int status;
		pid_t child = fork(); /* each seed begins as EL2 does */

		if (child < 0)
			return 2;
		if (child > 0) {
			if (waitpid(child, &status, 0) != child || status)
				return 1;
			continue;
		}
		state = seed;
		u_reset();
		slow = seed % 2;
		room = u.room = 1 << 20;
		for (steps = 0; steps < 1000; steps++) {
			step();
			if (steps == 500 && any(2))
				deaf();
		}
		exit(0);
	}
	printf("seeds=%lu\n", (unsigned long)n);
	return 0;
}
