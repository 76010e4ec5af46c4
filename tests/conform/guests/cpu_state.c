/* SPDX-License-Identifier: Apache-2.0 */
/* A CPU that is turned on again and again (PSCI, DEN 0022, "CPU_ON"): its first state, and its redistributor meanwhile. */
#include "lib.h"

#define CPU_ON  0xc4000003
#define CPU_OFF 0x84000002
#define INFO    0xc4000004

static volatile u64 running, given;

#define STATE(r) is("  " #r, mrs(r))

static void first_state(void)
{
	STATE(mpidr_el1); STATE(currentel); STATE(daif); STATE(spsel); STATE(nzcv);
	STATE(tcr_el1); STATE(ttbr0_el1); STATE(mair_el1); STATE(contextidr_el1); STATE(tpidr_el1); STATE(tpidr_el0);
	STATE(tpidrro_el0); STATE(esr_el1); STATE(far_el1); STATE(par_el1); STATE(csselr_el1); STATE(fpcr); STATE(fpsr);
	STATE(cntv_ctl_el0); STATE(cntp_ctl_el0); STATE(cntkctl_el1);
	STATE(mdscr_el1); STATE(dbgbcr0_el1); STATE(pmcntenset_el0); STATE(pmuserenr_el0);
	is("  PMCR_EL0", mrs(pmcr_el0) & 0xff);
	is("  ICC_PMR_EL1", mrs(ICC_PMR));
	is("  ICC_BPR0_EL1", mrs(ICC_BPR0));
	is("  ICC_BPR1_EL1", mrs(ICC_BPR1));
	is("  ICC_CTLR_EL1", mrs(ICC_CTLR));
	is("  ICC_IGRPEN0_EL1", mrs(ICC_IGRPEN0));
	is("  ICC_IGRPEN1_EL1", mrs(ICC_IGRPEN1));
	is("  ICC_AP1R0_EL1", mrs(ICC_AP1R0));
	is("  ICC_RPR_EL1", mrs(ICC_RPR));
	is("  ICC_HPPIR1_EL1", mrs(ICC_HPPIR1));
	is("  ISR_EL1", mrs(isr_el1));
}

static void redistributor(const char *when)
{
	is(when, 0);
	is("  GICR_ISENABLER0", r32(SGI(1) + 0x100));
	is("  GICR_ISPENDR0", r32(SGI(1) + 0x200));
	is("  GICR_ISACTIVER0", r32(SGI(1) + 0x300));
	is("  GICR_IGROUPR0", r32(SGI(1) + 0x80));
	is("  GICR_IPRIORITYR2", r32(SGI(1) + 0x408));
	is("  GICR_WAKER", r32(GICR(1) + 0x14));
}

/* The second CPU leaves traces everywhere; none is there the next time. */
void main1(u64 context)
{
	given = context;
	first_state();
	msr(tpidr_el1, 0x77);
	msr(contextidr_el1, 5);
	msr(cntkctl_el1, 3);
	msr(cntv_cval_el0, 0);
	msr(cntv_ctl_el0, 1);
	msr(mdscr_el1, BIT(12));
	msr(pmuserenr_el0, 3);
	msr(ICC_PMR, 0xf8);
	msr(ICC_BPR1, 5);
	msr(ICC_CTLR, 2);
	msr(ICC_IGRPEN1, 1);
	asm volatile("dsb sy");
	running = 1;
	while (running == 1) ;
	hvc(CPU_OFF, 0, 0, 0);
}

static void on(const char *name, u64 context)
{
	u64 result;

	is(name, 0);
	running = 0;
	result = hvc(CPU_ON, 1, (u64)second, context); /* the other CPU speaks now */
	for (int i = 0; i < 3000 && !running; i++)
		wait_us(1000);
	is("  result", result);
	is("  x0", given);
}

static void stop(void)
{
	running = 2;
	for (int i = 0; i < 3000 && !hvc(INFO, 1, 0, 0); i++)
		wait_us(1000);
}

void main(void)
{
	w32(GICD, 0x12);
	gic_cpu(0);
	on("the first time", 0x1234567890abcdef);
	w32(SGI(1) + 0x80, ~0u);
	w32(SGI(1) + 0x100, 0xf);
	w32(SGI(1) + 0x408, 0x20304050);
	w32(SGI(1) + 0x200, 5);
	redistributor("it is on");
	stop();
	redistributor("it is off");
	w32(SGI(1) + 0x200, 0x10);
	w32(SGI(1) + 0x300, 0x100);
	w32(SGI(1) + 0x280, 1);
	msr(ICC_SGI1R, 2 | 9UL << 24);
	redistributor("it is off, written");
	/* An SPI that goes to it */
	w64(GICD + 0x6000 + 8 * 40, 1);
	w32(GICD + 0x84, ~0u);
	w32(GICD + 0x104, BIT(8));
	w32(GICD + 0x204, BIT(8));
	is("its SPI, pending", r32(GICD + 0x204));
	is("ICC_HPPIR1_EL1 here", mrs(ICC_HPPIR1));
	w64(GICD + 0x6000 + 8 * 40, 0);
	is("ICC_HPPIR1_EL1 here, routed here", mrs(ICC_HPPIR1));
	w32(GICD + 0x284, BIT(8));
	on("the second time", ~0UL);
	stop();
	on("the third time", 0);
	is("CPU_ON of this CPU", hvc(CPU_ON, 0, (u64)second, 0));
	is("CPU_ON of one that is on", hvc(CPU_ON, 1, (u64)second, 0));
	stop();
	is("CPU_ON, entry not aligned", hvc(CPU_ON, 1, (u64)second + 2, 0));
	off();
}
