/* SPDX-License-Identifier: Apache-2.0 */
/* gdb's remote protocol: a thread for each CPU, its registers, its memory, its breakpoints and watchpoints. */
#include "operator/gdb.h"
#include "arch/arch.h"
#include "lib/string.h"
#include "log/console.h"
#include "log/evidence.h"
#include "log/output.h"
#include "log/power.h"
#include "operator/debug.h"
#include "operator/gdb_packet.h"
#include "vm/el1_exception.h"

#define SILENCE_MS 3000
#define BAD_MOST   3
#define TEXT       64
#define N_REGS     34 /* x0 to x30, sp, pc, cpsr */
#define REG_SP     31
#define REG_PC     32
#define REG_CPSR   33

bool gdb_active;
static struct gdb_packet in;
static char out[GDB_PACKET];
static char text[TEXT];
static size_t text_used;
static bool no_ack;
static bool running;   /* gdb waits for a stop reply */
static bool by_ipa;    /* Qqemu.PhyMemMode */
static unsigned bad;   /* broken packets in a row */
static bool again;     /* the session has moved to another CPU, for the packet in `in` */

/* --- the wire ------------------------------------------------------------------------------------- */

static void send(const char *s)
{
	static const char digits[] = "0123456789abcdef";
	u8 sum = 0;

	output_put('$');
	for (; *s; s++) {
		output_put((u8)*s);
		sum = (u8)(sum + *s);
	}
	output_put('#');
	output_put((u8)digits[sum >> 4]);
	output_put((u8)digits[sum & 15]);
	output_pump();
}

static void flush_text(void)
{
	char packet[2 * TEXT + 2] = "O";

	if (!text_used)
		return;
	gdb_put_bytes(packet + 1, text, text_used);
	text_used = 0;
	send(packet);
}

void gdb_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\r')
			continue;
		text[text_used++] = s[i];
		if (text_used == TEXT || s[i] == '\n')
			flush_text();
	}
}

static void __attribute__((noinline)) answer(const char *s)
{
	ksnprintf(out, sizeof(out), "%s", s);
}

/* --- registers ------------------------------------------------------------------------------------- */

static u64 *reg(struct cpu *c, unsigned n)
{
	if (n < REG_SP)
		return &c->frame.x[n];
	return n == REG_SP ? guest_register(&c->frame, "sp", 2) : n == REG_PC ? &c->frame.elr_el2 : &c->frame.spsr_el2;
}

static size_t reg_size(unsigned n)
{
	return n == REG_CPSR ? 4 : 8;
}

static u64 reg_read(struct cpu *c, unsigned n)
{
	return n == REG_CPSR ? c->frame.spsr_el2 & ~SPSR_SS : *reg(c, n);
}

/* False: PSTATE would be of a mode that the guest may not be in. */
static truth reg_write(struct cpu *c, unsigned n, u64 v)
{
	if (n == REG_CPSR && (v & 0x1f) != 0 && (v & 0x1f) != 4 && (v & 0x1f) != 5)
		return false;
	*reg(c, n) = v;
	sysreg_write(sp_el0, c->frame.sp_el0);
	sysreg_write(sp_el1, c->frame.sp_el1);
	return true;
}

static void read_all(struct cpu *c)
{
	size_t at = 0;

	for (unsigned n = 0; n < N_REGS; n++) {
		u64 v = reg_read(c, n);

		gdb_put_bytes(out + at, &v, reg_size(n));
		at += 2 * reg_size(n);
	}
}

static truth write_all(struct cpu *c, const char *s)
{
	for (unsigned n = 0; n < N_REGS; n++) {
		u64 v = 0;

		if (!gdb_get_bytes(s, &v, reg_size(n)) || !reg_write(c, n, v))
			return false;
		s += 2 * reg_size(n);
	}
	return true;
}

static truth one_reg(struct cpu *c, const char *s, bool write)
{
	u64 n, v = 0;

	if (!gdb_number(&s, &n) || n >= N_REGS)
		return false;
	if (write)
		return *s == '=' && gdb_get_bytes(s + 1, &v, reg_size((unsigned)n)) && reg_write(c, (unsigned)n, v);
	v = reg_read(c, (unsigned)n);
	gdb_put_bytes(out, &v, reg_size((unsigned)n));
	return true;
}

