/* SPDX-License-Identifier: Apache-2.0 */
/* When the log goes to the line (README.md, "When it drains"). */
#ifndef HV_DRAIN_H
#define HV_DRAIN_H

#include "cpu/cpu.h"

/* Between two instructions of the guest: writes records that the log's mode lets out now; `all`: every record. */
void drain_work(struct cpu *c, bool all);
/* The guest sleeps, so that draining costs it nothing. */
void drain_idle(struct cpu *c);

#endif
