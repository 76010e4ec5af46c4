/* SPDX-License-Identifier: Apache-2.0 */
/* Self-hosted debug (Arm ARM, "AArch64 Self-hosted Debug"): registers, breakpoints, watchpoints, steps, BRK. */
#include "lib.h"

void main1(u64 context) { (void)context; }

#define TRY(r) ({ u64 v_ = 0; reset_caught(); asm volatile("mrs %0, " #r : "+r"(v_) : : "memory"); v_; })
#define PUT(r, v) ({ reset_caught(); asm volatile("msr " #r ", %0\n\tisb" : : "r"((u64)(v)) : "memory"); caught.esr; })
#define KEPT(r, v) do { is("exception of writing " #r, PUT(r, v)); is(#r, TRY(r)); is("exception of " #r, caught.esr); } while (0)

static volatile u64 watched[4];
static void __attribute__((noinline)) target(void) { asm volatile("nop\n\tnop"); }

/*
 * Steps from `stepped` to `unstepped`, each instruction an exception of its own; `watch` has the ESR_EL1 and the place of
 * each. x19 to x28 and the stack stay as they are; SVC and UNDEFINED are passed over.
 */
static volatile u64 n_steps, steps[64][2];
void step_all(void);
extern char stepped[];
asm("step_all:	stp	x29, x30, [sp, #-32]!\n"
    "	msr	daifset, #8\n"
    "	mrs	x0, vbar_el1\n"
    "	str	x0, [sp, #16]\n"
    "	adr	x0, step_vectors\n"
    "	msr	vbar_el1, x0\n"
    "	mov	x0, #0x2001\n"			/* MDSCR_EL1: KDE, SS */
    "	msr	mdscr_el1, x0\n"
    "	mov	x0, #0x1c5\n"			/* EL1h; D clear, A, I, F set */
    "	orr	x0, x0, #0x200000\n"		/* SS */
    "	msr	spsr_el1, x0\n"
    "	adr	x0, stepped\n"
    "	msr	elr_el1, x0\n"
    "	isb\n"
    "	eret\n"
    "stepped:	nop\n"
    "	mrs	x0, midr_el1\n"
    "	mrs	x0, id_aa64pfr0_el1\n"
    "	mrs	x0, pmcr_el0\n"
    "	msr	S3_0_C12_C11_5, xzr\n"		/* ICC_SGI1R_EL1 */
    "	msr	S3_0_C12_C11_1, xzr\n"		/* ICC_DIR_EL1 */
    "	mov	x1, #0x9000000\n"
    "	ldr	w0, [x1, #0x18]\n"
    "	mov	x1, #0x8000000\n"
    "	ldr	w0, [x1, #4]\n"
    "	str	wzr, [x1, #0x100]\n"
    "	mov	x0, #0x84000000\n"
    "	hvc	#0\n"
    "	yield\n"
    "	dc	isw, xzr\n"
    "	tlbi	vmalle1\n"
    "	svc	#1\n"
    "	.inst	0\n"
    "	brk	#2\n"
    "	msr	cntv_cval_el0, xzr\n"
    "unstepped:	nop\n"
    "	ldr	x0, [sp, #16]\n"
    "	msr	vbar_el1, x0\n"
    "	isb\n"
    "	ldp	x29, x30, [sp], #32\n"
    "	ret\n"
    "	.balign	2048\n"
    "step_vectors:	.skip	0x200\n"
    "	adrp	x10, n_steps\n"
    "	ldr	x11, [x10, :lo12:n_steps]\n"
    "	adrp	x12, steps\n"
    "	add	x12, x12, :lo12:steps\n"
    "	add	x12, x12, x11, lsl #4\n"
    "	add	x11, x11, #1\n"
    "	str	x11, [x10, :lo12:n_steps]\n"
    "	mrs	x13, esr_el1\n"
    "	mrs	x14, elr_el1\n"
    "	stp	x13, x14, [x12]\n"
    "	lsr	x13, x13, #26\n"
    "	cmp	x13, #0x33\n"
    "	b.eq	1f\n"
    "	cmp	x13, #0x15\n"			/* SVC returns behind itself */
    "	b.eq	1f\n"
    "	add	x14, x14, #4\n"
    "	msr	elr_el1, x14\n"
    "1:	adr	x13, unstepped\n"
    "	cmp	x14, x13\n"
    "	b.lo	2f\n"
    "	msr	mdscr_el1, xzr\n"
    "2:	mrs	x13, spsr_el1\n"
    "	orr	x13, x13, #0x200000\n"
    "	msr	spsr_el1, x13\n"
    "	isb\n"
    "	eret\n");

static void each_step(void)
{
	asm volatile("bl step_all" : : : "x0", "x1", "x10", "x11", "x12", "x13", "x14", "x30", "cc", "memory");
	is("steps", n_steps);
	for (u64 i = 0; i < n_steps && i < 64; i++)
		is_of("step", steps[i][1] - (u64)stepped, steps[i][0]);
}

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
	/* ... and of a device's registers */
	static const u64 registers[] = { GICD + 0x104, UART + 0x18, 0x09010000 };
	for (unsigned i = 0; i < 3; i++) {
		msr(dbgwvr0_el1, registers[i] & ~7UL);
		msr(dbgwcr0_el1, 0x1e07 | (0xf << 5) << (registers[i] & 4) | 3 << 3);
		reset_caught();
		(void)r32(registers[i]);
		msr(dbgwcr0_el1, 0);
		is("watchpoint on a device, load", caught.esr);
	}
	msr(mdscr_el1, 0);
	each_step();
	off();
}