/* --- memory ---------------------------------------------------------------------------------------- */

/* "ADDR,LENGTH", and ':' where data follows. */
static truth take_range(const char **s, struct address *a, u64 *n)
{
	a->space = by_ipa ? SPACE_IPA : SPACE_VA;
	if (!gdb_number(s, &a->value) || *(*s)++ != ',' || !gdb_number(s, n))
		return false;
	return true;
}

static truth read_range(const char *s)
{
	struct address a;
	u8 bytes[64];
	u64 n;
	size_t at = 0;

	if (!take_range(&s, &a, &n))
		return false;
	if (n > (sizeof(out) - 1) / 2)
		n = (sizeof(out) - 1) / 2;
	while (n) {
		size_t want = n < sizeof(bytes) ? n : sizeof(bytes), got = read_memory(&a, bytes, want);

		gdb_put_bytes(out + at, bytes, got);
		at += 2 * got;
		a.value += got;
		n -= got;
		if (got < want)
			break;
	}
	return at > 0;
}

static truth write_range(struct cpu *c, const char *s, bool binary)
{
	struct address a;
	u64 n, first = 0;
	const char *end = in.data + in.n;

	if (!take_range(&s, &a, &n) || *s++ != ':')
		return false;
	if ((u64)(end - s) != (binary ? n : 2 * n))
		return false;
	/* Decodes pairs of digits in place. */
	if (!binary && !gdb_get_bytes(s, in.data, n))
		return false;
	if (!binary)
		s = in.data;
	if (n && write_memory(&a, s, n) < n)
		return false;
	memcpy(&first, s, n < 8 ? n : 8);
	if (n)
		log_event(c, EV_STATE_WRITE, first, a.value);
	return true;
}

/* --- points ---------------------------------------------------------------------------------------- */

/* "TYPE,ADDR,KIND" of Z and z: 0 and 1 breakpoints, 2 write, 3 read, 4 access. */
static truth point(const char *s, bool insert)
{
	static const u8 accesses[] = { 0, 0, 2, 1, 3 };
	struct debug_point p = { .owner = POINT_GDB };
	u64 type, size;
	bool data;

	if (!gdb_number(&s, &type) || type > 4 || *s++ != ',' || !gdb_number(&s, &p.va) || *s++ != ',' ||
	    !gdb_number(&s, &size))
		return false;
	data = type > 1;
	if (data && (!size || size > 8 || (p.va & 7) + size > 8))
		return false;
	p.access = accesses[type];
	p.size = data ? (u8)size : 0;
	for (unsigned i = data ? DEBUG_CODE : 0; i < (data ? DEBUG_POINTS : DEBUG_CODE); i++) {
		struct debug_point *q = &debug_points[i];

		if (q->owner != POINT_GDB || q->va != p.va || q->access != p.access || q->size != p.size)
			continue;
		if (!insert)
			q->owner = POINT_FREE;
		return true;
	}
	return !insert || debug_add(&p, data) >= 0;
}

static void drop_points(void)
{
	for (unsigned i = 0; i < DEBUG_POINTS; i++)
		if (debug_points[i].owner == POINT_GDB)
			debug_points[i].owner = POINT_FREE;
}

/* --- queries --------------------------------------------------------------------------------------- */

#define X(n)  "<reg name=\"x" #n "\" bitsize=\"64\"/>"
#define X4(a, b, c, d) X(a) X(b) X(c) X(d)
static const char xml[] =
	"<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
	"<architecture>aarch64</architecture><feature name=\"org.gnu.gdb.aarch64.core\">"
	X4(0, 1, 2, 3) X4(4, 5, 6, 7) X4(8, 9, 10, 11) X4(12, 13, 14, 15) X4(16, 17, 18, 19) X4(20, 21, 22, 23)
	X4(24, 25, 26, 27) X(28) X(29) X(30)
	"<reg name=\"sp\" bitsize=\"64\" type=\"data_ptr\"/><reg name=\"pc\" bitsize=\"64\" type=\"code_ptr\"/>"
	"<reg name=\"cpsr\" bitsize=\"32\"/></feature></target>";

