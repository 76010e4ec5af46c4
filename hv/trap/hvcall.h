/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services behind HVC and SMC: arguments in x1 to x3 of c->frame, the result in x0. False: the guest has ended. The
 * platform file says which service each model has.
 */
#ifndef HV_HVCALL_H
#define HV_HVCALL_H

#include "cpu/cpu.h"
#include "lib/psci.h"

#define HV_ID 0x43485452 /* "CHTR" */

/* The six Charter calls (hvcall.c). */
bool hvcall_get_id(struct cpu *c);
bool hvcall_dump_log(struct cpu *c);
bool hvcall_get_status(struct cpu *c);
bool hvcall_pause(struct cpu *c);
bool hvcall_console_write(struct cpu *c);
bool hvcall_report_exception(struct cpu *c);
/* SMCCC and PSCI (psci.c). */
bool smccc_version(struct cpu *c);
bool smccc_arch_features(struct cpu *c);
bool psci_version(struct cpu *c);
bool psci_features(struct cpu *c);
bool psci_cpu_suspend(struct cpu *c);
bool psci_cpu_off(struct cpu *c);
bool psci_cpu_on(struct cpu *c);
bool psci_affinity_info(struct cpu *c);
bool psci_migrate_info_type(struct cpu *c);
bool psci_system_off(struct cpu *c);
bool psci_system_reset(struct cpu *c);

/* A number that no table has: for an SMC or HVC with an immediate, or with a malformed x0. */
#define NO_FUNCTION 0xffffffffu

/* The function that a call is for: identifiers are 32 bits (W0); the six Charter calls are named by the whole of x0. */
static inline u32 call_function(const struct trap_frame *f)
{
	u64 x0 = f->x[0];

	if (f->esr_el2 & 0xffff)
		return NO_FUNCTION;
	if (x0 >> 32 && !(x0 & BIT(31)))
		return NO_FUNCTION;
	return (u32)x0;
}

/* Whether a constant answers `model` in calls whose x1 has none of the bits `selector`. */
static inline bool hvcall_constant(unsigned model, u64 *value, u64 *selector)
{
	switch (model) {
	case MODEL_PSCI_VERSION:
		*value = PSCI_1_1;
		return true;
	case MODEL_HV_GET_ID:
		*value = HV_ID;
		*selector = ~0UL;
		return true;
	default:
		return false;
	}
}

#endif
