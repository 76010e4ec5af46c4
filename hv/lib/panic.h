/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's own faults: a report, then the monitor or power-off. No act of a guest leads here. */
#ifndef HV_PANIC_H
#define HV_PANIC_H

#include "lib/types.h"

struct trap_frame;

/* ELR, FAR and ESR of the last exception from EL2 to EL2: a panic, or a device that refused an access (vectors.S). */
extern u64 el2_fault[3];

/* The top of the emergency stack, on which a lost stack is reported (vectors.S). */
extern char emergency_stack_end[];

void panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/*
 * An exception taken from EL2 to EL2, from vectors.S; `kind` is the vector slot, + 16 if the stack was lost. Returns
 * only for the watchdog's interrupt, if it finds nothing wrong.
 */
#define EL2_SYNC 4
#define EL2_FIQ 6
void el2_panic(struct trap_frame *f, u64 kind);

#endif
