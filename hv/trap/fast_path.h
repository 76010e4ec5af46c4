/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast path of a trap: its row is known, one action settles it, and no operator watches the row. Counting, cost and
 * record then come last, without a stack frame. Such a handler does what decide(), the action and trap_end() would do
 * together; tests/host/test_trap.py compares both with a model.
 */
#ifndef HV_FAST_PATH_H
#define HV_FAST_PATH_H

#include "log/evidence.h"
#include "log/record.h"
#include "trap/decide.h"
#include "trap/trap.h"
#include "vm/el1_exception.h"

/* Counts the decision and adds its cost, in ticks. False: there is more to do (fast_finish()). */
static inline bool fast_end(struct cpu *c, struct row_state *s, u64 *ticks)
{
	*ticks = counter() - c->entered;
	barrier(); /* one load for both */
	s->hits++;
	s->cost += *ticks;
	return likely(!(s->flags | c->work));
}

/*
 * Moves past the instruction, an AArch64 one and no branch, and ends a single step of the guest's. Returns the
 * instruction's address.
 */
static inline u64 fast_next_pc(struct trap_frame *f)
{
	u64 pc = f->elr_el2, spsr = f->spsr_el2;

	f->elr_el2 = pc + 4;
	f->spsr_el2 = spsr & ~(SPSR_SS | SPSR_BTYPE);
	return pc;
}

/*
 * Makes the row's record, if this access has one, and then does the pending work. `pc`, `spsr`: at the trap; `value` as
 * the record is to have it.
 */
void fast_finish_slow(struct cpu *c, u64 pc, struct row_state *s, u64 ticks, u64 spsr, u64 value, u64 addr, u64 aux);

/* The same, inline for a row that always logs, with no record to join or save. */
static inline void fast_finish(struct cpu *c, u64 pc, struct row_state *s, u64 ticks, u64 spsr, u64 value, u64 addr,
				 u64 aux)
{
	struct log_record *r = log_slot(&c->log, c->log.seq);

	if (unlikely(s->flags != ROW_LOG || !log_has_room(r))) {
		fast_finish_slow(c, pc, s, ticks, spsr, value, addr, aux);
		return;
	}
	log_fill(c, r, s->header, pc, spsr, value, addr, aux, (u32)ticks);
	if (!log_silent)
		c->work |= WORK_LOG;
	if (unlikely(c->work))
		trap_work(c);
}

#endif
