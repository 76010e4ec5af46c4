/* SPDX-License-Identifier: Apache-2.0 */
/* A stage 1 walk over tables that the guest wrote: every address is checked, every loop counted. */
#include "vm/xlat.h"
#include "vm/guestmem.h"

#define ADDRESS 0x0000fffffffff000UL

static unsigned clamp(unsigned v, unsigned low, unsigned high)
{
	return v < low ? low : v > high ? high : v;
}

/* Chooses TTBR0 or TTBR1; false if the walk ends before it begins. */
static bool start(const struct xlat_registers *r, u64 va, struct xlat *x)
{
	/* TG0 and TG1 are encoded differently: 4K is 0 and 2, 16K is 2 and 1, 64K is 1 and 3. */
	static const u8 tg0[4] = { 4, 64, 16, 0 }, tg1[4] = { 0, 16, 4, 64 };
	u64 t = r->tcr, high;
	bool ignore_top;

	x->ipa = va;
	if (!(r->sctlr & 1)) {
		x->end = XLAT_OFF;
		return false;
	}
	x->upper = va >> 55 & 1;
	x->ttbr = x->upper ? r->ttbr1 : r->ttbr0;
	x->bits = 64 - clamp((unsigned)(x->upper ? FIELD(t, 21, 16) : FIELD(t, 5, 0)), 16, 39);
	x->granule = x->upper ? tg1[FIELD(t, 31, 30)] : tg0[FIELD(t, 15, 14)];
	ignore_top = t >> (x->upper ? 38 : 37) & 1;
	high = (x->upper ? ~va : va) >> x->bits;
	if (ignore_top)
		high &= (1UL << (56 - x->bits)) - 1;
	x->end = XLAT_OK;
	if (high)
		x->end = XLAT_RANGE;
	else if (t >> (x->upper ? 23 : 7) & 1)
		x->end = XLAT_DISABLED;
	else if (x->granule != 4)
		x->end = XLAT_GRANULE;
	return x->end == XLAT_OK;
}

/* APTable, UXNTable and PXNTable of a table descriptor. */
static unsigned table_denies(u64 d)
{
	return (d & BIT(62) ? XLAT_NO_WRITE : 0) | (d & BIT(61) ? XLAT_NO_EL0 : 0) |
	       (d & BIT(60) ? XLAT_NO_UX : 0) | (d & BIT(59) ? XLAT_NO_PX : 0);
}

void xlat_stage1(const struct xlat_registers *r, u64 va, struct xlat *x)
{
	u64 table, low;
	unsigned level, width;

	*x = (struct xlat){ 0 };
	if (!start(r, va, x))
		return;
	low = va & ((1UL << x->bits) - 1);
	level = 3 - (x->bits - 13) / 9;
	width = x->bits - (39 - 9 * level); /* index bits of the first table */
	table = x->ttbr & 0x0000fffffffffffeUL & ~((8UL << width) - 1);

	for (;; level++) {
		struct xlat_step *s = &x->step[x->n++];
		const u64 *p;

		s->level = (u8)level;
		s->index = (u16)(low >> (39 - 9 * level) & ((1UL << width) - 1));
		s->entry = table + 8UL * s->index;
		p = guest_ram(s->entry, 8);
		if (!p) {
			x->end = XLAT_NOT_RAM;
			return;
		}
		s->descriptor = *(const volatile u64 *)p;
		/* Invalid; a block where there is none (level 0), or a reserved encoding (level 3). */
		if (!(s->descriptor & 1) || (!(s->descriptor & 2) && (level == 0 || level == 3))) {
			x->end = XLAT_INVALID;
			return;
		}
		if (level == 3 || !(s->descriptor & 2))
			break;
		x->denied |= table_denies(s->descriptor);
		table = s->descriptor & ADDRESS;
		width = 9;
	}
	x->ipa = (x->step[x->n - 1].descriptor & ADDRESS & ~(xlat_size(level) - 1)) | (va & (xlat_size(level) - 1));
}
