/* SPDX-License-Identifier: Apache-2.0 */
/* Effects of the PMU that depend on the Exception level of an instruction, for one that EL2 executes for the guest. */
#ifndef HV_PMU_H
#define HV_PMU_H

#include "cpu/cpu.h"

/* A write of PMSWINC_EL0: counts as at the guest's level (Arm ARM, "PMSWINC_EL0" and "PMEVTYPER<n>_EL0"). */
enum outcome pmu_software_increment(struct trap_frame *f, u64 value);

#endif
