/* SPDX-License-Identifier: Apache-2.0 */
/* Rules changed at run time: refusals that pass (WOULD), and rows that ask the operator first. */
#include "operator/overrule.h"
#include "cpu/esr.h"
#include "cpu/locks.h"
#include "lib/psci.h"
#include "operator/debug.h"
#include "operator/monitor.h"

static struct decision overruled[MAX_CPUS];

/* The service of each known function, for calls whose row is a plain refusal and has no model. */
static unsigned model_of(u64 id)
{
	static const struct {
		u32 id;
		u8 model;
	} services[] = {
		{ 0x80000000, MODEL_SMCCC_VERSION },     { 0x80000001, MODEL_SMCCC_ARCH_FEATURES },
		{ 0x84000000, MODEL_PSCI_VERSION },      { 0x84000001, MODEL_PSCI_CPU_SUSPEND },
		{ 0x84000002, MODEL_PSCI_CPU_OFF },      { 0x84000003, MODEL_PSCI_CPU_ON },
		{ 0x84000004, MODEL_PSCI_AFFINITY_INFO }, { 0x84000006, MODEL_PSCI_MIGRATE_INFO_TYPE },
		{ 0x84000008, MODEL_PSCI_SYSTEM_OFF },   { 0x84000009, MODEL_PSCI_SYSTEM_RESET },
		{ 0x8400000a, MODEL_PSCI_FEATURES },
	};

	if (id <= MODEL_HV_REPORT_EXCEPTION - MODEL_HV_GET_ID)
		return (unsigned)(MODEL_HV_GET_ID + id);
	for (unsigned i = 0; i < ARRAY_SIZE(services); i++)
		if (services[i].id == ((u32)id & ~0x40000000u))
			return services[i].model;
	return MODEL_NONE;
}

/*
 * EL2 makes the access itself: run by the guest with the controls relaxed, it could be another instruction by then.
 * What EL2 can not reach reads as zero and ignores writes.
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

/* The mildest thing in place of a refusal, as `mode: audit` has it; `zero`: reads give 0 and writes do nothing. */
static const struct decision *let_pass(struct cpu *c, const struct decision *d, bool zero)
{
	struct decision *n = &overruled[c->index];
	u64 esr = c->frame.esr_el2;

	if (d->action != ACT_DENY && d->action != ACT_KILL && d->action != ACT_FORWARD && !zero)
		return d;
	*n = *d;
	n->value = 0;
	switch (esr_class(esr)) {
	case EC_SYSREG:
		pass_register(n, (u32)esr, zero);
		break;
	case EC_DABT_LOW: /* the real device behind the window may be EL2's own */
		n->action = esr & DABT_ISV ? (esr & DABT_WNR ? ACT_IGNORE : ACT_VALUE) : ACT_ALLOW;
		break;
	case EC_HVC64:
	case EC_SMC64:
		n->arg = (u16)model_of(c->frame.x[0]);
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
			overrule_rule(rule, 0, ROW_STOP | ROW_ONCE);
		switch (monitor_ask(c, d)) {
		case 'A': /* the operator has set ROW_WOULD by now */
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
	if (c->row->flags & ROW_DEBUG) { /* allowed by now: EL2's own use of the register stays out of it */
		shadow = debug_shadow(c, passed);
		if (shadow)
			return shadow;
	}
	return passed;
}

bool overrule_rule(unsigned rule, u32 set, u32 clear)
{
	bool any = false;

	spin_lock(&rules_lock);
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		for (unsigned i = 0; cpus[cpu] && cpus[cpu]->rows && i < policy_n_rows; i++)
			if (policy_rows[i].rule == rule) {
				cpus[cpu]->rows[i].flags = (cpus[cpu]->rows[i].flags & ~clear) | set;
				row_set_path(&cpus[cpu]->rows[i]);
				lookups_forget(cpus[cpu]);
				any = true;
			}
	spin_unlock(&rules_lock);
	return any;
}

u32 overrule_flags(unsigned rule)
{
	for (unsigned i = 0; i < policy_n_rows; i++)
		if (policy_rows[i].rule == rule)
			return cpus[0]->rows[i].flags & (ROW_WOULD | ROW_STOP);
	return 0;
}

/* S2_0_C0_Cm_op2, op2 2 (MDSCR_EL1) and 4 to 7 (DBGBVRn, DBGBCRn, DBGWVRn, DBGWCRn). */
void overrule_debug(struct cpu *c, bool on)
{
	spin_lock(&rules_lock);
	for (u32 op2 = 2; op2 < 8; op2++)
		for (u32 low = 0; low < 32; low++) {
			struct row_state *s = &c->rows[policy_sysreg(2u << 20 | op2 << 17 | low)];

			for (;;) { /* and what its conditions lead to */
				s->flags = on ? s->flags | ROW_DEBUG : s->flags & ~ROW_DEBUG;
				row_set_path(s);
				if (!s->decision->where)
					break;
				s = &c->rows[s->decision->otherwise];
			}
		}
	spin_unlock(&rules_lock);
}
