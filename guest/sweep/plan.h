/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep's one part that differs from policy to policy: build/gen/sweep_plan.h, by policygen/target/sweep.py. */
#ifndef SWEEP_PLAN_H
#define SWEEP_PLAN_H

#include "lib/types.h"

struct span {
	char kind;       /* s: MRS, MSR, SYS; m: memory; h: HVC; c: SMC */
	char direction;  /* r, w; - for calls */
	u8 width;        /* m: bytes */
	u8 flags;
	u32 pace;        /* us to wait after an access that trapped; 0: no limit */
	u64 first, step, count;
	u64 x1, x2;      /* calls */
};
#define PASS_OVER 1u /* would stop the guest */
#define SAME      2u /* m: writes what a read gives; else zero */
#define ZERO      4u /* s: writes zero, since a read does not give what is there; else what it gives */

extern const struct span plan[];
extern const u32 plan_spans;

/* Accesses of the sweep's own that the policy limits: us between two of each, 0: no limit. */
extern const u32 pace_of_esr;     /* reads of ESR_EL1 */
extern const u32 pace_of_status;  /* HV_GET_STATUS */
extern const u32 pace_of_console; /* HV_CONSOLE_WRITE */

#endif
