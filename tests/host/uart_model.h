/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second telling of the guest's PL011 (TRM, DDI 0183) and of the one line it shares with EL2 (hv/log/README.md):
 * queues and plain values, no bits packed, no index wrapped. hv/ does not include it.
 */
#include <string.h>

#define U_BREAK  0x400
#define U_RING   4096
#define U_MANY   20000
#define U_RING_OUT 16384 /* bytes that may wait for the UART, and the guest's share: full, and a driver's burst more */
#define U_FULL   4096
#define U_BURST  64
#define U_BUDGET 128
#define U_SECOND 62500000UL

struct u_queue {
	int *at, many[2 * U_MANY];
	unsigned n;
};

static struct {
	/* the PL011 */
	unsigned lcr, ibrd, fbrd, cr, ifls, imsc, dmacr, ilpr;
	bool ri, cts, dcd, dsr;  /* raw interrupts of modem lines, until cleared */
	bool overrun, lost;      /* raw interrupt OE; RSR's OE */
	unsigned errors;         /* of RSR, from the last DR */
	bool sent, broke;        /* raw interrupts TX and BE, until cleared */
	bool broken;             /* a BREAK that no read of DR has shown yet */
	struct u_queue ring;     /* bytes that the guest has not read */
	/* the line */
	struct u_queue wire;     /* input that nothing has read yet */
	struct u_queue left;     /* bytes that wait for the UART */
	unsigned long room;      /* bytes that the UART takes before it is full */
	bool full;               /* the guest's FIFO, as FR shows it */
	struct u_queue out;      /* bytes sent since the test has looked */
	struct u_queue packet;   /* ... as gdb's text */
	bool gdb, escapes, monitor;
	bool midline;
	unsigned long guest_bytes, now;
	bool escaped, asked, watching, holding, rx_off;
	int held;
	unsigned deaf, notes;
	unsigned long escape_due, deaf_due, watch_due; /* alarms; 0: none */
	/* work asked of EL2 */
	bool open, status, dump, live, quit, keys, off, more, watch, deafened;
	const char *why;
} u;

static void u_add(struct u_queue *q, int v)
{
	if (!q->n || q->at + q->n == q->many + 2 * U_MANY)
		q->at = memmove(q->many, q->at ? q->at : q->many, q->n * sizeof(v));
	if (q->n < U_MANY)
		q->at[q->n++] = v;
}
static int u_take(struct u_queue *q)
{
	q->n--;
	return *q->at++;
}

static void u_reset(void)
{
	memset(&u, 0, sizeof(u));
	u.cr = 0x300;
	u.ifls = 0x12;
	u.escapes = u.monitor = true;
	u.now = 1;
}

/* --- the guest's output ------------------------------------------------------------------------------------------ */

/* The ring has room again: the guest's interrupt says so. */
static void u_shown(void)
{
	bool full = u.left.n >= U_FULL;

	u.sent = u.sent || (u.full && !full);
	u.full = full;
}

static void u_pump(void)
{
	for (unsigned k = 0; k < U_BUDGET && u.left.n && u.room; k++, u.room--)
		u_add(&u.out, u_take(&u.left));
	u_shown();
}

/* Waits for the UART as long as needed. */
static void u_flush(void)
{
	u.room = u.room > u.left.n ? u.room - u.left.n : 0;
	while (u.left.n)
		u_add(&u.out, u_take(&u.left));
	u_shown();
}

static void u_put(int byte)
{
	if (u.left.n == U_RING_OUT)
		u_flush();
	u_add(&u.left, byte);
}

static void u_guest(int byte)
{
	u.guest_bytes++;
	if (u.gdb) {
		u_add(&u.packet, byte);
	} else if (byte == 0x1e || byte == 0x1f) {
		u_put(0x1f);
		u_put(byte == 0x1e ? 'e' : 'f');
		u.midline = true;
	} else {
		u_put(byte);
		u.midline = byte != '\n';
	}
}

/* HV_CONSOLE_WRITE: takes as many bytes as there is room for. */
static unsigned u_text(const unsigned char *text, unsigned n)
{
	unsigned k = 0;

	while (k < n && u.left.n < U_FULL)
		u_guest(text[k++]);
	u_pump();
	return k;
}

/* EL2's own bytes: a record begins with RS, which gdb's packets never hold. */
static void u_own(const char *s, unsigned n)
{
	if (u.gdb && s[0] != 0x1e) {
		for (unsigned k = 0; k < n; k++)
			u_add(&u.packet, (unsigned char)s[k]);
		u_pump();
		return;
	}
	if (u.midline) {
		u_put('\r');
		u_put('\n');
	}
	u.midline = false;
	for (unsigned k = 0; k < n; k++)
		u_put((unsigned char)s[k]);
	u_pump();
}

