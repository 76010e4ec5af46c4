/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's first state. Registers that are UNKNOWN out of reset are written: a guest finds no trace of firmware, of
 * EL2 or of a guest before it.
 */
#include "arch/arch.h"
#include "vm/features.h"
#include "vm/vcpu.h"

#define SPSR_EL1H_MASKED 0x3c5
#define SCTLR_EL1_RESET  0x30d00800 /* RES1 bits of Armv8.0; MMU, caches and alignment checks off */
#define FP_NONE          15         /* ID_AA64PFR0_EL1.FP */

/* resetregs.S */
void reset_core(void), reset_dcc(void), reset_pauth(void), reset_mmu2(void), reset_masks(void), reset_ras(void), reset_pfar(void),
	reset_lor(void), reset_mte(void), reset_scxtnum(void), reset_mpam(void), reset_gcs(void), reset_ls64(void),
	reset_amu(void), reset_brbe(void), reset_pmu2(void), reset_debug2(void), reset_sve(void), reset_sme(void),
	reset_fpmr(void), reset_debug(unsigned breakpoints, unsigned watchpoints);
/* fpregs.S */
void fp_clear(void), sve_clear(void), sme_clear(void);

/* No counter runs, counts an event or asks for an interrupt. */
static void reset_counters(void)
{
	unsigned n;

	if (!pmu_version())
		return;
	n = FIELD(sysreg_read(pmcr_el0), 15, 11);
	sysreg_write(pmcr_el0, 6); /* E clear; P and C reset all counters to zero */
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
	if (sysreg_read(ID_AA64DFR1) >> 32 || ID_FIELD(ID_AA64DFR0, PMUVer) > PMU_V3P5)
		reset_pmu2();
}

/* The vectors, even if the policy hides them: their traps are off meanwhile. */
static void reset_vectors(void)
{
	u64 cptr;

	if (ID_FIELD(ID_AA64PFR0, FP) == FP_NONE)
		return;
	cptr = vcpu_open_vectors();
	if (ID_FIELD(ID_AA64PFR1, SME)) {
		reset_sme();
		sme_clear();
	}
	fp_clear();
	if (ID_FIELD(ID_AA64PFR0, SVE)) {
		reset_sve();
		sve_clear();
	}
	if (ID_FIELD(ID_AA64PFR2, FPMR))
		reset_fpmr();
	sysreg_write(cptr_el2, cptr);
}

static void reset_features(void)
{
	u64 pfr0 = sysreg_read(ID_AA64PFR0), pfr1 = sysreg_read(ID_AA64PFR1);

	if (has_pauth())
		reset_pauth();
	if (sysreg_read(ID_AA64MMFR3))
		reset_mmu2();
	if (sysreg_read(ID_AA64MMFR4) >> 32)
		reset_masks();
	if (pfr0 >> ID_RAS & 0xf)
		reset_ras();
	if (pfr1 >> ID_PFAR & 0xf)
		reset_pfar();
	if (ID_FIELD(ID_AA64MMFR1, LO))
		reset_lor();
	if ((pfr1 >> ID_MTE & 0xf) >= 2)
		reset_mte();
	if (pfr0 >> ID_CSV2 & 0xe || pfr1 >> ID_CSV2_frac & 0xf)
		reset_scxtnum();
	if (pfr0 >> ID_MPAM & 0xf || pfr1 >> ID_MPAM_frac & 0xf)
		reset_mpam();
	if (pfr1 >> ID_GCS & 0xf)
		reset_gcs();
	if (ID_FIELD(ID_AA64ISAR1, LS64) >= 3)
		reset_ls64();
	if (pfr0 >> ID_AMU & 0xf)
		reset_amu();
	if (ID_FIELD(ID_AA64DFR0, BRBE))
		reset_brbe();
	if (ID_FIELD(ID_AA64DFR0, DebugVer) >= DEBUG_V8P9 || ID_FIELD(ID_AA64DFR2, STEP))
		reset_debug2();
}

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
	reset_core();
	reset_dcc();
	reset_debug(ID_FIELD(ID_AA64DFR0, BRPs) + 1, ID_FIELD(ID_AA64DFR0, WRPs) + 1);
	reset_counters();
	reset_vectors();
	reset_features();
	c->work &= ~WORK_UNDEFINED; /* a skipped instruction here is no trap of the guest's */
	/* The OS Lock is set at reset and would hold debug exceptions back. */
	sysreg_write(oslar_el1, 0);
	isb();
}
