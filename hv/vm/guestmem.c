/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's only way into guest memory. */
#include "vm/guestmem.h"
#include "arch/arch.h"
#include "vm/el1_exception.h"

#define PAR_S BIT(9)

void *guest_ram(u64 ipa, u64 size)
{
	u64 offset = ipa - GUEST_IPA;

	if (ipa < GUEST_IPA || offset > GUEST_SIZE || size > GUEST_SIZE - offset)
		return NULL;
	return (void *)(GUEST_PA + offset);
}

COLD bool guest_guards_let(u64 ipa, u64 size)
{
	for (const struct memory *m = policy_memory; m < policy_memory + policy_n_memory; m++)
		if (!(m->may & MAY_WRITE) && policy_rows[m->row[0]].verdict != V_WOULD && ipa <= m->last && ipa + size > m->base)
			return false;
	return true;
}

truth guest_translate(u64 va, unsigned as, u64 *ipa, u64 *par)
{
	u64 saved = sysreg_read(par_el1), result;

	switch (as) {
	case 0: at_s1e1r(va); break;
	case AS_WRITE: at_s1e1w(va); break;
	case AS_EL0: at_s1e0r(va); break;
	case AS_EL0 | AS_WRITE: at_s1e0w(va); break;
	case AS_PAN: at_s1e1rp(va); break;
	default: at_s1e1wp(va); break;
	}
	result = sysreg_read(par_el1);
	sysreg_write(par_el1, saved);
	*par = result;
	if (result & 1)
		return false;
	*ipa = (result & 0x000ffffffffff000) | (va & 0xfff);
	return true;
}

unsigned guest_access(const struct trap_frame *f, bool write)
{
	unsigned as = write ? AS_WRITE : 0;

	if (take_from_el0(f->spsr_el2))
		return as | AS_EL0;
	return FIELD(sysreg_read(id_aa64mmfr1_el1), 23, 20) >= 2 ? as | AS_PAN : as; /* FEAT_PAN2: AT can tell */
}

u64 guest_fault_status(u64 par)
{
	u64 status = FIELD(par, 6, 1);

	return par & PAR_S ? FSC_EXTERNAL_WALK | (status & 3) : status;
}

size_t guest_read_va(u64 va, void *to, size_t size)
{
	u8 *out = to;
	size_t done = 0;

	while (done < size) {
		size_t n = 0x1000 - (va & 0xfff);
		u64 ipa, par;
		const u8 *from;

		if (n > size - done)
			n = size - done;
		if (!guest_translate(va, 0, &ipa, &par))
			break;
		from = guest_ram(ipa, n);
		if (!from)
			break;
		for (size_t i = 0; i < n; i++)
			out[done++] = from[i];
		va += n;
	}
	return done;
}
