/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A register that traps may still be missing: PMXEVTYPER_EL0 with PMSELR_EL0 out of range is CONSTRAINED UNPREDICTABLE,
 * which may be UNDEFINED; CPTR_EL2 also traps some accesses of EL2. The stub then returns as if it had read zero, so
 * that callers need no check for an exception; the trap's end undoes their effects.
 */
#include "trap/replay.h"
#include "cpu/esr.h"
#include "log/evidence.h"
#include "trap/decide.h"
#include "vm/inject.h"

extern const char replay_begin[], replay_end[]; /* hv.ld: the stubs, and resetregs.S, which vcpu_reset() calls */

truth replay_faulted(struct trap_frame *f)
{
	struct cpu *c = this_cpu();

	if (f->elr_el2 - (u64)replay_begin >= (u64)replay_end - (u64)replay_begin || esr_class(f->esr_el2) == EC_IABT_CUR)
		return false;
	c->undone.elr = c->frame.elr_el2;
	c->undone.spsr = c->frame.spsr_el2;
	c->undone.rt = c->frame.x[iss_rt(c->frame.esr_el2)];
	c->work |= WORK_UNDEFINED;
	f->x[0] = 0;
	f->elr_el2 += 4; /* the stub's RET */
	return true;
}

/* The newest record, if it is about the trap being handled. */
static struct log_record *record_of_this(struct cpu *c)
{
	struct log_record *r = (struct log_record *)log_find(c, c->log.seq - 1);

	return r && r->kind == REC_DECISION && r->time == c->entered && r->pc == c->frame.elr_el2 &&
	       r->esr == (u32)c->frame.esr_el2 ? r : NULL;
}

u32 replay_undo(struct cpu *c)
{
	struct trap_frame *f = &c->frame;
	const struct row_state *s = &c->rows[policy_sysreg((u32)f->esr_el2)];
	struct log_record *r;
	u32 work = 0;

	f->elr_el2 = c->undone.elr;
	f->spsr_el2 = c->undone.spsr;
	f->x[iss_rt(f->esr_el2)] = c->undone.rt;
	r = record_of_this(c);
	if (!r && decide_first(c, s, 0, 0)) { /* logged once, even if the rule logs nothing */
		r = log_decision(c, s, 0, 0, 0);
		r->cost = (u32)(counter() - c->entered);
		work = log_silent ? 0 : WORK_LOG;
	}
	if (r) {
		r->info = (u8)((r->info & ~0xfu) | V_INJECT | INFO_NOTABLE);
		r->value = c->undone.rt;
		c->log.notable_end = c->log.seq;
	}
	inject_undef(f);
	return work;
}
