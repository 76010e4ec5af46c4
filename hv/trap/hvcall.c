/* SPDX-License-Identifier: Apache-2.0 */
/* The six Charter calls. */
#include "trap/hvcall.h"
#include "arch/arch.h"
#include "cpu/locks.h"
#include "lib/build.h"
#include "lib/psci.h"
#include "log/console.h"
#include "log/drain.h"
#include "log/evidence.h"
#include "trap/decide.h"
#include "trap/operator.h"
#include "vm/guestmem.h"

#define HV_API       0x00010000 /* 1.0 */
#define CONSOLE_MAX  4096
#define ERROR(e)     ((u64)(s64)(e))

static bool answer(struct cpu *c, u64 x0)
{
	c->frame.x[0] = x0;
	return true;
}

static u64 id_of(u64 selector)
{
	switch (selector) {
	case 0: return HV_ID;
	case 1: return HV_API;
	case 2: return build_number;
	case 3: return policy_hash;
	}
	return ERROR(PSCI_INVALID_PARAMETERS);
}

bool hvcall_get_id(struct cpu *c)
{
	return answer(c, id_of(c->frame.x[1]));
}

static u64 status_of(const struct cpu *c, u64 selector)
{
	switch (selector) {
	case 0: return decisions(c, -1);
	case 1: return c->log.seq - 1;
	case 2: return c->log.lost;
	case 3: return decisions(c, V_DENY);
	}
	return ERROR(PSCI_INVALID_PARAMETERS);
}

COLD bool hvcall_get_status(struct cpu *c)
{
	return answer(c, status_of(c, c->frame.x[1]));
}

/* Once per 100 ms, for all CPUs together; further calls are only counted. */
static bool may_write(struct cpu *c)
{
	static u64 next;

	if (c->entered < next)
		return false;
	next = c->entered + sysreg_read(cntfrq_el0) / 10;
	return true;
}

COLD bool hvcall_dump_log(struct cpu *c)
{
	u64 before = c->log.written;

	spin_lock(&log_lock);
	if (may_write(c))
		drain_work(c, true);
	spin_unlock(&log_lock);
	return answer(c, c->log.written - before);
}

bool hvcall_pause(struct cpu *c)
{
	monitor_pause(c);
	return true;
}

static u64 console_write(u64 ipa, u64 size)
{
	const u8 *p = guest_ram(ipa, size);

	if (!p)
		return ERROR(PSCI_INVALID_PARAMETERS);
	if (size > CONSOLE_MAX)
		size = CONSOLE_MAX;
	/* A guest with its MMU or caches off has written past the caches. */
	if ((sysreg_read(sctlr_el1) & 5) != 5)
		dcache_clean_range(p, size);
	return console_guest_text(p, size);
}

COLD bool hvcall_console_write(struct cpu *c)
{
	return answer(c, console_write(c->frame.x[1], c->frame.x[2]));
}

/* The `exceptions` entry of the reported class says whether to log the report, and whether to ask the operator. */
COLD bool hvcall_report_exception(struct cpu *c)
{
	u64 esr = c->frame.x[1], elr = c->frame.x[2], far = c->frame.x[3];
	const struct decision *d;
	u64 record[WORD_COUNT];

	record[WORD_PC] = elr;
	record[WORD_HEADER] = 1UL << HEADER_EL; /* EL1 reports */
	d = &policy_rows[policy_where(policy_exception[FIELD(esr, 31, 26)], record)];
	c->frame.x[0] = 0;
	if (d->log != LOG_NEVER || d->action == ACT_PAUSE || d->action == ACT_KILL) {
		log_exception(c, esr, elr, far);
		c->work |= WORK_LOG;
	}
	if (d->action == ACT_PAUSE)
		monitor_run(c, "rule");
	return d->action != ACT_KILL;
}
