/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that the operator changes at run time: replaces the decision of a row. */
#ifndef HV_OVERRULE_H
#define HV_OVERRULE_H

#include "trap/operator.h"

/* Sets and clears flags of every row of `rule` on every CPU; false: the rule has no row. */
bool overrule_rule(unsigned rule, u32 set, u32 clear);
/* ROW_WOULD and ROW_STOP of the rule's rows. */
u32 overrule_flags(unsigned rule);
/* The rows that decide on debug registers ask debug.c first, or no longer do. */
void overrule_debug(struct cpu *c, bool on);

#endif
