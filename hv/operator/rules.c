/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of rows that change at run time: by the operator's commands, and for the debug registers. */
#include "operator/rules.h"
#include "cpu/locks.h"

truth rules_set(unsigned rule, u32 set, u32 clear)
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

u32 rules_flags(unsigned rule)
{
	for (unsigned i = 0; i < policy_n_rows; i++)
		if (policy_rows[i].rule == rule)
			return cpus[0]->rows[i].flags & (ROW_WOULD | ROW_STOP);
	return 0;
}

/* S2_0_C0_Cm_op2, op2 2 (MDSCR_EL1) and 4 to 7 (DBGBVRn, DBGBCRn, DBGWVRn, DBGWCRn). */
void rules_debug(struct cpu *c, bool on)
{
	spin_lock(&rules_lock);
	for (u32 op2 = 2; op2 < 8; op2++)
		for (u32 low = 0; low < 32; low++) {
			struct row_state *s = &c->rows[policy_sysreg(2u << 20 | op2 << 17 | low)];

			for (;;) { /* with the rows that its conditions lead to */
				s->flags = on ? s->flags | ROW_DEBUG : s->flags & ~ROW_DEBUG;
				row_set_path(s);
				if (!s->decision->where)
					break;
				s = &c->rows[s->decision->otherwise];
			}
		}
	spin_unlock(&rules_lock);
}
