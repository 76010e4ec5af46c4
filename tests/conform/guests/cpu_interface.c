/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU interface's registers (IHI 0069, ICC_*_EL1) by themselves: which there are, what they keep, what is UNDEFINED. */
#include "lib.h"

void main1(u64 context) { (void)context; }

#define TRY(r) ({ u64 v_ = 0; reset_caught(); asm volatile("mrs %0, " #r : "+r"(v_) : : "memory"); v_; })
#define PUT(r, v) ({ reset_caught(); asm volatile("msr " #r ", %0\n\tisb" : : "r"((u64)(v)) : "memory"); caught.esr; })
#define ONE(name, r) do { \
	u64 value = TRY(r); \
	is(name, value); \
	if (caught.esr != ~0UL) \
		is("  exception of " name, caught.esr); \
} while (0)
#define KEPT(name, r, v) do { \
	u64 esr = PUT(r, v); \
	if (esr != ~0UL) \
		is("  exception of writing " name, esr); \
	is_of(name, v, TRY(r)); \
} while (0)

static void all(void)
{
	ONE("PMR", S3_0_C4_C6_0);
	ONE("IAR0", S3_0_C12_C8_0); ONE("EOIR0", S3_0_C12_C8_1); ONE("HPPIR0", S3_0_C12_C8_2); ONE("BPR0", S3_0_C12_C8_3);
	ONE("AP0R0", S3_0_C12_C8_4); ONE("AP0R1", S3_0_C12_C8_5); ONE("AP0R2", S3_0_C12_C8_6); ONE("AP0R3", S3_0_C12_C8_7);
	ONE("AP1R0", S3_0_C12_C9_0); ONE("AP1R1", S3_0_C12_C9_1); ONE("AP1R2", S3_0_C12_C9_2); ONE("AP1R3", S3_0_C12_C9_3);
	ONE("NMIAR1", S3_0_C12_C9_5);
	ONE("DIR", S3_0_C12_C11_1); ONE("RPR", S3_0_C12_C11_3); ONE("SGI1R", S3_0_C12_C11_5); ONE("ASGI1R", S3_0_C12_C11_6);
	ONE("SGI0R", S3_0_C12_C11_7);
	ONE("IAR1", S3_0_C12_C12_0); ONE("EOIR1", S3_0_C12_C12_1); ONE("HPPIR1", S3_0_C12_C12_2); ONE("BPR1", S3_0_C12_C12_3);
	ONE("CTLR", S3_0_C12_C12_4); ONE("SRE", S3_0_C12_C12_5); ONE("IGRPEN0", S3_0_C12_C12_6); ONE("IGRPEN1", S3_0_C12_C12_7);
}

void main(void)
{
	static const u64 values[] = { 0, 1, 2, 4, 0x40, 0x80, 0xff };

	all();
	w32(GICD, 0x13);
	for (u64 v = 0; v < 8; v++) {
		KEPT("BPR0", S3_0_C12_C8_3, v);
		KEPT("BPR1", S3_0_C12_C12_3, v);
		KEPT("CTLR", S3_0_C12_C12_4, v);
		is("BPR0 by CBPR", TRY(S3_0_C12_C8_3));
		is("BPR1 by CBPR", TRY(S3_0_C12_C12_3));
	}
	for (unsigned i = 0; i < sizeof(values) / sizeof(*values); i++) {
		u64 v = values[i];

		KEPT("PMR", S3_0_C4_C6_0, v);
		KEPT("SRE", S3_0_C12_C12_5, v);
		KEPT("IGRPEN0", S3_0_C12_C12_6, v);
		KEPT("IGRPEN1", S3_0_C12_C12_7, v);
		KEPT("AP0R0", S3_0_C12_C8_4, v);
		is("RPR", TRY(S3_0_C12_C11_3));
		PUT(S3_0_C12_C8_4, 0);
		KEPT("AP1R0", S3_0_C12_C9_0, v);
		is("RPR", TRY(S3_0_C12_C11_3));
		PUT(S3_0_C12_C9_0, 0);
		KEPT("AP1R1", S3_0_C12_C9_1, v);
		/* Nothing is active */
		is("EOIR0", PUT(S3_0_C12_C8_1, v));
		is("EOIR1", PUT(S3_0_C12_C12_1, v));
		is("DIR", PUT(S3_0_C12_C11_1, v));
		is("writing IAR1", PUT(S3_0_C12_C12_0, v));
		is("writing HPPIR1", PUT(S3_0_C12_C12_2, v));
		is("writing RPR", PUT(S3_0_C12_C11_3, v));
	}
	KEPT("PMR", S3_0_C4_C6_0, 0x1ff);
	KEPT("CTLR", S3_0_C12_C12_4, ~0UL);
	KEPT("IGRPEN1", S3_0_C12_C12_7, ~0UL);
	all();
	off();
}
