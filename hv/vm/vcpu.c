/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's CPU. */
#include "vm/vcpu.h"
#include "arch/arch.h"
#include "cpu/vtime.h"
#include "vm/debugregs.h"
#include "vm/stage2.h"

#define SPSR_EL1H_MASKED 0x3c5
#define SCTLR_EL1_RESET  0x30d00800 /* RES1 bits of Armv8.0; MMU, caches and alignment checks off */

#define PFR0_RAS   28
#define PFR0_SVE   32
#define PFR0_MPAM  40
#define PFR1_SME   24
#define MMFR0_FGT  56
#define MMFR1_LO   16
#define MMFR1_HCX  40
#define ISAR1_APA  4
#define ISAR1_API  8
#define ISAR2_APA3 12

static unsigned field(u64 id, unsigned shift)
{
	return id >> shift & 0xf;
}

static bool has_pauth(void)
{
	u64 isar1 = sysreg_read(id_aa64isar1_el1), isar2 = sysreg_read(S3_0_C0_C6_2);

	return field(isar1, ISAR1_APA) || field(isar1, ISAR1_API) || field(isar2, ISAR2_APA3);
}

/* HCR_EL2 bits of features that this CPU lacks are RES0 to it. */
static u64 hcr_of_this_cpu(u64 hcr)
{
	u64 pfr0 = sysreg_read(id_aa64pfr0_el1), mmfr1 = sysreg_read(id_aa64mmfr1_el1);

	if (!field(pfr0, PFR0_RAS))
		hcr &= ~(BIT(36) | BIT(47));  /* TERR, FIEN */
	if (!field(mmfr1, MMFR1_LO))
		hcr &= ~BIT(35);              /* TLOR */
	if (!has_pauth())
		hcr &= ~(BIT(40) | BIT(41));  /* APK, API */
	return hcr;
}

void vcpu_controls(void)
{
	const struct trap_controls *t = &policy_traps;
	u64 pfr0 = sysreg_read(id_aa64pfr0_el1), pfr1 = sysreg_read(id_aa64pfr1_el1);
	u64 mmfr0 = sysreg_read(id_aa64mmfr0_el1), mmfr1 = sysreg_read(id_aa64mmfr1_el1);
	u64 counters = FIELD(sysreg_read(pmcr_el0), 15, 11);

	sysreg_write(hcr_el2, hcr_of_this_cpu(t->hcr));
	/* HPMN: the guest owns every event counter there is; 0 would be CONSTRAINED UNPREDICTABLE. */
	sysreg_write(mdcr_el2, t->mdcr | counters);
	sysreg_write(cptr_el2, t->cptr);
	sysreg_write(hstr_el2, t->hstr);
	sysreg_write(cnthctl_el2, t->cnthctl);
	vtime_load();
	sysreg_write(vpidr_el2, t->vpidr ? t->vpidr : sysreg_read(midr_el1));
	sysreg_write(vmpidr_el2, sysreg_read(mpidr_el1) | t->vmpidr_or);
	if (field(mmfr1, MMFR1_HCX))
		sysreg_write(HCRX_EL2, t->hcrx);
	if (field(mmfr0, MMFR0_FGT)) {
		sysreg_write(HFGRTR_EL2, t->hfgrtr);
		sysreg_write(HFGWTR_EL2, t->hfgwtr);
		sysreg_write(HFGITR_EL2, t->hfgitr);
		sysreg_write(HDFGRTR_EL2, t->hdfgrtr);
		sysreg_write(HDFGWTR_EL2, t->hdfgwtr);
	}
	if (field(pfr0, PFR0_MPAM))
		sysreg_write(MPAM2_EL2, t->mpam2);
	isb();
	if (field(pfr0, PFR0_SVE) && !(t->cptr & BIT(8)))
		sysreg_write(ZCR_EL2, 0xf); /* the guest may have every vector length */
	if (field(pfr1, PFR1_SME) && !(t->cptr & BIT(12)))
		sysreg_write(SMCR_EL2, 0xf);
	isb();
	stage2_enable();
}

