/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the log goes to the line. A guest's unfinished line is broken only when records would be lost otherwise, or when
 * a refusal has waited half a second for its end: neither endless output nor silence of a guest holds a refusal back.
 */
#include "log/drain.h"
#include "arch/arch.h"
#include "cpu/alarm.h"
#include "cpu/smp.h"
#include "cpu/vtime.h"
#include "log/console.h"
#include "log/evidence.h"
#include "log/line.h"

#define IDLE_BUDGET 4096 /* bytes */
#define FULL_BUDGET 2048
#define CROWD       512  /* records */

/* Hides the time of draining from the guest's virtual counter, unless other CPUs of the guest run meanwhile. */
static void drain_hidden(struct cpu *c, u32 budget, bool notable_only)
{
	u64 start = counter();

	log_drain(c, budget, notable_only);
	if (!log_notable_waiting(&c->log)) /* waiting records go first, a budget at a time */
		log_totals_moved(c);
	if (smp_online() == 1)
		vtime_hide(counter() - start);
}

/* Whether too many records wait. Refusals have a lower limit: an operator who stops the guest must not wait for many. */
static bool crowded(const struct cpu *c, bool streams)
{
	u64 n = c->log.seq - c->log.drained;

	return n >= LOG_RING * 3 / 4 ? streams || log_notable_waiting(&c->log) : n >= CROWD && log_notable_waiting(&c->log);
}

static bool overdue(const struct cpu *c)
{
	return c->log_due && counter() >= c->log_due;
}

/* Half a second after the first refusal began to wait; a millisecond after a budget was used up. */
static void set_alarm(struct cpu *c)
{
	u64 second = sysreg_read(cntfrq_el0);

	if (gdb_active || log_mode == LOG_QUIET || !log_notable_waiting(&c->log))
		c->log_due = 0; /* an alarm that is still set does no harm */
	else if (!c->log_due)
		alarm_log(counter() + second / 2);
	else if (overdue(c))
		alarm_log(counter() + second / 1000);
}

static void drain_now(struct cpu *c, bool all)
{
	bool streams = log_mode == LOG_TEXT || log_mode == LOG_FULL || log_text_sections;

	if (gdb_active) {
		c->work |= all ? WORK_DUMP : 0; /* done after gdb's session */
	} else if (all) {
		u64 start = counter();

		log_dump(c);
		log_totals(c);
		if (smp_online() == 1)
			vtime_hide(counter() - start);
	} else if (log_live) {
		drain_hidden(c, 0, false);
	} else if (log_mode == LOG_QUIET) {
		return;
	} else if (overdue(c) || crowded(c, streams)) {
		drain_hidden(c, FULL_BUDGET, !streams);
	} else if (console_midline()) {
		c->work |= WORK_LOG; /* done at the end of the guest's line */
	} else {
		drain_hidden(c, log_mode == LOG_TEXT ? 0 : FULL_BUDGET, !streams);
	}
}

void drain_work(struct cpu *c, bool all)
{
	drain_now(c, all);
	set_alarm(c);
}

void drain_idle(struct cpu *c)
{
	if (gdb_active)
		return;
	if (log_mode == LOG_TEXT || log_mode == LOG_FULL)
		drain_hidden(c, IDLE_BUDGET, false);
	else if (log_mode == LOG_NOTABLE && !console_midline())
		drain_hidden(c, IDLE_BUDGET, !log_text_sections);
}
