/* SPDX-License-Identifier: Apache-2.0 */
/* Self-hosted debug (Arm ARM, "AArch64 Self-hosted Debug"): registers, breakpoints, watchpoints, steps, BRK. */
#include "lib.h"

void main1(u64 context) { (void)context; }

#define TRY(r) ({ u64 v_ = 0; reset_caught(); asm volatile("mrs %0, " #r : "+r"(v_) : : "memory"); v_; })
#define PUT(r, v) ({ reset_caught(); asm volatile("msr " #r ", %0\n\tisb" : : "r"((u64)(v)) : "memory"); caught.esr; })
#define KEPT(r, v) do { is("exception of writing " #r, PUT(r, v)); is(#r, TRY(r)); is("exception of " #r, caught.esr); } while (0)

static volatile u64 watched[4];
static void __attribute__((noinline)) target(void) { asm volatile("nop\n\tnop"); }

static void happened(const char *name)
{
	is(name, caught.esr);
	if (caught.esr != ~0UL) {
		is("  vector", caught.vector);
		is("  FAR_EL1 is there", caught.far != 0);
	}
}

void main(void)
{
	is("MDSCR_EL1", TRY(mdscr_el1));
	is("OSLSR_EL1", TRY(oslsr_el1));
	KEPT(osdlr_el1, 0);
	is("OSLAR_EL1", PUT(oslar_el1, 1));
	is("OSLSR_EL1, locked", TRY(oslsr_el1));
	is("OSLAR_EL1", PUT(oslar_el1, 0));
	is("OSLSR_EL1, unlocked", TRY(oslsr_el1));
	KEPT(dbgbvr0_el1, 0x123456789abcdef3);
	KEPT(dbgbvr1_el1, 0xffff000012345678);
	KEPT(dbgwvr0_el1, 0x1234567f);
	KEPT(dbgbcr0_el1, ~0UL);
	KEPT(dbgwcr0_el1, ~0UL);
	KEPT(dbgbcr0_el1, 0);
	KEPT(dbgwcr0_el1, 0);
	KEPT(dbgclaimset_el1, 0x5a);
	KEPT(dbgclaimclr_el1, 0xf);
	KEPT(dbgprcr_el1, 0);
	KEPT(mdccint_el1, 0);
	KEPT(osdtrrx_el1, 0x55);
	KEPT(osdtrtx_el1, 0x66);
	KEPT(oseccr_el1, 0);
	is("MDCCSR_EL0", TRY(mdccsr_el0));
	is("DBGAUTHSTATUS_EL1", TRY(dbgauthstatus_el1));
	is("MDRAR_EL1", TRY(mdrar_el1));
	reset_caught();
	asm volatile("brk #0x123");
	happened("BRK");
	/* Breakpoint 0: at EL1, with KDE and MDE, debug exceptions unmasked */
	msr(dbgbvr0_el1, (u64)target);
	msr(dbgbcr0_el1, 0x1e7);
	reset_caught();
	target();
	happened("breakpoint, MDSCR_EL1.MDE 0");
	msr(mdscr_el1, BIT(15) | BIT(13));
	reset_caught();
	target();
	happened("breakpoint, PSTATE.D set");
	asm volatile("msr daifclr, #8\n\tisb");
	reset_caught();
	target();
	happened("breakpoint");
	msr(mdscr_el1, BIT(15));
	reset_caught();
	target();
	happened("breakpoint, KDE 0");
	msr(dbgbcr0_el1, 0);
	msr(mdscr_el1, BIT(15) | BIT(13));
	/* Watchpoint 0: loads and stores of one word of four */
	msr(dbgwvr0_el1, (u64)&watched[1]);
	for (u64 lsc = 0; lsc < 4; lsc++) {
		msr(dbgwcr0_el1, (0x1fe7 & ~(3UL << 3)) | lsc << 3);
		reset_caught();
		(void)watched[1];
		happened("watchpoint, load");
		reset_caught();
		watched[1] = lsc;
		happened("watchpoint, store");
		reset_caught();
		watched[2] = lsc;
		happened("watchpoint, beside it");
	}
	msr(dbgwcr0_el1, 0);
	msr(mdscr_el1, 0);
	off();
}
