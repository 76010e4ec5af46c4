/* SPDX-License-Identifier: Apache-2.0 */
/* Monitor commands over debug.c and dis.c: where the guest stops, and its next instructions. */
#include "arch/arch.h"
#include "lib/string.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/debug.h"
#include "operator/dis.h"
#include "operator/monitor_cmd.h"
#include "operator/rules.h"

#define LINES_MAX 1000

static truth say_insn(struct monitor *m, u64 pc)
{
	struct address a = { SPACE_VA, pc };
	char text[64];
	u32 insn;

	if (read_memory(&a, &insn, sizeof(insn)) < sizeof(insn))
		return false;
	dis(text, sizeof(text), insn, pc);
	kprintf("%s0x%lx  %08x  %s\n", pc == m->c->frame.elr_el2 ? " > " : "   ", pc, insn, text);
	return true;
}

void say_insn_there(struct monitor *m, u64 pc)
{
	if (!say_insn(m, pc))
		kprintf("   0x%lx  can not be read: x says why\n", pc);
}

void say_place(struct monitor *m)
{
	static const char at_instructions[][12] = { "step", "breakpoint", "watchpoint", "until" };

	if (!strcmp(m->stop_reason, "watchpoint"))
		kprintf("watchpoint: access to 0x%lx by\n", m->c->frame.far_el2);
	for (unsigned i = 0; i < ARRAY_SIZE(at_instructions); i++)
		if (!strcmp(m->stop_reason, at_instructions[i]))
			say_insn_there(m, m->c->frame.elr_el2);
}

void monitor_dis(struct monitor *m, const char *args)
{
	struct address a = { SPACE_VA, m->c->frame.elr_el2 };
	u64 n = 8;

	if (*args && !take_address(m, &args, &a))
		return;
	args = skip_blanks(args);
	if (*args && (!take_number(&args, &n) || n > LINES_MAX)) {
		complain("dis ADDR N: up to %u instructions\n", LINES_MAX);
		return;
	}
	if (!no_more(args))
		return;
	if (a.space != SPACE_VA) {
		complain("code is shown by the VA it runs at\n");
		return;
	}
	a.value &= ~3UL;
	for (; n; n--, a.value += 4) {
		if (!say_insn(m, a.value)) {
			say_unreadable(&a);
			return;
		}
		if (!monitor_more(m))
			return;
	}
}

/* --- points --------------------------------------------------------------------------------------- */

static void list(bool data)
{
	unsigned first = data ? DEBUG_CODE : 0, n = debug_slots(data), used = 0;

	for (unsigned i = first; i < first + n; i++) {
		const struct debug_point *p = &debug_points[i];

		if (!p->owner)
			continue;
		used++;
		kprintf("%u  0x%lx", i - first, p->va);
		if (data)
			kprintf("  %s %u bytes", p->access == 1 ? "r" : p->access == 2 ? "w" : "rw", p->size);
		if (p->test)
			kprintf("  if $x%u %c%s 0x%lx", p->reg, p->test, p->test == '=' || p->test == '!' ? "=" : "", p->operand);
		kprintf("%s  %u hits%s\n", p->log ? "  log" : "", p->hits, p->owner == POINT_GDB ? "  (gdb)" : "");
	}
	kprintf("%u of %u %s in use\n", used, n, data ? "watchpoints" : "breakpoints");
}

static void delete(const char *args, bool data)
{
	unsigned first = data ? DEBUG_CODE : 0;
	u64 n;

	if (!take_number(&args, &n) || *args || n >= debug_slots(data) || !debug_points[first + n].owner) {
		complain("-d N: -l lists them\n");
		return;
	}
	debug_points[first + n].owner = POINT_FREE;
}

/* [if $xN == VALUE] [log], to the end of the line. */
static truth take_options(const char **args, struct debug_point *p)
{
	static const char tests[4][3] = { "==", "!=", "<", ">" };
	u64 n;

	*args = skip_blanks(*args);
	if (take_exactly(args, "if")) {
		const char *s = *args;

		if (*s++ != '$' || *s++ != 'x' || !take_number(&s, &n) || n > 30)
			goto usage;
		p->reg = (u8)n;
		*args = skip_blanks(s);
		for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
			if (take_exactly(args, tests[i]))
				p->test = (u8)tests[i][0];
		if (!p->test || !take_number(args, &p->operand))
			goto usage;
		*args = skip_blanks(*args);
	}
	p->log = take_exactly(args, "log");
	return no_more(*args);
usage:
	complain("if $xN == VALUE, with == != < >\n");
	return false;
}