/* --- input: EL2's, or the guest's -------------------------------------------------------------------------------- */

static void u_input(void);

static void u_another_second(void)
{
	u.deaf_due = u.now + U_SECOND;
}

static bool u_loops(void)
{
	return u.cr & 1u << 7;
}

/* False: no room, and the byte waits. A guest that makes none for ten seconds loses it; so does one that loops back. */
static bool u_to_guest(int byte)
{
	if (u_loops())
		return true;
	if (u.ring.n < U_RING) {
		u_add(&u.ring, byte);
		return true;
	}
	if (u.deaf == 10)
		return true;
	u.held = byte;
	u.holding = u.rx_off = true;
	u.deaf = 0;
	u_another_second();
	return false;
}

/* The guest has read all but a quarter of its ring. */
static void u_room(void)
{
	u.deaf = 0;
	if (!u.holding)
		return;
	u.holding = false;
	if (u_to_guest(u.held)) {
		u.rx_off = false;
		u_input();
	}
}

static void u_open(const char *why)
{
	u.open = true;
	u.why = why;
	u.watching = false;
	u.watch_due = 0;
}

static void u_break(void)
{
	if (!u_loops())
		u.broken = u.broke = true;
}

static bool u_key(int byte) /* false: the guest's ring is full */
{
	switch (byte) {
	case 'm': u_open("key"); return true;
	case 'g': u_open("gdb"); return true;
	case 's': u.status = true; return true;
	case 'd': u.dump = true; return true;
	case 'l': u.live = true; return true;
	case 'q': u.quit = u.asked = true; return true;
	case 'b': u_break(); return true;
	case '?': u.keys = true; return true;
	case 0x1d: return u_to_guest(0x1d);
	}
	return u_to_guest(0x1d) && u_to_guest(byte); /* no key: both are the guest's; a full ring keeps only the first */
}

static bool u_byte(int byte)
{
	if (byte == U_BREAK && u.monitor)
		u_open("break");
	else if (byte == U_BREAK)
		u_break();
	else if (u.watching)
		u_open("key");
	else if (u.gdb && byte == 3)
		u_open("key");
	else if (u.gdb)
		;
	else if (u.asked) {
		u.asked = false;
		u.off = u.off || byte == 'y';
	} else if (u.escaped) {
		u.escaped = false;
		u.escape_due = 0;
		return u_key(byte);
	} else if (byte == 0x1d && u.escapes) {
		u.escaped = true;
		u.escape_due = u.now + U_SECOND;
	} else {
		return u_to_guest(byte);
	}
	return true;
}

/* Until the FIFO is empty, or the rest is the monitor's; at most 8192 at once. */
static void u_input(void)
{
	for (unsigned k = 0; !u.holding; k++) {
		if (k == 8192) {
			u.more = true;
			return;
		}
		if (!u.wire.n || !u_byte(u_take(&u.wire)) || u.open)
			return;
	}
}

static void u_tick(void)
{
	if (u.escaped && u.now >= u.escape_due) { /* alone for a second: the byte was the guest's */
		u.escaped = false;
		u_to_guest(0x1d);
	}
	if (!u.escaped)
		u.escape_due = 0;
	if (!u.holding)
		u.deaf_due = 0;
	else if (u.deaf < 10 && u.now >= u.deaf_due) {
		if (++u.deaf < 10) {
			u_another_second();
		} else {
			u.deaf_due = 0;
			u.deafened = true;
		}
	}
	if (u.watching && u.now >= u.watch_due) {
		u.watch = true;
		u.watch_due = u.now + U_SECOND;
	}
}

/* ... which the log says later, unless the guest has read meanwhile. */
static void u_tell_deaf(void)
{
	if (u.deaf < 10 || !u.holding)
		return;
	u.notes++;
	u.holding = u.rx_off = false;
	u_input();
}

/* The monitor's next byte; -1: none. First bytes sent to a guest without a receiver. */
static int u_getc(void)
{
	u_flush();
	if (u.ring.n && !(u.cr & 1 && u.cr & 0x200))
		return u_take(&u.ring);
	if (u.holding) {
		u.holding = u.rx_off = false;
		return u.held;
	}
	return u.wire.n ? u_take(&u.wire) : -1;
}

/* --- the PL011's registers --------------------------------------------------------------------------------------- */

