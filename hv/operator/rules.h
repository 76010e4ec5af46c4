/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of rows that change at run time: by the operator's commands, and for the debug registers. */
#ifndef HV_RULES_H
#define HV_RULES_H

#include "cpu/cpu.h"

/* Sets and clears flags of every row of `rule` on every CPU; false: the rule has no row. */
truth rules_set(unsigned rule, u32 set, u32 clear);
/* ROW_WOULD and ROW_STOP of the rule's rows. */
u32 rules_flags(unsigned rule);
/* The rows that decide on debug registers ask debug.c first, or no longer do. */
void rules_debug(struct cpu *c, bool on);

#endif
