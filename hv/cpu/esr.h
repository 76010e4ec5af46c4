/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of ESR_ELx (Arm ARM, "ESR_EL2, Exception Syndrome Register"). Pure. */
#ifndef HV_ESR_H
#define HV_ESR_H

#include "lib/types.h"

#define EC_UNKNOWN  0x00
#define EC_WFX      0x01
#define EC_HVC64    0x16
#define EC_SMC64    0x17
#define EC_SYSREG   0x18
#define EC_IABT_LOW 0x20
#define EC_IABT_CUR 0x21
#define EC_DABT_LOW 0x24
#define EC_DABT_CUR 0x25
#define EC_SERROR   0x2f

#define ESR_IL      BIT(25)

static inline unsigned esr_class(u64 esr)
{
	return (unsigned)FIELD(esr, 31, 26);
}
/* Bytes of the instruction: 4, or 2 for a 16-bit T32 one. */
static inline unsigned esr_length(u64 esr)
{
	return esr & ESR_IL ? 4 : 2;
}

/* MSR, MRS, SYS (EC 0x18). */
static inline unsigned iss_rt(u64 esr)
{
	return (unsigned)FIELD(esr, 9, 5);
}
static inline bool iss_is_read(u64 esr)
{
	return esr & 1;
}

/* Data aborts. */
#define DABT_ISV    BIT(24)
#define DABT_SAS    (3UL << 22)
#define DABT_WORD   (2UL << 22)
#define DABT_SSE    BIT(21)
#define DABT_SF     BIT(15)
#define DABT_FNV    BIT(10)
#define DABT_EA     BIT(9)
#define DABT_CM     BIT(8)
#define DABT_S1PTW  BIT(7)
#define DABT_WNR    BIT(6)
#define DABT_FAULT  0x3cUL /* abort_fault() */

static inline unsigned dabt_log2_size(u64 esr)
{
	return (unsigned)FIELD(esr, 23, 22);
}
static inline unsigned dabt_rt(u64 esr)
{
	return (unsigned)FIELD(esr, 20, 16);
}
/* The fault status without its level: FSC_TRANSLATION, FSC_PERMISSION, ... */
static inline unsigned abort_fault(u64 esr)
{
	return (unsigned)(esr & 0x3c);
}
#define FSC_TRANSLATION 0x04
#define FSC_ACCESS_FLAG 0x08
#define FSC_PERMISSION  0x0c
#define FSC_EXTERNAL    0x10
#define FSC_EXTERNAL_WALK 0x14 /* + level */

#endif
