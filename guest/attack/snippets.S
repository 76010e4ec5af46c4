/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snippets for run(): each ends in an exception. x1 and x2 are its arguments; x4 is where it stores its results.
 * AArch32 code is given as words, since this assembler knows A64 only.
 */
	.macro	snippet name
	.global	\name
	.balign	16
\name:
	.endm

	.text
snippet zero
	dc	zva, x1
	svc	#0
snippet zero_x7				/* bit 2 of Rt is bit 7 of the syndrome, which in an abort's is S1PTW */
	mov	x7, x1
	dc	zva, x7
	svc	#0
snippet clean
	dc	civac, x1
	svc	#0
snippet zero_par
	at	s1e1r, x1
	isb
	mrs	x5, par_el1
	dc	zva, x2
	mrs	x6, par_el1
	stp	x5, x6, [x4]
	svc	#0
snippet load
	ldr	w5, [x1]
	str	x5, [x4]
	svc	#0
snippet load_pair
	ldp	w5, w6, [x1]
	stp	x5, x6, [x4]
	svc	#0
snippet store_exclusive
	ldxr	w5, [x1]
	stxr	w6, w5, [x1]
	svc	#0
snippet store_writeback
	str	w5, [x1], #4
	str	x1, [x4]
	svc	#0
snippet jump
	br	x1
snippet call_hyp
	hvc	#0
	svc	#0
snippet call_monitor
	smc	#0
	svc	#0
snippet call_immediate
	mov	x0, x1
	hvc	#0x1234
	str	x0, [x4]
	svc	#0
snippet return_to
	msr	spsr_el1, x1
	adr	x2, 1f
	msr	elr_el1, x2
	eret
1:	svc	#0
snippet step_over
	ldr	w5, [x1]
	nop
	svc	#0

/* T32 */
snippet load_short
	.hword	0x6808			/* ldr	r0, [r1] */
	.hword	0x2201			/* movs	r2, #1 */
	.hword	0x6022			/* str	r2, [r4] */
	.hword	0xdf00			/* svc	#0 */
	.hword	0xdf00
snippet it_block
	.hword	0xbf0c			/* ite	eq: Z is set */
	.hword	0x6808			/* ldreq r0, [r1] */
	.hword	0x2201			/* movne r2, #1 */
	.hword	0x6022			/* str	r2, [r4] */
	.hword	0xdf00			/* svc	#0 */
	.hword	0xdf00
snippet it_block_wide
	.hword	0xbf0c			/* ite	eq */
	.hword	0xf8d1, 0x0000		/* ldreq.w r0, [r1] */
	.hword	0x2201			/* movne r2, #1 */
	.hword	0x6022			/* str	r2, [r4] */
	.hword	0xdf00			/* svc	#0 */
	.hword	0xdf00
/* A32 */
snippet conditional
	.word	0x15910000		/* ldrne r0, [r1]: Z is set */
	.word	0xe5840000		/* str	r0, [r4] */
	.word	0xef000000		/* svc	#0 */
snippet load_sp
	.word	0xe591d000		/* ldr	sp, [r1] */
	.word	0xe584d000		/* str	sp, [r4] */
	.word	0xef000000
snippet load_many
	.word	0xe8910005		/* ldm	r1, {r0, r2} */
	.word	0xef000000
snippet call_hyp32
	.word	0xe1400070		/* hvc	#0 */
	.word	0xef000000
snippet call_monitor32
	.word	0xe1600070		/* smc	#0 */
	.word	0xef000000
