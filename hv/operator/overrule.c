/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions of rules that the operator has changed: refusals that pass (WOULD), and rows that ask the operator first. */
#include "cpu/esr.h"
#include "models.h"
#include "operator/debug.h"
#include "operator/monitor.h"
#include "operator/rules.h"
#include "trap/hvcall.h"

static struct decision overruled[MAX_CPUS];

/*
 * EL2 makes the access itself. The guest must not run the instruction again with relaxed controls: it could be another
 * one by then. A register that EL2 cannot reach reads as zero and ignores writes.
 */
static void pass_register(struct decision *n, u32 iss, bool zero)
{
	const struct passing *p = zero ? NULL : policy_pass(sysreg_key(iss));
	bool write = !iss_is_read(iss);

	n->action = p ? p->action[write] : write ? ACT_IGNORE : ACT_VALUE;
	n->arg = p ? p->arg : 0;
	n->mask = p ? p->mask[write] : 0;
	n->value = p && !write ? p->value : 0;
}

/* The mildest decision in place of a refusal, as of `mode: audit`; `zero`: reads give 0, writes are ignored. */
static const struct decision *let_pass(struct cpu *c, const struct decision *d, bool zero)
{
	struct decision *n = &overruled[c->index];
	u64 esr = c->frame.esr_el2;

	if (d->action != ACT_DENY && d->action != ACT_KILL && d->action != ACT_FORWARD && !zero)
		return d;
	*n = *d;
	n->value = 0;
	if (POLICY_MEMORY && d->tells == TELLS_RAM) {
		n->action = zero && esr_class(esr) == EC_DABT_LOW ? ACT_IGNORE : ACT_ALLOW;
		c->row->would++;
		return n;
	}
	switch (esr_class(esr)) {
	case EC_SYSREG:
		pass_register(n, (u32)esr, zero);
		break;
	case EC_DABT_LOW: /* the real device behind the window may be EL2's own */
		n->action = esr & DABT_ISV ? (esr & DABT_WNR ? ACT_IGNORE : ACT_VALUE) : ACT_ALLOW;
		break;
	case EC_HVC64:
	case EC_SMC64:
		n->arg = (u16)model_of_call(call_function(&c->frame), esr_class(esr) == EC_HVC64 ? BY_HVC : BY_SMC);
		n->action = zero ? ACT_VALUE : n->arg ? ACT_EMULATE : ACT_ALLOW;
		break;
	default:
		n->action = ACT_ALLOW;
	}
	c->row->would++;
	return n;
}

static void log_would(struct log_record *r)
{
	if (r)
		r->info = (u8)((r->info & ~0xfu) | V_WOULD | INFO_NOTABLE);
}

const struct decision *overrule(struct cpu *c, const struct decision *d)
{
	const struct decision *shadow = c->row->flags & ROW_DEBUG ? debug_shadow(c, d) : NULL, *passed;
	struct log_record *r = c->record;
	bool pass = c->row->flags & ROW_WOULD, zero = false;
	u16 rule = d->rule;

	if (shadow)
		return shadow;
	if (c->row->flags & ROW_STOP) {
		if (c->row->flags & ROW_ONCE)
			rules_set(rule, 0, ROW_STOP | ROW_ONCE);
		switch (monitor_ask(c, d)) {
		case 'A': /* ROW_WOULD is set by now */
		case 'a':
			pass = true;
			break;
		case 'e':
			zero = true;
			break;
		default:
			pass = false;
		}
	}
	if (!pass && !zero)
		return d;
	passed = let_pass(c, d, zero);
	if (passed != d)
		log_would(r);
	if (c->row->flags & ROW_DEBUG) { /* the register is allowed now, and EL2 uses it: debug.c's shadow serves the guest */
		shadow = debug_shadow(c, passed);
		if (shadow)
			return shadow;
	}
	return passed;
}
