/* SPDX-License-Identifier: Apache-2.0 */
/* Every MRS of op0 2 and 3, op1 0, 1 and 3: which ones execute, and what constant they read (Arm ARM, "MRS"). */
#include "lib.h"

void main1(u64 context) { (void)context; }

static u32 code[2] __attribute__((aligned(64)));
static u64 read(u64 encoding)
{
	code[0] = 0xd5300000u | (u32)encoding << 5;
	code[1] = 0xd65f03c0; /* RET */
	asm volatile("dc cvau, %0\n\tdsb sy\n\tic ivau, %0\n\tdsb sy\n\tisb" : : "r"(code) : "memory");
	reset_caught();
	return ((u64 (*)(u64))code)(0);
}

void main(void)
{
	static const u64 op1[] = { 0, 1, 3 };

	msr(sctlr_el1, 0x30d00800);
	msr(oslar_el1, 0);
	for (u64 op0 = 2; op0 < 4; op0++)
		for (unsigned i = 0; i < 3; i++)
			for (u64 rest = 0; rest < 2048; rest++) { /* CRn, CRm, op2 */
				u64 encoding = (op0 - 2) << 14 | op1[i] << 11 | rest, value = read(encoding);

				if (caught.esr == ~0UL) /* counters have no constant */
					is_of("MRS", encoding, (encoding & ~0xffUL) == 0x5f00 ? 0 : value);
				else if (caught.esr != 0x2000000)
					is_of("ESR_EL1 of MRS", encoding, caught.esr);
			}
	off();
}
