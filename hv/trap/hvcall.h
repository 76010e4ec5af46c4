/* SPDX-License-Identifier: Apache-2.0 */
/* The services behind HVC and SMC: our own six calls, PSCI and SMCCC. */
#ifndef HV_HVCALL_H
#define HV_HVCALL_H

#include "cpu/cpu.h"
#include "lib/psci.h"

#define HV_ID 0x43485452 /* "CHTR" */

/* Serves `model` with the arguments in f->x; the result is in f->x[0]. `done`, or STOP: the guest is gone for good. */
enum outcome hvcall(struct trap_frame *f, unsigned model, const struct call_table *table, enum outcome done);
/* Whether a constant answers `model`, if none of the bits `selector` is set in x1. */
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
/* PSCI and SMCCC part of it (psci.c). */
u64 psci_call(struct cpu *c, unsigned model, const struct call_table *table);

#endif
