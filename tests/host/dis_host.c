/* SPDX-License-Identifier: Apache-2.0 */
/* Disassembles hexadecimal words from stdin at PC 0x1000, and prints the targets of branches; see test_dis.py. */
#include <stdio.h>
#include "operator/dis.h"

int main(void)
{
	unsigned insn;
	u64 to;
	char text[64];

	while (scanf("%x", &insn) == 1) {
		dis(text, sizeof(text), insn, 0x1000);
		if (dis_branch(insn, 0x1000, &to))
			printf("%s to %lx\n", text, to);
		else
			puts(text);
	}
	return 0;
}
