/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a run: finishes the log, then asks the firmware (PSCI, DEN 0022). */
#ifndef HV_POWER_H
#define HV_POWER_H

#include "lib/types.h"

/* Finishes the log with `reason` and powers the machine off. */
void machine_off(const char *reason) __attribute__((noreturn));
/* Finishes the log and resets the machine: the ELF and the guest's files are loaded anew. */
void guest_reset(void) __attribute__((noreturn));

#endif