static void add(const struct debug_point *p, bool data)
{
	int i = debug_add(p, data);

	if (i < 0)
		complain("all %u %s of this CPU are in use\n", debug_slots(data), data ? "watchpoints" : "breakpoints");
	else
		kprintf("%s %d of %u at 0x%lx\n", data ? "watchpoint" : "breakpoint", data ? i - DEBUG_CODE : i,
			debug_slots(data), p->va);
}

/* "-l", "-d N": true if the arguments are one of these. */
static truth manage(const char *args, bool data)
{
	if (!*args || take_exactly(&args, "-l"))
		list(data);
	else if (take_exactly(&args, "-d"))
		delete(args, data);
	else
		return false;
	return true;
}

void monitor_bp(struct monitor *m, const char *args)
{
	struct debug_point p = { .owner = POINT_OPERATOR };
	struct address a;

	if (manage(args, false) || !take_address(m, &args, &a) || !take_options(&args, &p))
		return;
	if (a.space != SPACE_VA || a.value & 3) {
		complain("a breakpoint stands at a VA, on an instruction\n");
		return;
	}
	p.va = a.value;
	add(&p, false);
}

void monitor_wp(struct monitor *m, const char *args)
{
	struct debug_point p = { .owner = POINT_OPERATOR, .access = 2 };
	struct address a;
	u64 size = 8;

	if (manage(args, true))
		return;
	if (take_exactly(&args, "rw"))
		p.access = 3;
	else if (take_exactly(&args, "r"))
		p.access = 1;
	else
		take_exactly(&args, "w");
	if (!take_address(m, &args, &a))
		return;
	args = skip_blanks(args);
	if (*args >= '0' && *args <= '9' && !take_number(&args, &size))
		size = 0; /* number too large */
	if (!take_options(&args, &p))
		return;
	if (a.space != SPACE_VA || !size || size > 8 || (a.value & 7) + size > 8) {
		complain("a watchpoint covers 1 to 8 bytes of one aligned doubleword, by VA\n");
		return;
	}
	p.va = a.value;
	p.size = (u8)size;
	add(&p, true);
}

/* --- going on a little ----------------------------------------------------------------------------- */

void monitor_step(struct monitor *m, const char *args)
{
	truth hold = take_exactly(&args, "-i");
	u64 n = 1;

	if (*args && (!take_number(&args, &n) || !n)) {
		complain("step N: at least one instruction\n");
		return;
	}
	if (!no_more(args) || !monitor_can_go(m))
		return;
	debug_step(m->c, n, hold);
	m->leave = m->brief = true;
}

/* "13.0s" or "13": seconds of guest time, as in @D without hidden time. */
static truth take_seconds(const char **args, u64 *ticks)
{
	u64 f = sysreg_read(cntfrq_el0), whole, part = 0, scale = 1;
	const char *s = *args;

	if (!take_number(&s, &whole) || whole > 1000000)
		return false;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9' && scale < 1000000; s++, scale *= 10)
			part = part * 10 + (u64)(*s - '0');
	if (*s != 's' || s[1])
		return false;
	*args = s + 1;
	*ticks = whole * f + part * f / scale;
	return true;
}

void monitor_until(struct monitor *m, const char *args)
{
	struct debug_point p = { .owner = POINT_ONCE };
	struct address a = { SPACE_VA, m->c->frame.x[30] };
	unsigned rule;
	u64 n;

	if (!monitor_can_go(m))
		return;
	if (take_exactly(&args, "trap")) {
		debug_until(UNTIL_TRAP, 0);
	} else if (take_exactly(&args, "rule")) {
		if (!take_rule(&args, &rule) || !rules_set(rule, ROW_STOP | ROW_ONCE, 0))
			return;
	} else if (take_exactly(&args, "seq")) {
		if (!take_number(&args, &n) || *args || n < m->c->log.seq) {
			complain("until seq N: the next is %lu\n", m->c->log.seq);
			return;
		}
		debug_until(UNTIL_SEQ, n);
	} else if (take_seconds(&args, &n)) {
		debug_until(UNTIL_TIME, n + log_epoch);
	} else {
		if (!take_exactly(&args, "lr") && !take_address(m, &args, &a))
			return;
		if (!no_more(args))
			return;
		p.va = a.value & ~3UL;
		if (debug_add(&p, false) < 0) {
			complain("no breakpoint is left for it\n");
			return;
		}
	}
	m->leave = true;
}
