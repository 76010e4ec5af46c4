/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores whose data aborts have no syndrome (ESR_EL2.ISS.ISV is 0), from the instruction. Pure. */
#ifndef HV_INSN_ACCESS_H
#define HV_INSN_ACCESS_H

#include "lib/types.h"

/*
 * A register after the other, at rising addresses. An access is what an ISS can describe: a register of 128 bits is two
 * of them, its lower half first.
 */
struct insn_access {
	u32 iss;      /* of each access: ISV, SAS, SSE, SRT (31), SF, WnR as in ESR_EL2.ISS */
	u32 rn;       /* the base; 31 is SP */
	u32 rt[2];    /* of X, or with `vector` of V */
	u32 pair;     /* 1: two registers; else rt[1] is none */
	u32 quad;     /* 1: two accesses each */
	u32 vector;
	u64 first;    /* where the first one is, seen from the base */
	u64 step;     /* added to the base afterwards (writeback) */
};

/*
 * Decodes `insn` (Arm ARM, "Loads and Stores"): LDR and STR with writeback, LDP, LDPSW, LDNP and their stores, those of
 * SIMD&FP registers. `x`: the guest's, x[31] being 0, for a register offset. False: any other instruction, and those
 * that are CONSTRAINED UNPREDICTABLE: writeback into a register that is transferred, two loads into one.
 */
bool insn_access(u32 insn, const u64 *x, struct insn_access *a);

#endif
