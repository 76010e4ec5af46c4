/* SPDX-License-Identifier: Apache-2.0 */
/* Counting, logging and limiting decisions; decide() itself is in cpu.h. */
#ifndef HV_DECIDE_H
#define HV_DECIDE_H

#include "cpu/cpu.h"

/* Sets up row counters, limits and the log-once memory of one CPU. */
void decide_init(struct cpu *c);
/* log: once. True the first time that row `s` decides on this access, and again after another access took its slot. */
bool decide_first(struct cpu *c, const struct row_state *s, u64 value, u64 addr);
/* Completes the record of a trap that has been handled: its cost, and the value of a read. */
void complete_record(struct cpu *c);
/* Decisions on this CPU so far: all of them (-1), or those of one enum verdict_word. */
u64 decisions(const struct cpu *c, int verdict);

#endif
