/* SPDX-License-Identifier: Apache-2.0 */
/* AArch64.TakeException() to EL1, inline for the fast path that refuses a register; other callers use vm/inject.h. */
#ifndef HV_EL1_EXCEPTION_H
#define HV_EL1_EXCEPTION_H

#include "arch/arch.h"
#include "cpu/esr.h"
#include "cpu/frame.h"

#define SPSR_MODE    0x1fUL
#define SPSR_A32     BIT(4)
#define SPSR_IT      (0x3fUL << 10 | 3UL << 25) /* of AArch32 */
#define SPSR_EL1H    5UL
#define SPSR_EL1T    4UL
#define SPSR_DAIF    (0xfUL << 6)
#define SPSR_BTYPE   (3UL << 10) /* of AArch64 */
#define SPSR_SSBS    BIT(12)
#define SPSR_ALLINT  BIT(13)
#define SPSR_SS      BIT(21)
#define SPSR_PAN     BIT(22)
#define SPSR_DIT     BIT(24)
#define SPSR_TCO     BIT(25)
#define SPSR_NZCV    (0xfUL << 28)
#define SPSR_EXLOCK  BIT(34)

/*
 * The bits of PAN, SSBS, TCO, ALLINT and EXLOCK that this CPU has. If it has any, take_exception() is called out of
 * line.
 */
extern u64 take_optional;
void take_exception_optional(struct trap_frame *f, u64 esr, const u64 *far);

/* EL0 in either state; EL1 is always AArch64 (HCR_EL2.RW). */
static inline bool take_from_el0(u64 spsr)
{
	return spsr & SPSR_A32 || (spsr & 0xf) == 0;
}

static inline u64 take_vector_offset(u64 spsr)
{
	if (spsr & SPSR_A32)
		return 0x600;
	if ((spsr & 0xf) == 0)
		return 0x400;
	return (spsr & 0xf) == SPSR_EL1H ? 0x200 : 0x000;
}

/* Clears UAO, IL, SS and BTYPE. */
static inline u64 take_state(u64 spsr)
{
	return SPSR_EL1H | SPSR_DAIF | (spsr & (SPSR_NZCV | SPSR_DIT | SPSR_PAN));
}

static inline void take_with(struct trap_frame *f, u64 esr, const u64 *far, u64 state)
{
	u64 spsr = f->spsr_el2;

	sysreg_write(spsr_el1, spsr);
	sysreg_write(elr_el1, f->elr_el2);
	sysreg_write(esr_el1, esr);
	if (far)
		sysreg_write(far_el1, *far);
	f->elr_el2 = sysreg_read(vbar_el1) + take_vector_offset(spsr);
	f->spsr_el2 = state;
}

/* AArch64.TakeException() to EL1 with this ESR_EL1; FAR_EL1 is written when `far` is not NULL. */
static inline void take_exception(struct trap_frame *f, u64 esr, const u64 *far)
{
	if (unlikely(take_optional))
		take_exception_optional(f, esr, far);
	else
		take_with(f, esr, far, take_state(f->spsr_el2));
}

/* UNDEFINED: exception class 0. */
static inline void take_undef(struct trap_frame *f)
{
	take_exception(f, (u64)EC_UNKNOWN << 26 | ESR_IL, NULL);
}

#endif
