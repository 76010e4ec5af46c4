/* SPDX-License-Identifier: Apache-2.0 */
/* HVC and SMC: the policy's row for the function, then its service (SMCCC, DEN 0028). Only x0 changes. */
#include "esr.h"
#include "hvcall.h"
#include "monitor.h"
#include "psci.h"
#include "trap.h"

/* A number that no table names: what an SMC or HVC with an immediate, or with a malformed x0, asks for. */
#define NO_FUNCTION 0xffffffffu

/* Function identifiers are 32 bits (W0); the six calls of our own are asked for with the whole of x0. */
static u32 function_of(const struct trap_frame *f)
{
	u64 x0 = f->x[0];

	if (f->esr_el2 & 0xffff)
		return NO_FUNCTION;
	if (x0 >> 32 && !(x0 & BIT(31)))
		return NO_FUNCTION;
	return (u32)x0;
}

static enum verdict refuse(struct trap_frame *f, unsigned refusal, enum verdict done)
{
	static const s64 codes[REFUSE_COUNT] = {
		[REFUSE_SEA] = SMCCC_NOT_SUPPORTED,
		[REFUSE_SERROR] = SMCCC_NOT_SUPPORTED,
		[REFUSE_NOT_SUPPORTED] = SMCCC_NOT_SUPPORTED,
		[REFUSE_INVALID_PARAMETERS] = PSCI_INVALID_PARAMETERS,
		[REFUSE_DENIED] = PSCI_DENIED,
	};

	if (refusal == REFUSE_UNDEF) {
		if (done == AGAIN)
			f->elr_el2 -= 4; /* HVC's preferred return is the next instruction, UNDEFINED's is its own */
		return UNDEF;
	}
	f->x[0] = (u64)codes[refusal];
	return done;
}

static enum verdict __attribute__((noinline)) pause(struct trap_frame *f, enum verdict done)
{
	monitor_pause(cpu_of(f));
	return done;
}

/* `done`: AGAIN for HVC, whose ELR is already behind it; NEXT for SMC. */
static inline enum verdict act(struct trap_frame *f, const struct decision *d, const struct call_table *table,
			       enum verdict done)
{
	if (likely(d->action == ACT_EMULATE)) {
		if (hvcall_constant(d->arg, f->x[1], &f->x[0]))
			return done;
		return hvcall(f, d->arg, table, done);
	}
	switch (d->action) {
	case ACT_VALUE:
		f->x[0] = d->value;
		return done;
	case ACT_PAUSE:
		return pause(f, done);
	case ACT_KILL:
		return STOP;
	case ACT_DENY:
		return refuse(f, d->arg, done);
	default: /* allowed, but nobody serves it */
		f->x[0] = (u64)SMCCC_NOT_SUPPORTED;
		return done;
	}
}

/* Rows that log, are limited or ask for arguments. */
static enum verdict __attribute__((noinline)) decided_slowly(struct trap_frame *f, struct row_state *s,
							     const struct call_table *table, enum verdict done)
{
	struct cpu *c = cpu_of(f);
	u16 row = policy_where((u16)(s - c->rows), f->x[1], f->x[2]);

	s->hits--;
	c->row = &c->rows[row];
	c->row->hits++;
	return act(f, decide_slow(c, row, f->x[0], f->x[1], f->x[2]), table, done);
}

static inline enum verdict decided(struct trap_frame *f, struct row_state *s, const struct call_table *table,
				   enum verdict done)
{
	if (!decide_fast(cpu_of(f), s))
		return decided_slowly(f, s, table, done);
	return act(f, s->decision, table, done);
}

/* Only plain numbers are remembered: below 2^32, where the number is all of x0, and with an immediate of 0. */
static enum verdict __attribute__((noinline)) looked_up(struct trap_frame *f, struct memo *memo, u64 id,
							const struct call_table *table, enum verdict done)
{
	struct row_state *s = &cpu_of(f)->rows[policy_call(table, function_of(f))];

	if (!(id >> 32))
		*memo = (struct memo){ id, s };
	return decided(f, s, table, done);
}

static inline enum verdict call(struct trap_frame *f, struct memo *memos, const struct call_table *table,
				enum verdict done)
{
	u64 id = f->x[0] | f->esr_el2 << 48; /* an immediate makes it a number that no memo holds */
	struct memo *memo = &memos[f->x[0] % MEMOS];

	if (unlikely(memo->key != id))
		return looked_up(f, memo, id, table, done);
	return decided(f, memo->row, table, done);
}

enum verdict trap_hvc(struct trap_frame *f)
{
	return call(f, cpu_of(f)->hvc, &policy_hvc, AGAIN);
}

enum verdict trap_smc(struct trap_frame *f)
{
	return call(f, cpu_of(f)->smc, &policy_smc, NEXT);
}
