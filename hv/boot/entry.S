/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reset: checks for EL2, sets a stack, clears BSS, calls main(). QEMU enters here with the MMU off, x0 = 0, on CPU 0
 * alone; other CPUs stay off until PSCI CPU_ON starts them at secondary_entry.
 */
#include "board/board.h"

	.section .text.entry, "ax"
	.global _start
_start:
	msr	daifset, #0xf
	mrs	x0, CurrentEL
	cmp	x0, #(2 << 2)
	b.ne	wrong_level

	adrp	x1, __bss_start			/* page aligned, and so is __bss_end: see hv.ld */
	adrp	x2, __bss_end
1:	stp	xzr, xzr, [x1]			/* a page is a number of these */
	stp	xzr, xzr, [x1, #16]
	stp	xzr, xzr, [x1, #32]
	stp	xzr, xzr, [x1, #48]
	add	x1, x1, #64
	cmp	x1, x2
	b.lo	1b

	adrp	x0, cpu_blocks			/* CPU 0's struct cpu; its stack lies below it */
	add	x0, x0, #CPU_STRUCT_OFFSET
	mov	sp, x0
	msr	tpidr_el2, x0
	adr	x1, vectors
	msr	vbar_el2, x1
	isb
	mov	x29, xzr			/* backtraces end here */
	mov	x30, xzr
	bl	main				/* does not return */
	b	.

/* x0 = struct cpu of this CPU. PSCI enters at EL2 with the MMU off. */
	.global secondary_entry
secondary_entry:
	msr	daifset, #0xf
	mov	sp, x0
	msr	tpidr_el2, x0
	adr	x1, vectors
	msr	vbar_el2, x1
	isb
	mov	x29, xzr
	mov	x30, xzr
	bl	secondary_main
	b	.

/* Without EL2: says so on the UART, whose address is board.h's, and stops. */
wrong_level:
	lsr	x0, x0, #2
	adr	x1, wrong_text
	ldr	x2, =UART_PA
1:	ldrb	w3, [x1], #1
	cbz	w3, 3f
	cmp	w3, #'?'
	b.ne	2f
	add	w3, w0, #'0'
2:	strb	w3, [x2]
	b	1b
3:	wfi
	b	3b

	.pushsection .rodata
wrong_text:
	.asciz "charter: entered at EL?, needs EL2: start QEMU with -M virt,virtualization=on\r\n"
	.popsection

/*
 * void guest_enter(struct cpu *c): the first way into the guest, through the restore that all traps use. SP_EL2 is left
 * pointing at c->frame, where the next trap saves.
 */
	.section .text, "ax"
	.global guest_enter
guest_enter:
	mov	sp, x0
	ldp	x1, x2, [x0, #256]		/* FRAME_SP_EL0: SP_EL0 and SP_EL1 */
	msr	sp_el0, x1
	msr	sp_el1, x2
	b	guest_return
