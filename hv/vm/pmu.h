/* SPDX-License-Identifier: Apache-2.0 */
/* What the PMU does by the Exception level that an instruction is executed at, done for the guest's. */
#ifndef HV_PMU_H
#define HV_PMU_H

#include "cpu/cpu.h"

/* A write of PMSWINC_EL0: counts where the guest's own would (Arm ARM, "PMSWINC_EL0" and "PMEVTYPER<n>_EL0"). */
enum outcome pmu_software_increment(struct trap_frame *f, u64 value);

#endif
