/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's monitor: the guest stands still while it speaks. */
#ifndef HV_MONITOR_H
#define HV_MONITOR_H

#include "trap/operator.h"

/* Before the guest starts: what hv.init of the boot arguments says. What of it is behind a `cont` is for the next stop. */
void monitor_init(struct cpu *c);
/* Before `d` takes effect, the operator is asked: 'a' let it pass, 'A' from now on, 'd' as it is, 'e' nothing happens. */
int monitor_ask(struct cpu *c, const struct decision *d);

#endif
