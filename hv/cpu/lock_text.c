/* SPDX-License-Identifier: Apache-2.0 */
/* Prints how long locks were held and awaited, for the monitor's `el2` and a panic's report. */
#include "arch/arch.h"
#include "cpu/locks.h"
#include "lib/print.h"

void locks_say(void)
{
	u64 us = sysreg_read(cntfrq_el0) / 1000000;

	us = us ? us : 1;
	for (const struct spinlock *l = locks; l; l = l->behind) {
		const struct cpu *holder = (const struct cpu *)l->holder;
		unsigned waiters = 0;

		if (!l->taken) /* 0: never */
			continue;
		for (unsigned n = 0; n < n_cpus; n++)
			waiters += cpus[n]->waits == l;
		kprintf("lock    %-8s wait %lu us, hold %lu us at most", l->name, l->longest_wait / us, l->longest_hold / us);
		if (holder)
			kprintf("; CPU %u has it, %u wait", holder->index, waiters);
		kprintf("\n");
	}
}
