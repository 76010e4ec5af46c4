/* SPDX-License-Identifier: Apache-2.0 */
/* hv/trap/insn_access.c by itself: 31 registers, then instruction words on stdin; each field of its answers on stdout. */
#include <stdio.h>
#include "trap/insn_access.h"

int main(void)
{
	u64 x[32] = { 0 };
	u32 insn;

	if (fread(x, 8, 31, stdin) != 31)
		return 1;
	while (fread(&insn, sizeof(insn), 1, stdin) == 1) {
		struct insn_access a = { 0 };
		u64 known = insn_access(insn, x, &a);
		u64 out[] = { known, a.iss, a.rn, a.rt[0], a.rt[1], a.pair, a.quad, a.vector, a.first, a.step };

		fwrite(out, sizeof(out), 1, stdout);
	}
	return 0;
}
