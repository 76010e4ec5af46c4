/* SPDX-License-Identifier: Apache-2.0 */
/* What the core asks of an operator: the monitor, breakpoints and rules changed at run time, or none.c. */
#ifndef HV_OPERATOR_H
#define HV_OPERATOR_H

#include "cpu/cpu.h"

/* decide_slow(), for a row with ROW_CHANGED: `d` or what takes its place. */
const struct decision *overrule(struct cpu *c, const struct decision *d);
/* trap.c: the debug exception classes; WORK_DEBUG: true if the guest must stop; the alarm rang. */
enum outcome trap_debug(struct trap_frame *f);
bool debug_work(struct cpu *c);
void debug_tick(struct cpu *c);
/*
 * Opens the monitor for a guest whose frame is saved; returns when it is to go on. `reason` is a constant word for the
 * log: init key break pause rule step breakpoint watchpoint until; after panic and kill the guest can not go on, so it ends in a reset or a power-off.
 * The time is hidden from the guest's virtual counter. False: unattended, only an event was logged.
 */
bool monitor_run(struct cpu *c, const char *reason);
/* HVC PAUSE: x0 becomes 0, or 1 when unattended, unless the operator has set it. */
void monitor_pause(struct cpu *c);
/* While the guest runs: WORK_NOTES of `todo`, the keys that only say something (^] s, ^] ?, ^] l) and ^] q. */
void monitor_note(struct cpu *c, u32 todo);

#endif