/* "OFFSET,LENGTH" of target.xml. */
static void features(const char *s)
{
	const u64 n = sizeof(xml) - 1;
	u64 from, length;

	if (!gdb_number(&s, &from) || *s++ != ',' || !gdb_number(&s, &length) || from > n) {
		answer("E01");
		return;
	}
	if (length > sizeof(out) - 2)
		length = sizeof(out) - 2;
	ksnprintf(out, sizeof(out), "%c%.*s", from + length < n ? 'm' : 'l', (int)length, xml + from);
}

static const char *after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) ? NULL : s + n;
}

static void command(struct monitor *m, const char *hex)
{
	char line[MONITOR_LINE];
	size_t n = strlen(hex) / 2;

	if (n >= sizeof(line) || !gdb_get_bytes(hex, line, n)) {
		answer("E01");
		return;
	}
	line[n] = '\0';
	monitor_execute(m, line);
	flush_text();
	answer("OK");
}

/* Threads are numbered from 1. Whether `thread` is a CPU that stands still, or 0: any. */
static __attribute__((noinline)) truth alive(const struct monitor *m, u64 thread)
{
	return !thread || thread - 1 == m->c->index || monitor_other(thread - 1);
}

/* True: the session goes on there, with this packet. */
static __attribute__((noinline)) truth move(struct monitor *m, u64 thread)
{
	if (!thread || thread - 1 == m->c->index)
		return false;
	m->to = monitor_other(thread - 1);
	m->next = MONITOR_CPU;
	again = true;
	return true;
}

static void threads(const struct monitor *m)
{
	size_t n = 0;

	for (u64 thread = 1; thread <= MAX_CPUS; thread++)
		if (alive(m, thread))
			n += ksnprintf(out + n, sizeof(out) - n, "%c%lx", n ? ',' : 'm', thread);
}

/* Packets that begin like this, and their one answer. */
static const struct {
	char packet[20], answer[84];
} constant[] = {
	{ "qSupported", "PacketSize=448;qXfer:features:read+;QStartNoAckMode+;vContSupported+" },
	{ "qsThreadInfo", "l" }, { "qAttached", "1" }, { "QStartNoAckMode", "OK" }, { "vCont?", "vCont;c;C;s;S" },
};
_Static_assert(GDB_PACKET - 4 == 0x448, "PacketSize");

static void query(struct monitor *m, const char *s)
{
	const char *rest;

	if ((rest = after(s, "qXfer:features:read:target.xml:")))
		features(rest);
	else if ((rest = after(s, "qRcmd,")))
		command(m, rest);
	else if (!strcmp(s, "qC"))
		ksnprintf(out, sizeof(out), "QC%x", m->c->index + 1);
	else if (!strcmp(s, "qfThreadInfo"))
		threads(m);
	else if (after(s, "qqemu.PhyMemMode"))
		ksnprintf(out, sizeof(out), "%u", by_ipa);
	else if ((rest = after(s, "Qqemu.PhyMemMode:"))) {
		by_ipa = *rest == '1';
		answer("OK");
	}
}

/* --- the session ----------------------------------------------------------------------------------- */

static void stop_reply(const struct monitor *m)
{
	bool key = !strcmp(m->stop_reason, "gdb") || !strcmp(m->stop_reason, "key") || !strcmp(m->stop_reason, "break");

	if (!strcmp(m->stop_reason, "watchpoint"))
		ksnprintf(out, sizeof(out), "T05watch:%lx;thread:%x;", m->c->frame.far_el2, m->c->index + 1);
	else
		ksnprintf(out, sizeof(out), "T0%cthread:%x;", key ? '2' : '5', m->c->index + 1);
}

static void finish(struct monitor *m)
{
	drop_points();
	flush_text();
	gdb_active = running = by_ipa = no_ack = false;
	log_note(m->c, "gdb-");
}

static bool yes(bool ok)
{
	answer(ok ? "OK" : "E01");
	return false;
}

