/* SPDX-License-Identifier: Apache-2.0 */
/* Turns an endless loop of EL2 into a panic with its registers. */
#ifndef HV_WATCHDOG_H
#define HV_WATCHDOG_H

#include "cpu/cpu.h"

/* Starts watching this CPU: a look a second, whether the guest or EL2 runs. */
void watchdog_start(struct cpu *c);
/*
 * One look, by interrupt; `f` is the interrupted EL2 code. True: no progress in the same trap, or with the same lock
 * held, for three seconds and a thousand looks more.
 */
bool watchdog_expired(struct trap_frame *f);

#endif
