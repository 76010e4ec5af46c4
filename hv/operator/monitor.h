/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's monitor: the guest stands still while it is open. */
#ifndef HV_MONITOR_H
#define HV_MONITOR_H

#include "trap/operator.h"

/* Runs hv.init of the boot arguments before the guest starts. The part behind a `cont` is for the next stop. */
void monitor_init(struct cpu *c);
/*
 * Asks the operator before `d` takes effect: 'a' let it pass, 'A' from now on, 'd' as it is, 'e' read zero, ignore
 * writes.
 */
int monitor_ask(struct cpu *c, const struct decision *d);

#endif
