/* SPDX-License-Identifier: Apache-2.0 */
/* Cache maintenance by VA on the guest's behalf. */
#include "vm/cache.h"
#include "arch/arch.h"
#include "cpu/esr.h"
#include "vm/el1_exception.h"
#include "vm/guestmem.h"
#include "vm/inject.h"

#define PAR_S BIT(9)

static bool from_el1(const struct trap_frame *f)
{
	return (f->spsr_el2 & SPSR_MODE) == SPSR_EL1T || (f->spsr_el2 & SPSR_MODE) == SPSR_EL1H;
}

/*
 * The data abort that the guest would have taken; `syndrome`: CM, if the instruction counts as maintenance, and status.
 */
static enum outcome abort_at(struct trap_frame *f, u64 va, u64 syndrome)
{
	inject(f, (u64)(from_el1(f) ? EC_DABT_CUR : EC_DABT_LOW) << 26 | ESR_IL | DABT_WNR | syndrome, &va);
	return AGAIN;
}

/*
 * The fault status from PAR_EL1.FST. PAR_EL1.S means that stage 2 refused the walk: the guest sees a place without
 * memory.
 */
static u64 status_of(u64 par)
{
	u64 status = FIELD(par, 6, 1);

	return par & PAR_S ? FSC_EXTERNAL_WALK | (status & 3) : status;
}

enum outcome cache_dc_va(struct trap_frame *f, u64 va)
{
	u64 ipa, par;
	void *p;

	if (!guest_translate(va, from_el1(f) ? 0 : AS_EL0, &ipa, &par))
		return abort_at(f, va, DABT_CM | status_of(par));
	p = guest_ram(ipa, 1);
	if (p) /* device memory has no line to clean */
		dc_civac(p);
	return NEXT;
}

enum outcome cache_dc_zva(struct trap_frame *f, u64 va)
{
	u64 size = 4UL << (sysreg_read(dczid_el0) & 0xf), ipa, par;
	unsigned as = AS_WRITE;
	u64 *p;

	/* DC ZVA is a store: it zeroes only memory that its Exception level can write. */
	if (!from_el1(f))
		as = AS_EL0 | AS_WRITE;
	else if (FIELD(sysreg_read(id_aa64mmfr1_el1), 23, 20) >= 2)
		as = AS_PAN;
	va &= ~(size - 1);
	if (!guest_translate(va, as, &ipa, &par))
		return abort_at(f, va, status_of(par));
	p = guest_ram(ipa, size);
	if (!p || !guest_may_write(ipa, size)) /* device memory: an alignment fault on the machine, a refusal here */
		return abort_at(f, va, FSC_EXTERNAL);
	for (u64 i = 0; i < size / 8; i++)
		p[i] = 0;
	return NEXT;
}

enum outcome cache_ic_va(void)
{
	ic_ialluis();
	return NEXT;
}
