/* SPDX-License-Identifier: Apache-2.0 */
/* A loop of EL2's that does not end is a panic with its registers, not silence. */
#ifndef HV_WATCHDOG_H
#define HV_WATCHDOG_H

#include "cpu/cpu.h"

/* From here on this CPU is watched: a look a second, at the guest or at EL2 alike. */
void watchdog_start(struct cpu *c);
/* A look, by interrupt; `f` is the EL2 code that it interrupted. True: three found the same trap where it was. */
bool watchdog_bites(struct trap_frame *f);

#endif
