/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log on the line: HVL1 lines (README.md, "Records").
 *
 * One counter a CPU numbers every line. A line without a record (@H, @S, @Z, notes) takes the next number, and is
 * written only after every record before it. @L takes the last number of the gap that it explains: that record is gone,
 * so its number is free. Thus numbers on the line only rise, and each missing one lies within the from..to of an @L,
 * unless the last @H says log=notable or log=quiet; @Z says how many lines there are.
 */
#include "arch/arch.h"
#include "board/crc32.h"
#include "cpu/locks.h"
#include "lib/build.h"
#include "lib/string.h"
#include "log/console.h"
#include "log/evidence.h"

#define HEADER_EVERY 4096
#define ROOM         (LOG_LINE - 16) /* for a line's text; the rest is for the checksum */
#define RULES_A_LINE 1700            /* bytes of rN=... in one @S */

struct line {
	struct cpu *c;
	char *text;
	size_t n;
	bool held; /* the line is held, since it was asked whether the guest's is open */
};

#define add(line, ...) ((line)->n += ksnprintf((line)->text + (line)->n, ROOM - (line)->n, __VA_ARGS__))

static u64 frequency(void)
{
	u64 f = sysreg_read(cntfrq_el0);

	return f ? f : 1;
}

/* For "%lu.%09lu". */
#define SECONDS(ticks) (ticks) / frequency(), (ticks) % frequency() * 1000000000 / frequency()

static void add_seconds(struct line *line, u64 ticks)
{
	add(line, "%lu.%09lu", SECONDS(ticks));
}

static u64 since_boot(u64 time)
{
	return time > log_epoch ? time - log_epoch : 0;
}

/*
 * Waits until one step of drain() fits into the output ring. Unless all other CPUs stand still, it waits with neither
 * the line nor the log held, so that the caller must read the ring's `drained` again.
 */
static void make_room(void)
{
	bool held = lock_held_here(&log_lock);

	if (likely(console_room() >= 2 * LOG_LINE))
		return;
	if (lock_mine(&line_lock)) {
		console_flush();
		return;
	}
	lock_leave(&log_lock, held);
	while (console_room() < 2 * LOG_LINE) {
		console_pump();
		this_cpu()->progress++;
		relax();
	}
	if (held)
		spin_lock(&log_lock);
}

static struct line begin(struct cpu *c, char kind, bool plus, u64 seq, u64 time)
{
	struct line line = { .c = c, .text = c->log.line };

	add(&line, "%c@%c%s %lu", RS, kind, plus ? "+" : "", seq);
	if (c->index)
		add(&line, ".%u", c->index);
	add(&line, " ");
	add_seconds(&line, since_boot(time));
	add(&line, " ");
	return line;
}

static void close_line(struct line *line)
{
	line->text[line->n++] = ' ';
	line->n += ksnprintf(line->text + line->n, 12, "*%08x\r\n", crc32(0, line->text + 1, line->n - 1));
}

/* Puts the line out; console_raw() ends a guest's open line. */
static size_t end(struct line *line)
{
	struct log_ring *l = &line->c->log;

	close_line(line);
	console_raw(line->text, line->n);
	console_release(line->held);
	l->written++;
	return line->n;
}

/* --- records ------------------------------------------------------------------------------------- */

