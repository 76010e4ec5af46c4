/* SPDX-License-Identifier: Apache-2.0 */
/* Counting, logging and limiting decisions; decide() itself is in cpu.h. */
#ifndef HV_DECIDE_H
#define HV_DECIDE_H

#include "cpu.h"

/* Row counters, limits and the log-once memory of one CPU. */
void decide_init(struct cpu *c);
/* The trap whose record this is has been handled: adds its cost, and the value that a read returned. */
void complete_record(struct cpu *c);
/* Decisions so far on this CPU: all of them (-1) or those of one enum verdict_word. */
u64 decisions(const struct cpu *c, int verdict);

#endif
