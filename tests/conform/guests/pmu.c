/* SPDX-License-Identifier: Apache-2.0 */
/* The PMU by effect (Arm ARM, "The Performance Monitors Extension"): events counted and not, overflow, EL0. */
#include "lib.h"

void main1(u64 context) { (void)context; }

#define P   BIT(31)
#define U   BIT(30)
#define NSK BIT(29)
#define NSU BIT(28)
#define CYCLES BIT(31)

static void spin(void)
{
	for (volatile int i = 0; i < 100; i++) ;
}

static u64 counts(u64 pmcr, u64 enabled, u64 filter)
{
	u64 from;

	msr(pmccfiltr_el0, filter);
	msr(pmcntenclr_el0, ~0UL);
	msr(pmcntenset_el0, enabled);
	msr(pmcr_el0, pmcr);
	from = mrs(pmccntr_el0);
	spin();
	return mrs(pmccntr_el0) != from;
}

/* Counter 0 counts software increments by `filter`; returns how many of three. */
static u64 increments(u64 filter, u64 enabled, u64 pmcr)
{
	msr(pmcr_el0, pmcr | 2);
	msr(pmcntenclr_el0, ~0UL);
	msr(pmcntenset_el0, enabled);
	msr(pmselr_el0, 0);
	msr(pmxevtyper_el0, filter);
	for (int i = 0; i < 3; i++)
		msr(pmswinc_el0, 1);
	return mrs(pmevcntr0_el0);
}

/* At EL0: one instruction, then back by SVC, whose handler goes on at `back`. */
extern char user_swinc[], user_cycles[];
u64 at_el0(const char *code);
asm("at_el0:	str	x30, [sp, #-16]!\n"
    "	mrs	x1, vbar_el1\n"
    "	str	x1, [sp, #8]\n"
    "	adr	x2, el0_vectors\n"
    "	msr	vbar_el1, x2\n"
    "	msr	elr_el1, x0\n"
    "	mov	x2, #0x3c0\n"
    "	msr	spsr_el1, x2\n"
    "	isb\n"
    "	eret\n"
    "user_swinc:	mov	x3, #1\n"
    "	msr	pmswinc_el0, x3\n"
    "	svc	#0\n"
    "user_cycles:	mrs	x3, pmccntr_el0\n"
    "	svc	#0\n"
    "	.balign 2048\n"
    "el0_vectors:	.skip 0x400\n"
    "	mrs	x0, esr_el1\n"
    "	ldr	x1, [sp, #8]\n"
    "	msr	vbar_el1, x1\n"
    "	isb\n"
    "	ldr	x30, [sp], #16\n"
    "	ret\n"
    "	.balign 4\n");

