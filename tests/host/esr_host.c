/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/cpu/esr.h against a syndrome put together from its fields, by place value: every ISS of a data abort and of a
 * trapped MSR, MRS or SYS, and every class and instruction length with every bit of the ISS alone. Bits above 31 (ISS2)
 * are set in every second one and must make no difference. Prints the number of syndromes, or the first wrong one.
 */
#include <stdio.h>
#include <stdlib.h>
#include "cpu/esr.h"

#define ABOVE 0xffffffff00000000UL

static u64 asked;

static void must(bool right, const char *what, u64 esr)
{
	if (right)
		return;
	printf("%s of 0x%llx\n", what, (unsigned long long)esr);
	exit(1);
}

/* "DFSC": the sixteen groups of four, by name if hv/ has one. */
static unsigned fault_of(unsigned status)
{
	static const unsigned groups[16] = { [1] = FSC_TRANSLATION, [2] = FSC_ACCESS_FLAG, [3] = FSC_PERMISSION,
					     [4] = FSC_EXTERNAL, [5] = FSC_EXTERNAL_WALK };
	unsigned group = status / 4;

	return groups[group] ? groups[group] : group * 4;
}

/* ISV 24, SAS 23:22, SSE 21, SRT 20:16, SF 15, AR VNCR SET 14:11, FnV 10, EA 9, CM 8, S1PTW 7, WnR 6, DFSC 5:0. */
static void data_abort(u64 base, unsigned upper, unsigned lower)
{
	unsigned isv = upper / 512, size = upper / 128 % 4, sse = upper / 64 % 2, rt = upper / 2 % 32, sf = upper % 2;
	unsigned fnv = lower / 1024 % 2, ea = lower / 512 % 2, cm = lower / 256 % 2, walk = lower / 128 % 2;
	unsigned write = lower / 64 % 2, status = lower % 64;
	u64 esr = base + upper * 32768UL + lower;

	asked++;
	must(!!(esr & DABT_ISV) == isv, "ISV", esr);
	must(dabt_log2_size(esr) == size && ((esr & DABT_SAS) == DABT_WORD) == (size == 2), "SAS", esr);
	must(!!(esr & DABT_SSE) == sse, "SSE", esr);
	must(dabt_rt(esr) == rt, "SRT", esr);
	must(!!(esr & DABT_SF) == sf, "SF", esr);
	must(!!(esr & DABT_FNV) == fnv, "FnV", esr);
	must(!!(esr & DABT_EA) == ea, "EA", esr);
	must(!!(esr & DABT_CM) == cm, "CM", esr);
	must(!!(esr & DABT_S1PTW) == walk, "S1PTW", esr);
	must(!!(esr & DABT_WNR) == write, "WnR", esr);
	must(abort_fault(esr) == fault_of(status) && (esr & DABT_FAULT) == fault_of(status), "DFSC", esr);
}

/* Op0 21:20, Op2 19:17, Op1 16:14, CRn 13:10, Rt 9:5, CRm 4:1, Direction 0 (1: a read). */
static void sysreg(u64 base, unsigned upper, unsigned rt, unsigned lower)
{
	u64 esr = base + upper * 1024UL + rt * 32 + lower;

	asked++;
	must(iss_rt(esr) == rt, "Rt", esr);
	must(iss_is_read(esr) == lower % 2, "Direction", esr);
}

static void any(u64 class, u64 four, u64 iss)
{
	for (u64 above = 0;; above = ABOVE) {
		u64 esr = above + class * 67108864 + four * 33554432 + iss;

		asked++;
		must(esr_class(esr) == class, "EC", esr);
		must(esr_length(esr) == 2 + 2 * four && !!(esr & ESR_IL) == four, "IL", esr);
		if (above)
			return;
	}
}

int main(void)
{
	for (unsigned class = 0; class < 64; class++)
		for (unsigned four = 0; four < 2; four++) {
			any(class, four, 0);
			any(class, four, 33554431);
			for (u64 bit = 1; bit < 33554432; bit *= 2)
				any(class, four, bit);
		}
	for (unsigned upper = 0; upper < 1024; upper++)
		for (unsigned lower = 0; lower < 32768; lower++)
			data_abort((upper + lower) % 2 ? ABOVE + 0x92000000 : 0x92000000, upper, lower);
	for (unsigned upper = 0; upper < 32768; upper++)
		for (unsigned rt = 0; rt < 32; rt++)
			for (unsigned lower = 0; lower < 32; lower++)
				sysreg((upper + lower) % 2 ? ABOVE + 0x62000000 : 0x62000000, upper, rt, lower);
	printf("%llu\n", (unsigned long long)asked);
	return 0;
}
