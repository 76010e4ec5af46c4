/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one record of one decision: the inline part of the evidence log. */
#ifndef HV_RECORD_H
#define HV_RECORD_H

#include "cpu/cpu.h"

static inline struct log_record *log_slot(const struct log_ring *l, u64 seq)
{
	return &l->main[seq & (LOG_RING - 1)];
}

/* The part of `header` that all records of a row share. */
static inline u64 log_row_header(u16 row)
{
	unsigned info = policy_rows[row].verdict;

	if (info != V_ALLOW && info != V_EMUL)
		info |= INFO_NOTABLE;
	return (u64)row << 32 | (u64)info << 48; /* kind is REC_DECISION, zero */
}

/*
 * Prepares the slot of the next record: joins the newest two if they are equal, and saves a notable one from being
 * overwritten.
 */
struct log_record *log_next(struct log_ring *l);

/*
 * Whether the next slot can be used at once: the newest two records differ, and the slot holds no notable one. At the
 * start of the ring the margin stands for the two: a run of equal records may end there.
 */
static inline bool log_has_room(const struct log_record *next)
{
	return likely((next[-1].value != next[-2].value || next[-1].pc != next[-2].pc) && !(next->info & INFO_NOTABLE));
}

/* Fills slot `r`, the next one, which has room, with the decision being handled. */
static inline void log_fill(struct cpu *c, struct log_record *r, u64 header, u64 pc, u64 spsr, u64 value, u64 addr, u64 aux,
			    u32 cost)
{
	struct log_ring *l = &c->log;
	u64 seq = l->seq;

	l->seq = seq + 1;
	if (header & (u64)INFO_NOTABLE << 48)
		l->notable_end = seq + 1;
	r->seq = seq;
	r->time = c->entered;
	r->pc = pc;
	r->addr = addr;
	r->value = value;
	r->header = header | (u32)c->frame.esr_el2 | (spsr & 0xc) << 50;
	r->cost = cost;
	r->n = 1;
	r->aux = aux;
}

#endif
