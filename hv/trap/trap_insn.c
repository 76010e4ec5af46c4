/* SPDX-License-Identifier: Apache-2.0 */
/* Data aborts without a syndrome: the instruction says what the accesses were, and EL2 makes them one by one. */
#include "arch/arch.h"
#include "cpu/cpu.h"
#include "vm/el1_exception.h"
#include "lib/string.h"
#include "trap/insn_access.h"
#include "trap/trap.h"
#include "vm/features.h"
#include "vm/guestmem.h"
#include "vm/inject.h"

#define SCTLR_E0E BIT(24)
#define SCTLR_EE  BIT(25)

/* The instruction that the guest is at, as it reads it now; 0, which is a UDF, where it can not or no RAM is. */
static u32 instruction(const struct trap_frame *f)
{
	const u32 *p = NULL;
	u64 ipa, par;

	if (guest_translate(f->elr_el2, take_from_el0(f->spsr_el2) ? AS_EL0 : 0, &ipa, &par))
		p = guest_ram(ipa & ~3UL, 4);
	return p ? *(const volatile u32 *)p : 0;
}

/* False: EL1 lets its EL0 have no V register, or has none itself; CPTR_EL2 would trap EL2, too. */
static bool has_vectors(bool el0)
{
	u64 fpen = FIELD(sysreg_read(cpacr_el1), 21, 20);

	return !(sysreg_read(cptr_el2) & CPTR_TFP) && (el0 ? fpen == 3 : fpen & 1);
}

/*
 * Whether this is the instruction that has aborted, for another CPU may have written another there meanwhile, and its
 * accesses are such that EL2 makes them: aligned, and little-endian.
 */
static bool fits(const struct trap_frame *f, const struct insn_access *a, u64 address)
{
	bool el0 = take_from_el0(f->spsr_el2);
	u64 size = 1UL << dabt_log2_size(a->iss);

	return !((a->iss ^ f->esr_el2) & DABT_WNR) && /* of an address the uppermost byte may be a tag */
	       (f->far_el2 - address) << 8 >> 8 < size << (a->pair + a->quad) && !(address & (size - 1)) &&
	       !(sysreg_read(sctlr_el1) & (el0 ? SCTLR_E0E : SCTLR_EE)) && (!a->vector || has_vectors(el0));
}

/* All accesses, as far as none is refused, in the frame's syndrome and FAR; no register changes before the last is made. */
static enum outcome perform(struct trap_frame *f, const struct insn_access *a, u64 address)
{
	unsigned n = 1u << (a->pair + a->quad), log2 = dabt_log2_size(a->iss);
	u64 esr = f->esr_el2, ipa[4], v[64], par;
	enum outcome outcome = NEXT;

	/* Its uppermost byte as FAR_EL2 has it. */
	address = f->far_el2 + (u64)((s64)((address - f->far_el2) << 8) >> 8);
	/* First all of them are translated: what EL1 has to mend is mended, and the instruction begins again. */
	for (unsigned i = 0; i < n; i++) {
		u64 va = address + (i << log2);

		if (!guest_translate(va, guest_access(f, esr & DABT_WNR), &ipa[i], &par)) {
			inject_data_abort(f, va, (esr & DABT_WNR) | guest_fault_status(par));
			cpu_of(f)->entered = counter(); /* no row's cost */
			return AGAIN;
		}
	}
	if (a->vector)
		fp_save(v);
	else
		memcpy(v, f->x, sizeof(f->x));
	f->esr_el2 = (esr & ~0x1ffc000UL) | a->iss;
	for (unsigned i = 0; i < n && outcome == NEXT; i++) {
		u64 *x = &v[(a->rt[i >> a->quad] << a->vector) + (i & a->quad)];

		f->x[31] = *x; /* the register of this syndrome, zero again at the next trap */
		f->far_el2 = address + (i << log2);
		outcome = trap_access(f, ipa[i]);
		*x = f->x[31];
	}
	if (outcome != NEXT || esr & DABT_WNR)
		return outcome;
	for (unsigned i = 0; i <= a->pair; i++) {
		unsigned rt = a->rt[i];

		if (a->vector) {
			v[2 * rt + 1] &= -(u64)a->quad; /* of a shorter one the rest is zero */
			fp_load(rt, &v[2 * rt]);
		} else {
			f->x[rt] = v[rt];
		}
	}
	return NEXT;
}

enum outcome trap_insn(struct trap_frame *f, u64 ipa)
{
	u32 insn = f->spsr_el2 & SPSR_A32 || abort_fault(f->esr_el2) > FSC_PERMISSION ? 0 : instruction(f);
	struct insn_access a;
	enum outcome outcome;
	u64 *base;

	if (!insn_access(insn, f->x, &a))
		return trap_exception(f, EXC_DABT_NO_SYNDROME, insn, ipa, FORWARD);
	base = a.rn != 31 ? &f->x[a.rn] : (f->spsr_el2 & SPSR_MODE) == SPSR_EL1H ? &f->sp_el1 : &f->sp_el0;
	if (!fits(f, &a, *base + a.first))
		return trap_exception(f, EXC_DABT_NO_SYNDROME, insn, ipa, FORWARD);
	outcome = perform(f, &a, *base + a.first);
	if (outcome == NEXT)
		*base += a.step;
	if (a.rn == 31) {
		sysreg_write(sp_el0, f->sp_el0);
		sysreg_write(sp_el1, f->sp_el1);
	}
	return outcome;
}