static unsigned u_raw(void)
{
	return (u.ring.n || u.broken ? 1u << 4 | 1u << 6 : 0) | (u.sent ? 1u << 5 : 0) | (u.broke ? 1u << 9 : 0) |
	       (unsigned)u.overrun << 10 | (unsigned)u.ri | (unsigned)u.cts << 1 | (unsigned)u.dcd << 2 | (unsigned)u.dsr << 3;
}
static bool u_interrupt(void)
{
	return u_raw() & u.imsc;
}

static unsigned u_fifo(void)
{
	return u.lcr & 1u << 4 ? 16 : 1;
}
/* FR's DSR, DCD, CTS and RI are CR's DTR, Out1, RTS and Out2. */
static bool u_modem(unsigned out)
{
	return u_loops() && u.cr >> out & 1;
}
static unsigned u_flags(void)
{
	return (u.left.n ? 1u << 3 : 1u << 7) | (u.full ? 1u << 5 : 0) | (u.ring.n || u.broken ? 0 : 1u << 4) | (u.ring.n >= u_fifo() ? 1u << 6 : 0) | (unsigned)u_modem(11) |
	       (unsigned)u_modem(10) << 1 | (unsigned)u_modem(12) << 2 | (unsigned)u_modem(13) << 8;
}

static unsigned u_read(unsigned at)
{
	static const unsigned char id[] = { 0x11, 0x10, 0x14, 0, 0xd, 0xf0, 5, 0xb1 }; /* part 0x011, Arm, r1p4 */
	unsigned v;

	switch (at) {
	case 0x00: /* DR */
		if (u.broken) {
			u.broken = false;
			v = 1u << 10;
		} else if (u.ring.n) {
			v = (unsigned)u_take(&u.ring);
		} else {
			return 0;
		}
		u.errors = v >> 8;
		if (u.ring.n == U_RING / 4)
			u_room();
		return v;
	case 0x04: return u.errors | (unsigned)u.lost << 3;
	case 0x18: return u_flags();
	case 0x20: return u.ilpr;
	case 0x24: return u.ibrd;
	case 0x28: return u.fbrd;
	case 0x2c: return u.lcr;
	case 0x30: return u.cr;
	case 0x34: return u.ifls;
	case 0x38: return u.imsc;
	case 0x3c: return u_raw();
	case 0x40: return u_raw() & u.imsc;
	case 0x48: return u.dmacr;
	}
	return at >= 0xfe0 && at < 0x1000 && at % 4 == 0 ? id[(at - 0xfe0) / 4] : 0;
}

static void u_write(unsigned at, unsigned v)
{
	switch (at) {
	case 0x00:
		if (u_loops()) {
			if (u.ring.n < u_fifo())
				u_add(&u.ring, v & 0xff);
			else
				u.overrun = u.lost = true;
		} else if (u.left.n < U_FULL + U_BURST) {
			u_guest(v & 0xff);
			u_pump();
		}
		u.sent = u.sent || !u.full;
		break;
	case 0x04:
		u.errors = 0;
		u.lost = false;
		break;
	case 0x20: u.ilpr = v & 0xff; break;
	case 0x24: u.ibrd = v & 0xffff; break;
	case 0x28: u.fbrd = v & 0x3f; break;
	case 0x2c:
		if (u_loops() && v & 1 && !(u.lcr & 1)) /* its own BREAK */
			u.broken = u.broke = true;
		u.lcr = v & 0xff;
		break;
	case 0x30: { /* 6 to 3 are reserved */
		bool cts = u_modem(11), dsr = u_modem(10), dcd = u_modem(12), ri = u_modem(13);

		u.cr = v & 0xff87;
		u.cts |= cts != u_modem(11);
		u.dsr |= dsr != u_modem(10);
		u.dcd |= dcd != u_modem(12);
		u.ri |= ri != u_modem(13);
		break;
	}
	case 0x34: u.ifls = v & 0x3f; break;
	case 0x38: u.imsc = v & 0x7ff; break;
	case 0x44: /* ICR: the receive bits follow the ring */
		u.sent = u.sent && !(v >> 5 & 1);
		u.broke = u.broke && !(v >> 9 & 1);
		u.overrun = u.overrun && !(v >> 10 & 1);
		u.ri = u.ri && !(v & 1);
		u.cts = u.cts && !(v >> 1 & 1);
		u.dcd = u.dcd && !(v >> 2 & 1);
		u.dsr = u.dsr && !(v >> 3 & 1);
		break;
	case 0x48: u.dmacr = v & 7; break;
	}
}
