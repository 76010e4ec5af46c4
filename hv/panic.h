/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's own faults: a report, then the monitor or power-off. Nothing a guest does reaches this. */
#ifndef HV_PANIC_H
#define HV_PANIC_H

#include "frame.h"

void panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* An exception taken from EL2 to EL2; `kind` is the vector slot, + 16 when the stack was lost. From vectors.S. */
void el2_panic(struct trap_frame *f, u64 kind) __attribute__((noreturn));

#endif
