/* SPDX-License-Identifier: Apache-2.0 */
/* `policygen verify`: asks the generated tables and hv/policy/policy.c, compiled for this machine, about accesses. */
#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"

/* One question, as verify.py packs it. */
struct question {
	u32 kind; /* 0 sysreg (a: ISS), 1 mmio (a: IPA, b: log2, c: write), 2 hvc, 3 smc (a: id, b: x1, c: x2), 4 class */
	u32 pad;
	u64 a, b, c;
};

static u16 ask(const struct question *q)
{
	switch (q->kind) {
	case 0:
		return policy_sysreg((u32)q->a);
	case 1:
		return policy_mmio(q->a, (unsigned)q->b, q->c);
	case 2:
		return policy_where(policy_call(&policy_hvc, (u32)q->a), (u32)q->a, q->b, q->c);
	case 3:
		return policy_where(policy_call(&policy_smc, (u32)q->a), (u32)q->a, q->b, q->c);
	default:
		return policy_exception[q->a % EXC_COUNT];
	}
}

static void put(const void *data, size_t size)
{
	if (fwrite(data, 1, size, stdout) != size)
		exit(1);
}

/* Counts, rows, limits, controls and passthrough; then one row number for each question. */
int main(void)
{
	struct question q;

	put(&policy_n_rows, sizeof(policy_n_rows));
	put(&policy_n_limits, sizeof(policy_n_limits));
	put(&policy_n_passthrough, sizeof(policy_n_passthrough));
	put(policy_rows, policy_n_rows * sizeof(policy_rows[0]));
	put(policy_limits, policy_n_limits * sizeof(policy_limits[0]));
	put(&policy_traps, sizeof(policy_traps));
	put(policy_passthrough, policy_n_passthrough * sizeof(policy_passthrough[0]));
	while (fread(&q, sizeof(q), 1, stdin) == 1) {
		u16 row = ask(&q);

		put(&row, sizeof(row));
	}
	return 0;
}
