/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text out, by HV_CONSOLE_WRITE in large pieces. A line:
 *   sw KIND DIRECTION WIDTH FIRST STEP X1 X2 : TOKEN...     numbers in hex, a token is LETTER[FLAG][COUNT][=VALUE]
 */
#include "report.h"
#include "cpu.h"
#include "guest_calls.h"
#include "plan.h"

#define LINE 120

u64 report_traps;

static char buffer[4000];
static u32 used;
static u32 column;

static struct {
	char kind, direction;
	u8 width;
	u64 next, step, x1, x2; /* next: the address that continues the line */
	struct result same;
	u64 count;              /* how many equal outcomes, not printed yet */
	u64 at;                 /* where they begin */
} now;
static u64 accesses;

static void flush(void)
{
	u32 done = 0, patience = 1000;

	while (done < used && patience) {
		cpu_wait_us(pace_of_console);
		s64 taken = (s64)cpu_hvc(HV_CONSOLE_WRITE, (u64)buffer + done, used - done, 0);

		if (taken > 0) {
			done += (u32)taken;
		} else {
			patience--;
			cpu_wait_us(1000);
		}
	}
	used = 0;
}

static void put(char c)
{
	if (used == sizeof(buffer))
		flush();
	buffer[used++] = c;
	column++;
}

static void put_text(const char *s)
{
	while (*s)
		put(*s++);
}

static void put_hex(u64 v)
{
	unsigned shift = 60;

	while (shift && !(v >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		put("0123456789abcdef"[v >> shift & 15]);
		if (!shift)
			break;
	}
}

static void new_line(void)
{
	if (column)
		put('\n');
	column = 0;
}

static void head(u64 at)
{
	new_line();
	put_text("sw ");
	put(now.kind);
	put(' ');
	put(now.direction);
	put(' ');
	put_hex(now.width);
	put(' ');
	put_hex(at);
	put(' ');
	put_hex(now.step);
	put(' ');
	put_hex(now.x1);
	put(' ');
	put_hex(now.x2);
	put_text(" :");
}

static void token(void)
{
	if (!now.count)
		return;
	if (!column || column > LINE)
		head(now.at);
	put(' ');
	put(now.same.letter);
	if (now.same.flag)
		put(now.same.flag);
	if (now.count > 1)
		put_hex(now.count);
	if (now.same.has_value) {
		put('=');
		put_hex(now.same.value);
	}
	now.count = 0;
}

bool report_alike(const struct result *a, const struct result *b)
{
	return a->letter == b->letter && a->flag == b->flag && a->has_value == b->has_value && a->value == b->value;
}

void report(char kind, char direction, u8 width, u64 at, u64 step, u64 x1, u64 x2, const struct result *r)
{
	bool goes_on = now.kind == kind && now.direction == direction && now.width == width && now.step == step &&
		       now.x1 == x1 && now.x2 == x2 && now.next == at;

	accesses++;
	if (r->flag)
		report_traps++;
	if (!goes_on || !report_alike(&now.same, r))
		token();
	if (!goes_on) {
		new_line();
		now.kind = kind;
		now.direction = direction;
		now.width = width;
		now.step = step;
		now.x1 = x1;
		now.x2 = x2;
	}
	if (!now.count++) {
		now.same = *r;
		now.at = at;
	}
	now.next = at + step;
}

void report_start(bool can_count)
{
	put_text(can_count ? "sw start" : "sw start blind");
	new_line();
	flush();
}

void report_end(void)
{
	token();
	new_line();
	put_text("sw end ");
	put_hex(accesses);
	new_line();
	flush();
}
