/* SPDX-License-Identifier: Apache-2.0 */
/* The diagnostic guest: runs the checks of every file, prints the total, and opens the monitor. */
#include "callnames.h"
#include "check.h"
#include "console.h"
#include "cpu.h"
#include "trap.h"

/* Tries the ways to stop that the policy may leave, the politest first. */
static void power_off(void)
{
	TRY(cpu_hvc(PSCI_SYSTEM_OFF, 0, 0, 0));
	TRY(cpu_smc(PSCI_SYSTEM_OFF, 0, 0, 0));
}

/*
 * PAUSE opens the monitor and returns 0 when the operator says `cont`: then the guest idles, and pauses again when an
 * interrupt wakes it. Any other result means that PAUSE is denied, or that the run is unattended (1).
 */
static void __attribute__((noreturn)) end(void)
{
	console_line("diagnostic guest: %u passed, %u failed", check_passed, check_failed);
	for (;;) {
		u64 x0 = ~0UL;

		TRY(x0 = cpu_hvc(HV_PAUSE, 0, 0, 0));
		if (x0 != 0)
			power_off();
		TRY(asm volatile("wfi" : : : "memory"));
	}
}

void trap_unexpected(u64 slot, const struct trap_frame *f)
{
	check_fail("exception", "slot %lu: expected none, got ESR 0x%lx ELR 0x%lx FAR 0x%lx", slot, f->esr, f->elr,
		   f->far);
	end();
}

/* Without the registers that its vector reads, the guest cannot tell one exception from another. */
static bool can_judge(void)
{
	static const struct expect esr = EXPECT_ESR_EL1_R, far = EXPECT_FAR_EL1_R;

	if (esr.action == ACT_ALLOW && far.action == ACT_ALLOW && expect_affords(&esr, 5000) && expect_affords(&far, 5000))
		return true;
	check_note("exceptions", "nothing is tried: ESR_EL1 is %s, FAR_EL1 %s", check_word(&esr), check_word(&far));
	return false;
}

extern check_fn *const checks_start[], *const checks_end[]; /* guest.ld */

void main(void);
void main(void)
{
	console_line("diagnostic guest: EL%u at 0x%lx", (u32)(cpu_sysreg(currentel) >> 2 & 3), (u64)GUEST_RAM);
	if (!can_judge())
		end();
	for (check_fn *const *run = checks_start; run < checks_end; run++)
		(*run)();
	end();
}
