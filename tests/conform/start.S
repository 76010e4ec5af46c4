/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start and vectors of a one-file guest: an arm64 Image header (Linux, Documentation/arch/arm64/booting.rst), a stack for
 * each CPU, vectors that note the exception and step over the instruction. The MMU stays off.
 */
	.section .text.start, "ax"
	.global _start
_start:
	b	1f
	.long	0
	.quad	0, end - _start, 0xa, 0, 0, 0
	.ascii	"ARM\x64"
	.long	0
1:	mov	x19, x0
	bl	prepare
	mov	x0, x19
	bl	main
	bl	off
/* PSCI CPU_ON enters here; x0 is the caller's context. */
	.global second
second:
	mov	x19, x0
	bl	prepare
	mov	x0, x19
	bl	main1
2:	wfi
	b	2b
prepare:
	adr	x1, vectors
	msr	vbar_el1, x1
	mrs	x0, mpidr_el1
	and	x0, x0, #7
	mov	x1, #0x40180000
	sub	x1, x1, x0, lsl #14
	mov	sp, x1
	mov	x1, #(3 << 20)
	msr	cpacr_el1, x1
	isb
	ret

	.balign	0x800
vectors:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	.balign	0x80
	stp	x0, x1, [sp, #-16]!
	.if	\n == 5 || \n == 6
	b	interrupt
	.endif
	adrp	x0, caught
	add	x0, x0, :lo12:caught
	mrs	x1, esr_el1
	str	x1, [x0]
	mrs	x1, far_el1
	str	x1, [x0, #8]
	mov	x1, #\n
	str	x1, [x0, #16]
	mrs	x1, elr_el1
	str	x1, [x0, #24]
	add	x1, x1, #4
	msr	elr_el1, x1
	ldp	x0, x1, [sp], #16
	eret
	.endr
/* Counts, and leaves the interrupt masked: programs acknowledge by hand. */
interrupt:
	adrp	x0, interrupts
	add	x0, x0, :lo12:interrupts
	ldr	x1, [x0]
	add	x1, x1, #1
	str	x1, [x0]
	mrs	x1, spsr_el1
	orr	x1, x1, #0xc0
	msr	spsr_el1, x1
	ldp	x0, x1, [sp], #16
	eret
