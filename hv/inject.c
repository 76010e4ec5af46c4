/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions that the guest's EL1 receives, as AArch64.TakeException() has them. */
#include "inject.h"
#include "arch/arch.h"
#include "esr.h"

#define SPSR_MODE    0x1fUL
#define SPSR_A32     BIT(4)
#define SPSR_EL1H    5UL
#define SPSR_EL1T    4UL
#define SPSR_DAIF    (0xfUL << 6)
#define SPSR_SSBS    BIT(12)
#define SPSR_PAN     BIT(22)
#define SPSR_DIT     BIT(24)
#define SPSR_TCO     BIT(25)
#define SPSR_NZCV    (0xfUL << 28)

#define SCTLR_SPAN   BIT(23)
#define SCTLR_DSSBS  BIT(44)

#define HCR_VSE      BIT(8)

static bool from_el0(const struct trap_frame *f)
{
	return f->spsr_el2 & SPSR_A32 || (f->spsr_el2 & 0xf) == 0;
}

static u64 vector_offset(const struct trap_frame *f)
{
	if (f->spsr_el2 & SPSR_A32)
		return 0x600;
	if ((f->spsr_el2 & 0xf) == 0)
		return 0x400;
	return (f->spsr_el2 & 0xf) == SPSR_EL1H ? 0x200 : 0x000;
}

/* Of PAN, SSBS and TCO: those that this CPU has. */
static u64 optional;

void inject_init(void)
{
	if (FIELD(sysreg_read(id_aa64mmfr1_el1), 23, 20))
		optional |= SPSR_PAN;
	if (FIELD(sysreg_read(id_aa64pfr1_el1), 7, 4))
		optional |= SPSR_SSBS;
	if (FIELD(sysreg_read(id_aa64pfr1_el1), 11, 8) >= 2)
		optional |= SPSR_TCO;
}

static u64 __attribute__((noinline)) optional_state(void)
{
	u64 sctlr = sysreg_read(sctlr_el1), state = SPSR_TCO;

	if (!(sctlr & SCTLR_SPAN))
		state |= SPSR_PAN;
	if (sctlr & SCTLR_DSSBS)
		state |= SPSR_SSBS;
	return state & optional;
}

void inject(struct trap_frame *f, u64 esr, const u64 *far)
{
	u64 spsr = f->spsr_el2;
	u64 state = SPSR_EL1H | SPSR_DAIF | (spsr & (SPSR_NZCV | SPSR_DIT | SPSR_PAN));

	/* UAO, IL, SS and BTYPE become 0; each of the next exists only where its feature does. */
	if (unlikely(optional))
		state |= optional_state();

	sysreg_write(spsr_el1, spsr);
	sysreg_write(elr_el1, f->elr_el2);
	sysreg_write(esr_el1, esr);
	if (far)
		sysreg_write(far_el1, *far);
	f->elr_el2 = sysreg_read(vbar_el1) + vector_offset(f);
	f->spsr_el2 = state;
}

void inject_undef(struct trap_frame *f)
{
	inject(f, (u64)EC_UNKNOWN << 26 | ESR_IL, NULL);
}

void inject_abort(struct trap_frame *f)
{
	bool code = esr_class(f->esr_el2) == EC_IABT_LOW;
	u64 ec = code ? (from_el0(f) ? EC_IABT_LOW : EC_IABT_CUR) : (from_el0(f) ? EC_DABT_LOW : EC_DABT_CUR);
	u64 status = f->esr_el2 & DABT_S1PTW ? FSC_EXTERNAL_WALK | (f->esr_el2 & 3) : FSC_EXTERNAL;

	/* WnR and CM tell the same story as before; ISV and S1PTW are EL2's alone; IL is 1 for an abort of unknown syndrome. */
	inject(f, ec << 26 | ESR_IL | (code ? 0 : f->esr_el2 & (DABT_WNR | DABT_CM)) | status, &f->far_el2);
}

void inject_forward(struct trap_frame *f)
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
	if (esr_class(f->esr_el2) >= 0x30 && esr_class(f->esr_el2) <= 0x35 && !from_el0(f))
		inject(f, f->esr_el2 | BIT(26), &f->far_el2);
	else
		inject(f, f->esr_el2, NULL);
}

void inject_serror(void)
{
	sysreg_write(hcr_el2, sysreg_read(hcr_el2) | HCR_VSE);
	isb();
}
