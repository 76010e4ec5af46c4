/* SPDX-License-Identifier: Apache-2.0 */
/* `policygen verify`: asks the generated tables and hv/policy/policy.c, compiled for this machine, about accesses. */
#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"

/* One question, as verify.py packs it. */
struct question {
	u32 kind; /* 0 sysreg (a: ISS), 1 mmio (a: IPA, b: log2, c: write), 2 hvc, 3 smc (a: id), 4 class, 5 RAM (a: IPA, c: exec) */
	u32 more; /* struct inputs follow; else they are zero, but for the level */
	u64 a, b, c;
};
struct inputs {
	u64 value, held, x1, x2, x3, level, pc;
};

static u16 first_row(const struct question *q)
{
	switch (q->kind) {
	case 0:
		return policy_sysreg((u32)q->a);
	case 1:
		return policy_mmio(q->a, (unsigned)q->b, q->c);
	case 2:
		return policy_call(&policy_hvc, (u32)q->a);
	case 3:
		return policy_call(&policy_smc, (u32)q->a);
	case 5:
		return policy_ram(q->a, q->c);
	default:
		return policy_exception[q->a % EXC_COUNT];
	}
}

/* With the words of the record that hv/trap/narrow.c would make: those that conditions look at. */
static u16 ask(const struct question *q, const struct inputs *in)
{
	u16 row = first_row(q);
	unsigned tells = row == NO_ROW ? 0 : policy_rows[row].tells;
	bool call = q->kind == 2 || q->kind == 3;
	const u64 record[WORD_COUNT] = {
		[WORD_PC] = in->pc + (q->kind == 2 ? 4 : 0),
		[WORD_ADDR] = !call ? in->held : tells == TELLS_X2_X3 ? in->x2 : in->x1,
		[WORD_VALUE] = q->kind == 1 && q->b < 3 ? in->value & ((1UL << (8u << q->b)) - 1) : in->value,
		[WORD_HEADER] = in->level << HEADER_EL,
		[WORD_AUX] = tells ? in->x3 : in->x2,
	};

	return row == NO_ROW ? row : policy_where(row, record);
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
	struct inputs in;

	put(&policy_n_rows, sizeof(policy_n_rows));
	put(&policy_n_limits, sizeof(policy_n_limits));
	put(&policy_n_passthrough, sizeof(policy_n_passthrough));
	put(policy_rows, policy_n_rows * sizeof(policy_rows[0]));
	put(policy_limits, policy_n_limits * sizeof(policy_limits[0]));
	put(&policy_traps, sizeof(policy_traps));
	put(policy_passthrough, policy_n_passthrough * sizeof(policy_passthrough[0]));
	while (fread(&q, sizeof(q), 1, stdin) == 1) {
		u16 row;

		in = (struct inputs){ .level = 1 };
		if (q.more && fread(&in, sizeof(in), 1, stdin) != 1)
			exit(1);
		row = ask(&q, &in);
		put(&row, sizeof(row));
	}
	return 0;
}
