/* SPDX-License-Identifier: Apache-2.0 */
/* Counting, logging and limiting decisions. */
#ifndef HV_DECIDE_H
#define HV_DECIDE_H

#include "cpu/cpu.h"

/* Sets up row counters, limits and the log-once memory of one CPU. */
void decide_init(struct cpu *c);
/* log: once. True the first time that row `s` decides on this access, and again after another access took its slot. */
truth decide_first(struct cpu *c, const struct row_state *s, u64 value, u64 addr);
/* Completes the record of a trap that has been handled: its cost, and the value of a read. */
void complete_record(struct cpu *c);
/* Decisions on this CPU so far: all of them (-1), or those of one enum verdict_word. */
u64 decisions(const struct cpu *c, int verdict);

/* Applies the conditions, the log and the limit of a row that has flags. Returns the decision that holds. */
const struct decision *decide_slow(struct cpu *c, struct row_state *s, u64 value, u64 addr, u64 aux);
/* decide_slow() for a row with conditions: the row that decides by the frame and `value`, which is written, gets the hit. */
const struct decision *narrow(struct cpu *c, struct row_state *s, u64 value, u64 addr, u64 aux);
/* decide_slow() after the conditions. */
const struct decision *decide_row(struct cpu *c, struct row_state *s, u64 value, u64 addr, u64 aux);

/*
 * Makes a decision: counts it, logs it, applies its limit. value, addr, aux are the match inputs for the record;
 * trap_end() adds the cost later. fast_path.h does the same for rows that one action settles.
 */
static inline const struct decision *decide(struct cpu *c, struct row_state *s, u64 value, u64 addr, u64 aux)
{
	s->hits++;
	c->row = s;
	if (unlikely(s->flags))
		return decide_slow(c, s, value, addr, aux);
	return s->decision;
}

#endif