/* 's' and 'c' with an address, vCont's first action. True: the guest goes on. */
static truth go(struct monitor *m, char how, const char *s)
{
	u64 pc;

	if (gdb_number(&s, &pc))
		m->c->frame.elr_el2 = pc;
	if (how == 's' || how == 'S')
		debug_step(m->c, 1, true);
	running = true;
	return true;
}

/*
 * Handles a packet. True: leave the session, for the guest or the prompt. `out` is the answer, unless it is empty or
 * `silent`.
 */
static truth handle(struct monitor *m, bool *silent)
{
	const char *s = in.data;
	struct cpu *c = m->c;
	u64 thread;
	char how;

	out[0] = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(constant); i++)
		if (after(s, constant[i].packet)) {
			no_ack |= s[0] == 'Q';
			answer(constant[i].answer);
			return false;
		}
	switch (*s) {
	case '?':
		stop_reply(m);
		return false;
	case 'g':
		read_all(c);
		return false;
	case 'G':
		return yes(write_all(c, s + 1));
	case 'p':
		return one_reg(c, s + 1, false) ? false : yes(false);
	case 'P':
		return yes(one_reg(c, s + 1, true));
	case 'm':
		return read_range(s + 1) ? false : yes(false);
	case 'M':
		return yes(write_range(c, s + 1, false));
	case 'X':
		return yes(write_range(c, s + 1, true));
	case 'Z':
	case 'z':
		return yes(point(s + 1, *s == 'Z'));
	case 'H':
	case 'T':
		thread = 0;
		s += 1 + (*s == 'H');
		if (*s != '-' && (!gdb_number(&s, &thread) || !alive(m, thread)))
			return yes(false);
		return in.data[0] == 'H' && in.data[1] == 'g' && move(m, thread) ? true : yes(true);
	case 'q':
	case 'Q':
		query(m, s);
		return m->next != MONITOR_CONT;
	case 'c':
	case 's':
		*silent = true;
		return go(m, *s, s + 1);
	case 'v':
		s = after(s, "vCont;");
		if (!s)
			return false;
		how = *s++;
		if (how != 'c' && how != 's' && how != 'C' && how != 'S')
			return yes(false);
		gdb_number(&s, &thread); /* the signal */
		thread = 0;
		if (*s++ == ':' && *s != '-' && (!gdb_number(&s, &thread) || !alive(m, thread)))
			return yes(false);
		*silent = true;
		return (how | 0x20) == 's' && move(m, thread) ? true : go(m, how, "");
	case 'D':
		send("OK");
		*silent = true;
		finish(m);
		m->leave = true;
		return true;
	case 'k':
		finish(m);
		machine_off("poweroff");
	}
	return false; /* not supported: the empty answer */
}

/* As handle(), and sends the answer. */
static __attribute__((noinline)) truth serve(struct monitor *m)
{
	bool silent = again = false;

	if (handle(m, &silent))
		return true;
	if (!silent)
		send(out);
	return false;
}

truth gdb_session(struct monitor *m)
{
	flush_text();
	if (running) {
		stop_reply(m);
		running = false;
		send(out);
	}
	if (again && serve(m))
		return true;
	for (m->leave = false;;) {
		int byte = console_getc(gdb_inside(&in) ? SILENCE_MS : -1);

		if (byte < 0 || byte == CONSOLE_BREAK) {
			in.state = 0;
			break;
		}
		switch (gdb_feed(&in, (u8)byte)) {
		case GDB_BAD:
			if (!no_ack)
				output_put('-');
			if (++bad < BAD_MOST)
				continue;
			break;
		case GDB_NAK:
			send(out);
			continue;
		case GDB_DATA:
			bad = 0;
			if (!no_ack)
				output_put('+');
			if (serve(m))
				return true;
			continue;
		default:
			continue;
		}
		break;
	}
	bad = 0;
	finish(m);
	kprintf("gdb mode ended: silence, BREAK or broken packets\n");
	return false;
}

void gdb_begin(struct monitor *m)
{
	kprintf("gdb mode: connect now, leave with 'detach'\n");
	log_note(m->c, "gdb+");
	gdb_active = true;
	in.state = 0;
}
