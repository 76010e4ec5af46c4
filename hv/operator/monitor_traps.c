/* SPDX-License-Identifier: Apache-2.0 */
/* How often the guest trapped, and the cost: exact from the counters, spread and rate from the rings. */
#include "arch/arch.h"
#include "cpu/vtime.h"
#include "lib/string.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/monitor_cmd.h"

static u64 cleared; /* CNTPCT at `traps clear` */

/* ... since `traps clear` */
static void row_recent(unsigned row, u64 *hits, u64 *cost)
{
	row_sum(row, hits, cost);
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (cpus[i] && cpus[i]->rows) {
			*hits -= cpus[i]->rows[row].cleared_hits;
			*cost -= cpus[i]->rows[row].cleared_cost;
		}
}

static void clear(void)
{
	for (unsigned i = 0; i < MAX_CPUS; i++)
		for (unsigned row = 0; cpus[i] && cpus[i]->rows && row < policy_n_rows; row++) {
			struct row_state *s = &cpus[i]->rows[row];

			s->cleared_hits = s->hits;
			s->cleared_cost = s->cost;
		}
	cleared = counter();
	kprintf("counted from here on; totals in the log and `policy hits` go on from boot\n");
}

/* --- what the records say ------------------------------------------------------------------------- */

/* Costs by their leading four bits: within an eighth. A class without records has no percentiles. */
#define BUCKETS 240
static struct spread {
	u32 bucket[BUCKETS], n, most;
} spreads[SEC_COUNT];

static unsigned bucket(u32 ticks)
{
	unsigned top = 31 - (unsigned)__builtin_clz(ticks | 1);

	return top < 3 ? ticks : (top - 2) * 8 + (ticks >> (top - 3) & 7);
}

static u32 bucket_from(unsigned i)
{
	return i < 8 ? i : (8 + i % 8) << (i / 8 - 1);
}

static void gather(const struct log_record *r, u64 seq)
{
	struct spread *s;
	u32 each;

	if (r->seq != seq || r->kind != REC_DECISION || r->row >= policy_n_rows || r->time < cleared || !r->n)
		return;
	s = &spreads[policy_rules[policy_rows[r->row].rule].section % SEC_COUNT];
	each = r->cost / r->n;
	s->bucket[bucket(each)] += r->n;
	s->n += r->n;
	if (each > s->most)
		s->most = each;
}

static void gather_all(void)
{
	memset(spreads, 0, sizeof(spreads));
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		const struct log_ring *l = cpus[i] ? &cpus[i]->log : NULL;

		for (u64 seq = l ? l->seq : 0, end = seq > LOG_RING ? seq - LOG_RING : 0; seq-- > end;)
			gather(&l->main[seq % LOG_RING], seq);
	}
}

static u32 percentile(const struct spread *s, unsigned percent)
{
	u64 want = (u64)s->n * percent / 100, seen = 0;

	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += s->bucket[i];
		if (seen > want)
			return bucket_from(i);
	}
	return s->most;
}

/* Decisions a second of the guest's time since the last call, at least a tenth of a second ago. */
static u64 rate(unsigned section, u64 hits, u64 now)
{
	static struct {
		u64 hits, at, rate;
	} last[SEC_COUNT + 1];

	if (now > last[section].at + ticks_a_second() / 10) {
		last[section].rate = (hits - last[section].hits) * ticks_a_second() / (now - last[section].at);
		last[section].hits = hits;
		last[section].at = now;
	}
	return last[section].rate;
}

/* --- traps ---------------------------------------------------------------------------------------- */

static void by_class(u64 all, u64 now)
{
	u64 total = 0, ever = 0;

	gather_all();
	kprintf("class          count     %%  /s now     time    mean     p50     p95     max  top\n");
	for (unsigned n = 0; n < SEC_COUNT; n++) {
		const struct spread *s = &spreads[n];
		u64 hits = 0, cost = 0, raw = 0, raw_cost = 0, most = 0;
		unsigned top = 0;

		for (unsigned i = 0; i < policy_n_rows; i++) {
			u64 h = 0, t = 0;

			if (policy_rules[policy_rows[i].rule].section != n)
				continue;
			row_sum(i, &raw, &raw_cost);
			row_recent(i, &h, &t);
			hits += h;
			cost += t;
			if (h > most) {
				most = h;
				top = policy_rows[i].rule;
			}
		}
		ever += raw;
		total += cost;
		if (!hits)
			continue;
		kprintf("%-10s", policy_sections[n]);
		say_share(hits, all);
		kprintf(" %7lu", rate(n, raw, now));
		say_time(cost, 9);
		say_time(cost / hits, 8);
		say_time(percentile(s, 50), 8);
		say_time(percentile(s, 95), 8);
		say_time(s->most, 8);
		kprintf(" r%u\n", top);
	}
	kprintf("%-10s", "total");
	say_share(all, all);
	kprintf(" %7lu", rate(SEC_COUNT, ever, now));
	say_time(total, 9);
	say_time(all ? total / all : 0, 8);
	kprintf("\n");
}

static void by_rule(struct monitor *m, u64 all)
{
	kprintf("rule           count     %%      time      mean  source\n");
	for (unsigned rule = 0; rule < policy_n_rules; rule++) {
		u64 hits = 0, cost = 0;
		char name[12];

		for (unsigned i = 0; i < policy_n_rows; i++)
			if (policy_rows[i].rule == rule)
				row_recent(i, &hits, &cost);
		if (!hits)
			continue;
		ksnprintf(name, sizeof(name), "r%u", rule);
		kprintf("%-10s", name);
		say_share(hits, all);
		say_time(cost, 10);
		say_time(cost / hits, 10);
		kprintf("  %s\n", policy_rules[rule].place);
		if (!monitor_more(m))
			return;
	}
}

static u64 all_recent(void)
{
	u64 hits = 0, cost = 0;

	for (unsigned i = 0; i < policy_n_rows; i++)
		row_recent(i, &hits, &cost);
	return hits;
}

void say_traps(const struct cpu *c)
{
	by_class(all_recent(), c->entered - log_epoch - vtime_hidden());
}

void monitor_traps(struct monitor *m, const char *args)
{
	truth rules = take_exactly(&args, "-r"), watch = take_exactly(&args, "-w"), from_here = take_exactly(&args, "clear");

	if (!no_more(args))
		return;
	if (from_here) {
		clear();
	} else if (rules) {
		by_rule(m, all_recent());
	} else {
		say_traps(m->c);
		if (watch) {
			console_watch();
			m->leave = true;
		}
	}
}
