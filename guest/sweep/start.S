/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry of the sweep, and its vectors: an exception is counted, the syndrome of the first one kept, and the program
 * goes on behind the instruction. Kept short, since it runs for every access that is refused.
 */
#include "guest.h"

	.section .text.start, "ax"
	.global _start
_start:
	adr	x1, vectors
	msr	vbar_el1, x1
	mov	x1, #GUEST_STACK_TOP
	mov	sp, x1
	isb
	msr	daifclr, #4		/* unmasks virtual SErrors; IRQs stay masked */
	bl	main
1:	wfi
	b	1b

	/* struct caught: sync, serror, esr, quiet */
	.macro	count which
	stp	x0, x1, [sp, #-16]!
	adrp	x0, caught
	add	x0, x0, :lo12:caught
	ldr	x1, [x0, #\which]
	add	x1, x1, #1
	str	x1, [x0, #\which]
	.endm

	.balign	0x800
vectors:
	.rept	4
	.balign	0x80
	count	0
	cmp	x1, #1			/* the flags are in SPSR_EL1 */
	b.ne	2f
	ldr	x1, [x0, #24]
	cbnz	x1, 2f
	mrs	x1, esr_el1
	str	x1, [x0, #16]
2:	mrs	x0, elr_el1
	add	x0, x0, #4
	msr	elr_el1, x0
	ldp	x0, x1, [sp], #16
	eret
	.balign	0x80
	eret				/* IRQ, FIQ: masked */
	.balign	0x80
	eret
	.balign	0x80
	count	8
	ldp	x0, x1, [sp], #16
	eret
	.endr

	.global	provoke
provoke:
	udf	#0
	ret
