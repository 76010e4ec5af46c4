/* SPDX-License-Identifier: Apache-2.0 */
/* The first instructions, and the vectors: an interrupt comes to interrupt(), anything else to unexpected(). */
	.cfi_sections .debug_frame	/* for gdb: a backtrace ends here */
	.section .text.start, "ax"
	.global	_start
_start:
	.cfi_startproc
	.cfi_undefined x30
	adrp	x1, stack_top
	add	x1, x1, :lo12:stack_top
	mov	sp, x1
	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	msr	vbar_el1, x1
	isb
	bl	main
	b	power_off
	.cfi_endproc

	/* Sixteen slots of 128 bytes (Arm ARM, "Exception vectors"): only an IRQ at EL1 with SP_EL1 is expected. */
	.macro	slot handler
	.balign	128
	b	\handler
	.endm

	.text
	.balign	2048
vectors:
	.rept	5
	slot	unexpected_slot
	.endr
	slot	irq
	.rept	10
	slot	unexpected_slot
	.endr

irq:
	.cfi_startproc
	.cfi_undefined x30
	stp	x0, x1, [sp, #-176]!	/* registers that a C function may change, and the way back */
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x30, [sp, #144]
	bl	interrupt
	ldp	x18, x30, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp], #176
	eret
	.cfi_endproc

unexpected_slot:
	mrs	x0, esr_el1
	mrs	x1, elr_el1
	bl	unexpected

	/* PSCI SYSTEM_OFF, by HVC. */
	.global	power_off
power_off:
	ldr	w0, =0x84000008
	hvc	#0
1:	wfi
	b	1b
