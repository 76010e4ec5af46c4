/* SPDX-License-Identifier: Apache-2.0 */
/* Our own six calls (CONTRACT "Hypercalls", EVIDENCE 1.5b). */
#include "trap/hvcall.h"
#include "arch/arch.h"
#include "cpu/decide.h"
#include "cpu/locks.h"
#include "lib/build.h"
#include "lib/psci.h"
#include "log/console.h"
#include "log/drain.h"
#include "trap/operator.h"
#include "vm/guestmem.h"

#define HV_API       0x00010000 /* 1.0 */
#define CONSOLE_MAX  4096
#define ERROR(e)     ((u64)(s64)(e))

static u64 get_id(u64 selector)
{
	switch (selector) {
	case 0: return HV_ID;
	case 1: return HV_API;
	case 2: return build_number;
	case 3: return policy_hash;
	}
	return ERROR(PSCI_INVALID_PARAMETERS);
}

static u64 get_status(const struct cpu *c, u64 selector)
{
	switch (selector) {
	case 0: return decisions(c, -1);
	case 1: return c->log.seq - 1;
	case 2: return c->log.lost;
	case 3: return decisions(c, V_DENY);
	}
	return ERROR(PSCI_INVALID_PARAMETERS);
}

/* Once per 100 ms, for all CPUs together; beyond that it is counted only. */
static bool may_write(struct cpu *c)
{
	static u64 next;

	if (c->entered < next)
		return false;
	next = c->entered + sysreg_read(cntfrq_el0) / 10;
	return true;
}

static u64 dump_log(struct cpu *c)
{
	u64 before = c->log.written;

	spin_lock(&shared);
	if (may_write(c))
		drain_work(c, true);
	spin_unlock(&shared);
	return c->log.written - before;
}

static u64 console_write(u64 ipa, u64 size)
{
	const u8 *p = guest_ram(ipa, size);

	if (!p)
		return ERROR(PSCI_INVALID_PARAMETERS);
	if (size > CONSOLE_MAX)
		size = CONSOLE_MAX;
	/* A guest with its MMU or caches off has written past the caches. */
	if (size && (sysreg_read(sctlr_el1) & 5) != 5) {
		for (u64 i = 0; i < size; i += 64)
			dc_civac(p + i);
		dc_civac(p + size - 1); /* no byte at the end of RAM has one behind it */
	}
	spin_lock(&shared);
	for (u64 i = 0; i < size; i++)
		console_guest(p[i]);
	spin_unlock(&shared);
	return size;
}

/* The `exceptions` entry of the reported class says whether it is logged and whether somebody wants to look. */
static bool report_exception(struct cpu *c, u64 esr, u64 elr, u64 far)
{
	const struct decision *d = &policy_rows[policy_exception[FIELD(esr, 31, 26)]];

	c->frame.x[0] = 0;
	if (d->log != LOG_NEVER || d->action == ACT_PAUSE || d->action == ACT_KILL) {
		log_exception(c, esr, elr, far);
		c->work |= WORK_LOG;
	}
	if (d->action == ACT_PAUSE)
		monitor_run(c, "rule");
	return d->action != ACT_KILL;
}

enum outcome hvcall(struct trap_frame *f, unsigned model, const struct call_table *table, enum outcome done)
{
	struct cpu *c = cpu_of(f);

	switch (model) {
	case MODEL_HV_GET_ID:
		f->x[0] = get_id(f->x[1]);
		return done;
	case MODEL_HV_DUMP_LOG:
		f->x[0] = dump_log(c);
		return done;
	case MODEL_HV_GET_STATUS:
		f->x[0] = get_status(c, f->x[1]);
		return done;
	case MODEL_HV_PAUSE:
		monitor_pause(c);
		return done;
	case MODEL_HV_CONSOLE_WRITE:
		f->x[0] = console_write(f->x[1], f->x[2]);
		return done;
	case MODEL_HV_REPORT_EXCEPTION:
		return report_exception(c, f->x[1], f->x[2], f->x[3]) ? done : STOP;
	default:
		f->x[0] = psci_call(c, model, table);
		return done;
	}
}
