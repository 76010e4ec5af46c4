/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting on the guest's behalf. */
#ifndef HV_TRAP_WAIT_H
#define HV_TRAP_WAIT_H

#include "cpu/cpu.h"

/* Sleeps until an interrupt is pending; at once if the guest has one already. */
void wait_for_interrupt(struct cpu *c);

#endif
