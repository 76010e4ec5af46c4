/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The saved guest: registers, then the syndrome. vectors.S fills it in the vector slot; no later code reads a syndrome
 * register, so that every handler is a function of this frame.
 */
#ifndef HV_FRAME_H
#define HV_FRAME_H

#define FRAME_X      0
#define FRAME_X30    240
#define FRAME_SP_EL0 256
#define FRAME_ELR    272
#define FRAME_ESR    288
#define FRAME_HPFAR  304
#define FRAME_SIZE   320

#ifndef __ASSEMBLER__
#include "lib/types.h"

struct trap_frame {
	u64 x[32]; /* x[31] is XZR: the vector slot stores zero in it */
	u64 sp_el0, sp_el1;
	u64 elr_el2, spsr_el2;
	u64 esr_el2, far_el2;
	u64 hpfar_el2, pad;
};
_Static_assert(offsetof(struct trap_frame, x[30]) == FRAME_X30, "vectors.S");
_Static_assert(offsetof(struct trap_frame, sp_el0) == FRAME_SP_EL0, "vectors.S");
_Static_assert(offsetof(struct trap_frame, elr_el2) == FRAME_ELR, "vectors.S");
_Static_assert(offsetof(struct trap_frame, esr_el2) == FRAME_ESR, "vectors.S");
_Static_assert(offsetof(struct trap_frame, hpfar_el2) == FRAME_HPFAR, "vectors.S");
_Static_assert(sizeof(struct trap_frame) == FRAME_SIZE, "vectors.S");
#endif

#endif
