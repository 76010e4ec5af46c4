/* SPDX-License-Identifier: Apache-2.0 */
/* Needs of the core from an operator: the monitor, breakpoints and rules changed at run time, or none.c. */
#ifndef HV_OPERATOR_H
#define HV_OPERATOR_H

#include "cpu/cpu.h"

/* decide_slow(), for a row with ROW_CHANGED: `d` or its replacement. */
const struct decision *overrule(struct cpu *c, const struct decision *d);
/* For trap.c: handles the debug exception classes; handles WORK_DEBUG (true: the guest must stop); the alarm rang. */
enum outcome trap_debug(struct trap_frame *f);
bool debug_work(struct cpu *c);
void debug_tick(struct cpu *c);
/*
 * Opens the monitor for a guest whose frame is saved; returns when the guest goes on. `reason` is a constant word for
 * the log: init key break pause rule step breakpoint watchpoint until; panic and kill, after which the guest cannot go
 * on, so that only a reset or a power-off follows. The guest's virtual counter does not see the time. False:
 * unattended, so only an event was logged.
 */
bool monitor_run(struct cpu *c, const char *reason);
/* While CPU `c` stands still for the monitor, after each event: runs the monitor there if the operator has moved it to `c`. */
void monitor_parked(struct cpu *c);
/* HVC PAUSE: sets x0 to 0, or to 1 when unattended, unless the operator has changed it. */
void monitor_pause(struct cpu *c);
/* While the guest runs: WORK_NOTES of `todo`: the keys that only print (^] s, ^] ?, ^] l), and ^] q. */
void monitor_note(struct cpu *c, u32 todo);

/* Logs where the guest's code was called from, behind the record of a decision. */
void log_callers(struct cpu *c);

#endif
