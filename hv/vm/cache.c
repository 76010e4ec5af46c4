/* SPDX-License-Identifier: Apache-2.0 */
/* Cache maintenance by VA on the guest's behalf. */
#include "vm/cache.h"
#include "arch/arch.h"
#include "cpu/esr.h"
#include "vm/el1_exception.h"
#include "vm/guestmem.h"
#include "vm/inject.h"

/* The data abort that the guest would have taken; `iss`: CM, if the instruction counts as maintenance, and status. */
static enum outcome abort_at(struct trap_frame *f, u64 va, u64 iss)
{
	inject_data_abort(f, va, DABT_WNR | iss);
	return AGAIN;
}

enum outcome cache_dc_va(struct trap_frame *f, u64 va)
{
	u64 ipa, par;
	void *p;

	if (!guest_translate(va, take_from_el0(f->spsr_el2) ? AS_EL0 : 0, &ipa, &par))
		return abort_at(f, va, DABT_CM | guest_fault_status(par));
	p = guest_ram(ipa, 1);
	if (p) /* device memory has no line to clean */
		dc_civac(p);
	return NEXT;
}

enum outcome cache_dc_zva(struct trap_frame *f, u64 va)
{
	u64 size = 4UL << (sysreg_read(dczid_el0) & 0xf), ipa, par;
	u64 *p;

	/* DC ZVA is a store: it zeroes only memory that its Exception level can write. */
	va &= ~(size - 1);
	if (!guest_translate(va, guest_access(f, true), &ipa, &par))
		return abort_at(f, va, guest_fault_status(par));
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
