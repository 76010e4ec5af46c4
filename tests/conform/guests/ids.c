/* SPDX-License-Identifier: Apache-2.0 */
/* The ID space (Arm ARM, "Reserved control space for ID registers"), caches, and other registers with the same facts. */
#include "lib.h"

void main1(u64 context) { (void)context; }

#define TRY(r) ({ u64 v_ = 0; reset_caught(); asm volatile("mrs %0, " #r : "+r"(v_) : : "memory"); v_; })
#define ID(m, n) do { u64 v = TRY(S3_0_C0_C##m##_##n); \
		      is_of("S3_0_C0_C" #m "_op2", n, v); \
		      is_of("  exception of S3_0_C0_C" #m "_op2", n, caught.esr); } while (0)
#define EIGHT(m) ID(m, 0); ID(m, 1); ID(m, 2); ID(m, 3); ID(m, 4); ID(m, 5); ID(m, 6); ID(m, 7)
#define ONE(r) do { u64 v = TRY(r); is(#r, v); is("  exception of " #r, caught.esr); } while (0)

void main(void)
{
	u64 clidr;

	EIGHT(0); EIGHT(1); EIGHT(2); EIGHT(3); EIGHT(4); EIGHT(5); EIGHT(6); EIGHT(7);
	ONE(ctr_el0); ONE(dczid_el0); ONE(cntfrq_el0); ONE(clidr_el1); ONE(aidr_el1); ONE(S3_1_C0_C0_2); ONE(S3_1_C0_C0_4);
	clidr = mrs(clidr_el1);
	for (u64 level = 0; level < 7; level++)
		for (u64 ins = 0; ins < 2; ins++) {
			u64 type = clidr >> 3 * level & 7;

			msr(csselr_el1, level << 1 | ins);
			is("CSSELR_EL1", mrs(csselr_el1));
			if (ins ? type & 1 : type & 6)
				is("CCSIDR_EL1", mrs(ccsidr_el1));
		}
	ONE(pmcr_el0); ONE(pmceid0_el0); ONE(pmceid1_el0); ONE(oslsr_el1); ONE(mdrar_el1); ONE(dbgauthstatus_el1);
	ONE(isr_el1); ONE(rvbar_el1); ONE(currentel); ONE(sctlr_el1); ONE(tcr_el1); ONE(cpacr_el1); ONE(vbar_el1);
	ONE(spsr_el1); ONE(cntkctl_el1); ONE(cntp_ctl_el0); ONE(cntv_ctl_el0); ONE(S3_0_C12_C12_5); ONE(tpidr_el1);
	ONE(actlr_el1); ONE(afsr0_el1); ONE(amair_el1); ONE(par_el1); ONE(contextidr_el1); ONE(mdscr_el1); ONE(pmuserenr_el0);
	off();
}
