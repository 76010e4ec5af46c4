/* SPDX-License-Identifier: Apache-2.0 */
/* Guest RAM; conditions: the row of a chain that decides for one access. Pure: reads constants only. */
#include "policy/policy.h"

const struct memory *policy_guard(u64 ipa)
{
	for (const struct memory *m = policy_memory; m < policy_memory + policy_n_memory; m++)
		if (ipa >= m->base && ipa <= m->last)
			return m;
	return NULL;
}

u16 policy_ram(u64 ipa, bool exec)
{
	const struct memory *m = policy_guard(ipa);

	return !m || m->may >> exec & 1 ? NO_ROW : m->row[exec];
}

truth policy_holds(const struct condition *k, const u64 record[WORD_COUNT])
{
	const struct span *s = &policy_spans[k->span];
	u64 v = record[k->word], held = record[WORD_ADDR];

	if (k->test)
		v = k->test == TEST_CHANGED ? v ^ held : held & ~v;
	v = v >> k->shift & k->mask;
	for (unsigned i = 0; i < k->spans; i++)
		if (v - s[i].low <= s[i].high - s[i].low)
			return true;
	return false;
}

/* `otherwise` leads to a lower row each time: the generator numbers it first. */
u16 policy_where(u16 row, const u64 record[WORD_COUNT])
{
	while (policy_rows[row].where) {
		const struct condition *k = &policy_conditions[policy_rows[row].where];

		for (; policy_holds(k, record); k++)
			if (!k->more)
				return row;
		row = policy_rows[row].otherwise;
	}
	return row;
}
