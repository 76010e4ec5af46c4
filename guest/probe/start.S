/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry of the probe at EL2, the way down to EL1 and back, and the vectors of both. EL1 executes one instruction and
 * HVC #0; the exception that comes back to EL2 ends attempt().
 */
	.section .text, "ax"
	.global _start
_start:
	adr	x1, el2_vectors
	msr	vbar_el2, x1
	adrp	x1, stack_top
	add	x1, x1, :lo12:stack_top
	mov	sp, x1
	isb
	bl	main
1:	wfi
	b	1b

	/* u64 attempt(const void *code, u64 x0): ESR_EL2 of that exception; probe_x0 is x0 at that time. */
	.global	attempt
attempt:
	stp	x29, x30, [sp, #-96]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	msr	elr_el2, x0
	mov	x0, #0x3c5		/* EL1h, everything masked */
	msr	spsr_el2, x0
	mov	x0, x1
	eret

back:
	adrp	x1, probe_x0
	str	x0, [x1, :lo12:probe_x0]
	mrs	x0, esr_el2
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret

	/* A register that EL2 lacks: noted, and skipped. */
missing:
	stp	x0, x1, [sp, #-16]!
	adrp	x0, probe_missing
	mov	w1, #1
	str	w1, [x0, :lo12:probe_missing]
	mrs	x0, elr_el2
	add	x0, x0, #4
	msr	elr_el2, x0
	ldp	x0, x1, [sp], #16
	eret

	.balign	0x800
el2_vectors:
	.rept	4
	.balign	0x80
	b	.
	.endr
	.balign	0x80
	b	missing
	.rept	3
	.balign	0x80
	b	.
	.endr
	.rept	4			/* from EL1 in AArch64: synchronous, IRQ, FIQ, SError */
	.balign	0x80
	b	back
	.endr
	.rept	4
	.balign	0x80
	b	.
	.endr

	.balign	0x800
	.global	el1_vectors
el1_vectors:
	.rept	16
	.balign	0x80
	hvc	#1
	.endr

	.bss
	.balign	16
	.skip	0x4000
stack_top:
