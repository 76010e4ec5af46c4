/* SPDX-License-Identifier: Apache-2.0 */
/* Sets the controls that the policy needs on this CPU. */
#include "vm/vcpu.h"
#include "arch/arch.h"
#include "cpu/vtime.h"
#include "vm/features.h"
#include "vm/stage2.h"

#define HCR_TLOR  BIT(35)
#define HCR_TERR  BIT(36)
#define HCR_APK   BIT(40)
#define HCR_API   BIT(41)
#define HCR_FIEN  BIT(47)
#define MDCR_HPMD BIT(17)
#define MDCR_HCCD BIT(23)

/* For features that this CPU lacks, HCR_EL2 bits are RES0. */
static u64 hcr_of_this_cpu(u64 hcr)
{
	if (!ID_FIELD(ID_AA64PFR0, RAS))
		hcr &= ~(HCR_TERR | HCR_FIEN);
	if (!ID_FIELD(ID_AA64MMFR1, LO))
		hcr &= ~HCR_TLOR;
	if (!has_pauth())
		hcr &= ~(HCR_APK | HCR_API);
	return hcr;
}

/* For features that this CPU lacks, CPTR_EL2 bits are RES1. */
static u64 cptr_of_this_cpu(u64 cptr)
{
	return cptr | (ID_FIELD(ID_AA64PFR0, SVE) ? 0 : CPTR_TZ) | (ID_FIELD(ID_AA64PFR1, SME) ? 0 : CPTR_TSM);
}

/*
 * HPMN: the guest owns all event counters; 0 would be CONSTRAINED UNPREDICTABLE. None counts at EL2: HPMD of
 * FEAT_PMUv3p1, HCCD of FEAT_PMUv3p5 for PMCCNTR_EL0 (Arm ARM, "MDCR_EL2, Monitor Debug Configuration Register").
 */
static u64 mdcr_of_this_cpu(u64 mdcr)
{
	unsigned pmu = pmu_version();

	if (!pmu)
		return mdcr;
	return mdcr | FIELD(sysreg_read(pmcr_el0), 15, 11) | (pmu >= PMU_V3P1 ? MDCR_HPMD : 0) |
	       (pmu >= PMU_V3P5 ? MDCR_HCCD : 0);
}

u64 vcpu_open_vectors(void)
{
	u64 cptr = cptr_of_this_cpu(policy_traps.cptr);

	sysreg_write(cptr_el2, cptr_of_this_cpu(cptr & ~(CPTR_TZ | CPTR_TFP | CPTR_TSM)));
	isb();
	return cptr;
}

void vcpu_controls(void)
{
	struct trap_controls t = policy_traps;
	u64 cptr;

	/*
	 * Before HCR_EL2.VM: VTCR_EL2 and VTTBR_EL2 are UNKNOWN out of reset, and a walk by them may begin as soon as
	 * it is set.
	 */
	stage2_enable();
	t.hcr = hcr_of_this_cpu(t.hcr);
	t.mdcr = mdcr_of_this_cpu(t.mdcr);
	t.cptr = cptr_of_this_cpu(t.cptr);
	if (!t.vpidr)
		t.vpidr = sysreg_read(midr_el1);
	t.vmpidr_or |= sysreg_read(mpidr_el1);
	policy_write_controls(&t); /* ICH_HCR_EL2 too; the vGIC writes it again */
	vtime_load();
	/* CPTR_EL2 traps EL2 as well: the guest's longest vector is set first. */
	cptr = vcpu_open_vectors();
	if (ID_FIELD(ID_AA64PFR0, SVE))
		sysreg_write(ZCR_EL2, 0xf);
	if (ID_FIELD(ID_AA64PFR1, SME))
		sysreg_write(SMCR_EL2, 0xf);
	sysreg_write(cptr_el2, cptr);
	isb();
}
