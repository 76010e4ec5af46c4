/* SPDX-License-Identifier: Apache-2.0 */
/* Features of this CPU, by its ID registers (Arm ARM, "ID_AA64*"). Those that binutils does not know are spelled out. */
#ifndef HV_FEATURES_H
#define HV_FEATURES_H

#include "arch/arch.h"

#define ID_AA64PFR0  id_aa64pfr0_el1
#define ID_AA64PFR1  id_aa64pfr1_el1
#define ID_AA64PFR2  S3_0_C0_C4_2
#define ID_AA64DFR0  id_aa64dfr0_el1
#define ID_AA64DFR1  S3_0_C0_C5_1
#define ID_AA64DFR2  S3_0_C0_C5_2
#define ID_AA64ISAR1 id_aa64isar1_el1
#define ID_AA64ISAR2 S3_0_C0_C6_2
#define ID_AA64MMFR0 id_aa64mmfr0_el1
#define ID_AA64MMFR1 id_aa64mmfr1_el1
#define ID_AA64MMFR3 S3_0_C0_C7_3
#define ID_AA64MMFR4 S3_0_C0_C7_4

/* The first bit of a field; each field has four. */
enum id_field {
	ID_FP = 16, ID_RAS = 28, ID_SVE = 32, ID_MPAM = 40, ID_AMU = 44, ID_CSV2 = 56,                      /* PFR0 */
	ID_MTE = 8, ID_MPAM_frac = 16, ID_SME = 24, ID_CSV2_frac = 32, ID_NMI = 36, ID_GCS = 44, ID_PFAR = 60, /* PFR1 */
	ID_FPMR = 32,                                                                                       /* PFR2 */
	ID_DebugVer = 0, ID_PMUVer = 8, ID_BRPs = 12, ID_WRPs = 20, ID_BRBE = 52,                           /* DFR0 */
	ID_STEP = 0,                                                                                        /* DFR2 */
	ID_APA = 4, ID_API = 8, ID_LS64 = 60,                                                               /* ISAR1 */
	ID_APA3 = 12,                                                                                       /* ISAR2 */
	ID_FGT = 56,                                                                                        /* MMFR0 */
	ID_LO = 16, ID_HCX = 40,                                                                            /* MMFR1 */
};
#define ID_FIELD(register, name) ((unsigned)(sysreg_read(register) >> ID_##name & 0xf))

#define PMU_V3P1 4 /* ID_AA64DFR0_EL1.PMUVer */
#define PMU_V3P5 6
#define PMU_IMPLEMENTATION_DEFINED 15
#define DEBUG_V8P9 11 /* .DebugVer */

#define CPTR_TZ  BIT(8)
#define CPTR_TFP BIT(10)
#define CPTR_TSM BIT(12)

static inline bool has_pauth(void)
{
	return ID_FIELD(ID_AA64ISAR1, APA) || ID_FIELD(ID_AA64ISAR1, API) || ID_FIELD(ID_AA64ISAR2, APA3);
}

/* 0: no PMU of this architecture */
static inline unsigned pmu_version(void)
{
	unsigned version = ID_FIELD(ID_AA64DFR0, PMUVer);

	return version == PMU_IMPLEMENTATION_DEFINED ? 0 : version;
}

#endif
