/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a run. */
#include "log/power.h"
#include "arch/arch.h"
#include "board/integrity.h"
#include "cpu/locks.h"
#include "cpu/smp.h"
#include "lib/print.h"
#include "lib/psci.h"
#include "log/console.h"
#include "log/evidence.h"

static void finish(const char *reason)
{
	smp_stop_others(this_cpu());
	lock_enter(&log_lock); /* stops the operator at another CPU's monitor, and every other output */
	console_hold();
	if (!integrity_holds())
		kprintf("\ncharter: panic: EL2's text, constants or tables have changed since boot\n");
	for (unsigned i = 0; i < n_cpus; i++)
		if (cpus[i]->log.seq)
			log_finish(cpus[i], reason);
	console_flush();
}

void machine_off(const char *reason)
{
	finish(reason);
	smc(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		wfi();
}

void guest_reset(void)
{
	finish("reset");
	smc(PSCI_SYSTEM_RESET, 0, 0, 0);
	for (;;)
		wfi();
}
