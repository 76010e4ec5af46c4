/* SPDX-License-Identifier: Apache-2.0 */
/* Counting, logging and limiting decisions; decide() itself is in cpu.h. */
#ifndef HV_DECIDE_H
#define HV_DECIDE_H

#include "cpu/cpu.h"

/* Row counters, limits and the log-once memory of one CPU. */
void decide_init(struct cpu *c);
/* log: once. True the first time that row `s` decides on this access, or another access has taken its slot since. */
bool decide_first(struct cpu *c, const struct row_state *s, u64 value, u64 addr);
/*
 * For a row with conditions: the row that decides, by what is in the frame and `value`, which is written; it is counted in
 * its place. words[], addr and aux of the record, become what the register held, or the arguments that conditions look at.
 */
struct row_state *narrow(struct cpu *c, struct row_state *s, u64 value, u64 *words);
/* The trap whose record this is has been handled: adds its cost, and the value that a read returned. */
void complete_record(struct cpu *c);
/* Decisions so far on this CPU: all of them (-1) or those of one enum verdict_word. */
u64 decisions(const struct cpu *c, int verdict);

#endif