void main(void)
{
	static const u64 filters[] = { 0, P, U, P | U, NSK, P | NSK, NSU, U | NSU };

	w32(GICD, 0x12);
	gic_cpu(0);
	is("PMCR_EL0", mrs(pmcr_el0) & ~0xffUL);
	is("cycles, nothing enabled", counts(0, 0, 0));
	is("cycles, PMCR_EL0.E alone", counts(1, 0, 0));
	is("cycles, PMCNTENSET_EL0 alone", counts(0, CYCLES, 0));
	is("cycles, both", counts(1, CYCLES, 0));
	is("cycles, not at EL1", counts(1, CYCLES, P));
	is("cycles, not at EL0", counts(1, CYCLES, U));
	msr(pmcr_el0, 4);
	is("PMCR_EL0.C", mrs(pmccntr_el0) < 100000);
	for (unsigned i = 0; i < 8; i++)
		is_of("software increments, filter", filters[i] >> 28, increments(filters[i], 1, 1));
	is("software increments, counter not enabled", increments(0, 0, 1));
	is("software increments, PMCR_EL0.E 0", increments(0, 1, 0));
	msr(pmxevtyper_el0, 8);
	msr(pmcr_el0, 3);
	msr(pmswinc_el0, 1);
	is("of another event", mrs(pmevcntr0_el0) > 100000);
	/* Registers with two names */
	msr(pmselr_el0, 1);
	msr(pmxevtyper_el0, P | 0x11);
	is("PMEVTYPER1_EL0", mrs(pmevtyper1_el0));
	msr(pmevcntr1_el0, 0x1234);
	is("PMXEVCNTR_EL0", mrs(pmxevcntr_el0));
	msr(pmselr_el0, 31);
	msr(pmxevtyper_el0, U);
	is("PMCCFILTR_EL0", mrs(pmccfiltr_el0));
	is("PMSELR_EL0", mrs(pmselr_el0));
	msr(pmcntenset_el0, ~0UL);
	is("PMCNTENSET_EL0, all", mrs(pmcntenset_el0));
	msr(pmcntenclr_el0, ~0UL);
	msr(pmintenset_el1, ~0UL);
	is("PMINTENSET_EL1, all", mrs(pmintenset_el1));
	msr(pmintenclr_el1, ~0UL);
	msr(pmccfiltr_el0, ~0UL);
	is("PMCCFILTR_EL0, ones", mrs(pmccfiltr_el0));
	msr(pmccfiltr_el0, 0);
	msr(pmevtyper0_el0, ~0UL);
	is("PMEVTYPER0_EL0, ones", mrs(pmevtyper0_el0));
	msr(pmevtyper0_el0, 0);
	msr(pmcr_el0, ~1UL);
	is("PMCR_EL0, ones", mrs(pmcr_el0));
	msr(pmcr_el0, 0);
	is("PMCR_EL0, zero", mrs(pmcr_el0));
	msr(pmuserenr_el0, ~0UL);
	is("PMUSERENR_EL0, ones", mrs(pmuserenr_el0));
	msr(pmuserenr_el0, 0);
	msr(pmselr_el0, ~0UL);
	is("PMSELR_EL0, ones", mrs(pmselr_el0));
	/* Software increments of several counters at once; chained ones */
	msr(pmcr_el0, 2);
	msr(pmcntenset_el0, ~0UL);
	msr(pmevtyper1_el0, 0);
	msr(pmevtyper2_el0, 0);
	msr(pmcr_el0, 1);
	msr(pmswinc_el0, ~0UL);
	msr(pmswinc_el0, 5);
	is("PMEVCNTR0_EL0", mrs(pmevcntr0_el0));
	is("PMEVCNTR1_EL0", mrs(pmevcntr1_el0));
	is("PMEVCNTR2_EL0", mrs(pmevcntr2_el0));
	msr(pmevtyper1_el0, 0x1e);
	msr(pmevcntr0_el0, 0xffffffff);
	msr(pmevcntr1_el0, 7);
	msr(pmswinc_el0, 1);
	is("chained, lower", mrs(pmevcntr0_el0));
	is("chained, upper", mrs(pmevcntr1_el0));
	msr(pmccntr_el0, 77);
	msr(pmcr_el0, 2);
	is("PMCR_EL0.P", mrs(pmevcntr0_el0) | mrs(pmevcntr1_el0) << 32);
	/* Overflow, and its interrupt (PPI 23) */
	increments(0, 1, 1);
	msr(pmovsclr_el0, ~0UL);
	msr(pmevcntr0_el0, 0xffffffff);
	msr(pmswinc_el0, 1);
	is("PMOVSSET_EL0", mrs(pmovsset_el0));
	is("the counter behind it", mrs(pmevcntr0_el0));
	is("pending, PMINTENSET_EL1 0", r32(SGI(0) + 0x200) & BIT(23));
	msr(pmintenset_el1, 1);
	is("pending", r32(SGI(0) + 0x200) & BIT(23));
	msr(pmovsclr_el0, 1);
	is("pending, PMOVSCLR_EL0 written", r32(SGI(0) + 0x200) & BIT(23));
	msr(pmintenclr_el1, ~0UL);
	w32(SGI(0) + 0x100, BIT(23));
	msr(pmintenset_el1, 2);
	msr(pmovsset_el0, 2);
	is("ICC_IAR1_EL1", mrs(ICC_IAR1));
	msr(pmovsclr_el0, 2);
	msr(ICC_EOIR1, 23);
	is("ICC_HPPIR1_EL1 behind it", mrs(ICC_HPPIR1));
	w32(SGI(0) + 0x180, BIT(23));
	msr(pmintenclr_el1, ~0UL);
	/* EL0 */
	for (u64 en = 0; en < 16; en++) {
		msr(pmuserenr_el0, en);
		increments(P, 1, 1);
		is_of("ESR_EL1 of PMSWINC_EL0 at EL0, PMUSERENR_EL0", en, at_el0(user_swinc));
		is_of("  counted", en, mrs(pmevcntr0_el0));
		is_of("ESR_EL1 of PMCCNTR_EL0 at EL0, PMUSERENR_EL0", en, at_el0(user_cycles));
	}
	msr(pmuserenr_el0, 2);
	increments(P | U, 1, 1);
	at_el0(user_swinc);
	is("EL0, filtered by U", mrs(pmevcntr0_el0));
	off();
}