/* No counter runs, counts anything or asks for an interrupt. */
static void reset_counters(void)
{
	unsigned n = FIELD(sysreg_read(pmcr_el0), 15, 11);

	sysreg_write(pmcr_el0, 6); /* E clear; P and C: all of them are zero */
	sysreg_write(pmcntenclr_el0, ~0UL);
	sysreg_write(pmintenclr_el1, ~0UL);
	sysreg_write(pmovsclr_el0, ~0UL);
	sysreg_write(pmccfiltr_el0, 0);
	sysreg_write(pmuserenr_el0, 0);
	sysreg_write(pmselr_el0, 0);
	while (n--) {
		sysreg_write(pmselr_el0, n);
		isb();
		sysreg_write(pmxevtyper_el0, 0);
	}
}

static void reset_keys(void)
{
	sysreg_write(S3_0_C2_C1_0, 0); /* APIAKeyLo_EL1, Hi */
	sysreg_write(S3_0_C2_C1_1, 0);
	sysreg_write(S3_0_C2_C1_2, 0); /* APIBKey */
	sysreg_write(S3_0_C2_C1_3, 0);
	sysreg_write(S3_0_C2_C2_0, 0); /* APDAKey */
	sysreg_write(S3_0_C2_C2_1, 0);
	sysreg_write(S3_0_C2_C2_2, 0); /* APDBKey */
	sysreg_write(S3_0_C2_C2_3, 0);
	sysreg_write(S3_0_C2_C3_0, 0); /* APGAKey */
	sysreg_write(S3_0_C2_C3_1, 0);
}

/*
 * Writes the registers that are UNKNOWN at reset: the guest finds neither firmware's values nor an earlier guest's. Not
 * those of SVE, SME, MTE, LORegions, RAS and SCXTNUM: they have no effect before the guest enables their feature.
 */
void vcpu_reset(struct cpu *c, u64 entry, u64 context)
{
	for (unsigned i = 0; i < 32; i++)
		c->frame.x[i] = 0;
	c->frame.x[0] = context;
	c->frame.sp_el0 = 0;
	c->frame.sp_el1 = 0;
	c->frame.elr_el2 = entry;
	c->frame.spsr_el2 = SPSR_EL1H_MASKED;

	sysreg_write(sctlr_el1, SCTLR_EL1_RESET);
	sysreg_write(actlr_el1, 0);
	sysreg_write(cpacr_el1, 0);
	sysreg_write(ttbr0_el1, 0);
	sysreg_write(ttbr1_el1, 0);
	sysreg_write(tcr_el1, 0);
	sysreg_write(mair_el1, 0);
	sysreg_write(amair_el1, 0);
	sysreg_write(contextidr_el1, 0);
	sysreg_write(vbar_el1, 0);
	sysreg_write(esr_el1, 0);
	sysreg_write(far_el1, 0);
	sysreg_write(afsr0_el1, 0);
	sysreg_write(afsr1_el1, 0);
	sysreg_write(elr_el1, 0);
	sysreg_write(spsr_el1, 0);
	sysreg_write(par_el1, 0);
	sysreg_write(tpidr_el0, 0);
	sysreg_write(tpidrro_el0, 0);
	sysreg_write(tpidr_el1, 0);
	sysreg_write(csselr_el1, 0);
	sysreg_write(cntkctl_el1, 0);
	sysreg_write(cntv_ctl_el0, 0);
	sysreg_write(cntv_cval_el0, 0);
	sysreg_write(cntp_ctl_el0, 0);
	sysreg_write(cntp_cval_el0, 0);
	sysreg_write(mdscr_el1, 0);
	sysreg_write(mdccint_el1, 0);
	debug_reset();
	reset_counters();
	if (has_pauth())
		reset_keys();
	if (!(policy_traps.cptr & BIT(10))) { /* TFP is EL2's, too */
		sysreg_write(fpcr, 0);
		sysreg_write(fpsr, 0);
	}
	/* The OS Lock is set at reset and would hold debug exceptions back. */
	sysreg_write(oslar_el1, 0);
	isb();
}
