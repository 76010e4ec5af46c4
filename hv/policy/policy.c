/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the row that decides, in the tables that policygen generates. Pure: reads constants only. */
#include "policy/policy.h"

/*
 * The range that holds `ipa` < MMIO_SIZE. root and leaf have 512 entries and take 9 bits each, whose values are indices
 * that the generator wrote. The ranges of a page are consecutive, sorted, and cover it, so the loop ends at the last of
 * them.
 */
static const struct mmio_range *mmio_find(u64 ipa)
{
	unsigned first = policy_mmio_leaf[policy_mmio_root[FIELD(ipa, 29, 21)]][FIELD(ipa, 20, 12)];
	const struct mmio_range *r = &policy_mmio_ranges[first];

	while (r->more && ipa > r->last)
		r++;
	return r;
}

/* Whether one entry of the policy wrote both ranges: every access is then decided alike in them. */
static bool same_rows(const struct mmio_range *a, const struct mmio_range *b)
{
	for (unsigned i = 0; i < 2; i++)
		if (a->row[i] != b->row[i] || a->refuse[i] != b->refuse[i] || a->widths[i] != b->widths[i])
			return false;
	return true;
}

u16 policy_mmio(u64 ipa, unsigned log2, bool write)
{
	u64 last = ipa + (1UL << (log2 & 3)) - 1;
	const struct mmio_range *r, *next;

	if (ipa >= MMIO_SIZE)
		return policy_mmio_default[write];
	if (last >= MMIO_SIZE)
		return policy_mmio_straddle[write];
	r = mmio_find(ipa);
	/* Ranges may be shorter than the access; each that it touches must agree, at most one a byte. */
	for (unsigned n = 0; n < 8 && r->last < last; n++) {
		next = mmio_find((u64)r->last + 1);
		if (!same_rows(r, next))
			return policy_mmio_straddle[write];
		r = next;
	}
	return r->widths[write] >> (log2 & 3) & 1 ? r->row[write] : r->refuse[write];
}

u16 policy_call(const struct call_table *table, u32 id)
{
	u32 hash = (id ^ id >> 16) * 0x9e3779b1u;
	const struct call_slot *slot;
	u32 lo = 0, hi = table->n_ranges - 1;

	hash ^= hash >> 15;
	/* Both masks are one less than the size of their array. */
	slot = &table->slots[((hash >> 16) ^ table->disp[hash & table->disp_mask]) & table->slot_mask];
	if (slot->used && slot->id == id)
		return slot->row;
	/* The ranges are sorted and cover every number, so the last one that starts at or below `id` holds it. */
	while (lo < hi) {
		u32 mid = lo + (hi - lo + 1) / 2;

		if (table->ranges[mid].first <= id)
			lo = mid;
		else
			hi = mid - 1;
	}
	return table->ranges[lo].row;
}

COLD const char *policy_sysreg_name(u16 key)
{
	unsigned lo = 0, hi = policy_n_sysreg_names;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (policy_sysreg_names[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == policy_n_sysreg_names || policy_sysreg_names[lo].key != key)
		return NULL;
	return &policy_sysreg_text[policy_sysreg_names[lo].name];
}

COLD const struct passing *policy_pass(u16 key)
{
	for (unsigned i = 0; i < policy_n_passing; i++)
		if (policy_passing[i].key == key)
			return &policy_passing[i];
	return NULL;
}

COLD const struct window_info *policy_window(u64 ipa)
{
	for (unsigned i = 0; i < policy_n_windows; i++)
		if (ipa >= policy_windows[i].base && ipa <= policy_windows[i].last)
			return &policy_windows[i];
	return NULL;
}

COLD u64 policy_place(u64 ipa)
{
	const struct window_info *w = policy_windows, *const end = w + policy_n_windows;
	u64 from = 0;

	for (; w < end && ipa >= w->base; w++) {
		if (ipa <= w->last)
			return w->registers ? ipa : w->base;
		from = w->last + 1U;
	}
	return from;
}
