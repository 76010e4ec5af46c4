/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and instructions in guest RAM that stage 2 refuses, as the policy's `memory` has them. */
#include "arch/arch.h"
#include "cpu/esr.h"
#include "lib/string.h"
#include "trap/decide.h"
#include "trap/trap.h"
#include "vm/el1_exception.h"
#include "vm/guestmem.h"
#include "vm/inject.h"
#include "vm/stage2.h"

/*
 * EL2 makes a store that the policy allows and asks about, if the syndrome describes it and it lies in one page: the next
 * page may be another's. Any other is refused, and its record says INJECT. `mode: audit` and the operator let all of the
 * page or block pass from then on.
 */
enum outcome trap_ram(struct trap_frame *f, u64 ipa, bool exec)
{
	struct cpu *c = cpu_of(f);
	u64 esr = f->esr_el2, value = 0, held = 0;
	unsigned size = 1u << dabt_log2_size(esr);
	u16 row = policy_ram(ipa, exec);
	const struct decision *d;
	void *p = NULL;

	if (row == NO_ROW) { /* opened by another CPU: no decision */
		c->entered = counter();
		return AGAIN;
	}
	if (!exec && esr & DABT_ISV && ipa % 0x1000 + size <= 0x1000) {
		p = guest_ram(ipa, size);
		memcpy(&held, p, size);
		memcpy(&value, &f->x[dabt_rt(esr)], size);
	}
	d = decide(c, &c->rows[row], value, ipa, held);
	if (d->action == ACT_KILL)
		return STOP;
	if (d->action == ACT_IGNORE)
		return NEXT;
	if (d->action == ACT_ALLOW) {
		if (d->verdict != V_ALLOW) {
			stage2_open(ipa, exec);
			return AGAIN;
		}
		if (p && guarded_write((u64)p, size, value))
			return NEXT;
		if (c->record)
			c->record->info = (u8)((c->record->info & ~0xfu) | V_INJECT | INFO_NOTABLE);
	}
	/* As EL1 would have it without EL2: the class of an abort from EL1 itself is one higher; WnR of a store. */
	inject(f, (esr_class(esr) + !take_from_el0(f->spsr_el2)) << 26 | ESR_IL | (esr & DABT_WNR) | FSC_PERMISSION | 3, &f->far_el2);
	return AGAIN;
}
