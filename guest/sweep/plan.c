/* SPDX-License-Identifier: Apache-2.0 */
/* The one file of the sweep that a policy changes. */
#include "plan.h"
#include "cpu.h"

const struct span plan[] = {
#include "sweep_plan.h"
};
const u32 plan_spans = ARRAY_SIZE(plan);
const u32 pace_of_esr = PACE_OF_ESR, pace_of_status = PACE_OF_STATUS, pace_of_console = PACE_OF_CONSOLE;
