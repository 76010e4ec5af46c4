/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions for the guest's EL1, as AArch64.TakeException() has them. */
#include "vm/inject.h"
#include "arch/arch.h"
#include "cpu/esr.h"
#include "vm/el1_exception.h"

#define SCTLR_SPAN   BIT(23)
#define SCTLR_DSSBS  BIT(44)
#define SCTLR_SPINTMASK BIT(62)
#define GCSCR_EL1    S3_0_C2_C5_0
#define GCSCR_EXLOCKEN BIT(6)
#define VSESR_EL2    S3_4_C5_C2_3
#define VSESR_IDS    BIT(24)

#define HCR_VSE      BIT(8)

u64 take_optional;
static bool has_ras;

COLD void inject_init(void)
{
	if (FIELD(sysreg_read(id_aa64mmfr1_el1), 23, 20))
		take_optional |= SPSR_PAN;
	if (FIELD(sysreg_read(id_aa64pfr1_el1), 7, 4))
		take_optional |= SPSR_SSBS;
	if (FIELD(sysreg_read(id_aa64pfr1_el1), 11, 8) >= 2)
		take_optional |= SPSR_TCO;
	if (FIELD(sysreg_read(id_aa64pfr1_el1), 39, 36))
		take_optional |= SPSR_ALLINT;
	if (FIELD(sysreg_read(id_aa64pfr1_el1), 47, 44))
		take_optional |= SPSR_EXLOCK;
	has_ras = FIELD(sysreg_read(id_aa64pfr0_el1), 31, 28);
}

/*
 * AArch64.TakeException(): PSTATE.ALLINT becomes NOT SCTLR_EL1.SPINTMASK. PSTATE.EXLOCK becomes GCSCR_EL1.EXLOCKEN for
 * an exception from EL1 itself, else 0.
 */
static COLD u64 optional_state(u64 spsr)
{
	u64 sctlr = sysreg_read(sctlr_el1), state = SPSR_TCO;

	if (!(sctlr & SCTLR_SPINTMASK))
		state |= SPSR_ALLINT;
	if (take_optional & SPSR_EXLOCK && !take_from_el0(spsr) && sysreg_read(GCSCR_EL1) & GCSCR_EXLOCKEN)
		state |= SPSR_EXLOCK;
	if (!(sctlr & SCTLR_SPAN))
		state |= SPSR_PAN;
	if (sctlr & SCTLR_DSSBS)
		state |= SPSR_SSBS;
	return state & take_optional;
}

COLD void take_exception_optional(struct trap_frame *f, u64 esr, const u64 *far)
{
	take_with(f, esr, far, take_state(f->spsr_el2) | optional_state(f->spsr_el2));
}

/* Out of line for those that nobody waits for. */
COLD void inject(struct trap_frame *f, u64 esr, const u64 *far)
{
	take_exception(f, esr, far);
}

void inject_undef(struct trap_frame *f)
{
	take_undef(f);
}

void inject_abort(struct trap_frame *f)
{
	bool code = esr_class(f->esr_el2) == EC_IABT_LOW;
	u64 ec = code ? (take_from_el0(f->spsr_el2) ? EC_IABT_LOW : EC_IABT_CUR) : (take_from_el0(f->spsr_el2) ? EC_DABT_LOW : EC_DABT_CUR);
	u64 status = f->esr_el2 & DABT_S1PTW ? FSC_EXTERNAL_WALK | (f->esr_el2 & 3) : FSC_EXTERNAL;

	/* The guest's ISS: WnR and CM stay; ISV and S1PTW are EL2's alone; IL is 1 for an abort of unknown syndrome. */
	take_exception(f, ec << 26 | ESR_IL | (code ? 0 : f->esr_el2 & (DABT_WNR | DABT_CM)) | status, &f->far_el2);
}

COLD void inject_data_abort(struct trap_frame *f, u64 va, u64 iss)
{
	inject(f, (u64)(take_from_el0(f->spsr_el2) ? EC_DABT_LOW : EC_DABT_CUR) << 26 | ESR_IL | iss, &va);
}

COLD void inject_forward(struct trap_frame *f)
{
	switch (esr_class(f->esr_el2)) {
	case EC_IABT_LOW:
	case EC_DABT_LOW:
		inject_abort(f);
		return;
	case EC_SERROR:
		inject_serror();
		return;
	}
	/* Breakpoint, step and watchpoint classes have a twin for "same level", one higher. */
	if (esr_class(f->esr_el2) >= 0x30 && esr_class(f->esr_el2) <= 0x35 && !take_from_el0(f->spsr_el2))
		inject(f, f->esr_el2 | BIT(26), &f->far_el2);
	else
		inject(f, f->esr_el2, NULL);
}

/* VSESR_EL2, UNKNOWN out of reset, becomes ESR_EL1: IDS, no architected syndrome ("VSESR_EL2"). */
COLD void inject_serror(void)
{
	if (has_ras)
		sysreg_write(VSESR_EL2, VSESR_IDS);
	sysreg_write(hcr_el2, sysreg_read(hcr_el2) | HCR_VSE);
	isb();
}
