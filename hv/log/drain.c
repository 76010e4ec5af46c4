/* SPDX-License-Identifier: Apache-2.0 */
/* When the log goes to the wire. A guest's line is broken only when records would be lost otherwise. */
#include "log/drain.h"
#include "arch/arch.h"
#include "cpu/smp.h"
#include "cpu/vtime.h"
#include "log/console.h"
#include "log/line.h"

#define IDLE_BUDGET 4096 /* bytes */
#define FULL_BUDGET 2048

/* The time it takes is hidden from the guest's virtual counter, unless other CPUs of the guest run meanwhile. */
static void drain_hidden(struct cpu *c, u32 budget, bool notable_only)
{
	u64 start = counter();

	log_drain(c, budget, notable_only);
	log_totals_moved(c);
	if (smp_online() == 1)
		vtime_hide(counter() - start);
}

static bool nearly_full(const struct cpu *c)
{
	return c->log.seq - c->log.drained >= LOG_RING * 3 / 4;
}

void drain_work(struct cpu *c, bool all)
{
	bool streams = log_mode == LOG_TEXT || log_mode == LOG_FULL || log_text_sections;

	if (gdb_active) {
		c->work |= all ? WORK_DUMP : 0; /* after gdb's session */
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
	} else if (nearly_full(c) && (streams || log_notable_waiting(&c->log))) {
		/* Whatever the guest leaves unfinished: it must not talk over its refusals until they are overwritten. */
		drain_hidden(c, FULL_BUDGET, !streams);
	} else if (console_midline()) {
		c->work |= WORK_LOG; /* later, at the end of the guest's line */
	} else {
		drain_hidden(c, log_mode == LOG_TEXT ? 0 : FULL_BUDGET, !streams);
	}
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
