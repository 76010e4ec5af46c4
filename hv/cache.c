/* SPDX-License-Identifier: Apache-2.0 */
/* Cache maintenance by VA on the guest's behalf. */
#include "cache.h"
#include "arch/arch.h"
#include "esr.h"
#include "guestmem.h"
#include "inject.h"

#define PAR_S BIT(9)

/*
 * The guest's translation failed: the data abort it would have taken, from PAR_EL1.FST. With PAR_EL1.S it was stage 2
 * that refused the walk: to the guest no memory is there.
 */
static enum verdict fault(struct trap_frame *f, u64 va, u64 par)
{
	u64 from_el1 = (f->spsr_el2 & 0x1f) == 4 || (f->spsr_el2 & 0x1f) == 5, status = FIELD(par, 6, 1);

	if (par & PAR_S)
		status = FSC_EXTERNAL_WALK | (status & 3);
	inject(f, (u64)(from_el1 ? EC_DABT_CUR : EC_DABT_LOW) << 26 | ESR_IL | DABT_CM | DABT_WNR | status, &va);
	return AGAIN;
}

enum verdict cache_dc_va(struct trap_frame *f, u64 va)
{
	u64 ipa, par;
	void *p;

	if (!guest_translate(va, false, &ipa, &par))
		return fault(f, va, par);
	p = guest_ram(ipa & ~63UL, 64);
	if (p) /* a line of a device has nothing to clean */
		dc_civac(p);
	return NEXT;
}

enum verdict cache_dc_zva(struct trap_frame *f, u64 va)
{
	u64 size = 4UL << (sysreg_read(dczid_el0) & 0xf), ipa, par;
	u64 *p;

	va &= ~(size - 1);
	if (!guest_translate(va, true, &ipa, &par))
		return fault(f, va, par);
	p = guest_ram(ipa, size);
	if (!p) {
		inject_abort(f); /* DC ZVA to a device: an alignment fault on the machine, a refusal here */
		return AGAIN;
	}
	for (u64 i = 0; i < size / 8; i++)
		p[i] = 0;
	return NEXT;
}
