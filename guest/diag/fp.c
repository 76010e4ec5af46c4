/* SPDX-License-Identifier: Apache-2.0 */
/* Floating point, in the one file compiled with it: it works or is refused, and EL2 leaves the registers alone. */
#include "callnames.h"
#include "check.h"
#include "cpu.h"
#include "trap.h"

#define CPACR_FPEN (3UL << 20)

static void run_sum(void)
{
	volatile double sum = 0.0;

	for (int k = 1; k <= 1000; k++)
		sum += 1.0 / ((double)k * k);
	/* pi^2/6 less the tail of 1/1000 */
	check_true("FP", "sum of 1/k^2 is near pi^2/6", sum > 1.6439 && sum < 1.6440, (u64)(sum * 1e6));
}

/* v0..v31 across traps into EL2, which is compiled without FP and must leave them alone. */
static void run_registers(void)
{
	static u64 in[64] __attribute__((aligned(16))), out[64] __attribute__((aligned(16)));
	u32 same = 0;

	for (u32 i = 0; i < 64; i++)
		in[i] = 0x9e3779b97f4a7c15UL * (i + 1);
	register u64 x0 asm("x0") = PSCI_VERSION;
	register u64 x1 asm("x1") = (u64)in;
	register u64 x2 asm("x2") = (u64)out;
#define EACH(op, base)                                                                                  \
	op " q0, q1, [" base "]\n\t" op " q2, q3, [" base ", #32]\n\t" op " q4, q5, [" base ", #64]\n\t" \
	op " q6, q7, [" base ", #96]\n\t" op " q8, q9, [" base ", #128]\n\t"                             \
	op " q10, q11, [" base ", #160]\n\t" op " q12, q13, [" base ", #192]\n\t"                        \
	op " q14, q15, [" base ", #224]\n\t" op " q16, q17, [" base ", #256]\n\t"                        \
	op " q18, q19, [" base ", #288]\n\t" op " q20, q21, [" base ", #320]\n\t"                        \
	op " q22, q23, [" base ", #352]\n\t" op " q24, q25, [" base ", #384]\n\t"                        \
	op " q26, q27, [" base ", #416]\n\t" op " q28, q29, [" base ", #448]\n\t"                        \
	op " q30, q31, [" base ", #480]\n\t"
	asm volatile(EACH("ldp", "%1") "hvc #0\n\t" EACH("stp", "%2")
		     : "+r"(x0)
		     : "r"(x1), "r"(x2)
		     : "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12",
		       "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25",
		       "v26", "v27", "v28", "v29", "v30", "v31");
	for (u32 i = 0; i < 64; i++)
		same += in[i] == out[i];
	check_equal("FP", "halves of v0..v31 that keep their value over an HVC", 64, same);
}

CHECKS(080, fp)
{
	static const struct expect e = EXPECT_FP, cpacr = EXPECT_CPACR_EL1_W, call = EXPECT_HVC_PSCI_VERSION;
	u64 before = 0, moved = 0;
	bool done;

	if (cpacr.action != ACT_ALLOW || !expect_returns(&e) || !expect_affords(&e, 4)) {
		check_note("FP", "not tried: CPACR_EL1 is %s, FP %s", check_word(&cpacr), check_word(&e));
		return;
	}
	TRY(before = cpu_sysreg(cpacr_el1));
	cpu_set_sysreg(cpacr_el1, before | CPACR_FPEN);
	done = TRY(asm volatile("fmov d0, %1\n\tfmov %0, d0" : "=r"(moved) : "r"(POISON) : "v0", "memory"));
	if (e.action == ACT_DENY) {
		/* both instructions */
		check_true("FP", "refused (UNDEF), as the policy says", trap_caught.sync == 2 &&
			   trap_caught.esr == BIT(25), trap_caught.esr);
	} else if (e.action == ACT_FORWARD && !done) {
		check_pass("FP", "forwarded: ESR 0x%lx", trap_caught.esr);
	} else if (!done || moved != POISON) {
		check_fail("FP", "expected it to work, got ESR 0x%lx, 0x%lx", trap_caught.esr, moved);
	} else {
		run_sum();
		if (expect_returns(&call) && !(call.action == ACT_DENY && call.refusal == REFUSE_UNDEF))
			run_registers();
	}
	cpu_set_sysreg(cpacr_el1, before);
}
