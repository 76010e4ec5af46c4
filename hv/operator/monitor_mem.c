/* SPDX-License-Identifier: Apache-2.0 */
/* Monitor commands that read memory: x, find, bt. Every address is checked. */
#include "lib/string.h"
#include "log/console.h"
#include "log/evidence.h"
#include "log/record.h"
#include "operator/monitor_cmd.h"
#include "trap/operator.h"
#include "vm/guestmem.h"

#define UNITS_MAX   65536 /* units of one `x` */
#define FIND_CHUNK  256
#define FIND_WORD   64
#define FIND_MAX    0x40000000UL
#define FRAMES_MAX  32
#define TRACED      4 /* EV_TRACE */

struct format {
	u64 count;
	unsigned unit; /* bytes */
};

/* "/8b": a count and a letter; `x` is 8 bytes, the machine's word. */
static truth take_format(const char **args, struct format *f)
{
	static const char letters[] = "bhwgx";
	static const u8 units[] = { 1, 2, 4, 8, 8 };
	const char *s = *args;

	*f = (struct format){ 1, 8 };
	if (*s != '/')
		return true;
	s++;
	if (*s >= '0' && *s <= '9' && !take_number(&s, &f->count))
		return false;
	for (unsigned n = 0; *s && *s != ' ' && n < 2; s++, n++) {
		unsigned i = 0;

		while (letters[i] && letters[i] != *s)
			i++;
		if (!letters[i])
			return false;
		if (*s != 'x' || n == 0)
			f->unit = units[i];
	}
	*args = skip_blanks(s);
	return (!*s || *s == ' ') && f->count && f->count <= UNITS_MAX;
}

static void dump_line(const struct address *a, const u8 *bytes, size_t n, const struct format *f)
{
	kprintf("%s0x%lx:", space_names[a->space], a->value);
	for (size_t i = 0; i < n; i += f->unit) {
		u64 v = 0;

		for (unsigned k = 0; k < f->unit; k++)
			v |= (u64)bytes[i + k] << (8 * k);
		kprintf(" 0x%0*lx", (int)f->unit * 2, v);
	}
	kprintf("  ");
	for (size_t i = 0; i < n; i++)
		kprintf("%c", bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : '.');
	kprintf("\n");
}

void monitor_x(struct monitor *m, const char *args)
{
	struct format f;
	struct address a;
	u8 bytes[16];

	if (!take_format(&args, &f)) {
		complain("a count up to %u and one of x g w h b: x/4x ADDR, x/16b ipa:0x..\n", UNITS_MAX);
		return;
	}
	if (!take_address(m, &args, &a) || !no_more(args))
		return;
	while (f.count) {
		size_t want = f.unit < 4 ? 8 : 16, got; /* as many as fit into 80 columns */

		if (want > f.count * f.unit)
			want = f.count * f.unit;
		got = read_memory(&a, bytes, want) & ~(size_t)(f.unit - 1);
		if (got)
			dump_line(&a, bytes, got, &f);
		a.value += got;
		f.count -= got / f.unit;
		if (got < want) {
			say_unreadable(&a);
			return;
		}
		if (!monitor_more(m))
			return;
	}
}

/* "w4 ADDR VALUE": the unit's size may follow the name directly. */
void monitor_w(struct monitor *m, const char *args)
{
	u64 unit = 8, value, old = 0;
	struct address a;

	if (*args >= '1' && *args <= '8' && (!args[1] || args[1] == ' ')) {
		take_number(&args, &unit);
		args = skip_blanks(args);
	}
	if (unit & (unit - 1)) {
		complain("w1, w2, w4 or w8\n");
		return;
	}
	if (!take_address(m, &args, &a))
		return;
	args = skip_blanks(args);
	if (!take_number(&args, &value) || (unit < 8 && value >> (8 * unit))) {
		complain("a value of %lu bytes must follow the address: w4 0x40000000 0xd503201f\n", unit);
		return;
	}
	if (!no_more(args))
		return;
	if (read_memory(&a, &old, unit) < unit || write_memory(&a, &value, unit) < unit) {
		say_unreadable(&a);
		return;
	}
	log_event(m->c, EV_STATE_WRITE, value, a.value);
	kprintf("%s0x%lx: 0x%lx -> 0x%lx  (%lu bytes, icache cleaned, logged)\n", space_names[a.space], a.value, old,
		value, unit);
}

