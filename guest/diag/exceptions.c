/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions of the guest's own: EL2 does not see them, but one is reported to it. */
#include "callnames.h"
#include "check.h"
#include "cpu.h"
#include "trap.h"

static void expect_own(const char *name, bool right)
{
	if (right)
		check_pass(name, "taken at EL1: ESR 0x%lx", trap_caught.esr);
	else
		check_fail(name, "expected it at EL1, got %u exceptions, ESR 0x%lx FAR 0x%lx", trap_caught.sync,
			   trap_caught.esr, trap_caught.far);
}

static void run_report(void)
{
	static const struct expect e = EXPECT_REPORT, brk = EXPECT_BRK;
	u64 x0;

	if (!expect_works(&e) || !expect_returns(&brk) || !expect_affords(&e, 20)) {
		check_note("BRK", "not reported: HV_REPORT_EXCEPTION is %s, BRK64 %s", check_word(&e),
			   check_word(&brk));
		return;
	}
	x0 = cpu_hvc(HV_REPORT_EXCEPTION, trap_caught.esr, trap_caught.elr, trap_caught.far);
	if (brk.action == ACT_DENY)
		check_pass("BRK", "reported, and refused: x0 = 0x%lx", x0);
	else
		check_true("BRK", "reported by HV_REPORT_EXCEPTION", (s64)x0 >= 0, x0);
}

CHECKS(070, exceptions)
{
	u64 beyond = BIT(53); /* more than the 52 bits of FEAT_LPA */
	void (*odd)(void) = (void (*)(void))(GUEST_BUFFER + 2);

	TRY(asm volatile("brk #0x123" : : : "memory"));
	expect_own("BRK", trap_caught.sync == 1 && trap_caught.esr == 0xf2000123 && trap_caught.insn == 0xd4202460);
	run_report();

	TRY(asm volatile("udf #0" : : : "memory"));
	expect_own("UDF", check_refused(REFUSE_UNDEF, 0, ~0U));

	TRY(asm volatile("svc #0x42" : : : "memory"));
	expect_own("SVC", trap_caught.sync == 1 && trap_caught.esr == 0x56000042);

	TRY(odd());
	expect_own("PC alignment", trap_caught.sync == 1 && trap_ec() == EC_PC_ALIGN);

	/* With the MMU off, an address wider than any CPU's physical one is a stage 1 fault. */
	TRY(cpu_read(beyond, 2));
	expect_own("address size", check_abort(EC_DABT, FSC_ADDRESS_SIZE_L0, beyond));
}
