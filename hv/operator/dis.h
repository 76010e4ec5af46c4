/* SPDX-License-Identifier: Apache-2.0 */
/* A64 instructions as text: those that trap, branches, and the usual loads, stores and moves. Pure. */
#ifndef HV_DIS_H
#define HV_DIS_H

#include "lib/types.h"

/* "mrs x0, PMCR_EL0" for the instruction word at `pc`; ".inst 0x..." for one that the table lacks. */
size_t dis(char *buf, size_t size, u32 insn, u64 pc);
/* True for a direct branch; *to is its target. */
truth dis_branch(u32 insn, u64 pc, u64 *to);

/*
 * Load-exclusive, store-exclusive: a single step between them clears the exclusive monitor (Arm ARM, "Exclusive
 * access").
 */
static inline truth dis_load_exclusive(u32 insn)
{
	return (insn & 0x3fc00000) == 0x08400000 || (insn & 0x3fe00000) == 0x08600000;
}
static inline truth dis_store_exclusive(u32 insn)
{
	return (insn & 0x3fc00000) == 0x08000000;
}

#endif