/* The pattern of `find`: "text", text, or a number in 4 or 8 bytes, as it needs. Returns its length, 0: none. */
static size_t take_pattern(const char *args, char pattern[FIND_WORD])
{
	const char *s = args;
	size_t n = 0;
	u64 v;

	if (take_number(&s, &v) && !*s) {
		memcpy(pattern, &v, sizeof(v));
		return v >> 32 ? 8 : 4;
	}
	s = *args == '"' ? args + 1 : args;
	while (s[n] && !(*args == '"' && s[n] == '"') && n < FIND_WORD)
		n++;
	memcpy(pattern, s, n);
	return n;
}

/* Prints every place in [from, from + size) that holds the pattern; skips pages that cannot be read. */
static void search(struct monitor *m, struct address from, u64 size, const char *pattern, size_t n)
{
	char bytes[FIND_CHUNK];
	u64 end = from.value + size;
	unsigned found = 0, looks = 0;

	while (from.value < end && end - from.value >= n) {
		size_t want = end - from.value < sizeof(bytes) ? end - from.value : sizeof(bytes);
		size_t got = read_memory(&from, bytes, want), i;

		if (!(++looks & 0xff) && monitor_key(m)) {
			kprintf("ended by a key at %s0x%lx, ", space_names[from.space], from.value);
			break;
		}
		if (got < n) {
			u64 next = (from.value | 0xfff) + 1;

			if (next < from.value)
				break;
			from.value = next;
			continue;
		}
		for (i = 0; i + n <= got; i++) {
			if (memcmp(bytes + i, pattern, n))
				continue;
			kprintf("%s0x%lx\n", space_names[from.space], from.value + i);
			found++;
			if (!monitor_more(m))
				return;
		}
		from.value += i;
	}
	kprintf("%u found\n", found);
}

void monitor_find(struct monitor *m, const char *args)
{
	char pattern[FIND_WORD];
	struct address a;
	u64 size;
	size_t n;

	if (!take_address(m, &args, &a))
		return;
	if (!take_number(&args, &size) || size > FIND_MAX || a.value + size < a.value) {
		complain("a size up to 1G must follow the address: find 0x40000000 64M \"Linux version\"\n");
		return;
	}
	n = take_pattern(skip_blanks(args), pattern);
	if (!n)
		complain("what is to be found? a text or a number\n");
	else
		search(m, a, size, pattern, n);
}

/* Without the signature of pointer authentication, in bits 54 to 48. */
static u64 unsigned_pointer(u64 p)
{
	return p & BIT(55) ? p | 0xffffUL << 48 : p & ~(0xffffUL << 48);
}

/*
 * X30, then along AAPCS64 frame records: { caller's record, return address }. Each must lie above the one before, so the
 * chain ends.
 */
static unsigned callers(const struct trap_frame *f, u64 to[], unsigned most)
{
	u64 record[2] = { f->x[29], f->x[30] }, fp = 0;
	unsigned n = 0;

	do {
		to[n++] = unsigned_pointer(record[1]);
		if (record[0] <= fp)
			break;
		fp = record[0];
		if (fp & 7 || guest_read_va(fp, record, sizeof(record)) < sizeof(record))
			break;
	} while (record[1] && n < most);
	return n;
}

void log_callers(struct cpu *c)
{
	u64 lr[TRACED] = { 0 };
	struct log_record *r;

	callers(&c->frame, lr, TRACED);
	log_event(c, EV_TRACE, lr[2], lr[1]);
	r = log_slot(&c->log, c->log.seq - 1);
	r->pc = lr[0];
	r->aux = lr[3];
}

void monitor_bt(struct monitor *m, const char *args)
{
	u64 at[FRAMES_MAX];
	unsigned n = callers(&m->c->frame, at, FRAMES_MAX);

	if (!no_more(args))
		return;
	kprintf("#0  0x%lx  (pc)\n", m->c->frame.elr_el2);
	for (unsigned i = 0; i < n; i++)
		kprintf("#%-2u 0x%lx%s\n", i + 1, at[i], i ? "" : "  (lr: the caller, unless it was saved)");
	kprintf("%s\n", n == FRAMES_MAX ? "(more)" : "(the chain of frame pointers ends)");
}
