/* SPDX-License-Identifier: Apache-2.0 */
/* HVC and SMC: the policy's row for the function, then its service (SMCCC, DEN 0028). Only x0 changes. */
#include "cpu/esr.h"
#include "lib/psci.h"
#include "models.h"
#include "trap/hvcall.h"
#include "trap/operator.h"
#include "trap/fast_path.h"

static const s64 codes[REFUSE_COUNT] = {
	[REFUSE_SEA] = SMCCC_NOT_SUPPORTED,
	[REFUSE_SERROR] = SMCCC_NOT_SUPPORTED,
	[REFUSE_NOT_SUPPORTED] = SMCCC_NOT_SUPPORTED,
	[REFUSE_INVALID_PARAMETERS] = PSCI_INVALID_PARAMETERS,
	[REFUSE_DENIED] = PSCI_DENIED,
	[REFUSE_PERMISSION] = SMCCC_NOT_SUPPORTED,
};
_Static_assert(REFUSE_COUNT == 7, "codes[] has a row for each enum refusal; 0 would be SUCCESS");

static enum outcome refuse(struct trap_frame *f, unsigned refusal, enum outcome done)
{
	if (refusal == REFUSE_UNDEF) {
		if (done == AGAIN)
			f->elr_el2 -= 4; /* ELR_EL2 of an HVC is the next instruction; UNDEFINED belongs to this one */
		return UNDEF;
	}
	f->x[0] = (u64)codes[refusal];
	return done;
}

/* `done`: AGAIN for HVC, whose ELR_EL2 is the next instruction already; NEXT for SMC. */
static enum outcome act(struct trap_frame *f, const struct decision *d, enum outcome done)
{
	_Static_assert(ACT_COUNT == 9, "act() has a case for each enum action that a call may have");
	switch (d->action) {
	case ACT_EMULATE:
		return model_serve(d->arg, cpu_of(f)) ? done : STOP;
	case ACT_VALUE:
		f->x[0] = d->value;
		return done;
	case ACT_PAUSE:
		monitor_pause(cpu_of(f));
		return done;
	case ACT_KILL:
		return STOP;
	case ACT_DENY:
		return refuse(f, d->arg, done);
	default: /* allowed, without a service */
		f->x[0] = (u64)SMCCC_NOT_SUPPORTED;
		return done;
	}
}

/* Whether a constant answers the row's calls, so that act() only puts it into x0. */
static bool constant(const struct row_state *s, struct call_lookup *lookup)
{
	const struct decision *d = s->decision;

	_Static_assert(ACT_COUNT == 9, "constant() has a case for each enum action that a constant may answer");
	switch (s->path) {
	case ACT_VALUE:
		lookup->value = d->value;
		return true;
	case ACT_DENY:
		lookup->value = (u64)codes[d->arg];
		return d->arg != REFUSE_UNDEF;
	case ACT_EMULATE:
		return hvcall_constant(d->arg, &lookup->value, &lookup->selector);
	case ACT_ALLOW:
		lookup->value = (u64)SMCCC_NOT_SUPPORTED;
		return true;
	default:
		return false;
	}
}

/* The lookup cache has plain numbers only: below 2^32, where the number is all of x0, with an immediate of 0. */
static COLD void __attribute__((noinline)) slow_path(struct trap_frame *f, struct call_lookup *lookup, const struct call_table *table,
					      enum outcome done)
{
	struct cpu *c = cpu_of(f);
	u64 x0 = f->x[0];
	struct call_lookup found = { .key = x0, .row = &c->rows[policy_call(table, call_function(f))] };

	if (!(x0 >> 32) && !(f->esr_el2 & 0xffff) && constant(found.row, &found))
		*lookup = found;
	trap_end(f, act(f, decide(c, found.row, x0, f->x[1], f->x[2]), done));
}

static void __attribute__((noinline)) finish(struct trap_frame *f, struct row_state *s, u64 pc, u64 x0, u64 ticks)
{
	fast_finish(cpu_of(f), pc, s, ticks, f->spsr_el2, x0, f->x[1], f->x[2]);
}

static inline void call(struct trap_frame *f, u64 esr, struct call_lookup *lookup, const struct call_table *table,
			enum outcome done)
{
	u64 x0 = f->x[0], pc, ticks;

	/* An immediate gives a number that no lookup has. */
	if (unlikely(lookup->key != (x0 | esr << 48) || f->x[1] & lookup->selector)) {
		slow_path(f, lookup, table, done);
		return;
	}
	f->x[0] = lookup->value;
	pc = done == NEXT ? fast_next_pc(f) : f->elr_el2;
	if (unlikely(!fast_end(cpu_of(f), lookup->row, &ticks)))
		finish(f, lookup->row, pc, x0, ticks);
}

void trap_hvc(struct trap_frame *f, u64 esr)
{
	call(f, esr, &cpu_of(f)->lookup_cache[f->x[0] % LOOKUPS].hvc, &policy_hvc, AGAIN);
}

void trap_smc(struct trap_frame *f, u64 esr)
{
	call(f, esr, &cpu_of(f)->lookup_cache[f->x[0] % LOOKUPS].smc, &policy_smc, NEXT);
}