#define REASON(value, otherwise) ((value) ? (const char *)(value) : (otherwise))
#define PRINT_EVENT(name, word, format, ...)            \
	case name:                                      \
		add(line, word format, ##__VA_ARGS__);  \
		break;

static void add_event(struct line *line, const struct log_record *r)
{
	switch (r->row) {
	LOG_EVENTS(PRINT_EVENT)
	default:
		add(line, "event%u value=0x%lx addr=0x%lx", r->row, r->value, r->addr);
	}
}

u32 log_cost(const struct cpu *c, const struct log_record *r)
{
	return r == c->record && !r->cost ? (u32)(counter() - c->entered) : r->cost;
}

static void add_decision(struct line *line, const struct log_record *r)
{
	add(line, "%s r%u ", log_verdicts[INFO_VERDICT(r->info) % V_COUNT], policy_rows[r->row].rule);
	line->n += log_describe(line->text + line->n, ROOM - line->n, r);
	add(line, " pc=0x%lx el=%u cost=%u esr=0x%x", r->pc, INFO_EL(r->info), log_cost(line->c, r), r->esr);
	if (r->n > 1) {
		add(line, " n=%u last=", r->n);
		add_seconds(line, since_boot(r->aux));
	}
}

static struct line record_line(struct cpu *c, const struct log_record *r, bool plus)
{
	char kind = r->kind == REC_EVENT ? 'E' : r->kind == REC_EXCEPTION ? 'X' : r->n > 1 ? 'A' : 'D';
	struct line line = begin(c, kind, plus, r->seq, r->time);

	if (r->kind == REC_EVENT)
		add_event(&line, r);
	else if (r->kind == REC_EXCEPTION)
		add(&line, "esr=0x%x far=0x%lx elr=0x%lx spsr=0x%lx pc=0x%lx", r->esr, r->addr, r->value, r->aux,
		    r->pc);
	else
		add_decision(&line, r);
	return line;
}

const char *log_format(struct cpu *c, const struct log_record *r)
{
	struct line line = record_line(c, r, false);

	add(&line, "\r\n");
	line.text[line.n] = '\0';
	return line.text + 1; /* no RS and no CRC: the wire may have had another kind, cost or count */
}

void log_print(struct cpu *c, const struct log_record *r)
{
	const char *text = log_format(c, r);

	console_raw(text, strlen(text));
}

void log_tail(struct cpu *c, unsigned n)
{
	struct log_ring *l = &c->log;

	if (!l->main)
		return;
	if (n > l->seq)
		n = (unsigned)l->seq;
	for (u64 seq = l->seq - n; seq < l->seq; seq++) {
		const struct log_record *r = log_find(c, seq);

		if (r)
			log_print(c, r);
	}
}

/* --- draining ------------------------------------------------------------------------------------ */

/* @L: records from `drained` up to `upto` were overwritten. */
static size_t lose(struct cpu *c, u64 upto, u64 time)
{
	struct log_ring *l = &c->log;
	bool held = console_hold();
	struct line line = begin(c, 'L', console_midline(), upto - 1, time);

	line.held = held;
	add(&line, "lost=%lu from=%lu to=%lu why=overrun", upto - l->drained, l->drained, upto - 1);
	l->lost += upto - l->drained;
	return end(&line);
}

/* Decisions with consecutive numbers, to be written as one @B. */
struct batch {
	const struct log_record *r[LOG_BATCH];
	unsigned n;
};

static size_t flush(struct cpu *c, struct batch *b)
{
	struct line line = { .c = c, .text = c->log.line };
	unsigned n = b->n;

	if (!n)
		return 0;
	b->n = 0;
	line.held = console_hold();
	add(&line, "%c@B%s %lu", RS, console_midline() ? "+" : "", b->r[0]->seq);
	if (c->index)
		add(&line, ".%u", c->index);
	add(&line, " %u ", n);
	line.n += log_pack(c, line.text + line.n, b->r, n);
	c->log.written += n - 1;
	return end(&line);
}

static size_t append(struct cpu *c, struct batch *b, const struct log_record *r)
{
	size_t used = 0;

	if (b->n == LOG_BATCH || (b->n && r->seq != b->r[b->n - 1]->seq + 1))
		used = flush(c, b);
	b->r[b->n++] = r;
	return used;
}

static truth wanted(const struct log_record *r)
{
	_Static_assert(LOG_MODE_COUNT == 4, "wanted() has a case for each enum log_mode but LOG_TEXT and LOG_FULL, which log all");
	switch (log_live ? LOG_TEXT : log_mode) {
	case LOG_QUIET:
		return r->kind != REC_DECISION;
	case LOG_NOTABLE:
		return r->info & INFO_NOTABLE || log_text_sections >> policy_far_rules[policy_rows[r->row].rule].section & 1;
	default:
		return true;
	}
}

/* The oldest record from number `drained` on that either ring still has; exists if any record is undrained. */
static const struct log_record *oldest(const struct log_ring *l)
{
	u64 first = l->seq > LOG_RING ? l->seq - LOG_RING : 0;

	if (l->drained < first) {
		u64 i = l->saved > LOG_NOTABLE_RING ? l->saved - LOG_NOTABLE_RING : 0;

		for (; i < l->saved; i++) {
			const struct log_record *r = &l->notable[i & (LOG_NOTABLE_RING - 1)];

			if (r->seq >= l->drained && r->seq < first)
				return r;
		}
		return &l->main[first & (LOG_RING - 1)];
	}
	return &l->main[l->drained & (LOG_RING - 1)];
}

/*
 * True if the mode leaves out every record in the gap that begins at `drained`: `notable` still reaches back that far,
 * so the lost ones are ALLOW and EMUL.
 */
static bool left_out(const struct log_ring *l)
{
	const struct log_record *first = &l->notable[l->saved & (LOG_NOTABLE_RING - 1)];

	return ((log_mode == LOG_NOTABLE && !log_text_sections) || log_mode == LOG_QUIET) &&
	       (l->saved <= LOG_NOTABLE_RING || first->seq <= l->drained);
}

static size_t write_record(struct cpu *c, struct batch *b, const struct log_record *r)
{
	struct line line;
	size_t used;
	bool held;

	if (!wanted(r))
		return 0;
	if (log_mode == LOG_FULL && !log_live && r->kind == REC_DECISION)
		return append(c, b, r);
	used = flush(c, b);
	held = console_hold();
	line = record_line(c, r, console_midline());
	line.held = held;
	return used + end(&line);
}

static void drain(struct cpu *c, u64 budget, u64 upto)
{
	struct log_ring *l = &c->log;
	struct batch b = { .n = 0 };
	u64 used = 0;

	while (l->drained < upto && used < budget) {
		const struct log_record *r;

		make_room();
		r = oldest(l);
		if (r->seq < l->drained || r->seq >= l->seq) { /* no record: only in a panic with damaged rings */
			l->drained++;
			continue;
		}
		if (r->seq > l->drained && !left_out(l))
			used += flush(c, &b) + lose(c, r->seq, r->time);
		used += write_record(c, &b, r);
		l->drained = r->seq + 1;
		if (log_mode != LOG_NOTABLE)
			l->dumped = l->drained; /* written, or in mode quiet left out */
	}
	flush(c, &b);
}

/* --- lines without a record ---------------------------------------------------------------------- */

/* Drains all records first: the line's number is then the next on the line. */
static struct line begin_text(struct cpu *c, char kind)
{
	struct log_ring *l = &c->log;
	struct line line;
	bool held;

	drain(c, ~0UL, l->seq);
	make_room();
	held = console_hold();
	line = begin(c, kind, console_midline(), l->seq, counter());
	line.held = held;
	return line;
}

static void end_text(struct line *line)
{
	struct log_ring *l = &line->c->log;

	end(line);
	l->drained = ++l->seq;
}

/* Names the windows: batches have addresses where other lines have names, and a reader may need both. */
static void name_windows(struct cpu *c)
{
	struct line line = begin_text(c, 'E');

	add(&line, "windows");
	for (unsigned i = 0; i < policy_n_windows && line.n < ROOM - 80; i++)
		add(&line, " %s=0x%x/0x%x", policy_windows[i].name, policy_windows[i].base,
		    policy_windows[i].last - policy_windows[i].base + 1);
	end_text(&line);
}

void log_header(struct cpu *c)
{
	struct line line;
	unsigned n = 0;

	if (!c->log.main)
		return;
	while (n < MAX_CPUS && cpus[n])
		n++;
	line = begin_text(c, 'H');
	add(&line, "hvl=1 build=%s policy=%s#%08x rules=%08x guest=%s#%08x cpu=%u cntfrq=%lu ring=%u esc=%s log=%s", build_id,
	    policy_name, (u32)(policy_hash >> 32), policy_wording, guest_id.name ? guest_id.name : "none", guest_id.hash,
	    n, sysreg_read(cntfrq_el0), LOG_RING, console_escape ? "^]" : "none",
	    log_modes[log_mode]);
	end_text(&line);
	c->log.header_due = c->log.written + HEADER_EVERY;
	if (log_mode != LOG_QUIET)
		name_windows(c);
}

void log_line(struct cpu *c, char kind, const char *text)
{
	struct line line;

	if (!c->log.main)
		return;
	line = begin_text(c, kind);
	add(&line, "%s", text);
	end_text(&line);
}

/* A batch is begun only if it can be full, or its first record has waited for half a second. */
static bool batch_due(const struct log_ring *l)
{
	return l->seq - l->drained >= LOG_BATCH || counter() - oldest(l)->time > sysreg_read(cntfrq_el0) / 2;
}

void log_drain(struct cpu *c, u32 budget, bool notable_only)
{
	struct log_ring *l = &c->log;

	if (!l->main || l->drained == l->seq)
		return;
	if (log_mode == LOG_FULL && budget && !batch_due(l))
		return;
	drain(c, budget ? budget : ~0UL, notable_only ? l->notable_end : l->seq);
	if (l->header_due && l->written >= l->header_due && l->drained == l->seq)
		log_header(c);
}

void log_dump(struct cpu *c)
{
	struct log_ring *l = &c->log;
	struct batch b = { .n = 0 };

	if (!l->main)
		return;
	log_drain(c, 0, false);
	if (log_mode != LOG_NOTABLE)
		return;
	if (l->seq > LOG_RING && l->dumped < l->seq - LOG_RING)
		l->dumped = l->seq - LOG_RING;
	for (; l->dumped < l->drained; l->dumped++) {
		const struct log_record *r = &l->main[l->dumped & (LOG_RING - 1)];

		make_room();
		if (r->seq == l->dumped && r->kind == REC_DECISION && !wanted(r))
			append(c, &b, r);
	}
	flush(c, &b);
}

void log_set_live(struct cpu *c, bool on)
{
	log_dump(c); /* writes what the old setting owes */
	log_set_mode(log_mode, on);
	log_note(c, on ? "set live=on" : "set live=off");
}

/* Sums up in one pass: a policy may have thousands of rows, and this runs every second. */
static void add_up(struct cpu *c)
{
	struct log_ring *l = &c->log;

	for (unsigned rule = 0; rule < policy_n_rules; rule++)
		l->hits[rule] = l->cost[rule] = 0;
	for (unsigned i = 0; i < policy_n_rows; i++) {
		l->hits[policy_rows[i].rule] += c->rows[i].hits;
		l->cost[policy_rows[i].rule] += c->rows[i].cost;
	}
}

/*
 * Adds rules from `rule` on until the line is full; returns the first that found no room. Rules that were never hit are
 * left out: an @S with all rules says how many there are, so that absence means zero.
 */
static unsigned add_rules(struct line *line, unsigned rule, bool all)
{
	struct log_ring *l = &line->c->log;
	size_t start = line->n;

	for (; rule < policy_n_rules && line->n - start < RULES_A_LINE; rule++) {
		if (l->hits[rule] != (all ? 0 : l->reported_hits[rule]))
			add(line, " r%u=%lu/%lu", rule, l->hits[rule], l->cost[rule]);
		l->reported_hits[rule] = l->hits[rule];
	}
	return rule;
}

static void add_verdicts(struct line *line)
{
	u64 by[V_COUNT] = { 0 }, all = 0;

	for (unsigned i = 0; i < policy_n_rows; i++) {
		by[policy_rows[i].verdict % V_COUNT] += line->c->rows[i].hits - line->c->rows[i].would;
		by[V_WOULD] += line->c->rows[i].would;
		all += line->c->rows[i].hits;
	}
	add(line, "dec=%lu allow=%lu deny=%lu emul=%lu razwi=%lu inject=%lu kill=%lu pause=%lu would=%lu vbar=0x%lx", all,
	    by[V_ALLOW], by[V_DENY], by[V_EMUL], by[V_RAZWI], by[V_INJECT], by[V_KILL], by[V_PAUSE], by[V_WOULD],
	    sysreg_read(vbar_el1)); /* where KASLR put a kernel */
}

void log_totals(struct cpu *c)
{
	struct log_ring *l = &c->log;
	struct line line;
	unsigned parts = 0, rule = 0;

	if (!l->main || !c->rows)
		return;
	/* Counts the lines by making them. The rings must be drained first: drain() uses the same buffer. */
	drain(c, ~0UL, l->seq);
	add_up(c);
	do {
		line = (struct line){ .c = c, .text = l->line };
		rule = add_rules(&line, rule, true);
		parts++;
	} while (rule < policy_n_rules);

	rule = 0;
	for (unsigned part = 1; part <= parts; part++) {
		line = begin_text(c, 'S');
		add_verdicts(&line);
		add(&line, " rules=%u", policy_n_rules);
		if (parts > 1)
			add(&line, " part=%u/%u", part, parts);
		rule = add_rules(&line, rule, true);
		end_text(&line);
	}
	l->totals_time = counter();
}

/* Rules that do not fit into one line (more than 70 in a second) follow a second later, since their hits still differ. */
void log_totals_moved(struct cpu *c)
{
	struct log_ring *l = &c->log;
	u64 now = counter(), waiting = l->seq - l->drained;
	struct line line;

	if (!l->main || (log_mode != LOG_TEXT && log_mode != LOG_NOTABLE) || console_midline())
		return;
	/* A person may be at work on the guest's screen: only a refusal is worth a line there. */
	if (log_mode == LOG_NOTABLE && l->notable_end == l->totals_notable)
		return;
	if (now - (l->totals_time ? l->totals_time : log_epoch) < sysreg_read(cntfrq_el0))
		return;
	l->totals_time = now;
	l->totals_notable = l->notable_end;
	line = begin_text(c, 'S');
	add_verdicts(&line);
	add(&line, " waiting=%lu", waiting);
	add_up(c);
	add_rules(&line, 0, false);
	end_text(&line);
}

void log_finish(struct cpu *c, const char *reason)
{
	struct log_ring *l = &c->log;
	struct line line;

	if (!l->main)
		return;
	log_dump(c);
	log_totals(c);
	line = begin_text(c, 'Z');
	add(&line, "seq=%lu records=%lu lost=%lu guestbytes=%lu reason=%s", l->seq, l->written + 1, l->lost,
	    console_guest_bytes, reason);
	end_text(&line);
}
