/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's monitor: the guest stands still while it speaks. */
#ifndef HV_MONITOR_H
#define HV_MONITOR_H

#include "types.h"

struct cpu;
struct decision;

/*
 * Opens the monitor for a guest whose frame is saved; returns when it is to go on. `why` is a constant word for the
 * log: init key break pause rule step breakpoint watchpoint until; after panic and kill the guest can not go on, so it ends in a reset or a power-off.
 * The time is hidden from the guest's virtual counter. False: nobody is there (unattended), it only logged that.
 */
bool monitor_run(struct cpu *c, const char *why);
/* Before the guest starts: what hv.init of the boot arguments says. What of it is behind a `cont` is for the next stop. */
void monitor_init(struct cpu *c);
/* HVC PAUSE: x0 becomes 0, or 1 when nobody is there; unless the operator has set it. */
void monitor_pause(struct cpu *c);
/* Before `d` takes effect, the operator is asked: 'a' let it pass, 'A' from now on, 'd' as it is, 'e' nothing happens. */
int monitor_ask(struct cpu *c, const struct decision *d);
/* While the guest runs: WORK_NOTES of `todo`, the keys that only say something (^] s, ^] ?, ^] l) and ^] q. */
void monitor_note(struct cpu *c, u32 todo);

#endif
