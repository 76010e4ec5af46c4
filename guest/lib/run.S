/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run(), and vectors that use no stack and no register but the CPU's number: code under run() may have broken all else.
 * Every exception ends the run. See run.h.
 */
#include "guest.h"

	/* The place of this CPU's stack pointer while run() runs. */
	.macro	resume_of to, by
	mrs	\by, mpidr_el1
	and	\by, \by, #7
	adrp	\to, resume_sp
	add	\to, \to, #:lo12:resume_sp
	add	\to, \to, \by, lsl #3
	.endm

	/* Directly behind the guest's entry: the bytes before the vectors are unused after boot (fuzz.c, address()). */
	.section .text.start, "ax"
	.balign	0x800
vectors:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	.balign	0x80
	resume_of x0, x1
	ldr	x0, [x0]
	mov	x1, #\n
	cbz	x0, lost
	mov	sp, x0
	mov	x0, x1
	b	unwind
	.endr

	.global	run_prepare
run_prepare:
	adr	x1, vectors
	msr	vbar_el1, x1
	mrs	x0, mpidr_el1
	and	x0, x0, #7
	mov	x1, #GUEST_STACK_TOP
	sub	x1, x1, x0, lsl #14
	mov	sp, x1
	isb
	ret

unwind:
	msr	daifset, #0xf
	mrs	x1, esr_el1
	bfi	x1, x0, #32, #8		/* run() returns the syndrome, with the vector above it */
	mov	x0, x1
	resume_of x1, x2
	str	xzr, [x1]
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	add	sp, sp, #96
	ret

	.global	run
run:
	sub	sp, sp, #96
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	resume_of x3, x4
	mov	x4, sp
	str	x4, [x3]
	msr	elr_el1, x1
	msr	spsr_el1, x2
	ldp	x2, x3, [x0, #16]
	ldp	x4, x5, [x0, #32]
	ldp	x6, x7, [x0, #48]
	ldp	x8, x9, [x0, #64]
	ldp	x10, x11, [x0, #80]
	ldp	x12, x13, [x0, #96]
	ldp	x14, x15, [x0, #112]
	ldp	x16, x17, [x0, #128]
	ldp	x18, x19, [x0, #144]
	ldp	x20, x21, [x0, #160]
	ldp	x22, x23, [x0, #176]
	ldp	x24, x25, [x0, #192]
	ldp	x26, x27, [x0, #208]
	ldp	x28, x29, [x0, #224]
	ldr	x30, [x0, #240]
	ldp	x0, x1, [x0]
	eret

/* An exception of the program itself: reports it by an unserved call, and stops. */
lost:
	mrs	x2, elr_el1
	ldr	w3, [x2]		/* reported as FAR: the PC, with the vector above it */
	orr	x3, x3, x1, lsl #32
	mrs	x1, esr_el1
	mov	x0, #5			/* HV_REPORT_EXCEPTION */
	hvc	#0
	movz	x0, #0x8400, lsl #16
	movk	x0, #9			/* SYSTEM_RESET: a good run ends otherwise */
	hvc	#0
1:	b	1b

	.bss
	.balign	8
	.global	resume_sp
resume_sp:
	.skip	8 * 8
