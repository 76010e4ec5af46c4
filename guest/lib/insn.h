/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One instruction with all of x0 to x30 under control (insn.S): loads them from `x`, runs the instruction, stores them
 * to `x`. A family has one such function for each Rt; 31 is XZR.
 */
#ifndef GUEST_INSN_H
#define GUEST_INSN_H

#include "lib/types.h"

typedef void insn_fn(u64 x[31]);

/* Families: first of 32 functions, INSN_STRIDE bytes apart. The address register is INSN_BASE(rt). */
#define INSN_STRIDE 32
#define INSN_BASE(rt) ((rt) == 1 ? 2 : 1)
extern insn_fn insn_mrs_dbgbvr0, insn_msr_dbgbvr0, insn_mrs_actlr;
extern insn_fn insn_ldrb, insn_ldrh, insn_ldrw, insn_ldrx;
extern insn_fn insn_ldrsbw, insn_ldrsbx, insn_ldrshw, insn_ldrshx, insn_ldrswx;
extern insn_fn insn_strb, insn_strh, insn_strw, insn_strx;

static inline insn_fn *insn_rt(insn_fn *family, unsigned rt)
{
	return (insn_fn *)((const char *)family + rt * INSN_STRIDE);
}

/* Single ones. The address register of the loads and stores is x1. */
extern insn_fn insn_hvc, insn_hvc_1, insn_smc, insn_smc_1;
extern insn_fn insn_ldp, insn_ldp_post, insn_stp, insn_ldr_post, insn_str_pre, insn_ldxr;

/* A value that names its register. */
static inline u64 insn_pattern(unsigned n)
{
	return 0xa5a5000000000000UL | n * 0x0101010101UL;
}

static inline void insn_fill(u64 x[31])
{
	for (unsigned n = 0; n < 31; n++)
		x[n] = insn_pattern(n);
}

/* The first register, other than `a` and `b`, that has lost its value of insn_fill(); 31 if none. */
static inline unsigned insn_changed(const u64 x[31], unsigned a, unsigned b)
{
	for (unsigned n = 0; n < 31; n++)
		if (n != a && n != b && x[n] != insn_pattern(n))
			return n;
	return 31;
}

#endif
