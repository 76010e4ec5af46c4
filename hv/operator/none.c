/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For an image without the monitor, gdb's stub and breakpoints (make MONITOR=0): always unattended, and the line is the
 * guest's alone.
 */
#include "cpu/bootargs.h"
#include "lib/panic.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/debug.h"
#include "operator/gdb.h"
#include "operator/monitor.h"
#include "trap/trap.h"

bool gdb_active;

void gdb_text(const char *s, size_t n)
{
	(void)s, (void)n;
}

bool monitor_run(struct cpu *c, const char *reason)
{
	(void)reason;
	log_event(c, EV_PAUSE_SKIPPED, 0, 0);
	return false;
}

void monitor_parked(struct cpu *c)
{
	(void)c;
}

void monitor_init(struct cpu *c)
{
	(void)c;
	if (bootargs.init_size)
		panic("boot arguments: hv.init needs the monitor, and this image has none (MONITOR=0)");
	bootargs.unattended = true;
	console_escape = false;
}

void monitor_pause(struct cpu *c)
{
	monitor_run(c, "pause");
	c->frame.x[0] = 1; /* skipped */
}

void monitor_note(struct cpu *c, u32 todo)
{
	(void)c, (void)todo;
}

const struct decision *overrule(struct cpu *c, const struct decision *d)
{
	(void)c;
	return d;
}

void debug_load(struct cpu *c)
{
	(void)c;
}

void debug_off(struct cpu *c)
{
	(void)c;
}

bool debug_work(struct cpu *c)
{
	(void)c;
	return false;
}

void debug_tick(struct cpu *c)
{
	(void)c;
}

void log_callers(struct cpu *c)
{
	(void)c;
}

enum outcome trap_debug(struct trap_frame *f)
{
	return trap_other(f);
}
