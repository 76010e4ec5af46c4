/* SPDX-License-Identifier: Apache-2.0 */
/* Stage 1 of the guest's translation, walked by hand (Arm ARM, "VMSAv8-64 translation table format"). */
#ifndef HV_XLAT_H
#define HV_XLAT_H

#include "lib/types.h"

enum xlat_end {
	XLAT_OK,
	XLAT_OFF,      /* SCTLR_EL1.M = 0: IPA = VA */
	XLAT_RANGE,    /* the VA lies in the gap between TTBR0's and TTBR1's part */
	XLAT_DISABLED, /* TCR_EL1.EPDn */
	XLAT_GRANULE,  /* not 4 KiB: not walked */
	XLAT_INVALID,  /* the last entry is no descriptor */
	XLAT_NOT_RAM,  /* the last table is not in guest RAM */
};

struct xlat_step {
	u64 entry, descriptor; /* IPA of the entry; its content */
	u16 index;
	u8 level;
};

struct xlat {
	enum xlat_end end;
	unsigned n;              /* steps */
	struct xlat_step step[4];
	bool upper;              /* TTBR1_EL1 */
	u64 ttbr, ipa;
	unsigned bits, granule;  /* VA bits; KiB */
	unsigned denied;         /* XLAT_NO_*, above */
};
#define XLAT_NO_WRITE 1u
#define XLAT_NO_EL0   2u
#define XLAT_NO_UX    4u
#define XLAT_NO_PX    8u

struct xlat_registers {
	u64 sctlr, tcr, ttbr0, ttbr1;
};

/* Walks the tables in guest RAM. Ends after four levels at most, whatever they hold. */
void xlat_stage1(const struct xlat_registers *r, u64 va, struct xlat *x);
/* Bytes covered by a descriptor of `level`. */
static inline u64 xlat_size(unsigned level)
{
	return 1UL << (12 + 9 * (3 - level));
}

#endif
